//! One server's part in elections: round, links and timers tied together.
//!
//! Invariants:
//! - V1. What a settled server says is the vote that ended its election, with the epoch it serves.
//! - V2. A decision leaves only after our own vote for it has been handed out: the others need it.
//! - V3. Nothing is answered that is an answer: only voters answer, and only who looks and does not
//!   count for us already, or has only begun to look and so has not counted us. Else two servers
//!   could keep each other talking without end.
//! - V4. Same calls, same effects: peers are served in ascending order.
//!
//! Not here: how votes are counted (`round`), when an election ends (argued in `election`).

use std::collections::BTreeSet;

use crate::election::frames::Inbound;
use crate::election::greeting::Greeting;
use crate::election::links::Links;
use crate::election::notification::Notification;
use crate::election::round::{Heard, Round};
use crate::election::{ServerState, Views, Vote};
use crate::ids::{LinkId, LinkIds, ServerId};
use crate::quorum::{Address, Ensemble};
use crate::time::Millis;
use crate::zxid::{Epoch, Zxid};

/// How long a quorum waits for reachable voters that have not voted as it did.
pub const FINALIZE_MS: u64 = 200;

#[derive(Debug)]
pub struct ElectionOptions {
    pub me: ServerId,
    pub ensemble: Ensemble,
    /// Numbers for the links that election dials; nobody else gives the same.
    pub link_ids: LinkIds,
    /// Announce all of our addresses (`multiAddress.enabled`), not the first alone.
    pub announce_all_addresses: bool,
    /// The first and the longest pause before a vote that nobody answered is repeated
    /// (`fastleader.minNotificationInterval`, `maxNotificationInterval`).
    pub notification_ms_min: u64,
    pub notification_ms_max: u64,
}

impl ElectionOptions {
    /// ZooKeeper's defaults.
    pub fn new(me: ServerId, ensemble: Ensemble, link_ids: LinkIds) -> Self {
        Self {
            me,
            ensemble,
            link_ids,
            announce_all_addresses: false,
            notification_ms_min: 200,
            notification_ms_max: 60_000,
        }
    }
}

/// What an election asks the world to do, in this order.
#[derive(Debug, PartialEq, Eq)]
pub enum ElectionEffect {
    /// Connect to the first of `addresses` that answers. Ends in `on_link_up` with `dialed`, in
    /// `on_closed`, or in a `Close` before either.
    Dial { link: LinkId, to: ServerId, addresses: Vec<Address> },
    /// In one write.
    Send { link: LinkId, bytes: Vec<u8> },
    /// After what was sent has left. Nothing needs to be reported about the link afterwards.
    Close { link: LinkId },
    /// The election is over. `zxid` is the one the leader was elected with; `leads` whether it says
    /// that it leads already, and not only those who look that it shall.
    Decided { leader: ServerId, zxid: Zxid, state: ServerState, leads: bool },
    /// A peer shows an ensemble of a higher version than ours while we look for a leader. Who
    /// believes it calls `set_ensembles`; nothing has changed yet.
    NewerEnsemble { from: ServerId, ensemble: Ensemble },
}

/// What was refused, for metrics.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct ElectionCounters {
    /// Connections ended for a bad first message, a bad frame, or because there were too many.
    pub links_refused: u64,
    /// Messages that could not be read.
    pub messages_refused: u64,
    /// Votes not counted: for no voter, or with an epoch or round out of bounds.
    pub votes_refused: u64,
}

#[derive(Debug)]
pub struct Election {
    me: ServerId,
    views: Views,
    /// The text of the ensemble as every message carries it.
    config: Vec<u8>,
    state: ServerState,
    /// The vote that ended the last election, meaningful unless looking.
    vote: Vote,
    round: Round,
    links: Links,
    /// Who has to hear our newest vote at the end of this step.
    due: BTreeSet<ServerId>,
    /// Observers and strangers that have asked while we were looking ourselves.
    askers: BTreeSet<ServerId>,
    /// Those who elected this server and have not gone over to another since.
    supporters: BTreeSet<ServerId>,
    finalize_at: Option<Millis>,
    /// When our vote is repeated to everybody: some moment while a round is under way, else none.
    repeat_at: Option<Millis>,
    repeat_ms: u64,
    notification_ms_min: u64,
    notification_ms_max: u64,
}

impl Election {
    /// A server that neither looks nor knows a leader yet. `look` begins, best before the first
    /// link: until then messages are read and dropped.
    pub fn new(options: ElectionOptions) -> Self {
        let me = options.me;
        let own = options.ensemble.member(me).map_or(&[][..], |member| &member.election);
        let greeting = Greeting::encode(me, own, options.announce_all_addresses);
        let round = Round::new(me);
        Self {
            me,
            config: options.ensemble.to_text().into_bytes(),
            views: Views::new(options.ensemble),
            state: ServerState::Looking,
            vote: round.proposal(),
            round,
            links: Links::new(me, greeting, options.link_ids),
            due: BTreeSet::new(),
            askers: BTreeSet::new(),
            supporters: BTreeSet::new(),
            finalize_at: None,
            repeat_at: None,
            repeat_ms: options.notification_ms_min,
            notification_ms_min: options.notification_ms_min.max(1),
            notification_ms_max: options.notification_ms_max.max(1),
        }
    }

    pub fn state(&self) -> ServerState {
        self.state
    }

    /// What this server tells others now.
    pub fn vote(&self) -> Vote {
        if self.is_looking() { self.round.proposal() } else { self.vote }
    }

    pub fn counters(&self) -> ElectionCounters {
        self.links.counters
    }

    pub fn ensemble(&self) -> &Ensemble {
        self.views.current()
    }

    /// Starts a round with the last durable zxid and the current epoch of this server. A server
    /// that may not vote brings `Zxid(-1)`: it can only join.
    pub fn look(
        &mut self,
        now: Millis,
        (zxid, epoch): (Zxid, Epoch),
        out: &mut Vec<ElectionEffect>,
    ) {
        self.state = ServerState::Looking;
        self.round.begin(&self.views, zxid, epoch);
        self.repeat_ms = self.notification_ms_min;
        for voter in self.others() {
            self.links.dial(now, voter, &self.views, out);
        }
        self.tell_everybody(now);
        self.finish(now, out);
    }

    /// The replica follows, leads or observes in `epoch` (synchronization is complete): from here
    /// on servers that come late see that epoch in our vote.
    pub fn settled(&mut self, state: ServerState, epoch: Epoch) {
        assert!(!self.is_looking() && state != ServerState::Looking, "V1: settled while looking");
        self.state = state;
        self.vote.epoch = epoch;
    }

    /// The ensemble has changed, or one is about to (`last_seen`, of a higher version). A server
    /// that looks starts over where members differ.
    pub fn set_ensembles(
        &mut self,
        now: Millis,
        ensemble: Ensemble,
        last_seen: Option<Ensemble>,
        out: &mut Vec<ElectionEffect>,
    ) {
        let is_same = ensemble.same_members(self.views.current());
        self.config = ensemble.to_text().into_bytes();
        self.views = Views::new(ensemble);
        self.views.set_last_seen(last_seen);
        if self.is_looking() && !is_same {
            self.look(now, self.round.brought(), out);
        }
    }

    /// A dial of ours has succeeded (`dialed`), or a peer has connected.
    pub fn on_link_up(
        &mut self,
        now: Millis,
        link: LinkId,
        dialed: Option<ServerId>,
        out: &mut Vec<ElectionEffect>,
    ) {
        if let Some(peer) = self.links.up(now, link, dialed, out) {
            self.welcome(peer);
        }
        self.finish(now, out);
    }

    /// Bytes have come, in pieces of any size.
    pub fn on_received(
        &mut self,
        now: Millis,
        link: LinkId,
        bytes: &[u8],
        out: &mut Vec<ElectionEffect>,
    ) {
        let inbound = self.links.receive(now, link, bytes, &self.views, out);
        // Before the first round there is nothing to answer with and nothing to count for.
        if let Some(inbound) = inbound.filter(|_| self.round.number() > 0) {
            self.hear_all(now, &inbound, out);
        }
        self.finish(now, out);
    }

    /// The link is gone, or a dial has failed. Returns the peer whose open link it was.
    pub fn on_closed(
        &mut self,
        now: Millis,
        link: LinkId,
        out: &mut Vec<ElectionEffect>,
    ) -> Option<ServerId> {
        let lost = self.links.closed(now, link, &self.views);
        self.finish(now, out);
        lost
    }

    pub fn tick(&mut self, now: Millis, out: &mut Vec<ElectionEffect>) {
        self.links.tick(now, &self.views, out);
        if self.repeat_at.is_some_and(|at| at <= now) {
            self.repeat_ms = (self.repeat_ms * 2).min(self.notification_ms_max);
            self.tell_everybody(now);
        }
        self.finish(now, out);
    }

    /// When `tick` must come at the latest.
    pub fn deadline(&self) -> Option<Millis> {
        let wanted = if self.is_looking() { self.others() } else { BTreeSet::new() };
        let links = self.links.deadline(&wanted);
        [self.finalize_at, self.repeat_at, links].into_iter().flatten().min()
    }

    /// Elected here, but so many voters have said since that they vote for somebody else that the
    /// rest is no quorum: nobody is going to come.
    pub fn is_deserted(&self) -> bool {
        let stays = |voter| voter == self.me || self.supporters.contains(&voter);
        self.state == ServerState::Leading && !self.ensemble().is_quorum(stays)
    }

    /// Whether a round is under way.
    fn is_looking(&self) -> bool {
        self.repeat_at.is_some()
    }

    fn others(&self) -> BTreeSet<ServerId> {
        let mut voters = self.views.voters();
        voters.remove(&self.me);
        voters
    }

    fn tell_everybody(&mut self, now: Millis) {
        self.due = self.others();
        self.repeat_at = Some(now + self.repeat_ms);
    }

    /// Things are moving: servers that answered just now may answer otherwise in a moment, so this
    /// one asks again after the first pause, however long it has been looking.
    fn repeat_soon(&mut self, now: Millis) {
        self.repeat_ms = self.notification_ms_min;
        let soon = now + self.repeat_ms;
        self.repeat_at = self.repeat_at.map(|at| at.min(soon));
    }

    /// A link has opened: while looking, its peer has to hear our vote. Settled servers wait to be
    /// asked.
    fn welcome(&mut self, peer: ServerId) {
        if self.is_looking() && self.views.is_voter(peer) {
            self.due.insert(peer);
        }
    }

    fn hear_all(&mut self, now: Millis, inbound: &Inbound, out: &mut Vec<ElectionEffect>) {
        if inbound.is_new {
            self.welcome(inbound.peer);
        }
        for payload in inbound.payloads() {
            match Notification::decode(payload) {
                Ok(notification) => self.hear(now, inbound.peer, &notification, out),
                Err(error) => {
                    tracing::debug!(from = ?inbound.peer, %error, "a notification is dropped");
                    self.links.counters.messages_refused += 1;
                }
            }
        }
    }

    fn hear(
        &mut self,
        now: Millis,
        from: ServerId,
        n: &Notification<'_>,
        out: &mut Vec<ElectionEffect>,
    ) {
        if self.is_looking() {
            self.look_at_ensemble(from, n.config, out);
        }
        let asks = n.state == ServerState::Looking && self.views.is_voter(self.me);
        if !self.is_looking() {
            if asks {
                self.due.insert(from);
            }
            if n.vote.leader == self.me {
                self.supporters.insert(from);
            } else {
                self.supporters.remove(&from);
            }
            return;
        }
        if !self.views.is_voter(from) {
            if asks {
                self.askers.insert(from);
            }
            return;
        }
        let has_just_begun = n.state == ServerState::Looking && self.round.unsettle(from);
        if asks && (has_just_begun || n.vote.round < self.round.number()) {
            self.due.insert(from);
        }
        match self.round.hear(&self.views, from, n) {
            Heard::Nothing => {}
            Heard::News => self.repeat_soon(now),
            Heard::Changed => {
                self.finalize_at = None;
                self.repeat_ms = self.notification_ms_min;
                self.tell_everybody(now);
            }
            Heard::Joined(vote) => self.decide(vote, true, out),
            Heard::Refused => {
                tracing::debug!(?from, vote = ?n.vote, "a vote is not counted");
                self.links.counters.votes_refused += 1;
            }
        }
    }

    fn look_at_ensemble(&self, from: ServerId, config: &[u8], out: &mut Vec<ElectionEffect>) {
        if config.is_empty() || config == self.config {
            return;
        }
        let ensemble = std::str::from_utf8(config).ok().and_then(|text| Ensemble::parse(text).ok());
        if let Some(ensemble) = ensemble.filter(|e| e.version() > self.ensemble().version()) {
            out.push(ElectionEffect::NewerEnsemble { from, ensemble });
        }
    }

    /// Every step ends here: peers that are wanted are dialled, what is due leaves, and the
    /// election ends if it can.
    fn finish(&mut self, now: Millis, out: &mut Vec<ElectionEffect>) {
        if self.is_looking() {
            self.links.redial(now, &self.others(), &self.views, out);
            self.weigh(now, out);
        }
        self.flush(out);
    }

    /// Ends the election where nothing more can come, or where enough time has been given to it.
    fn weigh(&mut self, now: Millis, out: &mut Vec<ElectionEffect>) {
        if !self.round.has_quorum(&self.views) {
            self.finalize_at = None;
            return;
        }
        let may_differ =
            |voter| self.links.is_reachable(voter) && self.round.lacks(&self.views, voter);
        let is_open = self.others().into_iter().any(may_differ);
        let finalize_at = *self.finalize_at.get_or_insert(now + FINALIZE_MS);
        if !is_open || finalize_at <= now {
            self.decide(self.round.proposal(), false, out);
        }
    }

    fn decide(&mut self, vote: Vote, leads: bool, out: &mut Vec<ElectionEffect>) {
        self.flush(out);
        self.supporters =
            self.views.voters().into_iter().filter(|voter| self.round.agrees(*voter)).collect();
        self.round.end(vote);
        self.vote = vote;
        self.finalize_at = None;
        self.repeat_at = None;
        self.state = if vote.leader == self.me {
            ServerState::Leading
        } else if self.views.is_voter(self.me) {
            ServerState::Following
        } else {
            ServerState::Observing
        };
        self.due = std::mem::take(&mut self.askers);
        let Vote { leader, zxid, .. } = vote;
        out.push(ElectionEffect::Decided { leader, zxid, state: self.state, leads });
    }

    /// V4. Sends our newest vote to those who are due and have a link. The others hear it when
    /// their link opens.
    fn flush(&mut self, out: &mut Vec<ElectionEffect>) {
        let due = std::mem::take(&mut self.due);
        let links: Vec<LinkId> = due.into_iter().filter_map(|peer| self.links.open(peer)).collect();
        if links.is_empty() {
            return;
        }
        let mut bytes = Vec::new();
        Notification::new(self.state, self.vote(), &self.config).encode(&mut bytes);
        for link in links {
            out.push(ElectionEffect::Send { link, bytes: bytes.clone() });
        }
    }
}
