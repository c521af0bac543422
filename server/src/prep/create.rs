//! `create` in its four forms.

use std::borrow::Cow;
use std::fmt::Write as _;

use ringkeeper_engine::jute::Reader;

use super::overlay::Record;
use super::{Outcome, Preparing, Seen};
use crate::acl::fixup;
use crate::quota::{self, Verdict};
use crate::tree::{Owner, StatPersisted, ttl_owner};
use crate::txn::{Create, CreateKind, Txn};
use crate::wire::{Acls, CreateRequest, ErrorCode, OpCode, is_valid_path, parent_of, perms};

/// What the flags of a create say (`CreateMode`, 3.9.5).
#[derive(Clone, Copy)]
struct Mode {
    is_ephemeral: bool,
    is_sequential: bool,
    is_ttl: bool,
}

impl Mode {
    fn from_flags(flags: i32) -> Option<Self> {
        (0..=6).contains(&flags).then_some(Self {
            is_ephemeral: matches!(flags, 1 | 3),
            is_sequential: matches!(flags, 2 | 3 | 6),
            is_ttl: matches!(flags, 5 | 6),
        })
    }
}

impl Preparing<'_, '_> {
    /// The order of the checks is ZooKeeper's, and clients see it.
    pub(super) fn create(&mut self, request: &CreateRequest<'_>, out: &mut Vec<u8>) -> Outcome {
        let mode = Mode::from_flags(request.flags).ok_or(ErrorCode::BAD_ARGUMENTS)?;
        self.check_mode(request, mode)?;
        self.check_session()?;
        let asked = request.path.as_deref().ok_or(ErrorCode::MARSHALLING_ERROR)?;
        let above = parent_of(asked).ok_or(ErrorCode::BAD_ARGUMENTS)?;
        if asked.contains('\0') {
            return Err(ErrorCode::BAD_ARGUMENTS);
        }
        let mut scratch = std::mem::take(&mut self.prep.scratch);
        scratch.acl.clear();
        scratch.path.clear();
        scratch.path.push_str(asked);
        let schemes = self.prep.options.schemes;
        let made = fixup(&request.acl, self.request.ids, schemes, &mut scratch.acl)
            .and_then(|()| self.look(above))
            .and_then(|parent| {
                self.check_parent(&parent, mode, &mut scratch.path)?;
                self.check_new(request, &parent, &scratch.path)?;
                self.make(request, mode, (above, &parent), (&scratch.path, &scratch.acl), out);
                Ok(())
            });
        self.prep.scratch = scratch;
        made
    }

    fn check_mode(&self, request: &CreateRequest<'_>, mode: Mode) -> Outcome {
        if mode.is_ttl && !self.view.tree.rules().extended_types {
            return Err(ErrorCode::UNIMPLEMENTED);
        }
        // Compat: without a ttl in the record, TTL flags are no better than a bad ttl; and a ttl
        // needs TTL flags (`EphemeralType.validateTTL`, 3.9.5).
        let has_ttl = request.op == OpCode::CreateTtl;
        if has_ttl != mode.is_ttl || (has_ttl && ttl_owner(request.ttl).is_none()) {
            return Err(ErrorCode::BAD_ARGUMENTS);
        }
        Ok(())
    }

    fn check_parent(&self, parent: &Seen, mode: Mode, path: &mut String) -> Outcome {
        self.permit(parent, perms::CREATE)?;
        if mode.is_sequential {
            // The sign counts as one of the ten places, here as in Java's format.
            write!(path, "{:010}", parent.stat.cversion).expect("a string takes everything");
        }
        Ok(())
    }

    fn check_new(&self, request: &CreateRequest<'_>, parent: &Seen, path: &str) -> Outcome {
        if !is_valid_path(path) {
            return Err(ErrorCode::BAD_ARGUMENTS);
        }
        if self.exists(path) {
            return Err(ErrorCode::NODE_EXISTS);
        }
        let rules = self.view.tree.rules();
        if matches!(rules.classify(parent.stat.owner), Owner::Ephemeral(_)) {
            return Err(ErrorCode::NO_CHILDREN_FOR_EPHEMERALS);
        }
        if quota::is_refused(path, request.data) {
            return Err(ErrorCode::BAD_ARGUMENTS);
        }
        let bytes = request.data.map_or(0, <[u8]>::len) as i64;
        self.check_quota(path, 1, bytes)
    }

    pub(super) fn check_quota(&self, path: &str, count: i64, bytes: i64) -> Outcome {
        let is_within = !self.prep.options.enforces_quota
            || self.view.quotas.check(self.view.tree, path, count, bytes)
                != Verdict::AboveHardLimit;
        if is_within { Ok(()) } else { Err(ErrorCode::QUOTA_EXCEEDED) }
    }

    /// Nothing can refuse it any more.
    fn make(
        &mut self,
        request: &CreateRequest<'_>,
        mode: Mode,
        (above, parent): (&str, &Seen),
        (path, acl): (&str, &[u8]),
        out: &mut Vec<u8>,
    ) {
        // The op decides what is made, not the flags: flag 4 with `create` makes a plain znode.
        let kind = match request.op {
            OpCode::CreateContainer => CreateKind::Container,
            OpCode::CreateTtl => CreateKind::Ttl(request.ttl),
            _ if mode.is_ephemeral => CreateKind::Ephemeral,
            _ => CreateKind::Persistent,
        };
        let parent_cversion = parent.stat.cversion.wrapping_add(1);
        let acls = Acls::decode(&mut Reader::new(acl)).expect("`fixup` encoded it just now");
        let (path_of, data) = (Cow::Borrowed(path), request.data);
        Txn::Create(Create { path: path_of, data, acl: acls, kind, parent_cversion }).encode(out);

        let mut grown = Record::after(parent);
        grown.child_count += 1;
        // Compat: a count that wraps is no rise, and the tree then keeps what it has
        // (`DataTree.createNode`, 3.9.5).
        if parent_cversion > parent.stat.cversion {
            grown.stat.cversion = parent_cversion;
            grown.stat.pzxid = self.at.zxid.0;
        }
        self.record_change(above, parent, grown);

        let (zxid, time) = (self.at.zxid.0, self.at.wall_ms);
        let stat = StatPersisted {
            czxid: zxid,
            mzxid: zxid,
            pzxid: zxid,
            ctime: time,
            mtime: time,
            owner: kind.owner(self.request.session),
            ..StatPersisted::default()
        };
        let list = self.prep.overlay.intern(&acls);
        self.record_data(path, 0, data, Record::made(stat, list));
    }
}
