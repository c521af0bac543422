//! The device's figures as a table, and as JSON.
//!
//! Not here: how they came about (`cycle`, `log`).

use std::fmt;

use serde_json::{Value, json};

use super::{Cycle, Subject};
use crate::compare::Spread;
use crate::turns::{self, Turns};

/// All ways and sizes.
#[derive(Clone, Debug)]
pub struct DiskReport {
    /// How the reactor describes itself: backend, and whether writes go past the page cache.
    pub how: String,
    pub turns: Turns,
    pub series: Vec<Series>,
}

/// One way and size: a cycle a round.
#[derive(Clone, Debug)]
pub struct Series {
    pub subject: Subject,
    pub bytes: usize,
    pub cycles: Vec<Cycle>,
}

impl Cycle {
    pub fn commits_per_second(&self) -> f64 {
        self.commits as f64 * 1e6 / self.elapsed_us.max(1) as f64
    }

    pub fn cpu_us_per_commit(&self) -> f64 {
        self.cpu_us as f64 / self.commits.max(1) as f64
    }
}

impl Series {
    fn figures(&self, figure: impl Fn(&Cycle) -> f64) -> Vec<f64> {
        self.cycles.iter().map(figure).collect()
    }

    fn median(&self, figure: impl Fn(&Cycle) -> f64) -> f64 {
        turns::spread(&self.figures(figure)).map_or(0.0, |spread| spread.median)
    }

    pub fn commits_per_second(&self) -> f64 {
        self.median(Cycle::commits_per_second)
    }

    /// Writes and flushes of the device for one commit, over all rounds.
    pub fn device_per_commit(&self) -> Option<(f64, f64)> {
        let commits: u64 = self.cycles.iter().map(|cycle| cycle.commits).sum();
        let counts: Option<Vec<_>> = self.cycles.iter().map(|cycle| cycle.device).collect();
        let counts = counts?;
        let by_commit = |count: u64| count as f64 / commits.max(1) as f64;
        let writes = counts.iter().map(|counts| counts.writes).sum();
        let flushes = counts.iter().map(|counts| counts.flushes).sum();
        Some((by_commit(writes), by_commit(flushes)))
    }

    fn to_json(&self, ratio: Option<Spread>) -> Value {
        let per_commit = self.device_per_commit();
        let per_second = self.commits_per_second();
        json!({
            "way": self.subject.to_string(),
            "bytes": self.bytes,
            "commits": self.cycles.iter().map(|cycle| cycle.commits).sum::<u64>(),
            "commits_per_second": per_second.round(),
            "bytes_per_second": (per_second * self.bytes as f64).round(),
            "p50_us": self.median(|cycle| cycle.p50_us as f64),
            "p99_us": self.median(|cycle| cycle.p99_us as f64),
            "cpu_us_per_commit": self.median(Cycle::cpu_us_per_commit),
            "device_writes_per_commit": per_commit.map(|(writes, _)| writes),
            "device_flushes_per_commit": per_commit.map(|(_, flushes)| flushes),
            "of_the_device": ratio.map(Spread::to_json),
        })
    }
}

impl DiskReport {
    /// What the log reaches of the way below it, round by round; `None` for the bare device.
    pub fn ratio(&self, series: &Series) -> Option<Spread> {
        let limit = series.subject.limit()?;
        let is_below = |it: &&Series| it.subject == limit && it.bytes == series.bytes;
        let below = self.series.iter().find(is_below)?;
        let figures = |series: &Series| series.figures(Cycle::commits_per_second);
        turns::ratio(&figures(series), &figures(below))
    }

    pub fn to_json(&self) -> Value {
        let series = |series: &Series| series.to_json(self.ratio(series));
        json!({
            "how": self.how,
            "seconds": self.turns.seconds,
            "rounds": self.turns.rounds,
            "ways": self.series.iter().map(series).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for DiskReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.how)?;
        writeln!(
            f,
            "| batch | way | commits/s | MB/s | p50 / p99 µs | CPU-µs a commit | device writes, \
             flushes a commit | of the device |"
        )?;
        writeln!(f, "| --- | --- | --- | --- | --- | --- | --- | --- |")?;
        for series in &self.series {
            let device = series.device_per_commit().map_or_else(
                || "not counted".to_owned(),
                |(writes, flushes)| format!("{writes:.2}, {flushes:.2}"),
            );
            let ratio = self.ratio(series).map_or_else(String::new, |ratio| {
                let Spread { median, least, greatest } = ratio;
                format!("**{median:.2}** ({least:.2} to {greatest:.2})")
            });
            let per_second = series.commits_per_second();
            writeln!(
                f,
                "| {} KiB | {} | {per_second:.0} | {:.0} | {:.0} / {:.0} | {:.1} | {device} | \
                 {ratio} |",
                series.bytes >> 10,
                series.subject,
                per_second * series.bytes as f64 / 1e6,
                series.median(|cycle| cycle.p50_us as f64),
                series.median(|cycle| cycle.p99_us as f64),
                series.median(Cycle::cpu_us_per_commit)
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Feed, Way};
    use super::*;
    use crate::host::DeviceCounts;

    fn cycle(commits: u64, flushes: u64) -> Cycle {
        Cycle {
            commits,
            elapsed_us: 1_000_000,
            p50_us: 80,
            p99_us: 100,
            cpu_us: 10 * commits,
            device: Some(DeviceCounts { writes: 2 * flushes, sectors_written: 0, flushes }),
        }
    }

    #[test]
    fn the_log_is_held_against_the_way_below_it_round_by_round() {
        let series = |subject, cycles: [(u64, u64); 2]| Series {
            subject,
            bytes: 4096,
            cycles: cycles.map(|(commits, flushes)| cycle(commits, flushes)).into(),
        };
        let report = DiskReport {
            how: "a ring".to_owned(),
            turns: Turns { seconds: 2.0, rounds: 2 },
            series: vec![
                series(Subject::Bare(Way::Durable), [(100, 100), (200, 200)]),
                series(Subject::Bare(Way::Pipelined), [(400, 80), (400, 80)]),
                series(Subject::Log(Feed::Lone), [(90, 90), (190, 190)]),
            ],
        };
        let log = &report.series[2];
        let Spread { least, greatest, .. } = report.ratio(log).unwrap();
        assert_eq!((least.to_bits(), greatest.to_bits()), (0.9_f64.to_bits(), 0.95_f64.to_bits()));
        assert_eq!(report.ratio(&report.series[0]), None);
        assert_eq!(report.series[1].device_per_commit(), Some((0.4, 0.2)));
        let text = report.to_string();
        assert!(
            text.contains("| 4 KiB | the log, one batch after the other | 140 | 1 | 80 / 100 |")
        );
        assert!(text.contains("2.00, 1.00 | **0.93** (0.90 to 0.95) |"), "{text}");
    }
}
