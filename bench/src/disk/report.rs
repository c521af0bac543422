//! The device's figures as a table, and as JSON.
//!
//! Not here: how they came about (`cycle`).

use std::fmt;

use serde_json::{Value, json};

use super::Cycle;

/// All ways and sizes.
#[derive(Clone, Debug)]
pub struct DiskReport {
    /// How the reactor describes itself: backend, and whether writes go past the page cache.
    pub how: String,
    pub seconds: u64,
    pub cycles: Vec<Cycle>,
}

impl Cycle {
    pub fn commits_per_second(&self) -> f64 {
        self.commits as f64 * 1e6 / self.elapsed_us.max(1) as f64
    }

    pub fn bytes_per_second(&self) -> f64 {
        self.commits_per_second() * self.bytes as f64
    }

    /// Writes and flushes of the device for one commit.
    pub fn device_per_commit(&self) -> Option<(f64, f64)> {
        let commits = self.commits.max(1) as f64;
        self.device.map(|device| (device.writes as f64 / commits, device.flushes as f64 / commits))
    }

    fn to_json(&self) -> Value {
        let per_commit = self.device_per_commit();
        json!({
            "way": self.way.describe(),
            "bytes": self.bytes,
            "commits": self.commits,
            "elapsed_us": self.elapsed_us,
            "commits_per_second": self.commits_per_second().round(),
            "p50_us": self.p50_us,
            "p99_us": self.p99_us,
            "device_writes_per_commit": per_commit.map(|(writes, _)| writes),
            "device_flushes_per_commit": per_commit.map(|(_, flushes)| flushes),
        })
    }
}

impl DiskReport {
    pub fn to_json(&self) -> Value {
        json!({
            "how": self.how,
            "seconds": self.seconds,
            "cycles": self.cycles.iter().map(Cycle::to_json).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for DiskReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.how)?;
        writeln!(
            f,
            "| batch | way | commits/s | MB/s | p50 / p99 µs | device writes, flushes a commit |"
        )?;
        writeln!(f, "| --- | --- | --- | --- | --- | --- |")?;
        for cycle in &self.cycles {
            let device = cycle.device_per_commit();
            let device = device.map_or_else(
                || "not counted".to_owned(),
                |(writes, flushes)| format!("{writes:.2}, {flushes:.2}"),
            );
            writeln!(
                f,
                "| {} KiB | {} | {:.0} | {:.0} | {} / {} | {device} |",
                cycle.bytes >> 10,
                cycle.way.describe(),
                cycle.commits_per_second(),
                cycle.bytes_per_second() / 1e6,
                cycle.p50_us,
                cycle.p99_us
            )?;
        }
        Ok(())
    }
}
