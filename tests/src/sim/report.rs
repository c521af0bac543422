//! What a run, or a campaign of many, has come across.
//!
//! A campaign that never met what it is for proves nothing: `missing` says what it has not met.

use std::fmt;
use std::ops::AddAssign;

/// Counts over one run or many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub steps: u64,
    pub acked: u64,
    pub events: u64,
    pub crashes: u64,
    pub ambushes: u64,
    pub partitions: u64,
    pub reigns: u64,
    pub expired: u64,
    /// Ways of bringing a learner level.
    pub diffs: u64,
    pub truncs: u64,
    pub snaps: u64,
    pub simulated_ms: u64,
    /// From the healing to the first write that is acknowledged, at most.
    pub recovery_ms: u64,
}

impl Report {
    /// What a campaign should have met and has not.
    pub fn missing(&self) -> Vec<&'static str> {
        let counts = [
            (self.acked, "acknowledged writes"),
            (self.events, "watch events"),
            (self.crashes, "crashes"),
            (self.ambushes, "ambushes"),
            (self.partitions, "partitions"),
            (self.reigns, "reigns"),
            (self.expired, "expired sessions"),
            (self.diffs, "DIFF"),
            (self.truncs, "TRUNC"),
            (self.snaps, "SNAP"),
        ];
        counts.into_iter().filter(|(count, _)| *count == 0).map(|(_, what)| what).collect()
    }
}

impl AddAssign for Report {
    fn add_assign(&mut self, other: Self) {
        self.steps += other.steps;
        self.acked += other.acked;
        self.events += other.events;
        self.crashes += other.crashes;
        self.ambushes += other.ambushes;
        self.partitions += other.partitions;
        self.reigns += other.reigns;
        self.expired += other.expired;
        self.diffs += other.diffs;
        self.truncs += other.truncs;
        self.snaps += other.snaps;
        self.simulated_ms += other.simulated_ms;
        self.recovery_ms = self.recovery_ms.max(other.recovery_ms);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = self.simulated_ms / 60_000;
        writeln!(f, "{} steps in {minutes} simulated minutes", self.steps)?;
        writeln!(f, "{} acknowledged writes, {} watch events", self.acked, self.events)?;
        writeln!(
            f,
            "{} crashes, {} ambushes, {} partitions, {} reigns, {} expired sessions",
            self.crashes, self.ambushes, self.partitions, self.reigns, self.expired
        )?;
        writeln!(f, "{} DIFF, {} TRUNC, {} SNAP", self.diffs, self.truncs, self.snaps)?;
        write!(f, "a write is acknowledged {} ms after the healing, or sooner", self.recovery_ms)
    }
}
