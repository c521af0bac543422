//! One txn changes the tree, and says so.

use super::outcome::{Applied, SessionChange};
use super::{Database, Guard, Hearing};
use crate::tree::{AclId, CreateError, DeleteError, NewZnode, StatBesideData, ZnodeId};
use crate::txn::{Create, MultiTxn, Txn, TxnHeader};
use crate::watch::ConnId;
use crate::wire::{Acls, ErrorCode, EventKind, OpCode, Strings, WatcherEvent, parent_of};

/// A txn on its way into the database.
pub(super) struct Change<'a, 'h, 'w> {
    db: &'a mut Database,
    header: TxnHeader,
    hearing: Option<&'h mut Hearing<'w>>,
    out: &'a mut Applied,
}

impl<'a, 'h, 'w> Change<'a, 'h, 'w> {
    pub(super) fn new(
        db: &'a mut Database,
        header: TxnHeader,
        hearing: Option<&'h mut Hearing<'w>>,
        out: &'a mut Applied,
    ) -> Self {
        Self { db, header, hearing, out }
    }

    pub(super) fn apply(&mut self, txn: &Txn<'_>) {
        let session = self.header.session;
        match txn {
            Txn::Multi(multi) => self.multi(multi),
            Txn::CreateSession { timeout_ms } => {
                self.db.sessions.insert(session, *timeout_ms);
                let timeout_ms = *timeout_ms;
                self.out.session = Some(SessionChange::Created { session, timeout_ms });
            }
            Txn::CloseSession { paths } => {
                self.close_session(*paths);
                self.out.session = Some(SessionChange::Closed { session });
            }
            Txn::Error { code } => self.out.err = *code,
            single => self.out.err = self.single(self.header.kind, single),
        }
    }

    /// A1: a multi with an error among its ops changes nothing.
    fn multi(&mut self, multi: &MultiTxn<'_>) {
        let mut has_failed = false;
        for sub in multi.iter() {
            match sub.txn {
                Txn::Error { code } => {
                    has_failed = true;
                    self.out.push(OpCode::Error, code);
                }
                _ if has_failed => self.out.push(OpCode::Error, ErrorCode::RUNTIME_INCONSISTENCY),
                _ if multi.is_failed() => self.out.push(OpCode::Error, ErrorCode::OK),
                ref single => {
                    let err = self.single(sub.kind, single);
                    if !err.is_ok() {
                        self.out.push(sub.kind, err);
                    }
                }
            }
        }
    }

    /// One change; pushes its result where it went well.
    fn single(&mut self, kind: OpCode, txn: &Txn<'_>) -> ErrorCode {
        let result = match txn {
            Txn::Create(create) => self.create(kind, create),
            Txn::Delete { path } => self.delete(path).map(|()| self.out.push(kind, ErrorCode::OK)),
            Txn::SetData { path, data, version } => self.set_data(kind, path, *data, *version),
            Txn::SetAcl { path, acl, version } => self.set_acl(kind, path, acl, *version),
            _ => {
                self.out.push(kind, ErrorCode::OK);
                Ok(())
            }
        };
        result.err().unwrap_or(ErrorCode::OK)
    }

    fn create(&mut self, kind: OpCode, create: &Create<'_>) -> Result<(), ErrorCode> {
        let path = &*create.path;
        let acl = self.db.acls.intern(&create.acl);
        let new = NewZnode {
            path,
            data: create.data,
            acl,
            owner: create.kind.owner(self.header.session),
            parent_cversion: create.parent_cversion,
            zxid: self.header.zxid,
            time: self.header.time,
        };
        let created = match self.db.tree.create(&new) {
            Ok(created) => created,
            Err(CreateError::NoParent) => {
                self.db.acls.release(acl);
                return Err(ErrorCode::NO_NODE);
            }
            Err(CreateError::Exists { id, parent }) => {
                self.meet_existing(kind, create, acl, id, parent);
                return Err(ErrorCode::NODE_EXISTS);
            }
        };
        let above = parent_of(path).unwrap_or_default();
        self.refresh(created.id, path);
        self.refresh_parent(created.parent, above, created.parent_before);
        let length = create.data.map_or(0, <[u8]>::len);
        self.db.quotas.on_created(&mut self.db.tree, path, length);
        let stat = self.db.tree.stat(created.id);
        self.out.push_text(kind, path, stat);
        self.fire(EventKind::Created, path, acl);
        self.fire_children(above, self.db.tree.get(created.parent).acl);
        Ok(())
    }

    /// The znode was there: the log is replayed over a snapshot that holds some of it already.
    ///
    /// Compat: its list becomes the txn's, and for type 1 alone the parent's cversion and pzxid
    /// follow (`DataTree.createNode` and `processTxn`, 3.9.5).
    fn meet_existing(
        &mut self,
        kind: OpCode,
        create: &Create<'_>,
        acl: AclId,
        id: ZnodeId,
        parent: ZnodeId,
    ) {
        let old = self.db.tree.replace_acl(id, acl);
        self.db.acls.release(old);
        if kind == OpCode::Create {
            self.db.tree.raise_cversion(parent, create.parent_cversion, self.header.zxid);
            self.refresh(parent, parent_of(&create.path).unwrap_or_default());
        }
    }

    fn delete(&mut self, path: &str) -> Result<(), ErrorCode> {
        let above = parent_of(path).unwrap_or_default();
        let removed = match self.db.tree.delete(path, self.header.zxid) {
            Ok(removed) => removed,
            Err(DeleteError::NoParent) => return Err(ErrorCode::NO_NODE),
            Err(DeleteError::NoZnode { parent }) => {
                self.refresh(parent, above);
                return Err(ErrorCode::NO_NODE);
            }
        };
        if self.db.is_digest_enabled {
            self.db.digest.forget(&removed);
        }
        self.refresh_parent(removed.parent, above, removed.parent_before);
        self.db.quotas.on_deleted(&mut self.db.tree, path, removed.data_length);
        self.fire(EventKind::Deleted, path, removed.acl);
        self.fire_children(above, self.db.tree.get(removed.parent).acl);
        // Only after the events, which are guarded by it.
        self.db.acls.release(removed.acl);
        for orphan in &removed.orphans {
            self.db.acls.release(orphan.acl);
        }
        Ok(())
    }

    fn set_data(
        &mut self,
        kind: OpCode,
        path: &str,
        data: Option<&[u8]>,
        version: i32,
    ) -> Result<(), ErrorCode> {
        let id = self.db.tree.find(path).ok_or(ErrorCode::NO_NODE)?;
        let before = self.db.tree.get(id).data_length();
        self.db.tree.set_data(id, data, version, self.header.zxid, self.header.time);
        self.refresh(id, path);
        let after = data.map_or(0, <[u8]>::len);
        self.db.quotas.on_data_set(&mut self.db.tree, path, before, after);
        let stat = self.db.tree.stat(id);
        if kind == OpCode::Reconfig {
            let text = String::from_utf8_lossy(data.unwrap_or_default());
            self.out.push_text(kind, &text, stat);
        } else {
            self.out.push_stat(kind, stat);
        }
        self.fire(EventKind::DataChanged, path, self.db.tree.get(id).acl);
        Ok(())
    }

    fn set_acl(
        &mut self,
        kind: OpCode,
        path: &str,
        acl: &Acls<'_>,
        version: i32,
    ) -> Result<(), ErrorCode> {
        let id = self.db.tree.find(path).ok_or(ErrorCode::NO_NODE)?;
        let new = self.db.acls.intern(acl);
        let old = self.db.tree.set_acl(id, new, version);
        self.db.acls.release(old);
        self.refresh(id, path);
        let stat = self.db.tree.stat(id);
        self.out.push_stat(kind, stat);
        Ok(())
    }

    /// The listed paths in their order, then whatever the session still owns here.
    fn close_session(&mut self, paths: Option<Strings<'_>>) {
        for path in paths.iter().flat_map(Strings::iter).flatten() {
            // One that is gone already was deleted before the snapshot this is replayed over.
            let _gone = self.delete(&path);
        }
        self.remove_ephemerals();
        self.db.sessions.remove(&self.header.session);
    }

    pub(super) fn remove_ephemerals(&mut self) {
        let mut path = String::new();
        while let Some(id) = self.db.tree.ephemerals(self.header.session.0).next() {
            path.clear();
            self.db.tree.path_into(id, &mut path);
            self.delete(&path).expect("T2: a session's list names znodes that exist");
        }
    }

    fn refresh(&mut self, id: ZnodeId, path: &str) {
        if self.db.is_digest_enabled {
            self.db.digest.refresh(&mut self.db.tree, id, path);
        }
    }

    fn refresh_parent(&mut self, id: ZnodeId, path: &str, before: StatBesideData) {
        if self.db.is_digest_enabled {
            self.db.digest.refresh_beside_data(&mut self.db.tree, id, path, before);
        }
    }

    /// Tells those who watch the znode itself. `list` must still be in the table.
    fn fire(&mut self, kind: EventKind, path: &str, list: AclId) {
        let zxid = self.header.zxid.0;
        let Some(hearing) = self.hearing.as_deref_mut() else { return };
        let guard = Guard { acls: &self.db.acls, list };
        let event = WatcherEvent { kind, path, zxid };
        let Hearing { watches, listener } = hearing;
        let mut tell = |conn: ConnId| listener.on_event(conn, &event, &guard);
        if kind == EventKind::Deleted {
            watches.fire_deleted(path, &mut tell);
        } else {
            watches.fire_data(path, &mut tell);
        }
    }

    fn fire_children(&mut self, parent: &str, list: AclId) {
        let zxid = self.header.zxid.0;
        let Some(hearing) = self.hearing.as_deref_mut() else { return };
        let path = if parent.is_empty() { "/" } else { parent };
        let guard = Guard { acls: &self.db.acls, list };
        let event = WatcherEvent { kind: EventKind::ChildrenChanged, path, zxid };
        let Hearing { watches, listener } = hearing;
        watches.fire_children(path, &mut |conn| listener.on_event(conn, &event, &guard));
    }
}
