//! One server's share in the ensemble: log, election and ZAB as one state machine.
//!
//! Not here: sockets, files, clocks (`io`, the server's `runtime`).

use crate::ids::{LinkId, ServerId};
use crate::log::DiskDone;

pub use crate::zab::{
    Effect, FatalReason, Forwarded, Intake, IntakeError, LearnerId, Leave, PeerError, Port,
    Proposals, Requests, SnapshotFormat, Timing,
};

/// What the world reports to a replica.
#[derive(Debug)]
pub enum Event<'a> {
    /// A deadline passed. Early and late ticks do no harm.
    Tick,
    /// A link is open: one that a `Dial` asked for, or one that a peer opened at one of our ports.
    LinkUp { link: LinkId, port: Port, dialed: Option<ServerId> },
    /// Bytes came, in pieces as the network cut them.
    Received { link: LinkId, bytes: &'a [u8] },
    /// Of all that was handed out for this link, so many bytes have not left yet. Reported whenever
    /// a send on a quorum link ends; without it a learner that is far behind is not fed further.
    Unsent { link: LinkId, bytes: usize },
    /// A link ended, or a dial failed.
    Closed { link: LinkId },
    /// A `DiskOp` ended.
    Disk(DiskDone),
}
