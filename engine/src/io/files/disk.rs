//! The log's blocking verbs on a real directory.
//!
//! Files are read and written in whole blocks through an aligned buffer, past the page cache (FI2):
//! what is read is what the disk has. A write that covers part of a block reads the rest of it
//! first, so a file's length is always whole blocks; a snapshot is cut to its length afterwards.
//! The notes of an import are read and written as they come.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{AtFlags, Dir, FileType, OFlags, fdatasync};
use rustix::io::{Errno as Failure, retry_on_intr};

use super::ahead::Ahead;
use super::directory::{Directory, is_blocks, is_exact};
use super::pace::Pace;
use crate::limits::BLOCK;
use crate::log::{Disk, DiskError, DiskVerb, FileName, Slab};

/// What goes through the aligned buffer at once.
const STRETCH: usize = 1 << 20;

/// The same while a pace is kept: what a commit may find before it in the disk's queue.
const STRETCH_AT_PACE: usize = 64 << 10;

/// `log::Disk` on a data directory.
pub struct FileDisk {
    directory: Arc<Directory>,
    aligned: Slab,
    /// The file last used, so that a run of reads or writes opens it once.
    last: Option<(FileName, u64, OwnedFd)>,
    ahead: Option<Ahead>,
    pace: Option<Pace>,
}

impl FileDisk {
    pub fn new(directory: Arc<Directory>) -> Self {
        Self { directory, aligned: Slab::new(STRETCH), last: None, ahead: None, pace: None }
    }

    /// Reads and writes of files keep this pace from here on, in small pieces.
    pub fn go_slowly(&mut self, pace: Pace) {
        self.pace = Some(pace);
    }

    fn keep_pace(&mut self, bytes: usize) {
        if let Some(pace) = &mut self.pace {
            pace.keep(bytes);
        }
    }

    fn stretch(&self) -> usize {
        let keeps_pace = self.pace.as_ref().is_some_and(|pace| !pace.is_hurried());
        if keeps_pace { STRETCH_AT_PACE } else { STRETCH }
    }

    /// From here on a thread reads ahead, and about `kept` bytes of what was read are kept. To be
    /// ended before anybody else writes to files that are read here (RA1).
    pub fn read_ahead(&mut self, kept: usize) {
        self.ahead = Ahead::start(Arc::clone(&self.directory), kept);
    }

    pub fn end_read_ahead(&mut self) {
        self.ahead = None;
    }

    /// RA2: a file is about to change.
    fn forget(&mut self, file: FileName) {
        if let Some(ahead) = &mut self.ahead {
            ahead.forget(file);
        }
    }

    /// The file, open for reading and writing; created if `how` says so.
    fn open(&mut self, file: FileName, how: OFlags) -> Result<&OwnedFd, Failure> {
        let changes = self.directory.changes();
        let is_open =
            matches!(&self.last, Some((name, seen, _)) if (*name, *seen) == (file, changes));
        if !is_open {
            let opened = self.directory.open_with(file, OFlags::RDWR | how)?;
            self.last = Some((file, changes, opened));
        }
        let (_, _, fd) = self.last.as_ref().expect("it has just been opened, or was open");
        Ok(fd)
    }

    /// Reads whole blocks into the aligned buffer: those that hold `len` bytes from `offset`, or
    /// the first of them. Answers where in the buffer `offset` is, and where the bytes end.
    fn read_blocks(
        &mut self,
        file: FileName,
        offset: u64,
        len: usize,
    ) -> Result<(usize, usize), Failure> {
        let within = (offset % BLOCK as u64) as usize;
        let wanted = (within + len).next_multiple_of(BLOCK).min(self.stretch());
        let base = offset - within as u64;
        self.open(file, OFlags::empty())?;
        let (_, _, fd) = self.last.as_ref().expect("it has just been opened");
        let mut filled = 0;
        while filled < wanted {
            let count = retry_on_intr(|| {
                rustix::io::pread(fd, &mut self.aligned[filled..wanted], base + filled as u64)
            })?;
            filled += count;
            // A direct read ends inside a block only at the end of the file.
            if count == 0 || !filled.is_multiple_of(BLOCK) {
                break;
            }
        }
        Ok((within, filled.min(within + len)))
    }

    fn read_some(
        &mut self,
        file: FileName,
        offset: u64,
        into: &mut [u8],
    ) -> Result<usize, Failure> {
        if !is_blocks(file) {
            let fd = self.open(file, OFlags::empty())?;
            return retry_on_intr(|| rustix::io::pread(fd, &mut *into, offset));
        }
        // The superblock is small and read once.
        if let Some(ahead) = self.ahead.as_mut().filter(|_| file != FileName::Superblock) {
            return ahead.read(file, offset, into);
        }
        let (start, end) = self.read_blocks(file, offset, into.len())?;
        let count = end.saturating_sub(start);
        into[..count].copy_from_slice(&self.aligned[start..start + count]);
        Ok(count)
    }

    /// Writes a prefix of `bytes`; how much.
    fn write_some(&mut self, file: FileName, offset: u64, bytes: &[u8]) -> Result<usize, Failure> {
        if !is_blocks(file) {
            let fd = self.open(file, OFlags::CREATE)?;
            return retry_on_intr(|| rustix::io::pwrite(fd, bytes, offset));
        }
        self.open(file, OFlags::CREATE)?;
        let within = (offset % BLOCK as u64) as usize;
        let base = offset - within as u64;
        let count = bytes.len().min(self.stretch() - within);
        let whole = (within + count).next_multiple_of(BLOCK);
        let is_partial = within != 0 || within + count != whole;
        let (_, _, fd) = self.last.as_ref().expect("it has just been opened");
        let length = if is_partial && is_exact(file) {
            let before = u64::try_from(rustix::fs::fstat(fd)?.st_size).unwrap_or(0);
            Some(before.max(offset + count as u64))
        } else {
            None
        };
        if is_partial {
            // Part of a block is written: the rest stays what it is, or is zero past the end.
            let (_, end) = self.read_blocks(file, base, whole)?;
            self.aligned[end..whole].fill(0);
        }
        self.aligned[within..within + count].copy_from_slice(&bytes[..count]);
        let (_, _, fd) = self.last.as_ref().expect("it has just been opened");
        let write = || rustix::io::pwrite(fd, &self.aligned[..whole], base);
        let written = self.directory.with_room(write)?;
        if written != whole {
            // Unlike a failure this may be repeated, but it does not happen on a sound disk.
            return Err(Failure::IO);
        }
        if let Some(length) = length.filter(|length| *length < base + whole as u64) {
            retry_on_intr(|| rustix::fs::ftruncate(fd, length))?;
        }
        Ok(count)
    }

    fn list_folder(
        &self,
        folder: std::os::fd::BorrowedFd<'_>,
        prefix: &str,
        found: &mut Vec<(FileName, u64)>,
    ) -> Result<(), Failure> {
        for entry in Dir::read_from(folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            let Some(file) = FileName::parse(&format!("{prefix}{name}")) else { continue };
            let stat = match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                // Renamed or removed since its name was read, by the ring or another thread.
                Err(Failure::NOENT) => continue,
                stat => stat?,
            };
            if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
                found.push((file, stat.st_size.max(0) as u64));
            }
        }
        Ok(())
    }
}

fn failed(file: Option<FileName>, verb: DiskVerb, offset: u64) -> impl Fn(Failure) -> DiskError {
    move |errno| DiskError { file, verb, offset, errno: errno.raw_os_error() }
}

impl Disk for FileDisk {
    /// Sorted by name.
    fn list(&mut self) -> Result<Vec<(FileName, u64)>, DiskError> {
        let mut found = Vec::new();
        self.list_folder(self.directory.root(), "", &mut found)
            .and_then(|()| self.list_folder(self.directory.log(), "log/", &mut found))
            .map_err(failed(None, DiskVerb::List, 0))?;
        found.sort_unstable();
        Ok(found)
    }

    fn read(&mut self, file: FileName, offset: u64, into: &mut [u8]) -> Result<usize, DiskError> {
        let mut filled = 0;
        while filled < into.len() {
            let at = offset + filled as u64;
            match self.read_some(file, at, &mut into[filled..]) {
                Ok(0) => break,
                Ok(count) => {
                    filled += count;
                    self.keep_pace(count);
                }
                Err(errno) => return Err(failed(Some(file), DiskVerb::Read, at)(errno)),
            }
        }
        Ok(filled)
    }

    fn write(&mut self, file: FileName, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.forget(file);
        let mut written = 0;
        while written < bytes.len() {
            let at = offset + written as u64;
            match self.write_some(file, at, &bytes[written..]) {
                Ok(0) => return Err(failed(Some(file), DiskVerb::Write, at)(Failure::IO)),
                Ok(count) => {
                    written += count;
                    self.keep_pace(count);
                }
                Err(errno) => return Err(failed(Some(file), DiskVerb::Write, at)(errno)),
            }
        }
        if bytes.is_empty() {
            // An empty file is a file too.
            self.open(file, OFlags::CREATE).map_err(failed(Some(file), DiskVerb::Write, offset))?;
        }
        Ok(())
    }

    fn sync(&mut self, file: FileName) -> Result<(), DiskError> {
        self.open(file, OFlags::empty())
            .and_then(|fd| retry_on_intr(|| fdatasync(fd)))
            .map_err(failed(Some(file), DiskVerb::Sync, 0))
    }

    fn rename(&mut self, from: FileName, to: FileName) -> Result<(), DiskError> {
        self.last = None;
        self.forget(from);
        self.forget(to);
        self.directory.rename(from, to).map_err(failed(Some(from), DiskVerb::Rename, 0))
    }

    fn remove(&mut self, file: FileName) -> Result<(), DiskError> {
        self.last = None;
        self.forget(file);
        self.directory.remove(file).map_err(failed(Some(file), DiskVerb::Remove, 0))
    }

    fn sync_dir(&mut self) -> Result<(), DiskError> {
        self.directory.sync_names().map_err(failed(None, DiskVerb::SyncDir, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::tests::Folder;
    use crate::zxid::Zxid;

    fn disk(folder: &Folder) -> FileDisk {
        FileDisk::new(Directory::open(folder.path(), folder.path()).unwrap())
    }

    fn read(disk: &mut FileDisk, file: FileName, offset: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0xee; len];
        let count = disk.read(file, offset, &mut bytes).unwrap();
        bytes.truncate(count);
        bytes
    }

    #[test]
    fn what_is_written_at_any_place_is_read_back() {
        let folder = Folder::new();
        written_and_read_back(disk(&folder), STRETCH as u64);
    }

    #[test]
    fn what_is_written_in_small_pieces_is_read_back() {
        let folder = Folder::new();
        let mut disk = disk(&folder);
        let (pace, _) = Pace::new(u64::MAX);
        disk.go_slowly(pace);
        assert_eq!(disk.stretch(), STRETCH_AT_PACE);
        written_and_read_back(disk, STRETCH_AT_PACE as u64);
    }

    #[test]
    fn who_is_in_a_hurry_takes_large_pieces_again() {
        let folder = Folder::new();
        let mut disk = disk(&folder);
        let (pace, hurry) = Pace::new(u64::MAX);
        disk.go_slowly(pace);
        hurry.up();
        assert_eq!(disk.stretch(), STRETCH);
    }

    /// Around block borders, around the end of a piece, over old bytes and past the end.
    fn written_and_read_back(mut disk: FileDisk, big: u64) {
        let file = FileName::Segment(1);
        let mut model = Vec::new();
        for (i, (offset, len)) in
            [(0, 1), (4095, 2), (10, 9000), (big - 5, 10), (4096, 4096), (100, 3 * STRETCH + 7)]
                .into_iter()
                .enumerate()
        {
            let bytes: Vec<u8> = (0..len).map(|at| (at * 13 + i * 101) as u8).collect();
            disk.write(file, offset, &bytes).unwrap();
            let end = offset as usize + len;
            model.resize(model.len().max(end).next_multiple_of(BLOCK), 0);
            model[offset as usize..end].copy_from_slice(&bytes);
            assert!(read(&mut disk, file, 0, model.len() + 1) == model, "write {i}");
        }
        for (offset, len) in [(0, 0), (1, 1), (4095, 2), (5000, 2 * STRETCH), (100, 8)] {
            assert!(read(&mut disk, file, offset, len) == model[offset as usize..][..len]);
        }
        let end = model.len() as u64;
        assert_eq!(read(&mut disk, file, end - 3, 10).len(), 3, "short at the end only");
        assert_eq!(read(&mut disk, file, end + 3, 10), []);
    }

    #[test]
    fn a_snapshot_has_the_length_it_was_written_with() {
        let folder = Folder::new();
        let mut disk = disk(&folder);
        let (aside, file) = (FileName::SnapshotAside(Zxid(5)), FileName::Snapshot(Zxid(5)));
        disk.write(aside, 0, b"snap").unwrap();
        disk.write(aside, 4, b"shot").unwrap();
        disk.sync(aside).unwrap();
        disk.rename(aside, file).unwrap();
        disk.sync_dir().unwrap();
        assert_eq!(disk.list().unwrap(), [(file, 8)]);
        assert_eq!(read(&mut disk, file, 2, 100), b"apshot");
        assert_eq!(disk.read(aside, 0, &mut [0; 4]).unwrap_err().errno, libc::ENOENT);
    }

    #[test]
    fn only_our_files_are_listed() {
        let folder = Folder::new();
        let mut disk = disk(&folder);
        let root = folder.path().join("ringkeeper");
        std::fs::create_dir(root.join("snapshot.9")).unwrap();
        assert!(root.join("lock").exists(), "a file that is not the log's");
        for file in [FileName::Superblock, FileName::Segment(3), FileName::Spare(4)] {
            disk.write(file, 0, &[1; BLOCK]).unwrap();
        }
        let size = BLOCK as u64;
        assert_eq!(
            disk.list().unwrap(),
            [
                (FileName::Superblock, size),
                (FileName::Segment(3), size),
                (FileName::Spare(4), size)
            ]
        );
        disk.remove(FileName::Segment(3)).unwrap();
        assert_eq!(disk.list().unwrap().len(), 2);
        let error = disk.remove(FileName::Segment(3)).unwrap_err();
        assert_eq!((error.verb, error.errno), (DiskVerb::Remove, libc::ENOENT));
    }

    /// A follower that was sent its first snapshot looked for an earlier piece of it while the
    /// first spare became a segment, and ended for want of that spare.
    #[test]
    fn a_file_that_goes_while_the_names_are_read_is_not_missed() {
        let folder = Folder::new();
        let mut disk = disk(&folder);
        disk.write(FileName::Superblock, 0, &[1; BLOCK]).unwrap();
        disk.write(FileName::Spare(1), 0, &[1; BLOCK]).unwrap();
        let directory = Arc::clone(&disk.directory);
        std::thread::scope(|scope| {
            let renames = scope.spawn(move || {
                for _ in 0..20_000 {
                    directory.rename(FileName::Spare(1), FileName::Segment(1)).unwrap();
                    directory.rename(FileName::Segment(1), FileName::Spare(1)).unwrap();
                }
            });
            while !renames.is_finished() {
                let names = disk.list().unwrap();
                assert!(names.contains(&(FileName::Superblock, BLOCK as u64)), "{names:?}");
            }
        });
    }

    #[test]
    fn a_renamed_file_is_not_found_under_its_old_descriptor() {
        let folder = Folder::new();
        let mut disk = disk(&folder);
        disk.write(FileName::Segment(1), 0, &[1; BLOCK]).unwrap();
        disk.directory.rename(FileName::Segment(1), FileName::Spare(2)).unwrap();
        let error = disk.read(FileName::Segment(1), 0, &mut [0; 1]).unwrap_err();
        assert_eq!(error.errno, libc::ENOENT);
        assert_eq!(read(&mut disk, FileName::Spare(2), 0, 1), [1]);
    }
}
