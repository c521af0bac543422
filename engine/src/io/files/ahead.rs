//! Reading ahead while a server starts, and keeping what will be read again.
//!
//! A start reads a snapshot and the log from front to back, past the cache, and the end of the log
//! twice: recovery first, the replay after it. A thread reads the next stretches while the caller
//! works on the last; what was read stays, up to a bound, the oldest goes first.
//!
//! Invariants:
//! - RA1. Only while nobody else writes these files: `FileDisk` begins it and ends it.
//! - RA2. What is changed through the same `FileDisk` is forgotten before.
//!
//! Not here: which files, and when (the server's boot).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use rustix::fs::OFlags;
use rustix::io::{Errno as Failure, retry_on_intr};

use super::directory::Directory;
use crate::log::{FileName, Slab};

/// What is read at once.
const STRETCH: usize = 1 << 20;

static ZEROS: [u8; 4096] = [0; 4096];

/// How many stretches are asked for before they are needed.
const AHEAD: u64 = 2;

/// A stretch: which of which file.
type Place = (FileName, u64);

/// What was read, and the slab where it is not kept.
type Answer = (Place, Stretch, Option<Slab>);

pub(super) struct Ahead {
    kept: BTreeMap<Place, Stretch>,
    /// In the order they came.
    order: VecDeque<Place>,
    under_way: BTreeSet<Place>,
    bytes_max: usize,
    spare: Vec<Slab>,
    asks: Option<Sender<(Place, Slab)>>,
    answers: Receiver<Answer>,
    thread: Option<JoinHandle<()>>,
}

struct Stretch {
    content: Content,
    /// How much of it the file has.
    filled: Result<usize, Failure>,
}

enum Content {
    Bytes(Slab),
    /// Nothing but zeros, as most of the last segment is: not worth keeping.
    Zeros,
}

impl Ahead {
    /// Keeps about `bytes_max` of what it reads. `None` where the system has no thread for it.
    pub(super) fn start(directory: Arc<Directory>, bytes_max: usize) -> Option<Self> {
        let (asks, asked) = channel();
        let (answer, answers) = channel();
        let work = move || read_all(&directory, &asked, &answer);
        let thread = std::thread::Builder::new().name("reads".into()).spawn(work).ok()?;
        Some(Self {
            kept: BTreeMap::new(),
            order: VecDeque::new(),
            under_way: BTreeSet::new(),
            bytes_max,
            spare: Vec::new(),
            asks: Some(asks),
            answers,
            thread: Some(thread),
        })
    }

    /// Up to `into.len()` bytes at `offset`; none at the end of the file.
    pub(super) fn read(
        &mut self,
        file: FileName,
        offset: u64,
        into: &mut [u8],
    ) -> Result<usize, Failure> {
        let number = offset / STRETCH as u64;
        let place = (file, number);
        if !self.kept.contains_key(&place) {
            self.ask(place);
            while self.under_way.contains(&place) {
                self.take_one();
            }
        }
        let is_run = number == 0 || self.kept.contains_key(&(file, number - 1));
        let stretch = self.kept.get(&place).ok_or(Failure::IO)?;
        let filled = match stretch.filled {
            Ok(filled) => filled,
            Err(errno) => {
                self.forget(file);
                return Err(errno);
            }
        };
        let within = (offset % STRETCH as u64) as usize;
        let count = filled.saturating_sub(within).min(into.len());
        match &stretch.content {
            Content::Bytes(slab) => into[..count].copy_from_slice(&slab[within..within + count]),
            Content::Zeros => into[..count].fill(0),
        }
        if is_run && filled == STRETCH {
            for next in number + 1..=number + AHEAD {
                if !self.kept.contains_key(&(file, next)) {
                    self.ask((file, next));
                }
            }
        }
        Ok(count)
    }

    /// RA2: nothing read of this file counts any more.
    pub(super) fn forget(&mut self, file: FileName) {
        while self.under_way.iter().any(|place| place.0 == file) {
            self.take_one();
        }
        self.kept.retain(|place, _| place.0 != file);
        self.order.retain(|place| place.0 != file);
    }

    fn ask(&mut self, place: Place) {
        if self.under_way.insert(place) {
            let slab = self.spare.pop().unwrap_or_else(|| Slab::new(STRETCH));
            let asks = self.asks.as_ref().expect("taken when this is dropped");
            if asks.send((place, slab)).is_err() {
                self.under_way.remove(&place);
            }
        }
    }

    /// Waits for a stretch that is under way.
    fn take_one(&mut self) {
        let Ok((place, stretch, slab)) = self.answers.recv() else {
            // The thread is gone: what it had is not coming, and a reader is told so.
            self.under_way.clear();
            return;
        };
        self.under_way.remove(&place);
        self.spare.extend(slab);
        while (self.order.len() + 1) * STRETCH > self.bytes_max {
            let Some(oldest) = self.order.pop_front() else { break };
            if let Some(Stretch { content: Content::Bytes(slab), .. }) = self.kept.remove(&oldest) {
                self.spare.push(slab);
            }
        }
        self.order.push_back(place);
        self.kept.insert(place, stretch);
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.asks = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that reads ahead has panicked");
        }
    }
}

fn read_all(directory: &Directory, asked: &Receiver<(Place, Slab)>, answer: &Sender<Answer>) {
    let mut open: Option<(FileName, u64, OwnedFd)> = None;
    while let Ok((place, mut slab)) = asked.recv() {
        let filled = read_one(directory, &mut open, place, &mut slab);
        let is_zero = filled.is_ok_and(|filled| {
            slab[..filled].chunks(ZEROS.len()).all(|bytes| *bytes == ZEROS[..bytes.len()])
        });
        let (content, slab) =
            if is_zero { (Content::Zeros, Some(slab)) } else { (Content::Bytes(slab), None) };
        if answer.send((place, Stretch { content, filled }, slab)).is_err() {
            return;
        }
    }
}

fn read_one(
    directory: &Directory,
    open: &mut Option<(FileName, u64, OwnedFd)>,
    (file, number): Place,
    slab: &mut Slab,
) -> Result<usize, Failure> {
    let changes = directory.changes();
    if !matches!(open, Some((name, seen, _)) if (*name, *seen) == (file, changes)) {
        *open = Some((file, changes, directory.open_with(file, OFlags::RDONLY)?));
    }
    let (_, _, fd) = open.as_ref().expect("it is open");
    let mut filled = 0;
    while filled < STRETCH {
        let at = number * STRETCH as u64 + filled as u64;
        let count = retry_on_intr(|| rustix::io::pread(fd, &mut slab[filled..STRETCH], at))?;
        filled += count;
        // A direct read ends inside a block only at the end of the file.
        if count == 0 || !filled.is_multiple_of(crate::limits::BLOCK) {
            break;
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::super::disk::FileDisk;
    use super::*;
    use crate::io::tests::Folder;
    use crate::log::Disk;
    use crate::zxid::Zxid;

    /// Whatever is kept and read ahead, a read shows what was written last (RA2), and after the end
    /// of it nothing kept is shown (RA1).
    #[test]
    fn reads_are_the_same_with_and_without() {
        let folder = Folder::new();
        let directory = Directory::open(folder.path(), folder.path()).unwrap();
        let mut disk = FileDisk::new(Arc::clone(&directory));
        let file = FileName::SnapshotAside(Zxid(9));
        let mut model: Vec<u8> = (0..5 * STRETCH + 777).map(|at| (at * 7 % 251) as u8).collect();
        disk.write(file, 0, &model).unwrap();
        disk.read_ahead(3 * STRETCH);
        for turn in 0..2 {
            for (from, len) in [(0, 10), (STRETCH - 3, 9), (100, 5 * STRETCH), (4 * STRETCH, 1)] {
                let mut bytes = vec![0; len];
                assert_eq!(disk.read(file, from as u64, &mut bytes).unwrap(), len);
                assert!(bytes == model[from..from + len], "turn {turn}, {len} from {from}");
            }
            let mut bytes = vec![0; 200];
            let end = model.len() as u64 - 5;
            assert_eq!(disk.read(file, end, &mut bytes).unwrap(), 5, "short at the end");
            model[STRETCH + 5] ^= 1;
            disk.write(file, STRETCH as u64 + 5, &model[STRETCH + 5..STRETCH + 6]).unwrap();
        }
        let to = FileName::Snapshot(Zxid(9));
        disk.rename(file, to).unwrap();
        assert_eq!(disk.read(file, 0, &mut [0; 4]).unwrap_err().errno, libc::ENOENT);
        let mut bytes = vec![0; model.len()];
        assert_eq!(disk.read(to, 0, &mut bytes).unwrap(), model.len());
        assert!(bytes == model);
        disk.end_read_ahead();
        let mut another = FileDisk::new(directory);
        another.write(to, 7, &[model[7] ^ 1]).unwrap();
        assert_eq!(disk.read(to, 0, &mut bytes).unwrap(), model.len());
        assert_eq!(bytes[7], model[7] ^ 1);
    }
}
