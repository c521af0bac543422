//! Digests that differ: counted, told, and acted on where they prove something.
//!
//! Under a Ringkeeper leader a difference is proof that the tree here is wrong, and the replica
//! leaves for a snapshot (law 12). Under a Java leader it is counted and told; in proof mode a run
//! that lasts is looked into.
//!
//! Not here: which runs last, how trees are compared (`proof`).

use tracing::{error, info, warn};

use super::{Member, Moment, Role};
use crate::apply::{Applied, Database, DigestCheck};
use crate::proof::{Lines, Mismatch, Standing, Step};

impl Member {
    /// The txn was applied: what does its digest say?
    pub(super) fn note_digest(&mut self, at: Moment, applied: &Applied) {
        if let Some(proof) = &mut self.proof {
            proof.applied(&applied.header, applied.digest);
        }
        let step = match applied.digest {
            DigestCheck::Absent | DigestCheck::Unchecked => return,
            DigestCheck::Equal => self.runs.equal(),
            DigestCheck::Differs { expected, actual } => {
                let zxid = applied.header.zxid;
                self.metrics.digest_mismatches_count += 1;
                self.replica.distrust(zxid);
                let leader = self.replica.status().leader;
                self.runs.differs(at.now, Mismatch { zxid, leader, expected, actual })
            }
        };
        tell(&step);
        let Some(proof) = &mut self.proof else { return };
        if proof.stepped(at.now, step) {
            warn!("proof: asking the leader for its tree, to compare it with the one here");
            self.replica.want_snapshot();
        }
    }

    /// The tree `before` is given up for another.
    pub(super) fn note_reload(&mut self, before: Database) {
        let open = self.runs.close();
        if let Some(proof) = &mut self.proof {
            proof.reloaded(open, before);
        }
    }

    /// This server is level with its leader.
    pub(super) fn note_level(&mut self) {
        if self.db.is_settling() {
            self.checkpoint.settled();
        }
        self.db.level();
        let Some(proof) = &mut self.proof else { return };
        match proof.level(self.replica.plan(), &self.db) {
            Some(found) if found.differing + found.doubtful > 0 => error!("{found}"),
            Some(found) => warn!("{found}"),
            None => {}
        }
    }

    /// Once a minute.
    pub(super) fn proof_due(&mut self, at: Moment) {
        if let Some(line) = self.proof.as_mut().and_then(|proof| proof.line(at.now)) {
            info!("{line}");
        }
    }

    /// What the word `proof` answers; `None` outside proof mode.
    pub(super) fn proof_report(&self, at: Moment) -> Option<Lines> {
        let standing = match self.role {
            Role::Observing { leader, .. } => Standing::Observing { leader },
            _ => Standing::Away,
        };
        self.proof.as_ref().map(|proof| proof.report(at.now, standing, &self.runs))
    }
}

fn tell(step: &Step) {
    match step {
        Step::Began(run) => error!(
            zxid = %run.first, leader = ?run.leader, difference = run.difference,
            "the tree differs from the one the leader foresaw for this txn; \
             compare the servers with the `hash` four-letter word if that goes on"
        ),
        Step::Lasts(run) => error!(
            first = %run.first, last = %run.last, leader = ?run.leader, txns = run.txns,
            difference = run.difference, steady = run.steady,
            "the tree goes on differing from the leader's digests: this lasts"
        ),
        Step::GoesOn { run, remind: true } => error!(
            first = %run.first, last = %run.last, leader = ?run.leader, txns = run.txns,
            difference = run.difference, steady = run.steady,
            "the tree still differs from the leader's digests"
        ),
        Step::Ended(run) => info!(
            first = %run.first, last = %run.last, leader = ?run.leader, txns = run.txns,
            "the leader's digests are equal again"
        ),
        Step::GoesOn { .. } | Step::Calm => {}
    }
}
