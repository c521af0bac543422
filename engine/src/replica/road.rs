//! From role to role: an election's end begins one, a fault ends it, and a barrier lies between.
//!
//! Not here: what a role does (`zab`), how an election is decided (`election`).

use super::{Effect, FatalReason, Leave, Port, Replica};
use crate::election::{ElectionEffect, FINALIZE_MS, ServerState};
use crate::ids::{LinkId, ServerId};
use crate::limits::PROPOSALS_BYTES_KEPT;
use crate::log::{Disk, DiskDone};
use crate::time::Millis;
use crate::zab::ground::{Fault, Ground};
use crate::zab::leader::Leader;
use crate::zab::learner::{Learner, Rank};
use crate::zab::standalone::Standalone;
use crate::zxid::Zxid;

/// What this server is.
pub(super) enum Role {
    /// An election is under way.
    Looking,
    /// The last role is over; its appends are not durable yet.
    Leaving,
    Learner(Learner),
    Leader(Leader),
    Standalone(Standalone),
    /// Not started, or stopped for good.
    Ended,
}

impl Replica {
    pub(super) fn stand<'a>(
        &'a mut self,
        now: Millis,
        disk: &'a mut dyn Disk,
        out: &'a mut Vec<Effect>,
    ) -> (&'a mut Role, Ground<'a>) {
        let ground = Ground {
            now,
            constants: &self.constants,
            log: &mut self.log,
            applied: &mut self.applied,
            disk,
            links: &mut self.links,
            ports: &mut self.ports,
            buffers: &mut self.buffers,
            levellings: &mut self.levellings,
            out,
        };
        (&mut self.role, ground)
    }

    pub(super) fn begin_life(
        &mut self,
        now: Millis,
        disk: &mut dyn Disk,
        out: &mut Vec<Effect>,
    ) -> Result<(), Fault> {
        if self.standalone {
            let (role, mut ground) = self.stand(now, disk, out);
            *role = Role::Standalone(Standalone::begin(&mut ground)?);
            return Ok(());
        }
        out.push(Effect::Looking { why: Leave::Started });
        self.role = Role::Leaving;
        Ok(())
    }

    /// What every call ends with: faults end roles, a quiet log opens the next election, a role
    /// that begins to serve is made known to the election.
    pub(super) fn conclude(
        &mut self,
        mut result: Result<(), Fault>,
        now: Millis,
        disk: &mut dyn Disk,
        out: &mut Vec<Effect>,
    ) {
        loop {
            match result {
                Ok(()) => {}
                Err(Fault::Leave(why)) => self.leave(why, out),
                Err(Fault::Peer(error)) => self.leave(Leave::Leader(error), out),
                Err(Fault::Fatal(reason)) => return self.end(reason, out),
            }
            self.settle();
            if matches!(self.role, Role::Leaving) && self.log.is_quiet() {
                self.look(now);
            }
            match self.carry_out_election(now, disk, out) {
                Ok(()) => return,
                fault => result = fault,
            }
        }
    }

    pub(super) fn end(&mut self, reason: FatalReason, out: &mut Vec<Effect>) {
        self.role = Role::Ended;
        out.push(Effect::Fatal(reason));
    }

    /// Ends the role: its links close, clients are let go, the log comes to rest.
    fn leave(&mut self, why: Leave, out: &mut Vec<Effect>) {
        tracing::info!(me = %self.constants.me, "looking for a leader: {why}");
        if let (Role::Learner(learner), Leave::NeedsSnapshot) = (&self.role, &why) {
            self.needs_snapshot = Some(learner.epoch());
        }
        let quorum = self.ports.iter().filter(|(_, port)| **port == Port::Quorum);
        let quorum: Vec<LinkId> = quorum.map(|(&link, _)| link).collect();
        for link in quorum {
            self.ports.remove(&link);
            self.lobby.leave(link);
            out.push(Effect::Close { link });
        }
        if let Role::Learner(learner) = &self.role {
            let links = learner.links();
            let dials = links.filter(|link| !self.ports.contains_key(link));
            out.extend(dials.map(|link| Effect::Close { link }));
        }
        self.role = Role::Leaving;
        self.settled = false;
        out.push(Effect::Looking { why });
    }

    /// Law 3: the vote is what is durable.
    fn look(&mut self, now: Millis) {
        assert_eq!(self.log.durable(), self.log.appended(), "law 3: the log is not at rest");
        self.role = Role::Looking;
        let epoch = self.log.superblock().current_epoch;
        let zxid = if self.may_vote() { self.log.durable() } else { Zxid(-1) };
        self.election.look(now, (zxid, epoch), &mut self.election_effects);
    }

    fn may_vote(&self) -> bool {
        let is_empty = self.log.durable() == Zxid::ZERO && self.log.superblock().snapshot.is_none();
        self.log.may_vote() && (self.may_vote_empty || !is_empty)
    }

    fn carry_out_election(
        &mut self,
        now: Millis,
        disk: &mut dyn Disk,
        out: &mut Vec<Effect>,
    ) -> Result<(), Fault> {
        let mut effects = std::mem::take(&mut self.election_effects);
        let mut result = Ok(());
        for effect in effects.drain(..) {
            match effect {
                ElectionEffect::Dial { link, to, addresses } => {
                    out.push(Effect::Dial { link, to, port: Port::Election, addresses });
                }
                ElectionEffect::Send { link, bytes } => out.push(Effect::Send { link, bytes }),
                ElectionEffect::Close { link } => {
                    self.ports.remove(&link);
                    out.push(Effect::Close { link });
                }
                ElectionEffect::Decided { leader, state, leads, .. } => {
                    result = self.take_role(now, leader, (state, leads), disk, out);
                }
                ElectionEffect::NewerEnsemble { from, ensemble } => {
                    // Compat: without reconfigEnabled a newer version is never adopted.
                    let version = ensemble.version();
                    tracing::warn!(%from, version, "a peer has a newer configuration");
                }
            }
        }
        if self.election_effects.is_empty() {
            self.election_effects = effects;
        }
        result
    }

    fn take_role(
        &mut self,
        now: Millis,
        leader: ServerId,
        (state, leads): (ServerState, bool),
        disk: &mut dyn Disk,
        out: &mut Vec<Effect>,
    ) -> Result<(), Fault> {
        assert!(matches!(self.role, Role::Looking), "law 7: a decision meets another role");
        let guests: Vec<(LinkId, Vec<u8>)> = self.lobby.open().collect();
        let rank = match state {
            ServerState::Leading => return self.lead(now, guests, disk, out),
            ServerState::Observing => Rank::Observer,
            ServerState::Following | ServerState::Looking => Rank::Follower,
        };
        for (link, _) in guests {
            self.ports.remove(&link);
            out.push(Effect::Close { link });
        }
        let report = if self.may_vote() { self.log.durable() } else { Zxid(-1) };
        let needs_snapshot = self.needs_snapshot;
        let leads_from = if leads { now } else { now + FINALIZE_MS };
        let (role, mut ground) = self.stand(now, disk, out);
        let history = (report, needs_snapshot);
        *role = Role::Learner(Learner::begin((leader, leads_from), rank, history, &mut ground));
        Ok(())
    }

    fn lead(
        &mut self,
        now: Millis,
        guests: Vec<(LinkId, Vec<u8>)>,
        disk: &mut dyn Disk,
        out: &mut Vec<Effect>,
    ) -> Result<(), Fault> {
        let (role, mut ground) = self.stand(now, disk, out);
        let mut leader = Leader::begin(&mut ground)?;
        for (link, bytes) in guests {
            leader.on_link_up(link, &mut ground);
            leader.on_bytes(link, &bytes, &mut ground)?;
        }
        *role = Role::Leader(leader);
        Ok(())
    }

    /// Tells the election when a role begins to serve, so that latecomers see its epoch.
    fn settle(&mut self) {
        let (state, epoch) = match &self.role {
            _ if self.settled => return,
            Role::Leader(leader) if leader.is_reigning() => (ServerState::Leading, leader.epoch()),
            Role::Learner(learner) if learner.is_live() => {
                if learner.is_mended() {
                    self.needs_snapshot = None;
                }
                let state = match learner.rank() {
                    Rank::Follower => ServerState::Following,
                    Rank::Observer => ServerState::Observing,
                };
                (state, learner.epoch())
            }
            _ => return,
        };
        self.settled = true;
        self.election.settled(state, epoch);
    }

    pub(super) fn on_tick(
        &mut self,
        now: Millis,
        disk: &mut dyn Disk,
        out: &mut Vec<Effect>,
    ) -> Result<(), Fault> {
        if self.standalone {
            return Ok(());
        }
        self.election.tick(now, &mut self.election_effects);
        while let Some(link) = self.lobby.expired(now) {
            self.lobby.leave(link);
            self.ports.remove(&link);
            out.push(Effect::Close { link });
        }
        let (role, mut ground) = self.stand(now, disk, out);
        match role {
            Role::Leader(leader) => leader.on_tick(&mut ground),
            Role::Learner(learner) => learner.on_tick(&mut ground),
            _ => Ok(()),
        }
    }

    pub(super) fn on_link_up(
        &mut self,
        now: Millis,
        (link, port, dialed): (LinkId, Port, Option<ServerId>),
        disk: &mut dyn Disk,
        out: &mut Vec<Effect>,
    ) {
        if port == Port::Election && !self.standalone {
            self.ports.insert(link, port);
            self.election.on_link_up(now, link, dialed, &mut self.election_effects);
            return;
        }
        let lobby_until = now + self.constants.timing.init_ms();
        let waits = matches!(self.role, Role::Looking | Role::Leaving) && dialed.is_none();
        if waits && self.lobby.enter(link, lobby_until) {
            self.ports.insert(link, port);
            return;
        }
        let (role, mut ground) = self.stand(now, disk, out);
        ground.ports.insert(link, port);
        match role {
            Role::Leader(leader) if dialed.is_none() => leader.on_link_up(link, &mut ground),
            Role::Learner(learner) if learner.links().any(|known| known == link) => {
                learner.on_link_up(link, &mut ground);
            }
            _ => ground.close(link),
        }
    }

    pub(super) fn on_received(
        &mut self,
        now: Millis,
        link: LinkId,
        bytes: &[u8],
        disk: &mut dyn Disk,
        out: &mut Vec<Effect>,
    ) -> Result<(), Fault> {
        match self.ports.get(&link) {
            None => return Ok(()),
            Some(Port::Election) => {
                self.election.on_received(now, link, bytes, &mut self.election_effects);
                let reigns = matches!(&self.role, Role::Leader(leader) if leader.is_reigning());
                if matches!(self.role, Role::Leader(_)) && !reigns && self.election.is_deserted() {
                    return Err(Fault::Leave(Leave::Deserted));
                }
                return Ok(());
            }
            Some(Port::Quorum) => {}
        }
        if !self.lobby.listen(link, bytes) {
            self.lobby.leave(link);
            self.ports.remove(&link);
            out.push(Effect::Close { link });
            return Ok(());
        }
        let (role, mut ground) = self.stand(now, disk, out);
        match role {
            Role::Leader(leader) => leader.on_bytes(link, bytes, &mut ground),
            Role::Learner(learner) if learner.link() == link => {
                learner.on_bytes(bytes, &mut ground)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn on_unsent(
        &mut self,
        now: Millis,
        link: LinkId,
        bytes: usize,
        disk: &mut dyn Disk,
        out: &mut Vec<Effect>,
    ) {
        let (role, ground) = self.stand(now, disk, out);
        match role {
            Role::Leader(leader) => leader.on_unsent(link, bytes, &ground),
            Role::Learner(learner) if learner.link() == link => learner.on_unsent(bytes),
            _ => {}
        }
    }

    pub(super) fn on_closed(
        &mut self,
        now: Millis,
        link: LinkId,
        disk: &mut dyn Disk,
        out: &mut Vec<Effect>,
    ) -> Result<(), Fault> {
        let port = self.ports.remove(&link);
        let mut lost = None;
        if !self.standalone && port != Some(Port::Quorum) {
            lost = self.election.on_closed(now, link, &mut self.election_effects);
        }
        self.lobby.leave(link);
        let (role, mut ground) = self.stand(now, disk, out);
        match role {
            Role::Leader(leader) => {
                leader.on_closed(link, &mut ground);
                Ok(())
            }
            Role::Learner(learner) => {
                if lost == Some(learner.leader()) {
                    learner.doubt(&mut ground);
                }
                learner.on_closed(link, &mut ground)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn on_refused(
        &mut self,
        now: Millis,
        link: LinkId,
        disk: &mut dyn Disk,
        out: &mut Vec<Effect>,
    ) -> Result<(), Fault> {
        if let Role::Learner(learner) = &self.role {
            learner.on_refused(link)?;
        }
        self.on_closed(now, link, disk, out)
    }

    /// Law 7: while no role stands, a completion only brings the log to rest.
    pub(super) fn on_disk(
        &mut self,
        now: Millis,
        done: DiskDone,
        disk: &mut dyn Disk,
        out: &mut Vec<Effect>,
    ) -> Result<(), Fault> {
        let Some(durable) = self.log.on_done(done)? else { return Ok(()) };
        let (role, mut ground) = self.stand(now, disk, out);
        match role {
            Role::Leader(leader) => leader.on_durable(&durable),
            Role::Standalone(standalone) => standalone.on_durable(&durable),
            Role::Learner(learner) => return learner.on_durable(&durable, &mut ground),
            Role::Looking | Role::Leaving | Role::Ended => {}
        }
        Ok(())
    }

    /// What is decided, as this server knows.
    pub(super) fn decided(&self) -> Zxid {
        match &self.role {
            Role::Leader(leader) => leader.decided(),
            Role::Learner(learner) => learner.committed(),
            Role::Standalone(standalone) => standalone.decided(),
            Role::Looking | Role::Leaving | Role::Ended => self.applied,
        }
    }

    /// Forgets proposals that are applied, durable and acknowledged, beyond what is kept for
    /// learners that come back.
    pub(super) fn trim(&mut self) {
        let mut upto = self.applied.min(self.log.durable());
        if let Role::Learner(learner) = &self.role {
            upto = upto.min(learner.acked());
        }
        self.log.forget(upto, PROPOSALS_BYTES_KEPT);
    }
}
