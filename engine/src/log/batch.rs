//! The batch: what one group commit writes, and the packets inside.
//!
//! A batch starts on a 4 KiB border, is a whole number of blocks, and is never rewritten. Numbers
//! are big-endian, as in the packets.
//!
//! ```text
//!  0  u32  magic "RKBT"
//!  4  u32  crc: CRC-32C of bytes 8..64; through `body crc` and `before` it vouches for this
//!          batch and for every batch before it
//!  8  u32  body crc: CRC-32C of everything from byte 64 to the end of the last block
//! 12  u32  before: `crc` of the batch before, across segments
//! 16  u64  incarnation of the segment: what an older life of the file left behind has another
//! 24  u64  sequence: one more than the batch before, across segments
//! 32  i64  first zxid
//! 40  i64  last zxid: same epoch, first + count - 1
//! 48  u32  count of packets
//! 52  u32  bytes of packets
//! 56  u64  highest sequence known durable when this batch was sealed
//! 64       packets, then zeros to the border
//! ```
//!
//! A packet is a PROPOSAL as ZooKeeper's peers read it: `i32 type = 2, i64 zxid, i32 length,
//! payload, i32 authinfo = -1`, the payload being `TxnHeader | txn | digest` and none of the log's
//! business.
//!
//! Invariants:
//! - B1. The zxids of a batch are contiguous and of one epoch.
//! - B2. A batch that decodes and whose body is whole is, bit for bit, what was sealed.
//!
//! Not here: where batches stand and what their order proves (`recover`), when one is sealed
//! (`group_commit`).

use crate::checksum::crc32c_of;
use crate::limits::{BATCH_BYTES_MAX, BLOCK, PACKET_BYTES_MAX};
use crate::zxid::Zxid;

/// In front of the packets.
pub(super) const BATCH_HEADER_BYTES: usize = 64;

/// Around a packet's payload: 16 bytes before, 4 after.
pub const PACKET_FRAME_BYTES: usize = 20;

const MAGIC: u32 = u32::from_be_bytes(*b"RKBT");
const PROPOSAL: i32 = 2;
const NO_AUTHINFO: i32 = -1;

/// The header of a batch, its checksums apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct BatchHeader {
    pub before: u32,
    pub incarnation: u64,
    pub sequence: u64,
    pub first: Zxid,
    pub last: Zxid,
    pub count: u32,
    pub bytes: u32,
    pub known_durable: u64,
}

/// A header that was read and whose own checksum holds; the body is still to be checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ReadHeader {
    pub header: BatchHeader,
    pub crc: u32,
    body_crc: u32,
}

impl BatchHeader {
    /// Header, packets and padding.
    pub(super) fn len(&self) -> usize {
        padded(self.bytes as usize)
    }

    /// B1 and the bounds; nothing larger than these is ever written.
    fn is_sane(&self) -> bool {
        let bytes = self.bytes as usize;
        let counters = self.last.counter().checked_sub(self.first.counter());
        self.count > 0
            && self.first.epoch() == self.last.epoch()
            && counters == Some(self.count - 1)
            && bytes >= self.count as usize * PACKET_FRAME_BYTES
            && bytes <= PACKET_BYTES_MAX.max(BATCH_BYTES_MAX)
    }
}

/// What a batch of so many bytes of packets takes on disk.
pub(super) fn padded(bytes: usize) -> usize {
    (BATCH_HEADER_BYTES + bytes).next_multiple_of(BLOCK)
}

/// Completes the batch whose packets stand in `slab[64..64 + header.bytes]`: pads it, sums it once,
/// writes its header. Returns its length and its `crc`, the next batch's `before`.
pub(super) fn seal(slab: &mut [u8], header: &BatchHeader) -> (usize, u32) {
    assert!(header.is_sane(), "B1: {header:?}");
    let end = BATCH_HEADER_BYTES + header.bytes as usize;
    let len = header.len();
    slab[end..len].fill(0);
    let body_crc = crc32c_of(&[&slab[BATCH_HEADER_BYTES..len]]);
    slab[0..4].copy_from_slice(&MAGIC.to_be_bytes());
    slab[8..12].copy_from_slice(&body_crc.to_be_bytes());
    slab[12..16].copy_from_slice(&header.before.to_be_bytes());
    slab[16..24].copy_from_slice(&header.incarnation.to_be_bytes());
    slab[24..32].copy_from_slice(&header.sequence.to_be_bytes());
    slab[32..40].copy_from_slice(&header.first.0.to_be_bytes());
    slab[40..48].copy_from_slice(&header.last.0.to_be_bytes());
    slab[48..52].copy_from_slice(&header.count.to_be_bytes());
    slab[52..56].copy_from_slice(&header.bytes.to_be_bytes());
    slab[56..64].copy_from_slice(&header.known_durable.to_be_bytes());
    let crc = crc32c_of(&[&slab[8..BATCH_HEADER_BYTES]]);
    slab[4..8].copy_from_slice(&crc.to_be_bytes());
    (len, crc)
}

/// The header at the start of `block`, or `None` if no batch begins there.
pub(super) fn decode(block: &[u8]) -> Option<ReadHeader> {
    let head = block.get(..BATCH_HEADER_BYTES)?;
    let crc = u32_at(head, 4);
    if u32_at(head, 0) != MAGIC || crc != crc32c_of(&[&head[8..]]) {
        return None;
    }
    let header = BatchHeader {
        before: u32_at(head, 12),
        incarnation: u64_at(head, 16),
        sequence: u64_at(head, 24),
        first: zxid_at(head, 32),
        last: zxid_at(head, 40),
        count: u32_at(head, 48),
        bytes: u32_at(head, 52),
        known_durable: u64_at(head, 56),
    };
    let read = ReadHeader { header, crc, body_crc: u32_at(head, 8) };
    header.is_sane().then_some(read)
}

impl ReadHeader {
    /// Whether `batch`, all `header.len()` bytes of it, holds what was sealed: the checksum, and
    /// exactly the packets that the header promises.
    pub(super) fn body_is_whole(&self, batch: &[u8]) -> bool {
        let header = &self.header;
        if batch.len() != header.len()
            || crc32c_of(&[&batch[BATCH_HEADER_BYTES..]]) != self.body_crc
        {
            return false;
        }
        let mut expected = Some(header.first);
        let mut count = 0;
        let mut bytes = 0;
        for (zxid, packet) in packets(self.body(batch)) {
            if expected != Some(zxid) {
                return false;
            }
            expected = zxid.next();
            count += 1;
            bytes += packet.len();
        }
        count == header.count && bytes == header.bytes as usize
    }

    /// The packets of a whole batch.
    pub(super) fn body<'a>(&self, batch: &'a [u8]) -> &'a [u8] {
        &batch[BATCH_HEADER_BYTES..BATCH_HEADER_BYTES + self.header.bytes as usize]
    }
}

/// The packets of a run, each with its zxid; ends at the first bytes that are no packet.
pub fn packets(run: &[u8]) -> impl Iterator<Item = (Zxid, &[u8])> {
    let mut rest = run;
    std::iter::from_fn(move || {
        let (zxid, len) = packet(rest)?;
        let (packet, after) = rest.split_at(len);
        rest = after;
        Some((zxid, packet))
    })
}

/// Zxid and length of the packet that `bytes` begin with, if one stands there whole.
pub fn packet(bytes: &[u8]) -> Option<(Zxid, usize)> {
    let (head, rest) = bytes.split_first_chunk::<16>()?;
    let payload = usize::try_from(i32_at(head, 12)).ok()?;
    let authinfo = rest.get(payload..)?.first_chunk()?;
    if i32_at(head, 0) != PROPOSAL || i32::from_be_bytes(*authinfo) != NO_AUTHINFO {
        return None;
    }
    Some((zxid_at(head, 4), payload + PACKET_FRAME_BYTES))
}

/// What a packet carries: `TxnHeader | txn | digest`.
pub fn payload(packet: &[u8]) -> &[u8] {
    &packet[16..packet.len() - 4]
}

/// Appends the packet that carries `payload`.
pub fn write_packet(zxid: Zxid, payload: &[u8], out: &mut Vec<u8>) {
    let length = i32::try_from(payload.len()).expect("a txn is bounded by limits::TXN_BYTES_MAX");
    out.extend_from_slice(&PROPOSAL.to_be_bytes());
    out.extend_from_slice(&zxid.0.to_be_bytes());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(payload);
    out.extend_from_slice(&NO_AUTHINFO.to_be_bytes());
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("a range of four bytes"))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(bytes[at..at + 8].try_into().expect("a range of eight bytes"))
}

pub(super) fn zxid_at(bytes: &[u8], at: usize) -> Zxid {
    Zxid(u64_at(bytes, at) as i64)
}

fn i32_at(bytes: &[u8], at: usize) -> i32 {
    u32_at(bytes, at) as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Slab;
    use crate::zxid::Epoch;

    fn sealed() -> (Slab, ReadHeader) {
        let mut run = Vec::new();
        for counter in 7..10 {
            write_packet(Zxid::new(Epoch(1), counter), b"payload", &mut run);
        }
        let mut slab = Slab::new(2 * BLOCK);
        slab.fill(0xee);
        slab[BATCH_HEADER_BYTES..BATCH_HEADER_BYTES + run.len()].copy_from_slice(&run);
        let header = BatchHeader {
            before: 1,
            incarnation: 2,
            sequence: 3,
            first: Zxid::new(Epoch(1), 7),
            last: Zxid::new(Epoch(1), 9),
            count: 3,
            bytes: run.len() as u32,
            known_durable: 2,
        };
        let (len, crc) = seal(&mut slab, &header);
        assert_eq!(len, BLOCK);
        let read = decode(&slab).unwrap();
        assert_eq!((read.header, read.crc), (header, crc));
        (slab, read)
    }

    #[test]
    fn a_sealed_batch_reads_back() {
        let (slab, read) = sealed();
        assert!(read.body_is_whole(&slab[..BLOCK]));
        let zxids: Vec<u32> = packets(read.body(&slab)).map(|(zxid, _)| zxid.counter()).collect();
        assert_eq!(zxids, [7, 8, 9]);
        assert!(packets(read.body(&slab)).all(|(_, packet)| payload(packet) == b"payload"));
    }

    #[test]
    fn b2_no_flipped_bit_goes_unseen() {
        let (mut slab, _) = sealed();
        for at in 0..BLOCK {
            slab[at] ^= 0x10;
            let seen = decode(&slab).is_none_or(|read| !read.body_is_whole(&slab[..BLOCK]));
            assert!(seen, "byte {at}");
            slab[at] ^= 0x10;
        }
    }

    #[test]
    fn hostile_lengths_are_no_packets() {
        let mut run = Vec::new();
        write_packet(Zxid(1), b"x", &mut run);
        for length in [-1, i32::MIN, i32::MAX, 2] {
            run[12..16].copy_from_slice(&i32::to_be_bytes(length));
            assert_eq!(packet(&run), None, "{length}");
        }
    }

    #[test]
    #[should_panic(expected = "B1")]
    fn b1_a_batch_never_spans_epochs() {
        let (mut slab, read) = sealed();
        seal(&mut slab, &BatchHeader { last: Zxid::new(Epoch(2), 9), ..read.header });
    }
}
