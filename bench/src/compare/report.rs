//! The comparison as a table, and as JSON with every run in it.
//!
//! Not here: how the figures came about (`sample`).

use std::fmt;

use serde_json::{Value, json};

use super::sample::{Sample, Spread};
use super::{CompareOptions, Series, System};
use crate::host;

/// All shapes, and under which conditions.
#[derive(Debug)]
pub struct Comparison {
    ringkeeper: String,
    zookeeper: String,
    host: String,
    seconds: u64,
    pairs: u16,
    servers: u8,
    all: Vec<Series>,
}

/// What pairs of runs say about one figure.
struct Versus {
    ringkeeper: Spread,
    zookeeper: Spread,
    /// Ringkeeper's by ZooKeeper's, pair by pair.
    ratio: Spread,
}

impl Versus {
    fn of(series: &Series, figure: impl Fn(&Sample) -> f64) -> Self {
        let pairs = series.ringkeeper.iter().zip(&series.zookeeper);
        Self {
            ringkeeper: Spread::of(series.ringkeeper.iter().map(&figure)),
            zookeeper: Spread::of(series.zookeeper.iter().map(&figure)),
            // A figure of zero has no ratio; the least above it stands for "too small to say".
            ratio: Spread::of(pairs.map(|(a, b)| figure(a) / figure(b).max(f64::MIN_POSITIVE))),
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "ringkeeper": self.ringkeeper.to_json(),
            "zookeeper": self.zookeeper.to_json(),
            "ratio": self.ratio.to_json(),
        })
    }
}

fn per_second(sample: &Sample) -> f64 {
    sample.load.per_second
}

fn p50_us(sample: &Sample) -> f64 {
    sample.load.latency.p50_us as f64
}

fn p99_us(sample: &Sample) -> f64 {
    sample.load.latency.p99_us as f64
}

fn p999_us(sample: &Sample) -> f64 {
    sample.load.latency.p999_us as f64
}

fn cpu_us(sample: &Sample) -> f64 {
    sample.cpu_us_per_operation
}

impl Comparison {
    pub(super) fn new(
        options: &CompareOptions,
        ringkeeper: &System,
        zookeeper: &System,
        all: Vec<Series>,
    ) -> Self {
        Self {
            ringkeeper: ringkeeper.to_string(),
            zookeeper: zookeeper.to_string(),
            host: host::describe(),
            seconds: options.seconds,
            pairs: options.pairs,
            servers: options.servers,
            all,
        }
    }

    /// Whether every request of every run was answered and none refused.
    pub fn is_clean(&self) -> bool {
        self.samples().all(|sample| sample.load.is_clean())
    }

    pub(super) fn series(&self) -> &[Series] {
        &self.all
    }

    /// Ringkeeper's and ZooKeeper's.
    pub(super) fn names(&self) -> (&str, &str) {
        (&self.ringkeeper, &self.zookeeper)
    }

    fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.all.iter().flat_map(|series| series.ringkeeper.iter().chain(&series.zookeeper))
    }

    pub fn to_json(&self) -> Value {
        let series = |series: &Series| {
            let samples = |samples: &[Sample]| -> Vec<Value> {
                samples.iter().map(Sample::to_json).collect()
            };
            json!({
                "shape": series.shape.to_string(),
                "operations_per_second": Versus::of(series, per_second).to_json(),
                "p50_us": Versus::of(series, p50_us).to_json(),
                "p99_us": Versus::of(series, p99_us).to_json(),
                "p99.9_us": Versus::of(series, p999_us).to_json(),
                "servers_cpu_us_per_operation": Versus::of(series, cpu_us).to_json(),
                "runs": {
                    "ringkeeper": samples(&series.ringkeeper),
                    "zookeeper": samples(&series.zookeeper),
                },
            })
        };
        json!({
            "ringkeeper": self.ringkeeper,
            "zookeeper": self.zookeeper,
            "host": self.host,
            "servers": self.servers,
            "seconds": self.seconds,
            "pairs": self.pairs,
            "series": self.all.iter().map(series).collect::<Vec<_>>(),
        })
    }

    fn write_row(&self, series: &Series, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operations = Versus::of(series, per_second);
        let latencies = [p50_us, p99_us, p999_us].map(|figure| Versus::of(series, figure));
        let cpu = Versus::of(series, cpu_us);
        let ms = |side: fn(&Versus) -> Spread| {
            let [p50, p99, p999] = latencies.each_ref().map(|versus| side(versus).median / 1000.0);
            format!("{p50:.2} / {p99:.2} / {p999:.2}")
        };
        // An open loop asks no more than its rate; what differs is how long the answers take.
        let (of, Spread { median, least, greatest }) = match series.shape.rate {
            Some(_) => ("p99.9 ", latencies[2].ratio),
            None => ("", operations.ratio),
        };
        let digits = if median < 1.0 { 2 } else { 1 };
        writeln!(
            f,
            "| {} | {} | {} | {of}**{median:.digits$}** ({least:.digits$} to {greatest:.digits$}) \
             | {} | {} | {:.1} | {:.1} |",
            series.shape.describe(),
            grouped(operations.ringkeeper.median),
            grouped(operations.zookeeper.median),
            ms(|versus| versus.ringkeeper),
            ms(|versus| versus.zookeeper),
            cpu.ringkeeper.median,
            cpu.zookeeper.median
        )
    }

    /// What a reader must know before believing the table.
    fn write_doubts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for series in &self.all {
            let bound = series.ringkeeper.iter().filter(|s| s.load.is_generator_bound()).count();
            if bound > 0 {
                let (shape, runs) = (series.shape, series.ringkeeper.len());
                writeln!(f, "{shape}: the generator was the bottleneck in {bound} of {runs} runs")?;
            }
        }
        let faulty = self.samples().filter(|sample| !sample.load.is_clean());
        for sample in faulty {
            let (load, mix) = (&sample.load, sample.load.mix.name());
            writeln!(f, "{mix}: refused {:?}, faults {:?}", load.refusals, load.faults)?;
        }
        Ok(())
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} and {}, {} servers each, {} pairs of {} s; {}\n",
            self.ringkeeper, self.zookeeper, self.servers, self.pairs, self.seconds, self.host
        )?;
        writeln!(
            f,
            "| connections x outstanding | Ringkeeper /s | ZooKeeper /s | ratio | Ringkeeper \
             p50 / p99 / p99.9 ms | ZooKeeper p50 / p99 / p99.9 ms | Ringkeeper CPU-µs | \
             ZooKeeper CPU-µs |"
        )?;
        writeln!(f, "| --- | --- | --- | --- | --- | --- | --- | --- |")?;
        for series in &self.all {
            self.write_row(series, f)?;
        }
        self.write_doubts(f)
    }
}

/// `1,234,567`.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_told_apart() {
        assert_eq!(grouped(1_234_567.4), "1,234,567");
        assert_eq!(grouped(999.6), "1,000");
        assert_eq!(grouped(12.0), "12");
    }
}
