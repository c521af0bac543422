//! ZooKeeper on top of the replicated log: client protocol, tree, sessions, watches, config, admin.
//!
//! A module uses only those before it in this line, which `tests/tidy` reads (AI-2).
//! Order: wire tree acl auth session watch quota digest txn prep apply snapshot frontend member
//!   config admin runtime

pub mod acl;
pub mod admin;
pub mod apply;
pub mod auth;
pub mod config;
pub mod digest;
pub mod frontend;
pub mod member;
pub mod prep;
pub mod quota;
pub mod runtime;
pub mod session;
pub mod snapshot;
pub mod tree;
pub mod txn;
pub mod watch;
pub mod wire;
