//! A `version-2` becomes a log of ours, without a tree in between: the snapshot is copied, the
//! txns after it are appended as they are, the epochs come last.
//!
//! Not here: what is brought in (`survey`), all or nothing (`engine::log::Founding`).

use std::fmt;
use std::io::Read;

use ringkeeper_engine::log::{
    Disk, DiskError, FileName, Founding, LogError, LogFailure, LogOptions, write_packet,
};
use ringkeeper_engine::zxid::Zxid;

use super::survey::Counting;
use super::walk::{Found, walk};
use super::{Archive, Fault, Inventory, Place, Survey, Version2Error, standing};
use crate::snapshot::{AdoptError, adopt};

/// Why there was no import. A later one begins anew.
#[derive(Debug)]
pub enum ImportError {
    /// What is to be brought in is damaged, or is no longer what was surveyed.
    Source(Version2Error),
    /// Our own side.
    Log(LogError),
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(error) => error.fmt(f),
            Self::Log(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ImportError {}

impl From<Version2Error> for ImportError {
    fn from(error: Version2Error) -> Self {
        Self::Source(error)
    }
}

impl From<LogError> for ImportError {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

impl From<LogFailure> for ImportError {
    fn from(failure: LogFailure) -> Self {
        Self::Log(failure.into())
    }
}

impl From<DiskError> for ImportError {
    fn from(error: DiskError) -> Self {
        Self::Log(error.into())
    }
}

/// What an import needs beside the files.
#[derive(Clone, Copy, Debug)]
pub struct Import<'a> {
    /// What `survey` found in the same archive a moment ago.
    pub survey: &'a Survey,
    pub log: LogOptions,
    pub entropy: u64,
}

/// Brings it in. On an error `disk` is left as it was, or, where it failed itself, as a place where
/// an import has begun and not ended.
pub fn import(
    archive: &mut dyn Archive,
    disk: &mut dyn Disk,
    import: Import<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<(), ImportError> {
    let outcome = bring_in(archive, disk, import, progress);
    if let Err(ImportError::Source(_)) = &outcome {
        Founding::give_up(disk)?;
    }
    outcome
}

fn bring_in(
    archive: &mut dyn Archive,
    disk: &mut dyn Disk,
    Import { survey, log, entropy }: Import<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<(), ImportError> {
    let before = standing(archive)?;
    let mut founding = Founding::begin(disk, log, entropy, &before.to_note())?;
    if let Some(chosen) = &survey.snapshot {
        take_over(archive, disk, &chosen.name, chosen.zxid, progress)?;
        founding.stand_on(disk, chosen.zxid)?;
    }
    let after = survey.snapshot.as_ref().map_or(Zxid::ZERO, |chosen| chosen.zxid);
    let inventory = Inventory::take(archive)?;
    let mut packet = Vec::new();
    let mut append = |found: Found<'_>| {
        packet.clear();
        write_packet(found.zxid, found.payload, &mut packet);
        founding.append(disk, found.zxid, &packet).map_err(ImportError::from)
    };
    let walked = walk(archive, &inventory, after, progress, &mut append)?;
    // V1. Whoever wrote here meanwhile is a server that must not run beside ours.
    let is_same =
        (walked.last, walked.txns) == (survey.last, survey.txns) && standing(archive)? == before;
    if !is_same {
        let path = archive.path(Place::Logs, "");
        return Err(Version2Error { path, offset: None, fault: Fault::Changed }.into());
    }
    Ok(founding.finish(disk, survey.epochs.accepted, survey.epochs.current)?)
}

fn take_over(
    archive: &mut dyn Archive,
    disk: &mut dyn Disk,
    name: &str,
    zxid: Zxid,
    progress: &mut dyn FnMut(u64),
) -> Result<(), ImportError> {
    let path = archive.path(Place::Data, name);
    let wrong = |fault| ImportError::Source(Version2Error { path, offset: None, fault });
    let source = match archive.open(Place::Data, name) {
        Ok(source) => source,
        Err(error) => return Err(wrong(Fault::Read(error))),
    };
    let source: Box<dyn Read + '_> = Box::new(Counting { source, progress });
    match adopt(source, disk, zxid) {
        Ok(()) => Ok(()),
        // It was whole a moment ago.
        Err(AdoptError::Snapshot(_)) => Err(wrong(Fault::Changed)),
        Err(AdoptError::Disk(error)) => Err(error.into()),
    }
}

/// The note that an import or an export left: how the `version-2` beside it stood then.
pub fn noted(disk: &mut dyn Disk) -> Result<Option<super::Standing>, DiskError> {
    let is_there = disk.list()?.iter().any(|file| file.0 == FileName::Import);
    if !is_there {
        return Ok(None);
    }
    let mut note = [0; super::Standing::NOTE_BYTES];
    let read = disk.read(FileName::Import, 0, &mut note)?;
    Ok(super::Standing::from_note(&note[..read]))
}
