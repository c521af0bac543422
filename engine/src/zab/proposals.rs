//! Proposals in memory: what is in flight, and as much of the decided past as the bound allows.
//!
//! Each proposal lies here once, as the PROPOSAL packet that peers read and the log keeps. Packets
//! are laid end to end in chunks, so that what goes to a learner or to the disk is a plain copy of
//! a run of bytes, and a learner is a place in this order, not a queue of its own.
//!
//! Invariants, asserted where they could break:
//! - B1. Zxids ascend, and within an epoch without a gap (law 4).
//! - B2. Everything above `base` that was ever appended is here: `get` misses nothing in between.
//! - B3. Chunks are reused; in the steady state an append allocates nothing.
//!
//! Not here: what may be dropped (`replica` knows what is applied), what is decided (`leader`).

use std::collections::VecDeque;

use super::packets::{self, HEAD, Kind};
use crate::zxid::Zxid;

/// A chunk is closed when it has this much; what is appended last may reach beyond.
const CHUNK_BYTES: usize = 192 << 10;

/// Room for what is appended last, before the chunk must grow.
const CHUNK_CAPACITY: usize = 256 << 10;

/// Emptied chunks kept for reuse.
const SPARE_CHUNKS: usize = 16;

#[derive(Clone, Copy, Debug)]
struct Entry {
    zxid: Zxid,
    /// Bytes of packets before this one, counted from the beginning of this object's life.
    before: u64,
    /// Counted likewise.
    chunk: u64,
    at: u32,
    length: u32,
}

/// The proposals above `base`, in order.
#[derive(Debug)]
pub struct Proposals {
    base: Zxid,
    entries: VecDeque<Entry>,
    chunks: VecDeque<Vec<u8>>,
    /// The number of `chunks[0]`.
    first_chunk: u64,
    spare: Vec<Vec<u8>>,
    /// Bytes that ever were appended, less those that were truncated again.
    passed: u64,
}

/// Whole packets that lie end to end.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    pub bytes: &'a [u8],
    /// The zxid of the last packet.
    pub last: Zxid,
}

impl Proposals {
    /// Nothing; what is appended first follows `base`.
    pub fn new(base: Zxid) -> Self {
        Self {
            base,
            entries: VecDeque::new(),
            chunks: VecDeque::new(),
            first_chunk: 0,
            spare: Vec::new(),
            passed: 0,
        }
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

    pub fn bytes(&self) -> usize {
        self.entries.front().map_or(0, |first| (self.passed - first.before) as usize)
    }

    /// How many bytes of packets follow `after`.
    pub fn bytes_after(&self, after: Zxid) -> usize {
        let Some(first) = self.entries.get(self.count_upto(after)) else { return 0 };
        (self.passed - first.before) as usize
    }

    /// Copies a PROPOSAL packet in, and gives it as it stands here.
    pub fn append(&mut self, zxid: Zxid, packet: &[u8]) -> &[u8] {
        self.append_with(zxid, |out| out.extend_from_slice(packet))
    }

    /// Appends a PROPOSAL packet around the payload (`TxnHeader|txn|digest`) that `fill` writes,
    /// and gives the packet.
    pub fn propose(&mut self, zxid: Zxid, fill: impl FnOnce(&mut Vec<u8>)) -> &[u8] {
        self.append_with(zxid, |out| packets::write_filled(out, Kind::Proposal, zxid, fill))
    }

    fn append_with(&mut self, zxid: Zxid, write: impl FnOnce(&mut Vec<u8>)) -> &[u8] {
        let last = self.last();
        assert!(zxid.follows(last), "B1: {zxid:?} after {last:?}");
        if self.chunks.back().is_none_or(|chunk| chunk.len() >= CHUNK_BYTES) {
            let chunk = self.spare.pop().unwrap_or_else(|| Vec::with_capacity(CHUNK_CAPACITY));
            self.chunks.push_back(chunk);
        }
        let number = self.first_chunk + self.chunks.len() as u64 - 1;
        let chunk = self.chunks.back_mut().expect("pushed above where there was none");
        let at = chunk.len();
        write(chunk);
        let length = chunk.len() - at;
        let narrow = |n: usize| u32::try_from(n).expect("a chunk and a packet are bounded");
        self.entries.push_back(Entry {
            zxid,
            before: self.passed,
            chunk: number,
            at: narrow(at),
            length: narrow(length),
        });
        self.passed += length as u64;
        &chunk[at..]
    }

    /// The packet.
    pub fn get(&self, zxid: Zxid) -> Option<&[u8]> {
        let entry = self.entries.get(self.count_upto(zxid).checked_sub(1)?)?;
        (entry.zxid == zxid).then(|| self.packet(entry))
    }

    /// `TxnHeader|txn|digest`: the packet without its frame.
    pub fn payload(&self, zxid: Zxid) -> Option<&[u8]> {
        let packet = self.get(zxid)?;
        Some(&packet[HEAD..packet.len() - 4])
    }

    /// The proposal after `after`, which is here or is the one before the oldest.
    #[inline]
    pub fn next_payload(&self, after: Zxid) -> Option<(Zxid, &[u8])> {
        let entry = self.entries.get(self.count_upto(after))?;
        let packet = self.packet(entry);
        Some((entry.zxid, &packet[HEAD..packet.len() - 4]))
    }

    /// `(zxid, payload)` of everything after `after` up to and with `upto`, in order.
    pub fn payloads(&self, after: Zxid, upto: Zxid) -> impl Iterator<Item = (Zxid, &[u8])> {
        self.entries_between(after, upto).map(|entry| {
            let packet = self.packet(entry);
            (entry.zxid, &packet[HEAD..packet.len() - 4])
        })
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
        let chunk = self.chunk(first.chunk);
        // The farthest entry that ends within the bound; entries ascend by (chunk, place).
        let bound = (first.chunk, first.at as usize + bytes_max);
        let fits = |entry: &Entry| (entry.chunk, (entry.at + entry.length) as usize) <= bound;
        let count = if fits(&self.entries[to - 1]) {
            to - from
        } else {
            self.partition(from, to, fits).max(1)
        };
        let last = &self.entries[from + count - 1];
        let end = (last.at + last.length) as usize;
        Some(Run { bytes: &chunk[first.at as usize..end], last: last.zxid })
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

    /// Contiguous runs covering everything after `after`, each of at most `bytes_max` (or one
    /// packet).
    pub fn spans(&self, after: Zxid, bytes_max: usize) -> impl Iterator<Item = &[u8]> {
        let mut at = after;
        std::iter::from_fn(move || {
            let run = self.run(at, self.last(), bytes_max)?;
            at = run.last;
            Some(run.bytes)
        })
    }

    /// Drops the oldest proposals until `bytes_kept` are left, none above `applied`, by whole
    /// chunks.
    pub fn trim(&mut self, applied: Zxid, bytes_kept: usize) {
        while self.chunks.len() > 1 && self.bytes() - self.chunks[0].len() >= bytes_kept {
            let in_first = self.entries.partition_point(|e| e.chunk <= self.first_chunk);
            let Some(newest) = in_first.checked_sub(1).map(|at| self.entries[at].zxid) else {
                return;
            };
            if newest > applied {
                return;
            }
            self.entries.drain(..in_first);
            self.base = newest;
            self.drop_first_chunk();
        }
    }

    fn drop_first_chunk(&mut self) {
        if let Some(mut chunk) = self.chunks.pop_front() {
            self.first_chunk += 1;
            // A chunk that one huge txn made large goes back to the allocator.
            if self.spare.len() < SPARE_CHUNKS && chunk.capacity() <= 2 * CHUNK_CAPACITY {
                chunk.clear();
                self.spare.push(chunk);
            }
        }
    }

    /// Drops everything above `to`, which must not lie below `base`.
    pub fn truncate(&mut self, to: Zxid) {
        assert!(to >= self.base, "B2: truncated to {to:?}, below {:?}", self.base);
        while let Some(entry) = self.entries.pop_back_if(|entry| entry.zxid > to) {
            let chunk = (entry.chunk - self.first_chunk) as usize;
            self.chunks[chunk].truncate(entry.at as usize);
            self.passed = entry.before;
        }
        while self.chunks.len() > 1 && self.chunks.back().is_some_and(Vec::is_empty) {
            self.chunks.pop_back();
        }
    }

    /// Forgets everything; what is appended next follows `base`.
    pub fn reset(&mut self, base: Zxid) {
        self.entries.clear();
        while !self.chunks.is_empty() {
            self.drop_first_chunk();
        }
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
        &self.chunk(entry.chunk)[at..at + entry.length as usize]
    }

    fn chunk(&self, number: u64) -> &[u8] {
        &self.chunks[(number - self.first_chunk) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zxid::Epoch;

    fn zxid(epoch: i64, counter: u32) -> Zxid {
        Zxid::new(Epoch(epoch), counter)
    }

    /// A small generator, so that a failing seed repeats.
    struct Draw(u64);

    impl Draw {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (self.0 >> 33) % bound
        }
    }

    /// The same thing, kept as simply as can be.
    #[derive(Default)]
    struct Model(Vec<(Zxid, Vec<u8>)>);

    fn agree(ring: &Proposals, model: &Model, draw: &mut Draw) {
        assert_eq!(ring.last(), model.0.last().map_or(ring.base(), |(zxid, _)| *zxid));
        let kept: Vec<_> = model.0.iter().filter(|(zxid, _)| *zxid > ring.base()).collect();
        for (zxid, payload) in &kept {
            assert_eq!(ring.payload(*zxid), Some(&payload[..]));
        }
        let bytes: usize = kept.iter().map(|(_, payload)| payload.len() + HEAD + 4).sum();
        assert_eq!(ring.bytes(), bytes);
        let Some((after, _)) = kept.get(draw.below(kept.len() as u64 + 1) as usize) else { return };
        let expected: Vec<u8> = kept
            .iter()
            .filter(|(zxid, _)| zxid > after)
            .flat_map(|(zxid, _)| ring.get(*zxid).unwrap().to_vec())
            .collect();
        let most = 1 + draw.below(300_000) as usize;
        assert_eq!(ring.bytes_after(*after), expected.len());
        let runs: Vec<&[u8]> = ring.spans(*after, most).collect();
        assert_eq!(runs.concat(), expected);
        let zxids: Vec<Zxid> = ring.zxids(*after, ring.last()).collect();
        assert_eq!(ring.count(*after, ring.last()), zxids.len());
        assert!(zxids.iter().eq(kept.iter().map(|(zxid, _)| zxid).filter(|zxid| *zxid > after)));
    }

    fn random_life(seed: u64) {
        let mut draw = Draw(seed);
        let mut ring = Proposals::new(Zxid::ZERO);
        let mut model = Model::default();
        for _ in 0..150 {
            match draw.below(20) {
                0 => {
                    let kept: Vec<Zxid> =
                        model.0.iter().map(|e| e.0).filter(|z| *z >= ring.base()).collect();
                    if !kept.is_empty() {
                        let to = kept[draw.below(kept.len() as u64) as usize];
                        ring.truncate(to);
                        model.0.retain(|(zxid, _)| *zxid <= to);
                    }
                }
                1 => {
                    let applied = ring.last();
                    let kept = draw.below(400_000) as usize;
                    let before = ring.bytes();
                    ring.trim(applied, kept);
                    assert!(ring.bytes() >= kept.min(before));
                }
                2 => ring.trim(Zxid::ZERO, 0),
                pick => {
                    let last = ring.last();
                    let next = match pick {
                        3 => zxid(last.epoch().0 + 1 + draw.below(2) as i64, 1),
                        _ => last.next().unwrap(),
                    };
                    let most = if pick == 4 { 250_000 } else { 3_000 };
                    let payload = vec![pick as u8; draw.below(most) as usize];
                    ring.propose(next, |out| out.extend_from_slice(&payload));
                    model.0.push((next, payload));
                }
            }
            agree(&ring, &model, &mut draw);
        }
    }

    #[test]
    fn any_history_reads_back_as_it_was_written() {
        for seed in 0..8 {
            println!("seed {seed}");
            random_life(seed);
        }
    }

    #[test]
    fn what_is_not_applied_is_never_trimmed() {
        let mut ring = Proposals::new(Zxid::ZERO);
        for counter in 1..=10 {
            ring.propose(zxid(1, counter), |out| out.resize(out.len() + CHUNK_BYTES, 0));
        }
        ring.trim(zxid(1, 4), 0);
        assert_eq!(ring.first(), Some(zxid(1, 5)));
        assert!(!ring.covers(zxid(1, 3)) && ring.covers(zxid(1, 4)));
        assert!(ring.run(zxid(1, 3), zxid(1, 10), 1).is_none(), "B2");
    }

    #[test]
    #[should_panic(expected = "B1")]
    fn a_gap_is_refused() {
        let mut ring = Proposals::new(zxid(1, 3));
        ring.propose(zxid(1, 5), |_| {});
    }
}
