//! Peers that opened a link before this server knew whether it leads.
//!
//! The others may see an election's end before the winner does. Their links wait here with what
//! they said, so that nobody is refused for being early; whoever turns out to lead finds them.
//!
//! Invariants:
//! - Y1. Links and their bytes are bounded (`LOBBY_LINKS_MAX`, `LOBBY_BYTES_MAX`): a learner has
//!   nothing to say but FOLLOWERINFO until it is answered.

use std::collections::BTreeMap;

use crate::ids::LinkId;
use crate::limits::{LOBBY_BYTES_MAX, LOBBY_LINKS_MAX};
use crate::time::Millis;

#[derive(Default)]
pub(super) struct Lobby(BTreeMap<LinkId, Guest>);

struct Guest {
    bytes: Vec<u8>,
    until: Millis,
}

impl Lobby {
    /// Whether there was room.
    pub(super) fn enter(&mut self, link: LinkId, until: Millis) -> bool {
        let has_room = self.0.len() < LOBBY_LINKS_MAX;
        if has_room {
            self.0.insert(link, Guest { bytes: Vec::new(), until });
        }
        has_room
    }

    /// Whether the guest may stay: it is unknown here, or has not said too much.
    pub(super) fn listen(&mut self, link: LinkId, bytes: &[u8]) -> bool {
        let Some(guest) = self.0.get_mut(&link) else { return true };
        guest.bytes.extend_from_slice(&bytes[..bytes.len().min(LOBBY_BYTES_MAX + 1)]);
        guest.bytes.len() <= LOBBY_BYTES_MAX
    }

    pub(super) fn leave(&mut self, link: LinkId) {
        self.0.remove(&link);
    }

    /// The next guest that has waited for too long.
    pub(super) fn expired(&self, now: Millis) -> Option<LinkId> {
        self.0.iter().find(|(_, guest)| guest.until <= now).map(|(&link, _)| link)
    }

    pub(super) fn deadline(&self) -> Option<Millis> {
        self.0.values().map(|guest| guest.until).min()
    }

    /// Everybody, in the order they came, with what they said.
    pub(super) fn open(&mut self) -> impl Iterator<Item = (LinkId, Vec<u8>)> + use<> {
        std::mem::take(&mut self.0).into_iter().map(|(link, guest)| (link, guest.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lobby_is_bounded_in_guests_and_in_what_they_say() {
        let mut lobby = Lobby::default();
        for link in 0..LOBBY_LINKS_MAX as u64 {
            assert!(lobby.enter(LinkId(2 * link), Millis(5)));
        }
        assert!(!lobby.enter(LinkId(1_000_000), Millis(5)), "Y1");
        assert!(lobby.listen(LinkId(0), &[0; LOBBY_BYTES_MAX]));
        assert!(!lobby.listen(LinkId(0), &[0]), "Y1");
        assert_eq!(lobby.expired(Millis(4)), None);
        assert_eq!(lobby.expired(Millis(5)), Some(LinkId(0)));
    }
}
