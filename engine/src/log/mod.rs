//! The log: what was proposed, on disk, in order.

mod disk;
mod slab;

pub use disk::{Disk, DiskDone, DiskError, DiskOp, DiskVerb, FileName, OpId};
pub use slab::Slab;
