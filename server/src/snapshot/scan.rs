//! Reading a snapshot once from front to back, in bounded memory, with its seals checked.
//!
//! Not here: building a tree of it (`restore`).

use std::io::Read;

use ringkeeper_engine::jute::Reader;
use ringkeeper_engine::zxid::Zxid;
use simd_adler32::Adler32;

use super::body::{BodyParser, Item, Parsed};
use super::source::SnapshotSource;
use super::{HEADER_BYTES, MAGIC, RecordedDigest, SEAL_BYTES, SnapshotError, VERSION};
use crate::digest::{self, TreeDigest};

/// What is read at once, at least where there is as much, and at most.
const WINDOW_BYTES_MIN: usize = 16 << 10;
const WINDOW_BYTES: usize = 1 << 20;

/// More than all sections together; a digest before version 2 is text of up to 16 digits.
const SECTIONS_BYTES_MAX: usize = 4096;

/// The digest section, without its seal.
const DIGEST_BYTES: usize = 20;

/// What stands after the body, as far as the file has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sections {
    pub digest: Option<RecordedDigest>,
    pub last_processed: Option<Zxid>,
}

/// What a snapshot holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    pub sessions: u64,
    pub acls: u64,
    pub znodes: u64,
    pub data_bytes: u64,
    /// Computed from the znodes.
    pub digest: TreeDigest,
    pub sections: Sections,
}

/// Reads a snapshot without keeping it: whether a start could begin from it, and what it holds.
pub fn verify(source: impl Read) -> Result<Summary, SnapshotError> {
    let mut summary = Summary::default();
    let mut paths = super::restore::Paths::default();
    summary.sections = scan(source, &mut |item| {
        match item {
            Item::Count | Item::End => {}
            Item::Session { .. } => summary.sessions += 1,
            Item::Acl { .. } => summary.acls += 1,
            Item::Znode { path, data, stat, .. } => {
                if !paths.enter(path) {
                    return Err(SnapshotError::Tree { path: path.to_string() });
                }
                summary.znodes += 1;
                summary.data_bytes += data.map_or(0, <[u8]>::len) as u64;
                summary.digest = summary.digest.replacing(0, digest::of_znode(path, *data, stat));
            }
        }
        Ok(())
    })?;
    Ok(summary)
}

/// Hands every record of the body to `visit`, then checks seals and returns the sections.
///
/// Records are handed over before their seal has been checked; an error makes them void.
pub fn scan(
    source: impl Read,
    visit: &mut dyn FnMut(&Item<'_>) -> Result<(), SnapshotError>,
) -> Result<Sections, SnapshotError> {
    let mut window = Window::new(SnapshotSource::detect(source)?);
    header(&mut window)?;
    let mut parser = BodyParser::new();
    loop {
        match parser.next(window.bytes())? {
            Parsed::Item { item, length } => {
                visit(&item)?;
                let is_end = matches!(item, Item::End);
                window.consume(length);
                if is_end {
                    break;
                }
            }
            Parsed::NeedBytes(count) => window.require(count)?,
        }
    }
    seal_and_sections(&mut window)
}

/// What follows the body: its seal, which must match, and the sections.
pub(super) fn seal_and_sections<R: Read>(
    window: &mut Window<R>,
) -> Result<Sections, SnapshotError> {
    window.require(SEAL_BYTES)?;
    let computed = window.adler();
    let found = i64::from_be_bytes(window.bytes()[..8].try_into().expect("a seal is longer"));
    if found != computed {
        return Err(SnapshotError::Seal { section: "body", found, computed });
    }
    window.consume(SEAL_BYTES);
    sections(window)
}

pub(super) fn header<R: Read>(window: &mut Window<R>) -> Result<(), SnapshotError> {
    window.require(HEADER_BYTES as usize)?;
    let mut reader = Reader::new(window.bytes());
    let (magic, version) = (reader.int("magic")?, reader.int("version")?);
    if (magic, version) != (MAGIC, VERSION) {
        return Err(SnapshotError::Header { magic, version });
    }
    window.consume(HEADER_BYTES as usize);
    Ok(())
}

/// The optional sections: those whose seals match, none where the file ends.
///
/// Compat: which of them a file has depends on its writer's configuration, and nothing in the file
/// says (`FileSnap.deserialize`, 3.9.5). The seals tell.
fn sections<R: Read>(window: &mut Window<R>) -> Result<Sections, SnapshotError> {
    window.fill(SECTIONS_BYTES_MAX)?;
    let mut sections = Sections::default();
    let mut last = ("digest", 0, 0);
    if let Some((digest, length)) = digest_section(window.bytes()) {
        let (found, computed) = window.seal_after(length);
        if found == computed {
            sections.digest = Some(digest);
            window.consume(length + SEAL_BYTES);
        } else {
            last = ("digest", found, computed);
        }
    }
    let rest = window.bytes();
    if rest.len() >= 8 + SEAL_BYTES {
        let zxid = i64::from_be_bytes(rest[..8].try_into().expect("just measured"));
        let (found, computed) = window.seal_after(8);
        if found == computed {
            sections.last_processed = Some(Zxid(zxid));
            window.consume(8 + SEAL_BYTES);
        }
    }
    // Java takes a file that ends within a section, not one that ends within a seal.
    let section = if sections.digest.is_some() { 8 } else { DIGEST_BYTES };
    if sections.last_processed.is_none() && window.bytes().len() >= section {
        let (section, found, computed) = last;
        return Err(SnapshotError::Seal { section, found, computed });
    }
    // Zxid zero is how a digest is absent.
    sections.digest = sections.digest.filter(|digest| digest.zxid > Zxid::ZERO);
    Ok(sections)
}

/// A digest with room for its seal behind it, and its length.
fn digest_section(bytes: &[u8]) -> Option<(RecordedDigest, usize)> {
    let mut reader = Reader::new(bytes);
    let (zxid, version) = (reader.long("zxid").ok()?, reader.int("digestVersion").ok()?);
    let tree = if version < digest::VERSION {
        let text = reader.ustring("digest").ok()??;
        i64::from_str_radix(&text, 16).ok()?
    } else {
        reader.long("digest").ok()?
    };
    let length = reader.position();
    let digest = RecordedDigest { zxid: Zxid(zxid), version, tree: TreeDigest(tree) };
    (reader.remaining() >= SEAL_BYTES).then_some((digest, length))
}

/// Bytes read and not yet consumed, and the checksum of those consumed.
pub(super) struct Window<R> {
    source: R,
    buffer: Vec<u8>,
    /// What of the buffer has been read and not consumed.
    at: usize,
    end: usize,
    adler: Adler32,
}

impl<R: Read> Window<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, buffer: Vec::new(), at: 0, end: 0, adler: Adler32::new() }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.at..self.end]
    }

    pub(super) fn consume(&mut self, count: usize) {
        self.adler.write(&self.buffer[self.at..self.at + count]);
        self.at += count;
    }

    fn adler(&self) -> i64 {
        i64::from(self.adler.finish())
    }

    /// The seal `length` bytes on: what it says and what it ought to say.
    fn seal_after(&self, length: usize) -> (i64, i64) {
        let (section, rest) = self.bytes().split_at(length);
        let mut adler = self.adler.clone();
        adler.write(section);
        let found = i64::from_be_bytes(rest[..8].try_into().expect("the caller has measured"));
        (found, i64::from(adler.finish()))
    }

    /// At least `count` bytes, or an error.
    pub(super) fn require(&mut self, count: usize) -> Result<(), SnapshotError> {
        self.fill(count)?;
        if self.bytes().len() < count {
            return Err(SnapshotError::Read(std::io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(())
    }

    /// At least `count` bytes unless the source ends before. The buffer grows with what is there,
    /// not with what was asked for (S2).
    fn fill(&mut self, count: usize) -> Result<(), SnapshotError> {
        if self.bytes().len() >= count {
            return Ok(());
        }
        self.buffer.copy_within(self.at..self.end, 0);
        (self.at, self.end) = (0, self.end - self.at);
        while self.end < count {
            // Twice what there was, so that a small snapshot needs a small buffer.
            let more = self.buffer.len().clamp(WINDOW_BYTES_MIN, WINDOW_BYTES);
            if self.buffer.len() < self.end + more / 2 {
                self.buffer.resize(self.end + more, 0);
            }
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
