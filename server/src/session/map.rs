//! A hash map for ids, the same in every process.

use std::hash::{BuildHasherDefault, Hasher};

/// Keyed by an integer newtype. Iteration order depends on nothing but what was done to the map.
pub type IdMap<K, V> = hashbrown::HashMap<K, V, BuildHasherDefault<IdHasher>>;

/// Spreads an integer over all 64 bits: ids count up, and the table looks at both ends of a hash.
#[derive(Clone, Copy, Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(byte.into());
        }
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(value.into());
    }

    fn write_u64(&mut self, value: u64) {
        let product = u128::from(self.0 ^ value ^ 0x9E37_79B9_7F4A_7C15)
            * u128::from(0xD6E8_FEB8_6659_FD93_u64);
        self.0 = product as u64 ^ (product >> 64) as u64;
    }

    fn write_i64(&mut self, value: i64) {
        self.write_u64(value as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::SessionId;

    #[test]
    fn ids_that_count_up_do_not_pile_up() {
        let mut map: IdMap<SessionId, i64> = IdMap::default();
        for n in 0..10_000 {
            map.insert(SessionId(0x0112_3456_789a_0000 + n), n);
        }
        assert!((0..10_000).all(|n| map[&SessionId(0x0112_3456_789a_0000 + n)] == n));
        let hash = |n: u64| {
            let mut hasher = IdHasher::default();
            hasher.write_u64(n);
            hasher.finish()
        };
        let mut tops: Vec<_> = (0..256).map(|n| hash(n << 16) >> 56).collect();
        tops.sort_unstable();
        tops.dedup();
        assert!(tops.len() > 128, "{} of 256", tops.len());
    }
}
