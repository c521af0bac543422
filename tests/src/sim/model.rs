//! What has been decided, replayed by rules of its own: the witness that all else is held against.
//!
//! The simulator feeds it each txn when the leader decides it, in the order of zxids. It remembers
//! what every znode was at every zxid, so any answer can be judged by the zxid it carries: what a
//! read must have found, what a write must have done, which events were due.
//!
//! Not here: who asks (`client`), how the order is learned (`witness`).

use std::collections::{BTreeMap, BTreeSet};

use ringkeeper::txn::{self, Create, CreateKind, Txn};
use ringkeeper::wire::{EventKind, OpCode, SessionId, parent_of};
use ringkeeper_engine::zxid::Zxid;

/// A znode at some zxid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Znode {
    pub data: Vec<u8>,
    pub version: i32,
    pub owner: Option<SessionId>,
}

/// What became of a znode. `kind` is one of the three that are about the znode itself.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub zxid: Zxid,
    pub path: String,
    pub kind: EventKind,
}

/// Who asked for a txn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub session: SessionId,
    pub cxid: i32,
}

#[derive(Default)]
pub(super) struct Model {
    last: Zxid,
    znodes: BTreeMap<String, Vec<(Zxid, Option<Znode>)>>,
    /// Everything that ever happened to a znode, in order.
    pub changes: Vec<Change>,
    origins: BTreeMap<Zxid, Origin>,
    /// The cxid of the last change of each session.
    cxids: BTreeMap<SessionId, i32>,
    sessions: BTreeSet<SessionId>,
    closed: BTreeMap<SessionId, Zxid>,
    /// Sessions that the leader ended because they were silent.
    expired: BTreeSet<SessionId>,
}

impl Model {
    /// How far the order is decided.
    pub(super) fn last(&self) -> Zxid {
        self.last
    }

    /// Sessions that were opened and not closed.
    pub(super) fn sessions(&self) -> &BTreeSet<SessionId> {
        &self.sessions
    }

    pub(super) fn origin(&self, zxid: Zxid) -> Option<Origin> {
        self.origins.get(&zxid).copied()
    }

    /// What `path` was when everything up to `zxid` was applied and nothing after it.
    pub(super) fn at(&self, path: &str, zxid: Zxid) -> Option<&Znode> {
        let versions = self.znodes.get(path)?;
        let count = versions.partition_point(|version| version.0 <= zxid);
        versions[..count].last()?.1.as_ref()
    }

    /// The children of `path` at `zxid`, by name.
    pub(super) fn children_at(&self, path: &str, zxid: Zxid) -> Vec<&str> {
        let below = format!("{path}/");
        let kin = self.znodes.range(below.clone()..).take_while(|(p, _)| p.starts_with(&below));
        kin.map(|(p, _)| p.as_str())
            .filter(|p| !p[below.len()..].contains('/') && self.at(p, zxid).is_some())
            .map(|p| &p[below.len()..])
            .collect()
    }

    /// Everything that is there now.
    pub(super) fn living(&self) -> impl Iterator<Item = (&str, &Znode)> {
        self.znodes
            .iter()
            .filter_map(|(path, versions)| Some((path.as_str(), versions.last()?.1.as_ref()?)))
    }

    /// The place in `changes` right after those of `zxid`.
    pub(super) fn place_after(&self, zxid: Zxid) -> usize {
        self.changes.partition_point(|change| change.zxid <= zxid)
    }

    /// The next decided txn.
    ///
    /// # Errors
    /// It says what it cannot mean, as far as the model knows.
    pub(super) fn apply(&mut self, zxid: Zxid, payload: &[u8]) -> Result<(), String> {
        let (header, record, _) = txn::decode(payload).map_err(|error| error.to_string())?;
        if header.zxid != zxid || zxid <= self.last {
            return Err(format!("{zxid:?} decided after {:?}, header {header:?}", self.last));
        }
        self.last = zxid;
        let session = header.session;
        self.origins.insert(zxid, Origin { session, cxid: header.cxid });
        let is_change = match &record {
            Txn::Error { .. } | Txn::CloseSession { .. } => false,
            Txn::Multi(multi) => !multi.is_failed(),
            _ => true,
        };
        if is_change && self.closed.contains_key(&session) {
            return Err(format!(
                "{zxid:?}: {session:?} writes {:?} after its end (P8)",
                header.kind
            ));
        }
        if is_change
            && header.cxid != 0
            && let Some(before) = self.cxids.insert(session, header.cxid)
            && before >= header.cxid
        {
            let cxid = header.cxid;
            return Err(format!("{zxid:?}: {session:?} writes {cxid} after {before} (P4)"));
        }
        match &record {
            Txn::CreateSession { .. } => {
                self.sessions.insert(session);
                Ok(())
            }
            Txn::CloseSession { paths } => {
                let listed = paths.as_ref().map(|paths| {
                    paths.iter().flatten().map(|path| path.into_owned()).collect::<Vec<_>>()
                });
                self.close(zxid, session, header.cxid, listed)
            }
            Txn::Multi(multi) if multi.is_failed() => Ok(()),
            Txn::Multi(multi) => {
                multi.iter().try_for_each(|sub| self.single(zxid, session, &sub.txn))
            }
            single => self.single(zxid, session, single),
        }
        .map_err(|why| format!("{zxid:?} {:?}: {why}", header.kind))
    }

    fn single(&mut self, zxid: Zxid, session: SessionId, txn: &Txn<'_>) -> Result<(), String> {
        match txn {
            Txn::Create(create) => self.create(zxid, session, create),
            Txn::Delete { path } => self.delete(zxid, path),
            Txn::SetData { path, data, version } => {
                let data = data.unwrap_or_default().to_vec();
                let old = self.at(path, zxid).ok_or_else(|| format!("{path} is not there"))?;
                if *version != old.version + 1 {
                    return Err(format!("{path}: version {version} after {}", old.version));
                }
                let znode = Znode { data, version: *version, owner: old.owner };
                self.change(zxid, path, EventKind::DataChanged, Some(znode));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn create(
        &mut self,
        zxid: Zxid,
        session: SessionId,
        create: &Create<'_>,
    ) -> Result<(), String> {
        let path = &*create.path;
        let above = parent_of(path).unwrap_or_default();
        if !above.is_empty() && above != "/" && self.at(above, zxid).is_none() {
            return Err(format!("{path} has no parent"));
        }
        // No client uses a name twice, and no sequence may.
        if self.znodes.contains_key(path) {
            return Err(format!("{path} is made a second time (P12)"));
        }
        let owner = (create.kind == CreateKind::Ephemeral).then_some(session);
        let data = create.data.unwrap_or_default().to_vec();
        self.change(zxid, path, EventKind::Created, Some(Znode { data, version: 0, owner }));
        Ok(())
    }

    fn delete(&mut self, zxid: Zxid, path: &str) -> Result<(), String> {
        if self.at(path, zxid).is_none() {
            return Err(format!("{path} is not there"));
        }
        self.change(zxid, path, EventKind::Deleted, None);
        Ok(())
    }

    /// P8: the session's ephemerals go with it, all of them and nothing else.
    fn close(
        &mut self,
        zxid: Zxid,
        session: SessionId,
        cxid: i32,
        listed: Option<Vec<String>>,
    ) -> Result<(), String> {
        if cxid == 0 && !self.expired.insert(session) {
            return Err(format!("{session:?} expires twice (P9)"));
        }
        let is_its = |znode: &Znode| znode.owner == Some(session);
        let owned = self.living().filter(|(_, znode)| is_its(znode));
        let owned: BTreeSet<String> = owned.map(|(path, _)| path.to_owned()).collect();
        let order = listed.unwrap_or_else(|| owned.iter().cloned().collect());
        if order.iter().cloned().collect::<BTreeSet<_>>() != owned {
            return Err(format!("{session:?} owns {owned:?}, its end takes {order:?} (P8)"));
        }
        for path in order {
            self.delete(zxid, &path)?;
        }
        self.sessions.remove(&session);
        self.closed.entry(session).or_insert(zxid);
        Ok(())
    }

    fn change(&mut self, zxid: Zxid, path: &str, kind: EventKind, znode: Option<Znode>) {
        self.znodes.entry(path.to_owned()).or_default().push((zxid, znode));
        self.changes.push(Change { zxid, path: path.to_owned(), kind });
    }
}

/// Whether a txn ends a session for its silence.
pub(super) fn expiry_of(payload: &[u8]) -> Option<SessionId> {
    let (header, ..) = txn::decode(payload).ok()?;
    (header.kind == OpCode::CloseSession && header.cxid == 0).then_some(header.session)
}
