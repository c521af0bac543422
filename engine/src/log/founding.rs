//! A log begun with a history that was made elsewhere: all of it counts, or nothing.
//!
//! First `import.aside` is there, durably; then everything else: snapshot, superblock, segments,
//! epochs, each synced; and last `import.aside` is renamed to `import`. As long as `import.aside`
//! stands, `Log::open` refuses, and a new founding removes whatever an earlier one left.
//!
//! Invariants:
//! - FO1. Whenever it is cut, a start finds the whole founding or none.
//!
//! Not here: where the history comes from, what the note says (the server).

use super::disk::{Disk, DiskDone, DiskError, DiskOp, FileName};
use super::segment::prepare_segment;
use super::{Log, LogError, LogFailure, LogOptions};
use crate::zxid::{Epoch, Zxid};

/// What gathers before it is written, so that few writes and fewer flushes carry much.
const GATHERED_BYTES: usize = 4 << 20;

/// A log being filled, on a disk where nothing else happens.
pub struct Founding {
    log: Log,
    ops: Vec<DiskOp>,
}

impl Founding {
    /// Begins; `note` is what `import` will hold.
    ///
    /// # Errors
    /// There is a log here already (`Occupied`), or the disk failed.
    pub fn begin(
        disk: &mut dyn Disk,
        options: LogOptions,
        entropy: u64,
        note: &[u8],
    ) -> Result<Self, LogError> {
        let files = disk.list()?;
        let was_cut = files.iter().any(|file| file.0 == FileName::ImportAside);
        let is_log = |file: FileName| matches!(file, FileName::Superblock | FileName::Segment(_));
        if !was_cut && files.iter().any(|file| is_log(file.0)) {
            return Err(LogError::Occupied);
        }
        disk.write(FileName::ImportAside, 0, note)?;
        disk.sync(FileName::ImportAside)?;
        disk.sync_dir()?;
        remove_all_but(disk, FileName::ImportAside)?;
        let log = Log::open_founded(disk, options, entropy, &mut |_| {})?.log;
        Ok(Self { log, ops: Vec::new() })
    }

    /// The history begins above this snapshot, which is whole, durable and verified. Before the
    /// first `append`; without it the history begins above nothing.
    pub fn stand_on(&mut self, disk: &mut dyn Disk, snapshot: Zxid) -> Result<(), LogFailure> {
        self.log.reset(disk, snapshot)
    }

    /// As `Log::append`, whose laws the caller has checked.
    pub fn append(
        &mut self,
        disk: &mut dyn Disk,
        zxid: Zxid,
        packet: &[u8],
    ) -> Result<(), LogFailure> {
        self.log.append(zxid, packet);
        if self.log.gathered_bytes() >= GATHERED_BYTES { self.carry_out(disk) } else { Ok(()) }
    }

    /// Makes it count. Everything is durable when this returns.
    pub fn finish(
        mut self,
        disk: &mut dyn Disk,
        accepted: Epoch,
        current: Epoch,
    ) -> Result<(), LogFailure> {
        self.carry_out(disk)?;
        assert!(self.log.is_quiet(), "FO1: a disk that answers at once has answered everything");
        self.log.store_epochs(disk, accepted, current)?;
        disk.sync_dir()?;
        disk.rename(FileName::ImportAside, FileName::Import)?;
        disk.sync_dir()?;
        Ok(())
    }

    /// Takes away what this or an earlier founding left, and last the sign that it had begun.
    pub fn give_up(disk: &mut dyn Disk) -> Result<(), DiskError> {
        remove_all_but(disk, FileName::ImportAside)?;
        disk.remove(FileName::ImportAside)?;
        disk.sync_dir()
    }

    fn carry_out(&mut self, disk: &mut dyn Disk) -> Result<(), LogFailure> {
        loop {
            self.log.drain(&mut self.ops);
            if self.ops.is_empty() {
                return Ok(());
            }
            for op in std::mem::take(&mut self.ops) {
                let done = carry_out(disk, op);
                self.log.on_done(done)?;
            }
            self.log.forget(self.log.durable(), 0);
        }
    }
}

fn carry_out(disk: &mut dyn Disk, op: DiskOp) -> DiskDone {
    let errno = |error: DiskError| error.errno;
    match op {
        DiskOp::Write { op, segment, offset, slab, len, durable } => {
            let file = FileName::Segment(segment);
            let written = disk.write(file, offset, &slab[..len]);
            let result = if durable { written.and_then(|()| disk.sync(file)) } else { written };
            DiskDone::Written { op, slab, result: result.map_err(errno) }
        }
        DiskOp::Flush { op, segment } => {
            let result = disk.sync(FileName::Segment(segment)).map_err(errno);
            DiskDone::Flushed { op, result }
        }
        DiskOp::Prepare { segment, bytes, recycle } => {
            let result = prepare_segment(disk, segment, bytes, recycle).map_err(errno);
            DiskDone::Prepared { segment, result }
        }
        DiskOp::Remove { segment } => {
            let result = disk.remove(FileName::Segment(segment)).map_err(errno);
            DiskDone::Removed { segment, result }
        }
    }
}

fn remove_all_but(disk: &mut dyn Disk, kept: FileName) -> Result<(), DiskError> {
    for (file, _) in disk.list()? {
        if file != kept {
            disk.remove(file)?;
        }
    }
    disk.sync_dir()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ServerId;
    use crate::limits::BLOCK;
    use crate::log::{MemoryDisk, write_packet};

    const SNAPSHOT: Zxid = Zxid::new(Epoch(1), 5);

    fn options() -> LogOptions {
        let mut options = LogOptions::new(ServerId(1), 0);
        options.segment_bytes = 8 * BLOCK as u64;
        options.batch_bytes_max = 2 * BLOCK;
        options.spares = 1;
        options
    }

    /// Ten txns of three kilobytes in two epochs over a snapshot: several segments.
    fn found(disk: &mut dyn Disk) -> Result<(), LogError> {
        let mut founding = Founding::begin(disk, options(), 7, b"note")?;
        disk.write(FileName::Snapshot(SNAPSHOT), 0, b"snapshot")?;
        disk.sync(FileName::Snapshot(SNAPSHOT))?;
        disk.sync_dir()?;
        founding.stand_on(disk, SNAPSHOT)?;
        for zxid in zxids() {
            let mut packet = Vec::new();
            write_packet(zxid, &[zxid.0 as u8; 3000], &mut packet);
            founding.append(disk, zxid, &packet)?;
            founding.carry_out(disk)?;
        }
        founding.finish(disk, Epoch(4), Epoch(3))?;
        Ok(())
    }

    fn zxids() -> impl Iterator<Item = Zxid> {
        let first = (6..11).map(|counter| Zxid::new(Epoch(1), counter));
        first.chain((1..6).map(|counter| Zxid::new(Epoch(3), counter)))
    }

    fn assert_whole(disk: &mut MemoryDisk) {
        let opened = Log::open(disk, options(), 9).unwrap();
        let superblock = opened.superblock;
        assert_eq!((superblock.accepted_epoch, superblock.current_epoch), (Epoch(4), Epoch(3)));
        assert_eq!((superblock.snapshot, opened.report.damage), (Some(SNAPSHOT), None));
        let (mut cursor, mut out) = (opened.log.cursor(SNAPSHOT), Vec::new());
        assert_eq!(cursor.next(disk, &opened.log, &mut out, usize::MAX / 2), Ok(10));
        assert!(crate::log::packets(&out).map(|packet| packet.0).eq(zxids()));
        assert!(opened.log.may_vote());
    }

    #[test]
    fn a_founded_log_holds_what_was_appended() {
        let mut disk = MemoryDisk::new();
        found(&mut disk).unwrap();
        assert_whole(&mut disk);
        let mut note = [0; 8];
        assert_eq!(disk.read(FileName::Import, 0, &mut note), Ok(4));
        assert_eq!(&note[..4], b"note");
        assert_eq!(found(&mut disk), Err(LogError::Occupied), "a second time");
    }

    #[test]
    fn fo1_a_founding_cut_anywhere_is_whole_or_none_and_can_be_made_again() {
        let mut cuts = 0;
        for seed in 0.. {
            let mut disk = MemoryDisk::new();
            disk.cut_after(seed);
            let ended = found(&mut disk).is_ok();
            disk.crash(seed);
            match Log::open(&mut disk, options(), 3) {
                Err(LogError::Unfounded) => assert!(!ended, "seed {seed}"),
                Ok(opened) if opened.log.appended() == Zxid::ZERO => {
                    // Cut before its first sign was durable: nothing is here.
                    assert!(!ended && opened.superblock.snapshot.is_none(), "seed {seed}");
                    continue;
                }
                Ok(_) => {
                    assert_whole(&mut disk);
                    if ended {
                        break;
                    }
                    continue;
                }
                Err(error) => panic!("seed {seed}: {error}"),
            }
            cuts += 1;
            found(&mut disk).unwrap();
            assert_whole(&mut disk);
        }
        assert!(cuts > 50, "{cuts}");
    }

    #[test]
    fn one_that_is_given_up_leaves_nothing() {
        let mut disk = MemoryDisk::new();
        disk.cut_after(40);
        assert!(found(&mut disk).is_err());
        disk.crash(1);
        Founding::give_up(&mut disk).unwrap();
        assert_eq!(disk.list().unwrap(), []);
    }
}
