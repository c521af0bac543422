//! ZooKeeper on top of the replicated log: client protocol, tree, sessions, watches, config, admin.
//!
//! Modules stand in dependency order; a module uses only those above it (AI-2, `tests/tidy`).

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
