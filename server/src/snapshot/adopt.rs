//! A snapshot from elsewhere becomes one of ours: its body as it is, unwrapped, with all sections.
//!
//! Not here: which snapshot, and from where (`version2`).

use std::fmt;
use std::io::Read;

use ringkeeper_engine::log::{Disk, DiskError};
use ringkeeper_engine::zxid::Zxid;

use super::body::{BodyParser, Item, Parsed};
use super::restore::Paths;
use super::scan::{Window, header, seal_and_sections};
use super::source::SnapshotSource;
use super::{SnapshotError, SnapshotWriter};

/// Why a snapshot was not taken over. What was written of it does not count.
#[derive(Debug)]
pub enum AdoptError {
    /// It is none.
    Snapshot(SnapshotError),
    /// Our own disk failed.
    Disk(DiskError),
}

impl fmt::Display for AdoptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snapshot(error) => error.fmt(f),
            Self::Disk(error) => error.fmt(f),
        }
    }
}

impl<E: Into<SnapshotError>> From<E> for AdoptError {
    fn from(error: E) -> Self {
        Self::Snapshot(error.into())
    }
}

/// Reads a snapshot to its end and writes it as `Snapshot(zxid)`, durably. Every record and every
/// seal is checked on the way (S3), and the digest that it records goes along.
pub fn adopt(source: impl Read, disk: &mut dyn Disk, zxid: Zxid) -> Result<(), AdoptError> {
    let mut window = Window::new(SnapshotSource::detect(source)?);
    header(&mut window)?;
    let mut parser = BodyParser::new();
    let mut paths = Paths::default();
    let mut writer = SnapshotWriter::new(zxid);
    loop {
        match parser.next(window.bytes())? {
            Parsed::Item { item, length } => {
                if let Item::Znode { path, .. } = &item
                    && !paths.enter(path)
                {
                    return Err(SnapshotError::Tree { path: path.to_string() }.into());
                }
                let is_end = matches!(item, Item::End);
                let record = &window.bytes()[..length];
                writer.append(disk, record).map_err(AdoptError::Disk)?;
                window.consume(length);
                if is_end {
                    break;
                }
            }
            Parsed::NeedBytes(count) => window.require(count)?,
        }
    }
    let sections = seal_and_sections(&mut window)?;
    writer.finish_recorded(disk, sections.digest).map(drop).map_err(AdoptError::Disk)
}
