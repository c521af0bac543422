//! The state that the log decides, and what reads of it answer.
//!
//! `Database` is the tree with everything that must change together with it: access lists, quotas,
//! sessions, the tree's digest. One path applies a txn, at start and while serving alike; whoever
//! replays has nobody to tell of events and ignores refusals.
//!
//! Invariants:
//! - A1. Txns are applied in the order of their zxids, each whole: nobody reads half a multi.
//! - A2. What a txn does depends on the tree and its bytes alone: it is the same on every server.
//! - A3. Events of a txn are told while it is applied, so before any answer that shows it.
//! - A4. No digest is compared, or kept, while the tree may hold parts of txns that are to come.
//!
//! Not here: whether a request may become a txn (`prep`), files (`snapshot`), frames and order of
//! answers (`frontend`).

mod change;
mod history;
mod outcome;
mod read;
mod set_watches;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use ringkeeper_engine::jute::WireError;
use ringkeeper_engine::zxid::Zxid;

use crate::acl::{AclRules, AclTable};
use crate::digest::TreeDigest;
use crate::prep::View;
use crate::quota::Quotas;
use crate::tree::{AclId, CONFIG_PATH, OwnerRules, StatPersisted, Tree, ZnodeId};
use crate::txn::{self, TxnHeader};
use crate::watch::{ConnId, Watches};
use crate::wire::{Acl, AuthId, ErrorCode, SessionId, WatcherEvent, perms};

pub use history::{DigestHistory, DigestRecord};
pub use outcome::{Applied, DigestCheck, SessionChange};
pub use read::Asker;

/// Everything the log decides.
pub struct Database {
    pub tree: Tree,
    pub acls: AclTable,
    pub quotas: Quotas,
    digest: TreeDigest,
    is_digest_enabled: bool,
    history: DigestHistory,
    /// Digests are not compared before this zxid, where the tree must have this digest: a snapshot
    /// of Java's holds parts of the txns that are replayed over it.
    suspended: Option<(Zxid, TreeDigest)>,
    /// As long, where the snapshot does not say until when.
    is_settling: bool,
    mismatches: u64,
    /// Timeouts in milliseconds of all sessions.
    sessions: BTreeMap<SessionId, i32>,
    last_zxid: Zxid,
}

/// Who is told of events while a txn is applied.
pub struct Hearing<'a> {
    pub watches: &'a mut Watches,
    pub listener: &'a mut dyn Listener,
}

/// The connections, as far as events go.
pub trait Listener {
    /// A watch of `conn` fired. It may be told only if `guard` lets it read.
    fn on_event(&mut self, conn: ConnId, event: &WatcherEvent<'_>, guard: &Guard<'_>);
}

/// The access list that stood on the znode when it changed.
pub struct Guard<'a> {
    acls: &'a AclTable,
    list: AclId,
}

impl Guard<'_> {
    /// Whether a connection with these ids may hear of it (CVE-2024-23944).
    pub fn permits(&self, ids: &[AuthId], rules: &AclRules) -> bool {
        self.acls.permits(self.list, perms::READ, ids, rules)
    }
}

impl Database {
    /// A new server's, before its first txn.
    pub fn new(rules: OwnerRules, is_digest_enabled: bool) -> Self {
        let mut tree = Tree::new(rules);
        let digest = is_digest_enabled.then(|| TreeDigest::of(&mut tree));
        Self::restored(tree, AclTable::new(), BTreeMap::new(), Zxid::ZERO, digest)
    }

    /// What a snapshot held, with the digest that its reader computed: counts quotas afresh.
    pub fn restored(
        mut tree: Tree,
        acls: AclTable,
        sessions: BTreeMap<SessionId, i32>,
        last_zxid: Zxid,
        digest: Option<TreeDigest>,
    ) -> Self {
        let mut quotas = Quotas::new();
        // What it changes lies where nothing counts for the digest.
        quotas.restore(&mut tree);
        let is_digest_enabled = digest.is_some();
        let digest = digest.unwrap_or_default();
        Self {
            tree,
            acls,
            quotas,
            digest,
            is_digest_enabled,
            history: DigestHistory::default(),
            suspended: None,
            is_settling: false,
            mismatches: 0,
            sessions,
            last_zxid,
        }
    }

    /// Compares no digest until the txn `zxid` has been applied, when the tree must have `digest`.
    pub fn suspend_digests(&mut self, zxid: Zxid, digest: TreeDigest) {
        self.suspended = (zxid > self.last_zxid).then_some((zxid, digest));
    }

    /// Compares no digest until `level`: a leader sends its snapshot while it goes on, so it may hold
    /// parts of the txns after it.
    pub fn settle(&mut self) {
        self.is_settling = true;
    }

    /// All that the snapshot can hold has been applied: whoever sent it had proposed that before it
    /// said UPTODATE, and whoever leads has applied its whole log.
    pub fn level(&mut self) {
        self.is_settling = false;
    }

    pub fn is_settling(&self) -> bool {
        self.is_settling
    }

    /// Applies one committed txn. `hearing` is `None` where nobody can be watching: at start.
    ///
    /// A refusal in `out` is what the leader decided, or, over a snapshot of Java's, a change the
    /// snapshot held already; either way the txn counts as applied.
    ///
    /// # Errors
    /// The bytes are no txn. Nothing was changed; the server cannot go on, as others could.
    pub fn apply(
        &mut self,
        payload: &[u8],
        hearing: Option<&mut Hearing<'_>>,
        out: &mut Applied,
    ) -> Result<(), WireError> {
        txn::decode_for(payload, |header, record, digest| {
            out.begin(header);
            change::Change::new(self, header, hearing, out).apply(record);
            self.last_zxid = self.last_zxid.max(header.zxid);
            if self.is_digest_enabled {
                out.digest = self.check_digest(&header, digest);
                self.mismatches += u64::from(matches!(out.digest, DigestCheck::Differs { .. }));
            }
        })
    }

    fn check_digest(&mut self, header: &TxnHeader, sent: Option<txn::TxnDigest>) -> DigestCheck {
        let actual = self.digest;
        if self.is_settling {
            return sent.map_or(DigestCheck::Absent, |_| DigestCheck::Unchecked);
        }
        let expected = match self.suspended {
            Some((until, _)) if header.zxid < until => return DigestCheck::Unchecked,
            Some((until, digest)) => {
                self.suspended = None;
                (header.zxid == until).then_some(digest)
            }
            None => {
                self.history.record(header.zxid, actual);
                let Some(sent) = sent else { return DigestCheck::Absent };
                (sent.version == crate::digest::VERSION).then_some(sent.tree)
            }
        };
        match expected {
            None => DigestCheck::Unchecked,
            Some(expected) if expected == actual => DigestCheck::Equal,
            Some(expected) => DigestCheck::Differs { expected, actual },
        }
    }

    /// What `prep` judges requests against.
    pub fn view(&self) -> View<'_> {
        View { tree: &self.tree, acls: &self.acls, quotas: &self.quotas, digest: self.digest }
    }

    pub fn last_zxid(&self) -> Zxid {
        self.last_zxid
    }

    /// The tree's digest as it is; meaningless where digests are disabled.
    pub fn digest(&self) -> TreeDigest {
        self.digest
    }

    pub fn history(&self) -> &DigestHistory {
        &self.history
    }

    /// How many txns left another tree than their leader said they would.
    pub fn digest_mismatches(&self) -> u64 {
        self.mismatches
    }

    /// All sessions with their timeouts in milliseconds.
    pub fn sessions(&self) -> &BTreeMap<SessionId, i32> {
        &self.sessions
    }

    /// Removes the ephemerals of sessions that do not exist, as a leader does before it serves.
    ///
    /// Compat: no txn says so (`ZooKeeperServer.loadData`, 3.9.5). It happens where the log ended
    /// between a create and the session's own record, or where TTLs have been switched off.
    pub fn remove_orphans(&mut self) {
        let owners: Vec<i64> = self.tree.sessions_with_ephemerals().collect();
        let mut out = Applied::default();
        for owner in owners {
            if !self.sessions.contains_key(&SessionId(owner)) {
                let header = TxnHeader {
                    session: SessionId(owner),
                    cxid: 0,
                    zxid: self.last_zxid,
                    time: 0,
                    kind: crate::wire::OpCode::CloseSession,
                };
                change::Change::new(self, header, None, &mut out).remove_ephemerals();
            }
        }
    }

    /// Writes the ensemble's membership into the tree, as every server does for itself at start.
    pub fn set_config(&mut self, text: &[u8], version: i64, wall_ms: i64) {
        let Some(id) = self.config_znode() else { return };
        let stat = StatPersisted {
            version: -1,
            mzxid: version,
            mtime: wall_ms,
            ..self.tree.get(id).persisted()
        };
        self.tree.replace_data(id, Some(text));
        self.tree.set_stat(id, &stat);
    }

    /// Compat: a tree from 3.4 has none, and a member of an ensemble makes it
    /// (`ZKDatabase.initConfigInZKDatabase`, 3.9.5).
    fn config_znode(&mut self) -> Option<ZnodeId> {
        let found = self.tree.find(CONFIG_PATH);
        if found.is_some() {
            return found;
        }
        let acl = self.acls.intern_list(&[Acl::new(perms::READ, "world", "anyone")]);
        let stat = StatPersisted { aversion: -1, ..StatPersisted::default() };
        self.tree.restore(CONFIG_PATH, Some(&[]), acl, &stat).ok()
    }

    fn list_permits(&self, list: AclId, wanted: i32, asker: &Asker<'_>) -> Result<(), ErrorCode> {
        if self.acls.permits(list, wanted, asker.ids, asker.rules) {
            Ok(())
        } else {
            Err(ErrorCode::NO_AUTH)
        }
    }
}
