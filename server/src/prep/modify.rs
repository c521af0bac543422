//! `delete`, `deleteContainer`, `setData`, `setACL`, `check`.

use std::borrow::Cow;

use ringkeeper_engine::jute::Reader;

use super::overlay::Record;
use super::{Outcome, Preparing, Seen, next_version, parent_of_deletable};
use crate::acl::fixup;
use crate::quota;
use crate::tree::Owner;
use crate::txn::Txn;
use crate::wire::{
    Acls, ErrorCode, PathRequest, SetAclRequest, SetDataRequest, VersionRequest, is_valid_path,
    perms,
};

impl Preparing<'_, '_> {
    pub(super) fn delete(&mut self, request: &VersionRequest<'_>, out: &mut Vec<u8>) -> Outcome {
        self.check_session()?;
        let path = request.path.as_deref().ok_or(ErrorCode::MARSHALLING_ERROR)?;
        let above = parent_of_deletable(path)?;
        let parent = self.look(above)?;
        self.permit(&parent, perms::DELETE)?;
        let znode = self.look(path)?;
        next_version(znode.stat.version, request.version)?;
        if znode.child_count > 0 {
            return Err(ErrorCode::NOT_EMPTY);
        }
        self.end(path, above, &parent, &znode, out);
        Ok(())
    }

    /// Compat: no permission and no session is asked; anything childless but an ephemeral goes
    /// (`PrepRequestProcessor`, 3.9.5), which is why no client may ask.
    pub(super) fn delete_container(
        &mut self,
        request: &PathRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Outcome {
        let path = request.path.as_deref().ok_or(ErrorCode::MARSHALLING_ERROR)?;
        let above = parent_of_deletable(path)?;
        let znode = self.look(path)?;
        if znode.child_count > 0 {
            return Err(ErrorCode::NOT_EMPTY);
        }
        let rules = self.view.tree.rules();
        if matches!(rules.classify(znode.stat.owner), Owner::Ephemeral(_)) {
            return Err(ErrorCode::BAD_VERSION);
        }
        let parent = self.look(above)?;
        self.end(path, above, &parent, &znode, out);
        Ok(())
    }

    fn end(&mut self, path: &str, above: &str, parent: &Seen, znode: &Seen, out: &mut Vec<u8>) {
        Txn::Delete { path: Cow::Borrowed(path) }.encode(out);
        self.record_lost_child(above, parent);
        self.record_end(path, znode.digest);
    }

    pub(super) fn set_data(&mut self, request: &SetDataRequest<'_>, out: &mut Vec<u8>) -> Outcome {
        self.check_session()?;
        let path = valid(request.path.as_deref())?;
        let znode = self.look(path)?;
        self.permit(&znode, perms::WRITE)?;
        let data = request.data;
        if quota::is_refused(path, data) {
            return Err(ErrorCode::BAD_ARGUMENTS);
        }
        let growth = data.map_or(0, <[u8]>::len) as i64 - znode.data_length as i64;
        self.check_quota(path, 0, growth)?;
        let version = next_version(znode.stat.version, request.version)?;
        Txn::SetData { path: Cow::Borrowed(path), data, version }.encode(out);
        let mut after = Record::after(&znode);
        after.stat.version = version;
        after.stat.mzxid = self.at.zxid.0;
        after.stat.mtime = self.at.wall_ms;
        self.record_data(path, znode.digest, data, after);
        Ok(())
    }

    pub(super) fn set_acl(&mut self, request: &SetAclRequest<'_>, out: &mut Vec<u8>) -> Outcome {
        self.check_session()?;
        let path = valid(request.path.as_deref())?;
        let mut acl = std::mem::take(&mut self.prep.scratch.acl);
        acl.clear();
        let schemes = self.prep.options.schemes;
        let set = fixup(&request.acl, self.request.ids, schemes, &mut acl)
            .and_then(|()| self.set_fixed_acl(path, &acl, request.version, out));
        self.prep.scratch.acl = acl;
        set
    }

    fn set_fixed_acl(
        &mut self,
        path: &str,
        acl: &[u8],
        expected: i32,
        out: &mut Vec<u8>,
    ) -> Outcome {
        let znode = self.look(path)?;
        self.permit(&znode, perms::ADMIN)?;
        let version = next_version(znode.stat.aversion, expected)?;
        let acls = Acls::decode(&mut Reader::new(acl)).expect("`fixup` encoded it just now");
        Txn::SetAcl { path: Cow::Borrowed(path), acl: acls, version }.encode(out);
        let mut after = Record::after(&znode);
        after.stat.aversion = version;
        after.list = Some(self.prep.overlay.intern(&acls));
        self.record_change(path, &znode, after);
        Ok(())
    }

    /// Only in a multi.
    ///
    /// Compat: the version logged is the one after the checked one (`PrepRequestProcessor`, 3.9.5).
    pub(super) fn check(&mut self, request: &VersionRequest<'_>, out: &mut Vec<u8>) -> Outcome {
        self.check_session()?;
        let path = valid(request.path.as_deref())?;
        let znode = self.look(path)?;
        self.permit(&znode, perms::READ)?;
        let version = next_version(znode.stat.version, request.version)?;
        Txn::Check { path: Cow::Borrowed(path), version }.encode(out);
        Ok(())
    }
}

/// Compat: a null path is a bad argument where the path is validated (`PathUtils`, 3.9.5).
fn valid(path: Option<&str>) -> Result<&str, ErrorCode> {
    path.filter(|path| is_valid_path(path)).ok_or(ErrorCode::BAD_ARGUMENTS)
}
