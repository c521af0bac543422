//! The replica changes sides: who may be served, who counts time.
//!
//! Not here: how a role is won or lost (`engine::replica`).

use ringkeeper_engine::ids::ServerId;
use ringkeeper_engine::replica::Leave;
use ringkeeper_engine::zxid::Epoch;
use tracing::info;

use super::{Member, Moment};
use crate::session::{Touches, Tracker};

/// What this server is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// No leader is known; nobody is served.
    Looking,
    /// Alone: leads itself.
    Standalone,
    Leading {
        epoch: Epoch,
    },
    Following {
        leader: ServerId,
        epoch: Epoch,
    },
    Observing {
        leader: ServerId,
        epoch: Epoch,
    },
}

impl Role {
    pub fn serves(self) -> bool {
        self != Self::Looking
    }

    pub fn leads(self) -> bool {
        matches!(self, Self::Standalone | Self::Leading { .. })
    }

    pub fn is_learner(self) -> bool {
        matches!(self, Self::Following { .. } | Self::Observing { .. })
    }
}

impl Member {
    /// Nobody is served any more: every client connection ends, the tree stays. Where nobody was
    /// served before, those who wait for a leader go on.
    pub(super) fn looking(&mut self, at: Moment, why: &Leave) {
        info!(%why, was = ?self.role, "LOOKING: nobody is served until there is a leader");
        let has_served = self.role.serves();
        self.role = Role::Looking;
        self.tracker = None;
        self.prep.clear();
        self.syncs.clear();
        self.touches = Touches::default();
        self.metrics.looking_count += 1;
        if has_served {
            let all: Vec<_> = self.front.ids().collect();
            for conn in all {
                self.close_now(conn);
            }
            self.waiting.begin(at.now);
        }
        assert_eq!(self.outstanding, 0, "nothing is under way without connections");
    }

    /// This server decides from here on: it counts every session's time anew, in full, because
    /// nobody knows which of them were heard while there was no leader.
    pub(super) fn leading(&mut self, at: Moment, role: Role) {
        self.db.remove_orphans();
        let mut tracker = Tracker::new(self.options.config.timing.tick_ms, at.now);
        for (session, timeout_ms) in self.db.sessions() {
            tracker.track(at.now, *session, *timeout_ms);
        }
        info!(?role, zxid = %self.db.last_zxid(), sessions = tracker.len(), "serving");
        self.tracker = Some(tracker);
        self.serving_since = at.now;
        self.prep.clear();
        self.role = role;
        self.note_level();
        self.next_reap = at.now + self.options.config.tree.container_check_interval_ms;
        self.admit_waiting(at);
    }

    pub(super) fn learning(&mut self, at: Moment, role: Role) {
        info!(?role, zxid = %self.db.last_zxid(), "serving");
        self.tracker = None;
        self.role = role;
        self.note_level();
        self.admit_waiting(at);
    }
}
