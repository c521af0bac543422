//! What a replica says of itself, for operators.

use super::Replica;
use super::road::Role;
use crate::ids::ServerId;
use crate::zab::ground::Levellings;
use crate::zxid::{Epoch, Zxid};

/// What this server is for its clients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Looking,
    Following,
    Leading,
    Observing,
    Standalone,
}

/// One moment of a replica.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Status {
    pub state: State,
    /// The role serves clients.
    pub is_serving: bool,
    pub leader: Option<ServerId>,
    pub epoch: Epoch,
    pub appended: Zxid,
    pub durable: Zxid,
    pub decided: Zxid,
    pub applied: Zxid,
    /// Acknowledged txns were lost here and are not yet fetched again.
    pub is_damaged: bool,
}

/// A learner, as its leader knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LearnerStatus {
    pub server: ServerId,
    pub follows: bool,
    /// Its ACKs count.
    pub votes: bool,
    pub is_live: bool,
    pub acked: Zxid,
    pub sent: Zxid,
}

impl Replica {
    pub fn status(&self) -> Status {
        let me = self.constants.me;
        let current = self.log.superblock().current_epoch;
        let (state, is_serving, leader, epoch) = match &self.role {
            Role::Leader(leader) => {
                (State::Leading, leader.is_reigning(), Some(me), leader.epoch())
            }
            Role::Learner(learner) => {
                let state = match learner.rank() {
                    crate::zab::learner::Rank::Follower => State::Following,
                    crate::zab::learner::Rank::Observer => State::Observing,
                };
                (state, learner.is_live(), Some(learner.leader()), learner.epoch())
            }
            Role::Standalone(standalone) => (State::Standalone, true, None, standalone.epoch()),
            Role::Looking | Role::Leaving | Role::Ended => (State::Looking, false, None, current),
        };
        Status {
            state,
            is_serving,
            leader,
            epoch,
            appended: self.log.appended(),
            durable: self.log.durable(),
            decided: self.decided(),
            applied: self.applied,
            is_damaged: !self.log.may_vote(),
        }
    }

    /// How learners were brought level since this was last asked.
    pub fn take_levellings(&mut self) -> Levellings {
        std::mem::take(&mut self.levellings)
    }

    /// Leader: everybody that is connected, in the order they came.
    pub fn learners(&self) -> impl Iterator<Item = LearnerStatus> {
        let leader = match &self.role {
            Role::Leader(leader) => Some(leader),
            _ => None,
        };
        leader.into_iter().flat_map(|leader| leader.peers()).map(|peer| LearnerStatus {
            server: peer.server,
            follows: peer.follows,
            votes: peer.votes,
            is_live: peer.is_live(),
            acked: peer.acked,
            sent: peer.sent,
        })
    }
}
