//! Space given back little by little: files that have lost their names are shortened in steps.
//!
//! Perf: a filesystem mounted with `discard` tells its disk what has become free when it commits,
//! and every write waits meanwhile, about 0.18 ms a MiB. In steps nobody waits longer than for
//! anything else (`perf/notebook.md`).
//!
//! Invariants:
//! - SH1. A file is shortened only when its name is gone for good: no crash brings it back short.
//! - SH2. A file is shortened only when nobody can see it. One that has another name, or is open
//!   elsewhere, is a backup, or about to become one: it is closed, and the filesystem frees it
//!   when the last of the others lets go.
//!
//! Not here: which files go (`log`, the server's snapshots), when their names are durable
//! (`directory`).

#![expect(unsafe_code, reason = "AI-5: a lease is asked for past the library")]

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle, sleep};
use std::time::Duration;

use rustix::io::{Errno as Failure, retry_on_intr};

use super::pace::yield_to_others;

/// What goes at once: a millisecond's discard.
pub(super) const STEP: u64 = 4 << 20;

/// Between two steps: at most 256 MiB a second go, twice as fast as segments are made.
const REST: Duration = Duration::from_millis(16);

/// Files in line at most; what comes when it is full goes at once.
const WAITING_MAX: usize = 32;

/// Shortens files on a thread of its own, which starts with the first. Dropped, it closes what is
/// left in line.
pub(super) struct Shrinker {
    files: Option<SyncSender<OwnedFd>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Shrinker {
    pub(super) fn new() -> Self {
        Self { files: None, is_over: Arc::new(AtomicBool::new(false)), thread: None }
    }

    /// Gives back the space of a file, open for writing, whose name is gone for good. It goes at
    /// once where there is no thread for it.
    pub(super) fn give(&mut self, file: OwnedFd) {
        if self.files.is_none() {
            self.start();
        }
        if let Some(files) = &self.files {
            // A full line gives the file back, and it is closed here.
            let _ = files.try_send(file);
        }
    }

    /// Gives back at once what is left in line; whether there may have been anything.
    pub(super) fn let_go(&mut self) -> bool {
        std::mem::replace(self, Self::new()).thread.is_some()
    }

    fn start(&mut self) {
        let (files, line) = sync_channel(WAITING_MAX);
        let is_over = Arc::clone(&self.is_over);
        let work = move || work(&line, &is_over);
        if let Ok(thread) = Builder::new().name("shrink".into()).spawn(work) {
            (self.files, self.thread) = (Some(files), Some(thread));
        }
    }
}

impl Drop for Shrinker {
    /// Waits for one step.
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.files = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(line: &Receiver<OwnedFd>, is_over: &AtomicBool) {
    yield_to_others();
    for file in line {
        // A file that cannot be shortened loses nothing: its space comes back when it is closed.
        let _ = shorten(&file, || {
            sleep(REST);
            is_over.load(Ordering::Relaxed)
        });
    }
}

/// Shortens a file that nobody else can see (SH2) to nothing, with a `rest` after each step, which
/// says whether that was the last.
fn shorten(file: &OwnedFd, mut rest: impl FnMut() -> bool) -> Result<(), Failure> {
    let stat = rustix::fs::fstat(file)?;
    if stat.st_nlink > 0 || !is_ours_alone(file) {
        return Ok(());
    }
    let mut left = u64::try_from(stat.st_size).unwrap_or(0);
    while left > 0 {
        left = left.saturating_sub(STEP);
        retry_on_intr(|| rustix::fs::ftruncate(file, left))?;
        // What is free now is told to the disk here, and not together with what goes next.
        retry_on_intr(|| rustix::fs::fsync(file))?;
        if rest() {
            break;
        }
    }
    Ok(())
}

/// Whether no other descriptor is open on it: then, and only then, a write lease is given. It is
/// given back at once, for who breaks a lease ends its holder. A filesystem without leases says no.
fn is_ours_alone(file: &OwnedFd) -> bool {
    let lease = |kind: libc::c_int| {
        // Safety: the call reads two integers, and the descriptor is open.
        unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, kind) == 0 }
    };
    lease(libc::F_WRLCK) && lease(libc::F_UNLCK)
}

#[cfg(test)]
mod tests {
    use std::fs::{File, OpenOptions};
    use std::io::Read;
    use std::path::PathBuf;

    use super::*;
    use crate::io::tests::Folder;

    const BYTES: u64 = 3 * STEP + 1;

    fn file(folder: &Folder) -> (OwnedFd, PathBuf) {
        let path = folder.path().join("segment");
        let file = OpenOptions::new().write(true).create_new(true).open(&path).unwrap();
        file.set_len(BYTES).unwrap();
        (file.into(), path)
    }

    fn steps(file: &OwnedFd) -> Vec<u64> {
        let mut steps = Vec::new();
        shorten(file, || {
            steps.push(rustix::fs::fstat(file).unwrap().st_size as u64);
            false
        })
        .unwrap();
        steps
    }

    #[test]
    fn what_nobody_can_see_is_shortened_in_steps() {
        let folder = Folder::new();
        let (file, path) = file(&folder);
        std::fs::remove_file(path).unwrap();
        assert_eq!(steps(&file), [2 * STEP + 1, STEP + 1, 1, 0]);
        assert_eq!(steps(&file), [], "and only once");
    }

    #[test]
    fn who_ends_waits_for_one_step() {
        let folder = Folder::new();
        let (file, path) = file(&folder);
        std::fs::remove_file(path).unwrap();
        let mut rests = 0;
        shorten(&file, || {
            rests += 1;
            rests == 2
        })
        .unwrap();
        assert_eq!(rests, 2);
    }

    #[test]
    fn a_hard_link_keeps_all_bytes() {
        let folder = Folder::new();
        let (file, path) = file(&folder);
        let link = folder.path().join("backup");
        std::fs::hard_link(&path, &link).unwrap();
        std::fs::remove_file(path).unwrap();
        assert_eq!(steps(&file), []);
        assert_eq!(link.metadata().unwrap().len(), BYTES, "SH2");
    }

    #[test]
    fn who_is_reading_it_reads_it_to_its_end() {
        let folder = Folder::new();
        let (file, path) = file(&folder);
        let mut reader = File::options().read(true).open(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        assert_eq!(steps(&file), []);
        assert_eq!(
            std::io::copy(&mut reader.by_ref(), &mut std::io::sink()).unwrap(),
            BYTES,
            "SH2"
        );
        drop(reader);
        assert_eq!(steps(&file).len(), 4, "nobody reads it any more");
    }
}
