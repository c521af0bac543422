//! Looks at logs, snapshots and servers from outside; the small client.

pub mod cli;
pub mod client;
pub mod log;
mod overlay;
pub mod snapshot;
pub mod version2;
