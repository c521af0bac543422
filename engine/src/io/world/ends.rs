//! What follows from how things ended: the transitions of listeners and connections.
//!
//! Each function leaves the connection in a phase in which it either has something under way, or
//! waits for its owner, or is gone.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use super::{Alarm, CloseReason, ConnId, Connection, Errno, Key, ListenerId, Phase, Receiving};
use super::{Socket, Told, World};
use crate::io::driver::{Driver, Raw, ReceiveEnd};
use crate::io::outbox::Cargo;
use crate::io::{clock, socket};
use crate::limits::{ACCEPT_RETRY_MS, CLOSE_LINGER_MS};

impl<D: Driver> World<D> {
    /// One thing has ended or come; what to tell of it.
    pub(in crate::io) fn ended(&mut self, raw: Raw) -> Option<Told> {
        match raw {
            Raw::Accepted { listener, fd } => self.accepted(listener, fd),
            Raw::AcceptEnded { listener, errno } => {
                self.accept_ended(listener, errno);
                None
            }
            Raw::Connected { conn, result } => self.connected(conn, result),
            Raw::Received { conn, lent } => match self.conns.get(conn) {
                Some(open) if open.phase == Phase::Open => {
                    Some(Told::Received { conn: ConnId(conn), token: open.token, lent })
                }
                _ => Some(Told::Unwanted(lent)),
            },
            Raw::ReceiveEnded { conn, end } => self.receive_ended(conn, end),
            Raw::Sent { conn, cargo, result } => self.sent(conn, cargo, result),
            Raw::Disk(done) => Some(Told::Disk(done)),
        }
    }

    fn accepted(&mut self, listener: Key, fd: OwnedFd) -> Option<Told> {
        let wanted = self.listeners.get(listener).filter(|listener| !listener.is_closing);
        let is_for_others = wanted.is_some_and(|listener| listener.is_for_others);
        // A peer that cannot be named has already gone.
        let Some(peer) = socket::peer(&fd).filter(|_| wanted.is_some()) else {
            self.driver.close(fd);
            return None;
        };
        if is_for_others {
            let socket = Socket { fd, peer };
            return Some(Told::Handed { listener: ListenerId(listener), socket });
        }
        let key = self.conns.insert(Connection::new(fd, peer, Phase::Open));
        self.receive(key);
        Some(Told::Accepted { listener: ListenerId(listener), conn: ConnId(key), peer })
    }

    fn accept_ended(&mut self, key: Key, errno: Errno) {
        let Some(listener) = self.listeners.get_mut(key) else { return };
        listener.is_accepting = false;
        if listener.is_closing {
            return self.remove_listener(key);
        }
        let scarce = [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOBUFS];
        if scarce.contains(&errno.0) {
            // Trying again at once would find the same, for as long as nothing is closed.
            self.accepts_failed += 1;
            tracing::warn!(%errno, "cannot accept a connection");
            let at = clock::monotonic() + Duration::from_millis(ACCEPT_RETRY_MS);
            self.alarms.insert((at, Alarm::Listener(key)));
        } else {
            self.accept_again(key);
        }
    }

    pub(super) fn remove_listener(&mut self, key: Key) {
        if let Some(listener) = self.listeners.remove(key) {
            self.driver.close(listener.fd);
        }
    }

    fn connected(&mut self, key: Key, result: Result<(), Errno>) -> Option<Told> {
        let conn = self.conns.get_mut(key)?;
        conn.is_connecting = false;
        if conn.phase != Phase::Connecting {
            self.free_if_done(key);
            return None;
        }
        match result {
            Ok(()) => {
                conn.phase = Phase::Open;
                let token = conn.token;
                self.clear_alarm(key);
                self.receive(key);
                self.mark_dirty(key);
                Some(Told::Connected { conn: ConnId(key), token })
            }
            Err(errno) => self.lost(key, CloseReason::Refused(errno)),
        }
    }

    fn receive_ended(&mut self, key: Key, end: ReceiveEnd) -> Option<Told> {
        let conn = self.conns.get_mut(key)?;
        conn.receiving = Receiving::No;
        match (end, conn.phase) {
            (_, Phase::Ending) => {
                self.free_if_done(key);
                None
            }
            (ReceiveEnd::Stopped, _) => {
                self.receive(key);
                None
            }
            (ReceiveEnd::Ended, Phase::Open) => Some(self.other_side_ended(key)),
            (ReceiveEnd::Ended, Phase::Flushing) => {
                conn.has_seen_end = true;
                None
            }
            (ReceiveEnd::Failed(errno), Phase::Open) => self.lost(key, CloseReason::Receive(errno)),
            (ReceiveEnd::Ended | ReceiveEnd::Failed(_), _) => {
                self.end(key);
                None
            }
        }
    }

    /// The owner is told, and what it had given is still sent.
    fn other_side_ended(&mut self, key: Key) -> Told {
        let conn = self.conns.get_mut(key).expect("the caller has just found it");
        let token = conn.token;
        conn.has_seen_end = true;
        conn.phase = Phase::Flushing;
        self.set_alarm(key, Duration::from_millis(CLOSE_LINGER_MS));
        self.linger_if_flushed(key);
        Told::Closed { conn: ConnId(key), token, why: CloseReason::Ended }
    }

    /// One send has ended; what is left of the cargo goes on at once.
    fn sent(
        &mut self,
        key: Key,
        mut cargo: Cargo,
        mut result: Result<usize, Errno>,
    ) -> Option<Told> {
        loop {
            let conn = self.conns.get_mut(key)?;
            let count = match result {
                Ok(count) if count > 0 => count,
                failed => {
                    conn.outbox.landed(cargo, &mut self.pool);
                    let errno = failed.err().unwrap_or(Errno(libc::EPIPE));
                    return self.lost(key, CloseReason::Send(errno));
                }
            };
            let is_whole = conn.outbox.sent(count);
            if is_whole || conn.phase == Phase::Ending {
                conn.outbox.landed(cargo, &mut self.pool);
                self.mark_dirty(key);
                self.linger_if_flushed(key);
                self.free_if_done(key);
                break;
            }
            let from = cargo.len() - conn.outbox.flying();
            match self.driver.send(key, conn.fd.as_fd(), cargo, from) {
                Some(ended) => (cargo, result) = ended,
                None => break,
            }
        }
        self.room(key)
    }

    /// Whether the owner waited for the room there is.
    fn room(&mut self, key: Key) -> Option<Told> {
        let conn = self.conns.get_mut(key)?;
        let mark = conn.room?;
        if !conn.has_owner() || conn.outbox.unsent() > mark {
            return None;
        }
        conn.room = None;
        Some(Told::Room { conn: ConnId(key), token: conn.token })
    }

    /// The connection is no more. Its owner is told, if it has one.
    fn lost(&mut self, key: Key, why: CloseReason) -> Option<Told> {
        let conn = self.conns.get(key)?;
        let told =
            conn.has_owner().then_some(Told::Closed { conn: ConnId(key), token: conn.token, why });
        self.end(key);
        told
    }

    pub(super) fn time_is_up(&mut self, key: Key) {
        let Some(conn) = self.conns.get_mut(key) else { return };
        conn.alarm = None;
        if let Some(told) = self.lost(key, CloseReason::ConnectTimeout) {
            self.told.push_back(told);
        }
    }

    /// Sends what has gathered, if nothing is on its way (IO2).
    pub(super) fn send_next(&mut self, key: Key) {
        let Some(conn) = self.conns.get_mut(key) else { return };
        conn.is_dirty = false;
        if !conn.may_send() {
            return;
        }
        match conn.outbox.take_off() {
            Some(cargo) => {
                let sent = self.driver.send(key, conn.fd.as_fd(), cargo, 0);
                if let Some((cargo, result)) = sent
                    && let Some(told) = self.sent(key, cargo, result)
                {
                    self.told.push_back(told);
                }
            }
            None if conn.outbox.unsent() == 0 => conn.outbox.discard(&mut self.pool),
            None => {}
        }
    }

    pub(super) fn receive(&mut self, key: Key) {
        if let Some(conn) = self.conns.get_mut(key)
            && conn.receiving == Receiving::No
            && !conn.is_paused
            && !conn.has_seen_end
            && matches!(conn.phase, Phase::Open | Phase::Flushing | Phase::Lingering)
        {
            conn.receiving = Receiving::Armed;
            if conn.is_loose {
                self.driver.receive_loosely(key, conn.fd.as_fd());
            } else {
                self.driver.receive(key, conn.fd.as_fd());
            }
        }
    }

    /// Once everything is sent, says that no more comes, and waits for the other side's end.
    pub(super) fn linger_if_flushed(&mut self, key: Key) {
        let Some(conn) = self.conns.get_mut(key) else { return };
        if conn.phase != Phase::Flushing || conn.outbox.unsent() > 0 {
            return;
        }
        if conn.has_seen_end {
            return self.end(key);
        }
        socket::say_end(&conn.fd);
        conn.phase = Phase::Lingering;
        conn.is_paused = false;
        self.receive(key);
    }

    /// Nobody wants the connection any more: cancels what is under way.
    pub(super) fn end(&mut self, key: Key) {
        self.clear_alarm(key);
        let Some(conn) = self.conns.get_mut(key) else { return };
        if conn.phase != Phase::Ending {
            conn.phase = Phase::Ending;
            conn.outbox.discard(&mut self.pool);
            if conn.is_under_way() {
                self.driver.cancel(key, conn.fd.as_fd());
            }
        }
        self.free_if_done(key);
    }

    fn free_if_done(&mut self, key: Key) {
        let is_done = |conn: &Connection| conn.phase == Phase::Ending && !conn.is_under_way();
        if self.conns.get(key).is_some_and(is_done)
            && let Some(conn) = self.conns.remove(key)
        {
            self.driver.close(conn.fd);
        }
    }

    fn mark_dirty(&mut self, key: Key) {
        if let Some(conn) = self.conns.get_mut(key)
            && !conn.is_dirty
            && conn.outbox.has_gathered()
        {
            conn.is_dirty = true;
            self.dirty.push(key);
        }
    }

    pub(super) fn set_alarm(&mut self, key: Key, after: Duration) {
        self.clear_alarm(key);
        if let Some(conn) = self.conns.get_mut(key) {
            let at = clock::monotonic() + after;
            conn.alarm = Some(at);
            self.alarms.insert((at, Alarm::Conn(key)));
        }
    }

    fn clear_alarm(&mut self, key: Key) {
        if let Some(conn) = self.conns.get_mut(key)
            && let Some(at) = conn.alarm.take()
        {
            self.alarms.remove(&(at, Alarm::Conn(key)));
        }
    }
}
