//! What a start need not read: segments behind the newest snapshot, and how it is known that nothing
//! is missing between their headers.
//!
//! Not here: what is read (`recover`), reading such a segment for a learner (`cursor`).

use super::Log;
use super::disk::{Disk, DiskError, FileName};
use super::history::Run;
use super::segment::{Segment, SegmentHeader};
use super::superblock::SuperblockFile;
use super::window::Window;
use crate::limits::BLOCK;
use crate::zxid::Zxid;

/// What a start will most likely begin from, for whoever wants to read it meanwhile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Beginning {
    /// `None`: the log has everything.
    pub snapshot: Option<Zxid>,
}

/// `None` where `Log::open` has something to found or to finish first, which may change it, or where
/// nothing would be a whole tree.
pub fn beginning(disk: &mut dyn Disk) -> Option<Beginning> {
    let is_there = disk.list().ok()?.iter().any(|file| file.0 == FileName::Superblock);
    let loaded = if is_there { SuperblockFile::load(disk).ok()? } else { None };
    let record = *loaded?.record();
    let is_whole = record.snapshot.is_some() || record.base == Zxid::ZERO;
    let is_plain = record.truncation.is_none() && is_whole;
    is_plain.then_some(Beginning { snapshot: record.snapshot })
}

impl Log {
    /// Whether a segment need not be read: it was left for `next` (E2: then all of it was durable)
    /// and everything in it is behind the newest snapshot. No start needs it, and what a learner is
    /// sent of it is checked then.
    pub(super) fn may_pass_over(&self, header: &SegmentHeader, next: &SegmentHeader) -> bool {
        let (first, last) = (header.first, next.base);
        let follows = if self.history.is_empty() {
            header.base == self.history.base() && first > header.base
        } else {
            header.first_sequence == self.next_sequence
                && header.before == self.chain
                && first.follows(self.history.last())
        };
        // A purge may be cut with any of its segments gone; between two numbers there was none.
        let is_next = next.number == header.number + 1;
        // Within an epoch no zxid is left out (law 4); where epochs change, only the batches know.
        let is_run = first.epoch() == last.epoch() && first <= last;
        let is_behind = self.superblock().snapshot.is_some_and(|snapshot| last <= snapshot);
        self.options.passes_over && follows && is_next && is_run && is_behind
    }

    pub(super) fn pass_over(&mut self, header: SegmentHeader, size: u64, next: &SegmentHeader) {
        let (first, last) = (header.first, next.base);
        self.history.push_run(Run { first, last });
        self.segments.push_back(Segment::passed_over(header, size, last));
        (self.chain, self.next_sequence) = (next.before, next.first_sequence);
    }
}

/// Whether a segment's first batch is there: without it the roll to it was cut, and the segment
/// before is the one where the log goes on.
pub(super) fn begins_whole(
    disk: &mut dyn Disk,
    window: &mut Window,
    header: &SegmentHeader,
    size: u64,
) -> Result<bool, DiskError> {
    let (file, at) = (FileName::Segment(header.number), BLOCK as u64);
    let Some(read) = window.header(disk, file, at, size, header.incarnation)? else {
        return Ok(false);
    };
    let is_first = read.header.sequence == header.first_sequence;
    Ok(is_first && window.body(disk, file, at, size, &read)?.is_some())
}
