//! What the names in a `version-2` say.
//!
//! Not here: what the files hold.

use std::io;

use ringkeeper_engine::zxid::Zxid;

use super::{Archive, Fault, Place, Version2Error};

/// `snapshot.<zxid>`, perhaps with `.gz` or `.snappy`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SnapshotName {
    pub name: String,
    pub zxid: Zxid,
    pub size: u64,
}

/// `log.<zxid of its first txn>`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogName {
    pub name: String,
    pub zxid: Zxid,
    pub size: u64,
}

/// What lies there.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Inventory {
    /// Newest first.
    pub snapshots: Vec<SnapshotName>,
    /// Oldest first.
    pub logs: Vec<LogName>,
    /// `acceptedEpoch`, `currentEpoch`, `currentEpoch.tmp`: those that are there.
    pub epochs: Vec<String>,
    /// Files that no recovery looks at.
    pub strange: Vec<String>,
}

const EPOCHS: [&str; 3] = ["acceptedEpoch", "currentEpoch", "currentEpoch.tmp"];

impl Inventory {
    /// Looks at the names of both folders.
    ///
    /// # Errors
    /// A folder cannot be read; or snapshots lie where logs belong, which Java refuses too.
    pub fn take(archive: &mut dyn Archive) -> Result<Self, Version2Error> {
        let mut found = Self::default();
        let read = |archive: &mut dyn Archive, place| {
            let files: io::Result<Vec<(String, u64)>> = archive.list(place);
            files.map_err(|error| {
                let path = archive.path(place, "");
                Version2Error { path, offset: None, fault: Fault::Read(error) }
            })
        };
        for (name, size) in read(archive, Place::Data)? {
            found.enter(archive, Place::Data, name, size)?;
        }
        if archive.is_apart() {
            for (name, size) in read(archive, Place::Logs)? {
                found.enter(archive, Place::Logs, name, size)?;
            }
        }
        found.snapshots.sort_by(|a, b| (b.zxid, &b.name).cmp(&(a.zxid, &a.name)));
        found.logs.sort_by(|a, b| (a.zxid, &a.name).cmp(&(b.zxid, &b.name)));
        found.strange.sort();
        Ok(found)
    }

    fn enter(
        &mut self,
        archive: &dyn Archive,
        place: Place,
        name: String,
        size: u64,
    ) -> Result<(), Version2Error> {
        let misplaced = |name: &str, fault| {
            Err(Version2Error { path: archive.path(place, name), offset: None, fault })
        };
        if let Some(zxid) = snapshot_zxid(&name) {
            if place == Place::Logs {
                return misplaced(&name, Fault::SnapshotAmongLogs);
            }
            self.snapshots.push(SnapshotName { name, zxid, size });
        } else if let Some(zxid) = log_zxid(&name) {
            if place == Place::Data && archive.is_apart() {
                return misplaced(&name, Fault::LogAmongSnapshots);
            }
            self.logs.push(LogName { name, zxid, size });
        } else if place == Place::Data && EPOCHS.contains(&name.as_str()) {
            self.epochs.push(name);
        } else {
            self.strange.push(name);
        }
        Ok(())
    }

    /// Whether there is anything that a server would lose if it began anew.
    pub fn has_data(&self) -> bool {
        !self.snapshots.is_empty() || !self.logs.is_empty() || !self.epochs.is_empty()
    }
}

fn snapshot_zxid(name: &str) -> Option<Zxid> {
    let rest = name.strip_prefix("snapshot.")?;
    let hex = rest.strip_suffix(".gz").or(rest.strip_suffix(".snappy")).unwrap_or(rest);
    zxid(hex)
}

fn log_zxid(name: &str) -> Option<Zxid> {
    zxid(name.strip_prefix("log.")?)
}

/// As `Long.parseLong(text, 16)`, without a sign: no server writes a negative zxid.
fn zxid(hex: &str) -> Option<Zxid> {
    let is_hex = !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| i64::from_str_radix(hex, 16).ok().map(Zxid)).flatten()
}
