//! What an import would bring in: everything is read and checked, nothing is written.
//!
//! Not here: bringing it in (`import`).

use std::fmt;
use std::io::Read;

use ringkeeper_engine::zxid::Zxid;

use super::walk::{Found, Walked, walk};
use super::{Archive, Epochs, Fault, Inventory, Place, Rules, SnapshotName, Torn, Version2Error};
use crate::snapshot::{SnapshotError, Summary, verify};
use crate::txn;

/// Snapshots that are tried, as in `FileSnap.deserialize`.
const SNAPSHOTS_TRIED: usize = 100;

/// The snapshot a recovery begins with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chosen {
    pub name: String,
    pub zxid: Zxid,
    pub summary: Summary,
}

/// A file that the recovery does without.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Skipped {
    pub name: String,
    pub why: Reason,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The snapshot holds all of it.
    Older,
    /// No name of a file of ZooKeeper's.
    Strange,
    /// A log that ends before its first txn.
    Empty,
    /// A snapshot that does not read back.
    Damaged(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Older => f.write_str("older than the snapshot"),
            Self::Strange => f.write_str("no file of ZooKeeper's data"),
            Self::Empty => f.write_str("it ends before its first txn"),
            Self::Damaged(why) => f.write_str(why),
        }
    }
}

/// What there is, whole and in order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Survey {
    /// `None`: the logs are the whole history.
    pub snapshot: Option<Chosen>,
    pub logs: Vec<String>,
    /// After the snapshot.
    pub txns: u64,
    pub last: Zxid,
    pub epochs: Epochs,
    /// Txns that came a second time, and errors under the zxid of the txn before: left out.
    pub repeated: u64,
    /// Never acknowledged, and left out.
    pub torn: Vec<Torn>,
    pub skipped: Vec<Skipped>,
    /// The snapshot holds parts of txns up to here, which no log has.
    pub uncovered: Option<Zxid>,
}

/// Reads everything that a recovery would. `progress` is told of bytes as they are read.
pub fn survey(
    archive: &mut dyn Archive,
    rules: Rules,
    progress: &mut dyn FnMut(u64),
) -> Result<Survey, Version2Error> {
    let inventory = Inventory::take(archive)?;
    let mut skipped = Vec::new();
    let (snapshot, damaged) = choose(archive, &inventory, &mut skipped, progress)?;
    if snapshot.is_none() && !inventory.logs.is_empty() && !rules.trusts_empty {
        let path = archive.path(Place::Data, "");
        return Err(Version2Error { path, offset: None, fault: Fault::NoSnapshot });
    }
    let after = snapshot.as_ref().map_or(Zxid::ZERO, |snapshot| snapshot.zxid);
    let mut check = |found: Found<'_>| check(&found);
    let walked = walk::<Version2Error>(archive, &inventory, after, progress, &mut check);
    let walked = walked.map_err(|mut error| {
        if let Fault::Order { passed_over, .. } = &mut error.fault {
            passed_over.extend(damaged.iter().map(|(_, why)| why.clone()));
        }
        error
    })?;
    let Walked { last, txns, repeated, logs, torn, skipped: old_logs } = walked;
    if let Some((name, why)) = damaged.iter().find(|(name, _)| name.zxid > last) {
        let (zxid, why) = (name.zxid, why.clone());
        let path = archive.path(Place::Data, &name.name);
        return Err(Version2Error { path, offset: None, fault: Fault::Ahead { zxid, last, why } });
    }
    skipped.extend(old_logs);
    skipped.extend(
        inventory.strange.iter().map(|name| Skipped { name: name.clone(), why: Reason::Strange }),
    );
    let epochs = Epochs::read(archive, &inventory, last, rules)?;
    let recorded = snapshot.as_ref().and_then(|chosen| chosen.summary.sections.digest);
    let uncovered = recorded.map(|recorded| recorded.zxid).filter(|zxid| *zxid > last);
    Ok(Survey { snapshot, logs, txns, last, epochs, repeated, torn, skipped, uncovered })
}

/// A txn that could not be applied must not be brought in.
fn check(found: &Found<'_>) -> Result<(), Version2Error> {
    let wrong = match txn::decode(found.payload) {
        Ok(_) => return Ok(()),
        Err(why) => Fault::Txn { zxid: found.zxid, why },
    };
    Err(Version2Error { path: found.path.to_owned(), offset: Some(found.offset), fault: wrong })
}

type Damaged = Vec<(SnapshotName, String)>;

/// The newest snapshot that reads back whole, and the newer ones that do not.
fn choose(
    archive: &mut dyn Archive,
    inventory: &Inventory,
    skipped: &mut Vec<Skipped>,
    progress: &mut dyn FnMut(u64),
) -> Result<(Option<Chosen>, Damaged), Version2Error> {
    let mut damaged = Damaged::new();
    let mut chosen: Option<Chosen> = None;
    for snapshot in inventory.snapshots.iter().take(SNAPSHOTS_TRIED) {
        let name = snapshot.name.clone();
        if chosen.is_some() {
            skipped.push(Skipped { name, why: Reason::Older });
            continue;
        }
        let source = archive.open(Place::Data, &name);
        let read = source.map_err(SnapshotError::Read);
        match read.and_then(|source| verify(Counting { source, progress })) {
            Ok(summary) => chosen = Some(Chosen { name, zxid: snapshot.zxid, summary }),
            Err(error) => {
                let why = Reason::Damaged(error.to_string());
                damaged.push((snapshot.clone(), format!("{name}: {error}")));
                skipped.push(Skipped { name, why });
            }
        }
    }
    if chosen.is_none() && !damaged.is_empty() {
        let reasons = damaged.into_iter().map(|(_, why)| why).collect();
        let (path, fault) = (archive.path(Place::Data, ""), Fault::NoneWhole { reasons });
        return Err(Version2Error { path, offset: None, fault });
    }
    Ok((chosen, damaged))
}

/// Tells of every byte that is read.
pub(super) struct Counting<'p, R> {
    pub source: R,
    pub progress: &'p mut dyn FnMut(u64),
}

impl<R: Read> Read for Counting<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let read = self.source.read(into)?;
        (self.progress)(read as u64);
        Ok(read)
    }
}

impl fmt::Display for Survey {
    /// One paragraph.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.snapshot {
            Some(Chosen { name, zxid, summary }) => write!(
                f,
                "{name} ({zxid}) with {} znodes, {} sessions and {} bytes of data",
                summary.znodes, summary.sessions, summary.data_bytes
            )?,
            None => write!(f, "no snapshot")?,
        }
        write!(f, "; {} txns after it from {} logs", self.txns, self.logs.len())?;
        write!(f, "; last zxid {}", self.last)?;
        let Epochs { accepted, current } = self.epochs;
        write!(f, "; epochs {} accepted, {} current", accepted.0, current.0)?;
        for Torn { name, offset, bytes } in &self.torn {
            write!(f, "; torn end of {name} left out ({bytes} bytes at {offset})")?;
        }
        if self.repeated > 0 {
            write!(f, "; {} txns left out that repeat a zxid", self.repeated)?;
        }
        if let Some(zxid) = self.uncovered {
            write!(
                f,
                "; the snapshot holds parts of txns up to {zxid} that no log has: the ensemble \
                 will bring them"
            )?;
        }
        for Skipped { name, why } in self.skipped.iter().filter(|file| file.why != Reason::Older) {
            write!(f, "; {name} not used: {why}")?;
        }
        let older = self.skipped.iter().filter(|file| file.why == Reason::Older).count();
        if older > 0 {
            write!(f, "; {older} older files not needed")?;
        }
        f.write_str(".")
    }
}
