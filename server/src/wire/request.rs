//! What clients ask, record by record.
//!
//! Nulls that parse are kept: ZooKeeper answers them differently from op to op, and that is `prep`'s
//! and `apply`'s to decide. Bytes after a record are ignored, as ZooKeeper does: that is how its
//! records grow.

use std::borrow::Cow;

use ringkeeper_engine::jute::{Reader, WireError, Writer};

use super::lists::{Acls, Strings};
use super::multi::MultiOps;
use super::op::OpCode;

/// A path as sent; `None` is a null string.
pub type Path<'a> = Option<Cow<'a, str>>;

/// What stands before every request but the first: the client's number for it, and its op.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestHeader {
    pub xid: i32,
    /// As sent; `OpCode::from_code` knows the ones that exist.
    pub op: i32,
}

impl RequestHeader {
    pub const BYTES: usize = 8;

    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self { xid: reader.int("xid")?, op: reader.int("type")? })
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer(out);
        writer.int(self.xid);
        writer.int(self.op);
    }
}

/// `create`, `create2`, `createContainer`: path, data, acl, flags. `createTTL` adds the ttl.
#[derive(Clone, Debug)]
pub struct CreateRequest<'a> {
    /// Which of the four; inside a multi it is what the flags made of it.
    pub op: OpCode,
    pub path: Path<'a>,
    pub data: Option<&'a [u8]>,
    pub acl: Acls<'a>,
    pub flags: i32,
    /// Milliseconds; -1 where the op has none.
    pub ttl: i64,
}

impl<'a> CreateRequest<'a> {
    pub fn decode(op: OpCode, reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            op,
            path: reader.ustring("path")?,
            data: reader.buffer("data")?,
            acl: Acls::decode(reader)?,
            flags: reader.int("flags")?,
            ttl: if op == OpCode::CreateTtl { reader.long("ttl")? } else { -1 },
        })
    }
}

/// `delete` and `check`: path, expected version.
#[derive(Clone, Debug)]
pub struct VersionRequest<'a> {
    pub path: Path<'a>,
    /// -1 expects nothing.
    pub version: i32,
}

impl<'a> VersionRequest<'a> {
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self { path: reader.ustring("path")?, version: reader.int("version")? })
    }
}

/// `setData`: path, data, expected version.
#[derive(Clone, Debug)]
pub struct SetDataRequest<'a> {
    pub path: Path<'a>,
    pub data: Option<&'a [u8]>,
    pub version: i32,
}

impl<'a> SetDataRequest<'a> {
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            path: reader.ustring("path")?,
            data: reader.buffer("data")?,
            version: reader.int("version")?,
        })
    }
}

/// `setACL`: path, acl, expected aversion.
#[derive(Clone, Debug)]
pub struct SetAclRequest<'a> {
    pub path: Path<'a>,
    pub acl: Acls<'a>,
    pub version: i32,
}

impl<'a> SetAclRequest<'a> {
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            path: reader.ustring("path")?,
            acl: Acls::decode(reader)?,
            version: reader.int("version")?,
        })
    }
}

/// `reconfig`: members that join and leave, or all of them; the config it starts from.
#[derive(Clone, Debug)]
pub struct ReconfigRequest<'a> {
    pub joining: Path<'a>,
    pub leaving: Path<'a>,
    pub members: Path<'a>,
    /// -1 starts from any.
    pub config_version: i64,
}

impl<'a> ReconfigRequest<'a> {
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            joining: reader.ustring("joiningServers")?,
            leaving: reader.ustring("leavingServers")?,
            members: reader.ustring("newMembers")?,
            config_version: reader.long("curConfigId")?,
        })
    }
}

/// `getACL`, `sync`, `getEphemerals` (a prefix), `getAllChildrenNumber`; and `deleteContainer`,
/// whose buffer of UTF-8 has the same bytes as a string.
#[derive(Clone, Debug)]
pub struct PathRequest<'a> {
    pub path: Path<'a>,
}

impl<'a> PathRequest<'a> {
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self { path: reader.ustring("path")? })
    }
}

/// `exists`, `getData`, `getChildren`, `getChildren2`: path, and whether to leave a watch.
#[derive(Clone, Debug)]
pub struct WatchableRequest<'a> {
    pub path: Path<'a>,
    pub watch: bool,
}

impl<'a> WatchableRequest<'a> {
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self { path: reader.ustring("path")?, watch: reader.bool("watch")? })
    }
}

/// `checkWatches` and `removeWatches` (which kind), `addWatch` (which mode).
#[derive(Clone, Debug)]
pub struct WatchRequest<'a> {
    pub path: Path<'a>,
    /// As sent: the watcher type, or the mode.
    pub kind: i32,
}

impl<'a> WatchRequest<'a> {
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self { path: reader.ustring("path")?, kind: reader.int("type")? })
    }
}

/// `setWatches` and `setWatches2`: what a client watched on its last connection. A null vector is
/// a `WireError`, as everything else that ZooKeeper trips over.
#[derive(Clone, Copy, Debug)]
pub struct SetWatches<'a> {
    pub relative_zxid: i64,
    pub data: Strings<'a>,
    pub exist: Strings<'a>,
    pub child: Strings<'a>,
    /// Only in `setWatches2`.
    pub persistent: Option<Strings<'a>>,
    pub recursive: Option<Strings<'a>>,
}

impl<'a> SetWatches<'a> {
    pub fn decode(op: OpCode, reader: &mut Reader<'a>) -> Result<Self, WireError> {
        fn list<'a>(
            reader: &mut Reader<'a>,
            field: &'static str,
        ) -> Result<Strings<'a>, WireError> {
            Strings::decode(reader, field)?.ok_or(WireError::Null { field })
        }
        let relative_zxid = reader.long("relativeZxid")?;
        let data = list(reader, "dataWatches")?;
        let exist = list(reader, "existWatches")?;
        let child = list(reader, "childWatches")?;
        let (persistent, recursive) = if op == OpCode::SetWatches2 {
            let persistent = list(reader, "persistentWatches")?;
            (Some(persistent), Some(list(reader, "persistentRecursiveWatches")?))
        } else {
            (None, None)
        };
        Ok(Self { relative_zxid, data, exist, child, persistent, recursive })
    }
}

/// `auth`: what a client offers as proof.
#[derive(Clone, Debug)]
pub struct AuthPacket<'a> {
    pub scheme: Option<Cow<'a, str>>,
    /// A buffer on the wire; every provider reads it as text.
    pub auth: Option<Cow<'a, str>>,
}

impl<'a> AuthPacket<'a> {
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        reader.int("type")?;
        Ok(Self { scheme: reader.ustring("scheme")?, auth: reader.ustring("auth")? })
    }
}

/// Whether the body of a single write parses.
///
/// Asked before a write is forwarded or gets a zxid: a Java leader turns one that does not parse
/// into a txn with the last zxid once more, and no write of anybody passes after it. The answer is
/// -5 (`ErrorCode::MARSHALLING_ERROR`). A multi is not looked into: every leader refuses a bad one
/// with a zxid of its own.
pub fn check_write_body(op: OpCode, body: &[u8]) -> Result<(), WireError> {
    let mut reader = Reader::new(body);
    match op {
        OpCode::Create | OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
            reader.buffer("path")?;
            reader.buffer("data")?;
            Acls::decode(&mut reader)?;
            reader.int("flags")?;
            if op == OpCode::CreateTtl { reader.long("ttl").map(drop) } else { Ok(()) }
        }
        OpCode::Delete | OpCode::Check => {
            reader.buffer("path")?;
            reader.int("version").map(drop)
        }
        // A string is a buffer whose bytes are looked at later; no bytes make it malformed.
        OpCode::SetData => {
            reader.buffer("path")?;
            reader.buffer("data")?;
            reader.int("version").map(drop)
        }
        OpCode::SetAcl => SetAclRequest::decode(&mut reader).map(drop),
        OpCode::Reconfig => ReconfigRequest::decode(&mut reader).map(drop),
        OpCode::DeleteContainer => PathRequest::decode(&mut reader).map(drop),
        OpCode::CreateSession => reader.int("timeOut").map(drop),
        _ => Ok(()),
    }
}

/// Whether a multi parses, for those who must know before a leader does.
pub fn check_multi_body(body: &[u8]) -> Result<(), WireError> {
    MultiOps::decode(body).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cut_of_a_write_is_refused_before_it_is_forwarded() {
        let mut body = Vec::new();
        let mut writer = Writer(&mut body);
        writer.ustring("/a");
        writer.buffer(Some(b"data"));
        writer.count(1);
        writer.int(31);
        writer.ustring("world");
        writer.ustring("anyone");
        writer.int(5);
        writer.long(1000);
        assert_eq!(check_write_body(OpCode::CreateTtl, &body), Ok(()));
        for cut in 0..body.len() {
            assert!(check_write_body(OpCode::CreateTtl, &body[..cut]).is_err(), "cut at {cut}");
        }
        let without_ttl = body.len() - 8;
        assert_eq!(check_write_body(OpCode::Create, &body[..without_ttl]), Ok(()));
    }

    #[test]
    fn a_null_path_parses_and_trailing_bytes_do_not_matter() {
        let body = [&(-1i32).to_be_bytes()[..], &7i32.to_be_bytes(), b"trailing"].concat();
        assert_eq!(check_write_body(OpCode::Delete, &body), Ok(()));
        let request = VersionRequest::decode(&mut Reader::new(&body)).unwrap();
        assert!(request.path.is_none());
        assert_eq!(request.version, 7);
    }

    /// Compat: null vectors are a marshalling error (`DataTree.setWatches`, 3.9.5).
    #[test]
    fn set_watches_without_its_lists_is_refused() {
        let mut body = 9i64.to_be_bytes().to_vec();
        body.extend_from_slice(&[0; 8]);
        body.extend_from_slice(&[0xff; 4]);
        let decoded = SetWatches::decode(OpCode::SetWatches, &mut Reader::new(&body));
        assert_eq!(decoded.unwrap_err(), WireError::Null { field: "childWatches" });
    }
}
