//! What a role stands on for the length of one step: log, memory, disk, and where effects go.
//!
//! Not here: any decision.

use std::collections::BTreeMap;

use crate::ids::{LinkId, LinkIds, ServerId};
use crate::jute::WireError;
use crate::limits::{SEND_BUFFERS_BYTES_KEPT, SEND_BUFFERS_KEPT};
use crate::log::{Disk, DiskError, Log, LogFailure};
use crate::quorum::Ensemble;
use crate::time::Millis;
use crate::zab::{Effect, FatalReason, Leave, PeerError, Port, SnapshotFormat, Timing};
use crate::zxid::{Epoch, Zxid};

/// What does not change while the process lives, unless the ensemble is reconfigured.
pub struct Constants {
    pub me: ServerId,
    pub ensemble: Ensemble,
    pub timing: Timing,
    pub snapshots: Box<dyn SnapshotFormat>,
}

/// One step's ground.
pub struct Ground<'a> {
    pub now: Millis,
    pub constants: &'a Constants,
    pub log: &'a mut Log,
    /// What the member's tree has applied.
    pub applied: &'a mut Zxid,
    pub disk: &'a mut dyn Disk,
    pub links: &'a mut LinkIds,
    /// Which port each open link belongs to.
    pub ports: &'a mut BTreeMap<LinkId, Port>,
    pub buffers: &'a mut Buffers,
    pub levellings: &'a mut Levellings,
    pub out: &'a mut Vec<Effect>,
}

impl Ground<'_> {
    /// Ends a link, once what was sent on it has left.
    pub fn close(&mut self, link: LinkId) {
        self.ports.remove(&link);
        self.out.push(Effect::Close { link });
    }

    /// Asks for a link to a member's quorum port.
    pub fn dial(&mut self, to: ServerId) -> LinkId {
        let link = self.links.allocate();
        let member = self.constants.ensemble.member(to);
        let addresses = member.map(|member| member.quorum.clone()).unwrap_or_default();
        self.out.push(Effect::Dial { link, to, port: Port::Quorum, addresses });
        link
    }

    /// Laws 1 and 10: stores both epochs durably.
    pub fn store_epochs(&mut self, accepted: Epoch, current: Epoch) -> Result<(), Fault> {
        let superblock = self.log.superblock();
        assert!(
            accepted >= superblock.accepted_epoch && current >= superblock.current_epoch,
            "law 10: epochs {accepted:?}, {current:?} after {superblock:?}"
        );
        Ok(self.log.store_epochs(self.disk, accepted, current)?)
    }

    /// Law 6: everything decided reaches the tree by this effect alone.
    pub fn commit(&mut self, announced: &mut Zxid, upto: Zxid) {
        if upto > *announced {
            *announced = upto;
            self.out.push(Effect::Committed { upto });
        }
    }
}

/// What stops a role, or a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The peer's fault. A leader drops the learner; a learner leaves the leader.
    Peer(PeerError),
    /// The role ends; the server looks for a leader.
    Leave(Leave),
    /// The process ends (law 8).
    Fatal(FatalReason),
}

impl From<PeerError> for Fault {
    fn from(error: PeerError) -> Self {
        Self::Peer(error)
    }
}

impl From<WireError> for Fault {
    fn from(error: WireError) -> Self {
        Self::Peer(PeerError::Wire(error))
    }
}

impl From<DiskError> for Fault {
    fn from(error: DiskError) -> Self {
        Self::Fatal(FatalReason::Disk(error))
    }
}

impl From<LogFailure> for Fault {
    fn from(failure: LogFailure) -> Self {
        Self::Fatal(FatalReason::Log(failure))
    }
}

/// How learners were brought level by this server, since it was last asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Levellings {
    /// By what the log holds: DIFF and TRUNC, which ZooKeeper counts as one (`LearnerHandler.run`).
    pub diffs: u64,
    pub snaps: u64,
}

/// Send buffers that come back.
#[derive(Default)]
pub struct Buffers {
    kept: Vec<Vec<u8>>,
    /// What all of them have room for.
    room: usize,
}

impl Buffers {
    /// An empty buffer, with what room it had when it came back.
    pub fn take(&mut self) -> Vec<u8> {
        let buffer = self.kept.pop().unwrap_or_default();
        self.room -= buffer.capacity();
        buffer
    }

    pub fn give(&mut self, mut buffer: Vec<u8>) {
        // What bursts made large goes back to the allocator.
        let room = self.room + buffer.capacity();
        if self.kept.len() < SEND_BUFFERS_KEPT && room <= SEND_BUFFERS_BYTES_KEPT {
            buffer.clear();
            self.room = room;
            self.kept.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_kept_up_to_a_number_and_a_bound_on_their_room() {
        let mut buffers = Buffers::default();
        for bytes in [1 << 10, 1 << 20] {
            for _ in 0..100 {
                buffers.give(vec![1; bytes]);
            }
            let room: usize = buffers.kept.iter().map(Vec::capacity).sum();
            assert!(buffers.kept.len() <= SEND_BUFFERS_KEPT && room <= SEND_BUFFERS_BYTES_KEPT);
            assert_eq!(room, buffers.room);
            let taken = buffers.take();
            assert!(taken.is_empty() && taken.capacity() >= bytes, "the last comes first");
            while buffers.take().capacity() > 0 {}
            assert_eq!(buffers.room, 0);
        }
    }
}
