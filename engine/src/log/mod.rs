//! The log: what was proposed, on disk, in order.
//!
//! Packets are appended, gathered into batches while the disk is busy, written, and reported
//! durable in order. The log is pure: it asks for `DiskOp`s and is told how they ended; only cold
//! paths call a `Disk` and wait.
//!
//! Laws of the whole (the numbers are those of the project's twelve):
//! - Law 2. `Durable` is minted by a completion and by nothing else; truncation lowers it.
//! - Law 4. The log is contiguous within an epoch; a gap is refused.
//! - Law 8. A failed write, sync, rename or removal fails the log for good: nothing is tried again.
//! - Law 9. A start after any cut succeeds, or says what is damaged and keeps everything.
//! - Law 10. Epochs never regress.
//!
//! Not here: what a payload means, what is committed (`zab`), syscalls (`io`).

mod batch;
mod cursor;
mod dice;
mod disk;
mod evidence;
mod flight;
mod founding;
mod group_commit;
mod history;
mod memory_disk;
mod passing;
mod proposals;
mod purge;
mod recover;
mod segment;
mod slab;
mod spares;
mod superblock;
mod truncate;
mod window;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

pub use batch::{PACKET_FRAME_BYTES, packet, packets, payload, write_packet};
pub use cursor::{Cursor, CursorError};
pub use disk::{Disk, DiskDone, DiskError, DiskOp, DiskVerb, FileName, OpId};
pub use founding::Founding;
pub use history::{History, Run};
pub use memory_disk::MemoryDisk;
pub use passing::{Beginning, beginning};
pub use proposals::Proposals;
pub use recover::{Damage, Opened, Passed, RecoveryReport};
pub use segment::prepare_segment;
pub use slab::{Part, Slab};
pub use superblock::{Marker, Superblock};

use crate::ids::ServerId;
use crate::limits::{self, BLOCK};
use crate::zxid::{Epoch, Zxid};
use dice::Dice;
use flight::{Flight, Reach};
use segment::Segment;
use spares::Spares;
use superblock::SuperblockFile;

/// How a log is laid out and how hard it drives the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogOptions {
    /// One file of the log. Files of another size that hold txns stay readable.
    pub segment_bytes: u64,
    /// What one group commit writes at most, a lone larger packet apart. Whole blocks.
    pub batch_bytes_max: usize,
    /// Beyond this `has_room` says no: whoever feeds the log waits.
    pub gathered_bytes_max: usize,
    /// Data writes on their way at once.
    pub writes_in_flight: usize,
    /// The last batch that gathers is not written beside others while it is smaller than this.
    pub small_batch_bytes: usize,
    /// Segments kept ready, at least one; two hide a preparation behind the filling of a segment.
    pub spares: usize,
    /// Purged segments kept at most, to become spares.
    pub recycled: usize,
    /// Every write carries its own durability (`RWF_DSYNC`) and none is flushed: the quicker way on
    /// a device with FUA or without a volatile cache.
    pub every_write_durable: bool,
    /// At a start, segments that the newest snapshot makes needless are not read but taken at the
    /// word of their headers; a cursor checks what it reads of them.
    pub passes_over: bool,
    pub server_id: ServerId,
    pub cluster_id: u64,
}

impl LogOptions {
    pub fn new(server_id: ServerId, cluster_id: u64) -> Self {
        Self {
            segment_bytes: limits::SEGMENT_BYTES,
            batch_bytes_max: limits::BATCH_BYTES_MAX,
            gathered_bytes_max: limits::IN_FLIGHT_BYTES_MAX,
            writes_in_flight: limits::WRITES_IN_FLIGHT,
            small_batch_bytes: limits::SMALL_BATCH_BYTES,
            spares: 2,
            recycled: limits::SEGMENTS_RECYCLED,
            every_write_durable: false,
            passes_over: false,
            server_id,
            cluster_id,
        }
    }

    fn check(&self) {
        let block = BLOCK as u64;
        assert!(self.segment_bytes.is_multiple_of(block) && self.segment_bytes >= 4 * block);
        assert!(self.batch_bytes_max.is_multiple_of(BLOCK) && self.batch_bytes_max > 0);
        assert!(self.batch_bytes_max as u64 + block <= self.segment_bytes);
        assert!(self.writes_in_flight > 0 && self.spares > 0);
    }
}

/// Everything up to here is on the disk: only a disk's answer makes one (law 2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Durable(Zxid);

impl Durable {
    pub fn zxid(self) -> Zxid {
        self.0
    }
}

/// The log can go no further; the process ends (law 8).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFailure {
    Disk(DiskError),
    /// What was durable does not read back whole.
    Corrupt {
        file: FileName,
        offset: u64,
    },
}

impl fmt::Display for LogFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(error) => error.fmt(f),
            Self::Corrupt { file, offset } => {
                write!(f, "{file}: what was durable is corrupt at offset {offset}")
            }
        }
    }
}

impl std::error::Error for LogFailure {}

impl From<DiskError> for LogFailure {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

/// The log could not be opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LogError {
    #[error(transparent)]
    Failure(LogFailure),
    /// There are segments, and no superblock that reads back: what this server promised is lost.
    #[error("superblock: missing or corrupt beside a log; this server's promises are lost")]
    SuperblockLost,
    /// A founding began here and did not end: nothing that is here counts.
    #[error(
        "import.aside: an import has begun here and not ended; nothing of it is used. \
         Import again"
    )]
    Unfounded,
    /// A founding needs a place where no log is.
    #[error("a log is here already; nothing is imported over it")]
    Occupied,
    #[error("superblock: {field} is {found}, configured is {configured}")]
    Foreign { field: &'static str, found: i64, configured: i64 },
}

impl From<DiskError> for LogError {
    fn from(error: DiskError) -> Self {
        Self::Failure(LogFailure::Disk(error))
    }
}

impl From<LogFailure> for LogError {
    fn from(failure: LogFailure) -> Self {
        Self::Failure(failure)
    }
}

/// See the file's head.
#[derive(Debug)]
pub struct Log {
    options: LogOptions,
    superblock: SuperblockFile,
    /// In use, oldest first; the last takes the batches.
    segments: VecDeque<Segment>,
    /// Older files that the newest snapshot makes needless and that do not connect any more.
    orphans: Vec<(u64, u64)>,
    /// Files that a damaged log holds beyond its good part, kept as they are.
    suspects: Vec<u64>,
    spares: Spares,
    proposals: Proposals,
    flight: Flight,
    /// Where a segment's header block is put together; away while one is written.
    header_slab: Option<Arc<Slab>>,
    /// Everything appended.
    history: History,
    durable: Reach,
    next_sequence: u64,
    /// The `crc` of the last batch sealed.
    chain: u32,
    dice: Dice,
    /// Changes when places on disk lose their meaning, so that cursors look anew.
    generation: u64,
    damage: Option<Damage>,
    failed: Option<LogFailure>,
}

impl Log {
    /// The last zxid handed to the log.
    pub fn appended(&self) -> Zxid {
        self.history.last()
    }

    /// The last zxid that is on the disk, with everything before it. What this server reports.
    pub fn durable(&self) -> Zxid {
        self.durable.zxid
    }

    /// Nothing gathered, in flight or unflushed: everything appended is durable.
    pub fn is_quiet(&self) -> bool {
        self.flight.is_empty() && self.proposals.gathering() == 0
    }

    /// Lends memory for the largest batches, for good: whole blocks, on a border of one.
    pub fn lend(&mut self, memory: &'static mut [u8]) {
        self.proposals.lend(memory);
    }

    /// The oldest zxid that can be read; `None` if there is none.
    pub fn first(&self) -> Option<Zxid> {
        self.history.first()
    }

    /// Which zxids the log knows of, appended ones included.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Whether what has gathered is within its bound. When not, whoever feeds the log stops reading
    /// until the disk has caught up.
    pub fn has_room(&self) -> bool {
        self.proposals.gathered_bytes() < self.options.gathered_bytes_max
    }

    /// Bytes appended and not yet handed to the disk.
    pub fn gathered_bytes(&self) -> usize {
        self.proposals.gathered_bytes()
    }

    /// What was appended and is still in memory.
    pub fn proposals(&self) -> &Proposals {
        &self.proposals
    }

    /// Memory need not reach back to `upto` any more, but for about `bytes_kept` before its end.
    /// What is not durable stays.
    pub fn forget(&mut self, upto: Zxid, bytes_kept: usize) {
        self.proposals.trim(upto.min(self.durable.zxid), bytes_kept);
    }

    pub fn bytes_on_disk(&self) -> u64 {
        let used: u64 = self.segments.iter().map(|segment| segment.size).sum();
        let orphans: u64 = self.orphans.iter().map(|orphan| orphan.1).sum();
        used + orphans + self.spares.bytes() + 2 * BLOCK as u64
    }

    /// The record that is durable.
    pub fn superblock(&self) -> &Superblock {
        self.superblock.record()
    }

    /// What recovery found damaged, until a truncation or a reset has taken it away.
    pub fn damage(&self) -> Option<Damage> {
        self.damage
    }

    /// Whether this server's word on history counts. Not while acknowledged txns are missing here:
    /// from the discovery of damage until a new current epoch says that a leader's history is
    /// durable here.
    pub fn may_vote(&self) -> bool {
        self.damage.is_none() && !self.superblock.record().damaged
    }

    /// Both epochs, in one record, durable when this returns. They never regress (law 10). A
    /// current epoch that moves forward ends the time without a vote after damage: the caller has
    /// this leader's history durable (law 1).
    pub fn store_epochs(
        &mut self,
        disk: &mut dyn Disk,
        accepted: Epoch,
        current: Epoch,
    ) -> Result<(), LogFailure> {
        let mut record = self.record();
        if current > record.current_epoch && self.damage.is_none() {
            record.damaged = false;
        }
        record.accepted_epoch = accepted;
        record.current_epoch = current;
        self.store(disk, record)
    }

    /// Ends the time without a vote where the current epoch does not move: the caller has brought
    /// this server level with a leader, durably.
    pub fn store_mended(&mut self, disk: &mut dyn Disk) -> Result<(), LogFailure> {
        let mut record = self.record();
        record.damaged = self.damage.is_some();
        self.store(disk, record)
    }

    /// `zxid` is the newest snapshot: whole, durable, verified by the caller, of this log's
    /// history. For a snapshot that came from a leader see `reset`.
    pub fn store_snapshot(&mut self, disk: &mut dyn Disk, zxid: Zxid) -> Result<(), LogFailure> {
        let mut record = self.record();
        assert!(record.snapshot.is_none_or(|old| old <= zxid), "the newest snapshot is newer");
        assert!(zxid >= self.history.base(), "a snapshot stands on this log's history");
        record.snapshot = Some(zxid);
        self.store(disk, record)
    }

    /// Writes down how far the log is durable, so that the next start can tell a lost tail from one
    /// that never was. For an orderly end.
    pub fn store_evidence(&mut self, disk: &mut dyn Disk) -> Result<(), LogFailure> {
        let record = self.record();
        self.store(disk, record)
    }

    /// The superblock as of this moment.
    fn record(&self) -> Superblock {
        let old = *self.superblock.record();
        if self.damage.is_some() {
            // A damaged log knows less than its evidence does.
            let durable_sequence = old.durable_sequence.max(self.durable.sequence);
            return Superblock { durable_sequence, ..old };
        }
        let durable_sequence = self.durable.sequence;
        let is_empty = self.segments.is_empty();
        let floor_sequence = if is_empty { durable_sequence } else { old.floor_sequence };
        Superblock { base: self.history.base(), durable_sequence, floor_sequence, ..old }
    }

    fn store(&mut self, disk: &mut dyn Disk, record: Superblock) -> Result<(), LogFailure> {
        self.guard()?;
        let result = self.superblock.store(disk, record).map_err(LogFailure::from);
        self.settle(result)
    }

    /// Law 8: after a failure every verb fails.
    fn guard(&self) -> Result<(), LogFailure> {
        self.failed.map_or(Ok(()), Err)
    }

    fn settle<T>(&mut self, result: Result<T, LogFailure>) -> Result<T, LogFailure> {
        if let Err(failure) = &result {
            self.failed = Some(*failure);
        }
        result
    }
}
