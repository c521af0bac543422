//! The turn of a member: what comes in from peers and the disk, what time brings, what goes out.
//!
//! Everything that happens in a turn leaves together at its end: proposals one send a learner, one
//! group commit; then what is decided is applied, and leaves as replies, one send a connection.
//!
//! Not here: clients' bytes (`client`).

use ringkeeper_engine::log::Disk;
use ringkeeper_engine::replica::{Effect, Event};
use ringkeeper_engine::time::Millis;
use ringkeeper_engine::zxid::Zxid;
use tracing::info;

use super::{Fatal, Member, Moment, Output, Role};
use crate::proof::Proof;
use crate::wire::SessionId;

/// Decided txns from which on the others do not wait until they are applied here. Not tuned: 128
/// did as well (`perf/notebook.md`).
const MUCH_DECIDED: usize = 32;

impl Member {
    /// Begins: the log is open, the disk readable. The replica's first effect loads the tree.
    pub fn start(&mut self, at: Moment, disk: &mut dyn Disk) {
        self.started = at.now;
        self.waiting.begin(at.now);
        self.proof = self.options.config.proof.then(|| Proof::new(at.now));
        let mut effects = std::mem::take(&mut self.effects);
        self.replica.start(at.now, disk, &mut effects);
        self.effects = effects;
        self.carry_out(at, disk);
    }

    /// Something came from another server, or the log's disk.
    pub fn peer(&mut self, at: Moment, event: Event<'_>, disk: &mut dyn Disk) {
        let mut effects = std::mem::take(&mut self.effects);
        self.replica.step(at.now, event, disk, &mut effects);
        self.effects = effects;
        self.carry_out(at, disk);
    }

    /// Time has passed.
    pub fn tick(&mut self, at: Moment, disk: &mut dyn Disk) {
        self.peer(at, Event::Tick, disk);
        self.expire_due(at);
        self.end_waiting(at);
        self.proof_due(at);
    }

    /// When `tick` must come at the latest.
    pub fn deadline(&self) -> Option<Millis> {
        let line = self.proof.as_ref().map(Proof::deadline);
        [self.replica.deadline(), self.expiry_deadline(), line].into_iter().flatten().min()
    }

    /// Whether there is work that waits for nothing but the next turn: a snapshot's next slice, or
    /// connections that may be read again since this turn's commits.
    pub fn has_work(&self) -> bool {
        self.checkpoint.is_walking() || self.front.has_throttled() && !self.too_much_under_way()
    }

    /// Ends a turn, both halves of it.
    pub fn end_turn(&mut self, at: Moment, disk: &mut dyn Disk, out: &mut Vec<Output>) {
        self.hand_out(at, disk, out);
        self.answer(at, disk, out);
    }

    /// Ends a turn's first half: what gathered for the others and the log is handed out. `true` if
    /// the second half is so much work that this should be on its way meanwhile.
    pub fn hand_out(&mut self, at: Moment, disk: &mut dyn Disk, out: &mut Vec<Output>) -> bool {
        self.checkpoint_turn();
        self.release_throttled(at);
        let proposed = std::mem::replace(&mut self.proposed, self.replica.proposals().last());
        let only_commits = self.role.leads() && proposed == self.proposed;
        let before = self.outputs.len();
        let mut effects = std::mem::take(&mut self.effects);
        self.replica.end_turn(at.now, disk, &mut effects);
        self.effects = effects;
        self.carry_out(at, disk);
        let decided = self.replica.proposals().count(self.db.last_zxid(), self.decided);
        let is_much = decided >= MUCH_DECIDED;
        // Somebody waits for the answers, and with nothing proposed nobody for the packets, unless
        // they tell of much that the others can apply meanwhile.
        if only_commits && !is_much {
            self.after_answers.extend(self.outputs.drain(before..));
        }
        out.append(&mut self.outputs);
        is_much
    }

    /// Ends a turn's second half: what is decided is applied and answered.
    pub fn answer(&mut self, at: Moment, disk: &mut dyn Disk, out: &mut Vec<Output>) {
        self.apply_decided(at);
        self.carry_out(at, disk);
        let levellings = self.replica.take_levellings();
        self.metrics.diff_count += levellings.diffs;
        self.metrics.snap_count += levellings.snaps;
        self.front.drain_out(|conn, bytes| self.outputs.push(Output::Send { conn, bytes }));
        self.outputs.append(&mut self.after_answers);
        for conn in std::mem::take(&mut self.closing) {
            if self.forget(conn) {
                self.outputs.push(Output::CloseAfterSending { conn });
            }
        }
        out.append(&mut self.outputs);
    }

    /// Does what the replica asks for, and what that causes.
    fn carry_out(&mut self, at: Moment, disk: &mut dyn Disk) {
        while !self.effects.is_empty() {
            let mut effects = std::mem::take(&mut self.effects);
            for effect in effects.drain(..) {
                self.effect(at, effect, disk);
            }
            if self.effects.is_empty() {
                self.effects = effects;
            }
        }
    }

    fn effect(&mut self, at: Moment, effect: Effect, disk: &mut dyn Disk) {
        if asks_the_tree(&effect) {
            self.apply_decided(at);
        }
        match effect {
            Effect::Disk(op) => self.outputs.push(Output::Disk(op)),
            Effect::Dial { link, to, port, addresses } => {
                self.outputs.push(Output::Dial { link, to, port, addresses });
            }
            Effect::Send { link, bytes } => self.outputs.push(Output::SendPeer { link, bytes }),
            Effect::SendShared { link, part } => {
                self.outputs.push(Output::SendPeerShared { link, part });
            }
            Effect::Close { link } => self.outputs.push(Output::ClosePeer { link }),
            Effect::Committed { upto } => self.decided = upto,
            Effect::Looking { why } => self.looking(at, &why),
            Effect::Leading { epoch } if self.options.config.quorum.is_none() => {
                info!(%epoch, "alone: leading");
                self.leading(at, Role::Standalone);
            }
            Effect::Leading { epoch } => self.leading(at, Role::Leading { epoch }),
            Effect::Following { leader, epoch } => {
                self.learning(at, Role::Following { leader, epoch });
            }
            Effect::Observing { leader, epoch } => {
                self.learning(at, Role::Observing { leader, epoch });
            }
            Effect::Reload { snapshot, upto } => {
                self.decided = Zxid::ZERO;
                if let Err(error) = self.reload(at.wall_ms, snapshot, upto, disk) {
                    self.outputs.push(Output::Fatal(Fatal::Load(error)));
                }
            }
            Effect::Requests { learner, requests } => self.forwarded(at, learner, requests),
            Effect::Touched { sessions, .. } => self.touched_elsewhere(at, &sessions),
            Effect::Revalidate { learner, session, timeout_ms } => {
                self.revalidate(at, learner, SessionId(session), timeout_ms);
            }
            Effect::LearnerGone { .. } => {}
            Effect::Revalidated { session, valid } => {
                self.revalidated(at, SessionId(session), valid);
            }
            Effect::Synced => self.synced(at),
            Effect::PingDue => self.ping_due(),
            Effect::Fatal(reason) => self.outputs.push(Output::Fatal(Fatal::Log(reason))),
        }
    }

    /// A send buffer comes back.
    pub fn recycle(&mut self, buffer: Vec<u8>) {
        self.front.recycle(buffer);
    }

    /// A peer's send buffer comes back.
    pub fn recycle_peer(&mut self, buffer: Vec<u8>) {
        self.replica.recycle(buffer);
    }

    /// Takes nothing more from clients; what is under way is still answered.
    pub fn stop_reading(&mut self) {
        self.is_stopping = true;
    }

    /// The end of an orderly stop: the log is left as a start likes to find it.
    pub fn close(&mut self, disk: &mut dyn Disk) {
        if let Err(reason) = self.replica.close(disk) {
            tracing::warn!(%reason, "the log could not be closed in order; nothing is lost");
        }
    }

    /// Whether nothing is under way: no request waits for an answer, the log is on disk.
    pub fn is_quiet(&self) -> bool {
        self.outstanding == 0 && self.replica.log().is_quiet()
    }
}

/// Whether what was decided before has to be applied first.
fn asks_the_tree(effect: &Effect) -> bool {
    !matches!(
        effect,
        Effect::Disk(_)
            | Effect::Dial { .. }
            | Effect::Send { .. }
            | Effect::SendShared { .. }
            | Effect::Close { .. }
            | Effect::Committed { .. }
    )
}
