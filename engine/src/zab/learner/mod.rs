//! A learner's share: find the leader, get level with it, then log, acknowledge and apply what it
//! decides. A follower votes with its ACKs; an observer is told only what is decided.
//!
//! ```text
//! Dialing -> Greeting -> Planned -> [Intake] -> History -> Persisting -> Waiting -> Live
//!            FOLLOWERINFO           SNAP        PROPOSAL   NEWLEADER     ACK        UPTODATE
//!            LEADERINFO, ACKEPOCH               COMMIT     (sync, epoch)
//! ```
//!
//! Invariants, asserted where they could break:
//! - L1. Nothing leaves between NEWLEADER and its ACK, and that ACK leaves after everything before
//!   NEWLEADER is durable and the epoch is (law 1).
//! - L2. While getting level, the tree is told only what is decided *and* durable here, so that
//!   an abandoned synchronization leaves memory behind the disk, never ahead of it (ZOOKEEPER-5094).
//! - L3. ACKs go out in the order of the log, one for each zxid, unless the leader agreed to
//!   cumulative ones (law 2).
//!
//! Here: the road through the stages, the clock, the link. Not here: `handshake`,
//! `synchronization`, `broadcast`.

mod broadcast;
mod handshake;
mod synchronization;

use std::mem;

use super::ground::{Fault, Ground};
use super::packets::{Packet, PacketReader};
use super::sync_plan::Plan;
use super::{Effect, Intake, Leave, PeerError};
use crate::ids::{LinkId, ServerId};
use crate::limits::PEER_QUEUE_BYTES_MAX;
use crate::log::Durable;
use crate::time::Millis;
use crate::zxid::{Epoch, Zxid};

/// Between two attempts to reach the leader, which may still be about to listen.
const REDIAL_MS: u64 = 5;

/// How long a leader may refuse connections. A Java leader opens its port up to 230 ms after the
/// others have seen it elected; on a busy machine it took 1.1 s. Whoever gives up too soon costs the
/// ensemble initLimit: the leader waits that long for a quorum before it looks again.
const REDIAL_MS_MAX: u64 = 2000;

/// How long a probe that was answered is kept.
const PROBE_MS: u64 = 100;

/// Whether this server's vote counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rank {
    Follower,
    Observer,
}

/// How far this learner has come.
enum Stage {
    Dialing {
        redial_at: Option<Millis>,
        give_up_at: Millis,
    },
    /// Introduced; LEADERINFO is due.
    Greeting,
    /// ACKEPOCH sent; DIFF, TRUNC or SNAP is due.
    Planned,
    /// A snapshot streams in. `signed`: how much of the signature after it has come.
    Intake {
        zxid: Zxid,
        intake: Box<dyn Intake>,
        body_ended: bool,
        signed: usize,
    },
    /// Proposals and commits that bring us level, then NEWLEADER.
    History,
    /// NEWLEADER is here; everything up to `upto` must be durable before its ACK.
    Persisting {
        upto: Zxid,
    },
    /// NEWLEADER acknowledged; UPTODATE is due.
    Waiting,
    Live,
}

/// A link to the leader's port that only asks whether it is there. Nobody who lives closes it so
/// soon: a port that answers and then lets go was about to close with its process.
#[derive(Clone, Copy)]
struct Probe {
    link: LinkId,
    /// It was answered. If it lasts until then, the leader lives.
    until: Option<Millis>,
}

pub struct Learner {
    leader: ServerId,
    /// Before this moment a Java leader of our election cannot lead: what answers at its port is
    /// what is left of its last reign, and would keep us until initLimit has passed.
    leads_from: Millis,
    rank: Rank,
    link: LinkId,
    probe: Option<Probe>,
    /// When the link opened.
    linked_at: Millis,
    stage: Stage,
    /// What we say our last zxid is: the last durable one, or -1 to be sent a snapshot.
    report: Zxid,
    /// The reign in which only a snapshot helps, so that we say -1 whatever we hold.
    needs_snapshot: Option<Epoch>,
    epoch: Epoch,
    /// Agreed with the leader: one ACK speaks for all before it.
    cumulative: bool,
    reader: PacketReader,
    outbox: Vec<u8>,
    unsent: usize,
    silent_until: Millis,
    /// When the clock was last looked at: a stall of ours is no silence of the leader's.
    looked_at: Millis,
    durable: Zxid,
    /// Decided, as far as the leader has said.
    committed: Zxid,
    /// Told to the tree.
    announced: Zxid,
    /// Acknowledged to the leader.
    acked: Zxid,
    /// The PING to answer.
    pinged: Option<Zxid>,
    /// The tree here is given up for the leader's.
    wants_snapshot: bool,
    /// What the leader chose to bring us level.
    plan: Option<Plan>,
}

impl Learner {
    /// Sets out for `leader`. The log must be quiet. The others as in the fields of those names.
    pub fn begin(
        (leader, leads_from): (ServerId, Millis),
        rank: Rank,
        (report, needs_snapshot): (Zxid, Option<Epoch>),
        ground: &mut Ground<'_>,
    ) -> Self {
        assert!(ground.log.is_quiet(), "law 3: the log still moves");
        let link = ground.dial(leader);
        let give_up_at = ground.now + REDIAL_MS_MAX.min(ground.constants.timing.init_ms());
        Self {
            leader,
            leads_from,
            rank,
            link,
            probe: None,
            linked_at: ground.now,
            stage: Stage::Dialing { redial_at: None, give_up_at },
            report,
            needs_snapshot,
            epoch: Epoch(0),
            cumulative: false,
            reader: PacketReader::default(),
            outbox: ground.buffers.take(),
            unsent: 0,
            silent_until: ground.now + ground.constants.timing.init_ms(),
            looked_at: ground.now,
            durable: ground.log.durable(),
            committed: Zxid::ZERO,
            announced: *ground.applied,
            acked: Zxid::ZERO,
            pinged: None,
            wants_snapshot: false,
            plan: None,
        }
    }

    pub fn leader(&self) -> ServerId {
        self.leader
    }

    pub fn rank(&self) -> Rank {
        self.rank
    }

    pub fn link(&self) -> LinkId {
        self.link
    }

    /// What belongs to this role: the link to the leader, and a probe.
    pub fn links(&self) -> impl Iterator<Item = LinkId> + use<> {
        [Some(self.link), self.probe.map(|probe| probe.link)].into_iter().flatten()
    }

    pub fn is_live(&self) -> bool {
        matches!(self.stage, Stage::Live)
    }

    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub fn committed(&self) -> Zxid {
        self.committed
    }

    /// The leader's election link has ended. A process that dies leaves that link first, and the one
    /// to its learners some milliseconds later (`Io::loosen`); the leader's port tells which it is.
    pub fn doubt(&mut self, ground: &mut Ground<'_>) {
        let has_link = !matches!(self.stage, Stage::Dialing { .. });
        if has_link && self.probe.is_none() {
            tracing::debug!(leader = %self.leader, "its election link ended: does it live?");
            self.probe = Some(Probe { link: ground.dial(self.leader), until: None });
        }
    }

    pub fn on_link_up(&mut self, link: LinkId, ground: &mut Ground<'_>) {
        if let Some(probe) = self.probe.as_mut().filter(|probe| probe.link == link) {
            probe.until = Some(ground.now + PROBE_MS);
            return;
        }
        if link == self.link && matches!(self.stage, Stage::Dialing { .. }) {
            self.linked_at = ground.now;
            self.introduce(ground);
        }
    }

    /// The link ended, or the dial failed: tried again for a while, since an elected leader may
    /// not listen yet.
    pub fn on_closed(&mut self, link: LinkId, ground: &mut Ground<'_>) -> Result<(), Fault> {
        if let Some(probe) = self.probe.take_if(|probe| probe.link == link)
            && probe.until.is_some()
        {
            return Err(Fault::Leave(Leave::LeaderDown));
        }
        if link != self.link {
            return Ok(());
        }
        match &mut self.stage {
            Stage::Dialing { redial_at, give_up_at } if ground.now < *give_up_at => {
                *redial_at = Some(ground.now + REDIAL_MS);
                Ok(())
            }
            Stage::Dialing { .. } => Err(Fault::Leave(Leave::Unreachable)),
            _ => Err(Fault::Leave(Leave::LeaderGone)),
        }
    }

    /// Nobody listens where the link was to go.
    pub fn on_refused(&self, link: LinkId) -> Result<(), Fault> {
        let is_probe = self.probe.is_some_and(|probe| probe.link == link);
        if is_probe { Err(Fault::Leave(Leave::LeaderDown)) } else { Ok(()) }
    }

    /// Ends the link and goes to the same leader anew. No election lies between: without us the
    /// leader may have no quorum, and would lead no more when one had found it again.
    fn come_again(&mut self, ground: &mut Ground<'_>) {
        ground.close(self.link);
        self.outbox.clear();
        self.unsent = 0;
        self.reader = PacketReader::default();
        let give_up_at = ground.now + REDIAL_MS_MAX.min(ground.constants.timing.init_ms());
        let redial_at = if ground.now < self.leads_from {
            Some(self.leads_from)
        } else {
            self.link = ground.dial(self.leader);
            None
        };
        self.stage = Stage::Dialing { redial_at, give_up_at };
    }

    /// Whether the link was open before a Java leader of our election could lead.
    fn is_early(&self) -> bool {
        self.linked_at < self.leads_from
    }

    pub fn on_bytes(&mut self, bytes: &[u8], ground: &mut Ground<'_>) -> Result<(), Fault> {
        if matches!(self.stage, Stage::Dialing { .. }) {
            // They came over a link that is over.
            return Ok(());
        }
        self.silent_until = ground.now + self.patience_ms(ground);
        let link = self.link;
        let mut reader = mem::take(&mut self.reader);
        let mut input = bytes;
        loop {
            if matches!(self.stage, Stage::Intake { .. }) {
                self.take_in(&mut input, ground)?;
                if matches!(self.stage, Stage::Intake { .. }) {
                    break;
                }
            }
            match reader.next(&mut input)? {
                Some(packet) => self.on_packet(&packet, ground)?,
                None => break,
            }
            if self.link != link || matches!(self.stage, Stage::Dialing { .. }) {
                // What else came, came over a link that is over.
                return Ok(());
            }
        }
        self.reader = reader;
        Ok(())
    }

    fn on_packet(&mut self, packet: &Packet<'_>, ground: &mut Ground<'_>) -> Result<(), Fault> {
        match self.stage {
            Stage::Live => self.on_broadcast(packet, ground),
            Stage::History | Stage::Persisting { .. } | Stage::Waiting => {
                self.on_history(packet, ground)
            }
            Stage::Planned => self.on_plan(packet, ground),
            Stage::Greeting => self.on_leader_info(packet, ground),
            Stage::Dialing { .. } | Stage::Intake { .. } => {
                Err(unexpected(packet, "nothing").into())
            }
        }
    }

    pub fn on_unsent(&mut self, bytes: usize) {
        self.unsent = bytes;
    }

    /// The log has more on disk.
    pub fn on_durable(&mut self, durable: &Durable, ground: &mut Ground<'_>) -> Result<(), Fault> {
        self.durable = durable.zxid();
        self.persist_if_durable(ground)
    }

    pub fn on_tick(&mut self, ground: &mut Ground<'_>) -> Result<(), Fault> {
        let stalled = ground.now.since(self.looked_at);
        self.looked_at = ground.now;
        if stalled > 2 * ground.constants.timing.tick_ms {
            // We slept, not the leader: what it said meanwhile is still to be read.
            self.silent_until = self.silent_until + stalled;
        }
        let is_over = |probe: &mut Probe| probe.until.is_some_and(|until| until <= ground.now);
        if let Some(probe) = self.probe.take_if(is_over) {
            ground.close(probe.link);
        }
        if let Stage::Dialing { redial_at, .. } = &mut self.stage
            && redial_at.take_if(|at| *at <= ground.now).is_some()
        {
            self.link = ground.dial(self.leader);
        }
        let is_greeting = matches!(self.stage, Stage::Greeting);
        if is_greeting && self.is_early() && ground.now >= self.leads_from {
            self.come_again(ground);
        }
        if ground.now >= self.silent_until {
            let reached = !matches!(self.stage, Stage::Dialing { .. });
            return Err(Fault::Leave(if reached {
                Leave::LeaderSilent
            } else {
                Leave::Unreachable
            }));
        }
        Ok(())
    }

    pub fn deadline(&self, tick_ms: u64) -> Millis {
        let due = match self.stage {
            Stage::Dialing { redial_at: Some(at), .. } => at.min(self.silent_until),
            Stage::Greeting if self.is_early() => self.leads_from.min(self.silent_until),
            _ => self.silent_until,
        };
        let probe = self.probe.and_then(|probe| probe.until);
        probe.map_or(due, |until| due.min(until)).min(self.looked_at + tick_ms)
    }

    /// initLimit until NEWLEADER is acknowledged, syncLimit afterwards.
    fn patience_ms(&self, ground: &Ground<'_>) -> u64 {
        match self.stage {
            Stage::Waiting | Stage::Live => ground.constants.timing.sync_ms(),
            _ => ground.constants.timing.init_ms(),
        }
    }

    /// The tree differs from the one foreseen for the txn `zxid` (law 12). Where a Ringkeeper leader
    /// foresaw it that is proof, and the turn ends with this learner leaving for a snapshot.
    ///
    /// A txn of an earlier epoch is history: a Java leader may have foreseen it, or the leader's own
    /// snapshot be one that such a leader sent, with parts of the txns that follow it.
    ///
    /// Compat: a Java leader's digests are wrong for a few txns after its restart while all trees
    /// agree (3.9.5), so there it is for the operator to see, and nothing more.
    pub fn distrust(&mut self, zxid: Zxid) {
        self.wants_snapshot |= self.cumulative && zxid.epoch() == self.epoch;
    }

    /// The turn ends with this learner leaving, whoever leads, to be sent a snapshot.
    pub fn want_snapshot(&mut self) {
        self.wants_snapshot = true;
    }

    /// What the leader chose to bring us level, once it has.
    pub fn plan(&self) -> Option<Plan> {
        self.plan
    }

    /// Everything that gathered in this turn leaves: ACKs, then one send; the tree is told.
    pub fn end_turn(&mut self, ground: &mut Ground<'_>) -> Result<(), Fault> {
        if self.is_live() {
            self.acknowledge(ground);
        }
        self.announce(ground);
        self.send(ground);
        if self.wants_snapshot {
            return Err(Fault::Leave(Leave::NeedsSnapshot));
        }
        if self.unsent > PEER_QUEUE_BYTES_MAX {
            return Err(Fault::Leave(Leave::Congested));
        }
        Ok(())
    }

    fn send(&mut self, ground: &mut Ground<'_>) {
        if !self.outbox.is_empty() {
            self.unsent += self.outbox.len();
            let bytes = mem::replace(&mut self.outbox, ground.buffers.take());
            ground.out.push(Effect::Send { link: self.link, bytes });
        }
    }

    /// L2.
    fn announce(&mut self, ground: &mut Ground<'_>) {
        let upto = if self.is_live() { self.committed } else { self.committed.min(self.durable) };
        ground.commit(&mut self.announced, upto);
    }
}

fn unexpected(packet: &Packet<'_>, awaited: &'static str) -> PeerError {
    PeerError::Unexpected { code: packet.code, awaited }
}
