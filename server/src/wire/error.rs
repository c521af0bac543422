//! Refusals: the codes a client is answered with.

use std::fmt;

/// ZooKeeper's `KeeperException.Code`, 3.9.5. A plain number, because a peer or a log may hold one
/// we have no name for, and it must reach the client as it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(pub i32);

impl ErrorCode {
    pub const OK: Self = Self(0);
    pub const SYSTEM_ERROR: Self = Self(-1);
    pub const RUNTIME_INCONSISTENCY: Self = Self(-2);
    pub const DATA_INCONSISTENCY: Self = Self(-3);
    pub const CONNECTION_LOSS: Self = Self(-4);
    pub const MARSHALLING_ERROR: Self = Self(-5);
    pub const UNIMPLEMENTED: Self = Self(-6);
    pub const OPERATION_TIMEOUT: Self = Self(-7);
    pub const BAD_ARGUMENTS: Self = Self(-8);
    pub const UNKNOWN_SESSION: Self = Self(-12);
    pub const NEW_CONFIG_NO_QUORUM: Self = Self(-13);
    pub const RECONFIG_IN_PROGRESS: Self = Self(-14);
    /// A threshold, not an answer: codes at or below it are about what the client asked for.
    pub const API_ERROR: Self = Self(-100);
    pub const NO_NODE: Self = Self(-101);
    pub const NO_AUTH: Self = Self(-102);
    pub const BAD_VERSION: Self = Self(-103);
    pub const NO_CHILDREN_FOR_EPHEMERALS: Self = Self(-108);
    pub const NODE_EXISTS: Self = Self(-110);
    pub const NOT_EMPTY: Self = Self(-111);
    pub const SESSION_EXPIRED: Self = Self(-112);
    pub const INVALID_CALLBACK: Self = Self(-113);
    pub const INVALID_ACL: Self = Self(-114);
    pub const AUTH_FAILED: Self = Self(-115);
    pub const SESSION_MOVED: Self = Self(-118);
    pub const NOT_READ_ONLY: Self = Self(-119);
    pub const EPHEMERAL_ON_LOCAL_SESSION: Self = Self(-120);
    pub const NO_WATCHER: Self = Self(-121);
    pub const REQUEST_TIMEOUT: Self = Self(-122);
    pub const RECONFIG_DISABLED: Self = Self(-123);
    pub const SESSION_CLOSED_REQUIRE_SASL_AUTH: Self = Self(-124);
    pub const QUOTA_EXCEEDED: Self = Self(-125);
    pub const THROTTLED_OP: Self = Self(-127);

    pub const fn code(self) -> i32 {
        self.0
    }

    pub const fn is_ok(self) -> bool {
        self.0 == 0
    }

    /// ZooKeeper's name, `None` where it has none.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::OK => "Ok",
            Self::SYSTEM_ERROR => "SystemError",
            Self::RUNTIME_INCONSISTENCY => "RuntimeInconsistency",
            Self::DATA_INCONSISTENCY => "DataInconsistency",
            Self::CONNECTION_LOSS => "ConnectionLoss",
            Self::MARSHALLING_ERROR => "MarshallingError",
            Self::UNIMPLEMENTED => "Unimplemented",
            Self::OPERATION_TIMEOUT => "OperationTimeout",
            Self::BAD_ARGUMENTS => "BadArguments",
            Self::UNKNOWN_SESSION => "UnknownSession",
            Self::NEW_CONFIG_NO_QUORUM => "NewConfigNoQuorum",
            Self::RECONFIG_IN_PROGRESS => "ReconfigInProgress",
            Self::API_ERROR => "APIError",
            Self::NO_NODE => "NoNode",
            Self::NO_AUTH => "NoAuth",
            Self::BAD_VERSION => "BadVersion",
            Self::NO_CHILDREN_FOR_EPHEMERALS => "NoChildrenForEphemerals",
            Self::NODE_EXISTS => "NodeExists",
            Self::NOT_EMPTY => "NotEmpty",
            Self::SESSION_EXPIRED => "SessionExpired",
            Self::INVALID_CALLBACK => "InvalidCallback",
            Self::INVALID_ACL => "InvalidACL",
            Self::AUTH_FAILED => "AuthFailed",
            Self::SESSION_MOVED => "SessionMoved",
            Self::NOT_READ_ONLY => "NotReadOnly",
            Self::EPHEMERAL_ON_LOCAL_SESSION => "EphemeralOnLocalSession",
            Self::NO_WATCHER => "NoWatcher",
            Self::REQUEST_TIMEOUT => "RequestTimeout",
            Self::RECONFIG_DISABLED => "ReconfigDisabled",
            Self::SESSION_CLOSED_REQUIRE_SASL_AUTH => "SessionClosedRequireSaslAuth",
            Self::QUOTA_EXCEEDED => "QuotaExceeded",
            Self::THROTTLED_OP => "ThrottledOp",
            _ => return None,
        })
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({})", self.0),
            None => write!(f, "error {}", self.0),
        }
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_code_keeps_its_number() {
        assert_eq!(ErrorCode(-77).to_string(), "error -77");
        assert_eq!(ErrorCode::NO_NODE.to_string(), "NoNode (-101)");
    }
}
