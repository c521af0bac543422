//! Snapshots: when one is due, the tree's walk in slices, what may be removed afterwards.
//!
//! The tree goes on changing while it is written; the snapshot is that of the moment it began
//! (`tree::checkpoint`). Each turn makes one bounded slice, so that no turn is long; the bytes go
//! to the background, which writes, syncs, renames and verifies.
//!
//! Invariants:
//! - C1. Nothing older goes before a newer snapshot is verified and in the superblock.
//! - C2. The log always reaches back to the newest snapshot.
//! - C3. Chunks under way are bounded: a slow disk slows the walk, not the memory.
//! - C4. A snapshot is reported finished only when its bytes, its name and its directory are on
//!   disk and it has been read back and found to be what was written.
//!
//! When one is due. `snapCount` txns, jittered as in ZooKeeper, and the log since the last one
//! weighs as much as that one did, at least one segment. So the bytes of all snapshots together are
//! at most those of the log, however large the tree is and however fast it is written: each byte
//! of a snapshot is paid for by a byte of log. And a start reads at most about two and a half times
//! the tree: the snapshot, a log of its size over it, and what came while it was written.
//!
//! A `snapCount` below ZooKeeper's default is an operator's word that txns alone decide.
//!
//! Not here: the format (`snapshot`), threads (`runtime`).

use std::collections::BTreeMap;
use std::fmt;

use ringkeeper_engine::limits::SEGMENT_BYTES;
use ringkeeper_engine::log::{Disk, DiskError, FileName};
use ringkeeper_engine::zxid::Zxid;
use tracing::info;

use super::{Fatal, Member, Output};
use crate::config::SnapshotOptions;
use crate::digest::TreeDigest;
use crate::snapshot::{Cut, ReadBackError, SnapshotWriter};
use crate::tree::CheckpointStep;

/// Bytes of snapshot that one turn makes at most, and steps of its walk through the tree.
const SLICE_BYTES: usize = 64 << 10;
const SLICE_STEPS: u32 = 1024;

/// The least log that a snapshot of a small tree waits for: one segment, which is kept anyway.
const LOG_BYTES_MIN: u64 = SEGMENT_BYTES;

/// From so many txns on, the log's weight counts too; ZooKeeper's default.
const TXNS_WEIGHED: u64 = 100_000;

/// Chunks the background has not written yet, at most.
pub(super) const CHUNKS_UNDER_WAY: usize = 64;

/// What is asked of whoever writes snapshots.
#[derive(Debug)]
pub enum SnapshotOp {
    Begin { zxid: Zxid },
    Chunk { bytes: Vec<u8> },
    Finish { digest: Option<TreeDigest> },
    Remove { zxid: Zxid },
}

/// What has become of it.
#[derive(Debug)]
pub enum SnapshotDone {
    /// One chunk is written.
    Chunk,
    /// The snapshot is whole, durable, verified and in its place; it has so many bytes.
    Finished {
        zxid: Zxid,
        bytes: u64,
    },
    Failed(SnapshotFailure),
}

/// A snapshot that could not be written, or did not read back. The process ends (law 8).
#[derive(Debug)]
pub enum SnapshotFailure {
    Disk(DiskError),
    ReadBack { zxid: Zxid, error: ReadBackError },
}

impl fmt::Display for SnapshotFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(error) => error.fmt(f),
            Self::ReadBack { zxid, error } => {
                write!(
                    f,
                    "{} was written and does not read back: {error}",
                    FileName::Snapshot(*zxid).path()
                )
            }
        }
    }
}

/// Carries out snapshot operations, in order, on a disk of its own.
#[derive(Default)]
pub struct SnapshotTask {
    writer: Option<(Zxid, SnapshotWriter)>,
}

impl SnapshotTask {
    /// One operation. `None` where there is nothing to report.
    pub fn carry_out(&mut self, op: SnapshotOp, disk: &mut dyn Disk) -> Option<SnapshotDone> {
        self.step(op, disk).unwrap_or_else(|failure| {
            self.writer = None;
            Some(SnapshotDone::Failed(failure))
        })
    }

    fn step(
        &mut self,
        op: SnapshotOp,
        disk: &mut dyn Disk,
    ) -> Result<Option<SnapshotDone>, SnapshotFailure> {
        match op {
            SnapshotOp::Begin { zxid } => self.writer = Some((zxid, SnapshotWriter::new(zxid))),
            SnapshotOp::Chunk { bytes } => {
                if let Some((_, writer)) = &mut self.writer {
                    writer.append(disk, &bytes).map_err(SnapshotFailure::Disk)?;
                    return Ok(Some(SnapshotDone::Chunk));
                }
            }
            SnapshotOp::Finish { digest } => {
                if let Some((zxid, writer)) = self.writer.take() {
                    let written = writer.finish(disk, digest).map_err(SnapshotFailure::Disk)?;
                    let read_back = written.read_back(disk);
                    read_back.map_err(|error| SnapshotFailure::ReadBack { zxid, error })?;
                    return Ok(Some(SnapshotDone::Finished { zxid, bytes: written.bytes }));
                }
            }
            SnapshotOp::Remove { zxid } => {
                disk.remove(FileName::Snapshot(zxid)).map_err(SnapshotFailure::Disk)?;
                disk.sync_dir().map_err(SnapshotFailure::Disk)?;
            }
        }
        Ok(None)
    }
}

/// Where the member is with its snapshots.
#[derive(Default)]
pub(super) struct Progress {
    stage: Stage,
    /// Snapshots on disk, with their bytes.
    files: BTreeMap<Zxid, u64>,
    /// Applied since the newest snapshot began.
    txns: u64,
    bytes: u64,
    chunks_under_way: usize,
    draws: u64,
    /// The newest snapshot holds parts of later txns, and the tree no longer does: one of a moment
    /// takes its place.
    is_inexact: bool,
}

#[derive(Default)]
enum Stage {
    #[default]
    Idle,
    Walking(Cut),
    /// The body is handed over; the background finishes it.
    Finishing,
}

impl Progress {
    /// Notes an applied txn.
    pub(super) fn note(&mut self, bytes: usize) {
        self.txns += 1;
        self.bytes += bytes as u64;
    }

    /// This server is level with its leader, and its tree was of no one moment until now.
    pub(super) fn settled(&mut self) {
        self.is_inexact = true;
    }

    /// Whether the next slice can be made right away.
    pub(super) fn is_walking(&self) -> bool {
        matches!(self.stage, Stage::Walking(_)) && self.chunks_under_way < CHUNKS_UNDER_WAY
    }

    pub(super) fn bytes_on_disk(&self) -> u64 {
        self.files.values().sum()
    }

    /// How much log pays for a snapshot.
    fn weight(&self) -> u64 {
        self.files.last_key_value().map_or(0, |(_, bytes)| *bytes).max(LOG_BYTES_MIN)
    }

    /// The tree was loaded anew: a walk over the former one is void.
    pub(super) fn reset(&mut self, disk: &mut dyn Disk) -> Result<(), DiskError> {
        self.stage = Stage::Idle;
        self.is_inexact = false;
        (self.txns, self.bytes) = (0, 0);
        self.files.clear();
        for (file, bytes) in disk.list()? {
            if let FileName::Snapshot(zxid) = file {
                self.found(zxid, bytes);
            }
        }
        Ok(())
    }

    pub(super) fn found(&mut self, zxid: Zxid, bytes: u64) {
        self.files.insert(zxid, bytes);
    }

    /// Whether a snapshot is due; the log may have `budget` bytes in any case.
    pub(super) fn is_due(&self, options: &SnapshotOptions, budget: u64, entropy: u64) -> bool {
        let weight = if options.txns_max < TXNS_WEIGHED { 0 } else { self.weight() };
        let by_bytes = options.log_bytes_max.unwrap_or(u64::MAX).min(budget);
        self.is_inexact
            || self.bytes >= weight && self.txns > self.threshold(options.txns_max, entropy)
            || self.bytes > self.threshold(by_bytes, entropy)
    }

    /// Between half and all of `limit`, another value for each snapshot, so that the servers of an
    /// ensemble do not all write at once.
    fn threshold(&self, limit: u64, entropy: u64) -> u64 {
        let mut draw = entropy ^ self.draws.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        draw ^= draw >> 29;
        draw = draw.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        limit / 2 + (draw >> 33) % (limit / 2).max(1)
    }
}

impl Member {
    /// One slice of a snapshot under way, or the beginning of one that is due.
    pub(super) fn checkpoint_turn(&mut self) {
        if matches!(self.checkpoint.stage, Stage::Idle) && self.is_snapshot_due() {
            self.begin_snapshot();
        }
        if !self.checkpoint.is_walking() {
            return;
        }
        let Stage::Walking(cut) = &mut self.checkpoint.stage else { return };
        let mut bytes = Vec::with_capacity(SLICE_BYTES + (4 << 10));
        let step = cut.slice(&mut self.db.tree, SLICE_STEPS, SLICE_BYTES, &mut bytes);
        let digest = self.options.config.tree.digests.then(|| cut.digest());
        self.checkpoint.chunks_under_way += 1;
        self.outputs.push(Output::Snapshot(SnapshotOp::Chunk { bytes }));
        if step == CheckpointStep::Done {
            self.checkpoint.stage = Stage::Finishing;
            self.outputs.push(Output::Snapshot(SnapshotOp::Finish { digest }));
        }
    }

    fn is_snapshot_due(&self) -> bool {
        let config = &self.options.config;
        // A tree that holds parts of later txns is not that of a moment.
        !self.db.is_settling()
            && self.checkpoint.is_due(
                &config.snapshots,
                config.data.disk_budget_bytes / 4,
                self.options.entropy,
            )
    }

    pub(super) fn begin_snapshot(&mut self) {
        let zxid = self.db.last_zxid();
        if self.checkpoint.files.contains_key(&zxid) {
            return;
        }
        let sessions = self.db.sessions().iter().map(|(session, ms)| (*session, *ms));
        let sessions: Vec<_> = sessions.collect();
        let digest = self.db.digest();
        let db = &mut self.db;
        let cut = Cut::begin(&mut db.tree, &db.acls, sessions.into_iter(), zxid, digest);
        self.checkpoint.stage = Stage::Walking(cut);
        (self.checkpoint.txns, self.checkpoint.bytes) = (0, 0);
        self.checkpoint.draws += 1;
        self.checkpoint.is_inexact = false;
        info!(%zxid, znodes = self.db.tree.count(), "snapshot begins");
        self.outputs.push(Output::Snapshot(SnapshotOp::Begin { zxid }));
    }

    /// The background has something to say.
    pub fn snapshot_done(&mut self, done: SnapshotDone, disk: &mut dyn Disk) {
        match done {
            SnapshotDone::Chunk => {
                self.checkpoint.chunks_under_way =
                    self.checkpoint.chunks_under_way.saturating_sub(1);
            }
            SnapshotDone::Finished { zxid, bytes } => self.snapshot_finished(zxid, bytes, disk),
            SnapshotDone::Failed(failure) => {
                self.outputs.push(Output::Fatal(Fatal::Snapshot(failure)));
            }
        }
    }

    fn snapshot_finished(&mut self, zxid: Zxid, bytes: u64, disk: &mut dyn Disk) {
        if matches!(self.checkpoint.stage, Stage::Finishing) {
            self.checkpoint.stage = Stage::Idle;
        }
        info!(%zxid, bytes, "snapshot is verified");
        self.checkpoint.files.insert(zxid, bytes);
        let gone = self.snapshots_to_remove();
        let oldest = *self.checkpoint.files.keys().next().unwrap_or(&zxid);
        // C1: superblock first, then the log's purge, then the older files.
        let mut effects = std::mem::take(&mut self.effects);
        self.replica.on_snapshot(zxid, oldest, disk, &mut effects);
        self.effects = effects;
        for zxid in gone {
            self.outputs.push(Output::Snapshot(SnapshotOp::Remove { zxid }));
        }
    }

    /// Which snapshots are beyond what is kept, oldest first; never the newest.
    fn snapshots_to_remove(&mut self) -> Vec<Zxid> {
        let data = &self.options.config.data;
        let mut gone = Vec::new();
        while self.checkpoint.files.len() > 1 {
            let total = self.checkpoint.bytes_on_disk() + self.replica.log().bytes_on_disk();
            let too_many = self.checkpoint.files.len() > data.snapshots_kept;
            if !too_many && total <= data.disk_budget_bytes {
                break;
            }
            if let Some((zxid, _)) = self.checkpoint.files.pop_first() {
                gone.push(zxid);
            }
        }
        gone
    }
}
