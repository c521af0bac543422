//! How a session begins on a connection: made, or taken up again, here or from another server.
//!
//! The order of the checks is ZooKeeper's (`ZooKeeperServer.processConnectRequest`, 3.9.5): a
//! client that has seen more than this server is sent away before anything else happens to its
//! session; a second connection of a session closes the first before the password is looked at.
//!
//! Not here: ids, passwords and expiry themselves (`session`).

use tracing::{debug, info};

use super::write::Origin;
use super::{Member, Moment};
use crate::frontend::Phase;
use crate::session::{Owner, password, password_matches};
use crate::watch::ConnId;
use crate::wire::{ConnectRequest, ConnectResponse, OpCode, SessionId};

impl Member {
    pub(super) fn connect(&mut self, at: Moment, conn: ConnId, body: &[u8]) {
        let Some(connection) = self.front.get(conn) else { return };
        let peer = connection.peer;
        if !self.role.serves() {
            if self.keep_waiting(at, conn, body) {
                return debug!(%peer, "connection waits for a leader");
            }
            debug!(%peer, "connection closed: no leader is known, nobody is served");
            self.metrics.cnxn_closed_without_zk_server_running += 1;
            return self.close_now(conn);
        }
        let request = match ConnectRequest::decode(body) {
            Ok(request) => request,
            Err(error) => {
                info!(%peer, %error, "connection closed: its first frame is no ConnectRequest");
                return self.close_now(conn);
            }
        };
        let last_zxid = self.db.last_zxid();
        if request.last_zxid_seen > last_zxid.0 {
            info!(
                %peer, session = %request.session, seen = request.last_zxid_seen, ours = %last_zxid,
                "connection closed: the client has seen a later zxid than this server; \
                 it must try another"
            );
            return self.close_now(conn);
        }
        self.metrics.connection_request_count += 1;
        let timeout_ms = self.rules.sessions.negotiate(request.timeout_ms);
        if request.session == SessionId::NONE {
            self.new_session(at, conn, timeout_ms, request.read_only.is_some());
        } else {
            self.reopen_session(at, conn, &request, timeout_ms);
        }
    }

    fn new_session(&mut self, at: Moment, conn: ConnId, timeout_ms: i32, with_read_only: bool) {
        let session = self.session_ids.issue();
        self.begin(conn, session, timeout_ms, with_read_only);
        let body = timeout_ms.to_be_bytes();
        self.submit(at, Origin::Local(conn), session, 0, OpCode::CreateSession, &body);
    }

    /// Binds `session` to `conn`, whose bytes wait until the session is ready.
    fn begin(&mut self, conn: ConnId, session: SessionId, timeout_ms: i32, with_read_only: bool) {
        self.front.bind(session, conn);
        if let Some(connection) = self.front.get_mut(conn) {
            connection.phase = Phase::Connecting { session, timeout_ms, with_read_only };
            connection.timeout_ms = timeout_ms;
        }
    }

    fn reopen_session(
        &mut self,
        at: Moment,
        conn: ConnId,
        request: &ConnectRequest<'_>,
        timeout_ms: i32,
    ) {
        let session = request.session;
        if let Some(before) = self.front.of_session(session) {
            // Compat: the good connection goes before the password is checked
            // (`ZooKeeperServer.processConnectRequest`, 3.9.5).
            self.close_now(before);
        }
        let with_read_only = request.read_only.is_some();
        self.begin(conn, session, timeout_ms, with_read_only);
        if !password_matches(session, request.password) {
            info!(%session, "wrong password");
            return self.session_ready(at, conn, session, false);
        }
        self.metrics.connection_revalidate_count += 1;
        if let Some(tracker) = &mut self.tracker {
            let valid = tracker.touch_for(at.now, session, timeout_ms)
                && tracker.set_owner(session, Owner::Local);
            self.session_ready(at, conn, session, valid);
        } else {
            self.replica.revalidate(session.0, timeout_ms);
        }
    }

    /// The session on `conn` is made, revalidated, or refused: the ConnectResponse, and then
    /// whatever came behind the request.
    pub(super) fn session_ready(
        &mut self,
        at: Moment,
        conn: ConnId,
        session: SessionId,
        is_valid: bool,
    ) {
        let Some(connection) = self.front.get_mut(conn) else { return };
        let Phase::Connecting { session: expected, timeout_ms, with_read_only } = connection.phase
        else {
            return;
        };
        if expected != session {
            return;
        }
        let read_only = with_read_only.then_some(false);
        let response = if is_valid {
            connection.phase = Phase::Open;
            connection.heard(at.now);
            let password = password(session);
            ConnectResponse { timeout_ms, session, password, read_only }
        } else {
            info!(%session, "session refused: the client is told that it has expired");
            ConnectResponse::refusal(read_only)
        };
        connection.counters.last_op = "SESS";
        connection.counters.answered(at.now, at.now.0, self.db.last_zxid().0);
        self.metrics.packets_sent += 1;
        if let Some(out) = self.front.out(conn) {
            let start = out.len();
            out.extend_from_slice(&[0; 4]);
            response.encode(out);
            super::request::patch_length(out, start);
        }
        if is_valid {
            self.touch(at, session, timeout_ms);
            self.read_on(at, conn);
        } else {
            self.close_after_replies(conn);
        }
    }
}
