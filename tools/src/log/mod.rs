//! `ringkeeper-tools log`: what happened, in order, from the log of a server.
//!
//! The directory is only read, also while a server runs in it: then the end is where the log had
//! come to.
//!
//! - `text`, `json`: one txn, for people and for scripts.
//! - `filter`: the txns that touch a path.
//!
//! Not here: ZooKeeper's own `version-2/log.*` files.

mod filter;
mod json;
mod text;

use std::io::{self, Write};
use std::path::Path;

use ringkeeper::txn;
use ringkeeper_engine::ids::ServerId;
use ringkeeper_engine::log::{
    Cursor, CursorError, Disk, Log, LogError, LogOptions, Opened, packets, payload,
};
use ringkeeper_engine::zxid::Zxid;

use crate::overlay::Overlay;

/// What is read at once.
const STRETCH_BYTES: usize = 1 << 20;

/// Why a log could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum LogToolError {
    #[error("{path}: {error}")]
    Directory { path: String, error: io::Error },
    #[error(transparent)]
    Open(#[from] LogError),
    #[error(transparent)]
    Read(#[from] CursorError),
    #[error("zxid {zxid}: {error}")]
    Txn { zxid: Zxid, error: ringkeeper_engine::jute::WireError },
    #[error(transparent)]
    Write(#[from] io::Error),
}

/// What `dump` prints.
#[derive(Debug, Clone, Default)]
pub struct DumpOptions {
    pub json: bool,
    /// Only what comes after this zxid.
    pub after: Option<Zxid>,
    /// Only txns that touch this path or one below it.
    pub path: Option<String>,
}

/// A log that is read and not changed.
struct Reading {
    disk: Overlay,
    opened: Opened,
    cursor: Cursor,
    stretch: Vec<u8>,
}

impl Reading {
    fn open(dir: &Path, after: Option<Zxid>) -> Result<Self, LogToolError> {
        let unreadable = |error| LogToolError::Directory { path: dir.display().to_string(), error };
        let mut disk = Overlay::open(dir).map_err(unreadable)?;
        if disk.list().is_ok_and(|files| files.is_empty()) {
            return Err(unreadable(io::Error::other("there is no log of Ringkeeper's here")));
        }
        let opened = open(&mut disk)?;
        let base = opened.log.history().base();
        let cursor = opened.log.cursor(after.map_or(base, |after| after.max(base)));
        Ok(Self { disk, opened, cursor, stretch: Vec::new() })
    }

    /// Hands out every txn's payload, in order. How many there were.
    fn each(
        &mut self,
        mut visit: impl FnMut(Zxid, &[u8]) -> Result<(), LogToolError>,
    ) -> Result<u64, LogToolError> {
        let mut count = 0;
        loop {
            self.stretch.clear();
            let log = &self.opened.log;
            if self.cursor.next(&mut self.disk, log, &mut self.stretch, STRETCH_BYTES)? == 0 {
                return Ok(count);
            }
            for (zxid, packet) in packets(&self.stretch) {
                visit(zxid, payload(packet))?;
                count += 1;
            }
        }
    }
}

/// Opens the log of whatever server it is: who that is, the refusal of a wrong guess tells.
pub(crate) fn open(disk: &mut dyn Disk) -> Result<Opened, LogError> {
    let mut options = LogOptions::new(ServerId(0), 0);
    // Two facts can be guessed wrong, one after the other.
    for _ in 0..2 {
        match Log::open(disk, options, 0) {
            Err(LogError::Foreign { field: "cluster id", found, .. }) => {
                options.cluster_id = found as u64;
            }
            Err(LogError::Foreign { found, .. }) => options.server_id = ServerId(found),
            outcome => return outcome,
        }
    }
    Log::open(disk, options, 0)
}

/// Prints the txns, one a line; as TxnLogToolkit does, or as JSON.
pub fn dump(dir: &Path, options: &DumpOptions, out: &mut dyn Write) -> Result<(), LogToolError> {
    let mut reading = Reading::open(dir, options.after)?;
    if !options.json {
        let server = reading.opened.superblock.server_id;
        writeln!(out, "Ringkeeper Transactional Log of server {server}")?;
    }
    let count = reading.each(|zxid, payload| {
        let (header, txn, digest) =
            txn::decode(payload).map_err(|error| LogToolError::Txn { zxid, error })?;
        if options.path.as_ref().is_some_and(|path| !filter::touches(&txn, path)) {
            return Ok(());
        }
        if options.json {
            writeln!(out, "{}", json::of(&header, &txn, digest.as_ref()))?;
        } else {
            writeln!(out, "{}", text::of(&header, &txn))?;
        }
        Ok(())
    })?;
    if !options.json {
        writeln!(out, "EOF reached after {count} txns.")?;
    }
    Ok(())
}

/// Reads everything, checks every checksum and every record; says what was found. Whether all is
/// well.
pub fn verify(dir: &Path, json: bool, out: &mut dyn Write) -> Result<bool, LogToolError> {
    let mut reading = Reading::open(dir, None)?;
    let mut bad = 0_u64;
    let count = reading.each(|_, payload| {
        bad += u64::from(txn::decode(payload).is_err());
        Ok(())
    })?;
    let Opened { log, superblock, report } = &reading.opened;
    let (first, last) = (log.history().first(), log.history().last());
    let is_well = bad == 0 && report.damage.is_none() && !superblock.damaged;
    if json {
        let damage = report.damage.map(|damage| {
            serde_json::json!({
                "file": damage.file.path(),
                "offset": damage.offset,
                "after": damage.after.to_string(),
            })
        });
        let found = serde_json::json!({
            "server": superblock.server_id.0,
            "accepted_epoch": superblock.accepted_epoch.0,
            "current_epoch": superblock.current_epoch.0,
            "snapshot": superblock.snapshot.map(|zxid| zxid.to_string()),
            "first": first.map(|zxid| zxid.to_string()),
            "last": last.to_string(),
            "txns": count,
            "unreadable_txns": bad,
            "batches": report.batches,
            "torn_bytes": report.torn_bytes,
            "damage": damage,
            "well": is_well,
        });
        writeln!(out, "{found}")?;
        return Ok(is_well);
    }
    let epochs = (superblock.accepted_epoch, superblock.current_epoch);
    writeln!(
        out,
        "server {}, epoch {} accepted, {} current",
        superblock.server_id, epochs.0, epochs.1
    )?;
    match superblock.snapshot {
        Some(snapshot) => writeln!(out, "newest verified snapshot: {snapshot}")?,
        None => writeln!(out, "no snapshot")?,
    }
    let first = first.map_or_else(|| "nothing".to_owned(), |zxid| zxid.to_string());
    writeln!(out, "{count} txns in {} batches, {first} to {last}", report.batches)?;
    if report.torn_bytes > 0 {
        writeln!(out, "{} bytes of a torn tail, never acknowledged", report.torn_bytes)?;
    }
    if let Some(damage) = report.damage {
        let (file, offset, after) = (damage.file, damage.offset, damage.after);
        writeln!(out, "DAMAGED: {file} at {offset}: what follows {after} cannot be read")?;
    }
    if bad > 0 {
        writeln!(out, "DAMAGED: {bad} txns are whole and cannot be understood")?;
    }
    writeln!(out, "{}", if is_well { "all is well" } else { "not well" })?;
    Ok(is_well)
}

#[cfg(test)]
mod tests;
