//! Looking at the tree: finding, naming, listing, counting.

use super::Tree;
use super::arena::Arena;
use super::index::{child_hash, path_hash};
use super::kin::Kindred;
use super::owner::{Owner, OwnerRules};
use super::znode::{NONE, Znode, ZnodeId};
use crate::wire::Stat;

impl Tree {
    /// The znode at a path. Both "" and "/" are the root; other unclean paths just miss, as
    /// nothing has an empty name.
    pub fn find(&self, path: &str) -> Option<ZnodeId> {
        if path.is_empty() || path == "/" {
            return Some(ZnodeId::ROOT);
        }
        let hash = path_hash(path.as_bytes().strip_prefix(b"/")?);
        self.index.find(hash, |id| self.is_at(id, hash, path.as_bytes()))
    }

    /// The child of this name.
    pub fn child(&self, parent: ZnodeId, name: &str) -> Option<ZnodeId> {
        let hash = child_hash(self.arena[parent].hash, name.as_bytes());
        self.index.find(hash, |id| {
            let znode = &self.arena[id];
            znode.hash == hash
                && znode.parent == parent.0
                && self.arena.name_of(znode) == name.as_bytes()
        })
    }

    /// Whether the names from this znode up to the root are those of the path.
    fn is_at(&self, id: ZnodeId, hash: u64, path: &[u8]) -> bool {
        let mut znode = &self.arena[id];
        let mut left = path;
        if znode.hash != hash {
            return false;
        }
        while znode.parent != NONE {
            let name = self.arena.name_of(znode);
            let Some(slash) = left.len().checked_sub(name.len() + 1) else { return false };
            if left[slash] != b'/' || left[slash + 1..] != *name {
                return false;
            }
            left = &left[..slash];
            znode = &self.arena[ZnodeId(znode.parent)];
        }
        left.is_empty()
    }

    pub fn get(&self, id: ZnodeId) -> &Znode {
        &self.arena[id]
    }

    /// What clients see.
    ///
    /// Compat: the stored cversion counts creations, the shown one also deletions; the owner shows
    /// for ephemerals alone (`DataNode.copyStat`, 3.9.5).
    pub fn stat(&self, id: ZnodeId) -> Stat {
        let znode = &self.arena[id];
        let children = znode.child_count as i32;
        Stat {
            czxid: znode.czxid,
            mzxid: znode.mzxid,
            ctime: znode.ctime,
            mtime: znode.mtime,
            version: znode.version,
            cversion: znode.cversion.wrapping_mul(2).wrapping_sub(children),
            aversion: znode.aversion,
            ephemeral_owner: match self.rules.classify(znode.owner) {
                Owner::Ephemeral(session) => session,
                Owner::Persistent | Owner::Container | Owner::Ttl(_) => 0,
            },
            data_length: i32::try_from(znode.data_length()).expect("data fits a frame"),
            num_children: children,
            pzxid: znode.pzxid,
        }
    }

    pub fn data(&self, id: ZnodeId) -> Option<&[u8]> {
        self.arena.data(id)
    }

    pub fn name(&self, id: ZnodeId) -> &str {
        self.arena.name(id)
    }

    /// `None` for the root.
    pub fn parent(&self, id: ZnodeId) -> Option<ZnodeId> {
        let parent = self.arena[id].parent;
        (parent != NONE).then_some(ZnodeId(parent))
    }

    /// Appends the path; nothing for the root, which is "" wherever paths are stored.
    pub fn path_into(&self, id: ZnodeId, path: &mut String) {
        let length = self.path_length(id);
        path.reserve(length);
        let mut bytes = std::mem::take(path).into_bytes();
        self.path_bytes_into(id, length, &mut bytes);
        *path = String::from_utf8(bytes).expect("names and slashes are UTF-8");
    }

    pub(super) fn path_length(&self, mut id: ZnodeId) -> usize {
        let mut length = 0;
        while let Some(parent) = self.parent(id) {
            length += 1 + self.arena[id].name_length();
            id = parent;
        }
        length
    }

    /// Appends the path, whose length is known, from its end backwards.
    pub(super) fn path_bytes_into(&self, mut id: ZnodeId, length: usize, out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + length, b'/');
        let mut end = out.len();
        while let Some(parent) = self.parent(id) {
            let name = self.arena.name_bytes(id);
            out[end - name.len()..end].copy_from_slice(name);
            end -= name.len() + 1;
            id = parent;
        }
    }

    /// Names of the children, newest first.
    pub fn children(&self, id: ZnodeId) -> impl ExactSizeIterator<Item = &str> {
        self.child_ids(id).map(|child| self.name(child))
    }

    pub fn child_ids(&self, id: ZnodeId) -> Children<'_> {
        let znode = &self.arena[id];
        Children { arena: &self.arena, next: znode.first_child, left: znode.child_count as usize }
    }

    /// This znode and everything below it, parents first.
    pub fn subtree(&self, id: ZnodeId) -> Subtree<'_> {
        Subtree { arena: &self.arena, top: id, next: Some(id) }
    }

    /// Znodes below this one.
    pub fn descendants(&self, id: ZnodeId) -> u64 {
        let below = if id == ZnodeId::ROOT { self.arena.live() } else { self.subtree(id).count() };
        below as u64 - 1
    }

    /// Compat: the root counts twice, as "" and as "/" (`DataTree.getNodeCount`, 3.9.5).
    pub fn count(&self) -> usize {
        self.arena.live() + 1
    }

    /// Lengths of all paths (in UTF-16 units) and data.
    pub fn approximate_data_size(&self) -> u64 {
        self.data_size
    }

    /// How this tree reads `ephemeralOwner`.
    pub fn rules(&self) -> OwnerRules {
        self.rules
    }

    /// What kind of znode this is.
    pub fn owner(&self, id: ZnodeId) -> Owner {
        self.rules.classify(self.arena[id].owner)
    }

    /// The ephemerals of a session, newest first.
    pub fn ephemerals(&self, session: i64) -> Kindred<'_> {
        Kindred::new(&self.arena, self.kin.of_session(session))
    }

    pub fn ephemerals_count(&self) -> usize {
        self.kin.ephemerals()
    }

    pub fn sessions_with_ephemerals(&self) -> impl Iterator<Item = i64> {
        self.kin.sessions()
    }

    pub fn containers(&self) -> Kindred<'_> {
        Kindred::new(&self.arena, self.kin.containers())
    }

    pub fn ttl_znodes(&self) -> Kindred<'_> {
        Kindred::new(&self.arena, self.kin.ttls())
    }
}

/// Children of one znode.
pub struct Children<'a> {
    arena: &'a Arena,
    next: u32,
    left: usize,
}

impl Iterator for Children<'_> {
    type Item = ZnodeId;

    fn next(&mut self) -> Option<ZnodeId> {
        if self.next == NONE {
            return None;
        }
        let id = ZnodeId(self.next);
        self.next = self.arena[id].next;
        self.left -= 1;
        Some(id)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Children<'_> {}

/// A walk in preorder that keeps no stack: siblings and parents are in the znodes.
pub struct Subtree<'a> {
    arena: &'a Arena,
    top: ZnodeId,
    next: Option<ZnodeId>,
}

impl Iterator for Subtree<'_> {
    type Item = ZnodeId;

    fn next(&mut self) -> Option<ZnodeId> {
        let id = self.next?;
        let mut at = &self.arena[id];
        if at.first_child != NONE {
            self.next = Some(ZnodeId(at.first_child));
            return Some(id);
        }
        let mut here = id;
        self.next = loop {
            if here == self.top {
                break None;
            }
            if at.next != NONE {
                break Some(ZnodeId(at.next));
            }
            here = ZnodeId(at.parent);
            at = &self.arena[here];
        };
        Some(id)
    }
}
