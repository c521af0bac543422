//! Session ids and passwords, as ZooKeeper makes them, so that a client may move between servers
//! of either kind.

use crate::wire::SessionId;

/// Gives out session ids: the server's number on top, then the clock at start, then a count.
///
/// ```text
/// 63      56 55                       16 15        0
/// | server  | low 40 bits of start, ms |  zeros    |   + 1 per session
/// ```
/// Compat: `SessionTrackerImpl.initializeNextSessionId`, 3.9.5.
#[derive(Debug)]
pub struct SessionIds {
    next: i64,
}

impl SessionIds {
    /// `start_ms` must not repeat across restarts of this server; any clock that only goes
    /// forward, and the session's life is long over by the time 2^40 ms are.
    pub fn new(server: i64, start_ms: u64) -> Self {
        let first = ((start_ms << 24) >> 8) as i64 | server << 56;
        // This one id means "container" as an ephemeral owner.
        Self { next: if first == i64::MIN { first + 1 } else { first } }
    }

    /// A session id no other server, and no other start of this one, gives out.
    pub fn issue(&mut self) -> SessionId {
        let id = self.next;
        self.next = id.wrapping_add(1);
        SessionId(id)
    }
}

/// What ZooKeeper mixes into the seed of a password (`ZooKeeperServer.superSecret`).
const SECRET: u64 = 0xB341_5C00;

/// The password of a session: 16 bytes of Java's generator, seeded by the id.
///
/// Compat: anybody can compute it, as in ZooKeeper; it guards against mistakes, not attackers.
/// Every server of a mixed ensemble must agree on it (`ZooKeeperServer.generatePasswd`, 3.9.5).
pub fn password(session: SessionId) -> [u8; 16] {
    const MULTIPLIER: u64 = 0x5_DEEC_E66D;
    const MASK: u64 = (1 << 48) - 1;
    let mut state = (session.0 as u64 ^ SECRET ^ MULTIPLIER) & MASK;
    let mut password = [0; 16];
    for four in password.chunks_exact_mut(4) {
        state = state.wrapping_mul(MULTIPLIER).wrapping_add(0xB) & MASK;
        let drawn = (state >> 16) as u32;
        for (at, byte) in four.iter_mut().enumerate() {
            *byte = (drawn >> (8 * at)) as u8;
        }
    }
    password
}

/// Whether a client that reconnects knows its session's password. Looks at every byte whatever the
/// first ones say.
pub fn password_matches(session: SessionId, offered: Option<&[u8]>) -> bool {
    let Some(offered) = offered else { return false };
    let expected = password(session);
    let differing =
        expected.iter().zip(offered).fold(0, |sum, (expected, given)| sum | (expected ^ given));
    session != SessionId::NONE && offered.len() == expected.len() && differing == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_javas() {
        let expected = [
            0x29, 0xc1, 0xa7, 0x69, 0x02, 0x46, 0x59, 0x20, 0xaf, 0x66, 0xc1, 0xe8, 0x1b, 0x3b,
            0x90, 0xdd,
        ];
        let session = SessionId(0x1000_abcd_0000);
        assert_eq!(password(session), expected);
        assert!(password_matches(session, Some(&expected)));
        assert!(!password_matches(session, Some(&expected[..15])));
        assert!(!password_matches(session, Some(&[0; 16])));
        assert!(!password_matches(session, Some(&[])));
        assert!(!password_matches(session, None));
        assert!(!password_matches(SessionId::NONE, Some(&password(SessionId::NONE))));
    }

    #[test]
    fn ids_carry_the_server_and_the_start() {
        let mut ids = SessionIds::new(3, 0x12_3456_789a);
        assert_eq!(ids.issue(), SessionId(0x0312_3456_789a_0000));
        assert_eq!(ids.issue(), SessionId(0x0312_3456_789a_0001));
        assert_eq!(SessionIds::new(255, 0).issue().0 as u64, 0xff00_0000_0000_0000);
        let container = SessionIds::new(128, 0).issue();
        assert_ne!(container.0, i64::MIN, "the owner of containers is nobody's session");
    }
}
