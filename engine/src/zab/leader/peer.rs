//! One learner as its leader sees it: how far it has come, what it was sent, what it acknowledged.
//!
//! Not here: what follows from that for the others (`discovery`, `synchronization`, `broadcast`).

use std::collections::VecDeque;
use std::mem;

use super::synchronization::Source;
use crate::ids::{LinkId, ServerId};
use crate::time::Millis;
use crate::zab::ground::{Fault, Ground};
use crate::zab::packets::{self, Kind, PacketReader};
use crate::zab::{Effect, LearnerId, Requests};
use crate::zxid::Zxid;

/// In the order in which a learner walks through them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Stage {
    /// FOLLOWERINFO or OBSERVERINFO is due.
    Greeting,
    /// It waits for the epoch to be fixed.
    Introduced,
    /// LEADERINFO sent; ACKEPOCH is due.
    Promising,
    /// It waits for a quorum to promise.
    Promised,
    /// History is on its way.
    Levelling,
    /// NEWLEADER sent; its ACK is due.
    Told,
    /// It waits for a quorum to be level.
    Levelled,
    Live,
}

#[derive(Debug)]
pub struct Peer {
    pub link: LinkId,
    pub server: ServerId,
    pub stage: Stage,
    /// It said FOLLOWERINFO: it logs and acknowledges proposals.
    pub follows: bool,
    /// It follows, and the ensemble counts it.
    pub votes: bool,
    /// It agreed to cumulative ACKs and COMMITs; so it is one of ours.
    pub cumulative: bool,
    /// The epoch it promised before it came.
    pub accepted: i64,
    /// The zxid it reported.
    pub reported: Zxid,
    /// Its promise counts.
    pub promised: bool,
    /// Sent, as proposal or INFORM.
    pub sent: Zxid,
    /// Told as decided, of what was sent.
    pub told: Zxid,
    /// Durable at the learner.
    pub acked: Zxid,
    /// NEWLEADER follows this.
    pub target: Zxid,
    pub(super) source: Source,
    pub(super) reader: PacketReader,
    pub outbox: Vec<u8>,
    /// Handed out and not yet gone.
    pub unsent: usize,
    pub silent_until: Millis,
    /// A proposal it was sent, and when we began to wait for its ACK.
    waiting: Option<(Zxid, Millis)>,
    requests: Option<Requests>,
    /// Syncs to answer once what was proposed before them is decided.
    pub(super) syncs: VecDeque<Zxid>,
}

impl Peer {
    pub fn new(link: LinkId, silent_until: Millis, outbox: Vec<u8>) -> Self {
        Self {
            link,
            server: ServerId(i64::MIN),
            stage: Stage::Greeting,
            follows: false,
            votes: false,
            cumulative: false,
            accepted: 0,
            reported: Zxid(-1),
            promised: false,
            sent: Zxid::ZERO,
            told: Zxid::ZERO,
            acked: Zxid::ZERO,
            target: Zxid::ZERO,
            source: Source::History(None),
            reader: PacketReader::default(),
            outbox,
            unsent: 0,
            silent_until,
            waiting: None,
            requests: None,
            syncs: VecDeque::new(),
        }
    }

    pub fn id(&self) -> LearnerId {
        LearnerId { link: self.link, server: self.server }
    }

    pub fn is_live(&self) -> bool {
        self.stage == Stage::Live
    }

    /// Bytes on their way to it.
    pub(super) fn backlog(&self) -> usize {
        self.unsent + self.outbox.len()
    }

    /// What gathered leaves as one send.
    pub fn send(&mut self, ground: &mut Ground<'_>) {
        if !self.outbox.is_empty() {
            self.unsent += self.outbox.len();
            let bytes = mem::replace(&mut self.outbox, ground.buffers.take());
            ground.out.push(Effect::Send { link: self.link, bytes });
        }
    }

    /// Every half tick to whoever was told of the new leader. What it names is what was proposed.
    pub(super) fn ping(&mut self, proposed: Zxid) {
        if self.stage >= Stage::Told {
            packets::write_bare(&mut self.outbox, Kind::Ping, proposed);
        }
    }

    /// Begins to wait for the ACK of what was sent, where nothing is waited for.
    pub(super) fn await_ack(&mut self, now: Millis) {
        if self.follows && self.waiting.is_none() && self.sent > self.acked {
            self.waiting = Some((self.sent, now));
        }
    }

    /// An ACK came for all up to `zxid`.
    pub(super) fn on_acked(&mut self, zxid: Zxid, now: Millis) {
        self.acked = self.acked.max(zxid);
        if self.waiting.is_some_and(|(awaited, _)| awaited <= self.acked) {
            self.waiting = None;
            self.await_ack(now);
        }
    }

    /// Silent for too long, or an ACK is (ZooKeeper's transaction timeout). From a level learner
    /// nothing is due until UPTODATE.
    pub(super) fn is_late(&self, now: Millis, sync_ms: u64) -> bool {
        if self.stage == Stage::Levelled {
            return false;
        }
        let unacked = self.waiting.filter(|_| self.stage == Stage::Live);
        now >= self.silent_until || unacked.is_some_and(|(_, since)| now.since(since) > sync_ms)
    }

    /// The clock stood still for us, not for it.
    pub(super) fn excuse(&mut self, stalled: u64) {
        self.silent_until = self.silent_until + stalled;
        if let Some((_, since)) = &mut self.waiting {
            *since = *since + stalled;
        }
    }

    /// Gathers a REQUEST, to be handed over with those that came with it.
    pub(super) fn gather(
        &mut self,
        packet: &packets::Packet<'_>,
        ground: &mut Ground<'_>,
    ) -> Result<(), Fault> {
        let buffers = &mut *ground.buffers;
        let requests = self.requests.get_or_insert_with(|| Requests::new(buffers.take()));
        Ok(requests.push(packet)?)
    }

    /// Before anything else that the learner said is acted upon, and at the end of what came.
    pub(super) fn hand_over_requests(&mut self, ground: &mut Ground<'_>) {
        if let Some(requests) = self.requests.take() {
            ground.out.push(Effect::Requests { learner: self.id(), requests });
        }
    }
}
