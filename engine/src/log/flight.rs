//! What is on its way to the disk, and how far it is durable without a gap.
//!
//! Invariants:
//! - F1. Batches become durable in the order they were sealed, whatever order the disk answers in.
//! - F2. A batch is durable once its own durable write was answered, or a flush that was handed
//!   over after its plain write was answered. Nothing else proves it.
//! - F3. At most one flush is on its way.
//!
//! Not here: what goes when (`group_commit`).

use std::collections::VecDeque;

use super::LogFailure;
use super::disk::{DiskError, DiskOp, DiskVerb, FileName, OpId};
use crate::zxid::Zxid;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Progress {
    Writing { durable: bool },
    Written,
    Flushing,
    Durable,
}

#[derive(Debug)]
struct Entry {
    op: OpId,
    offset: u64,
    progress: Progress,
    reaches: Reach,
}

/// How far the log reaches with a batch: its last zxid, its sequence, and where it ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Reach {
    pub zxid: Zxid,
    pub sequence: u64,
    pub segment: u64,
    pub end: u64,
}

#[derive(Debug, Default)]
pub(super) struct Flight {
    entries: VecDeque<Entry>,
    writing: usize,
    flush: Option<(OpId, u64)>,
    last_op: u64,
}

impl Flight {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.flush.is_none()
    }

    /// Writes handed over and not answered.
    pub(super) fn writing(&self) -> usize {
        self.writing
    }

    fn name(&mut self) -> OpId {
        self.last_op += 1;
        OpId(self.last_op)
    }

    /// A write is handed over; when it is durable the log reaches that far.
    pub(super) fn depart(&mut self, offset: u64, reaches: Reach, durable: bool) -> OpId {
        let op = self.name();
        self.writing += 1;
        let progress = Progress::Writing { durable };
        self.entries.push_back(Entry { op, offset, progress, reaches });
        op
    }

    /// A flush, if the oldest batch waits for one (F3).
    pub(super) fn flush(&mut self) -> Option<DiskOp> {
        let front = self.entries.front()?;
        if self.flush.is_some() || front.progress != Progress::Written {
            return None;
        }
        let segment = front.reaches.segment;
        for entry in &mut self.entries {
            if entry.progress == Progress::Written {
                assert_eq!(entry.reaches.segment, segment, "a roll waits for what is in flight");
                entry.progress = Progress::Flushing;
            }
        }
        let op = self.name();
        self.flush = Some((op, segment));
        Some(DiskOp::Flush { op, segment })
    }

    /// The write `op` was answered. True if it began its segment: it carried the header block.
    pub(super) fn written(
        &mut self,
        op: OpId,
        result: Result<(), i32>,
    ) -> Result<bool, LogFailure> {
        let at = self.entries.binary_search_by_key(&op, |entry| entry.op);
        let at = at.expect("law 2: a completion answers a write in flight");
        let entry = &mut self.entries[at];
        let Progress::Writing { durable } = entry.progress else {
            panic!("law 2: {op:?} was answered twice");
        };
        let file = Some(FileName::Segment(entry.reaches.segment));
        result.map_err(|errno| {
            let offset = entry.offset;
            LogFailure::Disk(DiskError { file, verb: DiskVerb::Write, offset, errno })
        })?;
        entry.progress = if durable { Progress::Durable } else { Progress::Written };
        self.writing -= 1;
        Ok(entry.offset == 0)
    }

    /// The flush `op` was answered.
    pub(super) fn flushed(&mut self, op: OpId, result: Result<(), i32>) -> Result<(), LogFailure> {
        let flush = self.flush.take().expect("law 2: a completion answers the flush in flight");
        assert_eq!(flush.0, op, "law 2: a completion answers the flush in flight");
        result.map_err(|errno| {
            let file = Some(FileName::Segment(flush.1));
            LogFailure::Disk(DiskError { file, verb: DiskVerb::Sync, offset: 0, errno })
        })?;
        for entry in &mut self.entries {
            if entry.progress == Progress::Flushing {
                entry.progress = Progress::Durable;
            }
        }
        Ok(())
    }

    /// Takes the durable prefix away and says how far it reaches (F1).
    pub(super) fn arrive(&mut self) -> Option<Reach> {
        let mut reached = None;
        while let Some(entry) =
            self.entries.pop_front_if(|entry| entry.progress == Progress::Durable)
        {
            reached = Some(entry.reaches);
        }
        reached
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(sequence: u64) -> Reach {
        Reach { zxid: Zxid(sequence as i64), sequence, segment: 1, end: 0 }
    }

    fn depart(flight: &mut Flight, sequence: u64, durable: bool) -> OpId {
        flight.depart(4096, reach(sequence), durable)
    }

    fn flush(flight: &mut Flight) -> Option<OpId> {
        flight.flush().map(|op| match op {
            DiskOp::Flush { op, .. } => op,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn f1_a_gap_holds_back_what_lies_behind_it() {
        let mut flight = Flight::default();
        let first = depart(&mut flight, 1, true);
        let second = depart(&mut flight, 2, true);
        flight.written(second, Ok(())).unwrap();
        assert_eq!(flight.arrive(), None);
        flight.written(first, Ok(())).unwrap();
        assert_eq!(flight.arrive(), Some(reach(2)));
        assert!(flight.is_empty());
    }

    #[test]
    fn f2_a_flush_proves_only_what_was_answered_before_it() {
        let mut flight = Flight::default();
        let first = depart(&mut flight, 1, false);
        let second = depart(&mut flight, 2, false);
        assert_eq!(flush(&mut flight), None, "nothing was answered");
        flight.written(first, Ok(())).unwrap();
        let ticket = flush(&mut flight).unwrap();
        flight.written(second, Ok(())).unwrap();
        assert_eq!(flush(&mut flight), None, "F3");
        flight.flushed(ticket, Ok(())).unwrap();
        assert_eq!(flight.arrive(), Some(reach(1)));
        let ticket = flush(&mut flight).unwrap();
        flight.flushed(ticket, Ok(())).unwrap();
        assert_eq!(flight.arrive(), Some(reach(2)));
    }

    #[test]
    fn a_failure_names_file_and_place() {
        let mut flight = Flight::default();
        let op = depart(&mut flight, 1, true);
        let failure = flight.written(op, Err(5)).unwrap_err();
        assert!(failure.to_string().contains("seg: write at offset 4096"), "{failure}");
    }

    #[test]
    #[should_panic(expected = "law 2")]
    fn law_2_an_unknown_completion_is_our_bug() {
        let _ = Flight::default().written(OpId(7), Ok(()));
    }
}
