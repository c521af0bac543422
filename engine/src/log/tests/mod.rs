//! The log as a whole, on the memory disk.

mod crash;
mod cuts;
mod damage;
mod steady;

use super::batch::write_packet;
use super::dice::Dice;
use super::*;

pub(super) const SEGMENT: u64 = 64 << 10;

pub(super) fn options() -> LogOptions {
    LogOptions {
        segment_bytes: SEGMENT,
        batch_bytes_max: 16 << 10,
        writes_in_flight: 3,
        small_batch_bytes: 0,
        recycled: 2,
        passes_over: true,
        ..LogOptions::new(ServerId(1), 7)
    }
}

pub(super) fn at(epoch: i64, counter: u32) -> Zxid {
    Zxid::new(Epoch(epoch), counter)
}

/// A packet whose content follows from its zxid and a salt, so that a wrong one shows.
pub(super) fn packet_of(zxid: Zxid, len: usize, salt: u64) -> Vec<u8> {
    let mut dice = Dice(zxid.0 as u64 ^ salt);
    let payload: Vec<u8> = (0..len).map(|_| dice.next() as u8).collect();
    let mut packet = Vec::new();
    write_packet(zxid, &payload, &mut packet);
    packet
}

/// A log, its disk, and what it should hold.
pub(super) struct Bench {
    pub(super) disk: MemoryDisk,
    pub(super) log: Log,
    pub(super) report: RecoveryReport,
    pub(super) model: Vec<(Zxid, Vec<u8>)>,
    /// What completions have minted.
    pub(super) durable: Zxid,
    ops: Vec<DiskOp>,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::open(MemoryDisk::new(), 1)
    }

    pub(super) fn open(disk: MemoryDisk, entropy: u64) -> Self {
        Self::with_options(disk, options(), entropy)
    }

    pub(super) fn with_options(mut disk: MemoryDisk, options: LogOptions, entropy: u64) -> Self {
        let opened = Log::open(&mut disk, options, entropy).unwrap();
        let (log, report) = (opened.log, opened.report);
        let durable = log.durable();
        Self { disk, log, report, model: Vec::new(), durable, ops: Vec::new() }
    }

    /// The same disk, opened again, with the model of before.
    pub(super) fn reopen(self, entropy: u64) -> Self {
        let model = self.model;
        Self { model, ..Self::open(self.disk, entropy) }
    }

    pub(super) fn append(&mut self, zxid: Zxid, len: usize) {
        let packet = packet_of(zxid, len, self.model.len() as u64);
        self.log.append(zxid, &packet);
        self.model.push((zxid, packet));
    }

    pub(super) fn drain(&mut self) {
        self.log.drain(&mut self.ops);
        for op in self.ops.drain(..) {
            self.disk.execute(op);
        }
    }

    pub(super) fn complete(&mut self, at: usize) {
        let done = self.disk.complete(at);
        if let Some(durable) = self.log.on_done(done).unwrap() {
            assert!(durable.zxid() > self.durable, "G1");
            self.durable = durable.zxid();
        }
    }

    /// Until nothing is left to do.
    pub(super) fn settle(&mut self) {
        loop {
            self.drain();
            if self.disk.pending() == 0 {
                break;
            }
            self.complete(0);
        }
        assert!(self.log.is_quiet());
        assert_eq!(self.log.durable(), self.log.appended());
    }

    /// Appends `count` packets, each a batch of its own.
    pub(super) fn append_settled(
        &mut self,
        epoch: i64,
        counters: std::ops::Range<u32>,
        len: usize,
    ) {
        for counter in counters {
            self.append(at(epoch, counter), len);
            self.settle();
        }
    }

    /// Everything after `after`, as read back.
    pub(super) fn read(&mut self, after: Zxid, max_bytes: usize) -> Vec<(Zxid, Vec<u8>)> {
        let mut cursor = self.log.cursor(after);
        let mut found = Vec::new();
        loop {
            let mut out = Vec::new();
            let count = cursor.next(&mut self.disk, &self.log, &mut out, max_bytes).unwrap();
            let run: Vec<_> = packets(&out).map(|(zxid, packet)| (zxid, packet.to_vec())).collect();
            assert_eq!(run.len(), count);
            if count == 0 {
                assert_eq!(cursor.position(), after.max(self.log.durable()));
                return found;
            }
            found.extend(run);
        }
    }

    /// The log holds exactly the model, and says so.
    pub(super) fn check(&mut self) {
        let base = self.log.history().base();
        let found = self.read(base, 4000);
        let expected: Vec<_> =
            self.model.iter().filter(|(zxid, _)| *zxid > base).cloned().collect();
        let zxids = |packets: &[(Zxid, Vec<u8>)]| -> Vec<Zxid> {
            packets.iter().map(|(zxid, _)| *zxid).collect()
        };
        assert_eq!(zxids(&found), zxids(&expected));
        assert!(found == expected, "what was read is what was appended");
        for (zxid, _) in &expected {
            assert!(self.log.history().contains(*zxid));
        }
        assert_eq!(self.log.first(), expected.first().map(|(zxid, _)| *zxid));
        assert_eq!(self.log.appended(), expected.last().map_or(base, |(zxid, _)| *zxid));
    }
}
