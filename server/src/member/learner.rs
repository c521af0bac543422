//! What passes between a leader and its learners besides proposals: forwarded requests, touched
//! sessions, revalidations.
//!
//! Not here: packets and links (`engine::zab`).

use std::borrow::Cow;

use ringkeeper_engine::replica::{LearnerId, Requests};
use tracing::warn;

use super::write::Origin;
use super::{Member, Moment};
use crate::session::Owner;
use crate::tree::AHEAD;
use crate::wire::{AuthId, OpCode, OpKind, SessionId};

impl Member {
    /// A learner forwards writes and syncs of its clients.
    pub(super) fn forwarded(&mut self, at: Moment, learner: LearnerId, requests: Requests) {
        let mut ids = std::mem::take(&mut self.forwarded_ids);
        let mut bodies = requests.iter().map(|request| request.body);
        for (number, request) in requests.iter().enumerate() {
            if number % AHEAD == 0 {
                self.look_ahead_of_forwarded(bodies.by_ref().take(AHEAD));
            }
            let Some(op) = OpCode::from_code(request.op) else {
                warn!(?learner, op = request.op, "a learner forwarded no op; ignored");
                continue;
            };
            if op == OpCode::Sync {
                self.replica.sync_learner(learner);
                continue;
            }
            if op.kind() != OpKind::Write && op != OpCode::CreateSession {
                warn!(?learner, %op, "a learner forwarded an op that is no write; ignored");
                continue;
            }
            refill(&mut ids, request.auth.iter());
            let (session, cxid) = (SessionId(request.session), request.cxid);
            self.propose(at, Origin::Learner(learner), session, cxid, op, request.body, &ids);
        }
        drop(bodies);
        self.forwarded_ids = ids;
        self.replica.recycle(requests.into_bytes());
    }

    /// A learner says which sessions it has heard since the last ping.
    pub(super) fn touched_elsewhere(&mut self, at: Moment, sessions: &[(i64, i32)]) {
        let Some(tracker) = &mut self.tracker else { return };
        for (session, timeout_ms) in sessions {
            tracker.touch_for(at.now, SessionId(*session), *timeout_ms);
        }
    }

    /// A learner asks whether a session that came to it is alive.
    pub(super) fn revalidate(
        &mut self,
        at: Moment,
        learner: LearnerId,
        session: SessionId,
        timeout_ms: i32,
    ) {
        // Whoever leads no more cannot say that a session is gone; the learner's link ends too.
        let Some(tracker) = &mut self.tracker else { return };
        let valid = tracker.touch_for(at.now, session, timeout_ms)
            && tracker.set_owner(session, Owner::Learner(learner.link.0));
        if valid && let Some(conn) = self.front.of_session(session) {
            // The session has moved away: what is left of it here must not speak for it.
            self.close_now(conn);
        }
        self.replica.revalidated(learner, session.0, valid);
    }

    /// The leader's answer to a revalidation.
    pub(super) fn revalidated(&mut self, at: Moment, session: SessionId, valid: bool) {
        if let Some(conn) = self.front.of_session(session) {
            self.session_ready(at, conn, session, valid);
        }
    }

    /// The leader pings: tell it which sessions were heard here.
    pub(super) fn ping_due(&mut self) {
        let touched = self.touches.drain().map(|(session, timeout_ms)| (session.0, timeout_ms));
        self.replica.answer_ping(touched);
    }

    /// What tells touches apart that end in different places: the moment the session would expire,
    /// where this server counts it; the ping that will report it, where the leader does.
    pub(super) fn touch_mark(&self, at: Moment, timeout_ms: i32) -> Option<(bool, u64)> {
        let timeout_ms = u64::try_from(timeout_ms).unwrap_or(0);
        let ends = (at.now.0 + timeout_ms) / self.options.config.timing.tick_ms;
        Some(match self.tracker {
            Some(_) => (true, ends),
            None => (false, self.touches.reports()),
        })
    }

    /// Notes that a session was heard here; false where it is no longer tracked.
    pub(super) fn touch(&mut self, at: Moment, session: SessionId, timeout_ms: i32) -> bool {
        match &mut self.tracker {
            Some(tracker) => tracker.touch(at.now, session),
            None => {
                self.touches.touch(session, timeout_ms);
                true
            }
        }
    }
}

/// Makes `ids` these, in the strings that are there.
fn refill<'a>(ids: &mut Vec<AuthId>, new: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>) {
    let mut count = 0;
    for (scheme, id) in new {
        if let Some(known) = ids.get_mut(count) {
            known.scheme.clear();
            known.scheme.push_str(&scheme);
            known.id.clear();
            known.id.push_str(&id);
        } else {
            ids.push(AuthId::new(scheme, id));
        }
        count += 1;
    }
    ids.truncate(count);
}
