//! Snapshots as they travel: what the engine must know of a format that belongs to the server.
//!
//! A SNAP is the body of a snapshot file (without its header and seals), then a signature. The
//! engine sends the bytes of a file that the superblock vouches for, and hands received bytes to an
//! intake; what they mean is the server's.
//!
//! Not here: the format (`server::snapshot`), the packets before and after (`leader`, `learner`).

use std::fmt;
use std::ops::Range;

use crate::jute::WireError;
use crate::log::{Disk, DiskError};
use crate::zxid::Zxid;

/// Ends the body on the stream, as a `ustring`.
pub const SIGNATURE: [u8; 14] = *b"\0\0\0\x0aBenWasHere";

/// The server's knowledge of its snapshot files.
pub trait SnapshotFormat: Send {
    /// Where the body lies in `Snapshot(zxid)`: from the count of sessions through the end of the
    /// node terminator.
    fn body(&self, disk: &mut dyn Disk, zxid: Zxid) -> Result<Range<u64>, DiskError>;

    /// The body for a server that has never taken a snapshot: the tree that nobody has written to.
    fn empty_body(&self) -> Vec<u8>;

    /// Takes in a body that will become `Snapshot(zxid)`.
    fn intake(&self, zxid: Zxid) -> Box<dyn Intake>;
}

/// A snapshot on its way in, written aside. Dropped unfinished, it leaves nothing that counts.
pub trait Intake: Send {
    /// Takes the next bytes. `Some(n)`: the body ended after `n` of these bytes.
    fn feed(&mut self, bytes: &[u8], disk: &mut dyn Disk) -> Result<Option<usize>, IntakeError>;

    /// Seals, syncs, renames to `Snapshot(zxid)`, syncs the directory.
    fn finish(self: Box<Self>, disk: &mut dyn Disk) -> Result<(), DiskError>;
}

/// Why a snapshot could not be taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IntakeError {
    /// The sender's fault: the link ends.
    Peer(WireError),
    /// Ours: the process ends.
    Disk(DiskError),
}

impl From<WireError> for IntakeError {
    fn from(error: WireError) -> Self {
        Self::Peer(error)
    }
}

impl From<DiskError> for IntakeError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

impl fmt::Display for IntakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(error) => error.fmt(f),
            Self::Disk(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for IntakeError {}
