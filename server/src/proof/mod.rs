//! Proof mode: an observer of a Java ensemble says whether it computes the same tree.
//!
//! After every txn the digest of the tree here is compared with the one the leader foresaw. A run of
//! digests that differ either ends by itself or lasts (`runs`). One that lasts is looked into: the
//! observer leaves its leader, asks it for a snapshot, and when it is level again compares the tree
//! it had with the one it was given, znode by znode (`compare`). Then the proof goes on from the
//! leader's tree. Counts are of this process's life.
//!
//! Invariants:
//! - P1. A tree is kept for comparison only while a run is open; at most one is kept.
//!
//! Not here: digests (`apply`), roles and links (`member`), the word that asks (`admin`).

mod compare;
mod report;
mod runs;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use ringkeeper_engine::ids::ServerId;
use ringkeeper_engine::replica::Plan;
use ringkeeper_engine::time::Millis;
use ringkeeper_engine::zxid::Zxid;

use crate::apply::{Database, DigestCheck};
use crate::txn::TxnHeader;

pub use compare::{Comparison, Difference, compare};
pub use report::Lines;
pub use runs::{Mismatch, Run, Runs, Step};

/// Between two lines in the trace.
const LINE_MS: u64 = 60_000;

/// A leader is asked for a snapshot of the whole tree at most so often.
const COMPARE_MS: u64 = 600_000;

/// Ended runs that the report names.
const RUNS_TOLD: usize = 16;

/// What this server is doing, as far as the proof goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// There is no leader, or this server is not level with it.
    Away,
    Observing {
        leader: ServerId,
    },
}

/// What became of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    /// It ended by itself.
    Transient,
    /// It lasted, and ended by itself before the trees were compared.
    Healed,
    /// The trees differ.
    Diverged,
    /// The trees are equal as far as can be told: the leader's digests were wrong.
    WrongDigests,
}

#[derive(Debug, Default)]
struct Counts {
    txns: u64,
    by_kind: BTreeMap<&'static str, u64>,
    equal: u64,
    absent: u64,
    unchecked: u64,
    mismatches: u64,
    transient_runs: u64,
    transient_txns: u64,
    lasting_runs: u64,
    diverged_runs: u64,
    diffs: u64,
    truncs: u64,
    snaps: u64,
}

/// A run being looked into.
struct Inquiry {
    run: Run,
    /// The tree that the digests were of, once another has taken its place.
    kept: Option<Box<Database>>,
}

/// The proof, from the start of the process on.
pub struct Proof {
    began: Millis,
    next_line: Millis,
    counts: Counts,
    last_zxid: Zxid,
    first_mismatch: Option<Zxid>,
    last_mismatch: Option<Zxid>,
    ended: VecDeque<(Run, Verdict)>,
    inquiry: Option<Inquiry>,
    compare_from: Millis,
    found: Option<Comparison>,
}

impl Proof {
    pub fn new(now: Millis) -> Self {
        Self {
            began: now,
            next_line: now + LINE_MS,
            counts: Counts::default(),
            last_zxid: Zxid::ZERO,
            first_mismatch: None,
            last_mismatch: None,
            ended: VecDeque::new(),
            inquiry: None,
            compare_from: now,
            found: None,
        }
    }

    /// One txn was applied.
    pub fn applied(&mut self, header: &TxnHeader, digest: DigestCheck) {
        let counts = &mut self.counts;
        self.last_zxid = header.zxid;
        counts.txns += 1;
        *counts.by_kind.entry(header.kind.name()).or_default() += 1;
        match digest {
            DigestCheck::Absent => counts.absent += 1,
            DigestCheck::Unchecked => counts.unchecked += 1,
            DigestCheck::Equal => counts.equal += 1,
            DigestCheck::Differs { .. } => {
                counts.mismatches += 1;
                self.first_mismatch = self.first_mismatch.or(Some(header.zxid));
                self.last_mismatch = Some(header.zxid);
            }
        }
    }

    /// A run went on, or ended. True where the trees are to be compared now.
    pub fn stepped(&mut self, now: Millis, step: Step) -> bool {
        match step {
            Step::Calm => false,
            Step::Ended(run) => {
                self.end(run, if run.is_lasting { Verdict::Healed } else { Verdict::Transient });
                false
            }
            Step::Began(run) | Step::GoesOn { run, .. } | Step::Lasts(run) => {
                self.counts.lasting_runs += u64::from(matches!(step, Step::Lasts(_)));
                run.is_lasting && self.inquire(now, run)
            }
        }
    }

    fn inquire(&mut self, now: Millis, run: Run) -> bool {
        if self.inquiry.is_some() || now < self.compare_from {
            return false;
        }
        self.compare_from = now + COMPARE_MS;
        self.inquiry = Some(Inquiry { run, kept: None });
        true
    }

    fn end(&mut self, run: Run, verdict: Verdict) {
        match verdict {
            Verdict::Transient => {
                self.counts.transient_runs += 1;
                self.counts.transient_txns += run.txns;
            }
            Verdict::Diverged => self.counts.diverged_runs += 1,
            Verdict::Healed | Verdict::WrongDigests => {}
        }
        if self.ended.len() == RUNS_TOLD {
            self.ended.pop_front();
        }
        self.ended.push_back((run, verdict));
    }

    /// Another tree takes the place of `before`, of which `open` was the open run (P1).
    pub fn reloaded(&mut self, open: Option<Run>, before: Database) {
        let Some(run) = open else { return };
        let inquiry = self.inquiry.get_or_insert(Inquiry { run, kept: None });
        if inquiry.kept.is_none() {
            inquiry.run = run;
            inquiry.kept = Some(Box::new(before));
        }
    }

    /// This server is level with its leader; what was to be compared now can be.
    pub fn level(&mut self, plan: Option<Plan>, tree: &Database) -> Option<&Comparison> {
        match plan {
            Some(Plan::Diff { .. }) => self.counts.diffs += 1,
            Some(Plan::Trunc { .. }) => self.counts.truncs += 1,
            Some(Plan::Snap) => self.counts.snaps += 1,
            None => {}
        }
        let Inquiry { run, kept } = self.inquiry.take()?;
        // Without another tree in its place, there is nothing to compare the old one with.
        let before = kept?;
        let found = compare(&before, tree, run.difference);
        let differs = found.differing > 0 || found.doubtful > 0;
        if !run.is_lasting {
            self.counts.lasting_runs += u64::from(differs);
        }
        let verdict = match (differs, run.is_lasting) {
            (true, _) => Verdict::Diverged,
            (false, true) => Verdict::WrongDigests,
            (false, false) => Verdict::Transient,
        };
        self.end(run, verdict);
        if differs || run.is_lasting {
            self.found = Some(found);
            return self.found.as_ref();
        }
        None
    }

    /// When `line` has something to say.
    pub fn deadline(&self) -> Millis {
        self.next_line
    }

    /// The line of the trace, once a minute.
    pub fn line(&mut self, now: Millis) -> Option<String> {
        if now < self.next_line {
            return None;
        }
        self.next_line = now + LINE_MS;
        Some(self.summary())
    }
}
