//! One table of the index: entries in the order of their hashes, with gaps between them.
//!
//! A hash says where its entry would stand if all were spread evenly, and it stands there or a little
//! later, as close as the order allows. So looking one up reads one stretch of memory, mostly a line of
//! the cache; who is not there is known to be missing at the first larger hash; and growing copies
//! from front to back (Robin Hood hashing without wrapping round: Amble and Knuth, "Ordered hash
//! tables", 1974).
//!
//! Invariants:
//! - S1. Entries ascend by their halves, and none stands before its place.
//! - S2. Between an entry's place and the entry there is no gap.
//! - S3. The last slot is a gap.
//!
//! Not here: which table, and what else must be equal (`index`).

use std::hint::black_box;

use super::znode::{NONE, ZnodeId};

/// 8 bytes a znode: half of its hash, and where it lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Entry {
    half: u32,
    id: u32,
}

/// Larger than every entry, or as large as the largest.
const GAP: Entry = Entry { half: u32::MAX, id: NONE };

/// Places at least.
const PLACES_MIN: usize = 8;

/// Slots behind the last place, for entries that others have pushed on; more are made where a crowd of
/// equals needs them.
const SPILL: usize = 32;

pub(super) struct Shelf {
    slots: Vec<Entry>,
    places: usize,
    entries: usize,
}

impl Shelf {
    pub(super) fn new() -> Self {
        Self { slots: vec![GAP], places: 0, entries: 0 }
    }

    /// The entry of this half for which `is_it` holds.
    pub(super) fn find(
        &self,
        half: u32,
        mut is_it: impl FnMut(ZnodeId) -> bool,
    ) -> Option<ZnodeId> {
        for entry in &self.slots[self.place(half)..] {
            if entry.half < half {
                continue;
            }
            if entry.half > half || entry.id == NONE {
                break;
            }
            if is_it(ZnodeId(entry.id)) {
                return Some(ZnodeId(entry.id));
            }
        }
        None
    }

    /// Asks for the memory that `find` will read.
    pub(super) fn approach(&self, half: u32) {
        black_box(self.slots.get(self.place(half)).map_or(0, |entry| entry.half));
    }

    /// Makes room for so many more, and for as many again as half of those that come to stand there.
    pub(super) fn reserve(&mut self, more: usize) {
        if self.is_full_with(self.entries + more) {
            self.spread(self.entries + more);
        }
    }

    pub(super) fn insert(&mut self, half: u32, id: ZnodeId) {
        if self.is_full_with(self.entries + 1) {
            self.spread(self.entries + 1);
        }
        let place = self.place(half);
        let is_behind = |entry: &Entry| entry.half >= half;
        let at = self.slots[place..].iter().position(is_behind).expect("S3: a gap is");
        let mut at = place + at;
        let mut moving = Entry { half, id: id.0 };
        while moving.id != NONE {
            // S3: the last slot is a gap, which ends this.
            moving = std::mem::replace(&mut self.slots[at], moving);
            at += 1;
        }
        if at == self.slots.len() {
            self.slots.push(GAP);
        }
        self.entries += 1;
    }

    /// False if it was not there.
    pub(super) fn remove(&mut self, half: u32, id: ZnodeId) -> bool {
        let gone = Entry { half, id: id.0 };
        let place = self.place(half);
        let from = self.slots[place..].iter();
        let Some(at) = from.take_while(|entry| entry.half <= half).position(|entry| *entry == gone)
        else {
            return false;
        };
        let at = place + at;
        // S2: those that follow close up, until one stands where it belongs.
        let after = self.slots[at + 1..].iter().zip(at + 1..);
        let moved = after
            .take_while(|(entry, slot)| entry.id != NONE && self.place(entry.half) < *slot)
            .count();
        self.slots.copy_within(at + 1..at + 1 + moved, at);
        self.slots[at + moved] = GAP;
        self.entries -= 1;
        true
    }

    /// Where an entry of this half stands if nobody is in its way.
    fn place(&self, half: u32) -> usize {
        ((u64::from(half) * self.places as u64) >> 32) as usize
    }

    /// Four fifths of the places: beyond, stretches without a gap grow long.
    fn is_full_with(&self, entries: usize) -> bool {
        entries * 5 > self.places * 4
    }

    /// Gives every entry a new slot, with room for half as many more as `entries`.
    fn spread(&mut self, entries: usize) {
        let places = (entries * 15 / 8).max(self.places + PLACES_MIN);
        let old = std::mem::replace(&mut self.slots, vec![GAP; places + SPILL]);
        self.places = places;
        let mut free = 0;
        for entry in old.into_iter().filter(|entry| entry.id != NONE) {
            let at = free.max(self.place(entry.half));
            if at + 1 >= self.slots.len() {
                self.slots.resize(at + 2, GAP);
            }
            self.slots[at] = entry;
            free = at + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn check(shelf: &Shelf) {
        let slots = &shelf.slots;
        let standing = slots.iter().zip(0..).filter(|(entry, _)| entry.id != NONE);
        let mut before = 0;
        for (entry, slot) in standing {
            assert!(entry.half >= before, "S1: {entry:?} stands behind {before}");
            before = entry.half;
            let place = shelf.place(entry.half);
            assert!(place <= slot, "S1: {entry:?} stands before its place");
            assert!(slots[place..slot].iter().all(|entry| entry.id != NONE), "S2: {entry:?}");
        }
        assert_eq!(slots.last(), Some(&GAP), "S3");
    }

    /// Halves that crowd at both ends and in between, against a set.
    #[test]
    fn entries_come_and_go_as_from_a_set() {
        for (seed, spread) in [(1, u32::MAX), (2, 1 << 20), (3, 3), (4, 0)] {
            let mut draw: u64 = seed;
            let mut next = || {
                draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed | 1);
                (draw >> 32) as u32
            };
            let mut shelf = Shelf::new();
            let mut kept = BTreeSet::new();
            for round in 0..6_000 {
                let ends = [0, u32::MAX, 1 << 31];
                let half = ends[next() as usize % 3] ^ (next() & spread);
                let id = next() % 16;
                // It fills for two thirds of the rounds, and empties in the last.
                let adds = if round < 4_000 { next() % 4 > 0 } else { next() % 4 == 0 };
                if !adds {
                    let was_there = kept.remove(&(half, id));
                    assert_eq!(shelf.remove(half, ZnodeId(id)), was_there);
                } else if kept.insert((half, id)) {
                    shelf.insert(half, ZnodeId(id));
                }
                assert_eq!(
                    shelf.find(half, |found| found.0 == id).is_some(),
                    kept.contains(&(half, id))
                );
                let any = kept.range((half, 0)..=(half, u32::MAX)).next().is_some();
                assert_eq!(shelf.find(half, |_| true).is_some(), any);
                assert_eq!(shelf.entries, kept.len());
            }
            check(&shelf);
            for (half, id) in kept {
                assert!(shelf.remove(half, ZnodeId(id)));
            }
            assert_eq!(shelf.entries, 0);
            check(&shelf);
        }
    }

    #[test]
    fn room_that_was_made_is_room_enough() {
        let mut shelf = Shelf::new();
        shelf.reserve(4_000);
        let slots = shelf.slots.len();
        for id in 0..4_000_u32 {
            shelf.insert(id.wrapping_mul(0x9e37_79b1), ZnodeId(id));
        }
        assert_eq!(shelf.slots.len(), slots);
        check(&shelf);
    }
}
