//! Op codes: what a request, or a txn, is.

use std::fmt;

/// ZooKeeper's `ZooDefs.OpCode`, 3.9.5, without those that no client may send or get.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(i32)]
pub enum OpCode {
    Create = 1,
    Delete = 2,
    Exists = 3,
    GetData = 4,
    SetData = 5,
    GetAcl = 6,
    SetAcl = 7,
    GetChildren = 8,
    Sync = 9,
    Ping = 11,
    GetChildren2 = 12,
    Check = 13,
    Multi = 14,
    Create2 = 15,
    Reconfig = 16,
    CheckWatches = 17,
    RemoveWatches = 18,
    CreateContainer = 19,
    DeleteContainer = 20,
    CreateTtl = 21,
    MultiRead = 22,
    Auth = 100,
    SetWatches = 101,
    Sasl = 102,
    GetEphemerals = 103,
    GetAllChildrenNumber = 104,
    SetWatches2 = 105,
    AddWatch = 106,
    WhoAmI = 107,
    CreateSession = -10,
    CloseSession = -11,
    /// Only as the type of a txn.
    Error = -1,
}

/// How a request travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpKind {
    /// Gets a zxid and goes through the quorum.
    Write,
    /// Answered from the local tree.
    Read,
    /// `sync`: through the leader, but no txn.
    Sync,
    /// Answered by the connection itself, out of order (`auth`, `sasl`).
    Connection,
    /// Not for clients: -6, and the connection ends.
    Internal,
}

impl OpCode {
    pub const fn code(self) -> i32 {
        self as i32
    }

    pub const fn from_code(code: i32) -> Option<Self> {
        Some(match code {
            1 => Self::Create,
            2 => Self::Delete,
            3 => Self::Exists,
            4 => Self::GetData,
            5 => Self::SetData,
            6 => Self::GetAcl,
            7 => Self::SetAcl,
            8 => Self::GetChildren,
            9 => Self::Sync,
            11 => Self::Ping,
            12 => Self::GetChildren2,
            13 => Self::Check,
            14 => Self::Multi,
            15 => Self::Create2,
            16 => Self::Reconfig,
            17 => Self::CheckWatches,
            18 => Self::RemoveWatches,
            19 => Self::CreateContainer,
            20 => Self::DeleteContainer,
            21 => Self::CreateTtl,
            22 => Self::MultiRead,
            100 => Self::Auth,
            101 => Self::SetWatches,
            102 => Self::Sasl,
            103 => Self::GetEphemerals,
            104 => Self::GetAllChildrenNumber,
            105 => Self::SetWatches2,
            106 => Self::AddWatch,
            107 => Self::WhoAmI,
            -10 => Self::CreateSession,
            -11 => Self::CloseSession,
            -1 => Self::Error,
            _ => return None,
        })
    }

    /// What a *client* that sends this gets.
    ///
    /// Ops 20 and -10 are refused here: ZooKeeper lets any client delete childless znodes past
    /// their ACLs with the one, and restart its session's initialisation with the other
    /// (`ZooKeeperServer.submitRequest`, 3.9.5). No client library sends either.
    pub const fn kind(self) -> OpKind {
        match self {
            Self::Create
            | Self::Delete
            | Self::SetData
            | Self::SetAcl
            | Self::Multi
            | Self::Create2
            | Self::Reconfig
            | Self::CreateContainer
            | Self::CreateTtl
            | Self::CloseSession => OpKind::Write,
            Self::Sync => OpKind::Sync,
            Self::Auth | Self::Sasl => OpKind::Connection,
            Self::Check | Self::DeleteContainer | Self::CreateSession | Self::Error => {
                OpKind::Internal
            }
            _ => OpKind::Read,
        }
    }

    pub const fn is_write(self) -> bool {
        matches!(self.kind(), OpKind::Write)
    }

    pub const fn is_create(self) -> bool {
        matches!(self, Self::Create | Self::Create2 | Self::CreateContainer | Self::CreateTtl)
    }

    /// ZooKeeper's name for it, as its tools print it (`Request.op2String`).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Delete => "delete",
            Self::Exists => "exists",
            Self::GetData => "getData",
            Self::SetData => "setData",
            Self::GetAcl => "getACL",
            Self::SetAcl => "setACL",
            Self::GetChildren => "getChildren",
            Self::Sync => "sync",
            Self::Ping => "ping",
            Self::GetChildren2 => "getChildren2",
            Self::Check => "check",
            Self::Multi => "multi",
            Self::Create2 => "create2",
            Self::Reconfig => "reconfig",
            Self::CheckWatches => "checkWatches",
            Self::RemoveWatches => "removeWatches",
            Self::CreateContainer => "createContainer",
            Self::DeleteContainer => "deleteContainer",
            Self::CreateTtl => "createTTL",
            Self::MultiRead => "multiRead",
            Self::Auth => "auth",
            Self::SetWatches => "setWatches",
            Self::Sasl => "sasl",
            Self::GetEphemerals => "getEphemerals",
            Self::GetAllChildrenNumber => "getAllChildrenNumber",
            Self::SetWatches2 => "setWatches2",
            Self::AddWatch => "addWatch",
            Self::WhoAmI => "whoAmI",
            Self::CreateSession => "createSession",
            Self::CloseSession => "closeSession",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for OpCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back() {
        let known = (-20..200).filter_map(OpCode::from_code).count();
        assert_eq!(known, 32);
        for code in -20..200 {
            if let Some(op) = OpCode::from_code(code) {
                assert_eq!(op.code(), code);
            }
        }
    }

    #[test]
    fn what_only_servers_may_ask_is_refused_to_clients() {
        for op in [OpCode::Check, OpCode::DeleteContainer, OpCode::CreateSession, OpCode::Error] {
            assert_eq!(op.kind(), OpKind::Internal);
        }
        assert_eq!(OpCode::from_code(0), None);
        assert_eq!(OpCode::from_code(10), None);
    }
}
