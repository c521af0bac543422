//! Transaction records: what the log and every PROPOSAL carry.
//!
//! ```text
//! TxnHeader  long session, int cxid, long zxid, long time, int type          32 bytes
//! record     by type, below
//! TxnDigest  int version, long tree digest                                   12 bytes or nothing
//!
//!   1 15  create           path, data, acl, bool ephemeral, int parentCVersion
//!  19     createContainer  path, data, acl, int parentCVersion
//!  21     createTTL        path, data, acl, int parentCVersion, long ttl
//!   2 20  delete           path
//!   5 16  setData          path, data, int version
//!   7     setACL           path, acl, int version
//!  13     check            path, int version                           inside a multi alone
//!  14     multi            vector of {int type, buffer record}
//! -10     createSession    int timeout
//! -11     closeSession     vector of paths, or nothing
//!  -1     error            int code
//! ```
//!
//! Invariants:
//! - X1. What `decode` accepts can be walked to its end: a multi cannot fail halfway through.
//! - X2. No length or count that was read causes an allocation, and no bytes cause a panic.
//!
//! Not here: how a txn comes about (`prep`) and what it does (`apply`).

mod decode;
mod encode;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use ringkeeper_engine::zxid::Zxid;

pub use decode::{MultiTxn, SubTxn, decode, decode_for, path_ahead};
pub use encode::MultiWriter;

use crate::digest::TreeDigest;
use crate::tree::{CONTAINER, ttl_owner};
use crate::wire::{Acls, ErrorCode, OpCode, SessionId, Strings};

/// Whose txn it is, where it stands in the order, and when its leader made it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TxnHeader {
    pub session: SessionId,
    /// The client's xid; the server's own txns carry zero.
    pub cxid: i32,
    pub zxid: Zxid,
    /// The leader's wall clock, in milliseconds.
    pub time: i64,
    pub kind: OpCode,
}

/// The digest of the leader's tree after the txn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TxnDigest {
    pub version: i32,
    pub tree: TreeDigest,
}

/// A change, with everything resolved that the leader had to decide.
#[derive(Clone, Debug)]
pub enum Txn<'a> {
    Create(Create<'a>),
    /// Of `delete` and `deleteContainer`.
    Delete {
        path: Cow<'a, str>,
    },
    /// Of `setData` and `reconfig`; the version is the new one.
    SetData {
        path: Cow<'a, str>,
        data: Option<&'a [u8]>,
        version: i32,
    },
    /// The version is the new aversion.
    SetAcl {
        path: Cow<'a, str>,
        acl: Acls<'a>,
        version: i32,
    },
    /// The version is one above the checked one, as Java logs it.
    Check {
        path: Cow<'a, str>,
        version: i32,
    },
    Multi(MultiTxn<'a>),
    CreateSession {
        timeout_ms: i32,
    },
    /// The ephemerals to remove; `None` where the log has no list: all of the session's.
    CloseSession {
        paths: Option<Strings<'a>>,
    },
    /// A refused write that took a zxid.
    Error {
        code: ErrorCode,
    },
}

/// A znode to be made.
#[derive(Clone, Debug)]
pub struct Create<'a> {
    pub path: Cow<'a, str>,
    pub data: Option<&'a [u8]>,
    pub acl: Acls<'a>,
    pub kind: CreateKind,
    /// The parent's new cversion; -1 in the oldest logs, which do not say.
    pub parent_cversion: i32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CreateKind {
    Persistent,
    /// Owned by the session of the header.
    Ephemeral,
    Container,
    /// For so many milliseconds.
    Ttl(i64),
}

impl CreateKind {
    /// The znode's raw `ephemeralOwner`.
    ///
    /// A time to live out of bounds, which no leader logs, makes a persistent znode.
    pub fn owner(self, session: SessionId) -> i64 {
        match self {
            Self::Persistent => 0,
            Self::Ephemeral => session.0,
            Self::Container => CONTAINER,
            Self::Ttl(ms) => ttl_owner(ms).unwrap_or(0),
        }
    }
}
