//! One server's share in the ensemble: log, election and ZAB as one state machine.
//!
//! The world calls `step` for everything that happens and `end_turn` once a turn of its loop; both
//! append effects, to be carried out in order (the contract is in `zab::effect`). In between, the
//! server asks for proposals and says what it has applied. Same calls, same effects (AI-3).
//!
//! A role ends at a barrier: its links close, and the next election begins when everything that it
//! appended is durable. So a server reports what is on its disk (law 3), and no completion of an
//! old role meets a new one (law 7, AI-7).
//!
//! Here: what goes in and out. `road`: roles, their beginning and end. `lobby`: early peers.
//! Not here: what a role does (`zab`), votes (`election`), files (`log`), sockets and clocks (`io`).

mod lobby;
mod road;
mod status;

use std::collections::BTreeMap;

use crate::election::{Election, ElectionEffect, ElectionOptions};
use crate::ids::{LinkId, LinkIds, ServerId};
use crate::limits::IN_FLIGHT_BYTES_MAX;
use crate::log::{Disk, DiskDone, DiskOp, Log, Proposals};
use crate::quorum::Ensemble;
use crate::time::Millis;
use crate::zab::ground::{Buffers, Constants, Fault, Levellings};
use crate::zab::leader::check_size;
use crate::zab::packets::{self, Kind};
use crate::zxid::{Epoch, Zxid};
use lobby::Lobby;
use road::Role;

pub use crate::zab::sync_plan::Plan;
pub use crate::zab::{
    Effect, FatalReason, Forwarded, Intake, IntakeError, LearnerId, Leave, PeerError, Port,
    Requests, SnapshotFormat, Timing,
};
pub use status::{LearnerStatus, State, Status};

/// What the world reports to a replica.
#[derive(Debug)]
pub enum Event<'a> {
    /// A deadline passed. Early and late ticks do no harm.
    Tick,
    /// A link is open: one that a `Dial` asked for, or one that a peer opened at one of our ports.
    LinkUp { link: LinkId, port: Port, dialed: Option<ServerId> },
    /// Bytes came, in pieces as the network cut them.
    Received { link: LinkId, bytes: &'a [u8] },
    /// Of all that was handed out for this link, so many bytes have not left yet. Reported whenever
    /// a send on a quorum link ends; without it a learner that is far behind is not fed further.
    Unsent { link: LinkId, bytes: usize },
    /// A link ended, or a dial failed.
    Closed { link: LinkId },
    /// A dial failed because nobody listens there: the other process is no more, or has not begun.
    Refused { link: LinkId },
    /// A `DiskOp` ended.
    Disk(DiskDone),
}

/// What a replica is made for.
pub struct ReplicaOptions {
    pub me: ServerId,
    /// Unused where `standalone`.
    pub ensemble: Ensemble,
    pub timing: Timing,
    /// No peers: lead at once.
    pub standalone: bool,
    /// Whether a server that holds nothing may vote (`initialize` was there, or
    /// `zookeeper.db.autocreate`). One that lost its disk must not help to elect an empty leader.
    pub may_vote_empty: bool,
    pub snapshots: Box<dyn SnapshotFormat>,
}

/// One server's share.
pub struct Replica {
    constants: Constants,
    standalone: bool,
    may_vote_empty: bool,
    log: Log,
    /// Where a packet is put together.
    draft: Vec<u8>,
    applied: Zxid,
    role: Role,
    election: Election,
    election_effects: Vec<ElectionEffect>,
    /// Which port each open link belongs to.
    ports: BTreeMap<LinkId, Port>,
    links: LinkIds,
    lobby: Lobby,
    buffers: Buffers,
    levellings: Levellings,
    disk_ops: Vec<DiskOp>,
    /// The reign in which only a snapshot helps: its leader told us to truncate to where we were
    /// not. In another reign we say again what we hold, or our promise would count for nobody.
    needs_snapshot: Option<Epoch>,
    /// The role serves clients, and the election knows.
    settled: bool,
}

impl Replica {
    /// A replica on a log that was just opened. `start` sets it going.
    pub fn new(options: ReplicaOptions, log: Log) -> Self {
        let (election_links, links) = LinkIds::new().split();
        let ensemble = options.ensemble.clone();
        let election = Election::new(ElectionOptions::new(options.me, ensemble, election_links));
        let appended = log.appended();
        Self {
            constants: Constants {
                me: options.me,
                ensemble: options.ensemble,
                timing: options.timing,
                snapshots: options.snapshots,
            },
            standalone: options.standalone,
            may_vote_empty: options.may_vote_empty,
            draft: Vec::new(),
            log,
            applied: appended,
            role: Role::Ended,
            election,
            election_effects: Vec::new(),
            ports: BTreeMap::new(),
            links,
            lobby: Lobby::default(),
            buffers: Buffers::default(),
            levellings: Levellings::default(),
            disk_ops: Vec::new(),
            needs_snapshot: None,
            settled: false,
        }
    }

    /// The first call: `Effect::Reload`, then an election, or the lead where there are no peers.
    pub fn start(&mut self, now: Millis, disk: &mut dyn Disk, out: &mut Vec<Effect>) {
        let (snapshot, upto) = (self.log.superblock().snapshot, self.log.appended());
        out.push(Effect::Reload { snapshot, upto });
        let result = self.begin_life(now, disk, out);
        self.conclude(result, now, disk, out);
    }

    /// One thing that happened.
    pub fn step(
        &mut self,
        now: Millis,
        event: Event<'_>,
        disk: &mut dyn Disk,
        out: &mut Vec<Effect>,
    ) {
        if matches!(self.role, Role::Ended) {
            return;
        }
        let result = match event {
            Event::Tick => self.on_tick(now, disk, out),
            Event::LinkUp { link, port, dialed } => {
                self.on_link_up(now, (link, port, dialed), disk, out);
                Ok(())
            }
            Event::Received { link, bytes } => self.on_received(now, link, bytes, disk, out),
            Event::Unsent { link, bytes } => {
                self.on_unsent(now, link, bytes, disk, out);
                Ok(())
            }
            Event::Closed { link } => self.on_closed(now, link, disk, out),
            Event::Refused { link } => self.on_refused(now, link, disk, out),
            Event::Disk(done) => self.on_disk(now, done, disk, out),
        };
        self.conclude(result, now, disk, out);
    }

    /// The end of a turn: what gathered leaves. Packets first, then the log's own writes, so that
    /// the others' disks and ours work at the same time.
    pub fn end_turn(&mut self, now: Millis, disk: &mut dyn Disk, out: &mut Vec<Effect>) {
        if matches!(self.role, Role::Ended) {
            return;
        }
        // What goes to the disk gathers no more, so learners may share it.
        self.log.drain(&mut self.disk_ops);
        let (role, mut ground) = self.stand(now, disk, out);
        let result: Result<(), Fault> = match role {
            Role::Leader(leader) => leader.end_turn(&mut ground),
            Role::Learner(learner) => learner.end_turn(&mut ground),
            Role::Standalone(standalone) => {
                standalone.end_turn(&mut ground);
                Ok(())
            }
            Role::Looking | Role::Leaving | Role::Ended => Ok(()),
        };
        self.conclude(result, now, disk, out);
        self.log.drain(&mut self.disk_ops);
        out.extend(self.disk_ops.drain(..).map(Effect::Disk));
        self.trim();
    }

    /// When `Event::Tick` must come at the latest.
    pub fn deadline(&self) -> Option<Millis> {
        let tick_ms = self.constants.timing.tick_ms;
        let role = match &self.role {
            Role::Leader(leader) => Some(leader.deadline()),
            Role::Learner(learner) => Some(learner.deadline(tick_ms)),
            Role::Standalone(_) | Role::Ended => return None,
            Role::Looking | Role::Leaving => None,
        };
        [role, self.election.deadline(), self.lobby.deadline()].into_iter().flatten().min()
    }

    /// The zxid that the next proposal will have. `None` where this server does not lead, or where
    /// the epoch's counters are used up, in which case it steps down at the end of the turn.
    pub fn next_zxid(&mut self) -> Option<Zxid> {
        match &mut self.role {
            Role::Leader(leader) => leader.next_zxid(self.log.proposals()),
            Role::Standalone(standalone) => Some(standalone.next_zxid(self.log.proposals())),
            _ => None,
        }
    }

    /// Whether more may be proposed now: disk and quorum keep up. Otherwise requests wait.
    pub fn has_room(&self) -> bool {
        let proposals = self.log.proposals();
        let undecided = proposals.bytes_after(self.decided().max(proposals.base()));
        // Proposals that came one by one take a slab each.
        let is_roomy = proposals.room() < 2 * IN_FLIGHT_BYTES_MAX;
        self.log.has_room() && undecided < IN_FLIGHT_BYTES_MAX && is_roomy
    }

    /// Proposes the payload (`TxnHeader|txn|digest`) that `fill` writes for the zxid it is given.
    /// `None`, and `fill` is not called, where `next_zxid` is `None`.
    pub fn propose(&mut self, fill: impl FnOnce(Zxid, &mut Vec<u8>)) -> Option<Zxid> {
        let zxid = self.next_zxid()?;
        self.draft.clear();
        packets::write_filled(&mut self.draft, Kind::Proposal, zxid, |out| fill(zxid, out));
        check_size(&self.draft);
        self.log.append(zxid, &self.draft);
        Some(zxid)
    }

    /// What `Effect::Committed` speaks of.
    pub fn proposals(&self) -> &Proposals {
        self.log.proposals()
    }

    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The tree has everything up to here; older proposals may be forgotten.
    pub fn applied(&mut self, upto: Zxid) {
        assert!(upto <= self.log.proposals().last(), "law 6: {upto:?} was never proposed here");
        self.applied = upto;
    }

    /// A snapshot of the applied state at `zxid` is whole, durable and verified; what the log holds
    /// up to `purge_upto` is not needed any more.
    pub fn on_snapshot(
        &mut self,
        zxid: Zxid,
        purge_upto: Zxid,
        disk: &mut dyn Disk,
        out: &mut Vec<Effect>,
    ) {
        if matches!(self.role, Role::Ended) || zxid < self.log.history().base() {
            return;
        }
        match self.log.store_snapshot(disk, zxid) {
            Ok(()) => {
                self.log.purge(purge_upto.min(zxid), &mut self.disk_ops);
                out.extend(self.disk_ops.drain(..).map(Effect::Disk));
            }
            Err(failure) => self.end(failure.into(), out),
        }
    }

    /// Learner: passes a client's request on to the leader: `(session, cxid, op)`, the request
    /// record, who the client is.
    pub fn forward<'s>(
        &mut self,
        request: (i64, i32, i32),
        body: &[u8],
        auth: impl ExactSizeIterator<Item = (&'s str, &'s str)>,
    ) {
        if let Role::Learner(learner) = &mut self.role {
            learner.forward(request, body, auth);
        }
    }

    /// Learner: the tree differs from the one foreseen for this txn; see `zab::learner`.
    pub fn distrust(&mut self, zxid: Zxid) {
        if let Role::Learner(learner) = &mut self.role {
            learner.distrust(zxid);
        }
    }

    /// Learner: leaves at the end of the turn, and rejoins to be sent the leader's tree.
    pub fn want_snapshot(&mut self) {
        if let Role::Learner(learner) = &mut self.role {
            learner.want_snapshot();
        }
    }

    /// Learner: what the leader chose to bring this server level, once it has.
    pub fn plan(&self) -> Option<Plan> {
        match &self.role {
            Role::Learner(learner) => learner.plan(),
            _ => None,
        }
    }

    /// Learner: asks whether a session that came here is alive. `Effect::Revalidated` answers.
    pub fn revalidate(&mut self, session: i64, timeout_ms: i32) {
        if let Role::Learner(learner) = &mut self.role {
            learner.revalidate(session, timeout_ms);
        }
    }

    /// Learner: answers `Effect::PingDue` with the sessions heard from since the last, and their
    /// timeouts.
    pub fn answer_ping(&mut self, touched: impl Iterator<Item = (i64, i32)>) {
        if let Role::Learner(learner) = &mut self.role {
            learner.answer_ping(touched);
        }
    }

    /// Leader: answers a learner's forwarded `sync` once all that is proposed by now is decided.
    pub fn sync_learner(&mut self, learner: LearnerId) {
        if let Role::Leader(leader) = &mut self.role {
            leader.sync_learner(learner, self.log.proposals());
        }
    }

    /// Leader: answers `Effect::Revalidate`.
    pub fn revalidated(&mut self, learner: LearnerId, session: i64, valid: bool) {
        if let Role::Leader(leader) = &mut self.role {
            leader.revalidated(learner.link, session, valid);
        }
    }

    /// An orderly end of the process: the log notes what is durable, so that the next start can tell
    /// a torn tail from damage to the last batch.
    ///
    /// # Errors
    /// The disk failed; everything durable is durable all the same.
    pub fn close(&mut self, disk: &mut dyn Disk) -> Result<(), FatalReason> {
        self.role = Role::Ended;
        self.log.store_evidence(disk).map_err(FatalReason::from)
    }

    /// Takes back the buffer of an effect that was carried out.
    pub fn recycle(&mut self, buffer: Vec<u8>) {
        self.buffers.give(buffer);
    }
}
