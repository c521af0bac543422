//! A snapshot file in the making: header, body as it comes, seals, and only then its name (S1).

use ringkeeper_engine::jute::Writer;
use ringkeeper_engine::log::{Disk, DiskError, FileName};
use ringkeeper_engine::zxid::Zxid;
use simd_adler32::Adler32;

use super::{MAGIC, RecordedDigest, TERMINATOR, VERSION};
use crate::digest::{self, TreeDigest};

/// What is gathered before it is written.
const CHUNK_BYTES: usize = 256 << 10;

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
        let mut writer = Self {
            zxid,
            written: 0,
            gathered: Vec::with_capacity(CHUNK_BYTES),
            adler: Adler32::new(),
        };
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
        for piece in bytes.chunks(CHUNK_BYTES) {
            self.gather(piece);
            if self.gathered.len() >= CHUNK_BYTES {
                self.flush(disk)?;
            }
        }
        Ok(())
    }

    /// Seals the file and gives it its name; it survives a power cut from then on.
    ///
    /// Compat: without a digest the section holds zeros, which readers take for none
    /// (`ZxidDigest`, 3.9.5).
    pub fn finish(self, disk: &mut dyn Disk, tree: Option<TreeDigest>) -> Result<(), DiskError> {
        let (zxid, version) = (self.zxid, digest::VERSION);
        self.finish_recorded(disk, tree.map(|tree| RecordedDigest { zxid, version, tree }))
    }

    /// As `finish`, with a digest that may be of a later zxid than the file's name, as Java's are.
    pub(super) fn finish_recorded(
        mut self,
        disk: &mut dyn Disk,
        recorded: Option<RecordedDigest>,
    ) -> Result<(), DiskError> {
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
        disk.sync_dir()
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
