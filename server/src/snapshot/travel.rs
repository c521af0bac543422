//! Snapshots on their way between servers: which bytes of a file are sent, and how bytes that
//! arrive become a file.
//!
//! Not here: packets, the signature after the body, which snapshot is sent (the engine).

use std::ops::Range;

use ringkeeper_engine::jute::WireError;
use ringkeeper_engine::log::{Disk, DiskError, DiskVerb, FileName};
use ringkeeper_engine::zab::{Intake, IntakeError, SnapshotFormat};
use ringkeeper_engine::zxid::Zxid;

use super::body::{BodyParser, Item, Parsed};
use super::restore::Paths;
use super::{Cut, HEADER_BYTES, SnapshotWriter, TERMINATOR, TRAILER_BYTES};
use crate::acl::AclTable;
use crate::digest::TreeDigest;
use crate::tree::{OwnerRules, Tree};

/// `EBADMSG`: the file is there and is none of ours.
const BAD_MESSAGE: i32 = 74;

/// ZooKeeper's format, as the engine needs to know it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Format;

impl SnapshotFormat for Format {
    /// Our own files have all sections, so the body ends at a known distance from the end.
    fn body(&self, disk: &mut dyn Disk, zxid: Zxid) -> Result<Range<u64>, DiskError> {
        let file = FileName::Snapshot(zxid);
        let size = disk.list()?.into_iter().find(|(name, _)| *name == file).map(|(_, size)| size);
        let bad = |offset| DiskError {
            file: Some(file),
            verb: DiskVerb::Read,
            offset,
            errno: BAD_MESSAGE,
        };
        let least = HEADER_BYTES + TERMINATOR.len() as u64 + TRAILER_BYTES;
        let size = size.filter(|size| *size >= least).ok_or(bad(0))?;
        let end = size - TRAILER_BYTES;
        let mut tail = [0; TERMINATOR.len()];
        let at = end - TERMINATOR.len() as u64;
        disk.read(file, at, &mut tail)?;
        if tail != TERMINATOR {
            return Err(bad(at));
        }
        Ok(HEADER_BYTES..end)
    }

    fn empty_body(&self) -> Vec<u8> {
        let mut tree = Tree::new(OwnerRules::default());
        let (acls, sessions) = (AclTable::new(), [].into_iter());
        let cut = Cut::begin(&mut tree, &acls, sessions, Zxid::ZERO, TreeDigest::default());
        cut.whole(&mut tree)
    }

    fn intake(&self, zxid: Zxid) -> Box<dyn Intake> {
        Box::new(BodyIntake {
            parser: BodyParser::new(),
            paths: Paths::default(),
            writer: SnapshotWriter::new(zxid),
            partial: Vec::new(),
            needed: 0,
            ended: false,
        })
    }
}

/// A body on its way in. Every record is checked before it is written (S3).
struct BodyIntake {
    parser: BodyParser,
    paths: Paths,
    writer: SnapshotWriter,
    /// Bytes of a record whose end has not come yet, and how many it takes at least.
    partial: Vec<u8>,
    needed: usize,
    ended: bool,
}

impl BodyIntake {
    /// Length of the whole records at the head of `bytes`.
    fn advance(&mut self, bytes: &[u8]) -> Result<usize, WireError> {
        let mut at = 0;
        while !self.ended {
            match self.parser.next(&bytes[at..])? {
                Parsed::Item { item, length } => {
                    self.check(&item)?;
                    at += length;
                    self.ended = matches!(item, Item::End);
                }
                Parsed::NeedBytes(needed) => {
                    self.needed = needed;
                    break;
                }
            }
        }
        Ok(at)
    }

    fn check(&mut self, item: &Item<'_>) -> Result<(), WireError> {
        match item {
            Item::Znode { path, .. } if !self.paths.enter(path) => {
                Err(WireError::Contradiction { field: "path" })
            }
            _ => Ok(()),
        }
    }
}

impl Intake for BodyIntake {
    fn feed(&mut self, bytes: &[u8], disk: &mut dyn Disk) -> Result<Option<usize>, IntakeError> {
        assert!(!self.ended, "bytes after the end are not the body's");
        // A large record in small pieces is looked at again only when it can be whole.
        let before = self.partial.len();
        self.partial.extend_from_slice(bytes);
        if self.partial.len() < self.needed {
            return Ok(None);
        }
        let whole = std::mem::take(&mut self.partial);
        let taken = self.advance(&whole)?;
        self.writer.append(disk, &whole[..taken])?;
        if self.ended {
            // What follows is the caller's: none of it was there before, or the end had been seen.
            return Ok(Some(taken - before));
        }
        self.partial = whole;
        self.partial.drain(..taken);
        Ok(None)
    }

    /// Compat: no digest is claimed, because a Java leader's snapshot is not of one moment
    /// (`LearnerHandler`, 3.9.5).
    fn finish(self: Box<Self>, disk: &mut dyn Disk) -> Result<(), DiskError> {
        assert!(self.ended, "S1: only a whole body becomes a snapshot");
        self.writer.finish(disk, None).map(drop)
    }
}
