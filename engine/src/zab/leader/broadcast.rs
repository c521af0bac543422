//! Broadcast from the leader's side: proposals, ACKs, what is decided; and what learners ask for.
//!
//! Perf: a proposal is encoded once, and copied once, into the slab it is written, sent and applied
//! from. Learners get it at the end of the turn and in one run; a copy of it where the run is short, or
//! still gathers. What is decided is computed once a turn.

use super::{Leader, Peer};
use crate::ids::LinkId;
use crate::limits::TXN_BYTES_MAX;
use crate::log::Proposals;
use crate::zab::ground::{Fault, Ground};
use crate::zab::packets::{self, BARE, Kind, Packet};
use crate::zab::records;
use crate::zab::{Effect, LearnerId, PeerError};
use crate::zxid::Zxid;

impl Leader {
    /// The newest zxid of this reign that was given out; its counter is 0 where none was.
    pub(super) fn proposed(&self, ground: &Ground<'_>) -> Zxid {
        ground.log.proposals().last().max(Zxid::new(self.epoch, 0))
    }

    /// The zxid of the next proposal. `None` before the reign, and when the epoch's counters are
    /// used up: then the leader steps down at the end of the turn.
    pub fn next_zxid(&mut self, proposals: &Proposals) -> Option<Zxid> {
        if !self.is_reigning() {
            return None;
        }
        let next = proposals.last().max(Zxid::new(self.epoch, 0)).next();
        self.counter_spent |= next.is_none();
        next
    }

    /// D1, D2: the highest zxid that a quorum has durable.
    pub(super) fn decide(&mut self, ground: &Ground<'_>) {
        if !self.is_reigning() || !self.stirred {
            return;
        }
        self.stirred = false;
        let constants = ground.constants;
        let mut decided = self.decided;
        for mark in self.peers.values().map(|peer| peer.acked).chain([self.durable]) {
            let has = |voter| {
                let ours = voter == constants.me && self.durable >= mark;
                let holds = |p: &Peer| p.server == voter && p.votes && p.acked >= mark;
                ours || self.peers.values().any(holds)
            };
            if mark > decided && constants.ensemble.is_quorum(has) {
                decided = mark;
            }
        }
        assert!(decided <= ground.log.proposals().last().max(self.began_with), "D1: {decided:?}");
        self.decided = decided;
    }

    /// Answers a learner's client's `sync` once all that is proposed by now is decided and told.
    pub fn sync_learner(&mut self, learner: LearnerId, proposals: &Proposals) {
        if let Some(peer) = self.peers.get_mut(&learner.link) {
            peer.syncs.push_back(proposals.last());
        }
    }

    pub fn revalidated(&mut self, link: LinkId, session: i64, valid: bool) {
        if let Some(peer) = self.peers.get_mut(&link) {
            packets::write_filled(&mut peer.outbox, Kind::Revalidate, Zxid(-1), |out| {
                out.extend_from_slice(&session.to_be_bytes());
                out.push(valid.into());
            });
        }
    }
}

/// Law 11: whoever prepares a txn checks its size before.
pub fn check_size(packet: &[u8]) {
    let bytes = packet.len() - BARE;
    assert!(bytes <= TXN_BYTES_MAX, "law 11: a txn of {bytes} bytes");
}

impl Peer {
    /// A packet from a live learner.
    pub(super) fn on_live(
        &mut self,
        packet: &Packet<'_>,
        ground: &mut Ground<'_>,
        stirred: &mut bool,
    ) -> Result<(), Fault> {
        if packet.kind() == Some(Kind::Request) {
            return self.gather(packet, ground);
        }
        self.hand_over_requests(ground);
        match packet.kind() {
            // Counter 0 acknowledges NEWLEADER or UPTODATE, which were counted.
            Some(Kind::Ack) if packet.zxid.counter() != 0 && self.follows => {
                if packet.zxid > self.sent {
                    return Err(PeerError::Unknown { zxid: packet.zxid }.into());
                }
                self.on_acked(packet.zxid, ground.now);
                *stirred = true;
            }
            Some(Kind::Ping) => {
                let sessions = records::read_touched(packet);
                if !sessions.is_empty() {
                    ground.out.push(Effect::Touched { learner: self.id(), sessions });
                }
            }
            Some(Kind::Revalidate) => {
                let (session, timeout_ms) = records::read_revalidate(packet)?;
                let learner = self.id();
                ground.out.push(Effect::Revalidate { learner, session, timeout_ms });
            }
            // Compat: others are ignored (`LearnerHandler.run`, 3.9.5).
            _ => {}
        }
        Ok(())
    }

    /// Answers the syncs that waited for what is told by now; whether there were any.
    pub(super) fn answer_syncs(&mut self, decided: Zxid) -> bool {
        let before = self.syncs.len();
        while self.syncs.front().is_some_and(|&zxid| zxid <= decided && zxid <= self.told) {
            self.syncs.pop_front();
            packets::write_bare(&mut self.outbox, Kind::Sync, Zxid::ZERO);
        }
        self.syncs.len() < before
    }
}
