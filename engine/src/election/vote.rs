//! A vote, the states of a server, and when two ballots say the same.
//!
//! Not here: which of two votes wins (`round`, it needs the weights); bytes (`notification`).

use crate::ids::ServerId;
use crate::zxid::{Epoch, Zxid};

/// What a server says it does. The numbers are the wire's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerState {
    Looking = 0,
    Following = 1,
    Leading = 2,
    Observing = 3,
}

impl ServerState {
    pub fn from_code(code: i32) -> Option<Self> {
        match code {
            0 => Some(Self::Looking),
            1 => Some(Self::Following),
            2 => Some(Self::Leading),
            3 => Some(Self::Observing),
            _ => None,
        }
    }

    pub fn code(self) -> i32 {
        self as i32
    }
}

/// A proposal of a leader: who, the last zxid and the peer epoch it was proposed with, and the
/// round (`electionEpoch`) it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vote {
    pub leader: ServerId,
    pub zxid: Zxid,
    pub epoch: Epoch,
    pub round: i64,
}

/// A vote as it is counted: with the state of the server that cast it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ballot {
    pub(super) vote: Vote,
    pub(super) state: ServerState,
    /// Whether the message was of a version that carries a trustworthy peer epoch.
    pub(super) has_version: bool,
}

impl Ballot {
    /// Whether both name the same reign.
    ///
    /// Compat: votes of the election must agree in everything; votes of servers that have settled
    /// keep the zxid and round of whatever election they took part in, so leader and epoch decide,
    /// and the leader alone where one side is of version 0 (`Vote.equals`, 3.9.5; ZOOKEEPER-1732,
    /// 1805).
    pub(super) fn agrees(&self, other: &Self) -> bool {
        if self.state == ServerState::Looking || other.state == ServerState::Looking {
            return self.vote == other.vote;
        }
        let same_epoch = self.vote.epoch == other.vote.epoch;
        self.vote.leader == other.vote.leader
            && (same_epoch || self.has_version != other.has_version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ballot(state: ServerState, zxid: i64, epoch: i64, has_version: bool) -> Ballot {
        let vote = Vote { leader: ServerId(2), zxid: Zxid(zxid), epoch: Epoch(epoch), round: zxid };
        Ballot { vote, state, has_version }
    }

    #[test]
    fn ballots_of_the_election_agree_in_all_four_fields_or_not() {
        let looking = ballot(ServerState::Looking, 1, 1, true);
        assert!(looking.agrees(&ballot(ServerState::Looking, 1, 1, false)));
        assert!(looking.agrees(&ballot(ServerState::Following, 1, 1, true)));
        assert!(!looking.agrees(&ballot(ServerState::Following, 2, 1, true)));
        assert!(!looking.agrees(&ballot(ServerState::Looking, 1, 2, true)));
    }

    #[test]
    fn settled_ballots_agree_by_leader_and_epoch() {
        let leading = ballot(ServerState::Leading, 1, 4, true);
        assert!(leading.agrees(&ballot(ServerState::Following, 9, 4, true)));
        assert!(!leading.agrees(&ballot(ServerState::Following, 1, 3, true)));
        assert!(leading.agrees(&ballot(ServerState::Following, 1, 3, false)));
        assert!(!ballot(ServerState::Leading, 1, 4, false).agrees(&ballot(
            ServerState::Following,
            1,
            3,
            false
        )));
    }
}
