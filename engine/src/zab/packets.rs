//! The packets between learners and their leader: `QuorumPacket` records back to back on a stream.
//!
//! ```text
//! int type | long zxid | int length, data | int count, { int length, scheme | int length, id }*
//! ```
//! A length of -1 is null data, a count of -1 no auth ids. Nothing frames a packet: where it ends
//! is known only by reading it.
//!
//! Invariants:
//! - K1. What a peer claims as a length is never allocated for: bytes are kept only once received,
//!   and no more of them than one packet may have (`PACKET_BYTES_MAX`).
//! - K2. A packet that came whole is read where it lies; only a split one is copied.
//!
//! Not here: which packet may come when (`leader`, `learner`), what the data means (`records`).

use crate::jute::{Reader, WireError, Writer};
use crate::limits::{AUTH_IDS_MAX, PACKET_BYTES_MAX};
use crate::zab::PeerError;
use crate::zxid::Zxid;

/// Type, zxid and the data's length: what stands before the data.
pub const HEAD: usize = 16;

/// The count of auth ids where there are none, as ZooKeeper writes it.
const NOBODY: [u8; 4] = (-1_i32).to_be_bytes();

/// A packet with null data and no auth ids.
pub const BARE: usize = HEAD + 4;

/// `Leader.*` of ZooKeeper, by the number on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(i32)]
pub enum Kind {
    Request = 1,
    Proposal = 2,
    Ack = 3,
    Commit = 4,
    Ping = 5,
    Revalidate = 6,
    Sync = 7,
    Inform = 8,
    CommitAndActivate = 9,
    NewLeader = 10,
    FollowerInfo = 11,
    UpToDate = 12,
    Diff = 13,
    Trunc = 14,
    Snap = 15,
    ObserverInfo = 16,
    LeaderInfo = 17,
    AckEpoch = 18,
    InformAndActivate = 19,
}

impl Kind {
    /// `None` for a type that ZooKeeper does not know either: such packets are ignored.
    pub fn of(code: i32) -> Option<Self> {
        Some(match code {
            1 => Self::Request,
            2 => Self::Proposal,
            3 => Self::Ack,
            4 => Self::Commit,
            5 => Self::Ping,
            6 => Self::Revalidate,
            7 => Self::Sync,
            8 => Self::Inform,
            9 => Self::CommitAndActivate,
            10 => Self::NewLeader,
            11 => Self::FollowerInfo,
            12 => Self::UpToDate,
            13 => Self::Diff,
            14 => Self::Trunc,
            15 => Self::Snap,
            16 => Self::ObserverInfo,
            17 => Self::LeaderInfo,
            18 => Self::AckEpoch,
            19 => Self::InformAndActivate,
            _ => return None,
        })
    }

    /// The name in ZooKeeper's sources and in our transcripts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Request => "REQUEST",
            Self::Proposal => "PROPOSAL",
            Self::Ack => "ACK",
            Self::Commit => "COMMIT",
            Self::Ping => "PING",
            Self::Revalidate => "REVALIDATE",
            Self::Sync => "SYNC",
            Self::Inform => "INFORM",
            Self::CommitAndActivate => "COMMITANDACTIVATE",
            Self::NewLeader => "NEWLEADER",
            Self::FollowerInfo => "FOLLOWERINFO",
            Self::UpToDate => "UPTODATE",
            Self::Diff => "DIFF",
            Self::Trunc => "TRUNC",
            Self::Snap => "SNAP",
            Self::ObserverInfo => "OBSERVERINFO",
            Self::LeaderInfo => "LEADERINFO",
            Self::AckEpoch => "ACKEPOCH",
            Self::InformAndActivate => "INFORMANDACTIVATE",
        }
    }
}

/// One packet, read where it lies.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    pub code: i32,
    pub zxid: Zxid,
    pub data: Option<&'a [u8]>,
    pub auth: AuthIds<'a>,
    /// The packet as it came.
    pub bytes: &'a [u8],
}

impl<'a> Packet<'a> {
    pub fn kind(&self) -> Option<Kind> {
        Kind::of(self.code)
    }

    /// Reads one whole packet at the head of `bytes`.
    #[inline(always)]
    pub fn read(bytes: &'a [u8]) -> Result<Self, WireError> {
        Self::scan(bytes).ok_or_else(|| refusal(bytes))
    }

    /// The packet at the head of `bytes`; `None` where it is not all there, or none.
    ///
    /// Perf: inlined, and so is whoever hands it on, so that its fields stay in registers. A packet
    /// given through memory is read back in wider words than it was written in, and that waits until
    /// all that was written before it has reached the cache (`perf/notebook.md`).
    #[inline(always)]
    fn scan(bytes: &'a [u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
        let length = i32::from_be_bytes(*head.last_chunk().expect("HEAD ends with a length"));
        let (data, rest) = match usize::try_from(length) {
            Ok(length) => {
                let (data, rest) = rest.split_at_checked(length)?;
                (Some(data), rest)
            }
            Err(_) if length == -1 => (None, rest),
            Err(_) => return None,
        };
        let (count, rest) = rest.split_first_chunk::<4>()?;
        // Compat: other negative counts read as none.
        let count = usize::try_from(i32::from_be_bytes(*count)).unwrap_or(0);
        let ids = if count == 0 { &[] } else { rest.get(..ids_extent(rest, count)?)? };
        let code = i32::from_be_bytes(*head.first_chunk().expect("HEAD begins with a type"));
        let zxid = head[4..12].first_chunk().expect("and has a zxid in the middle");
        Some(Self {
            code,
            zxid: Zxid(i64::from_be_bytes(*zxid)),
            data,
            auth: AuthIds { count, bytes: ids },
            bytes: &bytes[..bytes.len() - (rest.len() - ids.len())],
        })
    }

    /// The packet as it came, where that is, to the byte, what the log keeps: framed as we frame.
    #[inline]
    pub fn as_framed(&self) -> Option<&'a [u8]> {
        (self.code == Kind::Proposal as i32 && self.bytes.ends_with(&NOBODY)).then_some(self.bytes)
    }

    /// Whether it is within what a peer may send.
    #[inline]
    fn is_bounded(&self) -> bool {
        self.bytes.len() <= PACKET_BYTES_MAX && self.auth.count <= AUTH_IDS_MAX
    }

    /// The data, where null is not allowed.
    #[inline]
    pub fn data(&self, field: &'static str) -> Result<&'a [u8], WireError> {
        self.data.ok_or(WireError::Null { field })
    }
}

/// Who a client is, as `(scheme, id)`: counted and bounded when the packet was taken in, decoded
/// when asked for.
#[derive(Clone, Copy, Debug)]
pub struct AuthIds<'a> {
    count: usize,
    bytes: &'a [u8],
}

impl<'a> AuthIds<'a> {
    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// A null scheme or id reads as empty.
    pub fn iter(
        &self,
    ) -> impl Iterator<Item = (std::borrow::Cow<'a, str>, std::borrow::Cow<'a, str>)> {
        let mut reader = Reader::new(self.bytes);
        (0..self.count).map_while(move |_| {
            let scheme = reader.ustring("scheme").ok()?.unwrap_or_default();
            let id = reader.ustring("id").ok()?.unwrap_or_default();
            Some((scheme, id))
        })
    }
}

/// How many bytes so many pairs of scheme and id are; `None` where they are not all there.
fn ids_extent(bytes: &[u8], count: usize) -> Option<usize> {
    let mut end = 0_usize;
    for _ in 0..count.checked_mul(2)? {
        let length = bytes.get(end..)?.first_chunk().map(|length| i32::from_be_bytes(*length))?;
        let length = if length == -1 { 0 } else { usize::try_from(length).ok()? };
        end = end.checked_add(4)?.checked_add(length)?;
    }
    (end <= bytes.len()).then_some(end)
}

/// Why there is no packet at the head of these bytes.
#[cold]
fn refusal(bytes: &[u8]) -> WireError {
    let mut reader = Reader::new(bytes);
    let mut fields = || -> Result<(), WireError> {
        reader.int("type")?;
        reader.long("zxid")?;
        reader.buffer("data")?;
        for _ in 0..reader.count("authinfo")?.unwrap_or(0) {
            reader.buffer("scheme")?;
            reader.buffer("id")?;
        }
        Ok(())
    };
    fields().err().unwrap_or(WireError::Short { field: "packet", missing: 0 })
}

/// How far the packet at the head of some bytes goes.
enum Extent {
    Whole(usize),
    /// It has at least as many bytes as this, which is more than there are.
    AtLeast(usize),
}

fn extent(bytes: &[u8]) -> Result<Extent, PeerError> {
    let int_at = |at: usize| -> Option<i32> {
        let field = bytes.get(at..at + 4)?;
        Some(i32::from_be_bytes(field.try_into().expect("four bytes were asked for")))
    };
    let Some(length) = int_at(12) else { return Ok(Extent::AtLeast(HEAD)) };
    let mut end = HEAD + bounded("data", length)?;
    let Some(count) = int_at(end) else { return Ok(Extent::AtLeast(end + 4)) };
    end += 4;
    if count > AUTH_IDS_MAX as i32 {
        return Err(PeerError::TooMany { field: "authinfo", count });
    }
    for _ in 0..2 * count.max(0) {
        let Some(length) = int_at(end) else { return Ok(Extent::AtLeast(end + 4)) };
        end += 4 + bounded("authinfo", length)?;
        if end > PACKET_BYTES_MAX {
            return Err(PeerError::TooLarge { field: "authinfo", bytes: end });
        }
    }
    Ok(if end <= bytes.len() { Extent::Whole(end) } else { Extent::AtLeast(end) })
}

/// A length off the wire, null as zero.
fn bounded(field: &'static str, length: i32) -> Result<usize, PeerError> {
    match usize::try_from(length) {
        Ok(bytes) if bytes + BARE <= PACKET_BYTES_MAX => Ok(bytes),
        Ok(bytes) => Err(PeerError::TooLarge { field, bytes }),
        Err(_) if length == -1 => Ok(0),
        Err(_) => Err(PeerError::Wire(WireError::BadLength { field, length })),
    }
}

/// Cuts a stream, arriving in arbitrary pieces, into packets.
#[derive(Default, Debug)]
pub struct PacketReader {
    /// The head of a packet whose rest has not come; or, `spent`, a packet that was handed out.
    held: Vec<u8>,
    spent: bool,
}

impl PacketReader {
    /// The next packet, of which the last piece stands at the head of `input`; `input` moves past
    /// it. `None` when `input` is used up. After an error the stream is lost.
    #[inline(always)]
    pub fn next<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Packet<'a>>, PeerError> {
        if self.held.is_empty()
            && let Some(packet) = Packet::scan(input).filter(Packet::is_bounded)
        {
            *input = &input[packet.bytes.len()..];
            return Ok(Some(packet));
        }
        match self.next_whole(input)? {
            Some(packet) => Ok(Some(Packet::read(packet)?)),
            None => Ok(None),
        }
    }

    /// The bytes of the next packet, whatever it is and however it came.
    #[inline(never)]
    fn next_whole<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<&'a [u8]>, PeerError> {
        if self.spent {
            self.held.clear();
            self.spent = false;
        }
        if self.held.is_empty() {
            match extent(input)? {
                Extent::Whole(length) => {
                    let (packet, rest) = input.split_at(length);
                    *input = rest;
                    return Ok(Some(packet));
                }
                Extent::AtLeast(_) => {
                    self.held.extend_from_slice(input);
                    *input = &[];
                    return Ok(None);
                }
            }
        }
        loop {
            match extent(&self.held)? {
                Extent::Whole(_) => break,
                Extent::AtLeast(length) => {
                    if input.is_empty() {
                        return Ok(None);
                    }
                    let missing = (length - self.held.len()).min(input.len());
                    let (piece, rest) = input.split_at(missing);
                    self.held.extend_from_slice(piece);
                    *input = rest;
                }
            }
        }
        self.spent = true;
        Ok(Some(&self.held))
    }
}

/// Null data, no auth ids: ACK, COMMIT, UPTODATE and their like.
pub fn write_bare(out: &mut Vec<u8>, kind: Kind, zxid: Zxid) {
    write(out, kind, zxid, None);
}

pub fn write(out: &mut Vec<u8>, kind: Kind, zxid: Zxid, data: Option<&[u8]>) {
    let mut writer = Writer(out);
    writer.int(kind as i32);
    writer.long(zxid.0);
    writer.buffer(data);
    writer.int(-1);
}

/// A packet whose data `fill` appends.
pub fn write_filled(out: &mut Vec<u8>, kind: Kind, zxid: Zxid, fill: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    let mut head = [0; HEAD];
    head[0..4].copy_from_slice(&(kind as i32).to_be_bytes());
    head[4..12].copy_from_slice(&zxid.0.to_be_bytes());
    out.extend_from_slice(&head);
    fill(out);
    let length = out.len() - at - HEAD;
    let mut writer = Writer(out);
    writer.patch_int(at + 12, i32::try_from(length).expect("data is bounded by `limits`"));
    writer.bytes(&NOBODY);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zxid::Epoch;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> =
            hex.bytes().filter_map(|c| (c as char).to_digit(16).map(|d| d as u8)).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    fn written(kind: Kind, zxid: i64, data: Option<&[u8]>) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out, kind, Zxid(zxid), data);
        out
    }

    /// Captured between Apache ZooKeeper 3.9.5 servers.
    #[test]
    fn packets_are_those_of_zookeeper_to_the_byte() {
        let check = |hex: &str, kind, zxid, data: Option<&[u8]>| {
            assert_eq!(written(kind, zxid, data), bytes(hex), "{}", Kind::name(kind));
            let captured = bytes(hex);
            let packet = Packet::read(&captured).unwrap();
            assert_eq!((packet.kind(), packet.zxid.0, packet.data), (Some(kind), zxid, data));
        };
        let version = bytes("00010000");
        check(
            "00000011 0000000100000000 00000004 00010000 ffffffff",
            Kind::LeaderInfo,
            1 << 32,
            Some(&version),
        );
        check(
            "00000012 0000000000000000 00000004 00000000 ffffffff",
            Kind::AckEpoch,
            0,
            Some(&[0; 4]),
        );
        check("00000003 0000000100000000 ffffffff ffffffff", Kind::Ack, 1 << 32, None);
        check("0000000c ffffffffffffffff ffffffff ffffffff", Kind::UpToDate, -1, None);
        check("00000004 0000000100000004 ffffffff ffffffff", Kind::Commit, 0x1_0000_0004, None);
        check("00000007 0000000000000000 ffffffff ffffffff", Kind::Sync, 0, None);
        let proposal = bytes(
            "0200002ffc260001 00000000 0000000100000004 000001a1f989efaa fffffff6
             00007530 00000002 000000023d35a2fd",
        );
        let captured =
            "00000002 0000000100000004 00000030 0200002ffc260001 00000000 0000000100000004
             000001a1f989efaa fffffff6 00007530 00000002 000000023d35a2fd ffffffff";
        check(captured, Kind::Proposal, 0x1_0000_0004, Some(&proposal));
        let activate = bytes("0000000000000002");
        check(
            "00000009 0000000100000002 00000008 0000000000000002 ffffffff",
            Kind::CommitAndActivate,
            0x1_0000_0002,
            Some(&activate),
        );
    }

    fn stream() -> Vec<u8> {
        let mut out = Vec::new();
        write_bare(&mut out, Kind::Ack, Zxid::new(Epoch(1), 7));
        write(&mut out, Kind::Ping, Zxid(5), Some(b""));
        write_filled(&mut out, Kind::Request, Zxid(-1), |out| out.extend_from_slice(b"request"));
        // Auth ids in place of the null count.
        out.truncate(out.len() - 4);
        let mut writer = Writer(&mut out);
        writer.count(2);
        for text in ["ip", "127.0.0.1", "digest", "super:x"] {
            writer.ustring(text);
        }
        write_bare(&mut out, Kind::UpToDate, Zxid(-1));
        out
    }

    fn read_in_pieces(stream: &[u8], piece: usize) -> Vec<String> {
        let mut reader = PacketReader::default();
        let mut seen = Vec::new();
        for bytes in stream.chunks(piece) {
            let mut input = bytes;
            while let Some(packet) = reader.next(&mut input).unwrap() {
                let auth: Vec<_> = packet.auth.iter().map(|(s, i)| format!("{s}:{i}")).collect();
                let (name, data) = (packet.kind().unwrap().name(), packet.data.map(<[u8]>::len));
                seen.push(format!("{name} {} {data:?} {auth:?}", packet.zxid));
            }
        }
        seen
    }

    #[test]
    fn any_cut_of_the_stream_gives_the_same_packets() {
        let stream = stream();
        let whole = read_in_pieces(&stream, stream.len());
        assert_eq!(whole.len(), 4);
        assert_eq!(
            whole[2],
            r#"REQUEST 0xffffffffffffffff Some(7) ["ip:127.0.0.1", "digest:super:x"]"#
        );
        for piece in 1..stream.len() {
            assert_eq!(read_in_pieces(&stream, piece), whole, "in pieces of {piece}");
        }
    }

    #[test]
    fn hostile_lengths_end_the_stream_without_memory() {
        let head = |length: &str| bytes(&format!("00000001 0000000000000000 {length}"));
        let refused = |bytes: &[u8]| {
            let mut reader = PacketReader::default();
            let mut input = bytes;
            let refused = reader.next(&mut input).is_err();
            assert!(reader.held.capacity() <= bytes.len().max(64), "K1");
            refused
        };
        for length in ["7fffffff", "fffffffe", "80000000", "47455420"] {
            assert!(refused(&head(length)), "{length}");
        }
        assert!(refused(&bytes("00000001 0000000000000000 ffffffff 00000041")), "65 auth ids");
        assert!(refused(&bytes("00000001 0000000000000000 ffffffff 00000001 fffffffe")));
        assert!(!refused(&head("00100000")), "a large packet may come in pieces");
    }

    #[test]
    fn other_negative_counts_of_auth_ids_read_as_none() {
        let packet = bytes("00000003 0000000000000001 ffffffff fffffff0");
        let mut reader = PacketReader::default();
        let mut input = &packet[..];
        assert!(reader.next(&mut input).unwrap().unwrap().auth.is_empty());
    }
}
