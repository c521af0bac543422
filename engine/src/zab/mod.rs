//! ZAB: one leader proposes, a quorum makes durable, everybody learns in the same order.
//!
//! Phases after an election: discovery (a new epoch that a quorum promised), synchronization (each
//! learner gets the leader's history), broadcast. Packets are ZooKeeper's, so that either side may
//! be a Java server.
//!
//! The twelve laws (asserted in release wherever they could break):
//! 1. History durable, then epoch durable, then the ACK of NEWLEADER.
//! 2. An ACK is made from a `Durable` that only a disk completion mints.
//! 3. The zxid reported at an election is the last durable one.
//! 4. The log is contiguous within an epoch; a gap is refused.
//! 5. A common prefix by proof, or SNAP.
//! 6. One road of apply.
//! 7. No completion of an old role changes anything.
//! 8. A failed write, sync, truncation or rename ends the process.
//! 9. A start after any cut succeeds, or ends in "damaged, not voting, repairing".
//! 10. The accepted and the current epoch never regress.
//! 11. A txn's size is checked before it is proposed.
//! 12. The same zxid is the same txn everywhere.
//!
//! Not here: elections (`election`), files (`log`), what a payload means (the server).

pub mod effect;
pub mod forwarded;
pub mod ground;
pub mod leader;
pub mod learner;
pub mod packets;
pub mod records;
pub mod snapshot;
pub mod standalone;
pub mod sync_plan;

use std::fmt;

use crate::jute::WireError;
use crate::log::DiskError;
use crate::zxid::{Epoch, Zxid};

pub use effect::{Effect, FatalReason, LearnerId, Leave, Port};
pub use forwarded::{Forwarded, Requests};
pub use snapshot::{Intake, IntakeError, SnapshotFormat};

/// A peer broke the protocol, or cannot be served. Its link ends; the server goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerError {
    Wire(WireError),
    TooLarge {
        field: &'static str,
        bytes: usize,
    },
    TooMany {
        field: &'static str,
        count: i32,
    },
    /// A packet of type `code` where another had to come.
    Unexpected {
        code: i32,
        awaited: &'static str,
    },
    /// A protocol from before ZAB 1.0 (ZooKeeper 3.3).
    Legacy {
        version: i32,
    },
    /// A server id that cannot be: ours.
    Impostor,
    /// The peer knows a newer configuration of the ensemble.
    NewerConfig {
        version: i64,
    },
    /// An epoch too far ahead to be honest, or one that no zxid can hold.
    EpochJump {
        from: Epoch,
        to: Epoch,
    },
    /// Law 10: a leader with an epoch below the one promised.
    EpochRegress {
        promised: Epoch,
        got: Epoch,
    },
    /// A learner with more history than its would-be leader.
    Ahead {
        epoch: Epoch,
        zxid: Zxid,
    },
    /// Law 4.
    Gap {
        after: Zxid,
        got: Zxid,
    },
    /// A packet about a zxid that was never proposed to whoever speaks of it.
    Unknown {
        zxid: Zxid,
    },
    /// The header inside a proposal and the packet around it disagree.
    Mislabelled {
        packet: Zxid,
        header: Zxid,
    },
    /// The text after a snapshot that ends it.
    BadSignature,
    /// Silent for too long, or an ACK of its is missing for too long.
    Late,
    /// The same server came again, over another link.
    Replaced,
    /// The history that this learner needs is gone from the log; it must come again.
    Purged,
    /// The log has what it needs and cannot be read there; it must come again, for a snapshot.
    Damaged {
        after: Zxid,
    },
    /// Our snapshot could not be read for it.
    Unreadable(DiskError),
}

impl From<WireError> for PeerError {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

impl fmt::Display for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wire(error) => error.fmt(f),
            Self::TooLarge { field, bytes } => write!(f, "`{field}` has {bytes} bytes"),
            Self::TooMany { field, count } => write!(f, "`{field}` has {count} elements"),
            Self::Unexpected { code, awaited } => write!(f, "a packet {code}, not {awaited}"),
            Self::Legacy { version } => write!(f, "protocol version {version:#x} is not served"),
            Self::Impostor => write!(f, "it calls itself by this server's id"),
            Self::NewerConfig { version } => write!(f, "its configuration {version:x} is newer"),
            Self::EpochJump { from, to } => write!(f, "epoch {to} is too far from {from}"),
            Self::EpochRegress { promised, got } => {
                write!(f, "epoch {got} after {promised} was promised")
            }
            Self::Ahead { epoch, zxid } => write!(f, "it is ahead: epoch {epoch}, zxid {zxid}"),
            Self::Gap { after, got } => write!(f, "proposal {got} does not follow {after}"),
            Self::Unknown { zxid } => write!(f, "zxid {zxid} was never proposed to it"),
            Self::Mislabelled { packet, header } => {
                write!(f, "a proposal {packet} has {header} in its header")
            }
            Self::BadSignature => write!(f, "no signature after the snapshot"),
            Self::Late => write!(f, "it was silent, or left a proposal without its ACK, too long"),
            Self::Replaced => write!(f, "it came again over another link"),
            Self::Purged => write!(f, "the history it needs is gone from the log"),
            Self::Damaged { after } => {
                write!(f, "the log cannot be read after {after}; it is sent a snapshot instead")
            }
            Self::Unreadable(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PeerError {}

/// How long things may take, in ticks as ZooKeeper counts them.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    pub tick_ms: u64,
    /// Ticks a learner and a leader have until they are level.
    pub init_limit: u64,
    /// Ticks either may be silent after that.
    pub sync_limit: u64,
}

impl Timing {
    pub fn init_ms(&self) -> u64 {
        self.tick_ms * self.init_limit
    }

    pub fn sync_ms(&self) -> u64 {
        self.tick_ms * self.sync_limit
    }
}
