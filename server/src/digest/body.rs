//! The part of a znode's digest that its stat does not touch.
//!
//! A digest is a CRC-32 of path, data and stat, in this order. Where only the stat changes, as a
//! parent's does with every child, path and data need not be looked at again: taking the old stat
//! off the digest leaves the checksum of what stood before it.
//!
//! Not here: the whole digest of a znode, and the tree's (`digest`).

use crc32fast::Hasher;

use super::{counted, is_local, stat_bytes};
use crate::tree::StatPersisted;

/// A znode's digest as far as its path and data go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Body(Option<u32>);

impl Body {
    pub fn of(path: &str, data: Option<&[u8]>) -> Self {
        if is_local(path) {
            return Self(None);
        }
        let mut hasher = Hasher::new();
        hasher.update(counted(path).as_bytes());
        hasher.update(data.unwrap_or(&[]));
        Self(Some(hasher.finalize()))
    }

    /// Of the znode at `path` that has this digest with this stat.
    pub fn beneath(path: &str, digest: u32, stat: &StatPersisted) -> Self {
        if is_local(path) {
            return Self(None);
        }
        let after = !digest;
        Self(Some(!stat_bytes(stat).iter().rev().fold(after, |state, byte| undone(state, *byte))))
    }

    /// The whole digest, with this stat.
    pub fn with(self, stat: &StatPersisted) -> u32 {
        let Self(Some(so_far)) = self else { return 0 };
        let mut hasher = Hasher::new_with_initial(so_far);
        hasher.update(&stat_bytes(stat));
        hasher.finalize()
    }
}

/// The state of the checksum before it took `byte` and came to `state`. A byte is taken by
/// `TABLE[(state ^ byte) & 0xff] ^ (state >> 8)`, and no two entries of the table share their top
/// byte, so the one that was used shows.
fn undone(state: u32, byte: u8) -> u32 {
    let used = ENTRY_BY_TOP_BYTE[(state >> 24) as usize];
    (state ^ TABLE[used as usize]) << 8 | u32::from(used ^ byte)
}

/// CRC-32 of zlib and Ethernet, reflected.
const POLYNOMIAL: u32 = 0xedb8_8320;

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut entry = at as u32;
        let mut bit = 0;
        while bit < 8 {
            entry = if entry & 1 == 1 { entry >> 1 ^ POLYNOMIAL } else { entry >> 1 };
            bit += 1;
        }
        table[at] = entry;
        at += 1;
    }
    table
};

const ENTRY_BY_TOP_BYTE: [u8; 256] = {
    let mut entries = [0; 256];
    let mut at = 0;
    while at < 256 {
        entries[(TABLE[at] >> 24) as usize] = at as u8;
        at += 1;
    }
    entries
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::of_znode;

    #[test]
    fn taking_the_stat_off_a_digest_leaves_what_path_and_data_make() {
        for round in 0..200_i64 {
            let stat = StatPersisted {
                czxid: round * 0x0123_4567_89ab,
                mtime: -round,
                version: round as i32,
                owner: round << 40,
                ..StatPersisted::default()
            };
            let data = vec![round as u8; round as usize * 7];
            let path = format!("/a/{round}");
            let digest = of_znode(&path, Some(&data), &stat);
            let body = Body::beneath(&path, digest, &stat);
            assert_eq!(body, Body::of(&path, Some(&data)));
            assert_eq!(body.with(&stat), digest);
        }
    }

    #[test]
    fn what_counts_nothing_stays_so() {
        let stat = StatPersisted::default();
        assert_eq!(Body::beneath("/zookeeper/config", 0, &stat).with(&stat), 0);
    }
}
