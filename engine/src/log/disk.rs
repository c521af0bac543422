//! What the log asks of a disk, and what the disk answers.
//!
//! Two roads. Cold paths (start, truncation, the superblock, snapshots) call `Disk`'s blocking
//! verbs. The hot path emits `DiskOp`s, which whoever runs the log carries out in the background
//! and answers with one `DiskDone` each, in any order. A failure is answered like a success; the
//! log turns it into the end of the process and nothing is ever tried again (law 8): after a failed
//! sync the kernel may have forgotten the pages that it could not write.
//!
//! Contract with whoever implements this:
//! - `Write` is complete only if all `len` bytes were written; a short write is answered as `EIO`.
//!   With `durable` set it is answered only when those bytes survive a power cut (`RWF_DSYNC`).
//! - `Flush` covers every write of that segment that was *answered* before the flush was handed
//!   over. It says nothing about the others.
//! - `Prepare` ends with a file `Segment(segment)` of exactly `bytes` whose extents are written,
//!   its first block zero, the file and the directory entry synced. It is made aside, as
//!   `Spare(segment)`, and renamed when whole, so that a file under a segment's name always is.
//!   With `recycle`: rename `Segment(old)` to `Spare(segment)`, sync the directory, and only then
//!   zero the first block, sync, rename, sync the directory. What an older life left behind the
//!   first block may stay: it carries another incarnation.
//!
//! Not here: the file formats (`batch`, `segment`, `superblock`), the syscalls (`io`).

use std::fmt;
use std::sync::Arc;

use super::slab::Slab;
use crate::zxid::Zxid;

/// A file of the data directory's `ringkeeper/`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FileName {
    Superblock,
    Segment(u64),
    /// A segment under preparation. One left by a crash is removed at the next start.
    Spare(u64),
    Snapshot(Zxid),
    /// A snapshot under construction. One left by a crash is removed at the next start.
    SnapshotAside(Zxid),
    /// What a log that was founded on another's history is founded on (`founding`).
    Import,
    /// The same while the founding goes on: nothing else here counts as long as this is there.
    ImportAside,
}

impl FileName {
    /// Relative to `ringkeeper/`.
    pub fn path(self) -> String {
        match self {
            Self::Superblock => "superblock".into(),
            Self::Segment(number) => format!("log/{number:020}.seg"),
            Self::Spare(number) => format!("log/{number:020}.spare"),
            Self::Snapshot(zxid) => format!("snapshot.{:x}", zxid.0),
            Self::SnapshotAside(zxid) => format!("snapshot.{:x}.aside", zxid.0),
            Self::Import => "import".into(),
            Self::ImportAside => "import.aside".into(),
        }
    }

    /// The inverse of `path`; `None` for a file that is not ours.
    pub fn parse(path: &str) -> Option<Self> {
        let name = if path == "superblock" {
            Self::Superblock
        } else if path == "import" {
            Self::Import
        } else if path == "import.aside" {
            Self::ImportAside
        } else if let Some(file) = path.strip_prefix("log/") {
            let (number, kind) = file.split_once('.')?;
            let number = number.parse().ok()?;
            match kind {
                "seg" => Self::Segment(number),
                "spare" => Self::Spare(number),
                _ => return None,
            }
        } else {
            let rest = path.strip_prefix("snapshot.")?;
            let zxid = |hex| u64::from_str_radix(hex, 16).ok().map(|raw| Zxid(raw as i64));
            match rest.strip_suffix(".aside") {
                Some(hex) => Self::SnapshotAside(zxid(hex)?),
                None => Self::Snapshot(zxid(rest)?),
            }
        };
        // Only the one spelling that `path` writes: no sign, no missing zeros, no capitals.
        (name.path() == path).then_some(name)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path())
    }
}

/// What was being done when the disk failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DiskVerb {
    List,
    Read,
    Write,
    Sync,
    Rename,
    Remove,
    SyncDir,
    Prepare,
}

impl fmt::Display for DiskVerb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::List => "list",
            Self::Read => "read",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Rename => "rename",
            Self::Remove => "remove",
            Self::SyncDir => "sync of the directory",
            Self::Prepare => "prepare",
        })
    }
}

/// A verb failed: which, on which file, where, and what the kernel said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DiskError {
    /// `None` where the verb concerns a directory.
    pub file: Option<FileName>,
    pub verb: DiskVerb,
    pub offset: u64,
    pub errno: i32,
}

impl fmt::Display for DiskError {
    /// `log/00000000000000000001.seg: write at offset 4096: No space left on device (28)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = std::io::Error::from_raw_os_error(self.errno).to_string();
        let text = text.split(" (os error").next().unwrap_or_default();
        match self.file {
            Some(file) => write!(f, "{file}: ")?,
            None => write!(f, "ringkeeper/: ")?,
        }
        write!(f, "{} at offset {}: {text} ({})", self.verb, self.offset, self.errno)
    }
}

impl std::error::Error for DiskError {}

/// The blocking verbs of cold paths. Nothing is durable before its `sync`, no name before
/// `sync_dir`.
pub trait Disk {
    /// Every file of ours, with its size.
    fn list(&mut self) -> Result<Vec<(FileName, u64)>, DiskError>;

    /// How many bytes were read: fewer than asked for only at the end of the file. A file that is
    /// not there is an error (`ENOENT`).
    fn read(&mut self, file: FileName, offset: u64, into: &mut [u8]) -> Result<usize, DiskError>;

    /// All of `bytes` or an error. Creates the file if need be, and grows it if need be. Any offset
    /// and length; the log itself asks for whole blocks only.
    fn write(&mut self, file: FileName, offset: u64, bytes: &[u8]) -> Result<(), DiskError>;

    fn sync(&mut self, file: FileName) -> Result<(), DiskError>;

    /// Replaces `to` if it exists.
    fn rename(&mut self, from: FileName, to: FileName) -> Result<(), DiskError>;

    fn remove(&mut self, file: FileName) -> Result<(), DiskError>;

    /// Both directories: `ringkeeper/` and `ringkeeper/log/`.
    fn sync_dir(&mut self) -> Result<(), DiskError>;
}

/// Names one operation until it is answered; never used twice in the life of a log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OpId(pub u64);

/// What the hot path asks for. Every one is answered by exactly one `DiskDone`.
#[derive(Debug)]
pub enum DiskOp {
    /// Writes `slab[..len]` at `offset`; both are whole blocks. The slab comes back in the answer.
    Write { op: OpId, segment: u64, offset: u64, slab: Arc<Slab>, len: usize, durable: bool },
    /// Makes durable what was answered before (`fdatasync`). One at a time.
    Flush { op: OpId, segment: u64 },
    /// In the background: make a segment of `bytes` ready, from a purged one of the same size where
    /// `recycle` names it.
    Prepare { segment: u64, bytes: u64, recycle: Option<u64> },
    /// In the background: a purged segment that is not needed as a spare goes, and its name.
    Remove { segment: u64 },
}

/// How an operation ended; `Err` is an errno.
#[derive(Debug)]
pub enum DiskDone {
    Written { op: OpId, slab: Arc<Slab>, result: Result<(), i32> },
    Flushed { op: OpId, result: Result<(), i32> },
    Prepared { segment: u64, result: Result<(), i32> },
    Removed { segment: u64, result: Result<(), i32> },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_one_file_and_only_in_one_spelling() {
        let names = [
            FileName::Superblock,
            FileName::Segment(7),
            FileName::Spare(u64::MAX),
            FileName::Snapshot(Zxid(0x1_0000_0002)),
            FileName::SnapshotAside(Zxid(0)),
            FileName::Import,
            FileName::ImportAside,
        ];
        for name in names {
            assert_eq!(FileName::parse(&name.path()), Some(name));
        }
        for path in ["log/7.seg", "log/+0000000000000000007.seg", "snapshot.0A", "snapshot.", "x"] {
            assert_eq!(FileName::parse(path), None, "{path}");
        }
    }

    #[test]
    fn an_error_names_file_verb_place_and_reason() {
        let error = DiskError {
            file: Some(FileName::Segment(1)),
            verb: DiskVerb::Write,
            offset: 4096,
            errno: 28,
        };
        assert_eq!(
            error.to_string(),
            "log/00000000000000000001.seg: write at offset 4096: No space left on device (28)"
        );
    }
}
