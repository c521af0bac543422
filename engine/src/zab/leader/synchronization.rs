//! Bringing learners level: the plan, then history out of a snapshot, the log and memory.
//!
//! History flows as far as the link takes it and no farther (`FEED_BYTES`), so a learner far behind
//! costs one chunk of memory. It moves from the log on disk to memory as soon as memory reaches
//! back to where it stands; a live learner that falls out of memory moves back to the log.
//!
//! Not here: which plan (`sync_plan`).

use super::{Leader, Peer, Phase, Stage};
use crate::ids::LinkId;
use crate::limits::{FEED_BYTES, FEED_CHUNK_BYTES};
use crate::log::{Cursor, CursorError, FileName, Run};
use crate::zab::ground::{Fault, Ground};
use crate::zab::packets::{self, HEAD, Kind, Packet};
use crate::zab::snapshot::SIGNATURE;
use crate::zab::sync_plan::{Decided, Plan, plan};
use crate::zab::{Effect, PeerError};
use crate::zxid::{Epoch, Zxid};

/// Where a learner's next bytes come from.
#[derive(Debug)]
pub(super) enum Source {
    /// The body of a snapshot file, from `at` to `end`; `None` is the empty tree's.
    Snapshot { file: Option<Zxid>, at: u64, end: u64 },
    /// Proposals, from memory where it reaches back to `sent`, else from this place in the log.
    History(Option<Cursor>),
}

impl Leader {
    /// Plans a learner's synchronization and begins it.
    pub(super) fn level(&mut self, link: LinkId, ground: &mut Ground<'_>) -> Result<(), Fault> {
        let end = self.decided();
        let Some(peer) = self.peers.get_mut(&link) else { return Ok(()) };
        let runs: Vec<Run> = ground.log.history().runs().collect();
        let base = ground.log.history().base().max(self.readable_from);
        let ours = Decided { base, runs: &runs, end };
        let (plan, from, source) = match plan(peer.reported, peer.cumulative, ours) {
            Plan::Diff { after } => {
                packets::write_bare(&mut peer.outbox, Kind::Diff, end);
                (Kind::Diff, after, Source::History(None))
            }
            Plan::Trunc { to } => {
                packets::write_bare(&mut peer.outbox, Kind::Trunc, to);
                (Kind::Trunc, to, Source::History(None))
            }
            Plan::Snap => {
                let file = ground.log.superblock().snapshot;
                let zxid = file.unwrap_or(Zxid::ZERO);
                let (at, end) = match file {
                    Some(zxid) => {
                        let body = ground.constants.snapshots.body(ground.disk, zxid);
                        let body = body.map_err(PeerError::Unreadable)?;
                        (body.start, body.end)
                    }
                    None => (0, 0),
                };
                packets::write_bare(&mut peer.outbox, Kind::Snap, zxid);
                (Kind::Snap, zxid, Source::Snapshot { file, at, end })
            }
        };
        match plan {
            Kind::Snap => ground.levellings.snaps += 1,
            _ => ground.levellings.diffs += 1,
        }
        let history = if ground.log.proposals().covers(from) { "memory" } else { "the log" };
        tracing::info!(
            server = %peer.server, reported = %peer.reported, %from, %end, history,
            "brought level by {}", plan.name()
        );
        peer.source = source;
        (peer.sent, peer.told) = (from, from);
        peer.target = end.max(from);
        peer.stage = Stage::Levelling;
        Ok(())
    }

    /// The next packet after NEWLEADER must be an ACK.
    /// Compat: ACKs of the proposals that brought it level may overtake NEWLEADER's own
    /// (`Learner.syncWithLeader`, 3.8.0); they say nothing of the epoch and are passed over. One of
    /// any other zxid is not counted, and the learner served all the same (`LearnerHandler.run`,
    /// 3.9.5).
    pub(super) fn on_new_leader_ack(
        &mut self,
        link: LinkId,
        packet: &Packet<'_>,
        ground: &mut Ground<'_>,
    ) -> Result<(), Fault> {
        if packet.kind() != Some(Kind::Ack) {
            let awaited = "the ACK of NEWLEADER";
            return Err(PeerError::Unexpected { code: packet.code, awaited }.into());
        }
        let target = self.peers.get(&link).map_or(Zxid::ZERO, |peer| peer.target);
        if packet.zxid.counter() != 0 && packet.zxid <= target {
            return Ok(());
        }
        let counts = packet.zxid == Zxid::new(self.epoch, 0);
        let is_reigning = self.is_reigning();
        if let Some(server) = self.peers.get(&link).map(|peer| peer.server) {
            self.replace_former_self(link, server, ground);
        }
        let Some(peer) = self.peers.get_mut(&link) else { return Ok(()) };
        peer.stage = Stage::Levelled;
        if counts {
            // Law 1: it has all of its synchronization durable.
            peer.on_acked(peer.target, ground.now);
        } else {
            peer.votes = false;
        }
        if is_reigning {
            go_live(peer, ground);
            self.stirred = true;
            Ok(())
        } else {
            self.begin_reign(ground)
        }
    }

    /// Once a quorum is level, everything we began with is decided.
    pub(super) fn begin_reign(&mut self, ground: &mut Ground<'_>) -> Result<(), Fault> {
        let is_level = |peer: &Peer| peer.stage >= Stage::Levelled;
        if self.phase != Phase::Levelling || !self.quorum_of(ground.constants, is_level) {
            return Ok(());
        }
        self.follow_epoch(ground)?;
        let followed = ground.log.superblock().current_epoch;
        assert_eq!(followed, self.epoch, "D5: a reign in an epoch that its leader does not follow");
        self.phase = Phase::Reigning;
        self.decided = self.began_with;
        ground.commit(&mut self.announced, self.decided);
        ground.out.push(Effect::Leading { epoch: self.epoch });
        for peer in self.peers.values_mut().filter(|peer| peer.stage == Stage::Levelled) {
            go_live(peer, ground);
        }
        Ok(())
    }
}

fn go_live(peer: &mut Peer, ground: &Ground<'_>) {
    peer.silent_until = ground.now + ground.constants.timing.sync_ms();
    packets::write_bare(&mut peer.outbox, Kind::UpToDate, Zxid(-1));
    peer.stage = Stage::Live;
}

impl Peer {
    /// Gives the learner all that is due: commits of what it has, further history or proposals,
    /// NEWLEADER when it is level.
    pub(super) fn advance(
        &mut self,
        decided: Zxid,
        epoch: Epoch,
        ground: &mut Ground<'_>,
    ) -> Result<(), PeerError> {
        if self.stage < Stage::Levelling {
            return Ok(());
        }
        loop {
            // A SYNC stands right after the commit it waited for: what its client sent afterwards
            // may be decided too, and must not be seen by what the client sent before.
            let upto = self.syncs.front().map_or(decided, |&zxid| zxid.min(decided));
            self.advance_to(upto, epoch, ground)?;
            if !self.answer_syncs(upto) {
                return Ok(());
            }
        }
    }

    fn advance_to(
        &mut self,
        decided: Zxid,
        epoch: Epoch,
        ground: &mut Ground<'_>,
    ) -> Result<(), PeerError> {
        self.tell_decided(decided, ground);
        while self.backlog() < FEED_BYTES {
            if self.stage == Stage::Levelling && self.is_level() {
                // D3.
                let text = ground.constants.ensemble.to_text();
                let zxid = Zxid::new(epoch, 0);
                packets::write(&mut self.outbox, Kind::NewLeader, zxid, Some(text.as_bytes()));
                self.stage = Stage::Told;
                self.silent_until = ground.now + ground.constants.timing.init_ms();
            }
            let is_snapshot = matches!(self.source, Source::Snapshot { .. });
            let fed =
                if is_snapshot { self.feed_snapshot(ground)? } else { self.feed(decided, ground)? };
            if !fed {
                break;
            }
        }
        self.await_ack(ground.now);
        Ok(())
    }

    fn is_level(&self) -> bool {
        let is_history = matches!(self.source, Source::History(_));
        is_history && self.sent >= self.target && self.told >= self.target
    }

    /// How far it may be sent proposals: before NEWLEADER only what was decided at the plan, after
    /// it everything, or, for observers, what is decided.
    fn limit(&self, decided: Zxid, ground: &Ground<'_>) -> Zxid {
        match self.stage {
            Stage::Levelling => self.target,
            _ if self.follows => ground.log.proposals().last(),
            _ => decided,
        }
    }

    /// One chunk of a snapshot. Whether there may be more to feed at once.
    fn feed_snapshot(&mut self, ground: &mut Ground<'_>) -> Result<bool, PeerError> {
        let Source::Snapshot { file, at, end } = &mut self.source else { return Ok(false) };
        match *file {
            Some(zxid) if *at < *end => {
                let from = self.outbox.len();
                let length = (*end - *at).min(FEED_CHUNK_BYTES as u64) as usize;
                self.outbox.resize(from + length, 0);
                let chunk = &mut self.outbox[from..];
                let read = ground.disk.read(FileName::Snapshot(zxid), *at, chunk);
                let read = read.map_err(PeerError::Unreadable)?;
                if read == 0 {
                    return Err(PeerError::Purged);
                }
                self.outbox.truncate(from + read);
                *at += read as u64;
                return Ok(true);
            }
            Some(_) => {}
            None => self.outbox.extend_from_slice(&ground.constants.snapshots.empty_body()),
        }
        self.outbox.extend_from_slice(&SIGNATURE);
        self.source = Source::History(None);
        Ok(true)
    }

    /// One run of proposals and the commits of those that are decided.
    fn feed(&mut self, decided: Zxid, ground: &mut Ground<'_>) -> Result<bool, PeerError> {
        let limit = self.limit(decided, ground);
        if self.sent >= limit {
            return Ok(false);
        }
        let from = self.outbox.len();
        if ground.log.proposals().covers(self.sent) {
            let Some(run) = ground.log.proposals().run(self.sent, limit, FEED_CHUNK_BYTES) else {
                return Ok(false);
            };
            self.source = Source::History(None);
            self.sent = run.last;
            let is_told_apart = self.follows || self.stage == Stage::Levelling;
            if let Some(part) = run.share().filter(|_| is_told_apart) {
                self.send(ground);
                self.unsent += part.len();
                ground.out.push(Effect::SendShared { link: self.link, part });
                self.tell_decided(decided, ground);
                return Ok(true);
            }
            self.outbox.extend_from_slice(run.bytes);
        } else {
            self.feed_from_log(limit, ground)?;
        }
        if self.outbox.len() == from {
            return Ok(false);
        }
        if !self.follows && self.stage > Stage::Levelling {
            self.inform(from);
        } else {
            self.tell_run(from, decided);
        }
        Ok(true)
    }

    /// Reads on in the log, up to `limit`.
    fn feed_from_log(&mut self, limit: Zxid, ground: &mut Ground<'_>) -> Result<(), PeerError> {
        if self.sent < ground.log.history().base() {
            return Err(PeerError::Purged);
        }
        let Source::History(cursor) = &mut self.source else { return Ok(()) };
        let cursor = cursor.get_or_insert_with(|| ground.log.cursor(self.sent));
        let from = self.outbox.len();
        let read = cursor.next(ground.disk, ground.log, &mut self.outbox, FEED_CHUNK_BYTES);
        read.map_err(|error| match error {
            CursorError::Purged { .. } => PeerError::Purged,
            _ => PeerError::Damaged { after: self.sent },
        })?;
        let mut at = from;
        while at < self.outbox.len() {
            let packet = Packet::read(&self.outbox[at..])?;
            if packet.zxid > limit {
                // What is beyond the limit is read again when its time has come.
                self.outbox.truncate(at);
                self.source = Source::History(None);
                break;
            }
            self.sent = packet.zxid;
            at += packet.bytes.len();
        }
        Ok(())
    }

    /// Commits for the decided ones among the packets in the outbox from `from`.
    fn tell_run(&mut self, from: usize, decided: Zxid) {
        let upto = self.sent.min(decided);
        if upto <= self.told {
            return;
        }
        if self.cumulative {
            packets::write_bare(&mut self.outbox, Kind::Commit, upto);
        } else {
            let (mut at, end) = (from, self.outbox.len());
            while at < end {
                let (zxid, length) = frame(&self.outbox[at..]);
                if zxid > self.told && zxid <= upto {
                    packets::write_bare(&mut self.outbox, Kind::Commit, zxid);
                }
                at += length;
            }
        }
        self.told = upto;
    }

    /// Commits of what was sent before it was decided.
    fn tell_decided(&mut self, decided: Zxid, ground: &Ground<'_>) {
        let upto = self.sent.min(decided);
        if upto <= self.told || matches!(self.source, Source::Snapshot { .. }) {
            return;
        }
        if self.cumulative {
            packets::write_bare(&mut self.outbox, Kind::Commit, upto);
        } else {
            for zxid in ground.log.proposals().zxids(self.told, upto) {
                packets::write_bare(&mut self.outbox, Kind::Commit, zxid);
            }
        }
        self.told = upto;
    }

    /// Makes INFORMs of the proposals in the outbox from `from`: proposal and commit in one.
    fn inform(&mut self, from: usize) {
        let (mut at, end) = (from, self.outbox.len());
        while at < end {
            self.outbox[at..at + 4].copy_from_slice(&(Kind::Inform as i32).to_be_bytes());
            at += frame(&self.outbox[at..]).1;
        }
        self.told = self.sent;
    }
}

/// Zxid and length of one of our own PROPOSAL packets.
fn frame(packet: &[u8]) -> (Zxid, usize) {
    let field =
        |at: usize, end: usize| packet[at..end].iter().fold(0, |n, b| n << 8 | i64::from(*b));
    (Zxid(field(4, 12)), HEAD + field(12, 16) as usize + 4)
}
