//! What ends by time: idle connections, silent sessions, empty containers and TTL znodes.
//!
//! Each is found through a queue ordered by deadline; nothing here scans what is not due.
//!
//! Not here: the queues (`session`, `frontend`), which znodes are candidates (`tree`).

use ringkeeper_engine::jute::Writer;
use ringkeeper_engine::time::Millis;
use tracing::{debug, info};

use super::write::Origin;
use super::{Member, Moment};
use crate::session::Tracker;
use crate::tree::{Owner, ZnodeId};
use crate::wire::{OpCode, SessionId};

impl Member {
    /// Ends what is past its time.
    pub(super) fn expire_due(&mut self, at: Moment) {
        for conn in self.front.idle_too_long(at.now) {
            if let Some(connection) = self.front.get(conn) {
                let (peer, session) = (connection.peer, connection.session);
                debug!(%peer, ?session, "connection closed: silent past its timeout");
                if session.is_none() {
                    self.metrics.sessionless_connections_expired += 1;
                }
            }
            self.close_now(conn);
        }
        // A server that stops reads nothing more: that its clients are silent is its own doing.
        if let Some(tracker) = self.tracker.as_mut().filter(|_| !self.is_stopping) {
            let mut expired = std::mem::take(&mut self.expired);
            tracker.expire(at.now, &mut expired);
            for session in expired.drain(..) {
                info!(%session, "session expired");
                self.metrics.stale_sessions_expired += 1;
                self.expire(at, session);
            }
            self.expired = expired;
        }
        if self.role.leads() && self.next_reap <= at.now {
            self.next_reap = at.now + self.options.config.tree.container_check_interval_ms;
            self.reap(at);
        }
    }

    pub(super) fn expire(&mut self, at: Moment, session: SessionId) {
        self.propose(at, Origin::Server, session, 0, OpCode::CloseSession, b"", &[]);
    }

    /// Proposes the deletion of containers and TTL znodes whose time has come. Prep looks at each
    /// again, because a child may be on its way.
    fn reap(&mut self, at: Moment) {
        for path in self.reapable(at.wall_ms) {
            debug!(%path, "deleting an empty container, or a TTL znode past its time");
            let mut body = Vec::new();
            Writer(&mut body).ustring(&path);
            let none = SessionId::NONE;
            self.propose(at, Origin::Server, none, 0, OpCode::DeleteContainer, &body, &[]);
        }
    }

    /// Containers that had children and have none, and TTL znodes without children that nobody has
    /// changed for their time to live; as many as one interval may delete.
    fn reapable(&self, wall_ms: i64) -> Vec<String> {
        let (tree, options) = (&self.db.tree, &self.options.config.tree);
        let never_used_ms = options.container_never_used_ms.map(|ms| ms as i64);
        let is_old = |id, ttl_ms| wall_ms.saturating_sub(tree.get(id).mtime) > ttl_ms;
        let is_due = |id: &ZnodeId| {
            let znode = tree.get(*id);
            let is_childless = znode.child_count == 0;
            is_childless
                && match tree.owner(*id) {
                    Owner::Container => {
                        znode.cversion > 0 || never_used_ms.is_some_and(|ms| is_old(*id, ms))
                    }
                    Owner::Ttl(ttl_ms) => is_old(*id, ttl_ms),
                    Owner::Persistent | Owner::Ephemeral(_) => false,
                }
        };
        let minutes = options.container_check_interval_ms.div_ceil(60_000).max(1);
        let most = options.container_deletes_per_minute.saturating_mul(minutes) as usize;
        let path = |id| {
            let mut path = String::new();
            tree.path_into(id, &mut path);
            path
        };
        tree.containers().chain(tree.ttl_znodes()).filter(is_due).take(most).map(path).collect()
    }

    /// When `expire_due` is worth calling again.
    pub(super) fn expiry_deadline(&self) -> Option<Millis> {
        let sessions = self.tracker.as_ref().map(Tracker::deadline);
        let reap = self.role.leads().then_some(self.next_reap);
        [self.front.idle_deadline(), sessions, reap, self.waiting.deadline()]
            .into_iter()
            .flatten()
            .min()
    }
}
