//! ZooKeeper on top of the replicated log: client protocol, tree, sessions, watches, config, admin.
//!
//! Modules stand in dependency order; a module uses only those above it (AI-2, `tests/tidy`).

#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))] // runtime/screen.rs

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
pub mod proof;
pub mod version2;
pub mod frontend;
pub mod config;
pub mod admin;
pub mod member;
pub mod runtime;
