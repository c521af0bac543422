//! The bytes of a notification, the one message of an election.
//!
//! ```text
//! frame      int length (1..=524288) | payload
//! payload    int state (0..=3) | long leader | long zxid | long round | long epoch
//!            | int version = 2 | int configLength | config
//! legacy     28 bytes: ends after round, the epoch is that of the zxid
//!            40 bytes: ends after four bytes where the version stands; they are not read
//! ```
//!
//! Compat: all lengths that `FastLeaderElection.WorkerReceiver` (3.9.5) accepts are accepted, later
//! versions and bytes after the config included. What it drops is a `WireError` here, and the
//! caller drops it too: the connection goes on.
//!
//! Not here: reassembly of frames (`links`), the meaning of the config (`quorum`).

use crate::election::{ServerState, Vote};
use crate::ids::ServerId;
use crate::jute::{Reader, WireError, Writer};
use crate::zxid::{Epoch, Zxid};

/// The version of the message that we write: the first that carries a config.
const VERSION: i32 = 2;

const WITHOUT_EPOCH: usize = 28;
const WITHOUT_VERSION: usize = 40;

/// One server's vote and state, with the text of its ensemble (empty where the message has none).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Notification<'a> {
    pub(super) state: ServerState,
    pub(super) vote: Vote,
    pub(super) version: i32,
    pub(super) config: &'a [u8],
}

impl<'a> Notification<'a> {
    pub(super) fn new(state: ServerState, vote: Vote, config: &'a [u8]) -> Self {
        Self { state, vote, version: VERSION, config }
    }

    /// Reads a payload, the frame's length already taken off.
    pub(super) fn decode(payload: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(payload);
        let code = reader.int("state")?;
        let state = ServerState::from_code(code);
        let state = state.ok_or(WireError::UnknownCode { field: "state", code })?;
        let leader = ServerId(reader.long("leader")?);
        let zxid = Zxid(reader.long("zxid")?);
        let round = reader.long("electionEpoch")?;
        if payload.len() == WITHOUT_EPOCH {
            let vote = Vote { leader, zxid, epoch: zxid.epoch(), round };
            return Ok(Self { state, vote, version: 0, config: &[] });
        }
        let epoch = Epoch(reader.long("peerEpoch")?);
        let vote = Vote { leader, zxid, epoch, round };
        if payload.len() == WITHOUT_VERSION {
            return Ok(Self { state, vote, version: 0, config: &[] });
        }
        let version = reader.int("version")?;
        let config = if version < VERSION {
            &[]
        } else {
            let field = "config";
            let null = WireError::BadLength { field, length: -1 };
            reader.buffer(field)?.ok_or(null)?
        };
        Ok(Self { state, vote, version, config })
    }

    /// Appends the frame, length included.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let at = out.len();
        let mut writer = Writer(out);
        writer.int(0);
        writer.int(self.state.code());
        writer.long(self.vote.leader.0);
        writer.long(self.vote.zxid.0);
        writer.long(self.vote.round);
        writer.long(self.vote.epoch.0);
        writer.int(self.version);
        writer.buffer(Some(self.config));
        let length = i32::try_from(writer.0.len() - at - 4)
            .expect("a config is the text of at most ENSEMBLE_SERVERS_MAX bounded lines");
        writer.patch_int(at, length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &[u8] = b"server.1=127.0.0.1:22021:22041:participant\n\
                            server.2=127.0.0.1:22022:22042:participant\n\
                            server.3=127.0.0.1:22023:22043:participant\n\
                            version=0";

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
        digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
    }

    /// Captured of Java 3.9.5: server 2 leads epoch 1, elected in round 1 with zxid 0.
    fn captured() -> Vec<u8> {
        let mut bytes = hex("00000002 0000000000000002 0000000000000000 0000000000000001
                             0000000000000001 00000002 0000008a");
        bytes.extend_from_slice(CONFIG);
        bytes
    }

    fn vote(leader: i64, zxid: i64, round: i64, epoch: i64) -> Vote {
        Vote { leader: ServerId(leader), zxid: Zxid(zxid), epoch: Epoch(epoch), round }
    }

    #[test]
    fn a_captured_leading_notification_reads_and_writes_back() {
        let bytes = captured();
        let read = Notification::decode(&bytes).unwrap();
        assert_eq!(read, Notification::new(ServerState::Leading, vote(2, 0, 1, 1), CONFIG));
        let mut written = Vec::new();
        read.encode(&mut written);
        assert_eq!(written[..4], (bytes.len() as i32).to_be_bytes());
        assert_eq!(written[4..], bytes);
    }

    #[test]
    fn legacy_lengths_are_read_as_java_reads_them() {
        let full = captured();
        let mut short = full[..28].to_vec();
        short[12..20].copy_from_slice(&0x5_0000_0007_i64.to_be_bytes());
        let read = Notification::decode(&short).unwrap();
        assert_eq!((read.vote, read.version), (vote(2, 0x5_0000_0007, 1, 5), 0));

        let mut middle = full[..40].to_vec();
        middle[36..].copy_from_slice(&[0xff; 4]);
        let read = Notification::decode(&middle).unwrap();
        assert_eq!((read.vote, read.version), (vote(2, 0, 1, 1), 0));

        let mut first = full[..44].to_vec();
        first[36..40].copy_from_slice(&1_i32.to_be_bytes());
        let read = Notification::decode(&first).unwrap();
        assert_eq!((read.version, read.config), (1, &[][..]));
    }

    #[test]
    fn later_versions_and_bytes_after_the_config_are_ignored() {
        let mut bytes = captured();
        bytes[36..40].copy_from_slice(&3_i32.to_be_bytes());
        bytes.extend_from_slice(b"more");
        let read = Notification::decode(&bytes).unwrap();
        assert_eq!((read.version, read.config), (3, CONFIG));
    }

    #[test]
    fn what_is_cut_or_wild_is_an_error_and_never_a_panic() {
        let full = captured();
        for cut in 0..full.len() {
            let is_legacy = cut == 28 || cut == 40;
            assert_eq!(Notification::decode(&full[..cut]).is_ok(), is_legacy, "{cut} bytes");
        }
        for (at, value) in [(0, 4), (0, -1), (40, -1), (40, i32::MIN), (40, i32::MAX), (40, 139)] {
            let mut bytes = full.clone();
            bytes[at..at + 4].copy_from_slice(&i32::to_be_bytes(value));
            assert!(Notification::decode(&bytes).is_err(), "{value} at {at}");
        }
    }

    #[test]
    fn an_observers_smallest_vote_survives_the_wire() {
        let least = vote(i64::MIN, i64::MIN, 1, i64::MIN);
        let mut bytes = Vec::new();
        Notification::new(ServerState::Looking, least, b"version=0").encode(&mut bytes);
        assert_eq!(Notification::decode(&bytes[4..]).unwrap().vote, least);
        assert_eq!(bytes[8..16], [0x80, 0, 0, 0, 0, 0, 0, 0]);
    }
}
