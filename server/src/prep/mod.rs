//! A request becomes a txn, or a refusal.
//!
//! The leader judges each request against the tree as it will be when everything proposed before
//! has been applied: the tree, and over it the *outstanding changes*. So a client may send a write
//! that depends on its last one without waiting for the answer.
//!
//! A refused write becomes an error txn and passes the quorum like any other, so that its answer
//! stands in the order too.
//!
//! Invariants:
//! - P1. What is prepared without a refusal applies without one.
//! - P2. A refusal, a failed multi included, leaves no outstanding change behind.
//! - P3. The digest that a txn carries is the tree's after it, wherever it is applied.
//! - P4. No txn is larger than the limit that logs and peers are read with.
//!
//! Not here: changing the tree (`apply`), who forwards what to whom (`frontend`), changing the
//! ensemble: `reconfig` is refused.

mod create;
mod eager;
mod modify;
mod multi;
mod overlay;
mod sessions;
#[cfg(test)]
mod tests;

use ringkeeper_engine::jute::Reader;
use ringkeeper_engine::limits::TXN_BYTES_MAX;
use ringkeeper_engine::time::Millis;
use ringkeeper_engine::zxid::Zxid;

use crate::acl::{AclRules, AclTable, Schemes};
use crate::digest::{self, TreeDigest, beside_data};
use crate::quota::Quotas;
use crate::session::{Owner, Tracker};
use crate::tree::{StatPersisted, Tree};
use crate::txn::{Txn, TxnDigest, TxnHeader};
use crate::wire::{
    AuthId, CreateRequest, ErrorCode, OpCode, PathRequest, SessionId, SetAclRequest,
    SetDataRequest, VersionRequest, is_reserved, parent_of,
};
pub use eager::eager_refusal;
use overlay::{ListRef, Overlay, Record};

/// What an operator can choose about requests.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PrepOptions {
    pub rules: AclRules,
    pub schemes: Schemes,
    /// `enforceQuota`.
    pub enforces_quota: bool,
    /// `zookeeper.digest.enabled`.
    pub digest_enabled: bool,
    /// `reconfigEnabled`: what refuses a `reconfig`.
    pub reconfig_enabled: bool,
    /// `closeSessionTxn.enabled`: whether a closeSession lists what goes with the session.
    pub lists_closed_paths: bool,
    pub txn_bytes_max: usize,
}

impl Default for PrepOptions {
    fn default() -> Self {
        Self {
            rules: AclRules::default(),
            schemes: Schemes::default(),
            enforces_quota: false,
            digest_enabled: true,
            reconfig_enabled: false,
            lists_closed_paths: true,
            txn_bytes_max: TXN_BYTES_MAX,
        }
    }
}

/// What has been applied.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub tree: &'a Tree,
    pub acls: &'a AclTable,
    pub quotas: &'a Quotas,
    pub digest: TreeDigest,
}

/// Where a request comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A client, through this server or a learner.
    Client(Owner),
    /// This server: a session that expired, a container that emptied.
    Server,
}

/// A write to be prepared.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub session: SessionId,
    pub cxid: i32,
    pub op: OpCode,
    pub body: &'a [u8],
    pub ids: &'a [AuthId],
    pub origin: Origin,
}

/// When: the zxid the txn will have, and the time on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub zxid: Zxid,
    pub wall_ms: i64,
    pub now: Millis,
}

/// Prepares one request after another.
pub struct Prep {
    options: PrepOptions,
    overlay: Overlay,
    /// The tree's digest after all outstanding changes; the tree's own where there are none.
    digest: TreeDigest,
    scratch: Scratch,
}

/// Buffers kept for their capacity.
#[derive(Default)]
struct Scratch {
    path: String,
    acl: Vec<u8>,
    /// One op of a multi.
    record: Vec<u8>,
}

impl Prep {
    pub fn new(options: PrepOptions) -> Self {
        Self {
            options,
            overlay: Overlay::default(),
            digest: TreeDigest::default(),
            scratch: Scratch::default(),
        }
    }

    /// Appends the txn that the request becomes: header, record, digest. Where it is refused that
    /// is an error txn, and the refusal is returned; it reaches the client when the txn is
    /// applied. So does a failed multi, whose refusal is that of the op that failed.
    pub fn prepare(
        &mut self,
        view: &View<'_>,
        sessions: &mut Tracker,
        request: &Request<'_>,
        at: Moment,
        out: &mut Vec<u8>,
    ) -> ErrorCode {
        if self.overlay.is_empty() {
            self.digest = view.digest;
        }
        let start = out.len();
        let before = self.digest;
        let mark = self.overlay.mark();
        let header = TxnHeader {
            session: request.session,
            cxid: request.cxid,
            zxid: at.zxid,
            time: at.wall_ms,
            kind: request.op,
        };
        header.encode(out);
        let mut preparing = Preparing { prep: self, view, sessions, request, at, start };
        match preparing.write(out) {
            Ok(Prepared { refusal, takes_digest }) => {
                if self.options.digest_enabled && takes_digest {
                    TxnDigest { version: crate::digest::VERSION, tree: self.digest }.encode(out);
                }
                refusal
            }
            Err(refusal) => {
                // P2
                self.overlay.roll_back(mark);
                self.digest = before;
                out.truncate(start);
                TxnHeader { kind: OpCode::Error, ..header }.encode(out);
                // Compat: an error txn carries no digest (`PrepRequestProcessor`, 3.9.5).
                Txn::Error { code: refusal }.encode(out);
                refusal
            }
        }
    }

    /// Everything up to `zxid` has been applied: the tree shows it.
    pub fn retire(&mut self, zxid: Zxid) {
        self.overlay.retire(zxid);
    }

    /// This server leads no more, or anew: nothing is outstanding.
    pub fn clear(&mut self) {
        self.overlay.clear();
    }

    /// How many changes are outstanding.
    pub fn outstanding(&self) -> usize {
        self.overlay.len()
    }
}

/// A record that has been written.
struct Prepared {
    refusal: ErrorCode,
    takes_digest: bool,
}

const PREPARED: Prepared = Prepared { refusal: ErrorCode::OK, takes_digest: true };

/// One request on its way.
struct Preparing<'a, 'v> {
    prep: &'a mut Prep,
    view: &'a View<'v>,
    sessions: &'a mut Tracker,
    request: &'a Request<'a>,
    at: Moment,
    /// Where the txn begins in the output.
    start: usize,
}

/// A znode as it will be.
struct Seen {
    stat: StatPersisted,
    child_count: u32,
    data_length: usize,
    list: ListRef,
    digest: u32,
}

type Outcome = Result<(), ErrorCode>;

impl Preparing<'_, '_> {
    fn write(&mut self, out: &mut Vec<u8>) -> Result<Prepared, ErrorCode> {
        let op = self.request.op;
        let mut reader = Reader::new(self.request.body);
        let malformed = |_| ErrorCode::MARSHALLING_ERROR;
        match op {
            OpCode::Create | OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
                let request = CreateRequest::decode(op, &mut reader).map_err(malformed)?;
                self.create(&request, out)?;
            }
            OpCode::Delete => {
                let request = VersionRequest::decode(&mut reader).map_err(malformed)?;
                self.delete(&request, out)?;
            }
            OpCode::SetData => {
                let request = SetDataRequest::decode(&mut reader).map_err(malformed)?;
                self.set_data(&request, out)?;
            }
            OpCode::SetAcl => {
                let request = SetAclRequest::decode(&mut reader).map_err(malformed)?;
                self.set_acl(&request, out)?;
            }
            OpCode::Multi => return self.multi(out),
            OpCode::CreateSession => self.create_session(&mut reader, out)?,
            OpCode::CloseSession => return self.close_session(out),
            OpCode::DeleteContainer if self.request.origin == Origin::Server => {
                let request = PathRequest::decode(&mut reader).map_err(malformed)?;
                self.delete_container(&request, out)?;
            }
            OpCode::Reconfig if !self.prep.options.reconfig_enabled => {
                return Err(ErrorCode::RECONFIG_DISABLED);
            }
            _ => {
                self.check_session()?;
                return Err(ErrorCode::UNIMPLEMENTED);
            }
        }
        self.check_size(out)?;
        Ok(PREPARED)
    }

    /// P4. A client whose request would grow beyond every reader gets -8.
    fn check_size(&self, out: &[u8]) -> Outcome {
        let size = out.len() - self.start + TxnDigest::BYTES;
        if size <= self.prep.options.txn_bytes_max { Ok(()) } else { Err(ErrorCode::BAD_ARGUMENTS) }
    }

    fn check_session(&mut self) -> Outcome {
        match self.request.origin {
            Origin::Client(owner) => self.sessions.check(self.request.session, owner),
            Origin::Server => Ok(()),
        }
    }

    /// The znode at a path as it will be when everything outstanding has been applied.
    fn look(&self, path: &str) -> Result<Seen, ErrorCode> {
        if let Some(record) = self.prep.overlay.find(path) {
            return record.seen().ok_or(ErrorCode::NO_NODE);
        }
        let id = self.view.tree.find(path).ok_or(ErrorCode::NO_NODE)?;
        let znode = self.view.tree.get(id);
        Ok(Seen {
            stat: znode.persisted(),
            child_count: znode.child_count,
            data_length: znode.data_length(),
            list: ListRef::Stored(znode.acl),
            digest: znode.digest,
        })
    }

    fn exists(&self, path: &str) -> bool {
        match self.prep.overlay.find(path) {
            Some(record) => record.is_alive(),
            None => self.view.tree.find(path).is_some(),
        }
    }

    fn permit(&self, seen: &Seen, wanted: i32) -> Outcome {
        let (acls, id) = match seen.list {
            ListRef::Stored(id) => (self.view.acls, id),
            ListRef::New(id) => (self.prep.overlay.lists(), id),
        };
        if acls.permits(id, wanted, self.request.ids, &self.prep.options.rules) {
            Ok(())
        } else {
            Err(ErrorCode::NO_AUTH)
        }
    }

    /// A znode changes, its data apart: what it was, what it will be.
    fn record_change(&mut self, path: &str, before: &Seen, mut after: Record) {
        if self.prep.options.digest_enabled {
            let (was, will_be) = (before.stat.beside_data(), after.stat.beside_data());
            after.digest = beside_data::changed(path, before.digest, was, will_be);
        }
        self.push_record(path, before.digest, after);
    }

    /// A znode's data changes, or it is made (then `before` is zero).
    fn record_data(&mut self, path: &str, before: u32, data: Option<&[u8]>, mut after: Record) {
        after.data_length = data.map_or(0, <[u8]>::len);
        if self.prep.options.digest_enabled {
            after.digest = digest::of_znode(path, data, &after.stat);
        }
        self.push_record(path, before, after);
    }

    /// A znode goes.
    fn record_end(&mut self, path: &str, before: u32) {
        self.push_record(path, before, Record::gone());
    }

    fn push_record(&mut self, path: &str, before: u32, after: Record) {
        self.prep.digest = self.prep.digest.replacing(before, after.digest);
        self.prep.overlay.push(path, self.at.zxid, self.view.tree.rules(), after);
    }

    /// A child of the znode at `path` goes.
    fn record_lost_child(&mut self, path: &str, parent: &Seen) {
        let mut after = Record::after(parent);
        after.child_count = after.child_count.saturating_sub(1);
        after.stat.pzxid = after.stat.pzxid.max(self.at.zxid.0);
        self.record_change(path, parent, after);
    }
}

/// The parent's path, where `path` may be deleted.
fn parent_of_deletable(path: &str) -> Result<&str, ErrorCode> {
    match parent_of(path) {
        Some(above) if !path.contains('\0') && !is_reserved(path) => Ok(above),
        _ => Err(ErrorCode::BAD_ARGUMENTS),
    }
}

/// The version after `current`, if that is the one expected (-1 expects nothing).
///
/// Compat: the largest is followed by the smallest, and -1 is a version like others
/// (`PrepRequestProcessor.checkAndIncVersion`, 3.9.5).
fn next_version(current: i32, expected: i32) -> Result<i32, ErrorCode> {
    if expected == -1 || expected == current {
        Ok(current.wrapping_add(1))
    } else {
        Err(ErrorCode::BAD_VERSION)
    }
}
