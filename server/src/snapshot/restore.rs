//! A snapshot becomes a tree again, with its lists and sessions.

use std::collections::BTreeMap;
use std::io::Read;

use hashbrown::HashTable;
use ringkeeper_engine::jute::Reader;
use ringkeeper_engine::zxid::Zxid;

use super::body::Item;
use super::scan::scan;
use super::{RecordedDigest, SnapshotError};
use crate::acl::AclTable;
use crate::digest::{self, TreeDigest};
use crate::tree::{
    AclId, OwnerRules, RestoreError, RestoredZnode, Restorer, Tree, content_hash, split,
};
use crate::wire::{Acl, Acls, SessionId};

/// What a snapshot said.
pub struct Restored {
    pub tree: Tree,
    pub acls: AclTable,
    /// Timeouts in milliseconds.
    pub sessions: BTreeMap<SessionId, i32>,
    /// Of the tree as it was read; every znode's is cached.
    pub digest: TreeDigest,
    /// What the writer recorded. Equal to `digest` where the snapshot is of one moment and of the
    /// zxid recorded with it; Java's need not be.
    pub recorded: Option<RecordedDigest>,
    pub last_processed: Option<Zxid>,
    /// Znodes whose list the snapshot does not have.
    pub closed: u64,
}

/// Reads a snapshot. Quotas are left to `Quotas::restore`.
pub fn restore(source: impl Read, rules: OwnerRules) -> Result<Restored, SnapshotError> {
    restore_into(Tree::bare(rules), source)
}

/// The same into `tree`, which is bare.
pub fn restore_into(tree: Tree, source: impl Read) -> Result<Restored, SnapshotError> {
    let mut builder = Builder {
        tree: Restorer::new(tree),
        digest: TreeDigest::default(),
        acls: AclTable::bare(),
        ids: BTreeMap::new(),
        sessions: BTreeMap::new(),
        closed: 0,
    };
    let sections = scan(source, &mut |item| builder.take(item))?;
    let Builder { tree, digest, mut acls, sessions, closed, .. } = builder;
    acls.purge_unused();
    let mut tree = tree.finish().map_err(|_| SnapshotError::Twice)?;
    // Without any znode there is a root all the same.
    let digest = if tree.count() <= 2 { TreeDigest::of(&mut tree) } else { digest };
    let (recorded, last_processed) = (sections.digest, sections.last_processed);
    Ok(Restored { tree, acls, sessions, digest, recorded, last_processed, closed })
}

struct Builder {
    tree: Restorer,
    digest: TreeDigest,
    acls: AclTable,
    /// The snapshot's ids are not ours.
    ids: BTreeMap<i64, AclId>,
    sessions: BTreeMap<SessionId, i32>,
    closed: u64,
}

impl Builder {
    fn take(&mut self, item: &Item<'_>) -> Result<(), SnapshotError> {
        match item {
            Item::Count | Item::End => {}
            Item::Session { session, timeout_ms } => {
                self.sessions.insert(*session, *timeout_ms);
            }
            Item::Acl { id, list } => {
                let ours = self.acls.intern_unused(list);
                self.ids.insert(*id, ours);
            }
            Item::Znode { path, data, acl, stat } => {
                let acl = self.acl(*acl);
                self.acls.keep(acl);
                let digest = digest::of_znode(path, *data, stat);
                self.digest = self.digest.replacing(0, digest);
                let restored = RestoredZnode { path, data: *data, acl, stat, digest };
                self.tree.take(&restored).map_err(|error| match error {
                    RestoreError::NoParent => SnapshotError::Tree { path: path.to_string() },
                    RestoreError::Exists => SnapshotError::Twice,
                })?;
            }
        }
        Ok(())
    }

    /// Compat: a snapshot written while znodes were made may lack their lists; the log makes them
    /// again and brings the list (ZOOKEEPER-4846, before 3.9.4). Until then nobody may do anything.
    fn acl(&mut self, id: i64) -> AclId {
        if id == AclId::OPEN.persisted() {
            return AclId::OPEN;
        }
        match self.ids.get(&id) {
            Some(ours) => *ours,
            None => {
                self.closed += 1;
                let mut list = Vec::new();
                Acl::encode_list(&[Acl::new(0, "world", "anyone")], &mut list);
                let list = Acls::decode(&mut Reader::new(&list)).expect("encoded just now");
                let nobody = self.acls.intern_unused(&list);
                self.ids.insert(id, nobody);
                nobody
            }
        }
    }
}

/// Paths seen so far, by their hash: enough to tell that every znode comes once and after its
/// parent, where no tree is built.
#[derive(Default)]
pub(super) struct Paths {
    hashes: HashTable<u64>,
    /// Whether the root has come; it comes first.
    begun: bool,
}

impl Paths {
    /// Whether this znode may come now.
    pub(super) fn enter(&mut self, path: &str) -> bool {
        if path.is_empty() {
            return !std::mem::replace(&mut self.begun, true);
        }
        let Some((above, name)) = split(path) else { return false };
        let parent_known = if above.is_empty() { self.begun } else { self.knows(above) };
        if !parent_known || name.is_empty() || self.knows(path) {
            return false;
        }
        let hash = content_hash(path.as_bytes());
        self.hashes.insert_unique(hash, hash, |hash| *hash);
        true
    }

    fn knows(&self, path: &str) -> bool {
        let hash = content_hash(path.as_bytes());
        self.hashes.find(hash, |other| *other == hash).is_some()
    }
}
