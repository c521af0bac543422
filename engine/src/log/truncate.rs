//! Truncation and reset: the only ways in which the log loses what it held.
//!
//! First the superblock names what is under way, durably; then files change and are synced; then
//! the superblock forgets it. Recovery finds the marker and does the same once more from wherever
//! it was cut: `finish_truncation` and `finish_reset` are called by both.
//!
//! A truncation that ends within a batch never touches that batch before the packets that stay have
//! become durable elsewhere, as the first batch of the next segment, with the sequence and the link
//! of the batch they come from. Then the old batch and all behind it are zeroed, and the chain goes
//! on from its last whole batch to the next segment.
//!
//! Invariants:
//! - T1. At every moment, what stays is durable in at least one place that recovery finds.
//! - T2. No snapshot above the new end survives.
//!
//! Not here: what to truncate to (`zab`).

use super::batch::{self, BATCH_HEADER_BYTES, BatchHeader, padded};
use super::disk::{Disk, DiskError, FileName};
use super::history::{History, Run};
use super::segment::{Segment, prepare_segment};
use super::slab::Slab;
use super::superblock::Marker;
use super::window::{Window, zero_out};
use super::{Log, LogFailure};
use crate::limits::BLOCK;
use crate::zxid::Zxid;

/// The first batch that does not stay as it is, in the last segment held.
pub(super) struct Cut {
    offset: u64,
    sequence: u64,
    before: u32,
    /// The zxid before this batch.
    last: Zxid,
    /// The packets of it that stay, and their zxids.
    kept: Vec<u8>,
    kept_run: Option<Run>,
}

impl Cut {
    pub(super) fn at(offset: u64, batch: &BatchHeader, last: Zxid) -> Self {
        let BatchHeader { sequence, before, .. } = *batch;
        Self { offset, sequence, before, last, kept: Vec::new(), kept_run: None }
    }

    pub(super) fn keeping<'a>(mut self, packets: impl Iterator<Item = (Zxid, &'a [u8])>) -> Self {
        for (zxid, packet) in packets {
            self.kept.extend_from_slice(packet);
            let first = self.kept_run.map_or(zxid, |run| run.first);
            self.kept_run = Some(Run { first, last: zxid });
        }
        self
    }
}

impl Log {
    /// Whether the log can lose what is above `to` and still lead from a state that is on this disk
    /// to its new end. Otherwise only a snapshot from the leader helps.
    pub fn can_truncate(&self, disk: &mut dyn Disk, to: Zxid) -> Result<bool, LogFailure> {
        let base = self.history.base();
        Ok(to >= base && (base == Zxid::ZERO || newest_snapshot(disk, base, to)?.is_some()))
    }

    /// Everything above `to` is gone, durably, when this returns; `durable` is lowered (law 2).
    /// Needs `is_quiet` and `to` not below the base. Of a damaged log, `truncate(durable())` drops
    /// the damaged part; the server still may not vote until its current epoch moves.
    pub fn truncate(&mut self, disk: &mut dyn Disk, to: Zxid) -> Result<(), LogFailure> {
        self.guard()?;
        assert!(self.is_quiet(), "law 7: a truncation waits for what is in flight");
        let to = self.history.last_at_or_before(to);
        let to = to.expect("law 5: a truncation ends within this log's history");
        if to == self.appended() && self.damage.is_none() {
            return Ok(());
        }
        let result = self.begin_truncation(disk, to);
        self.settle(result)
    }

    fn begin_truncation(&mut self, disk: &mut dyn Disk, to: Zxid) -> Result<(), LogFailure> {
        let cut = if to < self.appended() { Some(self.find_cut(disk, to)?) } else { None };
        let sequence = cut.as_ref().map_or(self.next_sequence, |(_, cut)| cut.sequence);
        let mut record = self.record();
        record.truncation = Some(Marker::Truncate(to));
        record.durable_sequence = sequence - 1;
        record.damaged |= self.damage.is_some();
        if record.snapshot.is_some_and(|snapshot| snapshot > to) {
            record.snapshot = newest_snapshot(disk, self.history.base(), to)?;
        }
        self.superblock.store(disk, record)?;
        let mut doomed = std::mem::take(&mut self.suspects);
        let cut = cut.map(|(index, cut)| {
            let rest = self.segments.drain(index + 1..);
            doomed.extend(rest.map(|segment| segment.header.number));
            cut
        });
        self.finish_truncation(disk, cut, doomed)
    }

    /// Where the first batch stands that does not stay whole: its segment's index, and the cut.
    fn find_cut(&self, disk: &mut dyn Disk, to: Zxid) -> Result<(usize, Cut), LogFailure> {
        let index = self.segments.partition_point(|segment| segment.last <= to);
        let segment = &self.segments[index];
        let (file, end, incarnation) = (segment.file(), segment.end, segment.header.incarnation);
        let mut window = Window::default();
        let mut offset = segment.place_before(to);
        loop {
            let corrupt = LogFailure::Corrupt { file, offset };
            let read = window.header(disk, file, offset, end, incarnation)?.ok_or(corrupt)?;
            if read.header.last > to {
                let last = Zxid(read.header.first.0 - 1);
                let last = self.history.last_at_or_before(last);
                let last = last.expect("what comes before a batch is in the history");
                let run = window.body(disk, file, offset, end, &read)?.ok_or(corrupt)?;
                let kept = batch::packets(run).take_while(|&(zxid, _)| zxid <= to);
                return Ok((index, Cut::at(offset, &read.header, last).keeping(kept)));
            }
            offset += read.header.len() as u64;
        }
    }

    /// The marker is durable; memory holds the segments up to the one with the cut. Without a cut
    /// everything held stays, and only what lies behind it goes.
    pub(super) fn finish_truncation(
        &mut self,
        disk: &mut dyn Disk,
        cut: Option<Cut>,
        doomed: Vec<u64>,
    ) -> Result<(), LogFailure> {
        let mut refuge = None;
        if let Some(cut) = cut {
            self.history.truncate(cut.last);
            self.next_sequence = cut.sequence;
            self.chain = cut.before;
            let segment = self.segments.back_mut().expect("a cut is made in a segment held");
            segment.cut(cut.offset, cut.last);
            if let Some(run) = cut.kept_run {
                refuge = Some(self.keep_elsewhere(disk, &cut.kept, run)?);
            }
        }
        if let Some(bare) = self.segments.pop_back_if(|last| last.end == BLOCK as u64) {
            disk.remove(bare.file())?;
        }
        if let Some(last) = self.segments.back() {
            zero_out(disk, last.file(), last.end, last.size)?;
            disk.sync(last.file())?;
        }
        // Sequences repeat from the cut on. A batch that a torn roll left in a ready segment may
        // know of later ones, and would prove them lost.
        for number in doomed.into_iter().chain(self.spares.drain()) {
            disk.remove(FileName::Segment(number))?;
        }
        self.segments.extend(refuge);
        self.proposals.truncate(self.history.last());
        self.forget_marker(disk)
    }

    /// Writes the packets that stay as the first batch of a new segment, durably (T1).
    fn keep_elsewhere(
        &mut self,
        disk: &mut dyn Disk,
        kept: &[u8],
        run: Run,
    ) -> Result<Segment, LogFailure> {
        let needed = BLOCK + padded(kept.len());
        let above = self.segments.back().map_or(0, |segment| segment.header.number);
        let ready = self.spares.take(above).filter(|ready| ready.1 >= needed as u64);
        let (number, size) = match ready {
            Some(ready) => ready,
            None => {
                let number = self.spares.name();
                let size = self.options.segment_bytes.max(needed as u64);
                prepare_segment(disk, number, size, None)?;
                (number, size)
            }
        };
        let header = self.next_header(number, run.first);
        let mut slab = Slab::new(needed);
        header.encode(&mut slab[..BLOCK]);
        let body = BLOCK + BATCH_HEADER_BYTES;
        slab[body..body + kept.len()].copy_from_slice(kept);
        let batch = BatchHeader {
            before: self.chain,
            incarnation: header.incarnation,
            sequence: self.next_sequence,
            first: run.first,
            last: run.last,
            count: (run.last.0 - run.first.0 + 1) as u32,
            bytes: kept.len() as u32,
            known_durable: self.next_sequence - 1,
        };
        let (len, crc) = batch::seal(&mut slab[BLOCK..], &batch);
        disk.write(FileName::Segment(number), 0, &slab[..BLOCK + len])?;
        disk.sync(FileName::Segment(number))?;
        let mut segment = Segment::new(header, size);
        segment.push(run.first, run.last, len);
        self.history.push_run(run);
        self.next_sequence += 1;
        self.chain = crc;
        Ok(segment)
    }

    /// Forgets everything and begins anew above `to`, the zxid of a snapshot that came from a
    /// leader and is whole, durable and verified: it becomes this server's snapshot in the same
    /// record that dooms the log, so that no cut pairs it with another history. Needs `is_quiet`.
    pub fn reset(&mut self, disk: &mut dyn Disk, to: Zxid) -> Result<(), LogFailure> {
        self.guard()?;
        assert!(self.is_quiet(), "law 7: a reset waits for what is in flight");
        let mut record = self.record();
        record.truncation = Some(Marker::Reset(to));
        record.snapshot = Some(to);
        record.base = to;
        record.floor_sequence = record.durable_sequence;
        record.damaged |= self.damage.is_some();
        let result = self.superblock.store(disk, record).map_err(LogFailure::from);
        self.settle(result)?;
        let segments = self.segments.iter().map(|segment| segment.header.number);
        let orphans = self.orphans.iter().map(|orphan| orphan.0);
        let doomed = segments.chain(orphans).chain(self.suspects.iter().copied()).collect();
        let result = self.finish_reset(disk, to, doomed);
        self.settle(result)
    }

    /// The marker is durable.
    pub(super) fn finish_reset(
        &mut self,
        disk: &mut dyn Disk,
        to: Zxid,
        doomed: Vec<u64>,
    ) -> Result<(), LogFailure> {
        for number in doomed {
            disk.remove(FileName::Segment(number))?;
        }
        self.segments.clear();
        self.orphans.clear();
        self.history = History::new(to);
        self.proposals.reset(to);
        self.next_sequence = self.superblock().durable_sequence + 1;
        self.chain = 0;
        self.forget_marker(disk)
    }

    /// What had to go is gone: makes the names durable and takes the marker away.
    fn forget_marker(&mut self, disk: &mut dyn Disk) -> Result<(), LogFailure> {
        let end = self.history.last();
        for (file, _) in disk.list()? {
            if matches!(file, FileName::Snapshot(zxid) if zxid > end) {
                disk.remove(file)?;
            }
        }
        disk.sync_dir()?;
        self.suspects.clear();
        self.damage = None;
        self.generation += 1;
        self.note_durable();
        let mut record = self.record();
        record.truncation = None;
        self.superblock.store(disk, record)?;
        Ok(())
    }
}

/// The newest snapshot file within `base..=to`.
fn newest_snapshot(disk: &mut dyn Disk, base: Zxid, to: Zxid) -> Result<Option<Zxid>, DiskError> {
    let snapshots = disk.list()?.into_iter().filter_map(|(file, _)| match file {
        FileName::Snapshot(zxid) if zxid >= base && zxid <= to => Some(zxid),
        _ => None,
    });
    Ok(snapshots.max())
}
