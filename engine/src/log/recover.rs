//! Recovery: from the files of a start to a log that takes appends.
//!
//! Follows the chain of batches from the oldest segment on, as far as every checksum, sequence and
//! link holds. What lies behind the end is a torn tail (zeroed and synced before the first append,
//! so that nothing acknowledged later can hide behind it) or, where there is proof that it was
//! durable, damage: then nothing is changed and the log only says so. Reports as durable only what
//! it has synced itself: after a crash of the process alone a read may come from a cache.
//!
//! A truncation or reset that was cut is finished first (`truncate`).
//!
//! Not here: the proofs (`evidence`), what to do about damage (`zab`: fetch from the quorum).

use std::collections::VecDeque;
use std::sync::Arc;

use super::batch::packets;
use super::dice::Dice;
use super::disk::{Disk, DiskError, FileName};
use super::evidence::{headless_proves_durable, proves_durable};
use super::flight::{Flight, Reach};
use super::history::{History, Run};
use super::passing::begins_whole;
use super::proposals::Proposals;
use super::segment::{FirstBlock, Segment, SegmentHeader};
use super::slab::Slab;
use super::spares::Spares;
use super::superblock::{Marker, Superblock, SuperblockFile};
use super::truncate::Cut;
use super::window::{Window, zero_out};
use super::{Log, LogError, LogFailure, LogOptions};
use crate::limits::BLOCK;
use crate::zxid::Zxid;

/// An open log, and what was found.
#[derive(Debug)]
pub struct Opened {
    pub log: Log,
    pub superblock: Superblock,
    pub report: RecoveryReport,
}

/// What recovery found and did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RecoveryReport {
    /// Batches read and found whole.
    pub batches: u64,
    /// Segments behind the newest snapshot that were not read.
    pub passed_over: u64,
    /// Bytes of a torn tail that were zeroed.
    pub torn_bytes: u64,
    /// A truncation or reset that had been cut, and was finished.
    pub finished: Option<Marker>,
    pub damage: Option<Damage>,
}

/// Acknowledged batches do not read back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Damage {
    /// The last zxid that is here with everything before it; the first missing one follows it.
    pub after: Zxid,
    pub file: FileName,
    pub offset: u64,
}

/// What recovery comes by, for whoever would read it again otherwise. The log that it leaves has all
/// of it, or says what was damaged or finished first.
#[derive(Clone, Copy, Debug)]
pub enum Passed<'a> {
    /// The packets of the next batch, which is whole.
    Packets(&'a [u8]),
    /// What came before does not connect to what follows, and is given up.
    Void,
}

/// A segment file as the start finds it.
pub(super) struct Found {
    number: u64,
    size: u64,
    first_block: FirstBlock,
}

impl Found {
    fn file(&self) -> FileName {
        FileName::Segment(self.number)
    }

    fn header(&self) -> Option<SegmentHeader> {
        match self.first_block {
            FirstBlock::Header(header) => Some(header),
            FirstBlock::Zero | FirstBlock::Broken => None,
        }
    }
}

/// How the chain ended.
struct ChainEnd {
    /// In the middle of what a truncation takes away.
    cut: Option<Cut>,
    /// E2: a later segment is in use and does not follow.
    is_broken: bool,
}

impl Log {
    /// Opens what is on the disk, or begins a new log where there is nothing.
    pub fn open(
        disk: &mut dyn Disk,
        options: LogOptions,
        entropy: u64,
    ) -> Result<Opened, LogError> {
        Self::open_telling(disk, options, entropy, &mut |_| {})
    }

    /// `open`, handing over every batch that is read on the way.
    pub fn open_telling(
        disk: &mut dyn Disk,
        options: LogOptions,
        entropy: u64,
        tell: &mut dyn FnMut(Passed<'_>),
    ) -> Result<Opened, LogError> {
        if disk.list()?.iter().any(|file| file.0 == FileName::ImportAside) {
            return Err(LogError::Unfounded);
        }
        Self::open_founded(disk, options, entropy, tell)
    }

    /// `open_telling`, also while a founding goes on.
    pub(super) fn open_founded(
        disk: &mut dyn Disk,
        options: LogOptions,
        entropy: u64,
        tell: &mut dyn FnMut(Passed<'_>),
    ) -> Result<Opened, LogError> {
        options.check();
        let files = disk.list()?;
        let superblock = open_superblock(disk, &files, &options)?;
        for &(file, _) in &files {
            if matches!(file, FileName::Spare(_) | FileName::SnapshotAside(_)) {
                disk.remove(file)?;
            }
        }
        let found = find_segments(disk, &files, superblock.record())?;
        let mut log = Self::empty(options, superblock, entropy);
        for segment in &found {
            log.spares.saw(segment.number);
        }
        let mut report = RecoveryReport::default();
        log.recover(disk, &found, &mut report, tell)?;
        if let Some(last) = log.segments.back() {
            disk.sync(last.file())?;
        }
        disk.sync_dir()?;
        // A snapshot may be durable before the log is: what it holds was decided.
        if let Some(snapshot) = log.superblock().snapshot
            && snapshot > log.appended()
            && log.damage.is_none()
        {
            log.reset(disk, snapshot)?;
        }
        report.damage = log.damage;
        log.proposals.reset(log.appended());
        Ok(Opened { superblock: *log.superblock(), log, report })
    }

    fn empty(options: LogOptions, superblock: SuperblockFile, entropy: u64) -> Self {
        let record = *superblock.record();
        let mut log = Self {
            options,
            superblock,
            segments: VecDeque::new(),
            orphans: Vec::new(),
            suspects: Vec::new(),
            spares: Spares::new(&options),
            proposals: Proposals::new(record.base, options.batch_bytes_max),
            flight: Flight::default(),
            header_slab: Some(Arc::new(Slab::new(BLOCK))),
            history: History::new(record.base),
            durable: Reach { zxid: record.base, sequence: 0, segment: 0, end: 0 },
            next_sequence: record.durable_sequence + 1,
            chain: 0,
            dice: Dice(entropy),
            generation: 0,
            damage: None,
            failed: None,
        };
        log.note_durable();
        log
    }

    /// Everything in memory is durable.
    pub(super) fn note_durable(&mut self) {
        let (segment, end) =
            self.segments.back().map_or((0, 0), |last| (last.header.number, last.end));
        self.durable =
            Reach { zxid: self.history.last(), sequence: self.next_sequence - 1, segment, end };
    }

    fn recover(
        &mut self,
        disk: &mut dyn Disk,
        found: &[Found],
        report: &mut RecoveryReport,
        tell: &mut dyn FnMut(Passed<'_>),
    ) -> Result<(), LogFailure> {
        let marker = self.superblock().truncation;
        if let Some(Marker::Reset(to)) = marker {
            report.finished = marker;
            self.adopt_ready(disk, found)?;
            let used = found.iter().filter(|found| found.first_block != FirstBlock::Zero);
            return self.finish_reset(disk, to, used.map(|found| found.number).collect());
        }
        let doom = marker.map(|marker| match marker {
            Marker::Truncate(to) | Marker::Reset(to) => to,
        });
        let end = self.follow_chain(disk, found, doom, report, tell)?;
        self.note_durable();
        if let Some(damage) = self.assess(disk, found, &end, doom)? {
            self.declare(damage, found);
            return Ok(());
        }
        self.adopt_ready(disk, found)?;
        if doom.is_some() {
            report.finished = marker;
            let used = found.iter().filter(|found| found.first_block != FirstBlock::Zero);
            let doomed = used.map(|found| found.number).filter(|&n| !self.is_held(n)).collect();
            return self.finish_truncation(disk, end.cut, doomed);
        }
        report.torn_bytes = self.clean_tail(disk, found)?;
        Ok(())
    }

    fn is_held(&self, number: u64) -> bool {
        self.segments.iter().any(|segment| segment.header.number == number)
            || self.orphans.iter().any(|orphan| orphan.0 == number)
    }

    /// Walks from segment to segment. `doom` is the zxid above which everything is to go.
    fn follow_chain(
        &mut self,
        disk: &mut dyn Disk,
        found: &[Found],
        doom: Option<Zxid>,
        report: &mut RecoveryReport,
        tell: &mut dyn FnMut(Passed<'_>),
    ) -> Result<ChainEnd, DiskError> {
        // A segment that begins at or above the doom holds nothing that stays.
        let used: Vec<(SegmentHeader, u64)> = found
            .iter()
            .filter_map(|found| Some((found.header()?, found.size)))
            .filter(|(header, _)| doom.is_none_or(|to| header.base < to))
            .collect();
        let snapshot = self.superblock().snapshot;
        let mut window = Window::default();
        let mut at = 0;
        if let Some((header, _)) = used.first() {
            self.history = History::new(header.base);
        }
        while let Some(&(header, size)) = used.get(at) {
            if doom.is_none()
                && let Some(&(next, next_size)) = used.get(at + 1)
                && self.may_pass_over(&header, &next)
                && begins_whole(disk, &mut window, &next, next_size)?
            {
                self.pass_over(header, size, &next);
                report.passed_over += 1;
                at += 1;
                continue;
            }
            let cut = self.walk_segment(disk, &mut window, (header, size), doom, report, tell)?;
            if cut.is_some() {
                return Ok(ChainEnd { cut, is_broken: false });
            }
            let continues = |(next, _): &(SegmentHeader, u64)| {
                next.first_sequence == self.next_sequence
                    && next.before == self.chain
                    && next.base == self.history.last()
            };
            // A truncation leaves doomed segments between the ones that stay.
            let reach = if doom.is_some() { used.len() } else { (at + 2).min(used.len()) };
            let next = (at + 1..reach).find(|&next| continues(&used[next]));
            let Some(&(later, _)) = used.get(next.unwrap_or(at + 1)) else { break };
            if next.is_none() {
                if snapshot.is_none_or(|snapshot| later.base > snapshot) {
                    return Ok(ChainEnd { cut: None, is_broken: doom.is_none() });
                }
                // What does not connect is older than the snapshot: nobody needs it.
                let old = self.segments.drain(..).map(|old| (old.header.number, old.size));
                self.orphans.extend(old);
                self.history = History::new(later.base);
                tell(Passed::Void);
            }
            at = next.unwrap_or(at + 1);
        }
        Ok(ChainEnd { cut: None, is_broken: false })
    }

    /// Takes the batches of one segment as far as they hold; `Some` at the first that is doomed.
    fn walk_segment(
        &mut self,
        disk: &mut dyn Disk,
        window: &mut Window,
        (header, size): (SegmentHeader, u64),
        doom: Option<Zxid>,
        report: &mut RecoveryReport,
        tell: &mut dyn FnMut(Passed<'_>),
    ) -> Result<Option<Cut>, DiskError> {
        let mut segment = Segment::new(header, size);
        let file = segment.file();
        self.chain = header.before;
        self.next_sequence = header.first_sequence;
        let mut cut = None;
        while let Some(read) = window.header(disk, file, segment.end, size, header.incarnation)? {
            let batch = read.header;
            let last = self.history.last();
            let follows =
                batch.first.follows(last) || (self.history.is_empty() && batch.first > last);
            if batch.sequence != self.next_sequence || batch.before != self.chain || !follows {
                break;
            }
            let doomed = doom.is_some_and(|to| batch.last > to);
            if doomed && doom.is_some_and(|to| batch.first > to) {
                cut = Some(Cut::at(segment.end, &batch, last));
                break;
            }
            let Some(run) = window.body(disk, file, segment.end, size, &read)? else { break };
            if doomed {
                let kept = packets(run).take_while(|&(zxid, _)| doom.is_some_and(|to| zxid <= to));
                cut = Some(Cut::at(segment.end, &batch, last).keeping(kept));
                break;
            }
            tell(Passed::Packets(run));
            self.history.push_run(Run { first: batch.first, last: batch.last });
            segment.push(batch.first, batch.last, batch.len());
            self.chain = read.crc;
            self.next_sequence += 1;
            report.batches += 1;
        }
        self.segments.push_back(segment);
        Ok(cut)
    }

    /// Whether anything proves that more was durable than the chain holds (`evidence`).
    fn assess(
        &mut self,
        disk: &mut dyn Disk,
        found: &[Found],
        end: &ChainEnd,
        doom: Option<Zxid>,
    ) -> Result<Option<Damage>, DiskError> {
        let record = *self.superblock();
        let floor = record.snapshot.unwrap_or(record.base);
        let (file, offset) = match self.segments.back() {
            Some(last) => (last.file(), last.end),
            None => (FileName::Superblock, 0),
        };
        if self.history.base() > floor {
            let file = self.segments.front().map_or(file, Segment::file);
            return Ok(Some(Damage { after: floor, file, offset: 0 }));
        }
        let damage = Damage { after: self.appended(), file, offset };
        if let Some(to) = doom {
            let is_short = end.cut.is_none() && self.appended() < to;
            return Ok(is_short.then_some(damage));
        }
        if end.is_broken || record.durable_sequence >= self.next_sequence {
            return Ok(Some(damage));
        }
        let expected = self.next_sequence;
        let mut above = 0;
        if let Some(last) = self.segments.back() {
            above = last.header.number;
            let own = Some(last.header.incarnation);
            if proves_durable(disk, file, offset, last.size, expected, own)? {
                return Ok(Some(damage));
            }
        }
        for later in found.iter().filter(|later| later.number > above) {
            let (file, size, first_block) = (later.file(), later.size, later.first_block);
            if headless_proves_durable(disk, file, size, first_block, expected)? {
                return Ok(Some(damage));
            }
        }
        Ok(None)
    }

    /// Keeps every file as it is; what memory holds is the good part.
    fn declare(&mut self, damage: Damage, found: &[Found]) {
        if damage.after != self.appended() {
            // The beginning is missing: what is left connects to nothing.
            self.segments.clear();
            self.orphans.clear();
            self.history = History::new(damage.after);
            self.next_sequence = self.superblock().durable_sequence + 1;
            self.chain = 0;
            self.note_durable();
        }
        self.damage = Some(damage);
        self.suspects =
            found.iter().map(|found| found.number).filter(|&n| !self.is_held(n)).collect();
    }

    /// Ready segments become spares; those that can be none go.
    fn adopt_ready(&mut self, disk: &mut dyn Disk, found: &[Found]) -> Result<(), DiskError> {
        let above = self.segments.back().map_or(0, |last| last.header.number);
        for ready in found.iter().filter(|found| found.first_block == FirstBlock::Zero) {
            if ready.number > above && ready.size == self.options.segment_bytes {
                self.spares.found(ready.number, ready.size);
            } else {
                disk.remove(ready.file())?;
            }
        }
        Ok(())
    }

    /// Zeroes what a torn tail left, in the last segment and in one that was about to begin.
    fn clean_tail(&mut self, disk: &mut dyn Disk, found: &[Found]) -> Result<u64, LogFailure> {
        let mut zeroed = 0;
        let above = self.segments.back().map_or(0, |last| last.header.number);
        for broken in found.iter().filter(|found| found.first_block == FirstBlock::Broken) {
            if broken.number > above {
                zeroed += self.retire(disk, broken.number, broken.size)?;
            } else {
                self.orphans.push((broken.number, broken.size));
            }
        }
        // A header without a batch: the roll was cut, and the next one may begin otherwise.
        let is_bare = |last: &mut Segment| last.end == BLOCK as u64;
        if let Some(bare) = self.segments.pop_back_if(is_bare) {
            self.note_durable();
            if self.segments.is_empty() {
                let record = self.record();
                self.store(disk, record)?;
            }
            zeroed += self.retire(disk, bare.header.number, bare.size)?;
        }
        if let Some(last) = self.segments.back() {
            zeroed += zero_out(disk, last.file(), last.end, last.size)?;
        }
        Ok(zeroed)
    }

    /// A segment in use becomes a ready one.
    fn retire(&mut self, disk: &mut dyn Disk, number: u64, size: u64) -> Result<u64, DiskError> {
        let file = FileName::Segment(number);
        if size != self.options.segment_bytes {
            disk.remove(file)?;
            return Ok(0);
        }
        let zeroed = zero_out(disk, file, 0, size)?;
        disk.sync(file)?;
        self.spares.found(number, size);
        Ok(zeroed)
    }
}

fn open_superblock(
    disk: &mut dyn Disk,
    files: &[(FileName, u64)],
    options: &LogOptions,
) -> Result<SuperblockFile, LogError> {
    let is_there = files.iter().any(|file| file.0 == FileName::Superblock);
    let loaded = if is_there { SuperblockFile::load(disk)? } else { None };
    let Some(superblock) = loaded else {
        // Segments are asked for only once the superblock is durable: without any, the first start
        // was cut.
        if files.iter().any(|file| matches!(file.0, FileName::Segment(_))) {
            return Err(LogError::SuperblockLost);
        }
        return Ok(SuperblockFile::create(disk, options.cluster_id, options.server_id)?);
    };
    let record = superblock.record();
    let facts = [
        ("cluster id", record.cluster_id as i64, options.cluster_id as i64),
        ("server id", record.server_id.0, options.server_id.0),
    ];
    match facts.into_iter().find(|(_, found, configured)| found != configured) {
        Some((field, found, configured)) => Err(LogError::Foreign { field, found, configured }),
        None => Ok(superblock),
    }
}

/// Every segment file, by number. One that says it is another's is broken; one that the log gave up
/// before is removed.
fn find_segments(
    disk: &mut dyn Disk,
    files: &[(FileName, u64)],
    record: &Superblock,
) -> Result<Vec<Found>, DiskError> {
    let mut found = Vec::new();
    let mut block = vec![0; BLOCK];
    for &(file, size) in files {
        let FileName::Segment(number) = file else { continue };
        let len = disk.read(file, 0, &mut block)?;
        let first_block = match FirstBlock::decode(&block[..len]) {
            FirstBlock::Header(header)
                if header.number != number || header.cluster_id != record.cluster_id =>
            {
                FirstBlock::Broken
            }
            FirstBlock::Header(header) if header.first_sequence <= record.floor_sequence => {
                disk.remove(file)?;
                continue;
            }
            first_block => first_block,
        };
        found.push(Found { number, size, first_block });
    }
    found.sort_by_key(|found| found.number);
    Ok(found)
}
