//! Discovery from the leader's side: who comes, which epoch to open, who promises it.
//!
//! The new epoch is one above all that a quorum of voters has promised before, so that no older
//! leader can still be followed by a quorum. It is durable here before anybody hears of it.

use super::{Leader, Peer, Phase, Stage};
use crate::ids::{LinkId, ServerId};
use crate::limits::EPOCH_JUMP_MAX;
use crate::zab::ground::{Fault, Ground};
use crate::zab::packets::{self, Kind, Packet};
use crate::zab::records::{self, LearnerInfo, PROTOCOL, PROTOCOL_CUMULATIVE};
use crate::zab::{Leave, PeerError};
use crate::zxid::{Epoch, Zxid};

impl Leader {
    /// FOLLOWERINFO or OBSERVERINFO.
    pub(super) fn on_info(
        &mut self,
        link: LinkId,
        packet: &Packet<'_>,
        ground: &mut Ground<'_>,
    ) -> Result<(), Fault> {
        let follows = match packet.kind() {
            Some(Kind::FollowerInfo) => true,
            Some(Kind::ObserverInfo) => false,
            _ => {
                let awaited = "FOLLOWERINFO or OBSERVERINFO";
                return Err(PeerError::Unexpected { code: packet.code, awaited }.into());
            }
        };
        let info = LearnerInfo::read(packet)?;
        let ensemble = &ground.constants.ensemble;
        if info.protocol < PROTOCOL {
            // Compat: Java still serves learners from before 3.4 (`LearnerHandler.run`, 3.9.5).
            return Err(PeerError::Legacy { version: info.protocol }.into());
        }
        if info.config_version > ensemble.version() {
            return Err(PeerError::NewerConfig { version: info.config_version }.into());
        }
        let accepted = packet.zxid.epoch();
        let ours = ground.log.superblock().accepted_epoch;
        if accepted.0 > ours.0.saturating_add(EPOCH_JUMP_MAX) {
            return Err(PeerError::EpochJump { from: ours, to: accepted }.into());
        }
        let server = match info.server {
            Some(server) if server == ground.constants.me => {
                return Err(PeerError::Impostor.into());
            }
            Some(server) => server,
            None => {
                self.next_anonymous -= 1;
                ServerId(self.next_anonymous)
            }
        };
        let Some(peer) = self.peers.get_mut(&link) else { return Ok(()) };
        peer.server = server;
        peer.follows = follows;
        peer.votes = follows && ground.constants.ensemble.is_voter(server);
        peer.cumulative = info.protocol == PROTOCOL_CUMULATIVE;
        peer.accepted = accepted.0;
        peer.stage = Stage::Introduced;
        if self.phase == Phase::Discovery {
            return self.fix_epoch(ground);
        }
        if peer.votes && accepted > self.epoch {
            return self.outpromised(server, accepted);
        }
        tell_epoch(self.epoch, peer);
        Ok(())
    }

    /// Law 10 keeps a voter from whoever leads in an epoch below the one it promised to a leader
    /// that never came to reign. With the next election it is heard, and the epoch above all.
    /// Compat: under Java's leader it stays outside until something else ends the reign, and the
    /// ensemble has one voter less to lose (`Leader.getEpochToPropose`, 3.9.5).
    fn outpromised(&self, voter: ServerId, epoch: Epoch) -> Result<(), Fault> {
        let is_level = |peer: &Peer| peer.server == voter && peer.stage >= Stage::Levelled;
        if self.peers.values().any(is_level) {
            // Somebody else says so in its name: the one that works keeps working.
            return Err(PeerError::EpochRegress { promised: epoch, got: self.epoch }.into());
        }
        Err(Fault::Leave(Leave::Outpromised { voter, epoch }))
    }

    /// One link a server: the newest that is level. Before that anybody may claim to be it, and the
    /// one that works keeps working.
    pub(super) fn replace_former_self(
        &mut self,
        link: LinkId,
        server: ServerId,
        ground: &mut Ground<'_>,
    ) {
        let former = self.peers.values().find(|peer| peer.server == server && peer.link != link);
        if let Some(former) = former.map(|peer| peer.link) {
            self.drop_peer(former, &PeerError::Replaced, ground);
        }
    }

    /// Opens an epoch as soon as a quorum has said which ones it promised.
    pub(super) fn fix_epoch(&mut self, ground: &mut Ground<'_>) -> Result<(), Fault> {
        if !self.quorum_of(ground.constants, |peer| peer.stage >= Stage::Introduced) {
            return Ok(());
        }
        let superblock = ground.log.superblock();
        let current = superblock.current_epoch;
        // A log that was filled without an ensemble may be ahead of what was ever promised.
        let ours = superblock.accepted_epoch.max(self.began_with.epoch()).0;
        let highest = self.peers.values().map(|peer| peer.accepted).fold(ours, i64::max);
        self.epoch = Epoch(highest + 1);
        ground.store_epochs(self.epoch, current)?;
        self.enter(Phase::Promising, ground);
        for peer in self.peers.values_mut().filter(|peer| peer.stage == Stage::Introduced) {
            tell_epoch(self.epoch, peer);
        }
        self.begin_levelling(ground)
    }

    pub(super) fn enter(&mut self, phase: Phase, ground: &Ground<'_>) {
        self.phase = phase;
        self.phase_until = ground.now + ground.constants.timing.init_ms();
    }

    pub(super) fn on_ack_epoch(
        &mut self,
        link: LinkId,
        packet: &Packet<'_>,
        ground: &mut Ground<'_>,
    ) -> Result<(), Fault> {
        if packet.kind() != Some(Kind::AckEpoch) {
            let awaited = "ACKEPOCH";
            return Err(PeerError::Unexpected { code: packet.code, awaited }.into());
        }
        let current = Epoch(records::read_int(packet, "currentEpoch")?.into());
        // Whoever says -1 promised this epoch before: it is heard, not counted.
        let counts = current.0 != -1;
        let zxid = packet.zxid;
        if self.phase == Phase::Promising && counts && (current, zxid) > self.summary {
            return Err(PeerError::Ahead { epoch: current, zxid }.into());
        }
        let Some(peer) = self.peers.get_mut(&link) else { return Ok(()) };
        peer.reported = zxid;
        peer.promised = counts && zxid.0 != -1;
        peer.stage = Stage::Promised;
        match self.phase {
            Phase::Discovery => Ok(()),
            Phase::Promising => self.begin_levelling(ground),
            Phase::Levelling | Phase::Reigning => self.level(link, ground),
        }
    }

    /// Brings everybody level once a quorum has promised the new epoch. That we follow it ourselves
    /// is stored when what they need is on its way: their disks and ours work at the same time.
    fn begin_levelling(&mut self, ground: &mut Ground<'_>) -> Result<(), Fault> {
        if !self.quorum_of(ground.constants, |peer| peer.promised) {
            return Ok(());
        }
        // Law 1: our history is durable since before we began.
        assert!(ground.log.durable() >= self.began_with, "law 1: history is not durable");
        self.owes_epoch = true;
        self.enter(Phase::Levelling, ground);
        let promised: Vec<LinkId> = self
            .peers
            .values()
            .filter(|peer| peer.stage == Stage::Promised)
            .map(|peer| peer.link)
            .collect();
        for link in promised {
            match self.level(link, ground) {
                Err(Fault::Peer(error)) => self.drop_peer(link, &error, ground),
                result => result?,
            }
        }
        self.begin_reign(ground)
    }

    /// D5. Follows the epoch, durably, if that is still to be done.
    pub(super) fn follow_epoch(&mut self, ground: &mut Ground<'_>) -> Result<(), Fault> {
        if std::mem::take(&mut self.owes_epoch) {
            ground.store_epochs(self.epoch, self.epoch)?;
        }
        Ok(())
    }
}

fn tell_epoch(epoch: Epoch, peer: &mut Peer) {
    let protocol = if peer.cumulative { PROTOCOL_CUMULATIVE } else { PROTOCOL };
    let data = protocol.to_be_bytes();
    packets::write(&mut peer.outbox, Kind::LeaderInfo, Zxid::new(epoch, 0), Some(&data));
    peer.stage = Stage::Promising;
}
