//! The ensemble in force, and the one that a reconfiguration is about to put in its place.
//!
//! Whoever votes in either is heard, and a leader needs a quorum of both: a leader that only the
//! old ensemble elected could not commit the new one (`FastLeaderElection.getVoteTracker`, 3.9.5).
//!
//! Not here: when an ensemble changes (`replica`).

use std::collections::BTreeSet;

use crate::ids::ServerId;
use crate::quorum::{Address, Ensemble};

#[derive(Debug)]
pub(super) struct Views {
    current: Ensemble,
    /// Only ever one with a higher version than `current`.
    last_seen: Option<Ensemble>,
}

impl Views {
    pub(super) fn new(current: Ensemble) -> Self {
        Self { current, last_seen: None }
    }

    pub(super) fn current(&self) -> &Ensemble {
        &self.current
    }

    /// A last seen ensemble that is not newer than the current one is no view of its own.
    pub(super) fn set_last_seen(&mut self, last_seen: Option<Ensemble>) {
        self.last_seen = last_seen.filter(|seen| seen.version() > self.current.version());
    }

    fn each(&self) -> impl Iterator<Item = &Ensemble> {
        std::iter::once(&self.current).chain(&self.last_seen)
    }

    pub(super) fn is_voter(&self, server: ServerId) -> bool {
        self.each().any(|ensemble| ensemble.is_voter(server))
    }

    pub(super) fn is_member(&self, server: ServerId) -> bool {
        self.each().any(|ensemble| ensemble.member(server).is_some())
    }

    pub(super) fn voters(&self) -> BTreeSet<ServerId> {
        self.each().flat_map(Ensemble::voters).collect()
    }

    pub(super) fn weight(&self, server: ServerId) -> i64 {
        self.each().map(|ensemble| ensemble.weight(server)).max().unwrap_or(0)
    }

    pub(super) fn is_quorum(&self, has: impl Fn(ServerId) -> bool) -> bool {
        self.each().all(|ensemble| ensemble.is_quorum(&has))
    }

    /// Where the server listens for election connections; empty for strangers.
    pub(super) fn election_addresses(&self, server: ServerId) -> &[Address] {
        let member = self.each().find_map(|ensemble| ensemble.member(server));
        member.map_or(&[], |member| &member.election)
    }
}
