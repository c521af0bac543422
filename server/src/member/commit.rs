//! What the quorum has decided: applied, told to those who watch, answered to who asked.
//!
//! The one road of apply (law 6): whatever became of a txn on its way here, it changes the tree in
//! `apply_upto` and nowhere else.
//!
//! Not here: what a txn does to the tree (`apply`), which events a change causes (`watch`).

use ringkeeper_engine::zxid::Zxid;
use tracing::debug;

use super::request::{note_answer, patch_length, reply_to};
use super::{Fatal, Member, Moment, Output};
use crate::acl::AclRules;
use crate::admin::Metrics;
use crate::apply::{Applied, Guard, Hearing, Listener, SessionChange};
use crate::frontend::{Frontend, Waiting};
use crate::tree::AHEAD;
use crate::watch::ConnId;
use crate::wire::{ErrorCode, OpCode, ReplyHeader, SessionId, WatcherEvent};

impl Member {
    /// Applies everything decided.
    pub(super) fn apply_decided(&mut self, at: Moment) {
        let upto = self.decided;
        if upto <= self.db.last_zxid() {
            return;
        }
        let mut applied = std::mem::take(&mut self.applied);
        let mut looked_at = 0;
        loop {
            if looked_at == 0 {
                looked_at = AHEAD;
                self.look_ahead_of_txns(upto);
            }
            looked_at -= 1;
            if !self.apply_next(upto, &mut applied) {
                break;
            }
            self.applied_one(at, &applied);
        }
        self.applied = applied;
        self.replica.applied(self.db.last_zxid());
    }

    /// Applies the next txn; its events are in the connections' buffers when this returns (M2).
    fn apply_next(&mut self, upto: Zxid, applied: &mut Applied) -> bool {
        let last = self.db.last_zxid();
        if last >= upto {
            return false;
        }
        let Some((zxid, payload)) = self.replica.proposals().next_payload(last) else {
            return false;
        };
        if zxid > upto {
            return false;
        }
        assert!(zxid > last, "M1: {zxid:?} applied after {last:?}");
        self.checkpoint.note(payload.len());
        let mut ears = Ears {
            front: &mut self.front,
            metrics: &mut self.metrics,
            rules: &self.rules.acl,
            scratch: &mut self.event,
        };
        let mut hearing = Hearing { watches: &mut self.watches, listener: &mut ears };
        if let Err(why) = self.db.apply(payload, Some(&mut hearing), applied) {
            self.outputs.push(Output::Fatal(Fatal::Unreadable { zxid, why }));
            return false;
        }
        true
    }

    fn applied_one(&mut self, at: Moment, applied: &Applied) {
        let header = applied.header;
        self.metrics.commit_count += 1;
        self.note_digest(at, applied);
        if self.tracker.is_some() {
            self.prep.retire(header.zxid);
        }
        if let Some(SessionChange::Created { session, timeout_ms }) = applied.session {
            self.session_opened(at, session, timeout_ms);
        }
        self.answer_write(at, header.session, applied);
        if let Some(SessionChange::Closed { session }) = applied.session {
            self.session_closed(session);
        }
    }

    fn session_opened(&mut self, at: Moment, session: SessionId, timeout_ms: i32) {
        if let Some(tracker) = &mut self.tracker {
            tracker.track(at.now, session, timeout_ms);
        }
        if let Some(conn) = self.front.of_session(session) {
            self.session_ready(at, conn, session, true);
        }
    }

    /// Answers the local connection whose oldest write this was.
    ///
    /// Matched by session and cxid against the head of the connection's queue, as
    /// `CommitProcessor` does: a txn of the same session that came through another server finds
    /// another cxid, or no write, at the head and is nobody's answer here.
    fn answer_write(&mut self, at: Moment, session: SessionId, applied: &Applied) {
        let Some(conn) = self.front.of_session(session) else { return };
        let Some(connection) = self.front.get_mut(conn) else { return };
        let Some(Waiting::Write { xid, op, since_ms }) = connection.held.first() else { return };
        if xid != applied.header.cxid {
            return;
        }
        connection.held.pop_write();
        self.outstanding -= 1;
        if applied.is_session_moved() {
            // Compat: the client is not told; its connection ends (`FinalRequestProcessor`, 3.9.5).
            debug!(%session, "connection closed: the session has moved to another server");
            return self.close_now(conn);
        }
        let header = ReplyHeader { xid, zxid: applied.header.zxid.0, err: applied.err };
        let request = OpCode::from_code(op);
        let Some(connection) = self.front.speak(conn) else { return };
        reply_to(&mut connection.out, header, |out| {
            if let Some(request) = request {
                applied.encode_reply(request, out);
            }
        });
        // Compat: a refused write leaves `NA` as the last operation (`FinalRequestProcessor`).
        let shown = if applied.err == ErrorCode::OK { op } else { OpCode::Error.code() };
        note_answer(&mut self.metrics, connection, at, since_ms, header.zxid, shown);
        if request == Some(OpCode::CloseSession) {
            self.close_after_replies(conn);
        } else if connection.held.is_ready() {
            self.advance(at, conn);
        }
    }

    /// A session ended: its connection here, if it still has one, ends without a message.
    fn session_closed(&mut self, session: SessionId) {
        if let Some(tracker) = &mut self.tracker {
            tracker.remove(session);
        }
        self.touches.forget(session);
        if let Some(conn) = self.front.of_session(session) {
            self.close_after_replies(conn);
        }
    }

    /// The leader's answer to the oldest sync of this server's clients.
    pub(super) fn synced(&mut self, at: Moment) {
        let Some(conn) = self.syncs.pop_front() else { return };
        let Some(connection) = self.front.get_mut(conn) else { return };
        connection.held.sync_arrived();
        self.advance(at, conn);
    }
}

/// The connections, as those who hear events.
struct Ears<'a> {
    front: &'a mut Frontend,
    metrics: &'a mut Metrics,
    rules: &'a AclRules,
    scratch: &'a mut Vec<u8>,
}

impl Listener for Ears<'_> {
    fn on_event(&mut self, conn: ConnId, event: &WatcherEvent<'_>, guard: &Guard<'_>) {
        let Some(connection) = self.front.get(conn) else { return };
        if !guard.permits(connection.auth.ids(), self.rules) {
            return;
        }
        self.scratch.clear();
        self.scratch.extend_from_slice(&[0; 4]);
        event.encode(self.scratch);
        patch_length(self.scratch, 0);
        if let Some(out) = self.front.out(conn) {
            out.extend_from_slice(self.scratch);
            self.metrics.packets_sent += 1;
        }
    }
}
