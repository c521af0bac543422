//! Clients that come while a leader is being elected: kept for a moment, not sent away.
//!
//! An election takes some milliseconds. A client that was sent away by every server it knows tries
//! again after a pause of its own, which in most client libraries is a second: it would miss the
//! new leader by far, and those that try again at once are a storm in which servers must find it.
//!
//! Deviation from ZooKeeper, whose servers close such connections (`NIOServerCnxn`, 3.9.5). A server
//! that has found no leader for `WAIT_MS` does so too, because then others may have one.
//!
//! Invariants:
//! - W1. Nobody waits longer than `WAIT_MS` after this server has served last, and those who wait
//!   are bounded in number and bytes.
//! - W2. A client that waits has been promised nothing: its request is judged when there is a
//!   leader, as if it had come then.
//!
//! Not here: how a session begins (`connect`).

use ringkeeper_engine::time::Millis;
use tracing::debug;

use super::{Member, Moment};
use crate::frontend::Phase;
use crate::watch::ConnId;
use crate::wire::SessionId;

/// How long an election may take before clients had better look elsewhere. Below what a client
/// gives one of five servers at ZooKeeper's shortest session timeout (4 s).
const WAIT_MS: u64 = 500;

/// Clients that may wait.
const CLIENTS_MAX: usize = 16_384;

/// The longest ConnectRequest kept; one of a ZooKeeper client has 45 bytes.
const REQUEST_BYTES_MAX: usize = 256;

/// Who waits for a leader, in the order they came.
#[derive(Default)]
pub(super) struct Waiting {
    clients: Vec<(ConnId, Vec<u8>)>,
    until: Millis,
}

impl Waiting {
    /// There is no leader from here on.
    pub(super) fn begin(&mut self, now: Millis) {
        self.until = now + WAIT_MS;
    }

    /// When those who wait must be sent away.
    pub(super) fn deadline(&self) -> Option<Millis> {
        (!self.clients.is_empty()).then_some(self.until)
    }
}

impl Member {
    /// Keeps a client until there is a leader; false if it must go.
    pub(super) fn keep_waiting(&mut self, at: Moment, conn: ConnId, request: &[u8]) -> bool {
        let waiting = &mut self.waiting;
        let has_room = waiting.clients.len() < CLIENTS_MAX && request.len() <= REQUEST_BYTES_MAX;
        let Some(connection) = self.front.get_mut(conn) else { return false };
        if !has_room || at.now >= waiting.until || self.is_stopping {
            return false;
        }
        let session = SessionId::NONE;
        connection.phase = Phase::Connecting { session, timeout_ms: 0, with_read_only: false };
        waiting.clients.push((conn, request.to_vec()));
        true
    }

    /// There is a leader: W2.
    pub(super) fn admit_waiting(&mut self, at: Moment) {
        for (conn, request) in std::mem::take(&mut self.waiting.clients) {
            if let Some(connection) = self.front.get_mut(conn) {
                connection.phase = Phase::Fresh;
                self.connect(at, conn, &request);
            }
        }
    }

    /// W1: there is none, for too long.
    pub(super) fn end_waiting(&mut self, at: Moment) {
        if self.waiting.deadline().is_none_or(|until| until > at.now) {
            return;
        }
        let clients = std::mem::take(&mut self.waiting.clients);
        debug!(clients = clients.len(), "connections closed: no leader was found in time");
        for (conn, _) in clients {
            self.metrics.cnxn_closed_without_zk_server_running += 1;
            self.close_now(conn);
        }
    }
}
