//! Segments not in use: ready, under preparation, purged.
//!
//! Preparing 64 MiB takes longer than any commit may wait, so it is asked for ahead and done in the
//! background; a purged segment is used again before a new one is made, because its extents are
//! already written.
//!
//! Not here: the blocking form of preparation (`segment`), which segments may be purged (`purge`).

use std::collections::{BTreeMap, VecDeque};

use super::LogOptions;
use super::disk::DiskOp;

#[derive(Debug)]
pub(super) struct Spares {
    wanted: usize,
    recycled_max: usize,
    segment_bytes: u64,
    /// Number to size.
    ready: BTreeMap<u64, u64>,
    preparing: Vec<u64>,
    recyclable: VecDeque<u64>,
    next_number: u64,
    /// The last preparation failed; the next is not asked for before it is needed.
    is_stuck: bool,
}

impl Spares {
    pub(super) fn new(options: &LogOptions) -> Self {
        assert!(options.spares > 0, "without a spare there is no first segment");
        Self {
            wanted: options.spares,
            recycled_max: options.recycled,
            segment_bytes: options.segment_bytes,
            ready: BTreeMap::new(),
            preparing: Vec::new(),
            recyclable: VecDeque::new(),
            next_number: 1,
            is_stuck: false,
        }
    }

    /// A number that no segment has had.
    pub(super) fn name(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number - 1
    }

    /// `number` is taken by a file on disk.
    pub(super) fn saw(&mut self, number: u64) {
        self.next_number = self.next_number.max(number + 1);
    }

    /// Asks for what is missing.
    pub(super) fn ask(&mut self, out: &mut Vec<DiskOp>) {
        while !self.is_stuck && self.ready.len() + self.preparing.len() < self.wanted {
            let segment = self.name();
            self.preparing.push(segment);
            let recycle = self.recyclable.pop_front();
            out.push(DiskOp::Prepare { segment, bytes: self.segment_bytes, recycle });
        }
    }

    /// The first ready segment numbered above all in use, so that numbers ascend along the log.
    pub(super) fn take(&mut self, above: u64) -> Option<(u64, u64)> {
        loop {
            let (number, size) = self.ready.pop_first()?;
            self.is_stuck = false;
            if number > above {
                return Some((number, size));
            }
            self.recyclable.push_back(number);
        }
    }

    /// Gives up all that is ready or could be recycled: the files are the caller's to remove.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = u64> {
        std::mem::take(&mut self.ready).into_keys().chain(self.recyclable.drain(..))
    }

    /// A roll waits and nothing is ready: try again even if the last preparation failed.
    pub(super) fn hurry(&mut self, out: &mut Vec<DiskOp>) {
        if self.ready.is_empty() && self.preparing.is_empty() {
            self.is_stuck = false;
            self.ask(out);
        }
    }

    pub(super) fn prepared(&mut self, number: u64, is_ready: bool) {
        let at = self.preparing.iter().position(|&preparing| preparing == number);
        self.preparing.swap_remove(at.expect("law 2: a completion answers a preparation"));
        if is_ready {
            self.ready.insert(number, self.segment_bytes);
        } else {
            self.is_stuck = true;
        }
    }

    /// Recovery found a segment that is ready.
    pub(super) fn found(&mut self, number: u64, size: u64) {
        self.ready.insert(number, size);
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// A purged segment: kept for recycling if there is use for it, else its file goes. The oldest
    /// goes first, so that after a crash those that are left still connect to the log.
    ///
    /// Perf: on a filesystem that discards what is freed, commits wait while large files go; and who
    /// takes no segment over writes 64 MiB of zeros beside its commits (`perf/notebook.md`).
    pub(super) fn purged(&mut self, segment: u64, size: u64, out: &mut Vec<DiskOp>) {
        if size != self.segment_bytes {
            return out.push(DiskOp::Remove { segment });
        }
        self.recyclable.push_back(segment);
        if self.recyclable.len() > self.recycled_max {
            let oldest = self.recyclable.pop_front();
            out.extend(oldest.map(|segment| DiskOp::Remove { segment }));
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        let others = (self.preparing.len() + self.recyclable.len()) as u64;
        self.ready.values().sum::<u64>() + others * self.segment_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ServerId;

    fn spares(wanted: usize) -> Spares {
        let options = LogOptions::new(ServerId(1), 0);
        Spares::new(&LogOptions { spares: wanted, recycled: 3, segment_bytes: 1 << 20, ..options })
    }

    fn asked(spares: &mut Spares) -> Vec<(u64, Option<u64>)> {
        let mut out = Vec::new();
        spares.ask(&mut out);
        out.iter()
            .map(|op| match op {
                DiskOp::Prepare { segment, recycle, .. } => (*segment, *recycle),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn a_purged_segment_is_used_again_before_a_new_one_is_made() {
        let mut spares = spares(2);
        assert_eq!(asked(&mut spares), [(1, None), (2, None)]);
        spares.prepared(2, true);
        spares.prepared(1, true);
        assert_eq!(spares.take(0), Some((1, 1 << 20)));
        let mut out = Vec::new();
        spares.purged(7, 1 << 20, &mut out);
        spares.purged(8, 2 << 20, &mut out);
        assert!(matches!(out[..], [DiskOp::Remove { segment: 8 }]), "another size is no use");
        assert_eq!(asked(&mut spares), [(3, Some(7))]);
    }

    #[test]
    fn the_newest_purged_segments_are_kept_and_the_oldest_of_them_is_used_first() {
        let mut spares = spares(2);
        spares.saw(9);
        let mut out = Vec::new();
        (1..=5).for_each(|purged| spares.purged(purged, 1 << 20, &mut out));
        let gone = [DiskOp::Remove { segment: 1 }, DiskOp::Remove { segment: 2 }];
        assert_eq!(format!("{out:?}"), format!("{gone:?}"));
        assert_eq!(spares.bytes(), 3 << 20);
        assert_eq!(asked(&mut spares), [(10, Some(3)), (11, Some(4))]);
    }

    #[test]
    fn a_ready_segment_numbered_too_low_is_recycled() {
        let mut spares = spares(2);
        spares.found(3, 1 << 20);
        spares.found(9, 1 << 20);
        spares.saw(9);
        assert_eq!(spares.take(5), Some((9, 1 << 20)));
        assert_eq!(asked(&mut spares), [(10, Some(3)), (11, None)]);
    }

    #[test]
    fn a_failed_preparation_is_not_tried_again_before_it_is_needed() {
        let mut spares = spares(1);
        assert_eq!(asked(&mut spares).len(), 1);
        spares.prepared(1, false);
        assert_eq!(asked(&mut spares).len(), 0);
        let mut out = Vec::new();
        spares.hurry(&mut out);
        assert_eq!(out.len(), 1);
    }
}
