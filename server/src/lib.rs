//! ZooKeeper on top of the replicated log: client protocol, tree, sessions, watches, config, admin.
//!
//! A module uses only those before it in this line, which `tests/tidy` reads (AI-2).
//! Order: wire tree acl auth session watch quota digest txn prep apply snapshot frontend member
//!   config admin runtime

pub mod wire;
pub mod tree;
pub mod acl;
pub mod auth;
pub mod session;
pub mod watch;
pub mod quota;
pub mod digest;
pub mod txn;
pub mod prep;
pub mod apply;
pub mod snapshot;
pub mod frontend;
pub mod config;
pub mod admin;
pub mod member;
pub mod runtime;
