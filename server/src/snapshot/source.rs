//! The bytes of a snapshot, whatever they are wrapped in.
//!
//! Compat: what a file is compressed with shows in its first bytes; its name is not asked
//! (`SnapStream`, 3.9.5).

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use ringkeeper_engine::log::{Disk, FileName};
use ringkeeper_engine::zxid::Zxid;

use super::RECORD_BYTES_MAX;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// xerial's: a magic, then the version and the oldest compatible one.
const SNAPPY_MAGIC: [u8; 8] = *b"\x82SNAPPY\0";
const SNAPPY_HEADER_BYTES: usize = 16;

/// What tells the wrappings apart.
const PEEKED_BYTES: usize = 8;

/// A snapshot of the data directory, to be read from its beginning.
pub fn open(disk: &mut dyn Disk, zxid: Zxid) -> impl Read {
    DiskFile { disk, file: FileName::Snapshot(zxid), offset: 0 }
}

struct DiskFile<'a> {
    disk: &'a mut dyn Disk,
    file: FileName,
    offset: u64,
}

impl Read for DiskFile<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.disk.read(self.file, self.offset, into).map_err(io::Error::other)?;
        self.offset += read as u64;
        Ok(read)
    }
}

type Peeked<R> = io::Chain<io::Cursor<Vec<u8>>, R>;

/// Unwraps what is wrapped.
pub enum SnapshotSource<R: Read> {
    Plain(Peeked<R>),
    Gzip(Box<MultiGzDecoder<Peeked<R>>>),
    Snappy(Xerial<Peeked<R>>),
}

impl<R: Read> SnapshotSource<R> {
    /// Looks at the first bytes.
    pub fn detect(mut raw: R) -> io::Result<Self> {
        let mut peeked = Vec::with_capacity(PEEKED_BYTES);
        raw.by_ref().take(PEEKED_BYTES as u64).read_to_end(&mut peeked)?;
        let gzip = peeked.starts_with(&GZIP_MAGIC);
        let snappy = peeked == SNAPPY_MAGIC;
        let whole = io::Cursor::new(peeked).chain(raw);
        Ok(if gzip {
            Self::Gzip(Box::new(MultiGzDecoder::new(whole)))
        } else if snappy {
            Self::Snappy(Xerial::new(whole))
        } else {
            Self::Plain(whole)
        })
    }
}

impl<R: Read> Read for SnapshotSource<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(source) => source.read(into),
            Self::Gzip(source) => source.read(into),
            Self::Snappy(source) => source.read(into),
        }
    }
}

/// Snappy blocks behind their lengths, as `org.xerial.snappy.SnappyOutputStream` writes them.
pub struct Xerial<R> {
    source: R,
    packed: Vec<u8>,
    block: Vec<u8>,
    at: usize,
}

impl<R: Read> Xerial<R> {
    fn new(source: R) -> Self {
        Self { source, packed: Vec::new(), block: Vec::new(), at: 0 }
    }

    /// Unpacks the next block; false at the end.
    fn refill(&mut self) -> io::Result<bool> {
        let mut head = [0; 4];
        let mut read = self.read_some(&mut head)?;
        while read == 4 && head == SNAPPY_MAGIC[..4] {
            // A header, also between blocks where streams were joined.
            let mut rest = [0; SNAPPY_HEADER_BYTES - 4];
            self.source.read_exact(&mut rest)?;
            read = self.read_some(&mut head)?;
        }
        match read {
            0 => return Ok(false),
            4 => {}
            _ => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
        let length = u32::from_be_bytes(head) as usize;
        if length > RECORD_BYTES_MAX {
            return Err(bad("a snappy block is too long"));
        }
        self.packed.clear();
        self.source.by_ref().take(length as u64).read_to_end(&mut self.packed)?;
        if self.packed.len() < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let unpacked = snap::raw::decompress_len(&self.packed).map_err(io::Error::other)?;
        if unpacked > RECORD_BYTES_MAX {
            return Err(bad("a snappy block unpacks to too much"));
        }
        self.block.resize(unpacked, 0);
        let mut decoder = snap::raw::Decoder::new();
        decoder.decompress(&self.packed, &mut self.block).map_err(io::Error::other)?;
        self.at = 0;
        Ok(true)
    }

    /// Fills `into` unless the source ends before.
    fn read_some(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        while read < into.len() {
            match self.source.read(&mut into[read..])? {
                0 => break,
                more => read += more,
            }
        }
        Ok(read)
    }
}

impl<R: Read> Read for Xerial<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.block.len() {
            if !self.refill()? {
                return Ok(0);
            }
        }
        let left = &self.block[self.at..];
        let count = left.len().min(into.len());
        into[..count].copy_from_slice(&left[..count]);
        self.at += count;
        Ok(count)
    }
}

fn bad(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
