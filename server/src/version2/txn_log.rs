//! One `log.<zxid>`, entry by entry.
//!
//! ```text
//!  0  int   magic "ZKLG"
//!  4  int   version 2
//!  8  long  database id 0
//! 16  { long adler32 of the entry, int length, entry, byte 'B' }, then zeros or nothing
//! ```
//!
//! Compat: the log ends at a length of zero, at an entry that the file does not hold to its end,
//! and at one without its `B` (`FileTxnLog.FileTxnIterator`, 3.9.5). That is how a torn tail looks,
//! and how a flipped bit in the middle looks too: so what stands behind the end is searched for
//! whole txns.
//!
//! Not here: the order of files and zxids (`walk`).

use std::io::{self, BufReader, Read};

use ringkeeper_engine::zxid::Zxid;
use simd_adler32::adler32;

use super::Fault;

pub(super) const MAGIC: i32 = i32::from_be_bytes(*b"ZKLG");
pub(super) const VERSION: i32 = 2;
pub(super) const HEADER_BYTES: usize = 16;
pub(super) const END_OF_ENTRY: u8 = b'B';

/// Checksum and length before an entry.
const ENTRY_HEAD_BYTES: usize = 12;

/// The header of a txn, and where in it the zxid stands.
const TXN_HEADER_BYTES: usize = 32;
const ZXID_AT: usize = 12;

/// Far above any frame; a log may hold what a larger `jute.maxbuffer` once let in.
const ENTRY_BYTES_MAX: usize = 64 << 20;

/// How much of what stands behind a broken end is searched.
const SEARCHED_BYTES_MAX: usize = 256 << 20;

const WINDOW_BYTES: usize = 1 << 20;

/// A log being read.
pub(super) struct TxnLog<R> {
    source: BufReader<R>,
    offset: u64,
    entry: Vec<u8>,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Step<'a> {
    Entry { offset: u64, zxid: Zxid, payload: &'a [u8] },
    End(End),
}

/// How a log ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct End {
    /// Where the last whole entry ends.
    pub offset: u64,
    /// From there to the last byte that is not zero: a torn tail.
    pub torn_bytes: u64,
    /// A whole txn behind the end, and its offset.
    pub hidden: Option<(Zxid, u64)>,
}

/// Where and what.
pub(super) type At = (u64, Fault);

impl<R: Read> TxnLog<R> {
    /// Reads the header. `None` where the file ends within it: nothing was ever in this log.
    pub(super) fn open(source: R) -> Result<Option<Self>, At> {
        let source = BufReader::with_capacity(WINDOW_BYTES, source);
        let mut log = Self { source, offset: 0, entry: Vec::new() };
        let mut header = [0; HEADER_BYTES];
        let read = log.fill(&mut header)?;
        if read < HEADER_BYTES {
            return Ok(None);
        }
        let int = |at: usize| i32::from_be_bytes(header[at..at + 4].try_into().expect("four"));
        let (magic, version) = (int(0), int(4));
        if (magic, version) != (MAGIC, VERSION) {
            return Err((0, Fault::Header { magic, version }));
        }
        log.offset = HEADER_BYTES as u64;
        Ok(Some(log))
    }

    /// The next entry, its checksum checked; or the end, after which nothing may be asked.
    pub(super) fn next(&mut self) -> Result<Step<'_>, At> {
        let offset = self.offset;
        let mut head = [0; ENTRY_HEAD_BYTES];
        let read = self.fill(&mut head)?;
        self.entry.clear();
        if read < ENTRY_HEAD_BYTES {
            return self.end(&head[..read]);
        }
        let found = u64::from_be_bytes(head[..8].try_into().expect("eight bytes"));
        let length = i32::from_be_bytes(head[8..].try_into().expect("four bytes"));
        if length == 0 || length == -1 {
            return self.end(&head);
        }
        let bytes = usize::try_from(length).ok().filter(|bytes| *bytes <= ENTRY_BYTES_MAX);
        let bytes = bytes.ok_or((offset, Fault::Length(length)))?;
        let whole = self.source.by_ref().take(bytes as u64 + 1).read_to_end(&mut self.entry);
        whole.map_err(|error| (offset, Fault::Read(error)))?;
        if self.entry.len() <= bytes {
            return self.end(&head);
        }
        let computed = u64::from(adler32(&&self.entry[..bytes]));
        let zxid = zxid_of(&self.entry[..bytes]);
        let (terminator, is_whole) = (self.entry[bytes], found == computed);
        if terminator != END_OF_ENTRY {
            // A torn write ends in zeros: whatever else stands there was written, or has rotted.
            let (zxid, found) = (zxid.unwrap_or_default(), terminator);
            return match is_whole && found != 0 {
                true => Err((offset, Fault::Terminator { zxid, found })),
                false => self.end(&head),
            };
        }
        self.entry.truncate(bytes);
        if !is_whole {
            let zxid = zxid.unwrap_or_default();
            return Err((offset, Fault::Checksum { zxid, found, computed }));
        }
        // Shorter than a txn's header, and whole: nobody wrote that.
        let zxid = zxid.ok_or((offset, Fault::Length(length)))?;
        self.offset = offset + (ENTRY_HEAD_BYTES + bytes + 1) as u64;
        Ok(Step::Entry { offset, zxid, payload: &self.entry })
    }

    /// Looks at what stands behind the end: `head`, what has been read of the entry, and the rest.
    fn end(&mut self, head: &[u8]) -> Result<Step<'_>, At> {
        let offset = self.offset;
        let mut rest = head.to_vec();
        rest.append(&mut self.entry);
        let mut zeros = rest.len() - significant(&rest);
        rest.truncate(rest.len() - zeros);
        let mut chunk = vec![0; WINDOW_BYTES];
        loop {
            let read = self.source.read(&mut chunk);
            let read = match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read.map_err(|error| (offset, Fault::Read(error)))?,
            };
            let used = significant(&chunk[..read]);
            if read == 0 {
                break;
            }
            if used == 0 {
                zeros += read;
                continue;
            }
            if rest.len() + zeros + used > SEARCHED_BYTES_MAX {
                break;
            }
            rest.resize(rest.len() + zeros, 0);
            rest.extend_from_slice(&chunk[..used]);
            zeros = read - used;
        }
        let hidden = find_entry(&rest).map(|(at, zxid)| (zxid, offset + at as u64));
        Ok(Step::End(End { offset, torn_bytes: rest.len() as u64, hidden }))
    }

    fn fill(&mut self, into: &mut [u8]) -> Result<usize, At> {
        let mut filled = 0;
        while filled < into.len() {
            match self.source.read(&mut into[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err((self.offset, Fault::Read(error))),
            }
        }
        Ok(filled)
    }
}

/// Length without the zeros at the end.
fn significant(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

fn zxid_of(entry: &[u8]) -> Option<Zxid> {
    if entry.len() < TXN_HEADER_BYTES {
        return None;
    }
    let zxid = entry[ZXID_AT..ZXID_AT + 8].try_into().expect("eight bytes");
    Some(Zxid(i64::from_be_bytes(zxid)))
}

/// The first whole entry in `bytes`, anywhere but at their beginning: where, and its zxid.
fn find_entry(bytes: &[u8]) -> Option<(usize, Zxid)> {
    let least = ENTRY_HEAD_BYTES + TXN_HEADER_BYTES + 1;
    (1..bytes.len().saturating_sub(least - 1)).find_map(|at| {
        let head = &bytes[at..at + ENTRY_HEAD_BYTES];
        // An Adler-32 stands in eight bytes; most places are ruled out by this alone.
        if head[..4] != [0; 4] {
            return None;
        }
        let length = i32::from_be_bytes(head[8..].try_into().expect("four bytes"));
        let length = usize::try_from(length).ok().filter(|bytes| *bytes >= TXN_HEADER_BYTES)?;
        let start = at + ENTRY_HEAD_BYTES;
        let entry = bytes.get(start..start.checked_add(length)?)?;
        let found = u64::from_be_bytes(head[..8].try_into().expect("eight bytes"));
        let is_whole =
            bytes.get(start + length) == Some(&END_OF_ENTRY) && u64::from(adler32(&entry)) == found;
        is_whole.then(|| zxid_of(entry).map(|zxid| (at, zxid))).flatten()
    })
}
