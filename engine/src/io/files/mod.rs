//! Files: the data directory, the blocking verbs on it, and the chores of a thread beside.
//!
//! Not here: the writes of the hot path (`ring`, `poll`), what the files mean (`log`).

mod ahead;
mod chores;
mod directory;
mod disk;
mod pace;
mod prepare;
mod shrink;

pub use directory::{Directory, DirectoryError};
pub use disk::FileDisk;
pub use pace::{Hurry, Pace};

pub(super) use chores::Chores;
