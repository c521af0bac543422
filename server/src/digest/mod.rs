//! Digests of the tree: one number that two servers with the same tree agree on.
//!
//! Compat: digest version 2. A znode's digest is a CRC-32 of path, data and stored stat; the tree's
//! is their wrapping 64-bit sum; everything below `/zookeeper` counts nothing, because quota counts
//! and the configuration are local to each server (`DigestCalculator`, `AdHash`, 3.9.5).
//!
//! Invariants:
//! - D1. `TreeDigest` of a tree is the sum of its znodes' cached digests.
//!
//! Not here: when digests are compared and what a difference means (`apply`).

pub mod beside_data;

use std::sync::LazyLock;

use crc32fast::Hasher;

use crate::tree::{Removed, StatBesideData, StatPersisted, Tree, ZnodeId};

/// A checksum of nothing: a new one asks the processor what it can each time.
static FRESH: LazyLock<Hasher> = LazyLock::new(Hasher::new);

/// The version written beside every digest.
pub const VERSION: i32 = 2;

/// The sum over all znodes, as signed as it stands on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TreeDigest(pub i64);

impl TreeDigest {
    /// With the digest of one znode replaced; zero stands for no znode.
    #[must_use]
    pub fn replacing(self, before: u32, after: u32) -> Self {
        Self(self.0.wrapping_sub(i64::from(before)).wrapping_add(i64::from(after)))
    }

    /// A znode was made or changed: takes its new digest into account and caches it.
    pub fn refresh(&mut self, tree: &mut Tree, id: ZnodeId, path: &str) {
        let znode = tree.get(id);
        let before = znode.digest;
        let after = of_znode(path, tree.data(id), &znode.persisted());
        if before != after {
            *self = self.replacing(before, after);
            tree.set_digest(id, after);
        }
    }

    /// As `refresh`, of a znode whose data stayed and whose digest was that of `before`.
    pub fn refresh_beside_data(
        &mut self,
        tree: &mut Tree,
        id: ZnodeId,
        path: &str,
        before: StatBesideData,
    ) {
        let znode = tree.get(id);
        let after = beside_data::changed(path, znode.digest, before, znode.beside_data());
        *self = self.replacing(znode.digest, after);
        tree.set_digest(id, after);
    }

    /// A znode and what stood below it are gone.
    pub fn forget(&mut self, removed: &Removed) {
        *self = self.replacing(removed.digest, 0);
        for orphan in &removed.orphans {
            *self = self.replacing(orphan.digest, 0);
        }
    }

    /// From scratch, caching every znode's digest: for a tree just restored.
    pub fn of(tree: &mut Tree) -> Self {
        let mut sum = Self::default();
        let mut path = String::new();
        let ids: Vec<ZnodeId> = tree.subtree(ZnodeId::ROOT).collect();
        for id in ids {
            path.clear();
            tree.path_into(id, &mut path);
            let znode = tree.get(id);
            let digest = of_znode(&path, tree.data(id), &znode.persisted());
            sum = sum.replacing(0, digest);
            tree.set_digest(id, digest);
        }
        sum
    }
}

/// What one znode adds.
pub fn of_znode(path: &str, data: Option<&[u8]>, stat: &StatPersisted) -> u32 {
    let (path, data) = (counted(path), data.unwrap_or(&[]));
    // Up to so many bytes are copied together, because a checksum in one piece is worth more than
    // the copy: the vector instructions begin at 128 bytes.
    match path.len() + data.len() + StatPersisted::LENGTH {
        _ if is_local(path) => 0,
        0..=256 => of_gathered::<256>(path, data, stat),
        257..=1024 => of_gathered::<1024>(path, data, stat),
        _ => {
            let mut hasher = FRESH.clone();
            hasher.update(path.as_bytes());
            hasher.update(data);
            hasher.update(&stat_bytes(stat));
            hasher.finalize()
        }
    }
}

fn of_gathered<const ROOM: usize>(path: &str, data: &[u8], stat: &StatPersisted) -> u32 {
    let mut bytes = [0; ROOM];
    let (head, rest) = bytes.split_at_mut(path.len());
    head.copy_from_slice(path.as_bytes());
    let (middle, rest) = rest.split_at_mut(data.len());
    middle.copy_from_slice(data);
    let (tail, unused) = rest.split_at_mut(StatPersisted::LENGTH);
    tail.copy_from_slice(&stat_bytes(stat));
    let length = ROOM - unused.len();
    let mut hasher = FRESH.clone();
    hasher.update(&bytes[..length]);
    hasher.finalize()
}

/// Compat: the root counts under its empty name (`DigestCalculator`, 3.9.5).
fn counted(path: &str) -> &str {
    if path == "/" { "" } else { path }
}

fn is_local(path: &str) -> bool {
    path.starts_with("/zookeeper/")
}

/// The stat in the digest's order, which is not the snapshot's.
fn stat_bytes(stat: &StatPersisted) -> [u8; StatPersisted::LENGTH] {
    let mut bytes = [0; StatPersisted::LENGTH];
    let longs = [stat.czxid, stat.mzxid, stat.pzxid, stat.ctime, stat.mtime];
    let ints = [stat.version, stat.cversion, stat.aversion];
    let (head, tail) = bytes.split_at_mut(40);
    for (slot, long) in head.chunks_exact_mut(8).zip(longs) {
        slot.copy_from_slice(&long.to_be_bytes());
    }
    let (middle, owner) = tail.split_at_mut(12);
    for (slot, int) in middle.chunks_exact_mut(4).zip(ints) {
        slot.copy_from_slice(&int.to_be_bytes());
    }
    owner.copy_from_slice(&stat.owner.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::workload::{Op, Outcome, RULES, Random, apply, op};
    use crate::tree::{OwnerRules, split};

    #[test]
    fn the_initial_tree_has_zookeepers_digest() {
        let mut tree = Tree::new(OwnerRules::default());
        assert_eq!(TreeDigest::of(&mut tree), TreeDigest(1_371_985_504));
    }

    #[test]
    fn the_root_is_one_znode_under_both_its_names() {
        let stat = StatPersisted { mzxid: 7, ..StatPersisted::default() };
        assert_eq!(of_znode("", Some(b"x"), &stat), of_znode("/", Some(b"x"), &stat));
        assert_ne!(of_znode("", Some(b"x"), &stat), of_znode("", Some(b"y"), &stat));
    }

    #[test]
    fn what_is_local_to_a_server_counts_nothing() {
        let stat = StatPersisted::default();
        assert_eq!(of_znode("/zookeeper/config", Some(b"x"), &stat), 0);
        assert_ne!(of_znode("/zookeeper", Some(b""), &stat), 0);
        assert_ne!(of_znode("/zookeepers", Some(b""), &stat), 0);
    }

    /// What apply does after each change.
    fn follow(digest: &mut TreeDigest, tree: &mut Tree, op: &Op, outcome: &Outcome) {
        let (Op::Create { path, .. }
        | Op::Delete { path }
        | Op::SetData { path, .. }
        | Op::SetAcl { path, .. }) = op;
        if let Outcome::Deleted(Ok(removed)) = outcome {
            digest.forget(removed);
        }
        for path in [split(path).unwrap().0, path] {
            if let Some(id) = tree.find(path) {
                digest.refresh(tree, id, path);
            }
        }
    }

    /// D1, and so the digest a leader sends is the one a follower computes.
    #[test]
    fn following_every_change_gives_what_a_fresh_count_gives() {
        for seed in 1..=6 {
            println!("seed {seed}");
            let mut random = Random(seed);
            let mut tree = Tree::new(RULES);
            let mut digest = TreeDigest::of(&mut tree);
            for zxid in 1..=400 {
                let op = op(&mut random);
                let outcome = apply(&mut tree, &op, zxid);
                follow(&mut digest, &mut tree, &op, &outcome);
                assert_eq!(digest, TreeDigest::of(&mut tree), "D1: after {op:?}");
            }
        }
    }
}
