//! Request bodies as a client writes them: for tools, benches and tests.
//!
//! Each function appends what stands behind the `RequestHeader`.

use ringkeeper_engine::jute::Writer;

use super::op::OpCode;
use super::records::Acl;

/// `create`, `create2`, `createContainer`.
pub fn create(path: &str, data: Option<&[u8]>, acl: &[Acl], flags: i32, out: &mut Vec<u8>) {
    let mut writer = Writer(out);
    writer.ustring(path);
    writer.buffer(data);
    Acl::encode_list(acl, out);
    Writer(out).int(flags);
}

/// `createTTL`; the ttl in milliseconds.
pub fn create_ttl(
    path: &str,
    data: Option<&[u8]>,
    acl: &[Acl],
    (flags, ttl_ms): (i32, i64),
    out: &mut Vec<u8>,
) {
    create(path, data, acl, flags, out);
    Writer(out).long(ttl_ms);
}

/// `delete`, `check`: a path and the version expected there, -1 for any.
pub fn versioned(path: &str, version: i32, out: &mut Vec<u8>) {
    let mut writer = Writer(out);
    writer.ustring(path);
    writer.int(version);
}

pub fn set_data(path: &str, data: Option<&[u8]>, version: i32, out: &mut Vec<u8>) {
    let mut writer = Writer(out);
    writer.ustring(path);
    writer.buffer(data);
    writer.int(version);
}

pub fn set_acl(path: &str, acl: &[Acl], version: i32, out: &mut Vec<u8>) {
    Writer(out).ustring(path);
    Acl::encode_list(acl, out);
    Writer(out).int(version);
}

/// `getACL`, `sync`, `getEphemerals`, `getAllChildrenNumber`.
pub fn path(path: &str, out: &mut Vec<u8>) {
    Writer(out).ustring(path);
}

/// `exists`, `getData`, `getChildren`, `getChildren2`.
pub fn watchable(path: &str, watch: bool, out: &mut Vec<u8>) {
    let mut writer = Writer(out);
    writer.ustring(path);
    writer.bool(watch);
}

/// `checkWatches` and `removeWatches` with a watcher type, `addWatch` with a mode.
pub fn watch(path: &str, kind: i32, out: &mut Vec<u8>) {
    versioned(path, kind, out);
}

/// `setWatches` with three lists, `setWatches2` with five.
pub fn set_watches(relative_zxid: i64, lists: &[&[&str]], out: &mut Vec<u8>) {
    let mut writer = Writer(out);
    writer.long(relative_zxid);
    for list in lists {
        writer.count(list.len());
        list.iter().for_each(|path| writer.ustring(path));
    }
}

/// `auth`.
pub fn auth(scheme: &str, secret: &[u8], out: &mut Vec<u8>) {
    let mut writer = Writer(out);
    writer.int(0);
    writer.ustring(scheme);
    writer.buffer(Some(secret));
}

/// The header of one op of a multi; its body follows. `multi_end` ends the whole.
pub fn multi_op(op: OpCode, out: &mut Vec<u8>) {
    let mut writer = Writer(out);
    writer.int(op.code());
    writer.bool(false);
    writer.int(-1);
}
