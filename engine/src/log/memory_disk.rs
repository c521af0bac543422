//! A disk in memory that can lose power: for tests and for the simulator.
//!
//! It keeps what is durable apart from what only reads back. A crash keeps any subset of the writes
//! that no sync covered, each whole, lost, torn at 512-byte sectors or ending in a scrambled one,
//! whether they were answered or not; and any subset of the names that changed since the directory
//! was synced. Deterministic: the seed decides.
//!
//! The blocking verbs are `Disk`'s. The hot path's operations are handed over with `execute` and
//! answered when the caller says so, in any order, with `complete` or `fail`.
//!
//! Not here: latency and when a crash comes (the simulator).

use std::collections::BTreeMap;

use super::dice::Dice;
use super::disk::{Disk, DiskDone, DiskError, DiskOp, DiskVerb, FileName};
use super::segment::prepare_segment;

const SECTOR: usize = 512;
const ENOENT: i32 = 2;
const EIO: i32 = 5;

#[derive(Default)]
struct Inode {
    /// What reads see.
    visible: Vec<u8>,
    /// What survives for certain.
    durable: Vec<u8>,
    /// Writes that are visible and not durable, in order, each with its number.
    unsynced: Vec<(u64, u64, Vec<u8>)>,
}

impl Inode {
    fn put(bytes: &mut Vec<u8>, offset: u64, data: &[u8]) {
        let end = offset as usize + data.len();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[offset as usize..end].copy_from_slice(data);
    }

    /// The writes numbered up to `ticket` survive from here on.
    fn sync(&mut self, ticket: u64) {
        for (_, offset, data) in self.unsynced.extract_if(.., |write| write.0 <= ticket) {
            Self::put(&mut self.durable, offset, &data);
        }
    }
}

/// A change of names that no directory sync covered.
#[derive(Clone, Copy)]
enum NameChange {
    Create(FileName, usize),
    Rename(FileName, FileName),
    Remove(FileName),
}

struct Pending {
    op: DiskOp,
    /// For a flush: the writes that were answered before it.
    ticket: u64,
}

/// See the file's head. `Default` is an empty disk.
#[derive(Default)]
pub struct MemoryDisk {
    inodes: Vec<Inode>,
    names: BTreeMap<FileName, usize>,
    durable_names: BTreeMap<FileName, usize>,
    unsynced_names: Vec<NameChange>,
    pending: Vec<Pending>,
    writes: u64,
    verbs_left: Option<u64>,
    flushes: u64,
}

impl MemoryDisk {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an operation of the hot path; it is pending until `complete`, `fail` or a crash.
    pub fn execute(&mut self, op: DiskOp) {
        self.pending.push(Pending { op, ticket: self.writes });
    }

    /// How many operations are pending.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Which operations are pending, oldest first.
    pub fn pending_ops(&self) -> impl Iterator<Item = &DiskOp> {
        self.pending.iter().map(|pending| &pending.op)
    }

    /// Flushes and durable writes answered so far.
    pub fn flushes(&self) -> u64 {
        self.flushes
    }

    /// Carries out the pending operation at `at` (oldest first) and answers it.
    pub fn complete(&mut self, at: usize) -> DiskDone {
        let Pending { op, ticket } = self.pending.remove(at);
        match op {
            DiskOp::Write { op, segment, offset, slab, len, durable } => {
                let file = FileName::Segment(segment);
                let result = self.verb(Some(file), DiskVerb::Write, offset).and_then(|()| {
                    let inode = self.inode(file, DiskVerb::Write)?;
                    self.put(inode, offset, &slab[..len], durable);
                    Ok(())
                });
                DiskDone::Written { op, slab, result: result.map_err(|error| error.errno) }
            }
            DiskOp::Flush { op, segment } => {
                let file = FileName::Segment(segment);
                let result = self.verb(Some(file), DiskVerb::Sync, 0).and_then(|()| {
                    let inode = self.inode(file, DiskVerb::Sync)?;
                    self.inodes[inode].sync(ticket);
                    self.flushes += 1;
                    Ok(())
                });
                DiskDone::Flushed { op, result: result.map_err(|error| error.errno) }
            }
            DiskOp::Prepare { segment, bytes, recycle } => {
                let result = prepare_segment(self, segment, bytes, recycle);
                DiskDone::Prepared { segment, result: result.map_err(|error| error.errno) }
            }
            DiskOp::Remove { segment } => {
                let result = self.remove(FileName::Segment(segment));
                DiskDone::Removed { segment, result: result.map_err(|error| error.errno) }
            }
        }
    }

    /// Answers the pending operation at `at` with an error; nothing of it is done.
    pub fn fail(&mut self, at: usize, errno: i32) -> DiskDone {
        let result = Err(errno);
        match self.pending.remove(at).op {
            DiskOp::Write { op, slab, .. } => DiskDone::Written { op, slab, result },
            DiskOp::Flush { op, .. } => DiskDone::Flushed { op, result },
            DiskOp::Prepare { segment, .. } => DiskDone::Prepared { segment, result },
            DiskOp::Remove { segment } => DiskDone::Removed { segment, result },
        }
    }

    /// After `verbs` more verbs everything fails with `EIO`, until the next crash: the power is
    /// already gone, only the program does not know.
    pub fn cut_after(&mut self, verbs: u64) {
        self.verbs_left = Some(verbs);
    }

    /// Whether the power is gone: every verb fails.
    pub fn is_cut(&self) -> bool {
        self.verbs_left == Some(0)
    }

    /// The power fails and comes back.
    pub fn crash(&mut self, seed: u64) {
        let mut dice = Dice(seed);
        for Pending { op, .. } in std::mem::take(&mut self.pending) {
            match op {
                DiskOp::Write { segment, offset, slab, len, .. } => {
                    if let Some(&inode) = self.names.get(&FileName::Segment(segment)) {
                        self.put(inode, offset, &slab[..len], false);
                    }
                }
                DiskOp::Prepare { segment, bytes, recycle } => {
                    let power = self.verbs_left.unwrap_or(u64::MAX);
                    self.verbs_left = Some(power.min(dice.below(8)));
                    let _ = prepare_segment(self, segment, bytes, recycle);
                    self.verbs_left = Some(0);
                }
                DiskOp::Remove { segment } => {
                    if self.names.remove(&FileName::Segment(segment)).is_some() {
                        self.unsynced_names.push(NameChange::Remove(FileName::Segment(segment)));
                    }
                }
                DiskOp::Flush { .. } => {}
            }
        }
        for inode in &mut self.inodes {
            lose_power(inode, &mut dice);
        }
        for change in std::mem::take(&mut self.unsynced_names) {
            if dice.below(2) == 0 {
                rename_in(&mut self.durable_names, change);
            }
        }
        self.names = self.durable_names.clone();
        self.verbs_left = None;
    }

    /// Rot: flips bits of one byte, as read and as durable.
    pub fn flip(&mut self, file: FileName, offset: u64) {
        let inode = &mut self.inodes[self.names[&file]];
        for bytes in [&mut inode.visible, &mut inode.durable] {
            if let Some(byte) = bytes.get_mut(offset as usize) {
                *byte ^= 0x55;
            }
        }
    }

    /// Rot of the other kind: a range reads as zeros.
    pub fn zero(&mut self, file: FileName, offset: u64, len: usize) {
        let inode = &mut self.inodes[self.names[&file]];
        for bytes in [&mut inode.visible, &mut inode.durable] {
            bytes[offset as usize..offset as usize + len].fill(0);
        }
    }

    /// A file disappears, durably.
    pub fn lose(&mut self, file: FileName) {
        self.names.remove(&file);
        self.durable_names.remove(&file);
    }

    /// What reads of `file` see.
    pub fn content(&self, file: FileName) -> Option<&[u8]> {
        self.names.get(&file).map(|&inode| self.inodes[inode].visible.as_slice())
    }

    fn put(&mut self, inode: usize, offset: u64, data: &[u8], durable: bool) {
        self.writes += 1;
        let inode = &mut self.inodes[inode];
        Inode::put(&mut inode.visible, offset, data);
        if durable {
            self.flushes += 1;
            Inode::put(&mut inode.durable, offset, data);
        } else {
            inode.unsynced.push((self.writes, offset, data.to_vec()));
        }
    }

    fn verb(
        &mut self,
        file: Option<FileName>,
        verb: DiskVerb,
        offset: u64,
    ) -> Result<(), DiskError> {
        match &mut self.verbs_left {
            Some(0) => Err(DiskError { file, verb, offset, errno: EIO }),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn inode(&self, file: FileName, verb: DiskVerb) -> Result<usize, DiskError> {
        let missing = DiskError { file: Some(file), verb, offset: 0, errno: ENOENT };
        self.names.get(&file).copied().ok_or(missing)
    }

    fn change(&mut self, change: NameChange) {
        rename_in(&mut self.names, change);
        self.unsynced_names.push(change);
    }
}

impl Disk for MemoryDisk {
    fn list(&mut self) -> Result<Vec<(FileName, u64)>, DiskError> {
        self.verb(None, DiskVerb::List, 0)?;
        let size = |&inode: &usize| self.inodes[inode].visible.len() as u64;
        Ok(self.names.iter().map(|(&name, inode)| (name, size(inode))).collect())
    }

    fn read(&mut self, file: FileName, offset: u64, into: &mut [u8]) -> Result<usize, DiskError> {
        self.verb(Some(file), DiskVerb::Read, offset)?;
        let bytes = &self.inodes[self.inode(file, DiskVerb::Read)?].visible;
        let rest = bytes.get(offset as usize..).unwrap_or_default();
        let len = rest.len().min(into.len());
        into[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn write(&mut self, file: FileName, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.verb(Some(file), DiskVerb::Write, offset)?;
        let inode = match self.names.get(&file) {
            Some(&inode) => inode,
            None => {
                self.inodes.push(Inode::default());
                let inode = self.inodes.len() - 1;
                self.change(NameChange::Create(file, inode));
                inode
            }
        };
        self.put(inode, offset, bytes, false);
        Ok(())
    }

    fn sync(&mut self, file: FileName) -> Result<(), DiskError> {
        self.verb(Some(file), DiskVerb::Sync, 0)?;
        let inode = self.inode(file, DiskVerb::Sync)?;
        self.inodes[inode].sync(u64::MAX);
        self.flushes += 1;
        Ok(())
    }

    fn rename(&mut self, from: FileName, to: FileName) -> Result<(), DiskError> {
        self.verb(Some(from), DiskVerb::Rename, 0)?;
        self.inode(from, DiskVerb::Rename)?;
        self.change(NameChange::Rename(from, to));
        Ok(())
    }

    fn remove(&mut self, file: FileName) -> Result<(), DiskError> {
        self.verb(Some(file), DiskVerb::Remove, 0)?;
        self.inode(file, DiskVerb::Remove)?;
        self.change(NameChange::Remove(file));
        Ok(())
    }

    fn sync_dir(&mut self) -> Result<(), DiskError> {
        self.verb(None, DiskVerb::SyncDir, 0)?;
        self.unsynced_names.clear();
        self.durable_names = self.names.clone();
        // What no name leads to is gone, and so is its memory.
        for (number, inode) in self.inodes.iter_mut().enumerate() {
            if !self.names.values().any(|&named| named == number) {
                *inode = Inode::default();
            }
        }
        Ok(())
    }
}

/// A change whose file never came to be changes nothing.
fn rename_in(names: &mut BTreeMap<FileName, usize>, change: NameChange) {
    match change {
        NameChange::Create(name, inode) => {
            names.insert(name, inode);
        }
        NameChange::Rename(from, to) => {
            if let Some(inode) = names.remove(&from) {
                names.insert(to, inode);
            }
        }
        NameChange::Remove(name) => {
            names.remove(&name);
        }
    }
}

/// Each write that no sync covered is kept, lost, torn at sectors, or leaves one of them scrambled.
fn lose_power(inode: &mut Inode, dice: &mut Dice) {
    for (_, offset, data) in std::mem::take(&mut inode.unsynced) {
        match dice.below(5) {
            0 => Inode::put(&mut inode.durable, offset, &data),
            1 => {
                for (at, sector) in data.chunks(SECTOR).enumerate() {
                    if dice.below(2) == 0 {
                        let place = offset + (at * SECTOR) as u64;
                        Inode::put(&mut inode.durable, place, sector);
                    }
                }
            }
            2 => {
                let at = dice.below(data.len().div_ceil(SECTOR) as u64) as usize * SECTOR;
                let noise: Vec<u8> =
                    data[at..].iter().take(SECTOR).map(|_| dice.next() as u8).collect();
                Inode::put(&mut inode.durable, offset, &data[..at]);
                Inode::put(&mut inode.durable, offset + at as u64, &noise);
            }
            3 => {
                let kept = dice.below(data.len() as u64 + 1) as usize / SECTOR * SECTOR;
                Inode::put(&mut inode.durable, offset, &data[..kept]);
            }
            _ => {}
        }
    }
    inode.visible.clone_from(&inode.durable);
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: FileName = FileName::Segment(1);

    fn written() -> MemoryDisk {
        let mut disk = MemoryDisk::new();
        disk.write(FILE, 0, &[1; 4096]).unwrap();
        disk.sync(FILE).unwrap();
        disk.sync_dir().unwrap();
        disk
    }

    #[test]
    fn a_sync_survives_and_what_came_after_may_be_torn() {
        let mut kinds = [0; 3];
        for seed in 0..100 {
            let mut disk = written();
            disk.write(FILE, 0, &[2; 4096]).unwrap();
            disk.crash(seed);
            let ones = disk.content(FILE).unwrap().iter().filter(|&&byte| byte == 1).count();
            assert_eq!(disk.content(FILE).unwrap().len(), 4096);
            kinds[usize::from(ones > 0) + usize::from(ones == 4096)] += 1;
        }
        assert!(kinds.iter().all(|&count| count > 0), "whole, torn and lost: {kinds:?}");
    }

    #[test]
    fn a_name_without_its_directory_may_be_lost() {
        let mut found = [0; 2];
        for seed in 0..50 {
            let mut disk = written();
            disk.write(FileName::Spare(2), 0, &[1]).unwrap();
            disk.sync(FileName::Spare(2)).unwrap();
            disk.crash(seed);
            assert!(disk.content(FILE).is_some());
            found[usize::from(disk.content(FileName::Spare(2)).is_some())] += 1;
        }
        assert!(found[0] > 0 && found[1] > 0);
    }

    #[test]
    fn a_flush_covers_only_what_was_answered_before_it() {
        use super::super::{OpId, Slab};
        let write = |op, offset| {
            let mut slab = Slab::new(4096);
            slab.fill(9);
            let slab = slab.into();
            DiskOp::Write { op: OpId(op), segment: 1, offset, slab, len: 4096, durable: false }
        };
        let mut lost = 0;
        for seed in 0..50 {
            let mut disk = written();
            disk.execute(write(1, 0));
            disk.execute(write(2, 4096));
            disk.complete(0);
            disk.execute(DiskOp::Flush { op: OpId(3), segment: 1 });
            disk.complete(0);
            disk.complete(0);
            disk.crash(seed);
            let content = disk.content(FILE).unwrap();
            assert!(content[..4096].iter().all(|&byte| byte == 9));
            lost += usize::from(content.len() < 8192);
        }
        assert!(lost > 0);
    }
}
