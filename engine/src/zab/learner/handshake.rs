//! Discovery from the learner's side: FOLLOWERINFO, LEADERINFO, ACKEPOCH.
//!
//! The learner says which epoch it has promised; the leader answers with one above all it heard;
//! the learner promises that one durably before it says what it holds.

use super::{Learner, Rank, Stage, unexpected};
use crate::limits::EPOCH_JUMP_MAX;
use crate::zab::PeerError;
use crate::zab::ground::{Fault, Ground};
use crate::zab::packets::{self, Kind, Packet};
use crate::zab::records::{self, LearnerInfo, PROTOCOL_CUMULATIVE};
use crate::zxid::Zxid;

impl Learner {
    pub(super) fn introduce(&mut self, ground: &mut Ground<'_>) {
        let kind = match self.rank {
            Rank::Follower => Kind::FollowerInfo,
            Rank::Observer => Kind::ObserverInfo,
        };
        let info = LearnerInfo {
            server: Some(ground.constants.me),
            protocol: PROTOCOL_CUMULATIVE,
            config_version: ground.constants.ensemble.version(),
        };
        let promised = Zxid::new(ground.log.superblock().accepted_epoch, 0);
        packets::write(&mut self.outbox, kind, promised, Some(&info.encode()));
        self.silent_until = ground.now + ground.constants.timing.init_ms();
        self.stage = Stage::Greeting;
    }

    pub(super) fn on_leader_info(
        &mut self,
        packet: &Packet<'_>,
        ground: &mut Ground<'_>,
    ) -> Result<(), Fault> {
        if packet.kind() != Some(Kind::LeaderInfo) {
            return Err(unexpected(packet, "LEADERINFO").into());
        }
        self.cumulative = records::read_int(packet, "protocolVersion")? == PROTOCOL_CUMULATIVE;
        if !self.cumulative && self.is_early() {
            // Compat: a Java leader that has just lost its reign still accepts links, answers with
            // the epoch it did not come to, and never says more (`Leader`, 3.8.0).
            self.come_again(ground);
            return Ok(());
        }
        self.epoch = packet.zxid.epoch();
        let superblock = ground.log.superblock();
        let (promised, current) = (superblock.accepted_epoch, superblock.current_epoch);
        if self.epoch < promised {
            return Err(PeerError::EpochRegress { promised, got: self.epoch }.into());
        }
        if self.epoch.0 - promised.0 > EPOCH_JUMP_MAX {
            return Err(PeerError::EpochJump { from: promised, to: self.epoch }.into());
        }
        // An epoch promised before cannot be counted again: -1 says so (`Learner.registerWithLeader`).
        let mut answer = -1;
        if self.epoch > promised {
            answer = i32::try_from(current.0).unwrap_or(i32::MAX);
            ground.store_epochs(self.epoch, current)?;
        }
        // A voter that says -1 is not counted as promising. In a reign that has yet to be accepted
        // it may be the one that is missing.
        let is_asked = self.rank == Rank::Observer || self.needs_snapshot == Some(self.epoch);
        if self.needs_snapshot.is_some() && is_asked {
            self.report = Zxid(-1);
        }
        packets::write(&mut self.outbox, Kind::AckEpoch, self.report, Some(&answer.to_be_bytes()));
        self.stage = Stage::Planned;
        Ok(())
    }
}
