//! Packets become batches, batches become durable, and a log is read back at a start.
//!
//! Sealing is the log without a disk: every write is answered as soon as it is asked for. A commit
//! is the log on a file as the server writes it, by the reactor, with nothing else to do.

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ringkeeper_engine::ids::ServerId;
use ringkeeper_engine::io::files::{Directory, FileDisk};
use ringkeeper_engine::io::{self, Completion, Handler, Io, Reactor, ReactorOptions};
use ringkeeper_engine::limits::PROPOSALS_BYTES_KEPT;
use ringkeeper_engine::log::{DiskDone, DiskOp, Log, LogOptions, MemoryDisk, write_packet};
use ringkeeper_engine::zxid::Zxid;

use super::{DATA, Station, Workload};

/// `TxnHeader|txn|digest` of a set of 100 bytes.
const PAYLOAD_BYTES: usize = 200;
const STRETCH: u64 = 10_000;
/// A log on a file that is longer than this is begun anew.
const LOG_BYTES_MAX: u64 = 1 << 30;
const RECOVERED_BATCHES: u64 = 1000;
const RECOVERED_SEGMENT_BYTES: u64 = 16 << 20;

pub(super) const STATIONS: [Station; 5] = [
    station("seal", "seal/1 txn", Some(2000), || Box::new(Sealing::new(1))),
    station("seal", "seal/100 txns", Some(2000), || Box::new(Sealing::new(100))),
    station("commit", "commit/1 txn", None, || Box::new(Committing::new(1))),
    station("commit", "commit/100 txns", None, || Box::new(Committing::new(100))),
    station("recover", "recover/1000 batches of 100", None, recover),
];

const fn station(
    group: &'static str,
    name: &'static str,
    counted: Option<u64>,
    prepare: fn() -> Box<dyn Workload>,
) -> Station {
    Station { group, name, stretch: STRETCH, counted, prepare }
}

fn options() -> LogOptions {
    LogOptions::new(ServerId(1), 1)
}

/// Feeds a log with packets.
struct Feed {
    log: Log,
    zxid: Zxid,
    packet: Vec<u8>,
    ops: Vec<DiskOp>,
    /// Segments that are being made.
    preparing: usize,
}

impl Feed {
    fn new(log: Log) -> Self {
        Self { log, zxid: Zxid(1 << 32), packet: Vec::new(), ops: Vec::new(), preparing: 0 }
    }

    /// So many txns, and what the disk is to do then stands in `ops`.
    fn append(&mut self, txns: u32) {
        for _ in 0..txns {
            self.zxid = self.zxid.next().expect("a stretch is shorter than an epoch");
            self.packet.clear();
            write_packet(self.zxid, black_box(&[0x5a; PAYLOAD_BYTES]), &mut self.packet);
            self.log.append(self.zxid, &self.packet);
        }
        self.log.forget(self.log.durable(), PROPOSALS_BYTES_KEPT);
        self.log.drain(&mut self.ops);
    }

    fn hand_over(&mut self, io: &mut dyn Io) {
        for op in self.ops.drain(..) {
            self.preparing += usize::from(matches!(op, DiskOp::Prepare { .. }));
            io.disk(op);
        }
    }

    fn is_durable(&self) -> bool {
        self.log.durable() == self.log.appended()
    }

    /// Tells the log, and asks it again.
    fn done(&mut self, done: DiskDone) {
        self.log.on_done(done).expect("the disk works");
        self.log.drain(&mut self.ops);
    }
}

struct Sealing {
    txns: u32,
    feed: Feed,
}

impl Sealing {
    fn new(txns: u32) -> Self {
        let opened = Log::open(&mut MemoryDisk::new(), options(), 1);
        let mut sealing = Self { txns, feed: Feed::new(opened.expect("an empty disk").log) };
        // Until memory forgets as much as is appended: from then on no slab is allocated.
        let empty = sealing.feed.log.proposals().base();
        while sealing.feed.log.proposals().base() == empty {
            sealing.once();
        }
        sealing
    }

    fn settle(&mut self) {
        while let Some(op) = self.feed.ops.pop() {
            self.feed.done(at_once(op));
        }
        assert!(self.feed.is_durable());
    }
}

impl Workload for Sealing {
    fn renew(&mut self) {
        *self = Self::new(self.txns);
    }

    fn once(&mut self) {
        self.feed.append(self.txns);
        self.settle();
    }
}

fn at_once(op: DiskOp) -> DiskDone {
    let result = Ok(());
    match op {
        DiskOp::Write { op, slab, .. } => DiskDone::Written { op, slab, result },
        DiskOp::Flush { op, .. } => DiskDone::Flushed { op, result },
        DiskOp::Prepare { segment, .. } => DiskDone::Prepared { segment, result },
        DiskOp::Remove { segment } => DiskDone::Removed { segment, result },
    }
}

/// Removed with all that is in it.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} stays behind: {error}", self.0.display());
        }
    }
}

struct Committing {
    txns: u32,
    disk: Option<OnDisk>,
}

/// The files are closed before the folder goes.
struct OnDisk {
    feed: Feed,
    reactor: Box<dyn Reactor>,
    _folder: Folder,
}

impl Committing {
    fn new(txns: u32) -> Self {
        Self { txns, disk: None }
    }
}

impl OnDisk {
    fn begin() -> Self {
        let name = format!("ringkeeper-bench-{}-commit", std::process::id());
        let folder = Folder(PathBuf::from(DATA).join(name));
        let directory = Directory::open(&folder.0, &folder.0).expect("a folder for the log");
        let mut disk = FileDisk::new(Arc::clone(&directory));
        let log = Log::open(&mut disk, options(), 1).expect("an empty folder").log;
        let backend = io::probe(None).expect("a backend for the reactor");
        let reactor = io::start(backend, &ReactorOptions::default(), Some(directory));
        let reactor = reactor.expect("the backend was probed");
        let mut on_disk = Self { feed: Feed::new(log), reactor, _folder: folder };
        on_disk.commit(1);
        on_disk.prepared();
        on_disk
    }

    /// Appends, and turns the reactor until all of it is durable.
    fn commit(&mut self, txns: u32) {
        self.feed.append(txns);
        self.feed.hand_over(self.reactor.io());
        while !self.feed.is_durable() {
            self.turn();
        }
    }

    /// Until the segments in reserve are made, which would compete for the disk.
    fn prepared(&mut self) {
        while self.feed.preparing > 0 {
            self.turn();
        }
    }

    fn turn(&mut self) {
        let turned = self.reactor.turn(Some(Duration::from_secs(1)), &mut self.feed);
        turned.expect("the kernel turns the ring");
    }
}

impl Handler for Feed {
    fn on(&mut self, completion: Completion<'_>, io: &mut dyn Io) {
        if let Completion::Disk(done) = completion {
            self.preparing -= usize::from(matches!(done, DiskDone::Prepared { .. }));
            self.done(done);
            self.hand_over(io);
        }
    }
}

impl Workload for Committing {
    fn renew(&mut self) {
        let is_long = |disk: &OnDisk| disk.feed.log.bytes_on_disk() > LOG_BYTES_MAX;
        if self.disk.as_ref().is_none_or(is_long) {
            // The old folder has the same name, and goes first.
            self.disk = None;
            self.disk = Some(OnDisk::begin());
        }
    }

    fn once(&mut self) {
        let disk = self.disk.as_mut().expect("`renew` comes first");
        disk.commit(self.txns);
    }
}

fn recover() -> Box<dyn Workload> {
    let options = LogOptions { segment_bytes: RECOVERED_SEGMENT_BYTES, ..options() };
    let mut disk = MemoryDisk::new();
    let mut feed = Feed::new(Log::open(&mut disk, options, 1).expect("an empty disk").log);
    for _ in 0..RECOVERED_BATCHES {
        feed.append(100);
        while !feed.is_durable() {
            feed.ops.drain(..).for_each(|op| disk.execute(op));
            feed.done(disk.complete(0));
        }
    }
    let mut starts = 1;
    Box::new(move || {
        starts += 1;
        let opened = Log::open(&mut disk, options, starts).expect("written above");
        assert_eq!(opened.report.batches, RECOVERED_BATCHES);
    })
}
