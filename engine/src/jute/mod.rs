//! ZooKeeper's encoding: big-endian, no tags, no lengths around records.
//!
//! Not here: what the records mean (each module reads and writes its own).

mod reader;
mod writer;

pub use reader::{Reader, WireError};
pub use writer::Writer;
