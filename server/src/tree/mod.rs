//! The tree of znodes: what every committed txn changes and every read looks at.
//!
//! Znodes of 120 bytes in an arena, their names and data beside it, found by a hash that composes
//! along the path, linked as siblings. Nothing here knows txns, sessions' timeouts or clients: these are the raw changes, with
//! the guards that make replaying a log over a snapshot harmless.
//!
//! Invariants:
//! - T1. Every znode but the root stands in the index once, and in its parent's list of children once.
//! - T2. A znode with an owner stands in the list of its kind once (`kin`).
//! - T3. While a checkpoint runs, no znode it has not written is changed or removed (`checkpoint`).
//! - T4. `data_size` is the sum that ZooKeeper's `approximateDataSize` would compute.
//! - T5. Whoever got the last new child is remembered by its path until it goes.
//!
//! Not here: whether a change is allowed (`prep`), its order and its watch events (`apply`), what
//! ACL ids mean (`acl`), digests (`digest`), quotas (`quota`), files (`snapshot`).

mod ahead;
mod arena;
mod change;
mod checkpoint;
mod contents;
mod index;
mod kin;
mod owner;
mod read;
mod restore;
mod shelf;
mod stock;
mod vacancies;
#[cfg(test)]
pub(crate) mod tests;
mod znode;

pub use ahead::AHEAD;
pub use change::{CreateError, Created, DeleteError, NewZnode, Orphan, Removed, RestoreError};
pub use checkpoint::CheckpointStep;
pub(crate) use index::content_hash;
pub use kin::Kindred;
pub use owner::{CONTAINER, Owner, OwnerRules, TTL_MS_MAX, ttl_owner};
pub use read::{Children, Subtree};
pub use restore::{RestoredZnode, Restorer};
pub use stock::{Chunk, Stock};
pub use znode::{AclId, StatBesideData, StatPersisted, Znode, ZnodeId};

use arena::Arena;
use checkpoint::Checkpoint;
use index::PathIndex;
use kin::Kin;
use stock::Empty;

/// The znodes ZooKeeper makes itself; they cannot be deleted.
pub const RESERVED: [&str; 4] = ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"];

/// The membership of the ensemble, as text.
pub const CONFIG_PATH: &str = "/zookeeper/config";

/// Below it stand limits and counts of each quota.
pub const QUOTA_PATH: &str = "/zookeeper/quota";

/// All znodes of one server.
pub struct Tree {
    arena: Arena,
    index: PathIndex,
    kin: Kin,
    rules: OwnerRules,
    nursery: Nursery,
    data_size: u64,
    /// The number of the newest checkpoint, running or not.
    checkpoints: u32,
    checkpoint: Option<Checkpoint>,
}

/// The znode that got the last new child.
struct Nursery {
    path: String,
    id: ZnodeId,
}

impl Nursery {
    /// Of nobody yet. The root is never removed.
    const ROOT: Self = Self { path: String::new(), id: ZnodeId::ROOT };
}

impl Tree {
    /// A new server's tree: the root and the reserved znodes, all open but the configuration.
    pub fn new(rules: OwnerRules) -> Self {
        let mut tree = Self::bare(rules);
        let blank = StatPersisted::default();
        let config = StatPersisted { aversion: -1, ..blank };
        let reserved = [
            ("/zookeeper", AclId::OPEN, &blank),
            (QUOTA_PATH, AclId::OPEN, &blank),
            (CONFIG_PATH, AclId::CONFIG, &config),
        ];
        for (path, acl, stat) in reserved {
            tree.restore(path, Some(&[]), acl, stat).expect("its parent was made just before");
        }
        tree
    }

    /// The root alone: what a snapshot is restored into.
    pub fn bare(rules: OwnerRules) -> Self {
        let mut arena = Arena::new();
        let root = Znode::new(AclId::OPEN, &StatPersisted::default());
        let id = arena.insert(root, "", Some(&[]));
        assert_eq!(id, ZnodeId::ROOT, "the first slot is the root's");
        Self {
            arena,
            index: PathIndex::new(),
            kin: Kin::new(),
            rules,
            nursery: Nursery::ROOT,
            // Compat: the root counts as "" and as "/" (`DataTree.approximateDataSize`, 3.9.5).
            data_size: 1,
            checkpoints: 0,
            checkpoint: None,
        }
    }

    /// Takes memory for what comes from `stock` first; until `end_stock`.
    pub fn set_stock(&mut self, stock: Box<dyn Stock>) {
        self.arena.set_stock(stock);
    }

    /// What was made ready and is not needed goes back.
    pub fn end_stock(&mut self) {
        self.arena.set_stock(Box::new(Empty));
    }
}

/// A path's parent and last name; `None` where there is no slash.
pub fn split(path: &str) -> Option<(&str, &str)> {
    // Names are short: a plain loop finds the slash sooner than a search made for long texts.
    let slash = path.bytes().rposition(|byte| byte == b'/')?;
    Some((&path[..slash], &path[slash + 1..]))
}
