//! The comparison as a table, and as JSON with every run in it.
//!
//! Not here: how the figures came about (`sample`).

use std::fmt;

use serde_json::{Value, json};

use super::conditions::Conditions;
use super::rates::Rates;
use super::recovery::Recovery;
use super::sample::{Sample, Spread};
use super::table::{Table, grouped};
use super::{Series, curve};

/// All shapes, and under which conditions.
#[derive(Debug)]
pub struct Comparison {
    conditions: Conditions,
    all: Vec<Series>,
    rates: Option<Rates>,
    recovery: Option<Recovery>,
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
        conditions: Conditions,
        all: Vec<Series>,
        rates: Option<Rates>,
        recovery: Option<Recovery>,
    ) -> Self {
        Self { conditions, all, rates, recovery }
    }

    /// Whether every request of every run was answered and none refused.
    pub fn is_clean(&self) -> bool {
        self.samples().all(|sample| sample.load.is_clean())
    }

    pub(super) fn series(&self) -> &[Series] {
        &self.all
    }

    pub(super) fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// `None` where they were left out.
    pub(super) fn rates(&self) -> Option<&Rates> {
        self.rates.as_ref()
    }

    /// `None` where it was left out.
    pub(super) fn recovery(&self) -> Option<&Recovery> {
        self.recovery.as_ref()
    }

    fn samples(&self) -> impl Iterator<Item = &Sample> {
        let series = self.all.iter();
        let closed = series.flat_map(|series| series.ringkeeper.iter().chain(&series.zookeeper));
        closed.chain(self.rates.iter().flat_map(Rates::samples))
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
                "latency_curve": {
                    "columns": ["percentile", "us"],
                    "ringkeeper": curve::to_json(&series.ringkeeper),
                    "zookeeper": curve::to_json(&series.zookeeper),
                },
                "runs": {
                    "ringkeeper": samples(&series.ringkeeper),
                    "zookeeper": samples(&series.zookeeper),
                },
            })
        };
        json!({
            "conditions": self.conditions.to_json(),
            "series": self.all.iter().map(series).collect::<Vec<_>>(),
            "rates": self.rates.as_ref().map(Rates::to_json),
            "recovery": self.recovery.as_ref().map(Recovery::to_json),
        })
    }

    /// The medians, a line a shape.
    pub(super) fn table(&self) -> Table {
        let mut table = Table::new(&[
            "connections x outstanding",
            "Ringkeeper /s",
            "ZooKeeper /s",
            "ratio",
            "Ringkeeper p50 / p99 / p99.9 ms",
            "ZooKeeper p50 / p99 / p99.9 ms",
            "Ringkeeper CPU-µs",
            "ZooKeeper CPU-µs",
        ]);
        for series in &self.all {
            table.push(row(series));
        }
        table
    }

    /// What a reader must know before believing the table.
    pub(super) fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        if self.conditions.is_cold() {
            let seconds = self.conditions.warmup_seconds;
            doubts.push(format!("{seconds} s of load warm no JVM: give a longer --warmup"));
        }
        for series in &self.all {
            let bound = series.ringkeeper.iter().filter(|s| s.load.is_generator_bound()).count();
            if bound > 0 {
                let (shape, runs) = (series.shape, series.ringkeeper.len());
                doubts.push(format!(
                    "{shape}: the generator was the bottleneck in {bound} of {runs} runs"
                ));
            }
        }
        for sample in self.samples().filter(|sample| !sample.load.is_clean()) {
            let (load, mix) = (&sample.load, sample.load.mix.name());
            doubts.push(format!("{mix}: refused {:?}, faults {:?}", load.refusals, load.faults));
        }
        doubts
    }
}

fn row(series: &Series) -> [String; 8] {
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
    [
        series.shape.describe(),
        grouped(operations.ringkeeper.median),
        grouped(operations.zookeeper.median),
        format!("{of}**{median:.digits$}** ({least:.digits$} to {greatest:.digits$})"),
        ms(|versus| versus.ringkeeper),
        ms(|versus| versus.zookeeper),
        format!("{:.1}", cpu.ringkeeper.median),
        format!("{:.1}", cpu.zookeeper.median),
    ]
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.conditions.named() {
            writeln!(f, "{name}: {value}")?;
        }
        write!(f, "\n{}", self.table())?;
        self.doubts().iter().try_for_each(|doubt| writeln!(f, "{doubt}"))?;
        self.rates.iter().try_for_each(|rates| write!(f, "\n{}", rates.table()))?;
        self.recovery.iter().try_for_each(|recovery| write!(f, "\n{}", recovery.table()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::made_up;

    #[test]
    fn a_closed_loop_compares_throughput_and_an_open_one_latency() {
        let table = made_up::comparison().table();
        assert_eq!(table.rows[0][3], "**10.0** (10.0 to 10.0)");
        assert_eq!(table.rows[2][3], "p99.9 **0.10** (0.10 to 0.10)");
        assert_eq!(table.rows[0][0], "setData 100 B, 30 x 100");
        assert_eq!(table.rows[1][0], "getData 1024 B, 1 x 1");
    }

    #[test]
    fn the_text_and_the_json_say_under_which_conditions() {
        let comparison = made_up::comparison();
        let text = comparison.to_string();
        let json = comparison.to_json();
        for said in ["Apache ZooKeeper 3.9.5", "a <strange> & new command", "Linux 6.18"] {
            assert!(text.contains(said), "{text}");
            assert!(json["conditions"].to_string().contains(said), "{json}");
        }
        assert!(!text.contains("warm no JVM"), "{text}");
        let curve = &json["series"][0]["latency_curve"]["ringkeeper"];
        assert_eq!(curve[0][0], 0.0);
        assert!(curve.as_array().is_some_and(|points| points.len() > 30), "{curve}");
    }
}
