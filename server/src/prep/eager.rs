//! Refusing before asking the leader, where an operator wants that.

use ringkeeper_engine::jute::Reader;

use super::{PrepOptions, View, parent_of_deletable};
use crate::acl::fixup;
use crate::wire::{
    Acls, AuthId, CreateRequest, ErrorCode, OpCode, Path, SetAclRequest, SetDataRequest,
    VersionRequest, perms,
};

/// Whether a write is refused here and now (`zookeeper.enableEagerACLCheck`), against the tree as
/// it is: permissions and malformed access lists alone. The answer carries zxid 0 and no txn is
/// made; everything else is the leader's to judge.
///
/// Compat: multis, containers and TTL znodes are not looked at (`ZooKeeperServer.authWriteRequest`,
/// 3.9.5).
pub fn eager_refusal(
    view: &View<'_>,
    options: &PrepOptions,
    op: OpCode,
    body: &[u8],
    ids: &[AuthId],
) -> Option<ErrorCode> {
    let (path, acl, wanted) = look_into(op, body)?;
    let path = path?;
    let checked = match wanted {
        perms::CREATE | perms::DELETE => parent_of_deletable(&path).ok()?,
        _ => &path,
    };
    if let Some(acl) = acl {
        let fixed = fixup(&acl, ids, options.schemes, &mut Vec::new());
        if fixed == Err(ErrorCode::INVALID_ACL) {
            return Some(ErrorCode::INVALID_ACL);
        }
    }
    let znode = view.tree.get(view.tree.find(checked)?);
    let is_permitted = view.acls.permits(znode.acl, wanted, ids, &options.rules);
    (!is_permitted).then_some(ErrorCode::NO_AUTH)
}

/// What of a request the check looks at: path, new list, permission. `None` where it does not.
fn look_into(op: OpCode, body: &[u8]) -> Option<(Path<'_>, Option<Acls<'_>>, i32)> {
    let mut reader = Reader::new(body);
    match op {
        OpCode::Create | OpCode::Create2 => {
            let request = CreateRequest::decode(op, &mut reader).ok()?;
            Some((request.path, Some(request.acl), perms::CREATE))
        }
        OpCode::Delete => {
            let request = VersionRequest::decode(&mut reader).ok()?;
            Some((request.path, None, perms::DELETE))
        }
        OpCode::SetData => {
            let request = SetDataRequest::decode(&mut reader).ok()?;
            Some((request.path, None, perms::WRITE))
        }
        OpCode::SetAcl => {
            let request = SetAclRequest::decode(&mut reader).ok()?;
            Some((request.path, Some(request.acl), perms::ADMIN))
        }
        _ => None,
    }
}
