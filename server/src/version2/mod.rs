//! `version-2`: the data directory of Apache ZooKeeper, read and written.
//!
//! ```text
//! dataDir/version-2/     snapshot.<zxid>[.gz|.snappy]   acceptedEpoch   currentEpoch
//! dataLogDir/version-2/  log.<first zxid>               (the same folder unless configured apart)
//! ```
//!
//! Zxids in names are hexadecimal, epochs are decimal text. A recovery takes the newest snapshot
//! that reads back whole and the log entries after it. Java's snapshots are fuzzy: they hold parts
//! of what the log repeats, and the tree bears that (`apply`).
//!
//! Reading is stricter than Java's where Java loses txns in silence: a log that ends while whole
//! txns stand behind its end, a hole within an epoch, a damaged snapshot that is newer than the
//! log's end are refused with file, offset and what can be done.
//!
//! Invariants:
//! - V1. What `import` brings in is what `survey` found, or nothing.
//! - V2. Nothing in a `version-2` is written, renamed or removed by reading it.
//! - V3. No bytes of a file cause a panic, or an allocation beyond what they fill.
//!
//! Not here: files (`runtime::import`, the tools), the snapshot's format (`snapshot`).

mod epochs;
mod fault;
mod import;
mod names;
mod standing;
mod survey;
mod txn_log;
mod walk;
mod writer;

#[cfg(test)]
mod tests;

use std::io::{self, Read};

pub use epochs::Epochs;
pub use fault::{Fault, Version2Error};
pub use import::{Import, ImportError, import, noted};
pub use names::{Inventory, LogName, SnapshotName};
pub use standing::{Standing, standing};
pub use survey::{Chosen, Reason, Skipped, Survey, survey};
pub use walk::Torn;
pub use writer::{EPOCH_FILES, TxnLogWriter, epoch_text, log_name, snapshot_name};

/// The folder's name.
pub const FOLDER: &str = "version-2";

/// Which of the two folders a file lies in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    /// `dataDir/version-2`: snapshots and epochs.
    Data,
    /// `dataLogDir/version-2`: logs.
    Logs,
}

/// The files, as whoever can reach them offers them.
pub trait Archive {
    /// Whether snapshots and logs lie in folders of their own.
    fn is_apart(&self) -> bool;

    /// The files of a folder with their sizes; none if there is no such folder.
    fn list(&mut self, place: Place) -> io::Result<Vec<(String, u64)>>;

    /// A file from its beginning.
    fn open(&mut self, place: Place, name: &str) -> io::Result<Box<dyn Read>>;

    /// A file's path, for messages.
    fn path(&self, place: Place, name: &str) -> String;
}

/// What the one who asks decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rules {
    /// `snapshot.trust.empty`: logs without any snapshot are the whole history.
    pub trusts_empty: bool,
    /// One of an ensemble: its epochs must make sense, and it can fetch what it lacks.
    pub is_member: bool,
}
