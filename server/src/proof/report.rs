//! What the proof says of itself: lines of `key<tab>value`, and one line for the trace.

use std::fmt::{self, Display};

use ringkeeper_engine::time::Millis;

use super::compare::shown;
use super::{Comparison, Proof, Run, Runs, Standing, Verdict};

/// Keys and values, in the order in which they are told. No value holds a tab or a line's end.
pub type Lines = Vec<(String, String)>;

impl Proof {
    /// Everything, for the word `proof`.
    pub fn report(&self, now: Millis, standing: Standing, runs: &Runs) -> Lines {
        let mut lines = Lines::new();
        let mut put = |key: &str, value: &dyn Display| {
            lines.push((format!("proof_{key}"), value.to_string()));
        };
        put("state", &self.state(standing, runs));
        match standing {
            Standing::Observing { leader } => put("leader", &leader),
            Standing::Away => put("leader", &"none"),
        }
        put("epoch", &self.last_zxid.epoch().0);
        put("last_zxid", &self.last_zxid);
        put("seconds", &(now.since(self.began) / 1000));
        let counts = &self.counts;
        put("txns", &counts.txns);
        put("digests_equal", &counts.equal);
        put("digests_absent", &counts.absent);
        put("digests_unchecked", &counts.unchecked);
        put("mismatches", &counts.mismatches);
        put("transient_mismatches", &counts.transient_txns);
        put("transient_runs", &counts.transient_runs);
        put("lasting_runs", &counts.lasting_runs);
        put("diverged_runs", &counts.diverged_runs);
        put("first_mismatch", &OrNone(self.first_mismatch));
        put("last_mismatch", &OrNone(self.last_mismatch));
        put("syncs_diff", &counts.diffs);
        put("syncs_trunc", &counts.truncs);
        put("syncs_snap", &counts.snaps);
        for (kind, count) in &counts.by_kind {
            put(&format!("txns_{kind}"), count);
        }
        if let Some(run) = runs.open() {
            put("run", &Told(run, if run.is_lasting { "lasting" } else { "open" }));
        }
        for (run, verdict) in self.ended.iter().rev() {
            put("run", &Told(run, verdict.name()));
        }
        if let Some(found) = &self.found {
            comparison(found, &mut put);
        }
        lines
    }

    fn state(&self, standing: Standing, runs: &Runs) -> &'static str {
        match (&self.inquiry, runs.open(), standing) {
            (Some(_), ..) => "comparing",
            (None, Some(run), _) if run.is_lasting => "lasting",
            (None, Some(_), _) => "differing",
            (None, None, Standing::Away) => "away",
            (None, None, Standing::Observing { .. }) => "equal",
        }
    }

    /// One line for the trace.
    pub(super) fn summary(&self) -> String {
        let counts = &self.counts;
        let last = self.ended.iter().rev().find(|(_, verdict)| *verdict == Verdict::Transient);
        let transient = last.map_or_else(String::new, |(run, _)| {
            format!(" (the last {}, {})", run.txns, From(run))
        });
        format!(
            "proof: {} txns, {} digests equal, {} lasting mismatches, {} diverged trees, \
             {} transient mismatches{transient}, last zxid {}",
            counts.txns,
            counts.equal,
            counts.lasting_runs,
            counts.diverged_runs,
            counts.transient_txns,
            self.last_zxid
        )
    }
}

/// Of the last comparison of trees.
fn comparison(found: &Comparison, put: &mut dyn FnMut(&str, &dyn Display)) {
    put("compared_zxids", &format_args!("{} {}", found.ours, found.leaders));
    put("compared_znodes", &found.znodes);
    put("compared_changed", &found.changed);
    put("compared_differing", &found.differing);
    put("compared_doubtful", &found.doubtful);
    put("compared_explains", &if found.explains { "yes" } else { "no" });
    if found.differing + found.doubtful > 0 {
        put("compared_subtree", &shown(&found.subtree));
    }
    for difference in &found.first {
        put("difference", difference);
    }
}

impl Display for super::Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ours {}, leader's {}", self.path, self.field, self.ours, self.leaders)
    }
}

impl Display for Comparison {
    /// For the trace: what differs, or that nothing does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.differing + self.doubtful == 0 {
            return write!(
                f,
                "proof: {} znodes compared, none differs ({} changed meanwhile): \
                 the leader's digests were wrong, not the tree here",
                self.znodes, self.changed
            );
        }
        write!(
            f,
            "proof: {} znodes compared, {} differ and {} may differ, all at or below {}",
            self.znodes,
            self.differing,
            self.doubtful,
            shown(&self.subtree)
        )?;
        if let Some(first) = self.first.first() {
            write!(f, "; the first: {first}")?;
        }
        let explains = if self.explains { "; they explain the digests" } else { "" };
        write!(f, "{explains}. The proof goes on from the leader's tree")
    }
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Healed => "healed",
            Self::Diverged => "diverged",
            Self::WrongDigests => "wrong-digests",
        }
    }
}

struct Told<'a>(&'a Run, &'static str);

impl Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(run, verdict) = self;
        write!(
            f,
            "{verdict} first={} last={} leader={} epoch={} txns={} ms={} difference={} steady={}",
            run.first,
            run.last,
            OrNone(run.leader),
            run.first.epoch().0,
            run.txns,
            run.went_on.since(run.began),
            run.difference,
            run.steady
        )
    }
}

/// Where a run began.
struct From<'a>(&'a Run);

impl Display for From<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.0.first;
        let (epoch, leader) = (first.epoch().0, OrNone(self.0.leader));
        write!(f, "from txn {} of epoch {epoch} on, leader {leader}", first.counter())
    }
}

struct OrNone<T>(Option<T>);

impl<T: Display> Display for OrNone<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("none"),
        }
    }
}
