//! One way to make batches durable, over and over.
//!
//! Invariants:
//! - DC1. A flush counts for those batches alone whose write had been answered before it was asked.
//!
//! Not here: which ways and sizes are run (the module).

use std::collections::VecDeque;
use std::sync::Arc;

use hdrhistogram::Histogram;
use ringkeeper_engine::io::clock::now_micros;
use ringkeeper_engine::io::{Completion, Handler, Io};
use ringkeeper_engine::limits::{SEGMENT_BYTES, WRITES_IN_FLIGHT};
use ringkeeper_engine::log::{DiskDone, DiskOp, OpId, Slab};

use super::device::SEGMENT;
use crate::host::{DeviceCounts, own_cpu_us};

/// How a batch becomes durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A write, then a flush, then the next write.
    Serial,
    /// One durable write (`RWF_DSYNC`) after the other.
    Durable,
    /// As many durable writes in flight as the log allows.
    DurablePipelined,
    /// Plain writes in flight, and one flush at a time behind them: the log when it is busy.
    Pipelined,
}

impl Way {
    pub(crate) const ALL: [Self; 4] =
        [Self::Serial, Self::Durable, Self::DurablePipelined, Self::Pipelined];

    pub fn describe(self) -> &'static str {
        match self {
            Self::Serial => "write, then flush",
            Self::Durable => "durable write",
            Self::DurablePipelined => "durable writes in flight",
            Self::Pipelined => "writes in flight, one flush behind",
        }
    }

    pub(crate) fn is_durable(self) -> bool {
        matches!(self, Self::Durable | Self::DurablePipelined)
    }

    pub(crate) fn writes_in_flight(self) -> usize {
        match self {
            Self::Serial | Self::Durable => 1,
            Self::DurablePipelined | Self::Pipelined => WRITES_IN_FLIGHT,
        }
    }
}

/// What one turn gave.
#[derive(Clone, Debug)]
pub struct Cycle {
    pub commits: u64,
    pub elapsed_us: u64,
    pub p50_us: u64,
    pub p99_us: u64,
    /// CPU of this process; what the kernel's own threads did for it is not in it.
    pub cpu_us: u64,
    /// Others' work on the device counts too.
    pub device: Option<DeviceCounts>,
}

/// Commits and how long each took, as they come.
pub(crate) struct Tally {
    commits: u64,
    latencies: Histogram<u64>,
    began_us: u64,
    began_cpu_us: u64,
}

impl Tally {
    pub(crate) fn begin() -> Self {
        Self {
            commits: 0,
            latencies: Histogram::new_with_bounds(1, 60_000_000, 3).expect("good bounds"),
            began_us: now_micros(),
            began_cpu_us: own_cpu_us(),
        }
    }

    /// A batch that was handed over at `since_us` is durable.
    pub(crate) fn commit(&mut self, since_us: u64) {
        self.commits += 1;
        self.latencies.saturating_record((now_micros() - since_us).max(1));
    }

    pub(crate) fn elapsed_us(&self) -> u64 {
        now_micros() - self.began_us
    }

    /// All so far; what the device did is the caller's to add.
    pub(crate) fn cycle(&self) -> Cycle {
        Cycle {
            commits: self.commits,
            elapsed_us: self.elapsed_us(),
            p50_us: self.latencies.value_at_quantile(0.5),
            p99_us: self.latencies.value_at_quantile(0.99),
            cpu_us: own_cpu_us() - self.began_cpu_us,
            device: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Writing,
    Written,
    Flushing,
}

struct Batch {
    op: OpId,
    since_us: u64,
    progress: Progress,
}

pub(super) struct Run {
    way: Way,
    bytes: usize,
    batches: VecDeque<Batch>,
    slabs: Vec<Arc<Slab>>,
    flush: Option<OpId>,
    offset: u64,
    ops: u64,
    is_ending: bool,
    tally: Tally,
    pub(super) failure: Option<i32>,
}

impl Run {
    pub(super) fn new(way: Way, bytes: usize) -> Self {
        let slabs = (0..way.writes_in_flight()).map(|_| {
            let mut slab = Slab::new(bytes);
            slab.fill(0x5a);
            Arc::new(slab)
        });
        Self {
            way,
            bytes,
            batches: VecDeque::new(),
            slabs: slabs.collect(),
            flush: None,
            offset: 0,
            ops: 0,
            is_ending: false,
            tally: Tally::begin(),
            failure: None,
        }
    }

    /// Hands over what may go.
    pub(super) fn drive(&mut self, io: &mut dyn Io) {
        if self.failure.is_some() {
            return;
        }
        self.flush_written(io);
        let waits = self.way == Way::Serial && !self.batches.is_empty();
        if self.is_ending || waits {
            return;
        }
        while let Some(slab) = self.slabs.pop() {
            self.write(slab, io);
        }
    }

    fn flush_written(&mut self, io: &mut dyn Io) {
        let has_written = self.batches.iter().any(|batch| batch.progress == Progress::Written);
        if self.flush.is_some() || !has_written {
            return;
        }
        for batch in self.batches.iter_mut().filter(|b| b.progress == Progress::Written) {
            batch.progress = Progress::Flushing;
        }
        let op = self.next_op();
        self.flush = Some(op);
        io.disk(DiskOp::Flush { op, segment: SEGMENT });
    }

    fn write(&mut self, slab: Arc<Slab>, io: &mut dyn Io) {
        let op = self.next_op();
        let len = self.bytes as u64;
        if self.offset + len > SEGMENT_BYTES {
            self.offset = 0;
        }
        let offset = self.offset;
        self.offset += len;
        self.batches.push_back(Batch { op, since_us: now_micros(), progress: Progress::Writing });
        let (segment, len, durable) = (SEGMENT, self.bytes, self.way.is_durable());
        io.disk(DiskOp::Write { op, segment, offset, slab, len, durable });
    }

    fn next_op(&mut self) -> OpId {
        self.ops += 1;
        OpId(self.ops)
    }

    fn written(&mut self, op: OpId) {
        let batch = self.batches.iter_mut().find(|batch| batch.op == op);
        let batch = batch.expect("every write is answered once");
        batch.progress = if self.way.is_durable() { Progress::Flushing } else { Progress::Written };
        if self.way.is_durable() {
            let since_us = batch.since_us;
            self.batches.retain(|batch| batch.op != op);
            self.tally.commit(since_us);
        }
    }

    fn flushed(&mut self) {
        self.flush = None;
        let flushed = |batch: &Batch| batch.progress == Progress::Flushing;
        let sinces: Vec<u64> =
            self.batches.iter().filter(|batch| flushed(batch)).map(|b| b.since_us).collect();
        self.batches.retain(|batch| !flushed(batch));
        sinces.into_iter().for_each(|since_us| self.tally.commit(since_us));
    }

    pub(super) fn elapsed_us(&self) -> u64 {
        self.tally.elapsed_us()
    }

    /// No new batch; what was measured so far.
    pub(super) fn end(&mut self) -> Cycle {
        self.is_ending = true;
        self.tally.cycle()
    }

    pub(super) fn is_busy(&self) -> bool {
        !self.batches.is_empty() || self.flush.is_some()
    }
}

impl Handler for Run {
    fn on(&mut self, completion: Completion<'_>, io: &mut dyn Io) {
        let result = match completion {
            Completion::Disk(DiskDone::Written { op, slab, result }) => {
                self.slabs.push(slab);
                self.written(op);
                result
            }
            Completion::Disk(DiskDone::Flushed { result, .. }) => {
                self.flushed();
                result
            }
            _ => Ok(()),
        };
        if let Err(errno) = result {
            self.failure = Some(errno);
        }
        self.drive(io);
    }
}
