//! The superblock: the few facts that change all at once or not at all.
//!
//! Two slots of 4 KiB, big-endian. A store writes the slot that does not hold the newest record,
//! syncs, and only then lets memory follow; the other slot gets a copy afterwards, so that one
//! rotten slot costs nothing, while a cut store leaves the record before it.
//!
//! ```text
//!   0  u32  magic "RKSB"
//!   4  u32  crc of bytes 8..4096
//!   8  u32  format version
//!  12  u32  flags: 1 a snapshot is named, 2 damaged
//!  16  u32  marker: 0 none, 1 truncation, 2 reset
//!  20  u32  zero
//!  24  u64  generation: the higher one is newer
//!  32  u64  cluster id
//!  40  i64  server id
//!  48  i64  accepted epoch
//!  56  i64  current epoch
//!  64  i64  zxid of the marker
//!  72  i64  zxid of the newest verified snapshot
//!  80  i64  base: what an empty log builds upon
//!  88  u64  sequence that was durable when this was written
//!  96  u64  floor sequence: batches up to this one were given up when the log became empty
//! 104       zeros
//! ```
//!
//! Invariants:
//! - S1. Epochs never regress, and the current one is never above the accepted one (law 10).
//! - S2. The record in memory is one that is durable.
//!
//! Not here: what a marker makes recovery do (`recover`, `truncate`).

use super::LogError;
use super::batch::{u32_at, u64_at, zxid_at};
use super::disk::{Disk, DiskError, FileName};
use crate::checksum::crc32c_of;
use crate::ids::ServerId;
use crate::limits::BLOCK;
use crate::zxid::{Epoch, Zxid};

const MAGIC: u32 = u32::from_be_bytes(*b"RKSB");
const VERSION: u32 = 1;
const FLAG_SNAPSHOT: u32 = 1;
const FLAG_DAMAGED: u32 = 2;

/// What is under way; recovery finishes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Marker {
    /// Everything above goes. Names a zxid that is in the log.
    Truncate(Zxid),
    /// Everything goes; the log begins anew above it.
    Reset(Zxid),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Superblock {
    pub cluster_id: u64,
    pub server_id: ServerId,
    /// The epoch this server has promised.
    pub accepted_epoch: Epoch,
    /// The epoch whose history this server holds durable.
    pub current_epoch: Epoch,
    pub truncation: Option<Marker>,
    /// The newest verified snapshot.
    pub snapshot: Option<Zxid>,
    /// Acknowledged txns were lost here and not yet fetched again: this server may not vote.
    pub damaged: bool,
    /// What an empty log builds upon.
    pub(super) base: Zxid,
    /// Evidence: batches up to this one were durable.
    pub(super) durable_sequence: u64,
    /// Batches up to this one were given up when the log became empty; a segment that begins with
    /// one of them is a leftover.
    pub(super) floor_sequence: u64,
}

impl Superblock {
    fn new(cluster_id: u64, server_id: ServerId) -> Self {
        Self {
            cluster_id,
            server_id,
            accepted_epoch: Epoch(0),
            current_epoch: Epoch(0),
            truncation: None,
            snapshot: None,
            damaged: false,
            base: Zxid::ZERO,
            durable_sequence: 0,
            floor_sequence: 0,
        }
    }

    fn encode(&self, generation: u64) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        let mut flags = 0;
        if self.snapshot.is_some() {
            flags |= FLAG_SNAPSHOT;
        }
        if self.damaged {
            flags |= FLAG_DAMAGED;
        }
        let (kind, marked) = match self.truncation {
            None => (0_u32, Zxid::ZERO),
            Some(Marker::Truncate(to)) => (1, to),
            Some(Marker::Reset(to)) => (2, to),
        };
        block[0..4].copy_from_slice(&MAGIC.to_be_bytes());
        block[8..12].copy_from_slice(&VERSION.to_be_bytes());
        block[12..16].copy_from_slice(&flags.to_be_bytes());
        block[16..20].copy_from_slice(&kind.to_be_bytes());
        block[24..32].copy_from_slice(&generation.to_be_bytes());
        block[32..40].copy_from_slice(&self.cluster_id.to_be_bytes());
        block[40..48].copy_from_slice(&self.server_id.0.to_be_bytes());
        block[48..56].copy_from_slice(&self.accepted_epoch.0.to_be_bytes());
        block[56..64].copy_from_slice(&self.current_epoch.0.to_be_bytes());
        block[64..72].copy_from_slice(&marked.0.to_be_bytes());
        block[72..80].copy_from_slice(&self.snapshot.unwrap_or(Zxid::ZERO).0.to_be_bytes());
        block[80..88].copy_from_slice(&self.base.0.to_be_bytes());
        block[88..96].copy_from_slice(&self.durable_sequence.to_be_bytes());
        block[96..104].copy_from_slice(&self.floor_sequence.to_be_bytes());
        let crc = crc32c_of(&[&block[8..]]);
        block[4..8].copy_from_slice(&crc.to_be_bytes());
        block
    }

    /// The generation and the record, if the slot is whole.
    fn decode(block: &[u8]) -> Option<(u64, Self)> {
        if block.len() != BLOCK
            || u32_at(block, 0) != MAGIC
            || u32_at(block, 4) != crc32c_of(&[&block[8..]])
            || u32_at(block, 8) != VERSION
        {
            return None;
        }
        let flags = u32_at(block, 12);
        let truncation = match u32_at(block, 16) {
            0 => None,
            1 => Some(Marker::Truncate(zxid_at(block, 64))),
            2 => Some(Marker::Reset(zxid_at(block, 64))),
            _ => return None,
        };
        let record = Self {
            cluster_id: u64_at(block, 32),
            server_id: ServerId(u64_at(block, 40) as i64),
            accepted_epoch: Epoch(u64_at(block, 48) as i64),
            current_epoch: Epoch(u64_at(block, 56) as i64),
            truncation,
            snapshot: (flags & FLAG_SNAPSHOT != 0).then(|| zxid_at(block, 72)),
            damaged: flags & FLAG_DAMAGED != 0,
            base: zxid_at(block, 80),
            durable_sequence: u64_at(block, 88),
            floor_sequence: u64_at(block, 96),
        };
        Some((u64_at(block, 24), record))
    }
}

/// The file: the record in it, and which slot holds it.
#[derive(Debug)]
pub(super) struct SuperblockFile {
    record: Superblock,
    generation: u64,
    newest: usize,
}

impl SuperblockFile {
    /// A new file for a server that never had one.
    pub(super) fn create(
        disk: &mut dyn Disk,
        cluster_id: u64,
        server_id: ServerId,
    ) -> Result<Self, DiskError> {
        let record = Superblock::new(cluster_id, server_id);
        let mut both = record.encode(1).to_vec();
        both.extend_from_slice(&record.encode(1));
        disk.write(FileName::Superblock, 0, &both)?;
        disk.sync(FileName::Superblock)?;
        disk.sync_dir()?;
        Ok(Self { record, generation: 1, newest: 0 })
    }

    /// The newest whole record; `None` if neither slot holds one.
    pub(super) fn load(disk: &mut dyn Disk) -> Result<Option<Self>, LogError> {
        let mut both = [0; 2 * BLOCK];
        let len = disk.read(FileName::Superblock, 0, &mut both)?;
        let slot = |at: usize| {
            let block = both[..len].get(at * BLOCK..(at + 1) * BLOCK)?;
            let (generation, record) = Superblock::decode(block)?;
            Some(Self { record, generation, newest: at })
        };
        Ok(match (slot(0), slot(1)) {
            (Some(a), Some(b)) if b.generation > a.generation => Some(b),
            (Some(a), _) => Some(a),
            (None, b) => b,
        })
    }

    pub(super) fn record(&self) -> &Superblock {
        &self.record
    }

    /// `record` is durable when this returns. On an error the process must end: which of the two
    /// records is on disk is not known.
    pub(super) fn store(
        &mut self,
        disk: &mut dyn Disk,
        record: Superblock,
    ) -> Result<(), DiskError> {
        let old = &self.record;
        assert!(
            record.accepted_epoch >= old.accepted_epoch
                && record.current_epoch >= old.current_epoch
                && record.current_epoch <= record.accepted_epoch,
            "S1: {record:?} after {old:?}"
        );
        let generation = self.generation + 1;
        let block = record.encode(generation);
        let target = 1 - self.newest;
        disk.write(FileName::Superblock, (target * BLOCK) as u64, &block)?;
        disk.sync(FileName::Superblock)?;
        *self = Self { record, generation, newest: target };
        // The copy needs no sync: whatever becomes of it, the slot just synced holds the record.
        disk.write(FileName::Superblock, ((1 - target) * BLOCK) as u64, &block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::MemoryDisk;

    fn stored(disk: &mut MemoryDisk) -> Superblock {
        *SuperblockFile::load(disk).unwrap().unwrap().record()
    }

    fn with_epoch(epoch: i64) -> Superblock {
        Superblock {
            accepted_epoch: Epoch(epoch),
            truncation: Some(Marker::Truncate(Zxid(epoch))),
            snapshot: Some(Zxid(-epoch)),
            damaged: epoch % 2 == 1,
            ..Superblock::new(7, ServerId(1))
        }
    }

    #[test]
    fn s2_a_store_cut_anywhere_leaves_the_old_record_or_the_new() {
        for seed in 0..200 {
            let mut disk = MemoryDisk::new();
            let mut file = SuperblockFile::create(&mut disk, 7, ServerId(1)).unwrap();
            for epoch in 1..4 {
                file.store(&mut disk, with_epoch(epoch)).unwrap();
            }
            disk.cut_after(seed % 4);
            let outcome = file.store(&mut disk, with_epoch(4));
            let in_memory = *file.record();
            disk.crash(seed);
            let found = stored(&mut disk);
            assert!(in_memory == with_epoch(3) || found == in_memory, "S2: seed {seed}");
            let expected: &[i64] = if outcome.is_ok() { &[4] } else { &[3, 4] };
            assert!(expected.iter().any(|&e| with_epoch(e) == found), "seed {seed}: {found:?}");
        }
    }

    #[test]
    fn one_rotten_slot_costs_nothing() {
        for slot in 0..2 {
            let mut disk = MemoryDisk::new();
            let mut file = SuperblockFile::create(&mut disk, 7, ServerId(1)).unwrap();
            for epoch in 1..4 {
                file.store(&mut disk, with_epoch(epoch)).unwrap();
                disk.flip(FileName::Superblock, (slot * BLOCK + 50) as u64);
                assert_eq!(stored(&mut disk), with_epoch(epoch));
                disk.flip(FileName::Superblock, (slot * BLOCK + 50) as u64);
            }
        }
    }

    #[test]
    #[should_panic(expected = "S1")]
    fn s1_an_epoch_never_regresses() {
        let mut disk = MemoryDisk::new();
        let mut file = SuperblockFile::create(&mut disk, 7, ServerId(1)).unwrap();
        file.store(&mut disk, with_epoch(2)).unwrap();
        let _ = file.store(&mut disk, with_epoch(1));
    }
}
