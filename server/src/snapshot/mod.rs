//! Snapshots in ZooKeeper's format: written from a checkpoint, read back, sent, taken in.
//!
//! ```text
//! header     int "ZKSN", int 2, long -1                                       16 bytes
//! body       int count, { long session, int timeout }
//!            int count, { long acl id, vector of ACL }
//!            { ustring path, buffer data, long acl id, stat }                 parents first, root ""
//!            ustring "/"                                                      ends the body
//! seal       long adler32 of everything before, ustring "/"                   13 bytes
//! digest     long zxid, int 2, long tree digest                               20 bytes
//! seal
//! zxid       long last processed zxid                                          8 bytes
//! seal
//! ```
//!
//! Ours have all sections and are of one moment: the zxid in the name is that of the tree, the
//! digest and the last section. Java's lack sections by version and configuration, may be gzipped
//! or in snappy's xerial frames, and hold some effects of later txns, which the log repeats.
//!
//! Invariants:
//! - S1. A file under a snapshot's name is whole: written aside, synced, then renamed.
//! - S2. No bytes of a file or a peer cause a panic, or an allocation beyond what they fill.
//! - S3. A body that an intake accepts can be restored.
//!
//! Not here: when a checkpoint is taken, which snapshot a start begins from (`member`, `runtime`),
//! the walk over the tree (`tree::checkpoint`).

mod adopt;
mod body;
mod cut;
mod restore;
mod scan;
mod source;
mod travel;
mod writer;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;

use ringkeeper_engine::jute::WireError;
use ringkeeper_engine::log::{Disk, DiskError, FileName};
use ringkeeper_engine::zxid::Zxid;

pub use adopt::{AdoptError, adopt};
pub use body::{BodyParser, Item, Parsed};
pub use cut::Cut;
pub use restore::{Restored, restore, restore_into};
pub use scan::{Sections, Summary, scan, verify};
pub use source::{SnapshotSource, open};
pub use travel::Format;
pub use writer::{ReadBackError, SnapshotWriter, Written};

use crate::digest::TreeDigest;

const MAGIC: i32 = i32::from_be_bytes(*b"ZKSN");
const VERSION: i32 = 2;

/// Bytes before the body.
const HEADER_BYTES: u64 = 16;

/// Bytes after the body of a file of ours: three seals, digest, zxid.
const TRAILER_BYTES: u64 = 3 * SEAL_BYTES as u64 + 20 + 8;

const SEAL_BYTES: usize = 13;

/// The path that ends the body and every seal.
const TERMINATOR: [u8; 5] = *b"\0\0\0\x01/";

/// One session, list or znode. Far above any frame; a snapshot of Java's may hold what a larger
/// `jute.maxbuffer` once let in.
const RECORD_BYTES_MAX: usize = 64 << 20;

/// The digest of the tree at a zxid, as a snapshot records it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordedDigest {
    pub zxid: Zxid,
    /// Those below 2 were computed otherwise and compare with nothing.
    pub version: i32,
    pub tree: TreeDigest,
}

/// Why a file is no snapshot to start from. The next older one may be.
#[derive(Debug)]
#[non_exhaustive]
pub enum SnapshotError {
    Read(io::Error),
    /// Not a snapshot, or of a version nobody wrote.
    Header {
        magic: i32,
        version: i32,
    },
    Wire(WireError),
    /// The bytes are not those that were sealed.
    Seal {
        section: &'static str,
        found: i64,
        computed: i64,
    },
    /// A znode without its parent, or a second one of the same path.
    Tree {
        path: String,
    },
    /// Some path stands there twice.
    Twice,
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(f, "reading: {error}"),
            Self::Header { magic, version } => {
                write!(f, "no snapshot: magic {magic:#x}, version {version}")
            }
            Self::Wire(error) => error.fmt(f),
            Self::Seal { section, found, computed } => {
                write!(f, "the seal of the {section} is {found:#x}, its bytes have {computed:#x}")
            }
            Self::Twice => write!(f, "a znode stands there twice"),
            Self::Tree { path } => write!(f, "{path} has no parent, or stands there twice"),
        }
    }
}

impl std::error::Error for SnapshotError {}

impl From<WireError> for SnapshotError {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

impl From<io::Error> for SnapshotError {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

/// The snapshots of the data directory, newest first.
pub fn list(disk: &mut dyn Disk) -> Result<Vec<Zxid>, DiskError> {
    let snapshot = |(file, _)| match file {
        FileName::Snapshot(zxid) => Some(zxid),
        _ => None,
    };
    let mut zxids: Vec<Zxid> = disk.list()?.into_iter().filter_map(snapshot).collect();
    zxids.sort_unstable_by(|a, b| b.cmp(a));
    Ok(zxids)
}
