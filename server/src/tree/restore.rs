//! A tree from a snapshot: many znodes, parents first, nobody looking meanwhile.
//!
//! Perf: the index is what a znode costs most, a miss of the cache or two wherever its hash falls.
//! So znodes are entered in runs, shard by shard, each shard small enough to stay in the cache; and
//! siblings, which mostly follow each other, look their parent up once.
//!
//! Invariants:
//! - R1. Whoever looks something up has entered what was read before.
//!
//! Not here: the format (`snapshot`), single znodes (`change`).

use super::change::size;
use super::znode::{AclId, StatPersisted, Znode, ZnodeId};
use super::{RestoreError, Tree, split};

/// Znodes that wait for their place in the index, at most.
const RUN: usize = 1 << 20;

/// A tree in the making.
pub struct Restorer {
    tree: Tree,
    /// The last znode's parent, and its path.
    parent: ZnodeId,
    above: String,
    run: Vec<ZnodeId>,
    /// Whether the root has come; it comes first.
    begun: bool,
}

/// A znode as a snapshot has it, with the digest that the reader computed.
#[derive(Clone, Copy, Debug)]
pub struct RestoredZnode<'a> {
    pub path: &'a str,
    pub data: Option<&'a [u8]>,
    pub acl: AclId,
    pub stat: &'a StatPersisted,
    pub digest: u32,
}

impl Restorer {
    /// Into `tree`, which is bare.
    pub fn new(tree: Tree) -> Self {
        Self { tree, parent: ZnodeId::ROOT, above: String::new(), run: Vec::new(), begun: false }
    }

    /// The next znode, whose parent has come before. The root's path is "".
    ///
    /// # Errors
    /// It has no parent. Where it stands there already, some later call may say so.
    pub fn take(&mut self, znode: &RestoredZnode<'_>) -> Result<(), RestoreError> {
        let RestoredZnode { path, data, acl, stat, digest } = *znode;
        if path.is_empty() {
            if std::mem::replace(&mut self.begun, true) {
                return Err(RestoreError::Exists);
            }
            let root = self.tree.restore(path, data, acl, stat)?;
            self.tree.set_digest(root, digest);
            return Ok(());
        }
        let (above, name) = split(path).ok_or(RestoreError::NoParent)?;
        if name.is_empty() || !self.begun {
            return Err(RestoreError::NoParent);
        }
        if above != self.above {
            self.enter_run()?;
            self.parent = self.tree.find(above).ok_or(RestoreError::NoParent)?;
            self.above.clear();
            self.above.push_str(above);
        }
        let mut znode = Znode::new(acl, stat);
        znode.digest = digest;
        let id = self.tree.attach_unindexed(self.parent, name, data, znode);
        self.tree.data_size += size(path, self.tree.arena[id].data_length());
        self.run.push(id);
        if self.run.len() == RUN { self.enter_run() } else { Ok(()) }
    }

    pub fn finish(mut self) -> Result<Tree, RestoreError> {
        self.enter_run()?;
        Ok(self.tree)
    }

    /// R1: what waits stands in the index now.
    fn enter_run(&mut self) -> Result<(), RestoreError> {
        let Tree { arena, index, .. } = &mut self.tree;
        let is_new = index.insert_run(arena, &mut self.run, |one, other| {
            arena[one].parent == arena[other].parent
                && arena.name_bytes(one) == arena.name_bytes(other)
        });
        if is_new { Ok(()) } else { Err(RestoreError::Exists) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::OwnerRules;
    use super::*;

    fn take(restorer: &mut Restorer, path: &str) -> Result<(), RestoreError> {
        let stat = StatPersisted::default();
        let (data, acl) = (Some(path.as_bytes()), AclId::OPEN);
        restorer.take(&RestoredZnode { path, data, acl, stat: &stat, digest: path.len() as u32 })
    }

    /// R1: however many wait, a parent is found, and whoever comes twice as well.
    #[test]
    fn what_is_read_is_a_tree_in_runs_of_any_length() {
        for children in [1, 3, 1000, 5000] {
            let mut restorer = Restorer::new(Tree::bare(OwnerRules::default()));
            let mut paths = vec![String::new()];
            for parent in ["/a", "/b", "/b/c"] {
                paths.push(parent.to_owned());
                paths.extend((0..children).map(|child| format!("{parent}/{child}")));
            }
            paths.push("/a/0/deep".to_owned());
            for path in &paths {
                take(&mut restorer, path).unwrap();
            }
            assert_eq!(take(&mut restorer, "/c/d"), Err(RestoreError::NoParent));
            assert_eq!(take(&mut restorer, ""), Err(RestoreError::Exists));
            let tree = restorer.finish().unwrap();
            assert_eq!(tree.count(), paths.len() + 1);
            for path in &paths {
                let id = tree.find(path).unwrap();
                assert_eq!(tree.data(id), Some(path.as_bytes()), "{path}");
                assert_eq!(tree.get(id).digest as usize, path.len());
            }
            for twice in ["/a/0", "/b"] {
                let mut restorer = Restorer::new(Tree::bare(OwnerRules::default()));
                let outcome = paths.iter().try_for_each(|path| take(&mut restorer, path));
                let outcome = outcome.and_then(|()| take(&mut restorer, twice));
                let outcome = outcome.and_then(|()| restorer.finish().map(drop));
                assert_eq!(outcome, Err(RestoreError::Exists), "{twice}");
            }
        }
    }

    #[test]
    fn the_root_comes_first() {
        let mut restorer = Restorer::new(Tree::bare(OwnerRules::default()));
        assert_eq!(take(&mut restorer, "/a"), Err(RestoreError::NoParent));
    }
}
