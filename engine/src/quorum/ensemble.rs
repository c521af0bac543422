//! The members of an ensemble and its quorums.
//!
//! Without groups a quorum is more than half of the voters. With groups a group is won by more than
//! half of its weight, and a quorum is more than half of the groups that have weight at all
//! (`QuorumHierarchical`).
//!
//! Invariants, held by the only ways to make one (`Ensemble::parse`, `Ensemble::from_entries`):
//! - E1. At least one member is a participant.
//! - E2. With groups, every participant is in exactly one and every member of a group has a weight.
//! - E3. Weights lie in `0..=WEIGHT_MAX` and members number `ENSEMBLE_SERVERS_MAX` at most, so that
//!   no sum overflows.
//!
//! Not here: the text (`text`).

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::ServerId;
use crate::limits::{ENSEMBLE_SERVERS_MAX, WEIGHT_MAX};
use crate::quorum::Address;

/// Whether a member's vote counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Participant,
    Observer,
}

/// One `server.N` line. `quorum` and `election` have one address for each host the server has, in
/// the same order, and at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub quorum: Vec<Address>,
    pub election: Vec<Address>,
    pub role: Role,
    /// Only what the line itself says: a `clientPort` elsewhere in zoo.cfg is not part of the
    /// ensemble's text.
    pub client: Option<Address>,
}

/// Who belongs to the ensemble. Equality includes the version; `same_members` leaves it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ensemble {
    pub(super) members: BTreeMap<ServerId, Member>,
    pub(super) groups: BTreeMap<i64, BTreeSet<ServerId>>,
    pub(super) weights: BTreeMap<ServerId, i64>,
    pub(super) version: i64,
}

const _: () = assert!((ENSEMBLE_SERVERS_MAX as i64).checked_mul(WEIGHT_MAX).is_some(), "E3");

impl Ensemble {
    /// One server that has no peers, and so no ports for them.
    pub fn alone(server: ServerId) -> Self {
        let role = Role::Participant;
        let member = Member { quorum: Vec::new(), election: Vec::new(), role, client: None };
        Self {
            members: BTreeMap::from([(server, member)]),
            groups: BTreeMap::new(),
            weights: BTreeMap::new(),
            version: 0,
        }
    }

    pub fn members(&self) -> &BTreeMap<ServerId, Member> {
        &self.members
    }

    pub fn member(&self, server: ServerId) -> Option<&Member> {
        self.members.get(&server)
    }

    /// The version of the text: 0 until a reconfiguration, then the zxid that made it.
    pub fn version(&self) -> i64 {
        self.version
    }

    pub fn set_version(&mut self, version: i64) {
        self.version = version;
    }

    pub fn is_hierarchical(&self) -> bool {
        !self.groups.is_empty()
    }

    pub fn is_voter(&self, server: ServerId) -> bool {
        self.member(server).is_some_and(|member| member.role == Role::Participant)
    }

    /// The participants, in ascending order.
    pub fn voters(&self) -> impl Iterator<Item = ServerId> {
        let is_voter = |(_, member): &(&ServerId, &Member)| member.role == Role::Participant;
        self.members.iter().filter(is_voter).map(|(&server, _)| server)
    }

    /// What the server's vote weighs; 0 for whoever has none. A server without weight never leads.
    pub fn weight(&self, server: ServerId) -> i64 {
        if !self.is_voter(server) {
            0
        } else if self.is_hierarchical() {
            self.weights.get(&server).copied().unwrap_or(0)
        } else {
            1
        }
    }

    /// Whether the voters for which `has` holds suffice. Others are never asked about.
    pub fn is_quorum(&self, has: impl Fn(ServerId) -> bool) -> bool {
        if self.is_hierarchical() {
            return self.is_hierarchical_quorum(has);
        }
        let half = self.voters().count() / 2;
        self.voters().filter(|&voter| has(voter)).count() > half
    }

    fn is_hierarchical_quorum(&self, has: impl Fn(ServerId) -> bool) -> bool {
        let mut groups_with_weight = 0;
        let mut groups_won = 0;
        for group in self.groups.values() {
            // Observers that are listed in a group weigh in its total, as in ZooKeeper.
            let of = |server: &ServerId| self.weights.get(server).copied().unwrap_or(0);
            let total: i64 = group.iter().map(of).sum();
            let voted = |server: &&ServerId| self.is_voter(**server) && has(**server);
            let weight: i64 = group.iter().filter(voted).map(of).sum();
            groups_with_weight += usize::from(total > 0);
            groups_won += usize::from(weight > total / 2);
        }
        groups_won > groups_with_weight / 2
    }

    /// Whether both name the same servers, groups and weights, whatever their versions.
    pub fn same_members(&self, other: &Self) -> bool {
        self.members == other.members
            && self.groups == other.groups
            && self.weights == other.weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ensemble(extra: &str, voters: i64, observers: i64) -> Ensemble {
        let mut text = String::new();
        for sid in 1..=voters + observers {
            let role = if sid > voters { "observer" } else { "participant" };
            text += &format!("server.{sid}=h{sid}:2888:3888:{role}\n");
        }
        Ensemble::parse(&(text + extra)).unwrap()
    }

    fn check(ensemble: &Ensemble, servers: &[i64], is_quorum: bool) {
        let has = |server: ServerId| servers.contains(&server.0);
        assert_eq!(ensemble.is_quorum(has), is_quorum, "{servers:?}");
    }

    #[test]
    fn a_majority_is_more_than_half_of_the_voters() {
        let five = ensemble("", 5, 0);
        check(&five, &[], false);
        check(&five, &[1, 2], false);
        check(&five, &[1, 2, 5], true);
        let four = ensemble("", 4, 0);
        check(&four, &[1, 2], false);
        check(&four, &[1, 2, 3], true);
        check(&ensemble("", 1, 0), &[1], true);
    }

    #[test]
    fn observers_and_strangers_never_count() {
        let three = ensemble("", 3, 2);
        check(&three, &[1, 4, 5, 9], false);
        check(&three, &[1, 2, 4], true);
        assert_eq!(three.voters().collect::<Vec<_>>(), [1, 2, 3].map(ServerId));
        assert_eq!((three.weight(ServerId(3)), three.weight(ServerId(4))), (1, 0));
    }

    #[test]
    fn a_hierarchical_quorum_wins_more_than_half_of_the_groups() {
        let nine = ensemble("group.1=1:2:3\ngroup.2=4:5:6\ngroup.3=7:8:9\n", 9, 0);
        check(&nine, &[1, 2, 4, 5], true);
        check(&nine, &[1, 4, 7], false);
        check(&nine, &[1, 2, 3, 4, 7], false);
        check(&nine, &[1, 2, 4, 8, 9], true);
    }

    #[test]
    fn groups_without_weight_do_not_count() {
        let groups = "group.1=1:2:3\ngroup.2=4:5:6\nweight.4=0\nweight.5=0\nweight.6=0\n";
        let six = ensemble(groups, 6, 0);
        check(&six, &[1, 2], true);
        check(&six, &[1, 4, 5, 6], false);
        assert_eq!((six.weight(ServerId(1)), six.weight(ServerId(4))), (1, 0));
    }

    #[test]
    fn a_heavy_server_wins_its_group_alone() {
        let three = ensemble("group.1=1:2:3\nweight.1=3\n", 3, 0);
        check(&three, &[1], true);
        check(&three, &[2, 3], false);
    }
}
