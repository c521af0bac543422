//! All that one reactor has open, and what each of it may go through.
//!
//! A connection's life:
//! ```text
//! Connecting -> Open -> Flushing -> Lingering -> Ending -> (gone)
//! ```
//! `Connecting` and `Open` have an owner, who knows the id. In `Flushing` the owner has said `close`
//! or the other side has stopped sending, and what had been given is still sent. In `Lingering` our
//! end is told and what still comes is thrown away, so that the kernel does not answer it with a
//! reset that would destroy our last bytes on their way. In `Ending` everything under way is
//! cancelled; the slot is free when the last of it has said so (IO3).
//!
//! Not here: how things are done (`driver`), when (`turn`).

mod connection;
mod ends;
mod segments;

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::SocketAddrAny;

use self::connection::{Connection, Phase, Receiving};
use self::segments::Segments;
use super::driver::{Driver, Lent};
use super::files::Directory;
use super::outbox::Pool;
use super::slots::{Key, Slots};
use super::{CloseReason, ConnId, Errno, Io, ListenError, ListenerId, Socket, clock, socket};
use crate::limits::CLOSE_LINGER_MS;
use crate::log::{DiskDone, DiskOp, Part};

/// Something to tell the handler.
pub(super) enum Told {
    Accepted {
        listener: ListenerId,
        conn: ConnId,
        peer: SocketAddr,
    },
    Handed {
        listener: ListenerId,
        socket: Socket,
    },
    Connected {
        conn: ConnId,
        token: u64,
    },
    Received {
        conn: ConnId,
        token: u64,
        lent: Lent,
    },
    Room {
        conn: ConnId,
        token: u64,
    },
    Closed {
        conn: ConnId,
        token: u64,
        why: CloseReason,
    },
    Disk(DiskDone),
    /// Bytes that nobody wants.
    Unwanted(Lent),
}

/// Whose time has come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Alarm {
    Conn(Key),
    Listener(Key),
}

struct Listener {
    fd: OwnedFd,
    is_accepting: bool,
    is_closing: bool,
    is_loose: bool,
    is_for_others: bool,
}

pub(super) struct World<D: Driver> {
    pub(super) driver: D,
    listeners: Slots<Listener>,
    conns: Slots<Connection>,
    /// Connections that may have something to send.
    dirty: Vec<Key>,
    pool: Pool,
    alarms: BTreeSet<(Duration, Alarm)>,
    /// What happened outside a completion, for the next turn to tell.
    told: VecDeque<Told>,
    segments: Option<Segments>,
    accepts_failed: u64,
}

impl<D: Driver> World<D> {
    pub(super) fn new(driver: D, directory: Option<Arc<Directory>>) -> Self {
        let segments = directory.map(|directory| Segments::new(directory, driver.waker().clone()));
        Self {
            driver,
            listeners: Slots::new(),
            conns: Slots::new(),
            dirty: Vec::new(),
            pool: Pool::new(),
            alarms: BTreeSet::new(),
            told: VecDeque::new(),
            segments,
            accepts_failed: 0,
        }
    }

    /// One word about the files, for the log line.
    pub(super) fn describe_files(&self) -> Option<&'static str> {
        self.segments.as_ref().map(Segments::describe)
    }

    /// What to tell, besides what the driver says; `None` if nobody cares any more.
    pub(super) fn next_told(&mut self) -> Option<Told> {
        match self.told.pop_front()? {
            Told::Room { conn, .. } if self.open(conn).is_none() => None,
            told => Some(told),
        }
    }

    pub(super) fn accepts_failed(&self) -> u64 {
        self.accepts_failed
    }

    /// How much there is to tell.
    pub(super) fn told(&self) -> usize {
        self.told.len()
    }

    /// Takes what other threads have finished for the log.
    pub(super) fn collect_chores(&mut self) {
        if let Some(segments) = &mut self.segments {
            segments.collect(|done| self.told.push_back(Told::Disk(done)));
        }
    }

    /// How long until the next alarm; `None`: there is none.
    pub(super) fn until_alarm(&self) -> Option<Duration> {
        let (at, _) = self.alarms.first()?;
        Some(at.saturating_sub(clock::monotonic()))
    }

    /// Sends what has gathered: the first step of a turn. A driver that sends at once is given a
    /// connection's next buffer at once: no event would remind of it.
    pub(super) fn gather(&mut self) {
        while !self.dirty.is_empty() {
            let mut dirty = std::mem::take(&mut self.dirty);
            for key in dirty.drain(..) {
                self.send_next(key);
            }
            dirty.append(&mut self.dirty);
            self.dirty = dirty;
        }
    }

    /// Does what is due.
    pub(super) fn ring_alarms(&mut self) {
        if self.alarms.is_empty() {
            return;
        }
        let now = clock::monotonic();
        while let Some(&(at, alarm)) = self.alarms.first() {
            if at > now {
                break;
            }
            self.alarms.pop_first();
            match alarm {
                Alarm::Conn(key) => self.time_is_up(key),
                Alarm::Listener(key) => self.accept_again(key),
            }
        }
    }

    fn open(&self, conn: ConnId) -> Option<&Connection> {
        self.conns.get(conn.0).filter(|conn| conn.has_owner())
    }

    fn open_mut(&mut self, conn: ConnId) -> Option<&mut Connection> {
        self.conns.get_mut(conn.0).filter(|conn| conn.has_owner())
    }

    /// The owner has closed what had ended before it could be told (IO1).
    fn forget_end(&mut self, key: Key) {
        let is_its_end = |told: &Told| matches!(told, Told::Closed { conn, .. } if conn.0 == key);
        self.told.retain(|told| !is_its_end(told));
    }

    fn accept_again(&mut self, key: Key) {
        if let Some(listener) = self.listeners.get_mut(key)
            && !listener.is_accepting
            && !listener.is_closing
        {
            listener.is_accepting = true;
            if listener.is_loose {
                self.driver.accept_loosely(key, listener.fd.as_fd());
            } else {
                self.driver.accept(key, listener.fd.as_fd());
            }
        }
    }

    fn dial(&mut self, to: SocketAddr, key: Key) -> Result<OwnedFd, Errno> {
        let fd = socket::dialling(to, D::SOCKET_FLAGS)?;
        self.driver.connect(key, fd.as_fd(), SocketAddrAny::from(to));
        Ok(fd)
    }

    pub(super) fn drop_all(&mut self) {
        for conn in self.conns.drain() {
            drop(conn.fd);
        }
        self.listeners.drain().for_each(drop);
    }
}

impl<D: Driver> Io for World<D> {
    fn listen(
        &mut self,
        at: SocketAddr,
        backlog: u16,
    ) -> Result<(ListenerId, SocketAddr), ListenError> {
        let (fd, bound) = socket::listening(at, backlog, D::SOCKET_FLAGS)
            .map_err(|errno| ListenError { at, errno: errno.into() })?;
        let listener = Listener {
            fd,
            is_accepting: false,
            is_closing: false,
            is_loose: false,
            is_for_others: false,
        };
        let key = self.listeners.insert(listener);
        self.accept_again(key);
        Ok((ListenerId(key), bound))
    }

    fn close_listener(&mut self, listener: ListenerId) {
        let key = listener.0;
        let Some(listener) = self.listeners.get_mut(key) else { return };
        if listener.is_closing {
            return;
        }
        listener.is_closing = true;
        if listener.is_accepting {
            self.driver.cancel_accept(key, listener.fd.as_fd());
        } else {
            self.remove_listener(key);
        }
    }

    fn loosen_listener(&mut self, listener: ListenerId) {
        let key = listener.0;
        let Some(listener) = self.listeners.get_mut(key) else { return };
        let was_loose = std::mem::replace(&mut listener.is_loose, true);
        if listener.is_accepting && !was_loose {
            // It is begun again when it has ended.
            self.driver.cancel_accept(key, listener.fd.as_fd());
        }
    }

    fn accept_for_others(&mut self, listener: ListenerId) {
        if let Some(listener) = self.listeners.get_mut(listener.0) {
            listener.is_for_others = true;
        }
    }

    fn adopt(&mut self, socket: Socket, token: u64) -> ConnId {
        let Socket { fd, peer } = socket;
        let mut conn = Connection::new(fd, peer, Phase::Open);
        conn.token = token;
        let key = self.conns.insert(conn);
        self.receive(key);
        ConnId(key)
    }

    fn loosen(&mut self, conn: ConnId) {
        let Some(connection) = self.open_mut(conn) else { return };
        let was_loose = std::mem::replace(&mut connection.is_loose, true);
        if connection.receiving == Receiving::Armed && !was_loose {
            connection.receiving = Receiving::Stopping;
            let connection = self.conns.get(conn.0).expect("it has just been found");
            self.driver.stop_receiving(conn.0, connection.fd.as_fd());
        }
    }

    fn connect(&mut self, to: SocketAddr, token: u64, timeout: Duration) -> ConnId {
        let key = self.conns.next_key();
        match self.dial(to, key) {
            Ok(fd) => {
                let mut conn = Connection::new(fd, to, Phase::Connecting);
                conn.token = token;
                conn.is_connecting = true;
                let inserted = self.conns.insert(conn);
                assert_eq!(inserted, key, "IO1: the dial goes by another name than its connection");
                self.set_alarm(key, timeout);
            }
            Err(errno) => {
                // There is nothing to keep: the id is used up, and its end is told.
                self.conns.skip();
                let why = CloseReason::Refused(errno);
                self.told.push_back(Told::Closed { conn: ConnId(key), token, why });
            }
        }
        ConnId(key)
    }

    fn set_token(&mut self, conn: ConnId, token: u64) {
        if let Some(conn) = self.open_mut(conn) {
            conn.token = token;
        }
    }

    fn set_keepalive(&mut self, conn: ConnId, idle: Duration, unacked: Duration) {
        if let Some(conn) = self.open(conn) {
            socket::set_keepalive(&conn.fd, conn.peer, idle, unacked);
        }
    }

    fn peer(&self, conn: ConnId) -> Option<SocketAddr> {
        self.open(conn).map(|conn| conn.peer)
    }

    fn connections(&self) -> usize {
        self.conns.len()
    }

    fn outbox(&mut self, conn: ConnId) -> Option<&mut Vec<u8>> {
        let key = conn.0;
        let conn = self.conns.get_mut(key).filter(|conn| conn.has_owner())?;
        if !conn.is_dirty {
            conn.is_dirty = true;
            self.dirty.push(key);
        }
        Some(conn.outbox.open(&mut self.pool))
    }

    fn send_owned(&mut self, conn: ConnId, mut bytes: Vec<u8>) -> Vec<u8> {
        let key = conn.0;
        let Some(conn) = self.conns.get_mut(key).filter(|conn| conn.has_owner()) else {
            bytes.clear();
            return bytes;
        };
        if !conn.is_dirty {
            conn.is_dirty = true;
            self.dirty.push(key);
        }
        conn.outbox.exchange(bytes, &mut self.pool)
    }

    fn send_shared(&mut self, conn: ConnId, part: Part) {
        let key = conn.0;
        let Some(conn) = self.conns.get_mut(key).filter(|conn| conn.has_owner()) else { return };
        if !conn.is_dirty {
            conn.is_dirty = true;
            self.dirty.push(key);
        }
        conn.outbox.share(part);
    }

    fn unsent(&self, conn: ConnId) -> usize {
        self.open(conn).map_or(0, |conn| conn.outbox.unsent())
    }

    fn tell_room(&mut self, conn: ConnId, unsent: usize) {
        let id = conn;
        let Some(conn) = self.open_mut(id) else { return };
        if conn.outbox.unsent() <= unsent {
            let token = conn.token;
            self.told.push_back(Told::Room { conn: id, token });
        } else {
            conn.room = Some(unsent);
        }
    }

    fn pause(&mut self, conn: ConnId) {
        let key = conn.0;
        let Some(conn) = self.conns.get_mut(key).filter(|conn| conn.has_owner()) else { return };
        conn.is_paused = true;
        if conn.receiving == Receiving::Armed {
            conn.receiving = Receiving::Stopping;
            self.driver.stop_receiving(key, conn.fd.as_fd());
        }
    }

    fn resume(&mut self, conn: ConnId) {
        let key = conn.0;
        let Some(conn) = self.open_mut(conn) else { return };
        conn.is_paused = false;
        self.receive(key);
    }

    fn close(&mut self, conn: ConnId) {
        let key = conn.0;
        let Some(conn) = self.open_mut(conn) else { return self.forget_end(key) };
        if conn.phase == Phase::Connecting {
            return self.end(key);
        }
        conn.phase = Phase::Flushing;
        self.set_alarm(key, Duration::from_millis(CLOSE_LINGER_MS));
        self.linger_if_flushed(key);
    }

    fn abort(&mut self, conn: ConnId) {
        if self.open(conn).is_some() {
            self.end(conn.0);
        } else {
            self.forget_end(conn.0);
        }
    }

    fn disk(&mut self, op: DiskOp) {
        let segments = self.segments.as_mut();
        let segments = segments.expect("a reactor without a directory is given no log to write");
        if let Some(failed) = segments.start(op, &mut self.driver) {
            self.told.push_back(Told::Disk(failed));
        }
    }
}
