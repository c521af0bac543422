//! The client protocol: records, codes, and the rules of a path.
//!
//! Requests are decoded without copying: strings and data are slices of the frame, lists are
//! checked once and then walked in place. Replies are appended to a buffer the caller owns.
//!
//! Invariants:
//! - W1. No length or count that was read causes an allocation, and no bytes cause a panic.
//! - W2. What `decode` accepts can be walked to its end without an error.
//!
//! Not here: framing and handshake order (`frontend`), what a request may do (`prep`, `apply`).

pub mod bodies;
mod connect;
mod error;
mod lists;
mod multi;
mod op;
mod path;
mod records;
mod reply;
mod request;

pub use connect::{ConnectRequest, ConnectResponse};
pub use error::ErrorCode;
pub use lists::{AclRef, Acls, Strings};
pub use multi::{MultiKind, MultiOp, MultiOps};
pub use op::{OpCode, OpKind};
pub use path::{is_reserved, is_valid_path, parent_of, path_ahead};
pub use records::{Acl, AuthId, SessionId, Stat, perms};
pub use reply::{EventKind, ReplyHeader, WatcherEvent, multi_end, multi_error, multi_header};
pub use request::{
    AuthPacket, CreateRequest, Path, PathRequest, ReconfigRequest, RequestHeader, SetAclRequest,
    SetDataRequest, SetWatches, VersionRequest, WatchRequest, WatchableRequest, check_multi_body,
    check_write_body,
};

/// Xids that mean something (section 2.3 of the protocol; `ClientCnxn`).
pub mod xid {
    pub const NOTIFICATION: i32 = -1;
    pub const PING: i32 = -2;
    pub const AUTH: i32 = -4;
    pub const SET_WATCHES: i32 = -8;
}
