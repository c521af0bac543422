//! The data directory `ringkeeper/`: found, locked, and asked what its filesystem can do. The log
//! may lie in a `ringkeeper/` of its own, on another disk (`dataLogDir`).
//!
//! Invariants:
//! - FI1. One process at a time: an exclusive `flock` on `ringkeeper/lock`, which the kernel gives
//!   back when the process ends, however it ends.
//! - FI2. Segments, spares, the superblock and snapshots are opened O_DIRECT everywhere, or, where
//!   the filesystem refuses that, nowhere. Never both: pages in the cache would make every direct
//!   write wait for them, a read through the cache shows what need not be on the disk, and a
//!   snapshot that fills the cache with pages to be written stalls the log's own writes.

use std::ffi::CString;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, flock, fsync, mkdirat, openat, unlinkat};
use rustix::io::{Errno as Failure, retry_on_intr};

use super::shrink::{STEP, Shrinker};
use crate::io::Errno;
use crate::limits::BLOCK;
use crate::log::{FileName, Slab};

/// What is ours in a directory that may be shared with ZooKeeper's files.
const FOLDER_NAME: &str = "ringkeeper";

const FOLDER: Mode = Mode::from_raw_mode(0o750);
const FILE: Mode = Mode::from_raw_mode(0o640);

/// An open, locked data directory. Shared by all who work in it; the lock ends with the last.
pub struct Directory {
    path: PathBuf,
    root: OwnedFd,
    log: OwnedFd,
    is_direct: bool,
    /// Counts renames and removals: whoever keeps files open by name must look again.
    changes: AtomicU64,
    removed: Mutex<Removed>,
    _locks: Vec<OwnedFd>,
}

/// Large files without a name.
struct Removed {
    /// Their names are not gone for good before the next sync of the folders.
    fresh: Vec<OwnedFd>,
    shrinker: Shrinker,
}

/// A data directory that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryError {
    pub path: PathBuf,
    pub why: DirectoryFailure,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectoryFailure {
    /// Another process holds the lock.
    InUse,
    Failed {
        verb: &'static str,
        errno: Errno,
    },
}

impl fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match self.why {
            DirectoryFailure::InUse => {
                write!(f, "{path}: another server is running in this data directory")
            }
            DirectoryFailure::Failed { verb, errno } => write!(f, "{path}: cannot {verb}: {errno}"),
        }
    }
}

impl std::error::Error for DirectoryError {}

impl Directory {
    /// Opens `<data_dir>/ringkeeper`, and `<data_log_dir>/ringkeeper/log` for the log, making what
    /// does not exist, and locks them. The directories themselves are made too.
    ///
    /// # Errors
    /// Another server has it, or it cannot be made, opened or written.
    pub fn open(data_dir: &Path, data_log_dir: &Path) -> Result<Arc<Self>, DirectoryError> {
        let path = data_dir.join(FOLDER_NAME);
        let log_path = data_log_dir.join(FOLDER_NAME);
        let at = |path: &Path| {
            let path = path.to_owned();
            move |why| DirectoryError { path, why }
        };
        let (root, lock) = claim(&path).map_err(at(&path))?;
        let mut locks = vec![lock];
        let log = if log_path == path {
            log_folder(&root).map_err(at(&path))?
        } else {
            let (log_root, lock) = claim(&log_path).map_err(at(&log_path))?;
            locks.push(lock);
            log_folder(&log_root).map_err(at(&log_path))?
        };
        let mut is_direct = true;
        for folder in [&root, &log] {
            is_direct &= can_direct(folder).map_err(cannot("write to it")).map_err(at(&path))?;
        }
        let changes = AtomicU64::new(0);
        let removed = Mutex::new(Removed { fresh: Vec::new(), shrinker: Shrinker::new() });
        Ok(Arc::new(Self { path, root, log, is_direct, changes, removed, _locks: locks }))
    }

    /// As on a filesystem that refuses O_DIRECT.
    #[cfg(test)]
    pub(in crate::io) fn open_buffered(data_dir: &Path) -> Arc<Self> {
        let directory = Self::open(data_dir, data_dir).expect("a folder of the test");
        let directory = Arc::into_inner(directory).expect("nobody else has it yet");
        Arc::new(Self { is_direct: false, ..directory })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether writes of the log go past the page cache.
    pub fn is_direct(&self) -> bool {
        self.is_direct
    }

    /// For the log line of the reactor.
    pub fn describe(&self) -> &'static str {
        if self.is_direct {
            "O_DIRECT"
        } else {
            "buffered writes and fdatasync, for this filesystem refuses O_DIRECT"
        }
    }

    pub(in crate::io) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// A file that exists, to be written by the reactor.
    pub(in crate::io) fn open_for_writing(&self, file: FileName) -> Result<OwnedFd, Failure> {
        self.open_with(file, OFlags::WRONLY)
    }

    pub(super) fn open_with(&self, file: FileName, how: OFlags) -> Result<OwnedFd, Failure> {
        let direct =
            if self.is_direct && is_blocks(file) { OFlags::DIRECT } else { OFlags::empty() };
        let (folder, name) = self.place(file);
        retry_on_intr(|| openat(folder, &name, how | direct | OFlags::CLOEXEC, FILE))
    }

    pub(super) fn rename(&self, from: FileName, to: FileName) -> Result<(), Failure> {
        self.count_change();
        let ((from_folder, from), (to_folder, to)) = (self.place(from), self.place(to));
        rustix::fs::renameat(from_folder, &from, to_folder, &to)?;
        self.count_change();
        Ok(())
    }

    /// Removes a name. What a large file takes of the disk comes back little by little, once names
    /// have been synced (`shrink`).
    pub(super) fn remove(&self, file: FileName) -> Result<(), Failure> {
        // A file that cannot be opened can be removed all the same.
        let large = self.open_with(file, OFlags::WRONLY).ok().filter(is_large);
        self.count_change();
        let (folder, name) = self.place(file);
        unlinkat(folder, &name, AtFlags::empty())?;
        self.count_change();
        self.removed().fresh.extend(large);
        Ok(())
    }

    /// Makes names durable, in both folders.
    pub(super) fn sync_names(&self) -> Result<(), Failure> {
        let gone = std::mem::take(&mut self.removed().fresh);
        retry_on_intr(|| fsync(&self.log))?;
        retry_on_intr(|| fsync(&self.root))?;
        let mut removed = self.removed();
        gone.into_iter().for_each(|file| removed.shrinker.give(file));
        Ok(())
    }

    /// Writes. Where the disk is full while files are still being given back to it, these go at once,
    /// and the write is tried again.
    pub(super) fn with_room<T>(
        &self,
        mut write: impl FnMut() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        match retry_on_intr(&mut write) {
            Err(Failure::NOSPC | Failure::DQUOT) if self.removed().shrinker.let_go() => {
                retry_on_intr(write)
            }
            ended => ended,
        }
    }

    /// Whole after every statement that changes it.
    fn removed(&self) -> MutexGuard<'_, Removed> {
        self.removed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The folder a file lies in, and its name there.
    fn place(&self, file: FileName) -> (BorrowedFd<'_>, CString) {
        let path = file.path();
        let (folder, name) = match path.strip_prefix("log/") {
            Some(name) => (&self.log, name),
            None => (&self.root, path.as_str()),
        };
        let name = CString::new(name).expect("names are made of letters, digits and dots");
        (folder.as_fd(), name)
    }

    pub(super) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    pub(super) fn log(&self) -> BorrowedFd<'_> {
        self.log.as_fd()
    }

    /// Before the change, so that no file opened under the old meaning is found after it; and
    /// after, so that none opened during it is.
    fn count_change(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }
}

/// Whether the file goes past the cache, in whole blocks (FI2).
pub(super) fn is_blocks(file: FileName) -> bool {
    !matches!(file, FileName::Import | FileName::ImportAside)
}

/// Whether the file is worth more than one step.
fn is_large(file: &OwnedFd) -> bool {
    rustix::fs::fstat(file).is_ok_and(|stat| stat.st_size > STEP as i64)
}

/// Whether the file's length is that of its bytes, though its last block is written whole.
pub(super) fn is_exact(file: FileName) -> bool {
    matches!(file, FileName::Snapshot(_) | FileName::SnapshotAside(_))
}

fn cannot(verb: &'static str) -> impl Fn(Failure) -> DirectoryFailure {
    move |errno| DirectoryFailure::Failed { verb, errno: errno.into() }
}

/// Makes, opens and locks a folder.
fn claim(path: &Path) -> Result<(OwnedFd, OwnedFd), DirectoryFailure> {
    make_folders(path).map_err(cannot("make it"))?;
    let folder = open_folder(rustix::fs::CWD, path).map_err(cannot("open it"))?;
    let lock = lock(&folder).map_err(|errno| match errno {
        Failure::WOULDBLOCK => DirectoryFailure::InUse,
        errno => cannot("lock it")(errno),
    })?;
    Ok((folder, lock))
}

/// The folder of the segments, made where it does not exist.
fn log_folder(root: &OwnedFd) -> Result<OwnedFd, DirectoryFailure> {
    match mkdirat(root, "log", FOLDER) {
        Ok(()) => fsync(root).map_err(cannot("sync it"))?,
        Err(Failure::EXIST) => {}
        Err(errno) => return Err(cannot("make log/")(errno)),
    }
    open_folder(root.as_fd(), Path::new("log")).map_err(cannot("open log/"))
}

/// Makes the folder and those above it.
fn make_folders(path: &Path) -> Result<(), Failure> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let made = match rustix::fs::mkdir(path, FOLDER) {
        Err(Failure::NOENT) if parent != Path::new(".") => {
            make_folders(parent)?;
            rustix::fs::mkdir(path, FOLDER)
        }
        made => made,
    };
    match made {
        // The new name must survive too: it holds everything that will be durable.
        Ok(()) => fsync(open_folder(rustix::fs::CWD, parent)?),
        Err(Failure::EXIST) => Ok(()),
        Err(errno) => Err(errno),
    }
}

fn open_folder(at: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Failure> {
    openat(at, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

fn lock(root: &OwnedFd) -> Result<OwnedFd, Failure> {
    let lock = openat(root, "lock", OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC, FILE)?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    Ok(lock)
}

/// Tries it: some filesystems refuse O_DIRECT when opening, some when writing.
fn can_direct(log: &OwnedFd) -> Result<bool, Failure> {
    const PROBE: &str = "probe";
    let how = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::DIRECT | OFlags::CLOEXEC;
    let tried = openat(log, PROBE, how, FILE)
        .and_then(|file| rustix::io::pwrite(&file, &Slab::new(BLOCK), 0));
    match unlinkat(log, PROBE, AtFlags::empty()) {
        Ok(()) | Err(Failure::NOENT) => {}
        Err(errno) => return Err(errno),
    }
    match tried {
        Ok(written) => Ok(written == BLOCK),
        Err(Failure::INVAL | Failure::OPNOTSUPP) => Ok(false),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::tests::Folder;
    use crate::zxid::Zxid;

    #[test]
    fn the_log_may_lie_on_another_disk() {
        let (data, log) = (Folder::new(), Folder::new());
        let directory = Directory::open(data.path(), log.path()).unwrap();
        let how = OFlags::RDWR | OFlags::CREATE;
        directory.open_with(FileName::Segment(1), how).unwrap();
        directory.open_with(FileName::Snapshot(Zxid(1)), how).unwrap();
        assert!(log.path().join("ringkeeper").join(FileName::Segment(1).path()).exists());
        assert!(data.path().join("ringkeeper").join(FileName::Snapshot(Zxid(1)).path()).exists());
        assert!(!data.path().join("ringkeeper/log").exists());
        let other = Folder::new();
        let error = Directory::open(other.path(), log.path()).err().expect("FI1");
        assert_eq!(error.why, DirectoryFailure::InUse);
    }

    #[test]
    fn two_servers_cannot_share_a_folder() {
        let folder = Folder::new();
        let first = Directory::open(folder.path(), folder.path()).unwrap();
        let second = Directory::open(folder.path(), folder.path()).err().expect("FI1");
        assert_eq!(second.why, DirectoryFailure::InUse);
        assert!(second.to_string().ends_with("another server is running in this data directory"));
        drop(first);
        Directory::open(folder.path(), folder.path()).expect("the lock ends with its holder");
    }

    #[test]
    fn missing_folders_are_made() {
        let folder = Folder::new();
        let deep = folder.path().join("a/b");
        let directory = Directory::open(&deep, &deep).unwrap();
        assert!(deep.join("ringkeeper/log").is_dir());
        assert_eq!(directory.path(), deep.join("ringkeeper"));
    }

    #[test]
    fn a_large_file_is_kept_until_its_name_is_gone_for_good() {
        let folder = Folder::new();
        let directory = Directory::open(folder.path(), folder.path()).unwrap();
        for (segment, bytes) in [(1, 2 * STEP), (2, STEP)] {
            let file = FileName::Segment(segment);
            let opened = directory.open_with(file, OFlags::RDWR | OFlags::CREATE).unwrap();
            rustix::fs::ftruncate(&opened, bytes).unwrap();
            directory.remove(file).unwrap();
        }
        let lengths = |removed: &Removed| -> Vec<i64> {
            removed.fresh.iter().map(|file| rustix::fs::fstat(file).unwrap().st_size).collect()
        };
        assert_eq!(lengths(&directory.removed()), [2 * STEP as i64], "SH1; one step is not large");
        directory.sync_names().unwrap();
        assert_eq!(lengths(&directory.removed()), []);
    }

    #[test]
    fn a_full_disk_gets_back_at_once_what_waits() {
        let folder = Folder::new();
        let directory = Directory::open(folder.path(), folder.path()).unwrap();
        let mut tries = 0;
        let mut write = || {
            tries += 1;
            if tries % 2 == 1 { Err(Failure::NOSPC) } else { Ok(tries) }
        };
        assert_eq!(directory.with_room(&mut write), Err(Failure::NOSPC), "nothing waits");
        let file = FileName::Segment(1);
        let opened = directory.open_with(file, OFlags::RDWR | OFlags::CREATE).unwrap();
        rustix::fs::ftruncate(&opened, 2 * STEP).unwrap();
        directory.remove(file).unwrap();
        directory.sync_names().unwrap();
        write().unwrap();
        assert_eq!(directory.with_room(&mut write), Ok(4), "tried again");
        assert_eq!(directory.with_room(&mut write), Err(Failure::NOSPC), "nothing waits any more");
        assert_eq!(directory.with_room(|| Err::<(), _>(Failure::IO)), Err(Failure::IO));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let error =
            Directory::open(Path::new("/proc/nothing"), Path::new("/proc/nothing")).err().unwrap();
        assert!(error.to_string().starts_with("/proc/nothing/ringkeeper: cannot make it: "));
    }

    #[test]
    fn what_goes_by_blocks_goes_past_the_cache_or_the_log_line_says_so() {
        let folder = Folder::new();
        let directory = Directory::open(folder.path(), folder.path()).unwrap();
        let is_direct = directory.describe() == "O_DIRECT";
        let log = [FileName::Superblock, FileName::Segment(1), FileName::Spare(1)];
        let snapshots = [FileName::Snapshot(Zxid(1)), FileName::SnapshotAside(Zxid(1))];
        let blocks = [&log[..], &snapshots[..]].concat();
        let streams = [FileName::Import, FileName::ImportAside];
        for file in blocks.iter().copied().chain(streams) {
            let opened = directory.open_with(file, OFlags::RDWR | OFlags::CREATE).unwrap();
            let flags = rustix::fs::fcntl_getfl(&opened).unwrap();
            let expected = is_direct && blocks.contains(&file);
            assert_eq!(flags.contains(OFlags::DIRECT), expected, "FI2: {file}");
        }
    }

    #[test]
    fn a_probe_that_cannot_be_made_is_an_error_and_no_answer() {
        // /proc refuses every file: that does not say that it refuses O_DIRECT.
        let proc = open_folder(rustix::fs::CWD, Path::new("/proc/self")).unwrap();
        assert!(can_direct(&proc).is_err());
    }
}
