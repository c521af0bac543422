//! The reactor: where the sockets, the files and every system call of the engine are.
//!
//! One thread owns one [`Reactor`] and turns it. A turn is:
//!
//! 1. *Gather.* What the last turn's handler asked for becomes operations: one send for every
//!    connection with something to say, however many replies that was; writes and flushes of the
//!    log; receives that had paused.
//! 2. *Enter.* One system call hands them all over and waits, until something has happened or the
//!    caller's timeout has passed. It is the only one of the turn, when busy as when idle.
//! 3. *Deliver.* Each completion goes to [`Handler::on`], with an [`Io`] to answer through.
//!    Received bytes are lent in place, from the buffer the kernel wrote them to, and are gone when
//!    the handler returns.
//!
//! What the handler asks for in step 3 leaves in step 1 of the next turn, so a turn costs one
//! system call at any load, and everything that happened together is answered together.
//!
//! Two backends turn the same way. [`Backend::Uring`] is one io_uring (`ring`). Where the kernel, a
//! container or the operator forbids that, [`Backend::Poll`] (`poll`) does the same with epoll, a
//! `send` a connection, and two threads for the log's writes and flushes. What a connection may go
//! through is decided once for both, in `world`; a backend is a `Driver` that carries it out.
//!
//! Invariants:
//! - IO1. A connection ends in exactly one [`Completion::Closed`], unless its owner closed it, and
//!   then in none. After either nothing more is delivered for its id, ever: ids carry a generation.
//! - IO2. At most one send of a connection is on its way, so its bytes leave in the order given.
//! - IO3. Memory and descriptors that the kernel may still use are kept until it says that it is
//!   done with them, also when the reactor is dropped.
//! - IO4. In the steady state neither a completion nor an operation allocates.
//!
//! Not here: what the bytes mean (`log`, `zab`, `election`, the server's frontend), and which
//! thread turns what (the server's runtime).

pub mod clock;
pub mod entropy;
pub mod files;
pub mod memory;

mod driver;
mod outbox;
mod poll;
mod ring;
mod slots;
mod socket;
mod turn;
mod waker;
mod worker;
mod world;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io::Error as OsError;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use crate::log::{DiskDone, DiskOp, Part};

pub use waker::Waker;

/// One TCP connection of one reactor. Never means another one: the generation sees to it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(slots::Key);

/// One listening socket of one reactor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerId(slots::Key);

impl fmt::Debug for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "conn {}", self.0)
    }
}

impl fmt::Debug for ListenerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "listener {}", self.0)
    }
}

/// A connection that was accepted and belongs to no reactor: for [`Io::adopt`], on whatever thread.
/// Dropped, it is closed.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
    peer: SocketAddr,
}

impl Socket {
    /// The other side's address.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// As [`Io::set_keepalive`].
    pub fn set_keepalive(&self, idle: Duration, unacked: Duration) {
        socket::set_keepalive(&self.fd, self.peer, idle, unacked);
    }
}

/// What has happened. `token` is what the owner gave the connection ([`Io::connect`],
/// [`Io::set_token`]); 0 until then.
#[derive(Debug)]
pub enum Completion<'a> {
    /// Somebody has connected to us. Receiving has begun.
    Accepted { listener: ListenerId, conn: ConnId, peer: SocketAddr },
    /// Somebody has connected to a listener whose connections are for others
    /// ([`Io::accept_for_others`]). Nothing is received on it here.
    Handed { listener: ListenerId, socket: Socket },
    /// Our dial succeeded. Receiving has begun. One that fails ends in `Closed`.
    Connected { conn: ConnId, token: u64 },
    /// Bytes, in the order sent, cut anywhere. Never empty.
    Received { conn: ConnId, token: u64, bytes: &'a [u8] },
    /// What is unsent has fallen to the mark that [`Io::tell_room`] set; told once for each call.
    Room { conn: ConnId, token: u64 },
    /// The connection has ended and its id means nothing any more. Nothing is left for the owner
    /// to do; what had been given to send is still sent if the other side only stopped sending.
    Closed { conn: ConnId, token: u64, why: CloseReason },
    /// An operation of the log has ended.
    Disk(DiskDone),
    /// Some [`Waker`] was used since the last turn: once, however often.
    Woken,
}

/// Why a connection ended without its owner's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    #[error("the other side closed it")]
    Ended,
    #[error("cannot connect: {0}")]
    Refused(Errno),
    #[error("no connection within the time given")]
    ConnectTimeout,
    #[error("receiving failed: {0}")]
    Receive(Errno),
    #[error("sending failed: {0}")]
    Send(Errno),
}

impl CloseReason {
    /// Whether the machine that was dialled said that nobody listens there.
    pub fn is_nobody_there(self) -> bool {
        self == Self::Refused(Errno(libc::ECONNREFUSED))
    }
}

/// An error number of the system; says its text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        OsError::from_raw_os_error(self.0).fmt(f)
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<rustix::io::Errno> for Errno {
    fn from(errno: rustix::io::Errno) -> Self {
        Self(errno.raw_os_error())
    }
}

/// An address we cannot listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot listen on {at}: {errno}")]
pub struct ListenError {
    pub at: SocketAddr,
    pub errno: Errno,
}

/// A reactor that cannot start, or cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{verb}: {errno}")]
pub struct ReactorError {
    pub verb: &'static str,
    pub errno: Errno,
}

/// What may be asked of the reactor. Everything but `listen` is infallible for the asker: what goes
/// wrong arrives as a completion. An id that has ended is answered with nothing, harmlessly.
pub trait Io {
    /// Accepts connections at `at` (port 0: any; the answer says which) until `close_listener`.
    ///
    /// # Errors
    /// The address is taken, not ours, or not allowed.
    fn listen(
        &mut self,
        at: SocketAddr,
        backlog: u16,
    ) -> Result<(ListenerId, SocketAddr), ListenError>;

    /// Stops accepting. Connections already accepted live on.
    fn close_listener(&mut self, listener: ListenerId);

    /// From here on a killed process takes this port with it at once. Else it goes on answering
    /// until the kernel has taken down the ring, milliseconds later.
    fn loosen_listener(&mut self, listener: ListenerId);

    /// From here on a killed process takes this connection with it at once, so that the other side
    /// hears of its end. Costs two system calls for what comes on it.
    fn loosen(&mut self, conn: ConnId);

    /// From here on what this listener accepts is `Handed` to the owner, for another reactor.
    fn accept_for_others(&mut self, listener: ListenerId);

    /// Takes over a connection that another reactor of the same backend has accepted. Receiving
    /// begins, under this token from its first byte.
    fn adopt(&mut self, socket: Socket, token: u64) -> ConnId;

    /// Dials `to`. Ends in `Connected`, or in `Closed` after `timeout` at the latest. Bytes may be
    /// given to send at once.
    fn connect(&mut self, to: SocketAddr, token: u64, timeout: Duration) -> ConnId;

    /// Names the connection for the completions to come.
    fn set_token(&mut self, conn: ConnId, token: u64);

    /// Has the kernel probe an idle connection after `idle`, and give up on one whose peer has
    /// acknowledged nothing for `unacked`.
    fn set_keepalive(&mut self, conn: ConnId, idle: Duration, unacked: Duration);

    /// The other side's address, while the connection lives.
    fn peer(&self, conn: ConnId) -> Option<SocketAddr>;

    /// Connections alive, for the metrics and for limits.
    fn connections(&self) -> usize;

    /// The buffer that goes with the next send: append to it, nothing else. `None`: ended.
    fn outbox(&mut self, conn: ConnId) -> Option<&mut Vec<u8>>;

    /// Sends a copy of `bytes` after everything given before.
    fn send(&mut self, conn: ConnId, bytes: &[u8]) {
        if let Some(outbox) = self.outbox(conn) {
            outbox.extend_from_slice(bytes);
        }
    }

    /// Sends `bytes` after everything given before; without a copy if nothing waits. Gives an empty
    /// buffer in exchange.
    fn send_owned(&mut self, conn: ConnId, bytes: Vec<u8>) -> Vec<u8>;

    /// Sends what others have as well, after everything given before and without a copy.
    fn send_shared(&mut self, conn: ConnId, part: Part);

    /// Bytes given and not yet taken over by the kernel: what back-pressure is measured by.
    fn unsent(&self, conn: ConnId) -> usize;

    /// Asks for one `Room` when no more than `unsent` bytes wait.
    fn tell_room(&mut self, conn: ConnId, unsent: usize);

    /// Stops receiving, so that the other side comes to wait. Completions of what had arrived
    /// before may still come.
    fn pause(&mut self, conn: ConnId);

    /// Undoes `pause`.
    fn resume(&mut self, conn: ConnId);

    /// Ends the connection after what has been given to send has been sent, or after
    /// `CLOSE_LINGER_MS`. Nothing more is delivered for it.
    fn close(&mut self, conn: ConnId);

    /// Ends the connection at once; what is unsent is lost. Nothing more is delivered for it.
    fn abort(&mut self, conn: ConnId);

    /// Starts one operation of the log in the reactor's data directory. Ends in one `Disk`, in no
    /// particular order.
    ///
    /// # Panics
    /// If the reactor was started without a directory.
    fn disk(&mut self, op: DiskOp);
}

/// Who is told.
pub trait Handler {
    fn on(&mut self, completion: Completion<'_>, io: &mut dyn Io);
}

/// One thread's reactor: made and turned on that thread, never moved.
pub trait Reactor {
    /// To ask for things between turns; within one, the handler is given the same.
    fn io(&mut self) -> &mut dyn Io;

    /// One turn: hands over what was asked for, waits until something happens or `timeout` has
    /// passed (`None`: as long as it takes; zero: looks only), and delivers all that has happened.
    /// May deliver nothing.
    ///
    /// # Errors
    /// The kernel refuses the ring itself. Nothing can go on; the process should end.
    fn turn(
        &mut self,
        timeout: Option<Duration>,
        handler: &mut dyn Handler,
    ) -> Result<(), ReactorError>;

    /// Hands over what was asked for, and looks at nothing: for what should be on its way while
    /// the caller works. The next turn would hand it over too.
    ///
    /// # Errors
    /// As `turn`.
    fn hand_over(&mut self) -> Result<(), ReactorError>;

    /// For other threads: ends this reactor's wait and delivers `Woken`.
    fn waker(&self) -> Waker;

    /// What has happened since the start, for the metrics.
    fn counters(&self) -> Counters;

    /// One line for the log: which backend, in which form.
    fn describe(&self) -> String;
}

/// What a reactor has done, and how often it met one of its bounds (AI-6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub turns: u64,
    /// Calls into the kernel to hand over and to wait: one a turn, more where `submissions` was too
    /// small for one, and one where `hand_over` had something.
    pub enters: u64,
    /// Operations that found the submission queue full and were carried over.
    pub carried: u64,
    /// Receptions that found no buffer and were started again.
    pub out_of_buffers: u64,
    /// Times a listener found no descriptor or memory for a connection.
    pub accepts_failed: u64,
}

/// How the reactor talks to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Uring,
    Poll,
}

/// The backend to use: the one `forced` names (`uring` or `poll`), or io_uring where it works.
///
/// # Errors
/// The one forced does not work here, or has no such name.
pub fn probe(forced: Option<&str>) -> Result<Backend, ReactorError> {
    match forced {
        Some("uring") => ring::probe().map(|()| Backend::Uring),
        Some("poll") => Ok(Backend::Poll),
        Some(_) => Err(ReactorError {
            verb: "the backend is `uring` or `poll`",
            errno: Errno(libc::EINVAL),
        }),
        None => match ring::probe() {
            Ok(()) => Ok(Backend::Uring),
            Err(error) => {
                tracing::info!(%error, "io_uring cannot be used: epoll takes its place");
                Ok(Backend::Poll)
            }
        },
    }
}

/// Sizes of one reactor.
#[derive(Clone, Debug)]
pub struct ReactorOptions {
    /// Buffers for receiving, shared by all connections of the reactor; a power of two. At most as
    /// many receptions fit into one turn; further ones wait for the next.
    pub receive_buffers: u16,
    pub receive_buffer_bytes: u32,
    /// Operations handed over in one system call; more are carried over.
    pub submissions: u32,
    /// Completions taken in one turn; the kernel keeps further ones.
    pub completions: u32,
}

impl Default for ReactorOptions {
    fn default() -> Self {
        Self {
            receive_buffers: 128,
            receive_buffer_bytes: 64 << 10,
            submissions: 1024,
            completions: 16384,
        }
    }
}

/// Starts a reactor on the calling thread, where it must stay. With `directory` it writes the log's
/// segments there.
///
/// # Errors
/// The kernel refuses what the backend needs; try the other one.
pub fn start(
    backend: Backend,
    options: &ReactorOptions,
    directory: Option<Arc<files::Directory>>,
) -> Result<Box<dyn Reactor>, ReactorError> {
    Ok(match backend {
        Backend::Uring => Box::new(turn::Turning::<ring::Ring>::start(options, directory)?),
        Backend::Poll => Box::new(turn::Turning::<poll::Poll>::start(options, directory)?),
    })
}
