//! Election connections: who dials whom, first messages, frames out of arbitrary pieces.
//!
//! Between two servers there is one connection, and the one with the larger id dials it. A server
//! that wants to talk to a larger one dials too, says its greeting and closes: that asks the other
//! to dial back (`QuorumCnxManager`). So for each peer there is at most one open link, at most one
//! dial on its way, and after a greeting to a larger peer a while in which it may dial back.
//!
//! Invariants:
//! - L1. An open link to a smaller peer was dialled by us, one to a larger peer by it.
//! - L2. Nothing is reserved from a length that was read; a link holds one unfinished message at
//!   most, and of links without a greeting or to strangers there are few (`limits`).
//! - L3. A link that was closed here is forgotten at once: late events of it change nothing.
//!
//! Deviation from ZooKeeper: members are dialled at the addresses of our own ensemble, not at those
//! they announce, so that a greeting cannot lead us astray. Strangers are dialled back where they
//! say, because there is no other way to answer a server that is about to join.
//!
//! Not here: what is sent when (`election`), the bytes (`greeting`, `notification`).

use std::collections::{BTreeMap, BTreeSet};

use crate::election::frames::{Inbound, whole_frames};
use crate::election::greeting::Greeting;
use crate::election::{ElectionCounters, ElectionEffect, Views};
use crate::ids::{LinkId, LinkIds, ServerId};
use crate::limits::{ELECTION_GREETINGS_MAX, ELECTION_STRANGERS_MAX};
use crate::quorum::Address;
use crate::time::Millis;

/// After a dial that failed, the next one to the same peer comes no sooner, doubling up to
/// `REDIAL_MS_MAX`. A link that lived longer than that is redialled at once.
const REDIAL_MS_MIN: u64 = 100;
const REDIAL_MS_MAX: u64 = 2_000;

/// How long a larger peer may take to dial back before it is asked again.
const DIAL_BACK_MS: u64 = 1_000;

/// How long an accepted link may take to say who it is; ZooKeeper's `cnxTimeout`.
const GREETING_MS: u64 = 5_000;

/// A greeting from a smaller peer that arrives this soon after our own link to it opened has
/// crossed our dial: the link is good. Later it means that the peer has lost the link.
const CROSSING_MS: u64 = 250;

#[derive(Debug)]
enum Link {
    Dialing { to: ServerId },
    Greeting { until: Millis, inbox: Vec<u8> },
    Open { peer: ServerId, since: Millis, inbox: Vec<u8> },
}

#[derive(Debug, Default)]
struct Peer {
    open: Option<LinkId>,
    dialing: Option<LinkId>,
    /// It was asked to dial back and has until then.
    dial_back_until: Option<Millis>,
    redial_at: Option<Millis>,
    redial_ms: u64,
    /// Where it said it listens; used for strangers only.
    announced: Vec<Address>,
}

#[derive(Debug)]
pub(super) struct Links {
    me: ServerId,
    greeting: Vec<u8>,
    ids: LinkIds,
    links: BTreeMap<LinkId, Link>,
    peers: BTreeMap<ServerId, Peer>,
    pub(super) counters: ElectionCounters,
}

type Out<'a> = &'a mut Vec<ElectionEffect>;

impl Links {
    pub(super) fn new(me: ServerId, greeting: Vec<u8>, ids: LinkIds) -> Self {
        let (links, peers) = (BTreeMap::new(), BTreeMap::new());
        Self { me, greeting, ids, links, peers, counters: ElectionCounters::default() }
    }

    /// Where a message to the peer can go now.
    pub(super) fn open(&self, peer: ServerId) -> Option<LinkId> {
        self.peers.get(&peer)?.open
    }

    /// Whether the peer may still be heard: it has a link, or is about to have one. One whose dial
    /// was refused, or whose link has closed, is not until the next dial.
    pub(super) fn is_reachable(&self, peer: ServerId) -> bool {
        self.peers.get(&peer).is_some_and(|peer| {
            peer.open.is_some() || peer.dialing.is_some() || peer.dial_back_until.is_some()
        })
    }

    /// Dials the peer unless a link is open or on its way. Every dial ends in `up` or `closed`.
    pub(super) fn dial(&mut self, to: ServerId, views: &Views, out: Out<'_>) {
        let peer = self.peers.entry(to).or_default();
        if peer.open.is_some() || peer.dialing.is_some() {
            return;
        }
        let known = views.election_addresses(to);
        let addresses = if known.is_empty() { peer.announced.clone() } else { known.to_vec() };
        if addresses.is_empty() {
            return;
        }
        let link = self.ids.allocate();
        peer.dialing = Some(link);
        peer.dial_back_until = None;
        peer.redial_at = None;
        self.links.insert(link, Link::Dialing { to });
        out.push(ElectionEffect::Dial { link, to, addresses });
    }

    /// Dials those of `wanted` whose time has come.
    pub(super) fn redial(
        &mut self,
        now: Millis,
        wanted: &BTreeSet<ServerId>,
        views: &Views,
        out: Out<'_>,
    ) {
        for &to in wanted {
            let due = self.peers.get(&to).and_then(|peer| peer.redial_at);
            if due.is_some_and(|at| at <= now) {
                self.dial(to, views, out);
            }
        }
    }

    /// Ends the waits that are over: for greetings, and for peers to dial back.
    pub(super) fn tick(&mut self, now: Millis, out: Out<'_>) {
        let is_late = |(&link, state): (&LinkId, &Link)| match state {
            Link::Greeting { until, .. } if *until <= now => Some(link),
            _ => None,
        };
        let late: Vec<LinkId> = self.links.iter().filter_map(is_late).collect();
        for link in late {
            self.counters.links_refused += 1;
            self.close(link, out);
        }
        for peer in self.peers.values_mut() {
            if peer.dial_back_until.is_some_and(|until| until <= now) {
                peer.dial_back_until = None;
            }
        }
    }

    /// When `tick` has something to do, or `redial` for those of `wanted`.
    pub(super) fn deadline(&self, wanted: &BTreeSet<ServerId>) -> Option<Millis> {
        let greetings = self.links.values().filter_map(|link| match link {
            Link::Greeting { until, .. } => Some(*until),
            _ => None,
        });
        let dials = wanted.iter().filter_map(|peer| self.peers.get(peer));
        let dials = dials.flat_map(|peer| [peer.redial_at, peer.dial_back_until]).flatten();
        greetings.chain(dials).min()
    }

    /// A dial has succeeded (`dialed`) or a connection was accepted. Returns the peer whose link is
    /// open by that.
    pub(super) fn up(
        &mut self,
        now: Millis,
        link: LinkId,
        dialed: Option<ServerId>,
        out: Out<'_>,
    ) -> Option<ServerId> {
        if dialed.is_none() {
            self.accept(now, link, out);
            return None;
        }
        let Some(&Link::Dialing { to }) = self.links.get(&link) else { return None };
        out.push(ElectionEffect::Send { link, bytes: self.greeting.clone() });
        let peer = self.peers.entry(to).or_default();
        peer.dialing = None;
        if to > self.me {
            // L1. The greeting asks it to dial back; this connection has done its work.
            peer.dial_back_until = Some(now + DIAL_BACK_MS);
            peer.redial_at = Some(now + DIAL_BACK_MS.max(peer.redial_ms));
            self.close(link, out);
            return None;
        }
        peer.open = Some(link);
        self.links.insert(link, Link::Open { peer: to, since: now, inbox: Vec::new() });
        Some(to)
    }

    fn accept(&mut self, now: Millis, link: LinkId, out: Out<'_>) {
        let is_waiting = |link: &&Link| matches!(link, Link::Greeting { .. });
        if self.links.values().filter(is_waiting).count() >= ELECTION_GREETINGS_MAX {
            self.counters.links_refused += 1;
            out.push(ElectionEffect::Close { link });
            return;
        }
        let waiting = Link::Greeting { until: now + GREETING_MS, inbox: Vec::new() };
        self.links.insert(link, waiting);
    }

    /// Bytes have come, in whatever pieces. Returns the whole messages among them, once it is known
    /// from whom they are.
    pub(super) fn receive(
        &mut self,
        now: Millis,
        link: LinkId,
        bytes: &[u8],
        views: &Views,
        out: Out<'_>,
    ) -> Option<Inbound> {
        let mut is_new = false;
        if let Link::Greeting { inbox, .. } = self.links.get_mut(&link)? {
            inbox.extend_from_slice(bytes);
            match Greeting::decode(inbox) {
                Ok(None) => return None,
                Ok(Some((greeting, used))) => {
                    let rest = inbox.split_off(used);
                    if !self.admit(now, link, greeting, rest, views, out) {
                        return None;
                    }
                    is_new = true;
                }
                Err(error) => {
                    tracing::info!(?link, %error, "an election connection began wrongly");
                    self.counters.links_refused += 1;
                    self.close(link, out);
                    return None;
                }
            }
        } else if let Link::Open { inbox, .. } = self.links.get_mut(&link)? {
            inbox.extend_from_slice(bytes);
        }
        let Some(Link::Open { peer, inbox, .. }) = self.links.get_mut(&link) else { return None };
        let peer = *peer;
        let (whole, is_good) = whole_frames(inbox);
        let frames: Vec<u8> = inbox.drain(..whole).collect();
        if !is_good {
            tracing::info!(?peer, "an election message of a length that cannot be");
            self.counters.links_refused += 1;
            self.close(link, out);
            self.lose(now, link, peer, now, views);
        }
        Some(Inbound { peer, is_new, frames })
    }

    /// Decides on an accepted link whose greeting has come; true if it is open by that.
    fn admit(
        &mut self,
        now: Millis,
        link: LinkId,
        greeting: Greeting,
        rest: Vec<u8>,
        views: &Views,
        out: Out<'_>,
    ) -> bool {
        let from = greeting.from;
        let is_sid = from != self.me && (0..i64::MAX).contains(&from.0);
        let is_crowded = !views.is_member(from)
            && !self.peers.contains_key(&from)
            && self.strangers(views) >= ELECTION_STRANGERS_MAX;
        if !is_sid || is_crowded {
            tracing::info!(?from, "an election connection that is not taken");
            self.counters.links_refused += 1;
            self.close(link, out);
            return false;
        }
        if from < self.me {
            self.close(link, out);
            self.dial_back(now, from, greeting.addresses, views, out);
            return false;
        }
        let peer = self.peers.entry(from).or_default();
        let old = [peer.open.replace(link), peer.dialing.take()];
        peer.dial_back_until = None;
        peer.redial_at = None;
        for old in old.into_iter().flatten() {
            self.close(old, out);
        }
        self.links.insert(link, Link::Open { peer: from, since: now, inbox: rest });
        true
    }

    fn dial_back(
        &mut self,
        now: Millis,
        to: ServerId,
        announced: Vec<Address>,
        views: &Views,
        out: Out<'_>,
    ) {
        if announced.is_empty() && !views.is_member(to) {
            return;
        }
        let peer = self.peers.entry(to).or_default();
        peer.announced = announced;
        if let Some(open) = peer.open {
            match self.links.get(&open) {
                Some(Link::Open { since, .. }) if now.since(*since) < CROSSING_MS => return,
                _ => {}
            }
            peer.open = None;
            self.close(open, out);
        }
        self.dial(to, views, out);
    }

    fn strangers(&self, views: &Views) -> usize {
        self.peers.keys().filter(|&&peer| !views.is_member(peer)).count()
    }

    /// The world says that the link is no more, or that a dial has failed.
    pub(super) fn closed(&mut self, now: Millis, link: LinkId, views: &Views) {
        match self.links.remove(&link) {
            Some(Link::Dialing { to }) => self.lose(now, link, to, now, views),
            Some(Link::Open { peer, since, .. }) => self.lose(now, link, peer, since, views),
            Some(Link::Greeting { .. }) | None => {}
        }
    }

    /// What a lost link, open since `since`, means for its peer. Strangers are forgotten.
    fn lose(&mut self, now: Millis, link: LinkId, id: ServerId, since: Millis, views: &Views) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        for slot in [&mut peer.open, &mut peer.dialing] {
            *slot = slot.filter(|&current| current != link);
        }
        if peer.open.is_some() {
            return;
        }
        if now.since(since) >= REDIAL_MS_MAX {
            peer.redial_ms = 0;
            peer.redial_at = Some(now);
        } else {
            peer.redial_ms = (peer.redial_ms * 2).clamp(REDIAL_MS_MIN, REDIAL_MS_MAX);
            peer.redial_at = Some(now + peer.redial_ms);
        }
        if !views.is_member(id) {
            self.peers.remove(&id);
        }
    }

    fn close(&mut self, link: LinkId, out: Out<'_>) {
        self.links.remove(&link);
        out.push(ElectionEffect::Close { link });
    }
}
