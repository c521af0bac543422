//! A data directory that is only read: what is written to it stays in memory.
//!
//! Opening a log finishes what a crash cut short, and writes while it does. Whoever only looks may
//! not: the directory may belong to a server that runs, or be the evidence of what went wrong.
//!
//! Invariants:
//! - OV1. No file is opened for writing, and nothing is created, renamed or removed.
//!
//! Not here: what the files hold.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use ringkeeper_engine::limits::BLOCK;
use ringkeeper_engine::log::{Disk, DiskError, DiskVerb, FileName};

const ENOENT: i32 = 2;
const EIO: i32 = 5;

/// `log::Disk` over the files of `<data dir>/ringkeeper`.
pub(crate) struct Overlay {
    files: BTreeMap<FileName, Shadow>,
}

/// A file as it would be if it had been written to.
struct Shadow {
    /// `None` for one that exists in memory alone.
    source: Option<File>,
    /// Of the source; what lies beyond reads as zeros.
    source_bytes: u64,
    size: u64,
    /// Blocks that differ from the source.
    blocks: BTreeMap<u64, Vec<u8>>,
}

impl Overlay {
    /// Looks at a data directory, or at the `ringkeeper` within one.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        let inner = dir.join("ringkeeper");
        let root = if inner.is_dir() { inner } else { dir.to_path_buf() };
        let mut files = BTreeMap::new();
        for (folder, prefix) in [(root.clone(), ""), (root.join("log"), "log/")] {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                let name = entry.file_name();
                let known =
                    name.to_str().and_then(|name| FileName::parse(&format!("{prefix}{name}")));
                if let Some(file) = known {
                    files.insert(file, Shadow::of(&entry.path())?);
                }
            }
        }
        Ok(Self { files })
    }

    fn shadow(&mut self, file: FileName, verb: DiskVerb) -> Result<&mut Shadow, DiskError> {
        let missing = DiskError { file: Some(file), verb, offset: 0, errno: ENOENT };
        self.files.get_mut(&file).ok_or(missing)
    }
}

#[expect(clippy::disallowed_methods, reason = "tools look at files from outside")]
fn open_for_reading(path: &Path) -> io::Result<File> {
    File::open(path)
}

impl Shadow {
    fn of(path: &Path) -> io::Result<Self> {
        let source = open_for_reading(path)?;
        let size = source.metadata()?.len();
        Ok(Self { source: Some(source), source_bytes: size, size, blocks: BTreeMap::new() })
    }

    fn empty() -> Self {
        Self { source: None, source_bytes: 0, size: 0, blocks: BTreeMap::new() }
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = into.len().min(left);
        let into = &mut into[..wanted];
        let mut done = 0;
        while done < into.len() {
            let at = offset + done as u64;
            let (block, within) = (at / BLOCK as u64, (at % BLOCK as u64) as usize);
            let count = (BLOCK - within).min(into.len() - done);
            let part = &mut into[done..done + count];
            match self.blocks.get(&block) {
                Some(bytes) => part.copy_from_slice(&bytes[within..within + count]),
                None => self.read_source(at, part)?,
            }
            done += count;
        }
        Ok(done)
    }

    fn read_source(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let has = usize::try_from(self.source_bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        let (from_source, beyond) = into.split_at_mut(has.min(into.len()));
        beyond.fill(0);
        match &self.source {
            Some(source) => source.read_exact_at(from_source, offset),
            None => Ok(()),
        }
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            let at = offset + done as u64;
            let (block, within) = (at / BLOCK as u64, (at % BLOCK as u64) as usize);
            let count = (BLOCK - within).min(bytes.len() - done);
            if !self.blocks.contains_key(&block) {
                let mut whole = vec![0; BLOCK];
                self.read_source(block * BLOCK as u64, &mut whole)?;
                self.blocks.insert(block, whole);
            }
            let whole = self.blocks.get_mut(&block).expect("it is there, or has just been put");
            whole[within..within + count].copy_from_slice(&bytes[done..done + count]);
            done += count;
        }
        self.size = self.size.max(offset + bytes.len() as u64);
        Ok(())
    }
}

impl Disk for Overlay {
    fn list(&mut self) -> Result<Vec<(FileName, u64)>, DiskError> {
        Ok(self.files.iter().map(|(file, shadow)| (*file, shadow.size)).collect())
    }

    fn read(&mut self, file: FileName, offset: u64, into: &mut [u8]) -> Result<usize, DiskError> {
        let read = self.shadow(file, DiskVerb::Read)?.read(offset, into);
        read.map_err(|error| failed(file, DiskVerb::Read, offset, &error))
    }

    fn write(&mut self, file: FileName, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let shadow = self.files.entry(file).or_insert_with(Shadow::empty);
        shadow.write(offset, bytes).map_err(|error| failed(file, DiskVerb::Write, offset, &error))
    }

    fn sync(&mut self, file: FileName) -> Result<(), DiskError> {
        self.shadow(file, DiskVerb::Sync).map(drop)
    }

    fn rename(&mut self, from: FileName, to: FileName) -> Result<(), DiskError> {
        self.shadow(from, DiskVerb::Rename)?;
        if let Some(shadow) = self.files.remove(&from) {
            self.files.insert(to, shadow);
        }
        Ok(())
    }

    fn remove(&mut self, file: FileName) -> Result<(), DiskError> {
        self.shadow(file, DiskVerb::Remove)?;
        self.files.remove(&file);
        Ok(())
    }

    fn sync_dir(&mut self) -> Result<(), DiskError> {
        Ok(())
    }
}

fn failed(file: FileName, verb: DiskVerb, offset: u64, error: &io::Error) -> DiskError {
    DiskError { file: Some(file), verb, offset, errno: error.raw_os_error().unwrap_or(EIO) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ov1_what_is_written_is_read_back_and_the_file_stays_as_it_was() {
        let dir = std::env::temp_dir().join(format!("ringkeeper-overlay-{}", std::process::id()));
        fs::create_dir_all(dir.join("ringkeeper/log")).expect("a writable directory");
        let path = dir.join("ringkeeper/superblock");
        let write = |bytes: &[u8]| {
            let mut file = File::create(&path).expect("a writable directory");
            io::Write::write_all(&mut file, bytes).expect("written");
        };
        write(&[7; 5000]);
        let mut disk = Overlay::open(&dir).expect("a directory");
        assert_eq!(disk.list(), Ok(vec![(FileName::Superblock, 5000)]));
        disk.write(FileName::Superblock, 4090, &[1; 10]).expect("in memory");
        disk.write(FileName::Segment(1), 9000, &[2; 4]).expect("in memory");
        let mut read = [0; 12];
        assert_eq!(disk.read(FileName::Superblock, 4089, &mut read), Ok(12));
        assert_eq!(read, [7, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 7]);
        assert_eq!(disk.read(FileName::Superblock, 4998, &mut read), Ok(2), "the end of the file");
        assert_eq!(disk.read(FileName::Segment(1), 8998, &mut read), Ok(6));
        assert_eq!(read[..6], [0, 0, 2, 2, 2, 2]);
        disk.rename(FileName::Segment(1), FileName::Segment(2)).expect("in memory");
        disk.remove(FileName::Superblock).expect("in memory");
        assert_eq!(disk.list(), Ok(vec![(FileName::Segment(2), 9004)]));
        assert!(disk.read(FileName::Superblock, 0, &mut read).is_err());

        let on_disk = fs::read_dir(dir.join("ringkeeper")).expect("it is there").count();
        assert_eq!(on_disk, 2, "superblock and log");
        assert_eq!(fs::metadata(&path).expect("it is there").len(), 5000);
        assert_eq!(fs::read_dir(dir.join("ringkeeper/log")).expect("it is there").count(), 0);
        fs::remove_dir_all(&dir).expect("our own directory");
    }
}
