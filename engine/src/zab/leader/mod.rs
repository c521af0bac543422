//! The leader's share: an epoch that a quorum promised, everybody brought level, then proposals
//! out, ACKs in, commits out.
//!
//! ```text
//! Discovery -> Promising -> Levelling -> Reigning
//! FOLLOWERINFO LEADERINFO   plan, history
//!              ACKEPOCH     NEWLEADER, ACK  UPTODATE, PROPOSAL, ACK, COMMIT
//! ```
//! A learner that comes late walks the same road alone, while the others go on.
//!
//! Invariants, asserted where they could break:
//! - D1. A proposal is decided when a quorum has it durable; our own disk is one vote (law 2).
//! - D2. Zxids are decided in order, so one watermark a learner says it all.
//! - D3. NEWLEADER is the last packet of a synchronization and follows all that was decided when
//!   the synchronization was planned.
//! - D4. A learner is a place in the order of proposals, never a queue of its own: what it has not
//!   been sent costs nothing.
//! - D5. A reign begins when its leader follows its epoch durably, as a quorum does.
//!
//! Here: the phases, the clock, the links. Not here: `discovery`, `synchronization`, `broadcast`,
//! one learner's state (`peer`).

mod broadcast;
mod discovery;
mod peer;
mod synchronization;

use std::collections::BTreeMap;
use std::mem;

use super::ground::{Constants, Fault, Ground};
use super::packets::{Kind, Packet};
use super::{Effect, LearnerId, Leave, PeerError};
use crate::ids::{LinkId, ServerId};
use crate::limits::LEARNERS_MAX;
use crate::log::Durable;
use crate::time::Millis;
use crate::zxid::{Epoch, Zxid};

pub use broadcast::check_size;
pub use peer::{Peer, Stage};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Phase {
    /// Waiting for a quorum's accepted epochs.
    Discovery,
    /// The epoch is fixed; waiting for a quorum to promise it.
    Promising,
    /// Waiting for a quorum to be level.
    Levelling,
    Reigning,
}

pub struct Leader {
    phase: Phase,
    /// When the phase must be over.
    phase_until: Millis,
    /// The epoch we open; the accepted one before it is fixed.
    epoch: Epoch,
    /// Our own current epoch and last zxid when we were elected: nobody who promises may be ahead.
    summary: (Epoch, Zxid),
    peers: BTreeMap<LinkId, Peer>,
    /// The end of the history we began with: decided as soon as a quorum has it.
    began_with: Zxid,
    decided: Zxid,
    announced: Zxid,
    durable: Zxid,
    /// Something came that may decide more.
    stirred: bool,
    tick_at: Millis,
    ping_at: Millis,
    /// For observers that bring no id.
    next_anonymous: i64,
    counter_spent: bool,
    /// Whoever lacks something before this is sent a snapshot, although the log has it: it could
    /// not be read. Segments behind a snapshot are not looked at when a server starts.
    readable_from: Zxid,
    /// The epoch is promised by a quorum and not yet stored as the one we follow.
    owes_epoch: bool,
}

impl Leader {
    /// Begins to lead. The log must be quiet.
    pub fn begin(ground: &mut Ground<'_>) -> Result<Self, Fault> {
        assert!(ground.log.is_quiet(), "law 3: the log still moves");
        let superblock = ground.log.superblock();
        let timing = ground.constants.timing;
        let last = ground.log.appended();
        let mut leader = Self {
            phase: Phase::Discovery,
            phase_until: ground.now + timing.init_ms(),
            epoch: superblock.accepted_epoch,
            summary: (superblock.current_epoch, last),
            peers: BTreeMap::new(),
            began_with: last,
            decided: Zxid::ZERO,
            announced: *ground.applied,
            durable: ground.log.durable(),
            stirred: false,
            tick_at: ground.now + timing.tick_ms,
            ping_at: ground.now + timing.tick_ms / 2,
            next_anonymous: -1,
            counter_spent: false,
            readable_from: Zxid::ZERO,
            owes_epoch: false,
        };
        leader.fix_epoch(ground)?;
        Ok(leader)
    }

    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub fn is_reigning(&self) -> bool {
        self.phase == Phase::Reigning
    }

    /// What is decided. Before the reign: what will be when it begins.
    pub fn decided(&self) -> Zxid {
        if self.is_reigning() { self.decided } else { self.began_with }
    }

    pub fn peers(&self) -> impl Iterator<Item = &Peer> {
        self.peers.values()
    }

    pub fn on_link_up(&mut self, link: LinkId, ground: &mut Ground<'_>) {
        if self.peers.len() >= LEARNERS_MAX {
            return ground.close(link);
        }
        let patience = ground.constants.timing.init_ms();
        self.peers.insert(link, Peer::new(link, ground.now + patience, ground.buffers.take()));
    }

    pub fn on_closed(&mut self, link: LinkId, ground: &mut Ground<'_>) {
        if let Some(peer) = self.peers.remove(&link) {
            self.mourn(peer, ground);
        }
    }

    /// A learner that broke the protocol, or that we cannot serve.
    fn drop_peer(&mut self, link: LinkId, error: &PeerError, ground: &mut Ground<'_>) {
        if let Some(mut peer) = self.peers.remove(&link) {
            tracing::warn!(server = %peer.server, ?link, "learner dropped: {error}");
            if let PeerError::Damaged { .. } = error {
                let snapshot = ground.log.superblock().snapshot.unwrap_or_default();
                self.readable_from = self.readable_from.max(snapshot);
            }
            peer.send(ground);
            ground.close(link);
            self.mourn(peer, ground);
        }
    }

    fn mourn(&mut self, peer: Peer, ground: &mut Ground<'_>) {
        if peer.stage == Stage::Live {
            let learner = LearnerId { link: peer.link, server: peer.server };
            ground.out.push(Effect::LearnerGone { learner });
        }
        ground.buffers.give(peer.outbox);
    }

    pub fn on_bytes(
        &mut self,
        link: LinkId,
        bytes: &[u8],
        ground: &mut Ground<'_>,
    ) -> Result<(), Fault> {
        let Some(peer) = self.peers.get_mut(&link) else { return Ok(()) };
        let mut reader = mem::take(&mut peer.reader);
        let mut input = bytes;
        let result = loop {
            match reader.next(&mut input) {
                Ok(Some(packet)) => {
                    if let Err(fault) = self.on_packet(link, &packet, ground) {
                        break Err(fault);
                    }
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(Fault::Peer(error)),
            }
        };
        if let Some(peer) = self.peers.get_mut(&link) {
            peer.reader = reader;
            peer.hand_over_requests(ground);
        }
        match result {
            Err(Fault::Peer(error)) => {
                self.drop_peer(link, &error, ground);
                Ok(())
            }
            other => other,
        }
    }

    fn on_packet(
        &mut self,
        link: LinkId,
        packet: &Packet<'_>,
        ground: &mut Ground<'_>,
    ) -> Result<(), Fault> {
        let Some(peer) = self.peers.get_mut(&link) else { return Ok(()) };
        let timing = ground.constants.timing;
        let is_level = matches!(peer.stage, Stage::Levelled | Stage::Live);
        let patience = if is_level { timing.sync_ms() } else { timing.init_ms() };
        peer.silent_until = ground.now + patience;
        match peer.stage {
            Stage::Live => peer.on_live(packet, ground, &mut self.stirred),
            Stage::Greeting => self.on_info(link, packet, ground),
            Stage::Promising => self.on_ack_epoch(link, packet, ground),
            Stage::Told => self.on_new_leader_ack(link, packet, ground),
            // Compat: an answer to a PING that crossed with UPTODATE is no reason to part.
            Stage::Levelled if matches!(packet.kind(), Some(Kind::Ping | Kind::Ack)) => Ok(()),
            Stage::Introduced | Stage::Promised | Stage::Levelling | Stage::Levelled => {
                Err(PeerError::Unexpected { code: packet.code, awaited: "silence" }.into())
            }
        }
    }

    pub fn on_unsent(&mut self, link: LinkId, bytes: usize, ground: &Ground<'_>) {
        if let Some(peer) = self.peers.get_mut(&link) {
            if bytes < peer.unsent && peer.stage == Stage::Levelling {
                // A long snapshot on its way is not silence.
                let patience = ground.constants.timing.init_ms();
                peer.silent_until = ground.now + patience;
                if self.phase == Phase::Levelling {
                    self.phase_until = ground.now + patience;
                }
            }
            peer.unsent = bytes;
        }
    }

    /// Our own disk has more: one vote.
    pub fn on_durable(&mut self, durable: &Durable) {
        self.durable = durable.zxid();
        self.stirred = true;
    }

    pub fn on_tick(&mut self, ground: &mut Ground<'_>) -> Result<(), Fault> {
        self.follow_epoch(ground)?;
        let tick_ms = ground.constants.timing.tick_ms;
        if ground.now >= self.tick_at {
            let stalled = ground.now.since(self.tick_at);
            self.tick_at = ground.now + tick_ms;
            if stalled > tick_ms {
                // We slept, not they: what they said meanwhile is still to be read.
                self.phase_until = self.phase_until + stalled;
                for peer in self.peers.values_mut() {
                    peer.excuse(stalled);
                }
            }
            self.check_peers(ground);
            self.check_quorum(ground)?;
        }
        if ground.now >= self.ping_at {
            self.ping_at = ground.now + tick_ms / 2;
            let proposed = self.proposed(ground);
            for peer in self.peers.values_mut() {
                peer.ping(proposed);
            }
        }
        Ok(())
    }

    /// Drops learners that are silent, or that leave a proposal without its ACK for too long.
    fn check_peers(&mut self, ground: &mut Ground<'_>) {
        let sync_ms = ground.constants.timing.sync_ms();
        let late: Vec<LinkId> = self
            .peers
            .values()
            .filter(|peer| peer.is_late(ground.now, sync_ms))
            .map(|peer| peer.link)
            .collect();
        for link in late {
            self.drop_peer(link, &PeerError::Late, ground);
        }
    }

    /// A leader without a quorum of level voters stops within a tick.
    fn check_quorum(&self, ground: &Ground<'_>) -> Result<(), Fault> {
        if self.is_reigning() {
            if !self.quorum_of(ground.constants, |peer| peer.stage >= Stage::Levelled) {
                return Err(Fault::Leave(Leave::QuorumLost));
            }
        } else if ground.now >= self.phase_until {
            return Err(Fault::Leave(Leave::NoQuorumCame));
        }
        Ok(())
    }

    pub fn deadline(&self) -> Millis {
        if self.owes_epoch { Millis(0) } else { self.tick_at.min(self.ping_at) }
    }

    /// Whether we and the voting peers for which `has` holds suffice.
    fn quorum_of(&self, constants: &Constants, has: impl Fn(&Peer) -> bool) -> bool {
        constants.ensemble.is_quorum(|server: ServerId| {
            server == constants.me
                || self.peers.values().any(|p| p.server == server && p.votes && has(p))
        })
    }

    /// Everything that gathered in this turn: what is decided, then what each learner is due. The
    /// caller hands the log's own writes out after this, so that replication leaves first.
    pub fn end_turn(&mut self, ground: &mut Ground<'_>) -> Result<(), Fault> {
        if self.counter_spent {
            return Err(Fault::Leave(Leave::CounterSpent));
        }
        self.decide(ground);
        let mut failed = None;
        let (decided, epoch) = (self.decided(), self.epoch);
        for peer in self.peers.values_mut() {
            if let Err(error) = peer.advance(decided, epoch, ground) {
                failed = Some((peer.link, error));
            }
            peer.send(ground);
        }
        if let Some((link, error)) = failed {
            self.drop_peer(link, &error, ground);
        }
        if self.is_reigning() {
            ground.commit(&mut self.announced, self.decided);
        }
        Ok(())
    }
}
