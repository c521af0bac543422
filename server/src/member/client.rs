//! Bytes of clients: from the socket to whole requests.
//!
//! Bytes are looked at where they lie; only what cannot be cut into a frame yet, or may not be
//! looked at yet (a session is being made, too much is under way), is copied and kept.
//!
//! Not here: what a request does (`request`), how a session begins (`connect`).

use std::net::SocketAddr;

use tracing::{debug, info};

use super::words::Verdict;
use super::{Member, Moment, Output};
use crate::frontend::{Frame, Phase, split};
use crate::watch::ConnId;

/// How many bytes a connection that may not be read may keep before its socket is paused.
const UNREAD_BYTES_MAX: usize = 64 << 10;

/// How many frames of a connection are read before the next of those that wait has its turn.
const FRAMES_A_TURN: usize = 32;

impl Member {
    /// A client's socket was accepted. `None`: it is one too many, or nobody is served; close it.
    pub fn accept(&mut self, at: Moment, peer: SocketAddr) -> Option<ConnId> {
        let limits = &self.options.config.connections;
        let from_here = self.front.count_from(peer.ip());
        if limits.per_address_max.is_some_and(|max| from_here >= max as usize) {
            self.metrics.connection_rejected += 1;
            info!(%peer, from_here, "connection closed: too many from its address (maxClientCnxns)");
            return None;
        }
        if self.front.count() >= limits.total_max as usize || self.is_stopping {
            self.metrics.connection_rejected += 1;
            info!(%peer, limits.total_max, "connection closed: too many in all (maxCnxns)");
            return None;
        }
        Some(self.front.open(peer, at.now, at.wall_ms, limits.handshake_timeout_ms))
    }

    /// A client's socket is gone. Its session lives on until it is closed or expires.
    pub fn disconnected(&mut self, conn: ConnId) {
        self.forget(conn);
    }

    /// Bytes came from a client.
    pub fn received(&mut self, at: Moment, conn: ConnId, bytes: &[u8]) {
        if self.is_stopping {
            return;
        }
        let Some(connection) = self.front.get_mut(conn) else { return };
        connection.heard(at.now);
        let Some(bytes) = self.read_kept(at, conn, bytes) else { return };
        let taken = self.consume(at, conn, bytes, self.share());
        if let Some(connection) = self.front.get_mut(conn) {
            if taken < bytes.len() {
                connection.unread.append(&bytes[taken..]);
            }
            self.pause_if_full(conn);
        }
    }

    /// Reads what a connection has kept. Of `bytes`, which come after it, what completes a frame is
    /// copied behind its head; the rest is to be read where it lies. `None` where there is no rest, or
    /// nobody may read it yet.
    fn read_kept<'a>(&mut self, at: Moment, conn: ConnId, mut bytes: &'a [u8]) -> Option<&'a [u8]> {
        let frame_bytes_max = self.options.config.connections.frame_bytes_max;
        loop {
            let connection = self.front.get_mut(conn)?;
            if connection.unread.is_empty() {
                return Some(bytes).filter(|bytes| !bytes.is_empty());
            }
            let is_open = connection.phase == Phase::Open;
            let count = match split(connection.unread.bytes(), frame_bytes_max) {
                Ok(Frame::Partial { missing }) if is_open => missing.min(bytes.len()),
                _ => bytes.len(),
            };
            let (piece, rest) = bytes.split_at(count);
            connection.unread.append(piece);
            bytes = rest;
            self.read_on(at, conn);
            if bytes.is_empty() {
                return None;
            }
        }
    }

    /// Looks again at what a connection has kept, now that it may be read.
    pub(super) fn read_on(&mut self, at: Moment, conn: ConnId) {
        self.read_some(at, conn, self.share());
    }

    fn read_some(&mut self, at: Moment, conn: ConnId, frames_max: usize) {
        let Some(connection) = self.front.get_mut(conn) else { return };
        let mut unread = std::mem::take(&mut connection.unread);
        let taken = self.consume(at, conn, unread.bytes(), frames_max);
        if let Some(connection) = self.front.get_mut(conn) {
            unread.take(taken);
            connection.unread = unread;
            if connection.is_paused && connection.unread.len() <= UNREAD_BYTES_MAX {
                connection.is_paused = false;
                self.outputs.push(Output::Resume { conn });
            }
            self.pause_if_full(conn);
        }
    }

    fn pause_if_full(&mut self, conn: ConnId) {
        let Some(connection) = self.front.get_mut(conn) else { return };
        let waits = connection.is_throttled || matches!(connection.phase, Phase::Connecting { .. });
        if waits && !connection.is_paused && connection.unread.len() > UNREAD_BYTES_MAX {
            connection.is_paused = true;
            self.outputs.push(Output::Pause { conn });
        }
    }

    /// How many frames a connection may have read that waits for requests under way: none where
    /// others are before it.
    fn share(&self) -> usize {
        if self.front.has_throttled() { 0 } else { usize::MAX }
    }

    /// Takes whole frames off `bytes` and carries them out; says how many bytes that were. Stops at
    /// `frames_max`, where the connection has its next turn to wait for.
    fn consume(&mut self, at: Moment, conn: ConnId, bytes: &[u8], frames_max: usize) -> usize {
        let mut taken = 0;
        let mut frames = 0;
        let mut looked_at = 0;
        loop {
            let too_much = frames >= frames_max || self.too_much_under_way();
            let Some(connection) = self.front.get_mut(conn) else { return bytes.len() };
            match connection.phase {
                Phase::Closing | Phase::Leaving => return bytes.len(),
                Phase::Connecting { .. } => return taken,
                Phase::Open if too_much && !connection.held.is_empty() => {
                    self.front.throttle(conn);
                    return taken;
                }
                Phase::Fresh => match self.opening(at, conn, &bytes[taken..]) {
                    Verdict::Frame => {}
                    Verdict::More => return taken,
                    Verdict::Done => return bytes.len(),
                },
                Phase::Open if looked_at == 0 => {
                    let turn = frames_max.saturating_sub(frames);
                    looked_at = self.look_ahead_of_frames(&bytes[taken..], turn);
                }
                Phase::Open => {}
            }
            match split(&bytes[taken..], self.options.config.connections.frame_bytes_max) {
                Ok(Frame::Partial { .. }) => return taken,
                Ok(Frame::Whole { body, taken: length }) => {
                    self.frame(at, conn, body);
                    taken += length;
                    frames += 1;
                    looked_at = looked_at.saturating_sub(1);
                }
                Err(error) => {
                    self.refuse_length(conn, error.length);
                    return bytes.len();
                }
            }
        }
    }

    fn frame(&mut self, at: Moment, conn: ConnId, body: &[u8]) {
        let Some(connection) = self.front.get_mut(conn) else { return };
        connection.counters.received += 1;
        self.metrics.packets_received += 1;
        self.metrics.bytes_received_count += body.len() as u64 + 4;
        match connection.phase {
            Phase::Fresh => self.connect(at, conn, body),
            Phase::Open => self.request(at, conn, body),
            Phase::Connecting { .. } | Phase::Leaving | Phase::Closing => {}
        }
    }

    fn refuse_length(&mut self, conn: ConnId, length: i32) {
        if let Some(connection) = self.front.get(conn) {
            let (peer, limit) = (connection.peer, self.options.config.connections.frame_bytes_max);
            info!(%peer, length, limit, "connection closed: a frame longer than jute.maxbuffer");
        }
        self.close_now(conn);
    }

    /// Whether so many requests are under way that a connection which waits for some of them is
    /// not read any further (`globalOutstandingLimit`).
    pub(super) fn too_much_under_way(&self) -> bool {
        self.outstanding > self.rules.outstanding_max || !self.replica.has_room()
    }

    /// Lets the throttled connections be read again while there is room: a few frames each, in
    /// turns, so that none that has much to ask keeps the others waiting.
    pub(super) fn release_throttled(&mut self, at: Moment) {
        while !self.too_much_under_way()
            && let Some(conn) = self.front.unthrottle_next()
        {
            self.read_some(at, conn, FRAMES_A_TURN);
        }
    }

    /// Ends a connection after what it was sent has left.
    pub(super) fn close_after_replies(&mut self, conn: ConnId) {
        if let Some(connection) = self.front.get_mut(conn)
            && connection.phase != Phase::Closing
        {
            connection.phase = Phase::Closing;
            self.closing.push(conn);
        }
    }

    /// Ends a connection; what it was sent this turn may be lost.
    pub(super) fn close_now(&mut self, conn: ConnId) {
        if self.forget(conn) {
            self.outputs.push(Output::Close { conn });
        }
    }

    /// Drops all that is known of a connection: its watches, what it waits for, its place.
    pub(super) fn forget(&mut self, conn: ConnId) -> bool {
        let Some(connection) = self.front.close(conn) else { return false };
        self.outstanding -= connection.held.len();
        self.watches.remove_connection(conn);
        debug!(peer = %connection.peer, session = ?connection.session, "connection ended");
        true
    }
}
