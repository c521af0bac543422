//! Changing the tree: the raw steps of ZooKeeper's `DataTree`, with its guards.
//!
//! The guards exist because a log may be replayed over a snapshot that already holds its effects:
//! a parent's cversion and pzxid only rise, a create that finds the znode leaves it, a delete that
//! finds none still marks the parent. Versions are given, never computed: the leader did that.
//!
//! Not here: undoing (nothing that reaches the tree is undone).

use ringkeeper_engine::zxid::Zxid;

use super::index::child_hash;
use super::znode::{AclId, NONE, StatBesideData, StatPersisted, Znode, ZnodeId};
use super::{Nursery, Tree, split};

/// A znode to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewZnode<'a> {
    pub path: &'a str,
    pub data: Option<&'a [u8]>,
    pub acl: AclId,
    /// The raw `ephemeralOwner`.
    pub owner: i64,
    /// What the parent's cversion becomes if that is a rise; -1 is one above what it is.
    pub parent_cversion: i32,
    pub zxid: Zxid,
    pub time: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Created {
    pub id: ZnodeId,
    pub parent: ZnodeId,
    /// Before it had this child.
    pub parent_before: StatBesideData,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CreateError {
    /// No znode to stand below, or no name to go by.
    NoParent,
    /// Nothing was changed, the parent neither.
    Exists { id: ZnodeId, parent: ZnodeId },
}

/// What is left of a removed znode.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Removed {
    pub parent: ZnodeId,
    /// While it had this child.
    pub parent_before: StatBesideData,
    pub acl: AclId,
    pub owner: i64,
    pub digest: u32,
    pub data_length: usize,
    /// Descendants that went along; see `Tree::delete`.
    pub orphans: Vec<Orphan>,
}

/// A znode that lost its parent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Orphan {
    pub acl: AclId,
    pub digest: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeleteError {
    NoParent,
    /// Nothing was there, but the parent's pzxid rose to the zxid of the delete.
    NoZnode {
        parent: ZnodeId,
    },
}

/// A snapshot that does not describe a tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RestoreError {
    NoParent,
    Exists,
}

impl Tree {
    pub fn create(&mut self, new: &NewZnode<'_>) -> Result<Created, CreateError> {
        let Some((above, name)) = split(new.path) else { return Err(CreateError::NoParent) };
        let parent = self.find_nursery(above).ok_or(CreateError::NoParent)?;
        if name.is_empty() {
            return Err(CreateError::NoParent);
        }
        if let Some(id) = self.child(parent, name) {
            return Err(CreateError::Exists { id, parent });
        }
        let parent_before = self.arena[parent].beside_data();
        self.raise_cversion(parent, new.parent_cversion, new.zxid);
        let zxid = new.zxid.0;
        let stat = StatPersisted {
            czxid: zxid,
            mzxid: zxid,
            pzxid: zxid,
            ctime: new.time,
            mtime: new.time,
            owner: new.owner,
            ..StatPersisted::default()
        };
        let id = self.attach(parent, name, new.data, Znode::new(new.acl, &stat));
        self.data_size += size(new.path, self.arena[id].data_length());
        Ok(Created { id, parent, parent_before })
    }

    /// `find`, of a znode that is about to have one child more.
    ///
    /// Perf: siblings mostly come together, and comparing a path costs less than its hash.
    fn find_nursery(&mut self, path: &str) -> Option<ZnodeId> {
        if self.nursery.path != path {
            let id = self.find(path)?;
            self.nursery.path.clear();
            self.nursery.path.push_str(path);
            self.nursery.id = id;
        }
        Some(self.nursery.id)
    }

    /// Removes the znode at a path.
    ///
    /// Compat: Java leaves what stands below it behind, unreachable, until the log makes it again
    /// (`DataTree.deleteNode`, 3.9.5). That happens only where a log is replayed over a snapshot
    /// of Java's, which is not of one moment; here the descendants go along, to the same end.
    pub fn delete(&mut self, path: &str, zxid: Zxid) -> Result<Removed, DeleteError> {
        let Some((above, name)) = split(path) else { return Err(DeleteError::NoParent) };
        let parent = self.find(above).ok_or(DeleteError::NoParent)?;
        let parent_before = self.arena[parent].beside_data();
        self.raise_pzxid(parent, zxid);
        let id = self.child(parent, name).ok_or(DeleteError::NoZnode { parent })?;
        let orphans = self.remove_descendants(id);
        self.data_size -= size(path, self.arena[id].data_length());
        let znode = self.detach(id);
        Ok(Removed {
            parent,
            parent_before,
            acl: znode.acl,
            owner: znode.owner,
            digest: znode.digest,
            data_length: znode.data_length(),
            orphans,
        })
    }

    pub fn set_data(
        &mut self,
        id: ZnodeId,
        data: Option<&[u8]>,
        version: i32,
        zxid: Zxid,
        time: i64,
    ) {
        self.replace_data(id, data);
        let znode = &mut self.arena[id];
        znode.version = version;
        znode.mzxid = zxid.0;
        znode.mtime = time;
    }

    /// New data and nothing else: what a quota's counts and the configuration get.
    pub fn replace_data(&mut self, id: ZnodeId, data: Option<&[u8]>) {
        self.before_change(id);
        self.data_size -= self.arena[id].data_length() as u64;
        self.arena.set_data(id, data);
        self.data_size += self.arena[id].data_length() as u64;
    }

    /// Gives a new ACL and aversion; returns the ACL it had, for the caller to release.
    pub fn set_acl(&mut self, id: ZnodeId, acl: AclId, aversion: i32) -> AclId {
        self.before_change(id);
        self.arena[id].aversion = aversion;
        self.replace_acl(id, acl)
    }

    /// Gives a new ACL alone, as a create does to the znode in its way; returns the old one.
    pub fn replace_acl(&mut self, id: ZnodeId, acl: AclId) -> AclId {
        self.before_change(id);
        std::mem::replace(&mut self.arena[id].acl, acl)
    }

    /// A child was made: the parent's cversion and pzxid, if that is a rise (-1: one more).
    ///
    /// Compat: at `i32::MAX` the next wraps below and is no rise, so both stick
    /// (`DataTree.createNode`, 3.9.5).
    pub fn raise_cversion(&mut self, parent: ZnodeId, cversion: i32, zxid: Zxid) {
        let current = self.arena[parent].cversion;
        let cversion = if cversion == -1 { current.wrapping_add(1) } else { cversion };
        if cversion > current {
            self.before_change(parent);
            let znode = &mut self.arena[parent];
            znode.cversion = cversion;
            znode.pzxid = zxid.0;
        }
    }

    /// A child went: the parent's pzxid, if that is a rise. The stored cversion stays.
    fn raise_pzxid(&mut self, parent: ZnodeId, zxid: Zxid) {
        if zxid.0 > self.arena[parent].pzxid {
            self.before_change(parent);
            self.arena[parent].pzxid = zxid.0;
        }
    }

    /// The digest module's cache; no part of what a snapshot keeps.
    pub fn set_digest(&mut self, id: ZnodeId, digest: u32) {
        self.arena[id].digest = digest;
    }

    /// Overwrites the whole stat; the configuration's is local to each server. The owner stays.
    pub fn set_stat(&mut self, id: ZnodeId, stat: &StatPersisted) {
        self.before_change(id);
        let znode = &mut self.arena[id];
        let StatPersisted {
            czxid, mzxid, ctime, mtime, version, cversion, aversion, pzxid, ..
        } = *stat;
        (znode.czxid, znode.mzxid, znode.pzxid) = (czxid, mzxid, pzxid);
        (znode.ctime, znode.mtime) = (ctime, mtime);
        (znode.version, znode.cversion, znode.aversion) = (version, cversion, aversion);
    }

    /// A znode from a snapshot, whose parents come first. The root's path is "".
    pub fn restore(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        acl: AclId,
        stat: &StatPersisted,
    ) -> Result<ZnodeId, RestoreError> {
        if path.is_empty() {
            self.set_stat(ZnodeId::ROOT, stat);
            self.replace_acl(ZnodeId::ROOT, acl);
            self.replace_data(ZnodeId::ROOT, data);
            return Ok(ZnodeId::ROOT);
        }
        let (above, name) = split(path).ok_or(RestoreError::NoParent)?;
        let parent = self.find(above).ok_or(RestoreError::NoParent)?;
        if name.is_empty() {
            return Err(RestoreError::NoParent);
        }
        if self.child(parent, name).is_some() {
            return Err(RestoreError::Exists);
        }
        let id = self.attach(parent, name, data, Znode::new(acl, stat));
        self.data_size += size(path, self.arena[id].data_length());
        Ok(id)
    }

    /// Links a new znode everywhere (T1, T2).
    fn attach(
        &mut self,
        parent: ZnodeId,
        name: &str,
        data: Option<&[u8]>,
        znode: Znode,
    ) -> ZnodeId {
        self.before_change(parent);
        let id = self.attach_unindexed(parent, name, data, znode);
        self.index.insert(&self.arena, id);
        id
    }

    /// Links a new znode everywhere but in the index.
    pub(super) fn attach_unindexed(
        &mut self,
        parent: ZnodeId,
        name: &str,
        data: Option<&[u8]>,
        mut znode: Znode,
    ) -> ZnodeId {
        let above = &mut self.arena[parent];
        znode.hash = child_hash(above.hash, name.as_bytes());
        znode.parent = parent.0;
        znode.next = above.first_child;
        // It did not exist when a running checkpoint began, so that has nothing to write of it.
        znode.mark = self.checkpoints;
        above.child_count += 1;
        let older = above.first_child;
        let owner = self.rules.classify(znode.owner);
        let id = self.arena.insert(znode, name, data);
        self.arena[parent].first_child = id.0;
        if older != NONE {
            self.arena[ZnodeId(older)].prev = id.0;
        }
        self.kin.link(&mut self.arena, id, owner);
        id
    }

    /// Unlinks a childless znode everywhere (T1, T2).
    fn detach(&mut self, id: ZnodeId) -> Znode {
        self.before_change(id);
        if self.nursery.id == id {
            self.nursery = Nursery::ROOT;
        }
        let znode = &self.arena[id];
        assert_eq!(znode.child_count, 0, "T1: {id:?} still has children");
        let (parent, next, prev) = (ZnodeId(znode.parent), znode.next, znode.prev);
        let (hash, owner) = (znode.hash, self.rules.classify(znode.owner));
        self.kin.unlink(&mut self.arena, id, owner);
        self.index.remove(hash, id);
        match prev {
            NONE => self.arena[parent].first_child = next,
            _ => self.arena[ZnodeId(prev)].next = next,
        }
        if next != NONE {
            self.arena[ZnodeId(next)].prev = prev;
        }
        self.arena[parent].child_count -= 1;
        self.arena.remove(id)
    }

    fn remove_descendants(&mut self, top: ZnodeId) -> Vec<Orphan> {
        if self.arena[top].first_child == NONE {
            return Vec::new();
        }
        let ids: Vec<ZnodeId> = self.subtree(top).skip(1).collect();
        let mut path = String::new();
        let mut orphans = Vec::with_capacity(ids.len());
        for id in ids.into_iter().rev() {
            path.clear();
            self.path_into(id, &mut path);
            self.data_size -= size(&path, self.arena[id].data_length());
            let znode = self.detach(id);
            orphans.push(Orphan { acl: znode.acl, digest: znode.digest });
        }
        orphans
    }
}

/// What a znode adds to the approximate data size. Java counts a path in UTF-16 units.
pub(super) fn size(path: &str, data: usize) -> u64 {
    let units = if path.is_ascii() { path.len() } else { path.encode_utf16().count() };
    (units + data) as u64
}
