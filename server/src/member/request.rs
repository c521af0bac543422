//! What a request asks, and when it is answered: at once, in its turn, or by way of the quorum.
//!
//! Not here: writes (`write`), what a read returns (`apply`).

use std::rc::Rc;

use ringkeeper_engine::jute::{Reader, Writer};
use tracing::{debug, info};

use super::write::Origin;
use super::{Member, Moment};
use crate::admin::{Metrics, last_operation};
use crate::apply::Asker;
use crate::frontend::{Connection, Phase, Waiting};
use crate::watch::ConnId;
use crate::wire::{
    AuthPacket, ErrorCode, OpCode, OpKind, ReplyHeader, RequestHeader, check_write_body, xid,
};

/// Writes the length of the frame that began at `start` with four bytes of room.
pub(super) fn patch_length(out: &mut Vec<u8>, start: usize) {
    let length = i32::try_from(out.len() - start - 4).expect("replies are bounded by the tree");
    Writer(out).patch_int(start, length);
}

/// Appends one reply frame.
pub(super) fn reply_to(out: &mut Vec<u8>, header: ReplyHeader, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    header.encode(out);
    body(out);
    patch_length(out, start);
}

/// Counts an answered request.
pub(super) fn note_answer(
    metrics: &mut Metrics,
    connection: &mut Connection,
    at: Moment,
    since_ms: u64,
    zxid: i64,
    op: i32,
) {
    metrics.packets_sent += 1;
    metrics.request_latency.add(at.now.0.saturating_sub(since_ms));
    connection.counters.last_op = last_operation(op);
    connection.counters.answered(at.now, since_ms, zxid);
}

impl Member {
    /// One whole frame of an open connection.
    pub(super) fn request(&mut self, at: Moment, conn: ConnId, frame: &[u8]) {
        let mut reader = Reader::new(frame);
        let Ok(header) = RequestHeader::decode(&mut reader) else {
            info!(?conn, "connection closed: a frame too short for a header");
            return self.close_now(conn);
        };
        let body = reader.rest();
        let op = OpCode::from_code(header.op);
        let kind = op.map_or(OpKind::Internal, OpCode::kind);
        if kind != OpKind::Connection && !self.may_ask(at, conn, header) {
            return;
        }
        match (kind, op) {
            (OpKind::Connection, Some(OpCode::Auth)) => self.authenticate(conn, header.xid, body),
            (OpKind::Connection, _) => self.answer_sasl(conn, header.xid, body),
            (OpKind::Write, Some(op)) => self.write(at, conn, header.xid, op, body),
            (OpKind::Sync, _) if self.role.is_learner() => self.sync(at, conn, header.xid, frame),
            (OpKind::Read | OpKind::Sync, _) => self.local(at, conn, frame),
            (OpKind::Internal | OpKind::Write, _) => {
                self.refuse(at, conn, header, ErrorCode::UNIMPLEMENTED);
            }
        }
    }

    /// Whether the connection may ask at all, and its session lives; notes that it does.
    fn may_ask(&mut self, at: Moment, conn: ConnId, header: RequestHeader) -> bool {
        let Some(connection) = self.front.get_mut(conn) else { return false };
        let Some(session) = connection.session else { return false };
        if !connection.auth.is_admitted(&self.rules.auth) {
            let err = ErrorCode::SESSION_CLOSED_REQUIRE_SASL_AUTH;
            self.reply_unordered(conn, ReplyHeader { xid: header.xid, zxid: 0, err }, |_| {});
            self.close_after_replies(conn);
            return false;
        }
        if header.op != OpCode::Ping.code() {
            connection.counters.last_cxid = i64::from(header.xid);
        }
        let timeout_ms = connection.timeout_ms;
        let before = connection.touched;
        let touched = self.touch_mark(at, timeout_ms);
        if before == touched {
            return true;
        }
        if self.touch(at, session, timeout_ms) {
            if let Some(connection) = self.front.get_mut(conn) {
                connection.touched = touched;
            }
            return true;
        }
        // Compat: a request of a session that is no longer tracked is dropped without an answer
        // (`ZooKeeperServer.submitRequestNow`, 3.9.5); the session's end closes the connection.
        debug!(%session, "request dropped: the session is gone");
        false
    }

    fn write(&mut self, at: Moment, conn: ConnId, xid: i32, op: OpCode, body: &[u8]) {
        let Some(session) = self.front.get(conn).and_then(|connection| connection.session) else {
            return;
        };
        // A write is understood in full before it goes any further: forwarded to a Java leader, a
        // malformed one would stop every write of the ensemble. (A malformed multi is harmless
        // there, takes a zxid, and so goes the usual way.)
        if op != OpCode::Multi && check_write_body(op, body).is_err() {
            let header = RequestHeader { xid, op: op.code() };
            return self.refuse(at, conn, header, ErrorCode::MARSHALLING_ERROR);
        }
        let waiting = Waiting::Write { xid, op: op.code(), since_ms: at.now.0 };
        self.hold(conn, waiting, b"");
        if op == OpCode::CloseSession
            && let Some(connection) = self.front.get_mut(conn)
        {
            connection.phase = Phase::Leaving;
        }
        self.submit(at, Origin::Local(conn), session, xid, op, body);
    }

    /// A sync where this server learns: the leader says when everything before it is here.
    fn sync(&mut self, at: Moment, conn: ConnId, xid: i32, frame: &[u8]) {
        let Some(session) = self.front.get(conn).and_then(|connection| connection.session) else {
            return;
        };
        self.hold(conn, Waiting::Sync { length: frame.len(), since_ms: at.now.0 }, frame);
        let body = &frame[RequestHeader::BYTES..];
        self.forward(Origin::Local(conn), session, xid, OpCode::Sync, body);
    }

    fn hold(&mut self, conn: ConnId, waiting: Waiting, bytes: &[u8]) {
        if let Some(connection) = self.front.get_mut(conn) {
            connection.held.push(waiting, bytes);
            self.outstanding += 1;
        }
    }

    /// Whether something of this connection waits, so that what comes next must wait too (M4).
    fn must_wait(&self, conn: ConnId) -> bool {
        self.front.get(conn).is_some_and(|connection| !connection.held.is_empty())
    }

    /// Carries a local request out, now or once it is its turn.
    fn local(&mut self, at: Moment, conn: ConnId, frame: &[u8]) {
        let since_ms = at.now.0;
        if self.must_wait(conn) {
            self.hold(conn, Waiting::Local { length: frame.len(), since_ms }, frame);
        } else {
            self.answer_locally(at, conn, frame, since_ms);
        }
    }

    /// Refuses a request in its turn.
    fn refuse(&mut self, at: Moment, conn: ConnId, header: RequestHeader, error: ErrorCode) {
        let (xid, since_ms) = (header.xid, at.now.0);
        if self.must_wait(conn) {
            let waiting = Waiting::Refused { xid, op: header.op, error: error.0, since_ms };
            self.hold(conn, waiting, b"");
        } else {
            self.answer_refused(at, conn, xid, error, since_ms);
        }
    }

    fn answer_refused(
        &mut self,
        at: Moment,
        conn: ConnId,
        xid: i32,
        err: ErrorCode,
        since_ms: u64,
    ) {
        // Compat: an op that no client may send is answered with zxid -1, and then the connection
        // ends (`PrepRequestProcessor` and `FinalRequestProcessor`, 3.9.5).
        let is_last = err == ErrorCode::UNIMPLEMENTED;
        let zxid = if is_last { -1 } else { self.db.last_zxid().0 };
        self.reply_unordered(conn, ReplyHeader { xid, zxid, err }, |_| {});
        self.answered(at, conn, since_ms, zxid, OpCode::Error.code());
        if is_last {
            self.close_after_replies(conn);
        }
    }

    /// Executes a read, a ping, or a sync whose time has come.
    fn answer_locally(&mut self, at: Moment, conn: ConnId, frame: &[u8], since_ms: u64) {
        let mut reader = Reader::new(frame);
        let Ok(header) = RequestHeader::decode(&mut reader) else { return };
        let Some(op) = OpCode::from_code(header.op) else { return };
        let zxid = self.db.last_zxid().0;
        match op {
            OpCode::SetWatches | OpCode::SetWatches2 => {
                self.set_watches(conn, header.xid, op, reader.rest());
            }
            _ => self.read(conn, header.xid, op, reader.rest()),
        }
        self.answered(at, conn, since_ms, zxid, op.code());
    }

    fn read(&mut self, conn: ConnId, xid: i32, op: OpCode, body: &[u8]) {
        let Some(connection) = self.front.get(conn) else { return };
        let auth = Rc::clone(&connection.auth);
        let asker = Asker {
            conn,
            session: connection.session.unwrap_or_default(),
            ids: auth.ids(),
            rules: &self.rules.acl,
            auth: &self.rules.auth,
        };
        // Compat: a ping is answered with xid -2 whatever it was sent with (3.9.5).
        let xid = if op == OpCode::Ping { xid::PING } else { xid };
        let zxid = self.db.last_zxid().0;
        let Some(out) = self.front.out(conn) else { return };
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        ReplyHeader { xid, zxid, err: ErrorCode::OK }.encode(out);
        let err = self.db.read(&mut self.watches, &asker, op, body, out);
        if err != ErrorCode::OK {
            Writer(out).patch_int(start + 4 + ReplyHeader::BYTES - 4, err.0);
        }
        patch_length(out, start);
        let length = out.len() - start - 4;
        self.metrics.client_response_bytes.set(length);
    }

    /// Events that are due stand before the reply.
    fn set_watches(&mut self, conn: ConnId, xid: i32, op: OpCode, body: &[u8]) {
        let zxid = self.db.last_zxid().0;
        let Some(out) = self.front.out(conn) else { return };
        let mut tell = |event: &crate::wire::WatcherEvent<'_>| {
            let start = out.len();
            out.extend_from_slice(&[0; 4]);
            event.encode(out);
            patch_length(out, start);
        };
        let err = self.db.set_watches(&mut self.watches, conn, op, body, &mut tell);
        reply_to(out, ReplyHeader { xid, zxid, err }, |_| {});
    }

    fn authenticate(&mut self, conn: ConnId, xid: i32, body: &[u8]) {
        let Ok(packet) = AuthPacket::decode(&mut Reader::new(body)) else {
            return self.close_now(conn);
        };
        let Some(connection) = self.front.get_mut(conn) else { return };
        let proved = Rc::make_mut(&mut connection.auth).prove(&packet, &self.rules.auth);
        let err = proved.err().unwrap_or(ErrorCode::OK);
        if err != ErrorCode::OK {
            let peer = connection.peer;
            info!(%peer, scheme = packet.scheme.as_deref(), "connection closed: authentication failed");
            self.metrics.auth_failed_count += 1;
        }
        self.reply_unordered(conn, ReplyHeader { xid, zxid: 0, err }, |_| {});
        if err != ErrorCode::OK {
            self.close_after_replies(conn);
        }
    }

    /// Compat: without a JAAS configuration a SASL packet is answered with a null token and the
    /// connection stays; one without a token ends it (`ZooKeeperServer.processSasl`, 3.9.5).
    fn answer_sasl(&mut self, conn: ConnId, xid: i32, body: &[u8]) {
        if !matches!(Reader::new(body).buffer("token"), Ok(Some(_))) {
            return self.close_now(conn);
        }
        let header = ReplyHeader { xid, zxid: 0, err: ErrorCode::OK };
        self.reply_unordered(conn, header, |out| Writer(out).buffer(None));
    }

    fn reply_unordered(
        &mut self,
        conn: ConnId,
        header: ReplyHeader,
        body: impl FnOnce(&mut Vec<u8>),
    ) {
        if let Some(out) = self.front.out(conn) {
            reply_to(out, header, body);
        }
    }

    /// Notes an answered request.
    pub(super) fn answered(&mut self, at: Moment, conn: ConnId, since_ms: u64, zxid: i64, op: i32) {
        if let Some(connection) = self.front.get_mut(conn) {
            note_answer(&mut self.metrics, connection, at, since_ms, zxid, op);
        }
    }

    /// Answers what has come to the head of a connection's queue and can be answered now.
    pub(super) fn advance(&mut self, at: Moment, conn: ConnId) {
        let mut frame = std::mem::take(&mut self.frame);
        while let Some(connection) = self.front.get_mut(conn) {
            if !connection.held.is_ready() {
                break;
            }
            let Some(waiting) = connection.held.pop(&mut frame) else { break };
            self.outstanding -= 1;
            match waiting {
                Waiting::Local { since_ms, .. } | Waiting::Sync { since_ms, .. } => {
                    self.answer_locally(at, conn, &frame, since_ms);
                }
                Waiting::Refused { xid, error, since_ms, .. } => {
                    self.answer_refused(at, conn, xid, ErrorCode(error), since_ms);
                }
                Waiting::Write { .. } => {}
            }
        }
        self.frame = frame;
    }
}
