//! The small records inside packets of the handshake and of sessions.
//!
//! ```text
//! LearnerInfo  long server id | int protocol version | long configuration version
//! LEADERINFO   int protocol version
//! ACKEPOCH     int current epoch, -1 where the epoch was accepted before
//! PING         { long session | int timeout }*
//! REVALIDATE   long session | int timeout      answer: long session | bool valid
//! ```
//!
//! Not here: the packets around them (`packets`), REQUEST (`forwarded`).

use super::packets::Packet;
use crate::ids::ServerId;
use crate::jute::{Reader, WireError, Writer};

/// ZAB 1.0, what every ZooKeeper since 3.4 speaks.
pub const PROTOCOL: i32 = 0x10000;

/// ZAB 1.0 with cumulative ACK and COMMIT. A learner offers it, a leader that knows it answers with
/// it; a Java server serves such an offer as 0x10000 and never answers with more.
pub const PROTOCOL_CUMULATIVE: i32 = 0x10100;

/// How a learner introduces itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LearnerInfo {
    /// `None` where it brings no id, as an observer may.
    pub server: Option<ServerId>,
    pub protocol: i32,
    pub config_version: i64,
}

impl LearnerInfo {
    /// Compat: shorter forms leave fields out, longer ones are cut (`LearnerHandler.run`, 3.9.5).
    pub fn read(packet: &Packet<'_>) -> Result<Self, WireError> {
        let data = packet.data.unwrap_or_default();
        let mut reader = Reader::new(data);
        let mut info = Self { server: None, protocol: 0, config_version: 0 };
        if data.len() >= 8 {
            info.server = Some(ServerId(reader.long("serverid")?));
        }
        if data.len() >= 12 {
            info.protocol = reader.int("protocolVersion")?;
        }
        if data.len() >= 20 {
            info.config_version = reader.long("configVersion")?;
        }
        Ok(info)
    }

    pub fn encode(&self) -> [u8; 20] {
        let mut data = [0; 20];
        data[..8].copy_from_slice(&self.server.unwrap_or(ServerId(0)).0.to_be_bytes());
        data[8..12].copy_from_slice(&self.protocol.to_be_bytes());
        data[12..].copy_from_slice(&self.config_version.to_be_bytes());
        data
    }
}

/// The int that is all of LEADERINFO's or ACKEPOCH's data.
pub fn read_int(packet: &Packet<'_>, field: &'static str) -> Result<i32, WireError> {
    Reader::new(packet.data(field)?).int(field)
}

/// The sessions in a learner's answer to a PING. What is left over at the end is ignored.
pub fn read_touched(packet: &Packet<'_>) -> Vec<(i64, i32)> {
    let mut reader = Reader::new(packet.data.unwrap_or_default());
    let mut touched = Vec::with_capacity(reader.remaining() / 12);
    while let (Ok(session), Ok(timeout)) = (reader.long("session"), reader.int("timeout")) {
        touched.push((session, timeout));
    }
    touched
}

pub fn write_touched(out: &mut Vec<u8>, sessions: impl Iterator<Item = (i64, i32)>) {
    let mut writer = Writer(out);
    for (session, timeout) in sessions {
        writer.long(session);
        writer.int(timeout);
    }
}

/// A learner's question: session and timeout.
pub fn read_revalidate(packet: &Packet<'_>) -> Result<(i64, i32), WireError> {
    let mut reader = Reader::new(packet.data("revalidate")?);
    Ok((reader.long("session")?, reader.int("timeout")?))
}

/// The leader's answer.
pub fn read_revalidated(packet: &Packet<'_>) -> Result<(i64, bool), WireError> {
    let mut reader = Reader::new(packet.data("revalidate")?);
    Ok((reader.long("session")?, reader.bool("valid")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zab::packets::{self, Kind};
    use crate::zxid::Zxid;

    fn info(data: Option<&[u8]>) -> LearnerInfo {
        let mut wire = Vec::new();
        packets::write(&mut wire, Kind::FollowerInfo, Zxid(0), data);
        LearnerInfo::read(&Packet::read(&wire).unwrap()).unwrap()
    }

    #[test]
    fn a_learner_introduces_itself_as_zookeeper_does() {
        let me = LearnerInfo { server: Some(ServerId(3)), protocol: PROTOCOL, config_version: 0 };
        let mut wire = Vec::new();
        packets::write(&mut wire, Kind::FollowerInfo, Zxid(0), Some(&me.encode()));
        let captured = "0000000b0000000000000000000000140000000000000003000100000000000000000000\
                        ffffffff";
        let hex: String = wire.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, captured);
        assert_eq!(info(Some(&me.encode())), me);
    }

    #[test]
    fn short_introductions_leave_the_rest_at_zero() {
        let full = LearnerInfo { server: Some(ServerId(9)), protocol: 1, config_version: 5 };
        let bytes = full.encode();
        assert_eq!(info(None).server, None);
        assert_eq!(info(Some(&bytes[..7])).server, None);
        assert_eq!(
            info(Some(&bytes[..11])),
            LearnerInfo { protocol: 0, config_version: 0, ..full }
        );
        assert_eq!(info(Some(&bytes[..19])), LearnerInfo { config_version: 0, ..full });
    }

    #[test]
    fn touched_sessions_read_back() {
        let sessions = [(1_i64 << 56, 4000), (-1, 30_000)];
        let mut wire = Vec::new();
        packets::write_filled(&mut wire, Kind::Ping, Zxid(0), |out| {
            write_touched(out, sessions.into_iter());
        });
        assert_eq!(read_touched(&Packet::read(&wire).unwrap()), sessions);
    }
}
