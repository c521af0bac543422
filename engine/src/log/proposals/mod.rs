//! Proposals in memory: what gathers, what is on its way to the disk, and as much of the durable
//! past as is worth keeping.
//!
//! Each packet lies here once, and is written to the disk, sent to learners and applied from where
//! it lies. Packets stand end to end in slabs, batch by batch, behind the room for the batch's
//! header; an index finds them by zxid. So a learner is a place in this order, not a queue of its
//! own.
//!
//! A packet joins the last batch if that still gathers, the packet continues it, and a batch may be as
//! large; otherwise it begins the next one. A packet too large for any batch gets a slab of its own.
//!
//! Invariants, asserted where they could break:
//! - P1. Zxids ascend, and within an epoch without a gap (law 4).
//! - P2. Everything above `base` that was ever appended is here: `get` misses nothing in between.
//! - P3. A slab is written to only while its batch gathers, and nobody else holds it then.
//!
//! Not here: how large slabs are (`slabs`), when a batch goes (`group_commit`), its header
//! (`batch`), what may be forgotten (`replica` knows what is applied).

mod slabs;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use super::batch::{self, BATCH_HEADER_BYTES, padded};
use super::slab::{Part, Slab};
use crate::zxid::Zxid;
use slabs::Slabs;

/// How much more memory than bytes is kept, here and by whoever shares a slab: txns that come one by
/// one take a block each.
const ROOM_BY_BYTES: usize = 16;

/// A run of fewer bytes is copied, not shared.
const SHARED_BYTES_MIN: usize = 8 << 10;

#[derive(Clone, Copy, Debug)]
struct Entry {
    zxid: Zxid,
    /// Bytes of packets before this one, counted from the beginning of this object's life.
    before: u64,
    /// Counted likewise.
    batch: u64,
    at: u32,
    length: u32,
}

/// Packets that go to the disk together, and the slab they stand in.
#[derive(Debug)]
pub(super) struct Batch {
    slab: Arc<Slab>,
    pub first: Zxid,
    pub last: Zxid,
    pub count: u32,
    pub bytes: usize,
}

impl Batch {
    /// What it takes on disk.
    pub(super) fn len(&self) -> usize {
        padded(self.bytes)
    }
}

/// The proposals above `base`, in order.
#[derive(Debug)]
pub struct Proposals {
    base: Zxid,
    entries: VecDeque<Entry>,
    batches: VecDeque<Batch>,
    /// The number of `batches[0]`.
    first_batch: u64,
    /// How many of `batches` were handed out; those behind them gather.
    sealed: usize,
    /// Bytes of packets that gather.
    gathered: usize,
    /// Bytes that ever were appended, less those that were truncated again.
    passed: u64,
    slabs: Slabs,
}

/// Whole packets that lie end to end.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    pub bytes: &'a [u8],
    /// The zxid of the last packet.
    pub last: Zxid,
    /// Where they lie, if that gathers no more (P3).
    slab: Option<&'a Arc<Slab>>,
    at: usize,
}

impl Run<'_> {
    /// The packets as they lie, without a copy. `None` where they may still move, or are so few that
    /// a copy is less than what a share holds on to.
    pub fn share(&self) -> Option<Part> {
        let slab = self.slab?;
        let is_worth_it = self.bytes.len() >= SHARED_BYTES_MIN.max(slab.capacity() / ROOM_BY_BYTES);
        is_worth_it.then(|| Part::new(Arc::clone(slab), self.at..self.at + self.bytes.len()))
    }
}

impl Proposals {
    /// Nothing; what is appended first lies above `base`. A batch takes `batch_bytes_max`, a lone
    /// larger packet apart.
    pub(super) fn new(base: Zxid, batch_bytes_max: usize) -> Self {
        Self {
            base,
            entries: VecDeque::new(),
            batches: VecDeque::new(),
            first_batch: 0,
            sealed: 0,
            gathered: 0,
            passed: 0,
            slabs: Slabs::new(batch_bytes_max),
        }
    }

    /// See `Log::lend`.
    pub(super) fn lend(&mut self, memory: &'static mut [u8]) {
        self.slabs.lend(memory);
    }

    /// Everything after this is here.
    pub fn base(&self) -> Zxid {
        self.base
    }

    /// The oldest proposal in memory.
    pub fn first(&self) -> Option<Zxid> {
        self.entries.front().map(|entry| entry.zxid)
    }

    /// The newest proposal, or `base` where there is none.
    pub fn last(&self) -> Zxid {
        self.entries.back().map_or(self.base, |entry| entry.zxid)
    }

    /// Whether all that follows `after` is here.
    pub fn covers(&self, after: Zxid) -> bool {
        after >= self.base
    }

    /// Bytes of packets in memory.
    pub fn bytes(&self) -> usize {
        self.entries.front().map_or(0, |first| (self.passed - first.before) as usize)
    }

    /// Bytes of memory that they take: those of the slabs, however little stands in them.
    pub fn room(&self) -> usize {
        self.slabs.used_bytes()
    }

    /// How many bytes of packets follow `after`.
    pub fn bytes_after(&self, after: Zxid) -> usize {
        let Some(first) = self.entries.get(self.count_upto(after)) else { return 0 };
        (self.passed - first.before) as usize
    }

    /// Copies a packet behind the ones before it.
    pub(super) fn append(&mut self, zxid: Zxid, packet: &[u8]) {
        assert!(zxid > self.last(), "P1: {zxid:?} after {:?}", self.last());
        if !self.joins(zxid, packet.len()) {
            self.begin(zxid, packet.len());
        }
        let number = self.first_batch + self.batches.len() as u64 - 1;
        let batch = self.batches.back_mut().expect("begun above where there was none");
        let at = BATCH_HEADER_BYTES + batch.bytes;
        let slab = Arc::get_mut(&mut batch.slab).expect("P3: somebody holds what gathers");
        slab[at..at + packet.len()].copy_from_slice(packet);
        batch.last = zxid;
        batch.count += 1;
        batch.bytes += packet.len();
        self.gathered += packet.len();
        let narrow = |n: usize| u32::try_from(n).expect("a batch and a packet are bounded");
        self.entries.push_back(Entry {
            zxid,
            before: self.passed,
            batch: number,
            at: narrow(at),
            length: narrow(packet.len()),
        });
        self.passed += packet.len() as u64;
    }

    /// Whether the packet goes to the last batch, in a larger slab perhaps.
    fn joins(&mut self, zxid: Zxid, bytes: usize) -> bool {
        let gathers = self.gathering() > 0;
        let Some(batch) = self.batches.back_mut().filter(|_| gathers) else { return false };
        let end = BATCH_HEADER_BYTES + batch.bytes + bytes;
        if batch.last.next() != Some(zxid) {
            return false;
        }
        if end > batch.slab.capacity() {
            let held = &batch.slab[..BATCH_HEADER_BYTES + batch.bytes];
            let Some(larger) = self.slabs.take_larger(held, end) else { return false };
            self.slabs.give_back(std::mem::replace(&mut batch.slab, larger));
        }
        true
    }

    fn begin(&mut self, first: Zxid, bytes: usize) {
        let slab = self.slabs.take(padded(bytes));
        self.batches.push_back(Batch { slab, first, last: first, count: 0, bytes: 0 });
    }

    /// Batches that gather.
    pub(super) fn gathering(&self) -> usize {
        self.batches.len() - self.sealed
    }

    /// Bytes of packets that gather.
    pub(super) fn gathered_bytes(&self) -> usize {
        self.gathered
    }

    /// The oldest batch that gathers.
    pub(super) fn front(&self) -> Option<&Batch> {
        self.batches.get(self.sealed)
    }

    /// The oldest batch that gathers does so no more: `seal` completes it, and its slab is given, to
    /// be written and not to be written to.
    pub(super) fn hand_out<T>(&mut self, seal: impl FnOnce(&mut [u8]) -> T) -> (Arc<Slab>, T) {
        let batch = self.batches.get_mut(self.sealed).expect("a batch gathers");
        let slab = Arc::get_mut(&mut batch.slab).expect("P3: somebody holds what gathers");
        let sealed = seal(slab);
        self.sealed += 1;
        self.slabs.foresee(self.gathered);
        self.gathered -= batch.bytes;
        (batch.slab.clone(), sealed)
    }

    /// The packet.
    pub fn get(&self, zxid: Zxid) -> Option<&[u8]> {
        let entry = self.entries.get(self.count_upto(zxid).checked_sub(1)?)?;
        (entry.zxid == zxid).then(|| self.packet(entry))
    }

    /// `TxnHeader|txn|digest`: the packet without its frame.
    pub fn payload(&self, zxid: Zxid) -> Option<&[u8]> {
        self.get(zxid).map(batch::payload)
    }

    /// The proposal after `after`, which is here or is the one before the oldest.
    #[inline]
    pub fn next_payload(&self, after: Zxid) -> Option<(Zxid, &[u8])> {
        let entry = self.entries.get(self.count_upto(after))?;
        Some((entry.zxid, batch::payload(self.packet(entry))))
    }

    /// `(zxid, payload)` of everything after `after` up to and with `upto`, in order.
    pub fn payloads(&self, after: Zxid, upto: Zxid) -> impl Iterator<Item = (Zxid, &[u8])> {
        self.entries_between(after, upto)
            .map(|entry| (entry.zxid, batch::payload(self.packet(entry))))
    }

    /// The zxids after `after` up to and with `upto`, in order.
    pub fn zxids(&self, after: Zxid, upto: Zxid) -> impl Iterator<Item = Zxid> {
        self.entries_between(after, upto).map(|entry| entry.zxid)
    }

    /// How many there are after `after` up to and with `upto`.
    pub fn count(&self, after: Zxid, upto: Zxid) -> usize {
        self.count_upto(upto).saturating_sub(self.count_upto(after))
    }

    fn entries_between(&self, after: Zxid, upto: Zxid) -> impl Iterator<Item = &Entry> {
        let from = self.count_upto(after);
        self.entries.range(from..self.count_upto(upto).max(from))
    }

    /// The packets right after `after`, none above `upto`, as far as they lie end to end and fit
    /// into `bytes_max`; one packet in any case. `None` where nothing follows, or where the order
    /// in memory begins later (see `covers`).
    pub fn run(&self, after: Zxid, upto: Zxid, bytes_max: usize) -> Option<Run<'_>> {
        if !self.covers(after) {
            return None;
        }
        let from = self.count_upto(after);
        let to = self.count_upto(upto);
        let first = self.entries.get(from).filter(|_| from < to)?;
        // The farthest entry that ends within the bound; entries ascend by (batch, place).
        let bound = (first.batch, first.at as usize + bytes_max);
        let fits = |entry: &Entry| (entry.batch, (entry.at + entry.length) as usize) <= bound;
        let count = if fits(&self.entries[to - 1]) {
            to - from
        } else {
            self.partition(from, to, fits).max(1)
        };
        let last = &self.entries[from + count - 1];
        let end = (last.at + last.length) as usize;
        let slab = &self.batch(first.batch).slab;
        let at = first.at as usize;
        let is_sealed = first.batch - self.first_batch < self.sealed as u64;
        let (bytes, slab) = (&slab[at..end], is_sealed.then_some(slab));
        Some(Run { bytes, last: last.zxid, slab, at })
    }

    /// How many of `entries[from..to]` come before the first that does not fulfil `holds`.
    fn partition(&self, from: usize, to: usize, holds: impl Fn(&Entry) -> bool) -> usize {
        let (mut low, mut high) = (from, to);
        while low < high {
            let middle = low + (high - low) / 2;
            if holds(&self.entries[middle]) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low - from
    }

    /// Forgets the oldest batches that were handed out, none that reaches above `upto`, as long as
    /// the others have `bytes_kept`, or take `ROOM_BY_BYTES` times that of memory.
    pub(super) fn trim(&mut self, upto: Zxid, bytes_kept: usize) {
        while self.sealed > 0
            && let Some(first) = self.batches.front()
            && (self.bytes().saturating_sub(first.bytes) >= bytes_kept
                || self.room() - first.slab.capacity() >= ROOM_BY_BYTES * bytes_kept)
        {
            let in_first = self.entries.partition_point(|entry| entry.batch <= self.first_batch);
            let newest = in_first.checked_sub(1).map(|at| self.entries[at].zxid);
            if newest.is_some_and(|newest| newest > upto) {
                return;
            }
            self.entries.drain(..in_first);
            self.base = newest.unwrap_or(self.base);
            let batch = self.batches.pop_front().expect("it is the first");
            self.slabs.give_back(batch.slab);
            self.first_batch += 1;
            self.sealed -= 1;
        }
    }

    /// Forgets everything above `to`; nothing may gather. Where memory begins above `to`, what is
    /// appended next lies above `to` all the same.
    pub(super) fn truncate(&mut self, to: Zxid) {
        assert_eq!(self.gathering(), 0, "P3: a truncation waits for what gathers");
        if to < self.base {
            return self.reset(to);
        }
        while let Some(entry) = self.entries.pop_back_if(|entry| entry.zxid > to) {
            self.passed = entry.before;
        }
        while let Some(batch) = self.batches.pop_back_if(|batch| batch.first > to) {
            self.slabs.give_back(batch.slab);
            self.sealed -= 1;
        }
    }

    /// Forgets everything; nothing may gather. What is appended next lies above `base`.
    pub(super) fn reset(&mut self, base: Zxid) {
        assert_eq!(self.gathering(), 0, "P3: a reset waits for what gathers");
        self.entries.clear();
        self.first_batch += self.batches.len() as u64;
        self.sealed = 0;
        self.batches.drain(..).for_each(|batch| self.slabs.give_back(batch.slab));
        self.base = base;
    }

    /// How many entries have a zxid of at most `zxid`.
    fn count_upto(&self, zxid: Zxid) -> usize {
        let Some(last) = self.entries.back() else { return 0 };
        if zxid >= last.zxid {
            return self.entries.len();
        }
        // Perf: nearly every question is about the newest epoch, where places are counted, not
        // searched for.
        if zxid.epoch() == last.zxid.epoch() {
            let back = (last.zxid.0 - zxid.0) as usize;
            if let Some(at) = (self.entries.len() - 1).checked_sub(back)
                && self.entries[at].zxid == zxid
            {
                return at + 1;
            }
        }
        self.entries.partition_point(|entry| entry.zxid <= zxid)
    }

    fn packet(&self, entry: &Entry) -> &[u8] {
        let at = entry.at as usize;
        &self.batch(entry.batch).slab[at..at + entry.length as usize]
    }

    fn batch(&self, number: u64) -> &Batch {
        &self.batches[(number - self.first_batch) as usize]
    }
}
