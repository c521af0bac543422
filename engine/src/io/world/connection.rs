//! One connection: what is known of it and what is under way for it.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use crate::io::outbox::Outbox;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Connecting,
    Open,
    Flushing,
    Lingering,
    Ending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Receiving {
    No,
    Armed,
    /// Told to stop, and not yet stopped.
    Stopping,
}

pub(super) struct Connection {
    pub(super) fd: OwnedFd,
    pub(super) peer: SocketAddr,
    pub(super) token: u64,
    pub(super) phase: Phase,
    pub(super) outbox: Outbox,
    pub(super) receiving: Receiving,
    pub(super) is_connecting: bool,
    pub(super) is_paused: bool,
    pub(super) is_loose: bool,
    /// Stands in the list of those that may have something to send.
    pub(super) is_dirty: bool,
    /// The other side has said that it sends no more.
    pub(super) has_seen_end: bool,
    /// When the owner wants to hear of room.
    pub(super) room: Option<usize>,
    pub(super) alarm: Option<Duration>,
}

impl Connection {
    pub(super) fn new(fd: OwnedFd, peer: SocketAddr, phase: Phase) -> Self {
        Self {
            fd,
            peer,
            token: 0,
            phase,
            outbox: Outbox::default(),
            receiving: Receiving::No,
            is_connecting: false,
            is_paused: false,
            is_loose: false,
            is_dirty: false,
            has_seen_end: false,
            room: None,
            alarm: None,
        }
    }

    /// Whether somebody outside knows the id.
    pub(super) fn has_owner(&self) -> bool {
        matches!(self.phase, Phase::Connecting | Phase::Open)
    }

    /// Whether the kernel has something of ours (IO3).
    pub(super) fn is_under_way(&self) -> bool {
        self.is_connecting || self.receiving != Receiving::No || self.outbox.is_flying()
    }

    pub(super) fn may_send(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Flushing)
    }
}
