//! The simulator: whole ensembles and their clients in one thread, from one seed.
//!
//! Every server is a real `Member`: the same frontend, prep, replica, log, tree. Only the world is
//! made up: a network whose links are slow, break and partition; disks that lose what was not
//! synced and tear batches; clocks; power that goes at any verb. Time jumps from event to event, so
//! minutes pass in milliseconds, and the same seed is the same run.
//!
//! Checked after every step (`witness`): one order of txns in all logs and trees of all lives, what
//! is decided is on a quorum of disks, what a disk was said to hold survives the power. Every
//! answer and event is held against a replay of the decided txns at the zxid it carries (`client`,
//! `model`). After all faults heal: writes are taken within seconds, every tree is what was decided,
//! dead sessions end (`check`). Which bugs this finds: `tests/README.md`.
//!
//! `cargo run --release -p ringkeeper-tests --bin sim -- --help` runs many seeds.
//!
//! Not here: the servers themselves.

mod check;
mod client;
mod faults;
mod model;
mod network;
mod options;
mod random;
mod report;
mod server;
mod wires;
mod witness;
mod world;

pub use options::{Plan, Shape};
pub use random::Random;
pub use report::Report;
pub use world::run;
