//! The road of a write up to its proposal: prepared here where this server leads, forwarded where
//! it learns.
//!
//! Not here: what a txn is (`prep`), what happens when it commits (`commit`).

use std::rc::Rc;

use tracing::warn;

use super::{Member, Moment};
use crate::auth::Identity;
use crate::prep;
use crate::session::Owner;
use crate::watch::ConnId;
use crate::wire::{AuthId, OpCode, SessionId};

/// Where a write came from: who must be told, and who may speak for the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A connection of this server.
    Local(ConnId),
    /// A learner, by the link it came on.
    Learner(ringkeeper_engine::replica::LearnerId),
    /// This server itself: an expired session, an empty container.
    Server,
}

impl Member {
    /// Sends a write on its way.
    pub(super) fn submit(
        &mut self,
        at: Moment,
        origin: Origin,
        session: SessionId,
        cxid: i32,
        op: OpCode,
        body: &[u8],
    ) {
        if self.role.is_learner() {
            self.forward(origin, session, cxid, op, body);
        } else {
            let auth = self.auth_of(origin);
            let ids = auth.as_deref().map_or(&[][..], Identity::ids);
            self.propose(at, origin, session, cxid, op, body, ids);
        }
    }

    fn auth_of(&self, origin: Origin) -> Option<Rc<Identity>> {
        match origin {
            Origin::Local(conn) => {
                self.front.get(conn).map(|connection| Rc::clone(&connection.auth))
            }
            Origin::Learner(_) | Origin::Server => None,
        }
    }

    /// Hands a write of a local client to the leader.
    pub(super) fn forward(
        &mut self,
        origin: Origin,
        session: SessionId,
        cxid: i32,
        op: OpCode,
        body: &[u8],
    ) {
        let auth = self.auth_of(origin);
        let ids = auth.as_deref().map_or(&[][..], Identity::ids);
        let ids = ids.iter().map(|id| (id.scheme.as_str(), id.id.as_str()));
        self.replica.forward((session.0, cxid, op.code()), body, ids);
        if let (Origin::Local(conn), OpCode::Sync) = (origin, op) {
            self.syncs.push_back(conn);
        }
    }

    /// Prepares a write against the tree and what is under way, and proposes the txn.
    #[expect(clippy::too_many_arguments, reason = "a request is these seven things")]
    pub(super) fn propose(
        &mut self,
        at: Moment,
        origin: Origin,
        session: SessionId,
        cxid: i32,
        op: OpCode,
        body: &[u8],
        auth: &[AuthId],
    ) {
        let Some(tracker) = &mut self.tracker else {
            warn!(%session, %op, "dropped: this server does not lead");
            return;
        };
        let origin = match origin {
            Origin::Local(_) => prep::Origin::Client(Owner::Local),
            Origin::Learner(learner) => prep::Origin::Client(Owner::Learner(learner.link.0)),
            Origin::Server => prep::Origin::Server,
        };
        let request = prep::Request { session, cxid, op, body, ids: auth, origin };
        let (prep, view) = (&mut self.prep, self.db.view());
        let mut length = 0;
        let proposed = self.replica.propose(|zxid, out| {
            let start = out.len();
            let moment = prep::Moment { zxid, wall_ms: at.wall_ms, now: at.now };
            prep.prepare(&view, tracker, &request, moment, out);
            length = out.len() - start;
        });
        match proposed {
            Some(_) => {
                self.metrics.proposal_count += 1;
                self.metrics.proposal_bytes.set(length);
            }
            None => warn!(%session, %op, "dropped: the epoch's zxids are used up"),
        }
    }
}
