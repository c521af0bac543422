//! One round of FastLeaderElection as seen by one server: its proposal, and what it has heard.
//!
//! Two tallies, as in the paper's implementation. `received` holds the votes of this round, from
//! which a new leader comes. `settled` holds what servers say that follow or lead already, of
//! whatever round, from which a late server learns whom to join.
//!
//! Invariants:
//! - R1. The round's number never falls, but for joining a reign that was elected in a lower one.
//! - R2. Within a round the proposal only improves, in the order of `is_better`.
//! - R3. Only voters are counted, each once, and only votes for voters.
//! - R4. What decides is a quorum in every view in force (`Views`), for a leader that has weight;
//!   for this server itself only if it holds what the vote says it holds.
//!
//! Not here: time, links, who has to be told (`election`).

use std::collections::{BTreeMap, BTreeSet};

use crate::election::notification::Notification;
use crate::election::vote::Ballot;
use crate::election::{ServerState, Views, Vote};
use crate::ids::ServerId;
use crate::limits::{ELECTION_ROUND_JUMP_MAX, EPOCH_JUMP_MAX};
use crate::zxid::{Epoch, Zxid};

/// What a server that may not vote reports as its zxid.
pub(super) const MAY_NOT_VOTE: Zxid = Zxid(-1);

/// What observers propose: less than anything.
const LEAST: i64 = i64::MIN;

/// What became of one notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// Counted, or of no use here.
    Nothing,
    /// A settled server says something else than before, and it is not enough to join.
    News,
    /// The proposal or the round has changed: everybody has to hear it.
    Changed,
    /// There is a leader already, and this server joins it.
    Joined(Vote),
    /// Out of bounds; not counted.
    Refused,
}

#[derive(Debug)]
pub(super) struct Round {
    me: ServerId,
    /// ZooKeeper's logical clock: 0 at the start of the process.
    number: i64,
    /// The last durable zxid and the current epoch, as they were when the round began.
    zxid: Zxid,
    epoch: Epoch,
    /// What this server would propose if it had heard nobody.
    initial: Vote,
    proposal: Vote,
    received: BTreeMap<ServerId, Ballot>,
    settled: BTreeMap<ServerId, Ballot>,
    /// Voters that look for a leader but may not vote. Nobody waits for them.
    abstaining: BTreeSet<ServerId>,
}

impl Round {
    pub(super) fn new(me: ServerId) -> Self {
        let none = Vote { leader: me, zxid: Zxid::ZERO, epoch: Epoch(0), round: 0 };
        Self {
            me,
            number: 0,
            zxid: Zxid::ZERO,
            epoch: Epoch(0),
            initial: none,
            proposal: none,
            received: BTreeMap::new(),
            settled: BTreeMap::new(),
            abstaining: BTreeSet::new(),
        }
    }

    pub(super) fn proposal(&self) -> Vote {
        self.proposal
    }

    pub(super) fn number(&self) -> i64 {
        self.number
    }

    /// The zxid and epoch that the round began with.
    pub(super) fn brought(&self) -> (Zxid, Epoch) {
        (self.zxid, self.epoch)
    }

    /// A new round with this server's own proposal: itself if it votes, else less than anything.
    pub(super) fn begin(&mut self, views: &Views, zxid: Zxid, epoch: Epoch) {
        // Saturating, because hostile peers may have pushed it far (`ELECTION_ROUND_JUMP_MAX`).
        self.number = self.number.saturating_add(1);
        self.zxid = zxid;
        self.epoch = epoch;
        let round = self.number;
        self.initial = if views.is_voter(self.me) {
            Vote { leader: self.me, zxid, epoch, round }
        } else {
            Vote { leader: ServerId(LEAST), zxid: Zxid(LEAST), epoch: Epoch(LEAST), round }
        };
        self.proposal = self.initial;
        self.forget();
    }

    /// Takes over the round in which the leader was decided and forgets the ballots.
    pub(super) fn end(&mut self, decided: Vote) {
        self.number = decided.round;
        self.forget();
    }

    fn forget(&mut self) {
        self.received.clear();
        self.settled.clear();
        self.abstaining.clear();
    }

    pub(super) fn hear(&mut self, views: &Views, from: ServerId, n: &Notification<'_>) -> Heard {
        if !views.is_voter(from) || !views.is_voter(n.vote.leader) {
            return Heard::Refused;
        }
        match n.state {
            ServerState::Looking => self.hear_looking(views, from, n),
            ServerState::Following | ServerState::Leading => self.hear_settled(views, from, n),
            ServerState::Observing => Heard::Nothing,
        }
    }

    /// The peer looks for a leader. Whether it had said in this round that it has one: then it has
    /// not counted what it was told until now.
    pub(super) fn unsettle(&mut self, from: ServerId) -> bool {
        self.settled.remove(&from).is_some()
    }

    fn hear_looking(&mut self, views: &Views, from: ServerId, n: &Notification<'_>) -> Heard {
        if n.vote.zxid == MAY_NOT_VOTE {
            self.abstaining.insert(from);
            return Heard::Nothing;
        }
        if self.zxid == MAY_NOT_VOTE || n.vote.round < self.number {
            return Heard::Nothing;
        }
        // The comparisons are with sums on our side, which cannot overflow whatever was received.
        if n.vote.epoch.0 > self.epoch.0.saturating_add(EPOCH_JUMP_MAX)
            || n.vote.round > self.number.saturating_add(ELECTION_ROUND_JUMP_MAX)
        {
            return Heard::Refused;
        }
        let before = self.proposal;
        if n.vote.round > self.number {
            self.number = n.vote.round;
            self.received.clear();
            self.initial.round = self.number;
            self.proposal = self.initial;
        }
        if is_better(views, &n.vote, &self.proposal) {
            self.proposal = n.vote;
        }
        self.abstaining.remove(&from);
        let ballot = Ballot { vote: n.vote, state: n.state, has_version: false };
        self.received.insert(from, ballot);
        if self.proposal == before { Heard::Nothing } else { Heard::Changed }
    }

    fn hear_settled(&mut self, views: &Views, from: ServerId, n: &Notification<'_>) -> Heard {
        let has_version = n.version > 0;
        let ballot = Ballot { vote: n.vote, state: n.state, has_version };
        if n.vote.round == self.number {
            // Compat: within a round the tally keeps no versions, so that settled votes of it match
            // by leader alone (`FastLeaderElection.receivedFollowingNotification`, 3.9.5).
            self.received.insert(from, Ballot { has_version: false, ..ballot });
            let own = self.own_ballot(views);
            let votes = |sid| if sid == self.me { own } else { self.received.get(&sid).copied() };
            if self.decides(views, &ballot, votes) {
                return Heard::Joined(n.vote);
            }
        }
        let before = self.settled.insert(from, ballot);
        if self.decides(views, &ballot, |sid| self.settled.get(&sid).copied()) {
            return Heard::Joined(n.vote);
        }
        if before == Some(ballot) { Heard::Nothing } else { Heard::News }
    }

    /// Whether `votes` make the leader of `ballot` one to join: a quorum names it, and it says
    /// itself that it leads.
    fn decides(
        &self,
        views: &Views,
        ballot: &Ballot,
        votes: impl Fn(ServerId) -> Option<Ballot>,
    ) -> bool {
        let leader = ballot.vote.leader;
        let leads = if leader == self.me {
            // R4. Everybody says it is this server: it led in this very round and has come back
            // before they noticed. It may go on only with all that it was elected for.
            ballot.vote.round == self.number
                && self.zxid != MAY_NOT_VOTE
                && ballot.vote.zxid <= self.zxid
        } else {
            votes(leader).is_some_and(|vote| vote.state == ServerState::Leading)
        };
        leads
            && views.weight(leader) > 0
            && views.is_quorum(|sid| votes(sid).is_some_and(|vote| vote.agrees(ballot)))
    }

    /// This server's own vote, if it has one.
    fn own_ballot(&self, views: &Views) -> Option<Ballot> {
        let may_vote = self.zxid != MAY_NOT_VOTE && views.is_voter(self.me);
        let state = ServerState::Looking;
        may_vote.then_some(Ballot { vote: self.proposal, state, has_version: false })
    }

    /// Whether a quorum has voted for the proposal.
    pub(super) fn has_quorum(&self, views: &Views) -> bool {
        let own = self.own_ballot(views).is_some();
        self.zxid != MAY_NOT_VOTE
            && views.weight(self.proposal.leader) > 0
            && views.is_quorum(|sid| if sid == self.me { own } else { self.agrees(sid) })
    }

    /// Whether the voter has yet to say what this server proposes. Once no reachable one has,
    /// waiting can change nothing.
    pub(super) fn lacks(&self, views: &Views, voter: ServerId) -> bool {
        voter != self.me
            && views.weight(voter) > 0
            && !self.abstaining.contains(&voter)
            && !self.agrees(voter)
    }

    pub(super) fn agrees(&self, voter: ServerId) -> bool {
        self.received.get(&voter).is_some_and(|ballot| ballot.vote == self.proposal)
    }
}

/// ZooKeeper's total order of votes: epoch, then zxid, then the larger id; never one without
/// weight. (`FastLeaderElection.totalOrderPredicate`.)
///
/// A server without weight gives up its own candidacy for anybody who has some. Nobody else counts
/// its vote, so this changes no outcome and saves it a round.
fn is_better(views: &Views, vote: &Vote, than: &Vote) -> bool {
    let rank = |vote: &Vote| (vote.epoch, vote.zxid, vote.leader);
    views.weight(vote.leader) > 0 && (views.weight(than.leader) == 0 || rank(vote) > rank(than))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quorum::Ensemble;

    fn views(voters: i64, extra: &str) -> Views {
        let line = |sid: i64| format!("server.{sid}=h{sid}:2888:3888\n");
        let text: String = (1..=voters).map(line).chain([extra.to_owned()]).collect();
        Views::new(Ensemble::parse(&text).unwrap())
    }

    fn round(me: i64, views: &Views, zxid: i64, epoch: i64) -> Round {
        let mut round = Round::new(ServerId(me));
        round.begin(views, Zxid(zxid), Epoch(epoch));
        round
    }

    fn said(
        state: ServerState,
        leader: i64,
        zxid: i64,
        round: i64,
        epoch: i64,
    ) -> Notification<'static> {
        let vote = Vote { leader: ServerId(leader), zxid: Zxid(zxid), epoch: Epoch(epoch), round };
        Notification::new(state, vote, b"")
    }

    fn looking(leader: i64, zxid: i64, round: i64, epoch: i64) -> Notification<'static> {
        said(ServerState::Looking, leader, zxid, round, epoch)
    }

    #[test]
    fn r2_epoch_beats_zxid_beats_id() {
        let views = views(3, "");
        let check = |n: Notification<'_>, expected| {
            assert_eq!(round(2, &views, 10, 1).hear(&views, ServerId(1), &n), expected, "{n:?}");
        };
        check(looking(1, 9, 1, 2), Heard::Changed);
        check(looking(1, 11, 1, 1), Heard::Changed);
        check(looking(3, 10, 1, 1), Heard::Changed);
        check(looking(1, 10, 1, 1), Heard::Nothing);
        check(looking(3, 99, 1, 0), Heard::Nothing);
    }

    #[test]
    fn r1_a_higher_round_clears_what_was_heard() {
        let views = views(3, "");
        let mut round = round(2, &views, 10, 1);
        round.hear(&views, ServerId(1), &looking(2, 10, 1, 1));
        assert!(round.has_quorum(&views));
        assert_eq!(round.hear(&views, ServerId(3), &looking(3, 5, 7, 1)), Heard::Changed);
        assert!(!round.has_quorum(&views));
        assert_eq!((round.number(), round.proposal().leader), (7, ServerId(2)));
        assert_eq!(round.hear(&views, ServerId(1), &looking(2, 10, 1, 1)), Heard::Nothing);
        assert!(!round.has_quorum(&views), "votes of a past round do not count");
    }

    #[test]
    fn r3_wild_epochs_rounds_and_strangers_are_refused() {
        let views = views(3, "");
        let mut round = round(2, &views, 10, 1);
        for n in [
            looking(3, 10, 1, 2 + EPOCH_JUMP_MAX),
            looking(3, 10, 1, i64::MAX),
            looking(3, 10, i64::MAX, 1),
            looking(9, 10, 1, 1),
            looking(i64::MIN, 10, 1, 1),
        ] {
            assert_eq!(round.hear(&views, ServerId(1), &n), Heard::Refused, "{n:?}");
        }
        assert_eq!(round.hear(&views, ServerId(9), &looking(3, 10, 1, 1)), Heard::Refused);
        assert_eq!(round.proposal().leader, ServerId(2));
    }

    #[test]
    fn the_clock_never_overflows() {
        let views = views(1, "");
        let mut round = round(1, &views, 10, 1);
        round.number = i64::MAX;
        round.begin(&views, Zxid(10), Epoch(1));
        assert_eq!(round.number(), i64::MAX);
    }

    #[test]
    fn a_late_server_joins_by_leader_and_epoch_whatever_the_round() {
        let views = views(3, "");
        let mut round = round(3, &views, 99, 9);
        let follows = said(ServerState::Following, 1, 3, 4, 6);
        assert_eq!(round.hear(&views, ServerId(2), &follows), Heard::News);
        let leads = said(ServerState::Leading, 1, 5, 8, 6);
        assert_eq!(round.hear(&views, ServerId(1), &leads), Heard::Joined(leads.vote));
        round.end(leads.vote);
        assert_eq!(round.number(), 8);
    }

    #[test]
    fn nobody_joins_a_leader_that_does_not_say_it_leads() {
        let views = views(3, "");
        let mut late = round(3, &views, 0, 0);
        let follows = said(ServerState::Following, 1, 3, 4, 6);
        assert_eq!(late.hear(&views, ServerId(2), &follows), Heard::News);
        assert_eq!(late.hear(&views, ServerId(1), &follows), Heard::News);
        assert_eq!(late.hear(&views, ServerId(1), &follows), Heard::Nothing, "it is known");

        let mut late = round(3, &views, 0, 0);
        assert_eq!(late.hear(&views, ServerId(2), &follows), Heard::News);
        let older = said(ServerState::Leading, 1, 3, 4, 5);
        assert_eq!(late.hear(&views, ServerId(1), &older), Heard::News, "another epoch");
    }

    #[test]
    fn r4_a_leader_that_lost_data_does_not_take_its_old_seat() {
        let views = views(3, "");
        let follows = said(ServerState::Following, 1, 3, 1, 6);
        let mut intact = round(1, &views, 4, 6);
        assert_eq!(intact.hear(&views, ServerId(2), &follows), Heard::News);
        assert_eq!(intact.hear(&views, ServerId(3), &follows), Heard::Joined(follows.vote));
        for zxid in [2, MAY_NOT_VOTE.0] {
            let mut damaged = round(1, &views, zxid, 6);
            for from in [2, 3] {
                assert_eq!(damaged.hear(&views, ServerId(from), &follows), Heard::News);
            }
        }
    }

    #[test]
    fn a_server_that_may_not_vote_is_not_counted_and_not_waited_for() {
        let views = views(3, "");
        let mut round = round(2, &views, 10, 1);
        assert!(round.lacks(&views, ServerId(3)));
        let abstains = looking(3, MAY_NOT_VOTE.0, 1, 1);
        assert_eq!(round.hear(&views, ServerId(3), &abstains), Heard::Nothing);
        assert!(!round.lacks(&views, ServerId(3)) && !round.has_quorum(&views));
        round.hear(&views, ServerId(1), &looking(2, 10, 1, 1));
        assert!(round.has_quorum(&views));

        let mut mute = self::round(3, &views, MAY_NOT_VOTE.0, 1);
        mute.hear(&views, ServerId(1), &looking(3, -1, 1, 1));
        mute.hear(&views, ServerId(2), &looking(2, 10, 1, 1));
        assert!(!mute.has_quorum(&views) && mute.proposal().leader == ServerId(3));
    }

    #[test]
    fn a_server_without_weight_never_leads_and_nobody_waits_for_it() {
        let views = views(4, "group.1=1:2:3:4\nweight.4=0\n");
        let mut round = round(1, &views, 10, 1);
        assert_eq!(round.hear(&views, ServerId(4), &looking(4, 99, 1, 9)), Heard::Nothing);
        assert_eq!(round.proposal().leader, ServerId(1));
        assert!(!round.lacks(&views, ServerId(4)) && round.lacks(&views, ServerId(3)));

        let mut light = self::round(4, &views, 99, 9);
        assert!(!light.has_quorum(&views));
        assert_eq!(light.hear(&views, ServerId(1), &looking(1, 10, 1, 1)), Heard::Changed);
        assert_eq!(light.proposal().leader, ServerId(1));
    }

    #[test]
    fn while_a_new_ensemble_is_on_its_way_both_must_agree() {
        let mut views = views(3, "");
        let next = "server.3=h3:1:2\nserver.4=h4:1:2\nserver.5=h5:1:2\nversion=7";
        views.set_last_seen(Some(Ensemble::parse(next).unwrap()));
        let mut round = round(3, &views, 10, 1);
        round.hear(&views, ServerId(1), &looking(3, 10, 1, 1));
        assert!(!round.has_quorum(&views));
        round.hear(&views, ServerId(4), &looking(3, 10, 1, 1));
        assert!(round.has_quorum(&views));
    }
}
