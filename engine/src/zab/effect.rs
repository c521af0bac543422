//! What a replica asks the world to do.
//!
//! The contract with whoever runs a replica (the server's member, or the simulator):
//! - Effects are carried out in the order emitted.
//! - `Send` and `SendShared` may be lost, with their link; `Disk` may not: it ends in a `DiskDone` or
//!   in the end of the process. What must wait for durability is not emitted until the log says it is durable.
//! - `Dial` ends in `Event::LinkUp`, `Event::Closed` or `Event::Refused`. A `Close` that was asked for needs no event.
//! - The buffers of `Send` and `Requests` come back through `Replica::recycle`.
//!
//! Not here: who emits what (`leader`, `learner`, `replica`).

use std::fmt;

use super::forwarded::Requests;
use crate::ids::{LinkId, ServerId};
use crate::log::{DiskError, DiskOp, LogFailure, Part};
use crate::quorum::Address;
use crate::zxid::{Epoch, Zxid};

/// Which of a server's two ports a link belongs to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Port {
    Quorum,
    Election,
}

/// A learner as its leader sees it: which server, over which link. A learner that comes back comes
/// under another link, so that what was meant for its former self is not taken for its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LearnerId {
    pub link: LinkId,
    pub server: ServerId,
}

/// What a replica asks for.
#[derive(Debug)]
pub enum Effect {
    /// Hand this to the disk.
    Disk(DiskOp),
    /// Connect to the first of a server's `addresses` that answers; `link` names it from here on.
    Dial { link: LinkId, to: ServerId, port: Port, addresses: Vec<Address> },
    /// Send these bytes, after everything sent on this link before.
    Send { link: LinkId, bytes: Vec<u8> },
    /// Send these likewise. They lie in the log's memory, where others read them too.
    SendShared { link: LinkId, part: Part },
    /// End this link, once what was sent on it has left.
    Close { link: LinkId },

    /// Stop serving clients: close their connections, keep the tree.
    Looking { why: Leave },
    /// Serve clients as the leader. Everything up to the start of this reign was `Committed` before.
    Leading { epoch: Epoch },
    /// Serve clients as a follower.
    Following { leader: ServerId, epoch: Epoch },
    /// Serve clients as an observer.
    Observing { leader: ServerId, epoch: Epoch },

    /// Everything up to `upto` is decided: apply it from `Replica::proposals`, then say so with
    /// `Replica::applied`.
    Committed { upto: Zxid },
    /// Forget the tree. Load the snapshot (`None`: begin with an empty tree), replay the log up to
    /// and with `upto`. The first effect of every life, and after that the way back from txns that
    /// turned out undecided.
    Reload { snapshot: Option<Zxid>, upto: Zxid },

    /// Leader: a learner forwards what its clients ask for, in order.
    Requests { learner: LearnerId, requests: Requests },
    /// Leader: these sessions, with their timeouts, live; a learner heard from them.
    Touched { learner: LearnerId, sessions: Vec<(i64, i32)> },
    /// Leader: a client came back to a learner. Answer with `Replica::revalidated`.
    Revalidate { learner: LearnerId, session: i64, timeout_ms: i32 },
    /// Leader: this learner is gone, and with it whatever waits for it.
    LearnerGone { learner: LearnerId },

    /// Learner: the answer to `Replica::revalidate`.
    Revalidated { session: i64, valid: bool },
    /// Learner: the answer to the oldest unanswered forwarded `sync`.
    Synced,
    /// Learner: the leader asks for the sessions heard from. Answer with `Replica::answer_ping`.
    PingDue,

    /// The process must end (law 8).
    Fatal(FatalReason),
}

/// Why a server stopped leading, following or observing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Leave {
    /// The start of the process.
    Started,
    /// The leader could not be reached.
    Unreachable,
    /// The link to the leader ended.
    LeaderGone,
    /// The leader's election link ended, and nobody listens at its port.
    LeaderDown,
    /// The leader was silent for too long.
    LeaderSilent,
    /// The leader broke the protocol.
    Leader(super::PeerError),
    /// What waits to be sent to the leader grew beyond its bound.
    Congested,
    /// What waits for our own disk grew beyond its bound.
    DiskBehind,
    /// Only a snapshot can bring this server level; it rejoins to ask for one.
    NeedsSnapshot,
    /// Too few voters came to promise an epoch, to accept it, or to follow.
    NoQuorumCame,
    /// The voters that elected this server have gone over to another.
    Deserted,
    /// A voter that is not level has promised a newer epoch, and may follow no older one.
    Outpromised { voter: ServerId, epoch: Epoch },
    /// Too few voters are left.
    QuorumLost,
    /// The last counter of the epoch is used.
    CounterSpent,
}

impl fmt::Display for Leave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started => write!(f, "started"),
            Self::Unreachable => write!(f, "the leader could not be reached"),
            Self::LeaderGone => write!(f, "the leader's connection ended"),
            Self::LeaderDown => write!(f, "nobody listens at the leader's port"),
            Self::LeaderSilent => write!(f, "the leader was silent for too long"),
            Self::Leader(error) => write!(f, "the leader broke the protocol: {error}"),
            Self::Congested => write!(f, "the leader does not take what is sent"),
            Self::DiskBehind => write!(f, "the disk does not keep up with the leader"),
            Self::NeedsSnapshot => write!(f, "only a snapshot can bring this server level"),
            Self::NoQuorumCame => write!(f, "no quorum came"),
            Self::Deserted => write!(f, "its voters have gone over to another"),
            Self::Outpromised { voter, epoch } => {
                write!(f, "server {voter} has promised epoch {epoch} and can follow no older one")
            }
            Self::QuorumLost => write!(f, "the quorum is lost"),
            Self::CounterSpent => write!(f, "the last zxid of the epoch is used"),
        }
    }
}

/// Why the process must end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FatalReason {
    Disk(DiskError),
    Log(LogFailure),
}

impl fmt::Display for FatalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(error) => error.fmt(f),
            Self::Log(failure) => failure.fmt(f),
        }
    }
}

impl From<DiskError> for FatalReason {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

impl From<LogFailure> for FatalReason {
    fn from(failure: LogFailure) -> Self {
        Self::Log(failure)
    }
}
