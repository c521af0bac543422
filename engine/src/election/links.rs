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

/// How long a dial may take. Much shorter than TCP's patience, which after a cut is spent long
/// after the network is back.
const DIAL_MS: u64 = 2_000;

/// How long a larger peer may take to dial back before it is asked again.
const DIAL_BACK_MS: u64 = 1_000;

/// How long an accepted link may take to say who it is; ZooKeeper's `cnxTimeout`.
const GREETING_MS: u64 = 5_000;

/// A greeting from a smaller peer that arrives this soon after we dialled it, or after our link to
/// it opened, has crossed our dial: ours is good. Later it means that the peer has lost the link,
/// and that a dial that hangs had better be made anew.
const CROSSING_MS: u64 = 250;

#[derive(Debug)]
enum Link {
    Dialing { to: ServerId, since: Millis },
    Greeting { since: Millis, inbox: Vec<u8> },
    Open { peer: ServerId, since: Millis, inbox: Vec<u8> },
}

impl Link {
    fn since(&self) -> Millis {
        match self {
            Self::Dialing { since, .. } | Self::Greeting { since, .. } => *since,
            Self::Open { since, .. } => *since,
        }
    }

    /// Until when the link has to become an open one.
    fn patience(&self) -> Option<Millis> {
        match self {
            Self::Dialing { since, .. } => Some(*since + DIAL_MS),
            Self::Greeting { since, .. } => Some(*since + GREETING_MS),
            Self::Open { .. } => None,
        }
    }
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

    /// Dials the peer unless a link is open or on its way.
    pub(super) fn dial(&mut self, now: Millis, to: ServerId, views: &Views, out: Out<'_>) {
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
        self.links.insert(link, Link::Dialing { to, since: now });
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
                self.dial(now, to, views, out);
            }
        }
    }

    /// Ends the waits that are over: for greetings, for dials, and for peers to dial back.
    pub(super) fn tick(&mut self, now: Millis, views: &Views, out: Out<'_>) {
        let is_over = |link: &Link| link.patience().is_some_and(|until| until <= now);
        let over = self.links.iter().filter(|(_, link)| is_over(link));
        let over: Vec<LinkId> = over.map(|(&link, _)| link).collect();
        for link in over {
            let is_mute = matches!(self.links.get(&link), Some(Link::Greeting { .. }));
            self.counters.links_refused += u64::from(is_mute);
            out.push(ElectionEffect::Close { link });
            self.closed(now, link, views);
        }
        for peer in self.peers.values_mut() {
            if peer.dial_back_until.is_some_and(|until| until <= now) {
                peer.dial_back_until = None;
            }
        }
    }

    /// When `tick` has something to do, or `redial` for those of `wanted`.
    pub(super) fn deadline(&self, wanted: &BTreeSet<ServerId>) -> Option<Millis> {
        let links = self.links.values().filter_map(Link::patience);
        let dials = wanted.iter().filter_map(|peer| self.peers.get(peer));
        let dials = dials.flat_map(|peer| [peer.redial_at, peer.dial_back_until]).flatten();
        links.chain(dials).min()
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
        let Some(&Link::Dialing { to, .. }) = self.links.get(&link) else { return None };
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
        let waiting = Link::Greeting { since: now, inbox: Vec::new() };
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
        if let Some(link) = peer.open.or(peer.dialing) {
            let age = self.links.get(&link).map_or(u64::MAX, |link| now.since(link.since()));
            if age < CROSSING_MS {
                return;
            }
            (peer.open, peer.dialing) = (None, None);
            self.close(link, out);
        }
        self.dial(now, to, views, out);
    }

    fn strangers(&self, views: &Views) -> usize {
        self.peers.keys().filter(|&&peer| !views.is_member(peer)).count()
    }

    /// The world says that the link is no more, or that a dial has failed. Returns the peer whose
    /// open link it was.
    pub(super) fn closed(&mut self, now: Millis, link: LinkId, views: &Views) -> Option<ServerId> {
        match self.links.remove(&link)? {
            Link::Dialing { to, .. } => {
                self.lose(now, link, to, now, views);
                None
            }
            Link::Open { peer, since, .. } => {
                self.lose(now, link, peer, since, views);
                Some(peer)
            }
            Link::Greeting { .. } => None,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quorum::Ensemble;

    const NOW: Millis = Millis(1_000);

    /// The links of server 3 of five, and what they ask for.
    struct Rig {
        links: Links,
        views: Views,
        out: Vec<ElectionEffect>,
    }

    impl Rig {
        fn new() -> Self {
            let text: String = (1..=5).map(|sid| format!("server.{sid}=h{sid}:1:2\n")).collect();
            let links = Links::new(ServerId(3), b"greeting".to_vec(), LinkIds::new());
            Self { links, views: Views::new(Ensemble::parse(&text).unwrap()), out: Vec::new() }
        }

        fn dial(&mut self, to: i64) {
            self.links.dial(NOW, ServerId(to), &self.views, &mut self.out);
        }

        fn accept(&mut self, link: u64) {
            assert_eq!(self.links.up(NOW, LinkId(link), None, &mut self.out), None);
        }

        fn receive(&mut self, now: Millis, link: u64, bytes: &[u8]) -> Option<Inbound> {
            self.links.receive(now, LinkId(link), bytes, &self.views, &mut self.out)
        }

        /// Accepts a link and reads the greeting of `from` on it.
        fn greet(&mut self, now: Millis, link: u64, from: i64) -> Option<Inbound> {
            self.accept(link);
            let address = Address::new("announced", 9);
            let greeting = Greeting::encode(ServerId(from), &[address], false);
            self.receive(now, link, &greeting)
        }

        fn asked(&mut self) -> Vec<String> {
            let say = |effect| match effect {
                ElectionEffect::Dial { link, to, addresses } => {
                    format!("dial {to} at {} by {}", addresses[0], link.0)
                }
                ElectionEffect::Send { link, .. } => format!("greet {}", link.0),
                ElectionEffect::Close { link } => format!("close {}", link.0),
                other => panic!("{other:?} is not for links"),
            };
            self.out.drain(..).map(say).collect()
        }
    }

    #[test]
    fn l1_a_smaller_peer_is_dialled_and_kept_a_larger_one_greeted_and_left() {
        let mut rig = Rig::new();
        rig.dial(2);
        rig.dial(2);
        rig.dial(5);
        assert_eq!(rig.asked(), ["dial 2 at h2:2 by 1", "dial 5 at h5:2 by 3"]);
        let up = rig.links.up(NOW, LinkId(1), Some(ServerId(2)), &mut rig.out);
        assert_eq!((up, rig.links.open(ServerId(2))), (Some(ServerId(2)), Some(LinkId(1))));
        assert_eq!(rig.links.up(NOW, LinkId(3), Some(ServerId(5)), &mut rig.out), None);
        assert_eq!(rig.asked(), ["greet 1", "greet 3", "close 3"]);
        assert!(rig.links.is_reachable(ServerId(5)), "it may dial back");
        assert!(rig.greet(NOW, 2, 5).unwrap().is_new);
        assert_eq!(rig.links.open(ServerId(5)), Some(LinkId(2)));
    }

    #[test]
    fn l1_a_smaller_peers_greeting_is_answered_by_a_dial() {
        let mut rig = Rig::new();
        assert!(rig.greet(NOW, 2, 1).is_none());
        assert_eq!(rig.asked(), ["close 2", "dial 1 at h1:2 by 1"], "at the address we know");
        assert!(rig.greet(NOW, 4, 1).is_none());
        assert_eq!(rig.asked(), ["close 4"], "our dial has crossed its own");
        rig.links.up(NOW, LinkId(1), Some(ServerId(1)), &mut rig.out);
        rig.asked();
        rig.greet(NOW, 6, 1);
        assert_eq!(rig.asked(), ["close 6"], "so has a link that is this young");
        rig.greet(NOW + CROSSING_MS, 8, 1);
        assert_eq!(rig.asked(), ["close 8", "close 1", "dial 1 at h1:2 by 3"], "it lost the link");
    }

    #[test]
    fn a_larger_peer_replaces_its_link_and_our_dial() {
        let mut rig = Rig::new();
        rig.dial(5);
        rig.greet(NOW, 2, 5);
        rig.greet(NOW, 4, 5);
        assert_eq!(rig.asked(), ["dial 5 at h5:2 by 1", "close 1", "close 2"]);
        assert_eq!(rig.links.open(ServerId(5)), Some(LinkId(4)));
        assert!(rig.receive(NOW, 2, &[0, 0, 0, 1, 7]).is_none(), "L3: a closed link is forgotten");
        rig.links.closed(NOW, LinkId(2), &rig.views);
        assert_eq!(rig.links.open(ServerId(5)), Some(LinkId(4)));
    }

    #[test]
    fn a_refused_peer_is_dialled_ever_more_slowly() {
        let mut rig = Rig::new();
        let wanted = BTreeSet::from([ServerId(2)]);
        rig.dial(2);
        let (mut now, mut link, mut pauses) = (NOW, 1, Vec::new());
        for _ in 0..7 {
            assert!(rig.links.is_reachable(ServerId(2)));
            rig.links.closed(now, LinkId(link), &rig.views);
            assert!(!rig.links.is_reachable(ServerId(2)));
            let next = rig.links.deadline(&wanted).unwrap();
            pauses.push(next.since(now));
            (now, link) = (next, link + 2);
            rig.links.redial(now, &wanted, &rig.views, &mut rig.out);
        }
        assert_eq!(pauses, [100, 200, 400, 800, 1_600, 2_000, 2_000]);
        assert_eq!(rig.links.deadline(&BTreeSet::new()), Some(now + DIAL_MS));
    }

    #[test]
    fn dials_and_greetings_that_hang_are_given_up() {
        let mut rig = Rig::new();
        rig.dial(2);
        rig.accept(2);
        rig.links.tick(NOW + DIAL_MS, &rig.views, &mut rig.out);
        assert!(!rig.links.is_reachable(ServerId(2)));
        rig.links.tick(NOW + GREETING_MS, &rig.views, &mut rig.out);
        assert_eq!(rig.asked(), ["dial 2 at h2:2 by 1", "close 1", "close 2"]);
        assert_eq!(rig.links.counters.links_refused, 1);
    }

    #[test]
    fn l2_mute_links_and_strangers_are_few() {
        let mut rig = Rig::new();
        let mutes = ELECTION_GREETINGS_MAX as u64;
        (0..=mutes).for_each(|n| rig.accept(2 * n));
        assert_eq!(rig.asked(), [format!("close {}", 2 * mutes)]);

        let mut rig = Rig::new();
        for n in 0..ELECTION_STRANGERS_MAX as u64 {
            assert!(rig.greet(NOW, 2 * n, 10 + n as i64).is_some());
        }
        assert!(rig.greet(NOW, 1_000, 1_000).is_none());
        assert!(rig.greet(NOW, 1_002, 10).is_some(), "who is in may come again");
        assert!(rig.greet(NOW, 1_004, 5).is_some(), "members always may");
        rig.links.closed(NOW, LinkId(2), &rig.views);
        assert!(rig.greet(NOW, 1_006, 1_000).is_some(), "one has left");
    }

    #[test]
    fn a_smaller_stranger_is_dialled_back_where_it_says_it_is() {
        let mut rig = Rig::new();
        rig.greet(NOW, 2, 0);
        assert_eq!(rig.asked(), ["close 2", "dial 0 at announced:9 by 1"]);
        rig.links.closed(NOW, LinkId(1), &rig.views);
        assert!(!rig.links.is_reachable(ServerId(0)) && rig.links.peers.is_empty());
    }

    #[test]
    fn impossible_ids_are_turned_away() {
        for sid in [3, -1, i64::MIN, i64::MAX] {
            let mut rig = Rig::new();
            assert!(rig.greet(NOW, 2, sid).is_none());
            assert_eq!(rig.asked(), ["close 2"], "{sid}");
        }
    }

    #[test]
    fn messages_come_whole_out_of_any_pieces() {
        let greeting = Greeting::encode(ServerId(5), &[Address::new("h5", 2)], false);
        let stream = [&greeting[..], &[0, 0, 0, 2, 7, 8], &[0, 0, 0, 1, 9]].concat();
        for piece in 1..=stream.len() {
            let mut rig = Rig::new();
            rig.accept(2);
            let mut payloads: Vec<Vec<u8>> = Vec::new();
            for bytes in stream.chunks(piece) {
                if let Some(inbound) = rig.receive(NOW, 2, bytes) {
                    payloads.extend(inbound.payloads().map(<[u8]>::to_vec));
                }
            }
            assert_eq!(payloads, [vec![7, 8], vec![9]], "pieces of {piece}");
        }
    }

    #[test]
    fn a_wild_length_ends_the_link() {
        let mut rig = Rig::new();
        rig.greet(NOW, 2, 5);
        let inbound = rig.receive(NOW, 2, b"\0\0\0\x01\x07GET / HTTP/1.1\r\n").unwrap();
        assert_eq!(inbound.payloads().collect::<Vec<_>>(), [[7]], "what came before it counts");
        assert_eq!((rig.asked(), rig.links.open(ServerId(5))), (vec!["close 2".to_owned()], None));
        // Eight letters are a legacy greeting with a wild sid; the next four are no length.
        rig.accept(4);
        let inbound = rig.receive(NOW, 4, b"GET / HTTP/1.1\r\n").unwrap();
        assert_eq!((inbound.payloads().count(), rig.asked()), (0, vec!["close 4".to_owned()]));
    }
}
