//! A learner at work: proposals in, ACKs out, commits applied; what its clients ask for passed on.
//!
//! Perf: a proposal is copied once, into the slab it is written and applied from; nothing is allocated.

use super::{Learner, Rank, Stage};
use crate::limits::IN_FLIGHT_BYTES_MAX;
use crate::log::write_packet;
use crate::zab::forwarded;
use crate::zab::ground::{Fault, Ground};
use crate::zab::packets::{self, Kind, Packet};
use crate::zab::records;
use crate::zab::{Effect, Leave, PeerError};
use crate::zxid::Zxid;

/// Where a `TxnHeader` keeps its zxid, after the session and the cxid.
const HEADER_ZXID: std::ops::Range<usize> = 12..20;

impl Learner {
    pub(super) fn on_broadcast(
        &mut self,
        packet: &Packet<'_>,
        ground: &mut Ground<'_>,
    ) -> Result<(), Fault> {
        match packet.kind() {
            Some(Kind::Proposal) if self.rank == Rank::Follower => {
                self.take_proposal(packet, ground)?;
            }
            Some(Kind::Commit | Kind::CommitAndActivate) if self.rank == Rank::Follower => {
                self.take_commit(packet.zxid, ground)?;
            }
            Some(Kind::Inform | Kind::InformAndActivate) => self.take_inform(packet, ground)?,
            Some(Kind::Ping) => {
                self.pinged = Some(packet.zxid);
                ground.out.push(Effect::PingDue);
            }
            Some(Kind::Revalidate) => {
                let (session, valid) = records::read_revalidated(packet)?;
                ground.out.push(Effect::Revalidated { session, valid });
            }
            Some(Kind::Sync) => {
                // What was decided before this answer is applied before it.
                self.announce(ground);
                ground.out.push(Effect::Synced);
            }
            // Compat: others are ignored (`Follower.processPacket`, `Observer.processPacket`).
            _ => {}
        }
        Ok(())
    }

    /// Law 4: appends what follows, passes over what is here already, refuses a gap.
    /// Compat: a Java leader may offer a zxid twice (`PrepRequestProcessor`, 3.9.5).
    pub(super) fn take_proposal(
        &mut self,
        packet: &Packet<'_>,
        ground: &mut Ground<'_>,
    ) -> Result<(), Fault> {
        let payload = packet.data("proposal")?;
        self.take_txn(packet.zxid, payload, packet.as_framed(), ground)
    }

    fn take_txn(
        &mut self,
        zxid: Zxid,
        payload: &[u8],
        framed: Option<&[u8]>,
        ground: &mut Ground<'_>,
    ) -> Result<(), Fault> {
        let labelled = payload.get(HEADER_ZXID).map(|bytes| {
            Zxid(i64::from_be_bytes(bytes.try_into().expect("the range has eight bytes")))
        });
        match labelled {
            Some(header) if header == zxid => {}
            other => {
                let header = other.unwrap_or_default();
                return Err(PeerError::Mislabelled { packet: zxid, header }.into());
            }
        }
        let last = ground.log.appended();
        if zxid <= last {
            return if ground.log.history().contains(zxid) || zxid < ground.log.history().base() {
                Ok(())
            } else {
                Err(PeerError::Gap { after: last, got: zxid }.into())
            };
        }
        if !zxid.follows(last) || zxid.epoch() > self.epoch {
            return Err(PeerError::Gap { after: last, got: zxid }.into());
        }
        if ground.log.gathered_bytes() > 2 * IN_FLIGHT_BYTES_MAX {
            return Err(Fault::Leave(Leave::DiskBehind));
        }
        if let Some(packet) = framed {
            ground.log.append(zxid, packet);
        } else {
            let mut packet = ground.buffers.take();
            write_packet(zxid, payload, &mut packet);
            ground.log.append(zxid, &packet);
            ground.buffers.give(packet);
        }
        Ok(())
    }

    /// Everything up to `zxid` is decided.
    pub(super) fn take_commit(&mut self, zxid: Zxid, ground: &mut Ground<'_>) -> Result<(), Fault> {
        if zxid <= self.committed {
            return Ok(());
        }
        if zxid > ground.log.appended() || !ground.log.history().contains(zxid) {
            return Err(PeerError::Unknown { zxid }.into());
        }
        self.committed = zxid;
        Ok(())
    }

    /// INFORM: proposal and commit in one, for observers.
    pub(super) fn take_inform(
        &mut self,
        packet: &Packet<'_>,
        ground: &mut Ground<'_>,
    ) -> Result<(), Fault> {
        let mut payload = packet.data("inform")?;
        if packet.kind() == Some(Kind::InformAndActivate) {
            // The leader that the new configuration suggests stands before the txn.
            payload = payload.get(8..).unwrap_or_default();
        }
        self.take_txn(packet.zxid, payload, None, ground)?;
        self.take_commit(packet.zxid, ground)
    }

    /// L3, law 2: acknowledges what became durable since the last time.
    pub(super) fn acknowledge(&mut self, ground: &mut Ground<'_>) {
        if self.rank != Rank::Follower || self.durable <= self.acked {
            return;
        }
        if self.cumulative {
            packets::write_bare(&mut self.outbox, Kind::Ack, self.durable);
        } else {
            // Compat: an ACK speaks for its own zxid alone, and a missing one stops every commit
            // after it (`Leader.tryToCommit`, 3.9.5).
            for zxid in ground.log.proposals().zxids(self.acked, self.durable) {
                packets::write_bare(&mut self.outbox, Kind::Ack, zxid);
            }
        }
        self.acked = self.durable;
    }

    /// Up to where nothing is left to acknowledge; memory must reach back so far. An observer
    /// acknowledges nothing.
    pub fn acked(&self) -> Zxid {
        let acknowledges = self.rank == Rank::Follower && matches!(self.stage, Stage::Live);
        if acknowledges { self.acked } else { self.durable }
    }

    /// Passes a client's request on to the leader.
    pub fn forward<'s>(
        &mut self,
        request: (i64, i32, i32),
        body: &[u8],
        auth: impl ExactSizeIterator<Item = (&'s str, &'s str)>,
    ) {
        if self.is_live() {
            forwarded::write_request(&mut self.outbox, request, body, auth);
        }
    }

    /// Asks the leader whether a session that came here from elsewhere is alive.
    pub fn revalidate(&mut self, session: i64, timeout_ms: i32) {
        if self.is_live() {
            packets::write_filled(&mut self.outbox, Kind::Revalidate, Zxid(-1), |out| {
                records::write_touched(out, std::iter::once((session, timeout_ms)));
            });
        }
    }

    /// Answers the PING that `Effect::PingDue` told of.
    /// Compat: with an empty buffer where no session was heard from; null would end the leader's
    /// handler (`LearnerHandler.run`, 3.9.5).
    pub fn answer_ping(&mut self, touched: impl Iterator<Item = (i64, i32)>) {
        if let Some(zxid) = self.pinged.take() {
            packets::write_filled(&mut self.outbox, Kind::Ping, zxid, |out| {
                records::write_touched(out, touched);
            });
        }
    }
}
