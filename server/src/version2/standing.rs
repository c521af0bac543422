//! How far a `version-2` has come: enough to tell whether somebody has written to it since.
//!
//! A `version-2` that was imported, or exported, stays where it is. Should Apache ZooKeeper be
//! started on it afterwards, two histories begin under one server's name. So an import and an
//! export note how it stood, and every start compares.
//!
//! Not here: who refuses what (`runtime::import`).

use std::fmt;

use ringkeeper_engine::zxid::{Epoch, Zxid};

use super::epochs::read_epoch;
use super::txn_log::{Step, TxnLog};
use super::{Archive, Inventory, Place, Version2Error};

/// The last zxid, and what the epoch files say; absent ones count as -1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    pub last: Zxid,
    pub accepted: Epoch,
    pub current: Epoch,
}

/// Looks only as far as needed: at the names, at the newest log that holds anything, at the epochs.
/// Damage does not concern it; what reads back counts.
pub fn standing(archive: &mut dyn Archive) -> Result<Standing, Version2Error> {
    let inventory = Inventory::take(archive)?;
    let mut last = inventory.snapshots.first().map_or(Zxid::ZERO, |snapshot| snapshot.zxid);
    for log in inventory.logs.iter().rev() {
        if let Some(zxid) = last_of(archive, &log.name) {
            last = last.max(zxid);
            break;
        }
    }
    let mut epoch = |name: &str| {
        let is_there = inventory.epochs.iter().any(|found| found == name);
        let read = if is_there { read_epoch(archive, name).ok() } else { None };
        read.unwrap_or(Epoch(-1))
    };
    let (accepted, current) = (epoch("acceptedEpoch"), epoch("currentEpoch"));
    Ok(Standing { last, accepted, current })
}

fn last_of(archive: &mut dyn Archive, name: &str) -> Option<Zxid> {
    let source = archive.open(Place::Logs, name).ok()?;
    let mut log = TxnLog::open(source).ok()??;
    let mut last = None;
    while let Ok(Step::Entry { zxid, .. }) = log.next() {
        last = Some(zxid);
    }
    last
}

impl Standing {
    /// Every note has this length.
    pub const NOTE_BYTES: usize = 80;

    /// Whether a server has gone on here since `noted`.
    pub fn is_beyond(&self, noted: &Self) -> bool {
        self.last > noted.last || self.accepted > noted.accepted || self.current > noted.current
    }

    /// What `ringkeeper/import` holds, for people too.
    pub fn to_note(self) -> Vec<u8> {
        let Self { last, accepted, current } = self;
        let (last, accepted, current) = (last.0, accepted.0, current.0);
        let text = format!("version-2 last=0x{last:016x} accepted={accepted} current={current}");
        let width = Self::NOTE_BYTES - 1;
        format!("{text:<width$}\n").into_bytes()
    }

    /// `None` for what `to_note` does not write.
    pub fn from_note(note: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(note).ok()?;
        let rest = text.strip_prefix("version-2 last=0x")?.strip_suffix('\n')?;
        let (last, rest) = rest.split_once(" accepted=")?;
        let (accepted, current) = rest.split_once(" current=")?;
        Some(Self {
            last: Zxid(i64::from_str_radix(last, 16).ok()?),
            accepted: Epoch(accepted.parse().ok()?),
            current: Epoch(current.trim_end().parse().ok()?),
        })
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { last, accepted, current } = self;
        write!(f, "zxid {last}, epochs {} accepted, {} current", accepted.0, current.0)
    }
}
