//! Segments: the files of the log, their header block, and how one is made ready.
//!
//! The header block, big-endian; it is written together with the first batch, so a segment whose
//! first block is zero is ready and unused.
//!
//! ```text
//!  0  u32  magic "RKSG"
//!  4  u32  crc of bytes 8..4096
//!  8  u32  format version
//! 12  u32  before: `crc` of the last batch of the segment before
//! 16  u64  cluster id
//! 24  u64  segment number, as in the file's name
//! 32  u64  incarnation: random, in every batch of this life of the file
//! 40  u64  sequence of the first batch
//! 48  i64  base: the zxid before the first
//! 56  i64  first zxid
//! 64       zeros
//! ```
//!
//! Numbers ascend but may skip: that segments follow each other is proved by sequence and `before`.
//!
//! Not here: the batches (`batch`), which segment is next (`spares`).

use super::batch::{u32_at, u64_at, zxid_at};
use super::disk::{Disk, DiskError, FileName};
use crate::checksum::crc32c_of;
use crate::limits::BLOCK;
use crate::zxid::Zxid;

const MAGIC: u32 = u32::from_be_bytes(*b"RKSG");
const VERSION: u32 = 1;

/// How far apart the places are that a segment remembers.
const MARK_SPACING: u64 = 256 << 10;

/// What is written per call when a segment is filled with zeros.
const FILL_BYTES: usize = 1 << 20;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SegmentHeader {
    pub before: u32,
    pub cluster_id: u64,
    pub number: u64,
    pub incarnation: u64,
    pub first_sequence: u64,
    pub base: Zxid,
    pub first: Zxid,
}

/// What the first block of a segment says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FirstBlock {
    Zero,
    Header(SegmentHeader),
    Broken,
}

impl SegmentHeader {
    pub(super) fn encode(&self, block: &mut [u8]) {
        assert_eq!(block.len(), BLOCK, "a header is one block");
        block.fill(0);
        block[0..4].copy_from_slice(&MAGIC.to_be_bytes());
        block[8..12].copy_from_slice(&VERSION.to_be_bytes());
        block[12..16].copy_from_slice(&self.before.to_be_bytes());
        block[16..24].copy_from_slice(&self.cluster_id.to_be_bytes());
        block[24..32].copy_from_slice(&self.number.to_be_bytes());
        block[32..40].copy_from_slice(&self.incarnation.to_be_bytes());
        block[40..48].copy_from_slice(&self.first_sequence.to_be_bytes());
        block[48..56].copy_from_slice(&self.base.0.to_be_bytes());
        block[56..64].copy_from_slice(&self.first.0.to_be_bytes());
        let crc = crc32c_of(&[&block[8..]]);
        block[4..8].copy_from_slice(&crc.to_be_bytes());
    }
}

impl FirstBlock {
    pub(super) fn decode(block: &[u8]) -> Self {
        if block.iter().all(|&byte| byte == 0) {
            return Self::Zero;
        }
        if block.len() != BLOCK
            || u32_at(block, 0) != MAGIC
            || u32_at(block, 4) != crc32c_of(&[&block[8..]])
            || u32_at(block, 8) != VERSION
        {
            return Self::Broken;
        }
        Self::Header(SegmentHeader {
            before: u32_at(block, 12),
            cluster_id: u64_at(block, 16),
            number: u64_at(block, 24),
            incarnation: u64_at(block, 32),
            first_sequence: u64_at(block, 40),
            base: zxid_at(block, 48),
            first: zxid_at(block, 56),
        })
    }
}

/// A segment in use, as memory knows it.
#[derive(Debug)]
pub(super) struct Segment {
    pub header: SegmentHeader,
    pub size: u64,
    /// Where the next batch would stand.
    pub end: u64,
    /// The last zxid handed to it; `header.base` while it is empty.
    pub last: Zxid,
    /// Places and first zxids of some batches, ascending, the first batch always among them.
    marks: Vec<(u64, Zxid)>,
}

impl Segment {
    pub(super) fn new(header: SegmentHeader, size: u64) -> Self {
        let marks = Vec::with_capacity((size / MARK_SPACING + 1) as usize);
        Self { header, size, end: BLOCK as u64, last: header.base, marks }
    }

    /// One that is left, known from its header and from that of the next: where its batches end
    /// is not known, but that none is beyond `last`.
    pub(super) fn passed_over(header: SegmentHeader, size: u64, last: Zxid) -> Self {
        Self { header, size, end: size, last, marks: vec![(BLOCK as u64, header.first)] }
    }

    pub(super) fn file(&self) -> FileName {
        FileName::Segment(self.header.number)
    }

    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.end + bytes as u64 <= self.size
    }

    /// A batch now stands at `end`.
    pub(super) fn push(&mut self, first: Zxid, last: Zxid, len: usize) {
        assert!(self.has_room(len), "a batch stands within its segment");
        assert!(first > self.last, "law 4: {first:?} after {:?}", self.last);
        if self.marks.last().is_none_or(|mark| self.end - mark.0 >= MARK_SPACING) {
            self.marks.push((self.end, first));
        }
        self.end += len as u64;
        self.last = last;
    }

    /// The batches from `offset` on are gone; `last` is the zxid before them.
    pub(super) fn cut(&mut self, offset: u64, last: Zxid) {
        assert!(offset <= self.end && last <= self.last, "a cut takes away");
        self.end = offset;
        self.last = last;
        self.marks.retain(|mark| mark.0 < offset);
    }

    /// A place at or before the batch that holds the first zxid above `after`.
    pub(super) fn place_before(&self, after: Zxid) -> u64 {
        let above = self.marks.partition_point(|mark| mark.1 <= after);
        above.checked_sub(1).map_or(BLOCK as u64, |at| self.marks[at].0)
    }
}

/// What `DiskOp::Prepare` asks for, in blocking verbs: see `disk`. Backends that have nothing
/// better may call it from their background thread.
pub fn prepare_segment(
    disk: &mut dyn Disk,
    segment: u64,
    bytes: u64,
    recycle: Option<u64>,
) -> Result<(), DiskError> {
    let aside = FileName::Spare(segment);
    match recycle {
        Some(old) => {
            disk.rename(FileName::Segment(old), aside)?;
            // Only when the old name is gone for good may its content go: a used segment under
            // its own name and without its header is damage, but for the snapshot it is behind.
            disk.sync_dir()?;
            disk.write(aside, 0, &[0; BLOCK])?;
        }
        None => {
            let zeros = vec![0; FILL_BYTES.min(bytes as usize)];
            let mut at = 0;
            while at < bytes {
                let len = zeros.len().min((bytes - at) as usize);
                disk.write(aside, at, &zeros[..len])?;
                at += len as u64;
            }
        }
    }
    disk.sync(aside)?;
    disk.rename(aside, FileName::Segment(segment))?;
    disk.sync_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: SegmentHeader = SegmentHeader {
        before: 1,
        cluster_id: 2,
        number: 3,
        incarnation: 4,
        first_sequence: 5,
        base: Zxid(6),
        first: Zxid(7),
    };

    #[test]
    fn a_header_reads_back_and_no_flipped_bit_goes_unseen() {
        let mut block = vec![0; BLOCK];
        assert_eq!(FirstBlock::decode(&block), FirstBlock::Zero);
        HEADER.encode(&mut block);
        assert_eq!(FirstBlock::decode(&block), FirstBlock::Header(HEADER));
        for at in 0..BLOCK {
            block[at] ^= 1;
            assert_eq!(FirstBlock::decode(&block), FirstBlock::Broken, "byte {at}");
            block[at] ^= 1;
        }
    }

    #[test]
    fn a_place_is_never_behind_what_is_sought() {
        let mut segment = Segment::new(HEADER, 64 << 20);
        for batch in 0..100 {
            segment.push(Zxid(7 + batch), Zxid(7 + batch), 100 << 10);
        }
        for batch in 0..100_u64 {
            let after = Zxid(6 + batch as i64);
            let stands_at = BLOCK as u64 + batch * (100 << 10);
            let place = segment.place_before(after);
            assert!(place <= stands_at && stands_at - place < 2 * MARK_SPACING);
        }
        segment.cut(BLOCK as u64 + (50 << 10) * 2, Zxid(7));
        assert_eq!(segment.place_before(Zxid(1000)), BLOCK as u64);
    }
}
