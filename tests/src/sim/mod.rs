//! The simulator: whole ensembles and their clients in one thread, from one seed.
//!
//! Every server is a real `Member`: the same frontend, prep, replica, log, tree. Only the world is
//! made up: a network whose links are slow, break and partition; disks that lose what was not
//! synced and tear batches; clocks; power that goes at any verb. Time jumps from event to event, so
//! minutes pass in milliseconds, and the same seed is the same run.
//!
//! Checked after every step: agreement (a zxid is the same tree everywhere), order and monotony of
//! what each client is told, watch rules. Checked at rest, after all faults heal: every server
//! serves, all trees are equal, every acknowledged write is there, nothing unowned is left.
//!
//! `cargo run --release -p ringkeeper-tests --bin sim -- --help` runs many seeds.
//!
//! Not here: the servers themselves.

mod check;
mod client;
mod faults;
mod network;
mod options;
mod random;
mod server;
mod wires;
mod world;

pub use options::Plan;
pub use random::Random;
pub use world::{Report, run};
