//! What a backend does for `world`: the mechanism, without the policy.
//!
//! A driver starts things and says how they ended. What it was given to work on (a cargo, a slab,
//! a file) is its own until then (IO3), so that nobody can take it from under the kernel.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{SocketAddrAny, SocketFlags};

use super::outbox::Cargo;
use super::slots::Key;
use super::waker::Waker;
use super::{Counters, Errno, ReactorError, ReactorOptions};
use crate::log::{DiskDone, OpId, Slab};

/// How one thing ended, or that something came.
pub(super) enum Raw {
    Accepted {
        listener: Key,
        fd: OwnedFd,
    },
    /// Nothing more is accepted until `accept` is called again.
    AcceptEnded {
        listener: Key,
        errno: Errno,
    },
    Connected {
        conn: Key,
        result: Result<(), Errno>,
    },
    Received {
        conn: Key,
        lent: Lent,
    },
    /// Nothing more is received until `receive` is called again.
    ReceiveEnded {
        conn: Key,
        end: ReceiveEnd,
    },
    /// The cargo is back; so many of its bytes have been taken.
    Sent {
        conn: Key,
        cargo: Cargo,
        result: Result<usize, Errno>,
    },
    Disk(DiskDone),
}

/// Why receiving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReceiveEnd {
    /// The other side sends no more.
    Ended,
    /// It was asked to stop, or had no buffer left: it may be started again.
    Stopped,
    Failed(Errno),
}

/// Received bytes, until `Inbox::give_back`.
#[derive(Clone, Copy)]
pub(super) struct Lent {
    pub(super) buffer: u16,
    pub(super) bytes: u32,
}

/// The memory that receptions arrive in. Apart from the driver, so that its bytes can be lent while
/// the driver is told what to do next.
pub(super) trait Inbox {
    fn bytes(&self, lent: Lent) -> &[u8];
    fn give_back(&mut self, lent: Lent);
}

pub(super) trait Driver: Sized {
    type Inbox: Inbox;

    /// What sockets must be made with, for this driver to work on them.
    const SOCKET_FLAGS: SocketFlags;

    fn start(options: &ReactorOptions) -> Result<(Self, Self::Inbox), ReactorError>;

    /// Goes on accepting until `AcceptEnded`.
    fn accept(&mut self, listener: Key, fd: BorrowedFd<'_>);

    /// Ends in `Connected`.
    fn connect(&mut self, conn: Key, fd: BorrowedFd<'_>, to: SocketAddrAny);

    /// Goes on receiving until `ReceiveEnded`.
    fn receive(&mut self, conn: Key, fd: BorrowedFd<'_>);

    /// The same, by a way on which nobody but the process holds the socket while nothing comes.
    fn accept_loosely(&mut self, listener: Key, fd: BorrowedFd<'_>) {
        self.accept(listener, fd);
    }

    /// The same, likewise.
    fn receive_loosely(&mut self, conn: Key, fd: BorrowedFd<'_>) {
        self.receive(conn, fd);
    }

    /// Hastens `ReceiveEnded`.
    fn stop_receiving(&mut self, conn: Key, fd: BorrowedFd<'_>);

    /// Sends the cargo but its first `from` bytes. Ends in `Sent`, or at once in what `Sent` would have
    /// said.
    fn send(
        &mut self,
        conn: Key,
        fd: BorrowedFd<'_>,
        cargo: Cargo,
        from: usize,
    ) -> Option<(Cargo, Result<usize, Errno>)>;

    /// Hastens the end of all that is under way for the connection; each still says how it ended.
    fn cancel(&mut self, conn: Key, fd: BorrowedFd<'_>);

    /// The same for a listener.
    fn cancel_accept(&mut self, listener: Key, fd: BorrowedFd<'_>);

    /// Nothing is under way on `fd` any more.
    fn close(&mut self, fd: OwnedFd);

    /// Ends in `Disk(Written)`.
    fn write(&mut self, file: Arc<OwnedFd>, write: Write);

    /// Ends in `Disk(Flushed)`.
    fn flush(&mut self, file: Arc<OwnedFd>, op: OpId);

    /// Hands over what fits, where that is not done as it is asked for. Nothing is told.
    fn hand_over(&mut self) -> Result<(), ReactorError> {
        Ok(())
    }

    /// Hands everything over and waits; what has happened is then told by `next`.
    fn wait(
        &mut self,
        inbox: &mut Self::Inbox,
        timeout: Option<Duration>,
    ) -> Result<(), ReactorError>;

    fn next(&mut self, inbox: &mut Self::Inbox) -> Option<Raw>;

    fn waker(&self) -> &Waker;

    /// The driver's part of them.
    fn counters(&self) -> Counters;

    fn describe(&self) -> String;

    /// Before everything is dropped: comes back when the kernel has let go of all memory (IO3), or
    /// leaves that memory to it for good.
    fn shut(&mut self, inbox: &mut Self::Inbox);
}

/// A write of the log: `slab[..len]` to `offset`.
pub(super) struct Write {
    pub(super) op: OpId,
    pub(super) slab: Arc<Slab>,
    pub(super) offset: u64,
    pub(super) len: usize,
    pub(super) durable: bool,
}

impl Write {
    /// What `written` bytes, or a failure, mean for the log.
    pub(super) fn done(self, result: Result<usize, Errno>) -> DiskDone {
        let result = match result {
            Ok(written) if written == self.len => Ok(()),
            Ok(_) => Err(rustix::io::Errno::IO.raw_os_error()),
            Err(errno) => Err(errno.0),
        };
        DiskDone::Written { op: self.op, slab: self.slab, result }
    }
}
