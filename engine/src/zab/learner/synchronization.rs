//! Getting level: the plan, a snapshot where it must be, history, NEWLEADER, UPTODATE.
//!
//! Proposals go to the log as they come, also those that are not decided yet; only their ACKs wait.
//!
//! Not here: what the leader planned and why (`sync_plan`).

use super::{Learner, Rank, Stage, unexpected};
use crate::zab::ground::{Fault, Ground};
use crate::zab::packets::{self, Kind, Packet};
use crate::zab::snapshot::{IntakeError, SIGNATURE};
use crate::zab::sync_plan::Plan;
use crate::zab::{Effect, PeerError};
use crate::zxid::Zxid;

impl Learner {
    pub(super) fn on_plan(
        &mut self,
        packet: &Packet<'_>,
        ground: &mut Ground<'_>,
    ) -> Result<(), Fault> {
        if let Some(kind) = packet.kind() {
            let (leader, reported) = (self.leader, self.report);
            tracing::info!(%leader, %reported, zxid = %packet.zxid, "told {}", kind.name());
        }
        match packet.kind() {
            Some(Kind::Diff) if self.report.0 >= 0 => {
                self.plan = Some(Plan::Diff { after: self.report });
                self.committed = ground.log.appended();
                self.stage = Stage::History;
            }
            Some(Kind::Trunc) if self.report.0 >= 0 => self.truncate(packet.zxid, ground)?,
            Some(Kind::Snap) => {
                self.plan = Some(Plan::Snap);
                let zxid = packet.zxid;
                if zxid < Zxid::ZERO || zxid.epoch() > self.epoch {
                    return Err(PeerError::Unknown { zxid }.into());
                }
                let intake = ground.constants.snapshots.intake(zxid);
                self.stage = Stage::Intake { zxid, intake, body_ended: false, signed: 0 };
            }
            _ => return Err(unexpected(packet, "DIFF, TRUNC or SNAP").into()),
        }
        Ok(())
    }

    /// Law 5: only to a place that this log holds, and that the newest snapshot does not pass.
    /// Compat: a Java leader truncates across epochs without looking whether the place is held
    /// (`LearnerHandler.syncFollower`, 3.9.5). Whoever lacks it asks for a snapshot instead, and
    /// keeps what it has until that is whole.
    fn truncate(&mut self, to: Zxid, ground: &mut Ground<'_>) -> Result<(), Fault> {
        let held = ground.log.history().contains(to);
        let snapshot = ground.log.superblock().snapshot;
        if !held || snapshot.is_some_and(|snapshot| snapshot > to) {
            self.needs_snapshot = Some(self.epoch);
            self.come_again(ground);
            return Ok(());
        }
        if to < ground.log.appended() {
            ground.log.truncate(ground.disk, to)?;
            self.durable = ground.log.durable();
            assert_eq!(ground.log.appended(), to, "law 2: truncation lowers what is durable");
        }
        if *ground.applied > to {
            *ground.applied = to;
            self.announced = to;
            ground.out.push(Effect::Reload { snapshot, upto: to });
        }
        self.committed = to;
        self.plan = Some(Plan::Trunc { to });
        self.stage = Stage::History;
        Ok(())
    }

    /// Feeds a snapshot's bytes to the intake, and reads the signature after it.
    pub(super) fn take_in(
        &mut self,
        input: &mut &[u8],
        ground: &mut Ground<'_>,
    ) -> Result<(), Fault> {
        let Stage::Intake { intake, body_ended, signed, .. } = &mut self.stage else {
            return Ok(());
        };
        if !*body_ended {
            let ended = intake.feed(input, ground.disk).map_err(|error| match error {
                IntakeError::Peer(error) => Fault::from(error),
                IntakeError::Disk(error) => Fault::from(error),
            })?;
            let Some(used) = ended else {
                *input = &[];
                return Ok(());
            };
            *body_ended = true;
            *input = &input[used..];
        }
        let length = input.len().min(SIGNATURE.len() - *signed);
        let (piece, rest) = input.split_at(length);
        if piece != &SIGNATURE[*signed..*signed + length] {
            return Err(PeerError::BadSignature.into());
        }
        *signed += length;
        *input = rest;
        if *signed == SIGNATURE.len() { self.adopt_snapshot(ground) } else { Ok(()) }
    }

    /// The snapshot is whole: it takes the place of all that was here, in an order in which each
    /// cut leaves either the old state or the new one.
    fn adopt_snapshot(&mut self, ground: &mut Ground<'_>) -> Result<(), Fault> {
        let stage = std::mem::replace(&mut self.stage, Stage::History);
        let Stage::Intake { zxid, intake, .. } = stage else { return Ok(()) };
        intake.finish(ground.disk)?;
        ground.log.reset(ground.disk, zxid)?;
        *ground.applied = zxid;
        self.announced = zxid;
        self.committed = zxid;
        self.durable = ground.log.durable();
        self.report = zxid;
        ground.out.push(Effect::Reload { snapshot: Some(zxid), upto: zxid });
        Ok(())
    }

    /// Whether the report was -1 and a snapshot has mended that.
    pub fn is_mended(&self) -> bool {
        self.report.0 >= 0
    }

    /// Before UPTODATE.
    pub(super) fn on_history(
        &mut self,
        packet: &Packet<'_>,
        ground: &mut Ground<'_>,
    ) -> Result<(), Fault> {
        match packet.kind() {
            Some(Kind::Proposal) => self.take_proposal(packet, ground),
            Some(Kind::Commit | Kind::CommitAndActivate) => self.take_commit(packet.zxid, ground),
            Some(Kind::Inform | Kind::InformAndActivate) => self.take_inform(packet, ground),
            Some(Kind::NewLeader) if matches!(self.stage, Stage::History) => {
                if packet.zxid != Zxid::new(self.epoch, 0) {
                    return Err(PeerError::Unknown { zxid: packet.zxid }.into());
                }
                // What the leader has not decided by here is acknowledged after UPTODATE.
                self.acked = self.committed;
                self.stage = Stage::Persisting { upto: ground.log.appended() };
                self.persist_if_durable(ground)
            }
            Some(Kind::UpToDate) if matches!(self.stage, Stage::Waiting) => {
                self.go_live(ground);
                Ok(())
            }
            Some(Kind::NewLeader | Kind::UpToDate) => {
                Err(unexpected(packet, "history, NEWLEADER, UPTODATE in this order").into())
            }
            // A PING among them: nothing may leave before the ACK (L1).
            _ => Ok(()),
        }
    }

    /// Law 1: history durable, then the epoch durable, then the ACK of NEWLEADER.
    pub(super) fn persist_if_durable(&mut self, ground: &mut Ground<'_>) -> Result<(), Fault> {
        let Stage::Persisting { upto } = self.stage else { return Ok(()) };
        if self.durable < upto {
            return Ok(());
        }
        assert!(ground.log.durable() >= upto, "law 1: {upto:?} is not durable");
        let accepted = ground.log.superblock().accepted_epoch;
        ground.store_epochs(accepted.max(self.epoch), self.epoch)?;
        if !ground.log.may_vote() {
            // What damage had taken is back, also where the epoch stayed the same.
            ground.log.store_mended(ground.disk)?;
        }
        packets::write_bare(&mut self.outbox, Kind::Ack, Zxid::new(self.epoch, 0));
        self.silent_until = ground.now + ground.constants.timing.sync_ms();
        self.stage = Stage::Waiting;
        Ok(())
    }

    fn go_live(&mut self, ground: &mut Ground<'_>) {
        self.announce(ground);
        packets::write_bare(&mut self.outbox, Kind::Ack, Zxid::new(self.epoch, 0));
        self.stage = Stage::Live;
        self.announce(ground);
        let (leader, epoch) = (self.leader, self.epoch);
        ground.out.push(match self.rank {
            Rank::Follower => Effect::Following { leader, epoch },
            Rank::Observer => Effect::Observing { leader, epoch },
        });
    }
}
