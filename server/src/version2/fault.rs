//! What can be wrong with a `version-2`: which file, where, what, and what can be done.
//!
//! Not here: finding it.

use std::fmt;
use std::io;

use ringkeeper_engine::jute::WireError;
use ringkeeper_engine::zxid::{Epoch, Zxid};

/// Nothing was brought in, and nothing was changed.
#[derive(Debug)]
pub struct Version2Error {
    pub path: String,
    /// In the file, where one place can be named.
    pub offset: Option<u64>,
    pub fault: Fault,
}

#[derive(Debug)]
#[non_exhaustive]
pub enum Fault {
    Read(io::Error),
    SnapshotAmongLogs,
    LogAmongSnapshots,
    /// Not a log, or of a version that nobody wrote.
    Header {
        magic: i32,
        version: i32,
    },
    /// A log without a byte that is not the last one.
    Empty,
    Checksum {
        zxid: Zxid,
        found: u64,
        computed: u64,
    },
    Length(i32),
    /// A whole txn, and something else than its end behind it.
    Terminator {
        zxid: Zxid,
        found: u8,
    },
    /// The log ends here by every sign, and yet a whole txn stands further on.
    Hidden {
        zxid: Zxid,
        at: u64,
    },
    Txn {
        zxid: Zxid,
        why: WireError,
    },
    /// More than any server of ours could agree on.
    TooLarge {
        zxid: Zxid,
        bytes: usize,
    },
    /// The order is broken. `passed_over` are snapshots that did not read back.
    Order {
        last: Zxid,
        next: Zxid,
        passed_over: Vec<String>,
    },
    /// There are logs and no snapshot at all.
    NoSnapshot,
    /// There are snapshots, and none reads back.
    NoneWhole {
        reasons: Vec<String>,
    },
    /// A damaged snapshot holds more than anything that can be read.
    Ahead {
        zxid: Zxid,
        last: Zxid,
        why: String,
    },
    /// Not a decimal number that could be an epoch.
    EpochText(String),
    /// `currentEpoch` is below what the data says.
    EpochOld {
        current: Epoch,
        last: Zxid,
    },
    /// `acceptedEpoch` is below `currentEpoch`.
    EpochsCrossed {
        accepted: Epoch,
        current: Epoch,
    },
    /// The files are not those of a moment ago.
    Changed,
}

const MEMBER: &str = "If the other servers of its ensemble have a quorum without it, start this \
     one with an empty dataDir: it fetches everything from them";
const CHECKPOINT: &str = "Apache ZooKeeper may still start here: start it once and stop it, which \
     writes a new snapshot, then import again";

impl Fault {
    /// What can be done about it.
    fn remedy(&self) -> String {
        match self {
            Self::Read(_) => "Check the permissions and the disk".to_owned(),
            Self::SnapshotAmongLogs | Self::LogAmongSnapshots => {
                "Set dataDir and dataLogDir as they were for Apache ZooKeeper".to_owned()
            }
            Self::Empty | Self::Header { .. } => {
                format!("{MEMBER}. Alone, move the file aside if what it held may be given up")
            }
            Self::Checksum { .. }
            | Self::Length(_)
            | Self::Terminator { .. }
            | Self::Hidden { .. } => format!(
                "{MEMBER}. Alone, and if this txn and all after it may be given up, cut a copy of \
                 the file at this offset (truncate -s) and move the logs after it aside"
            ),
            Self::Txn { .. } | Self::TooLarge { .. } => format!("{CHECKPOINT}. {MEMBER}"),
            Self::Order { .. } => format!(
                "A log file is missing or damaged. {MEMBER}. Alone, {}{}",
                CHECKPOINT[..1].to_lowercase(),
                &CHECKPOINT[1..]
            ),
            Self::NoSnapshot => "If these logs are the whole history (an upgrade from 3.4), set \
                 snapshot.trust.empty=true for this one start. If a snapshot was lost, put it back"
                .to_owned(),
            Self::NoneWhole { .. } => {
                format!("{MEMBER}. Alone, put back a snapshot from a backup, with its logs")
            }
            Self::Ahead { .. } => format!(
                "{MEMBER}. Alone, if what came after may be given up, move this snapshot aside"
            ),
            Self::EpochText(_) | Self::EpochOld { .. } | Self::EpochsCrossed { .. } => {
                format!("What this server promised is not certain. {MEMBER}")
            }
            Self::Changed => {
                "A ZooKeeper server is running in this directory; stop it first".to_owned()
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(f, "cannot be read: {error}"),
            Self::SnapshotAmongLogs => write!(f, "a snapshot in the directory of the logs"),
            Self::LogAmongSnapshots => {
                write!(f, "a log in the directory of the snapshots, with a dataLogDir configured")
            }
            Self::Header { magic, version } => {
                write!(f, "no log: magic {magic:#x}, version {version}")
            }
            Self::Empty => write!(f, "is empty, and later logs follow it"),
            Self::Checksum { zxid, found, computed } => write!(
                f,
                "the checksum of the txn {zxid} is {found:#x}, its bytes have {computed:#x}"
            ),
            Self::Length(length) => write!(f, "a txn claims a length of {length}"),
            Self::Terminator { zxid, found } => {
                write!(f, "the txn {zxid} is whole, and {found:#04x} stands where it ends")
            }
            Self::Hidden { zxid, at } => write!(
                f,
                "the log ends here in a broken txn, and yet the whole txn {zxid} stands at \
                 offset {at}"
            ),
            Self::Txn { zxid, why } => write!(f, "the txn {zxid} cannot be understood: {why}"),
            Self::TooLarge { zxid, bytes } => {
                write!(f, "the txn {zxid} has {bytes} bytes, more than can be replicated")
            }
            Self::Order { last, next, passed_over } => {
                write!(f, "the txn {next} stands after {last}, which it does not follow")?;
                passed_over.iter().try_for_each(|file| write!(f, " (passed over: {file})"))
            }
            Self::NoSnapshot => write!(f, "there are logs, and no snapshot"),
            Self::NoneWhole { reasons } => {
                write!(f, "no snapshot reads back: {}", reasons.join("; "))
            }
            Self::Ahead { zxid, last, why } => write!(
                f,
                "is damaged ({why}), and holds what was agreed up to {zxid}; everything else \
                 ends at {last}"
            ),
            Self::EpochText(text) => write!(f, "{text:?} is no epoch"),
            Self::EpochOld { current, last } => {
                write!(f, "the current epoch {current} is older than the last zxid {last}")
            }
            Self::EpochsCrossed { accepted, current } => {
                write!(f, "the accepted epoch {accepted} is below the current one, {current}")
            }
            Self::Changed => write!(f, "has changed while it was read"),
        }
    }
}

impl fmt::Display for Version2Error {
    /// `…/version-2/log.1: at offset 16: what is wrong. What can be done`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path)?;
        if let Some(offset) = self.offset {
            write!(f, "at offset {offset}: ")?;
        }
        write!(f, "{}. Nothing was imported. {}", self.fault, self.fault.remedy())
    }
}

impl std::error::Error for Version2Error {}
