//! Proposals on the disk, by the log's own policy and without the log.
//!
//! Greedy: whatever has gathered goes when the disk may take it. Alone a batch goes as one durable
//! write; behind others as a plain write, several at once, and one flush at a time makes durable
//! what was answered before it. A small batch waits for the write under way. A batch has the room
//! of the log's header in front and ends on a block's border; nothing is summed, chained or kept,
//! and the one segment is written over and over.
//!
//! Invariants:
//! - BJ1. Proposals become durable in the order they came, whatever order the disk answers in.
//! - BJ2. A flush counts for those batches alone whose write had been answered before it was asked.
//!
//! Not here: what the log adds to this (`ringkeeper_engine::log`).

use std::collections::VecDeque;
use std::sync::Arc;

use ringkeeper_engine::limits::{
    BATCH_BYTES_MAX, BLOCK, SEGMENT_BYTES, SMALL_BATCH_BYTES, WRITES_IN_FLIGHT,
};
use ringkeeper_engine::log::{DiskDone, DiskOp, OpId, Slab};

use crate::disk::SEGMENT;

/// In front of a batch's packets (`engine/src/log/batch.rs`).
const BATCH_HEADER_BYTES: usize = 64;

/// A batch that waits; more may join the last.
struct Gathered {
    slab: Arc<Slab>,
    /// Header included.
    bytes: usize,
    last: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Writing { durable: bool },
    Written,
    Flushing,
    Durable,
}

/// A batch on its way.
struct Batch {
    op: OpId,
    last: u64,
    progress: Progress,
}

pub(super) struct Journal {
    proposal_bytes: usize,
    gathered: VecDeque<Gathered>,
    free: Vec<Arc<Slab>>,
    batches: VecDeque<Batch>,
    writing: usize,
    flush: Option<OpId>,
    last_op: u64,
    offset: u64,
    appended: u64,
    durable: u64,
}

impl Journal {
    /// A proposal fits into a batch.
    pub(super) fn new(proposal_bytes: usize) -> Self {
        assert!(BATCH_HEADER_BYTES + proposal_bytes <= BATCH_BYTES_MAX, "`BareOptions` bounds it");
        Self {
            proposal_bytes,
            gathered: VecDeque::new(),
            free: Vec::new(),
            batches: VecDeque::new(),
            writing: 0,
            flush: None,
            last_op: 0,
            offset: 0,
            appended: 0,
            durable: 0,
        }
    }

    /// The number of the last proposal that came.
    pub(super) fn appended(&self) -> u64 {
        self.appended
    }

    /// The number of the last one that is on the disk, with all before it.
    pub(super) fn durable(&self) -> u64 {
        self.durable
    }

    /// Takes the next proposals, each whole.
    pub(super) fn append(&mut self, mut run: &[u8]) {
        while !run.is_empty() {
            let is_full = |batch: &Gathered| batch.slab.len() - batch.bytes < self.proposal_bytes;
            if self.gathered.back().is_none_or(is_full) {
                let slab = self.free.pop().unwrap_or_else(|| Arc::new(Slab::new(BATCH_BYTES_MAX)));
                let (bytes, last) = (BATCH_HEADER_BYTES, self.appended);
                self.gathered.push_back(Gathered { slab, bytes, last });
            }
            let batch = self.gathered.back_mut().expect("one with room is there");
            let room = (batch.slab.len() - batch.bytes) / self.proposal_bytes;
            let count = room.min(run.len() / self.proposal_bytes);
            let (taken, rest) = run.split_at(count * self.proposal_bytes);
            let slab = Arc::get_mut(&mut batch.slab).expect("the disk has given it back");
            slab[batch.bytes..batch.bytes + taken.len()].copy_from_slice(taken);
            batch.bytes += taken.len();
            self.appended += count as u64;
            batch.last = self.appended;
            run = rest;
        }
    }

    /// What may go to the disk; to be asked at the end of every turn.
    pub(super) fn drain(&mut self, out: &mut Vec<DiskOp>) {
        while self.writing < WRITES_IN_FLIGHT {
            let Some(batch) = self.gathered.front() else { break };
            let len = batch.bytes.next_multiple_of(BLOCK);
            let is_last = self.gathered.len() == 1;
            if is_last && len < SMALL_BATCH_BYTES && self.writing > 0 {
                break;
            }
            let durable = is_last && self.batches.is_empty() && self.flush.is_none();
            self.write(len, durable, out);
        }
        self.flush_written(out);
    }

    fn write(&mut self, len: usize, durable: bool, out: &mut Vec<DiskOp>) {
        let Gathered { slab, last, .. } = self.gathered.pop_front().expect("a batch waits");
        if self.offset + len as u64 > SEGMENT_BYTES {
            self.offset = 0;
        }
        let (op, offset, segment) = (self.next_op(), self.offset, SEGMENT);
        self.offset += len as u64;
        self.writing += 1;
        self.batches.push_back(Batch { op, last, progress: Progress::Writing { durable } });
        out.push(DiskOp::Write { op, segment, offset, slab, len, durable });
    }

    /// A flush, if the oldest batch waits for one (BJ2).
    fn flush_written(&mut self, out: &mut Vec<DiskOp>) {
        let is_due = |batch: &Batch| batch.progress == Progress::Written;
        if self.flush.is_some() || !self.batches.front().is_some_and(is_due) {
            return;
        }
        for batch in self.batches.iter_mut().filter(|batch| is_due(batch)) {
            batch.progress = Progress::Flushing;
        }
        let op = self.next_op();
        self.flush = Some(op);
        out.push(DiskOp::Flush { op, segment: SEGMENT });
    }

    fn next_op(&mut self) -> OpId {
        self.last_op += 1;
        OpId(self.last_op)
    }

    /// The disk answered; an error is its number.
    pub(super) fn on_done(&mut self, done: DiskDone) -> Result<(), i32> {
        match done {
            DiskDone::Written { op, slab, result } => {
                result?;
                self.free.push(slab);
                self.written(op);
            }
            DiskDone::Flushed { result, .. } => {
                result?;
                self.flush = None;
                let flushing = |batch: &&mut Batch| batch.progress == Progress::Flushing;
                let flushed = self.batches.iter_mut().filter(flushing);
                flushed.for_each(|batch| batch.progress = Progress::Durable);
            }
            _ => {}
        }
        let is_durable = |batch: &mut Batch| batch.progress == Progress::Durable;
        while let Some(batch) = self.batches.pop_front_if(is_durable) {
            self.durable = batch.last;
        }
        Ok(())
    }

    fn written(&mut self, op: OpId) {
        let batch = self.batches.iter_mut().find(|batch| batch.op == op);
        let batch = batch.expect("every write is answered once");
        let durable = batch.progress == Progress::Writing { durable: true };
        batch.progress = if durable { Progress::Durable } else { Progress::Written };
        self.writing -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROPOSAL_BYTES: usize = 40_000;

    fn journal_with(count: usize) -> Journal {
        let mut journal = Journal::new(PROPOSAL_BYTES);
        journal.append(&vec![1; count * PROPOSAL_BYTES]);
        journal
    }

    /// What the disk is asked: length of a write and whether it is durable, or 0 of a flush.
    fn asked(journal: &mut Journal) -> Vec<(DiskOp, usize, bool)> {
        let mut ops = Vec::new();
        journal.drain(&mut ops);
        let told = |op| match op {
            DiskOp::Write { len, durable, .. } => (op, len, durable),
            op => (op, 0, false),
        };
        ops.into_iter().map(told).collect()
    }

    fn answer(journal: &mut Journal, op: DiskOp) {
        let result = Ok(());
        let done = match op {
            DiskOp::Write { op, slab, .. } => DiskDone::Written { op, slab, result },
            DiskOp::Flush { op, .. } => DiskDone::Flushed { op, result },
            op => panic!("{op:?}"),
        };
        journal.on_done(done).unwrap();
    }

    #[test]
    fn a_batch_alone_is_one_durable_write_and_the_next_small_one_waits_for_it() {
        let mut journal = journal_with(2);
        let mut first = asked(&mut journal);
        assert_eq!((first.len(), first[0].1, first[0].2), (1, 81_920, true));
        journal.append(&[2; PROPOSAL_BYTES]);
        assert!(asked(&mut journal).is_empty(), "small, and a write is under way");
        assert_eq!(journal.durable(), 0);
        answer(&mut journal, first.remove(0).0);
        assert_eq!((journal.durable(), journal.appended()), (2, 3));
        assert!(asked(&mut journal)[0].2);
    }

    #[test]
    fn bj1_bj2_behind_others_plain_writes_share_the_flushes_behind_them() {
        // 26 of them fill a batch.
        let mut journal = journal_with(2 * 26 + 4);
        let mut writes = asked(&mut journal);
        assert_eq!(writes.len(), 3, "two full ones, and a last one that is not small");
        assert!(writes.iter().all(|(_, _, durable)| !durable));
        answer(&mut journal, writes.remove(1).0);
        assert!(asked(&mut journal).is_empty(), "the oldest is not written");
        answer(&mut journal, writes.remove(0).0);
        let mut flush = asked(&mut journal);
        assert_eq!((flush.len(), flush[0].1), (1, 0));
        answer(&mut journal, writes.remove(0).0);
        assert!(asked(&mut journal).is_empty(), "one flush at a time");
        answer(&mut journal, flush.remove(0).0);
        assert_eq!(journal.durable(), 52, "the third was written after the flush was asked");
        let flush = asked(&mut journal).remove(0).0;
        answer(&mut journal, flush);
        assert_eq!(journal.durable(), 56);
    }

    #[test]
    fn the_segment_is_written_over_from_its_start_and_slabs_are_used_again() {
        let mut journal = Journal::new(PROPOSAL_BYTES);
        for _ in 0..100 {
            journal.append(&vec![1; 26 * PROPOSAL_BYTES]);
            let (op, len, _) = asked(&mut journal).remove(0);
            let DiskOp::Write { offset, .. } = &op else { panic!("{op:?}") };
            assert!(offset + len as u64 <= SEGMENT_BYTES);
            answer(&mut journal, op);
        }
        assert_eq!((journal.durable(), journal.free.len()), (2600, 1));
    }
}
