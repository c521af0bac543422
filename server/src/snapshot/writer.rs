//! A snapshot file in the making: header, body as it comes, seals, and only then its name (S1).
//!
//! What a disk has of it is proved by its length and the checksum of all bytes, not by parsing:
//! that what was written is a snapshot is a promise of the encoder, kept by tests.

use std::fmt;

use ringkeeper_engine::jute::Writer;
use ringkeeper_engine::log::{Disk, DiskError, FileName};
use ringkeeper_engine::zxid::Zxid;
use simd_adler32::Adler32;

use super::{MAGIC, RecordedDigest, TERMINATOR, VERSION};
use crate::digest::{self, TreeDigest};

/// What is gathered before it is written: whole blocks, so that none is written twice.
const CHUNK_BYTES: usize = 512 << 10;

/// What is read back at once.
const READ_BYTES: usize = 1 << 20;

/// A snapshot as it was handed to the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Written {
    pub zxid: Zxid,
    pub bytes: u64,
    /// Of the whole file, last seal included.
    adler: u32,
}

/// A file holds something else than was written to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadBackError {
    Disk(DiskError),
    /// So many bytes of one checksum were written, and so many of another read.
    Differs {
        written: (u64, u32),
        read: (u64, u32),
    },
}

impl fmt::Display for ReadBackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(error) => error.fmt(f),
            Self::Differs { written, read } => write!(
                f,
                "{} bytes with adler32 {:#x} were written, {} with {:#x} are there",
                written.0, written.1, read.0, read.1
            ),
        }
    }
}

impl Written {
    /// Reads the file, past any cache where the disk can, and compares.
    pub fn read_back(&self, disk: &mut dyn Disk) -> Result<(), ReadBackError> {
        let file = FileName::Snapshot(self.zxid);
        // A byte more than there should be is seen too.
        let mut buffer = vec![0; READ_BYTES.min(self.bytes as usize + 1)];
        let (mut adler, mut at) = (Adler32::new(), 0);
        loop {
            let count = disk.read(file, at, &mut buffer).map_err(ReadBackError::Disk)?;
            adler.write(&buffer[..count]);
            at += count as u64;
            if count < buffer.len() {
                break;
            }
        }
        let (written, read) = ((self.bytes, self.adler), (at, adler.finish()));
        if written == read { Ok(()) } else { Err(ReadBackError::Differs { written, read }) }
    }
}

/// Writes `SnapshotAside(zxid)`, which becomes `Snapshot(zxid)` when it is whole.
pub struct SnapshotWriter {
    zxid: Zxid,
    written: u64,
    gathered: Vec<u8>,
    adler: Adler32,
}

impl SnapshotWriter {
    /// Nothing reaches the disk before the first chunk is full.
    pub fn new(zxid: Zxid) -> Self {
        let mut writer = Self { zxid, written: 0, gathered: Vec::new(), adler: Adler32::new() };
        let mut header = Vec::new();
        let mut out = Writer(&mut header);
        out.int(MAGIC);
        out.int(VERSION);
        out.long(-1);
        writer.gather(&header);
        writer
    }

    /// Takes the next bytes of the body.
    pub fn append(&mut self, disk: &mut dyn Disk, bytes: &[u8]) -> Result<(), DiskError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = CHUNK_BYTES - self.gathered.len();
            let (piece, after) = rest.split_at(room.min(rest.len()));
            self.gather(piece);
            rest = after;
            if self.gathered.len() == CHUNK_BYTES {
                self.flush(disk)?;
            }
        }
        Ok(())
    }

    /// Seals the file and gives it its name; it survives a power cut from then on.
    ///
    /// Compat: without a digest the section holds zeros, which readers take for none
    /// (`ZxidDigest`, 3.9.5).
    pub fn finish(
        self,
        disk: &mut dyn Disk,
        tree: Option<TreeDigest>,
    ) -> Result<Written, DiskError> {
        let (zxid, version) = (self.zxid, digest::VERSION);
        self.finish_recorded(disk, tree.map(|tree| RecordedDigest { zxid, version, tree }))
    }

    /// As `finish`, with a digest that may be of a later zxid than the file's name, as Java's are.
    pub(super) fn finish_recorded(
        mut self,
        disk: &mut dyn Disk,
        recorded: Option<RecordedDigest>,
    ) -> Result<Written, DiskError> {
        self.seal();
        let mut section = Vec::new();
        let mut out = Writer(&mut section);
        let recorded = recorded.filter(|recorded| recorded.version == digest::VERSION);
        out.long(recorded.map_or(0, |recorded| recorded.zxid.0));
        out.int(digest::VERSION);
        out.long(recorded.map_or(0, |recorded| recorded.tree.0));
        self.gather(&section);
        self.seal();
        self.gather(&self.zxid.0.to_be_bytes());
        self.seal();
        self.flush(disk)?;
        let aside = FileName::SnapshotAside(self.zxid);
        disk.sync(aside)?;
        disk.rename(aside, FileName::Snapshot(self.zxid))?;
        disk.sync_dir()?;
        Ok(Written { zxid: self.zxid, bytes: self.written, adler: self.adler.finish() })
    }

    /// The checksum of everything so far; readers go on counting over the seal itself.
    fn seal(&mut self) {
        let mut seal = i64::from(self.adler.finish()).to_be_bytes().to_vec();
        seal.extend_from_slice(&TERMINATOR);
        self.gather(&seal);
    }

    fn gather(&mut self, bytes: &[u8]) {
        self.adler.write(bytes);
        self.gathered.extend_from_slice(bytes);
    }

    fn flush(&mut self, disk: &mut dyn Disk) -> Result<(), DiskError> {
        let aside = FileName::SnapshotAside(self.zxid);
        if self.written == 0 && disk.list()?.iter().any(|(file, _)| *file == aside) {
            // One that was given up may be longer than this one. It goes for good first, lest a
            // power cut forget this file's name and give the later one to that.
            disk.remove(aside)?;
            disk.sync_dir()?;
        }
        disk.write(aside, self.written, &self.gathered)?;
        self.written += self.gathered.len() as u64;
        self.gathered.clear();
        Ok(())
    }
}
