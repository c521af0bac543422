//! The engine's own log on the same disk: group commit as it is, with nothing above it.
//!
//! Batches are as large as the device's, and filled with txns of a kilobyte, so that a commit here is
//! a commit there, and gathering costs what it costs. Old segments are given back at once, so that the
//! log recycles them, as it does in the long run, and what is durable is forgotten as a server forgets
//! it, so that memory is used again.
//!
//! Invariants:
//! - DL1. A batch counts when the log has reported it durable, and not before.
//!
//! Not here: what the log does (`ringkeeper_engine::log`).

use std::collections::VecDeque;
use std::path::Path;

use ringkeeper_engine::ids::ServerId;
use ringkeeper_engine::io::clock::now_micros;
use ringkeeper_engine::io::entropy::random_u64;
use ringkeeper_engine::io::files::FileDisk;
use ringkeeper_engine::io::memory;
use ringkeeper_engine::io::{Backend, Completion, Handler, Io, Reactor};
use ringkeeper_engine::limits::{LENT_SLAB_BYTES, PROPOSALS_BYTES_KEPT, WRITES_IN_FLIGHT};
use ringkeeper_engine::log::{DiskDone, DiskOp, Log, LogOptions, PACKET_FRAME_BYTES, write_packet};
use ringkeeper_engine::zxid::{Epoch, Zxid};

use super::DiskBenchError;
use super::cycle::{Cycle, Tally};
use super::device::{Device, TURN};

/// In front of a batch's packets (`engine/src/log/batch.rs`).
const BATCH_HEADER_BYTES: usize = 64;

/// Where a packet says its zxid (the same).
const PACKET_ZXID: std::ops::Range<usize> = 4..12;

/// What is left of a batch of whole blocks is less than a block, and less than one more.
const PACKET_BYTES: usize = 1008;

/// How the log is fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// The next batch when the one before is durable.
    Lone,
    /// There is always a batch more than the disk takes.
    Busy,
}

/// A log on a folder of its own, with segments ready.
pub(super) struct LogBench {
    device: Device,
    reactor: Box<dyn Reactor>,
    feeding: Feeding,
}

/// What is handled while the reactor turns.
struct Feeding {
    log: Log,
    /// The txn that is appended over and over; only its zxid changes.
    packet: Vec<u8>,
    packets_a_batch: usize,
    next: Zxid,
    /// The last zxid of each batch that is not durable, and when it was complete.
    waiting: VecDeque<(Zxid, u64)>,
    tally: Tally,
    ops: Vec<DiskOp>,
    prepared: usize,
    failure: Option<DiskBenchError>,
}

impl LogBench {
    /// A log whose batches take `bytes` on the disk.
    pub(super) fn open(
        data: &Path,
        backend: Backend,
        bytes: usize,
    ) -> Result<Self, DiskBenchError> {
        let device = Device::open(data, &format!("log-{bytes}"))?;
        let reactor = device.reactor(backend)?;
        let mut disk = FileDisk::new(device.directory().clone());
        let mut options = LogOptions::new(ServerId(1), 1);
        options.batch_bytes_max = bytes;
        let mut log = Log::open(&mut disk, options, random_u64())?.log;
        let next = Zxid::new(Epoch(1), 1);
        log.lend(memory::for_slabs(LENT_SLAB_BYTES));
        // Everything counts as covered by a snapshot, so that segments may be recycled.
        log.store_snapshot(&mut disk, Zxid::new(Epoch(1), u32::MAX))?;
        let payload = vec![0x5a; PACKET_BYTES - PACKET_FRAME_BYTES];
        let mut packet = Vec::new();
        write_packet(next, &payload, &mut packet);
        let feeding = Feeding {
            log,
            packet,
            packets_a_batch: (bytes - BATCH_HEADER_BYTES) / PACKET_BYTES,
            next,
            waiting: VecDeque::new(),
            tally: Tally::begin(),
            ops: Vec::new(),
            prepared: 0,
            failure: None,
        };
        let mut bench = Self { device, reactor, feeding };
        bench.warm(options.spares)?;
        Ok(bench)
    }

    /// One batch, and as many segments ready behind its own as the log keeps.
    fn warm(&mut self, spares: usize) -> Result<(), DiskBenchError> {
        self.feeding.append_batch();
        while self.feeding.prepared <= spares || !self.feeding.log.is_quiet() {
            self.turn()?;
        }
        self.feeding.waiting.clear();
        Ok(())
    }

    pub(super) fn measure(&mut self, feed: Feed, window_us: u64) -> Result<Cycle, DiskBenchError> {
        let before = self.device.counts();
        self.feeding.tally = Tally::begin();
        while self.feeding.tally.elapsed_us() < window_us {
            self.feeding.feed(feed);
            self.turn()?;
        }
        let mut cycle = self.feeding.tally.cycle();
        let after = self.device.counts();
        cycle.device = after.zip(before).map(|(after, before)| after.since(before));
        while !self.feeding.log.is_quiet() {
            self.turn()?;
        }
        self.feeding.waiting.clear();
        Ok(cycle)
    }

    fn turn(&mut self) -> Result<(), DiskBenchError> {
        self.feeding.hand_over(self.reactor.io());
        self.reactor.turn(Some(TURN), &mut self.feeding)?;
        self.feeding.failure.take().map_or(Ok(()), Err)
    }
}

impl Feeding {
    fn feed(&mut self, feed: Feed) {
        match feed {
            Feed::Lone => {
                if self.waiting.is_empty() {
                    self.append_batch();
                }
            }
            Feed::Busy => {
                let enough = WRITES_IN_FLIGHT * self.packets_a_batch * PACKET_BYTES;
                while self.log.gathered_bytes() < enough {
                    self.append_batch();
                }
            }
        }
    }

    fn append_batch(&mut self) {
        let mut last = self.next;
        for _ in 0..self.packets_a_batch {
            last = self.next;
            self.packet[PACKET_ZXID].copy_from_slice(&last.0.to_be_bytes());
            self.log.append(last, &self.packet);
            self.next = last.next().expect("no run makes four thousand million txns");
        }
        self.waiting.push_back((last, now_micros()));
    }

    /// What the log wants of the disk, as a server asks for it at the end of a turn.
    fn hand_over(&mut self, io: &mut dyn Io) {
        self.log.purge(self.log.durable(), &mut self.ops);
        self.log.forget(self.log.durable(), PROPOSALS_BYTES_KEPT);
        self.log.drain(&mut self.ops);
        self.ops.drain(..).for_each(|op| io.disk(op));
    }
}

impl Handler for Feeding {
    fn on(&mut self, completion: Completion<'_>, _: &mut dyn Io) {
        let Completion::Disk(done) = completion else { return };
        self.prepared += usize::from(matches!(done, DiskDone::Prepared { .. }));
        match self.log.on_done(done) {
            Ok(Some(durable)) => {
                let upto = durable.zxid();
                while let Some((_, since_us)) = self.waiting.pop_front_if(|(z, _)| *z <= upto) {
                    self.tally.commit(since_us);
                }
            }
            Ok(None) => {}
            Err(failure) => self.failure = Some(failure.into()),
        }
    }
}
