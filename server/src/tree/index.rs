//! Finding a znode by its path: one table over hashes that compose along the path.
//!
//! The hash of a path is made of the hash of its parent's path and the last name. So a child is
//! found from its parent without touching the path again, and nobody stores a path. Equal hashes
//! prove nothing: names are compared up to the root.
//!
//! The table is 256 smaller ones (`shelf`), because a table that grows moves every entry at once, and
//! that pause grows with it. An entry carries half of its hash, so that neither a growing table nor a
//! name that is not there looks at znodes, which lie all over the memory.
//!
//! Not here: walking lists (`read`).

use super::arena::Arena;
use super::shelf::Shelf;
use super::znode::ZnodeId;

const SHARDS: usize = 256;

/// The lower half is what an entry keeps, so what chooses the shard is of the upper one.
const SHARD_SHIFT: u32 = 48;

pub(super) struct PathIndex {
    shards: Vec<Shelf>,
}

impl PathIndex {
    pub(super) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Shelf::new()).collect() }
    }

    /// The znode of this hash for which `is_it` holds.
    pub(super) fn find(&self, hash: u64, is_it: impl FnMut(ZnodeId) -> bool) -> Option<ZnodeId> {
        self.shards[shard(hash)].find(hash as u32, is_it)
    }

    /// The znode of this hash, most likely: half of the hash says so. None of them is looked at.
    pub(super) fn guess(&self, hash: u64) -> Option<ZnodeId> {
        self.find(hash, |_| true)
    }

    /// Brings the place of this hash near.
    pub(super) fn approach(&self, hash: u64) {
        self.shards[shard(hash)].approach(hash as u32);
    }

    /// Enters a znode that is in the arena and not here yet.
    pub(super) fn insert(&mut self, arena: &Arena, id: ZnodeId) {
        let hash = arena[id].hash;
        self.shards[shard(hash)].insert(hash as u32, id);
    }

    /// Enters many at once and empties `run`; false where one stands there already, by `is_same`.
    ///
    /// In order of shards, so that each is in the cache while it fills, and grows once.
    pub(super) fn insert_run(
        &mut self,
        arena: &Arena,
        run: &mut Vec<ZnodeId>,
        is_same: impl Fn(ZnodeId, ZnodeId) -> bool,
    ) -> bool {
        if run.len() < SHARDS {
            let is_new = run.iter().fold(true, |is_new, &id| {
                let hash = arena[id].hash;
                let found =
                    self.find(hash, |other| arena[other].hash == hash && is_same(id, other));
                self.insert(arena, id);
                is_new & found.is_none()
            });
            run.clear();
            return is_new;
        }
        let (entries, ends) = by_shard(arena, run);
        run.clear();
        let mut is_new = true;
        let mut start = 0;
        for (shelf, end) in self.shards.iter_mut().zip(ends) {
            let of_shard = &entries[start..end];
            shelf.reserve(of_shard.len());
            for &(hash, id) in of_shard {
                let is_it = |other: ZnodeId| arena[other].hash == hash && is_same(id, other);
                is_new &= shelf.find(hash as u32, is_it).is_none();
                shelf.insert(hash as u32, id);
            }
            start = end;
        }
        is_new
    }

    pub(super) fn remove(&mut self, hash: u64, id: ZnodeId) {
        let was_there = self.shards[shard(hash)].remove(hash as u32, id);
        assert!(was_there, "every znode but the root stands in the index, {id:?} does not");
    }
}

/// Znodes with their hashes in the order of their shards, and where each shard's end.
fn by_shard(arena: &Arena, run: &[ZnodeId]) -> (Vec<(u64, ZnodeId)>, [usize; SHARDS]) {
    let mut at = [0; SHARDS];
    for &id in run {
        at[shard(arena[id].hash)] += 1;
    }
    let mut sum = 0;
    for count in &mut at {
        sum += std::mem::replace(count, sum);
    }
    let mut entries = vec![(0, ZnodeId::ROOT); run.len()];
    for &id in run {
        let hash = arena[id].hash;
        let place = &mut at[shard(hash)];
        entries[*place] = (hash, id);
        *place += 1;
    }
    (entries, at)
}

fn shard(hash: u64) -> usize {
    (hash >> SHARD_SHIFT) as usize % SHARDS
}

const K0: u64 = 0x9e37_79b9_7f4a_7c15;
const K1: u64 = 0xd6e8_feb8_6659_fd93;

/// The root's: its path is empty.
pub(super) const ROOT_HASH: u64 = 0;

/// The hash of the child `name` of a znode with the hash `parent`.
pub(super) fn child_hash(parent: u64, name: &[u8]) -> u64 {
    let (chunks, tail) = name.as_chunks::<8>();
    let mut hash = parent ^ K0;
    for chunk in chunks {
        hash = fold(hash ^ K1, u64::from_le_bytes(*chunk) ^ K0);
    }
    // The length keeps `a` and `a\0` apart.
    fold(hash ^ K1, short_word(tail) ^ K0.rotate_left(name.len() as u32 % 64))
}

/// The hash of the path whose names, joined by slashes, these bytes are: `child_hash` of one name
/// after another. Eight bytes are looked at together, which finds the slashes on the way.
pub(super) fn path_hash(names: &[u8]) -> u64 {
    const SLASHES: u64 = u64::from_be_bytes([b'/'; 8]);
    const ONES: u64 = u64::from_be_bytes([1; 8]);
    const TOPS: u64 = ONES << 7;
    let mut parent = ROOT_HASH;
    let mut rest = names;
    loop {
        let mut hash = parent ^ K0;
        let mut length = 0;
        let tail = loop {
            let (word, held) = match rest.first_chunk::<8>() {
                Some(word) => (u64::from_le_bytes(*word), 8),
                None => (short_word(rest), rest.len()),
            };
            // The lowest top bit that is set marks the first byte that is a slash.
            let other = word ^ SLASHES;
            let found = other.wrapping_sub(ONES) & !other & TOPS;
            let before = if found == 0 { held } else { (found.trailing_zeros() / 8) as usize };
            if before < 8 {
                rest = &rest[before..];
                length += before;
                break word & ((1 << (8 * before)) - 1);
            }
            hash = fold(hash ^ K1, word ^ K0);
            rest = &rest[8..];
            length += 8;
        };
        parent = fold(hash ^ K1, tail ^ K0.rotate_left(length as u32 % 64));
        match rest.split_first() {
            Some((_, after)) => rest = after,
            None => return parent,
        }
    }
}

/// Fewer than eight bytes as a word, zeros behind them.
///
/// Perf: read in pieces that overlap; a copy of unknown length is a call (`perf/notebook.md`).
fn short_word(bytes: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        return u64::from(first) | u64::from(last) << (8 * (bytes.len() - 4));
    }
    let byte = |at: usize| bytes.get(at).map_or(0, |byte| u64::from(*byte) << (8 * at));
    byte(0) | byte(1) | byte(2)
}

fn fold(a: u64, b: u64) -> u64 {
    let wide = u128::from(a) * u128::from(b);
    (wide as u64) ^ (wide >> 64) as u64
}

/// A hash for bytes that are no path: the same on every server and in every run.
pub(crate) fn content_hash(bytes: &[u8]) -> u64 {
    child_hash(0, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_word_is_its_bytes_and_zeros() {
        let bytes = [0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7];
        for length in 0..=bytes.len() {
            let mut word = [0; 8];
            word[..length].copy_from_slice(&bytes[..length]);
            assert_eq!(short_word(&bytes[..length]), u64::from_le_bytes(word), "{length} bytes");
        }
    }

    #[test]
    fn the_hash_of_a_path_is_that_of_its_names_one_after_another() {
        let mut draw = 7_u64;
        for round in 0..20_000 {
            let mut path = Vec::new();
            draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(round);
            for at in 0..draw >> 59 {
                let byte = (draw >> (at % 40)) as u8;
                path.push(if byte.is_multiple_of(5) { b'/' } else { byte });
            }
            let named = path.split(|byte| *byte == b'/').fold(ROOT_HASH, child_hash);
            assert_eq!(path_hash(&path), named, "{path:?}");
        }
    }
}
