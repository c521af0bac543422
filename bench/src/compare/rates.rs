//! Latency by offered rate: what a client waits while a system still has room.
//!
//! In a closed loop latency follows from throughput. Here both systems are asked the same rates,
//! each until it no longer keeps up; and each is asked 70 % of what it reached in the closed loop,
//! which is as much as a careful operator would ask of it.
//!
//! Not here: the picture (`plot`).

use serde_json::{Value, json};

use super::sample::{Sample, Spread};
use super::table::{Table, grouped};
use super::{Series, Shape};
use crate::load::Mix;

/// Enough connections and room that the server's latency is seen and not the generator's.
const SHAPE: Shape =
    Shape { mix: Mix::Set, connections: 30, outstanding: 100, bytes: 100, znodes: 0, rate: None };

/// Of the closed loop's throughput.
const CAREFUL: f64 = 0.7;

pub(super) const RATES: &str = "1000,2000,5000,10000,20000,50000,100000,200000";

/// One system's runs, lowest rate first.
#[derive(Clone, Debug, Default)]
pub struct Ladder {
    pub steps: Vec<Sample>,
    /// At 70 % of the closed loop's throughput; `None` where that was not measured.
    pub careful: Option<Sample>,
}

/// Both systems'.
#[derive(Clone, Debug, Default)]
pub struct Rates {
    pub ringkeeper: Ladder,
    pub zookeeper: Ladder,
}

/// What is asked at a rate.
pub(super) fn at(rate: u32) -> Shape {
    Shape { rate: Some(rate), ..SHAPE }
}

/// The careful rate, by the runs of the closed loop of the same shape.
pub(super) fn careful(all: &[Series], runs: fn(&Series) -> &[Sample]) -> Option<u32> {
    let closed = all.iter().find(|series| series.shape == SHAPE)?;
    let reached = Spread::of(runs(closed).iter().map(|sample| sample.load.per_second)).median;
    Some((reached * CAREFUL) as u32).filter(|rate| *rate > 0)
}

impl Ladder {
    /// Whether a higher rate has any sense.
    pub(super) fn goes_on(&self) -> bool {
        !self.steps.iter().any(|sample| sample.load.is_saturated())
    }

    /// Rates, with the runs that kept up.
    pub(super) fn kept_up(&self) -> impl Iterator<Item = (f64, &Sample)> {
        let kept_up = self.steps.iter().filter(|sample| !sample.load.is_saturated());
        kept_up.filter_map(|sample| Some((f64::from(sample.load.rate?), sample)))
    }

    fn at(&self, rate: u32) -> Option<&Sample> {
        self.steps.iter().find(|sample| sample.load.rate == Some(rate))
    }

    fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.steps.iter().chain(&self.careful)
    }

    fn to_json(&self) -> Value {
        json!({
            "steps": self.steps.iter().map(Sample::to_json).collect::<Vec<_>>(),
            "careful": self.careful.as_ref().map(Sample::to_json),
        })
    }
}

impl Rates {
    pub(super) fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.ringkeeper.samples().chain(self.zookeeper.samples())
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "shape": SHAPE.to_string(),
            "ringkeeper": self.ringkeeper.to_json(),
            "zookeeper": self.zookeeper.to_json(),
        })
    }

    pub(super) fn table(&self) -> Table {
        let mut table = Table::new(&[
            "setData 100 B a second, open loop",
            "Ringkeeper p50 / p99 / p99.9 ms",
            "ZooKeeper p50 / p99 / p99.9 ms",
        ]);
        let mut rates: Vec<u32> = [&self.ringkeeper, &self.zookeeper]
            .into_iter()
            .flat_map(|ladder| ladder.steps.iter().filter_map(|sample| sample.load.rate))
            .collect();
        rates.sort_unstable();
        rates.dedup();
        for rate in rates {
            let [ringkeeper, zookeeper] =
                [&self.ringkeeper, &self.zookeeper].map(|ladder| latency(ladder.at(rate)));
            table.push([grouped(rate.into()), ringkeeper, zookeeper]);
        }
        let [ringkeeper, zookeeper] = [&self.ringkeeper, &self.zookeeper].map(|ladder| {
            let rate = ladder.careful.as_ref().and_then(|sample| sample.load.rate);
            let latency = latency(ladder.careful.as_ref());
            rate.map_or(String::new(), |rate| format!("{latency} at {}", grouped(rate.into())))
        });
        if !ringkeeper.is_empty() {
            table.push(["70 % of its own closed loop".to_owned(), ringkeeper, zookeeper]);
        }
        table
    }
}

fn latency(sample: Option<&Sample>) -> String {
    let Some(load) = sample.map(|sample| &sample.load) else { return String::new() };
    if load.is_saturated() {
        return format!("saturated at {}", grouped(load.per_second));
    }
    let ms = |us: u64| us as f64 / 1000.0;
    let (p50, p99, p999) = (load.latency.p50_us, load.latency.p99_us, load.latency.p999_us);
    format!("{:.2} / {:.2} / {:.2}", ms(p50), ms(p99), ms(p999))
}

#[cfg(test)]
mod tests {
    use super::super::made_up;
    use super::*;

    #[test]
    fn a_ladder_ends_where_a_system_no_longer_keeps_up() {
        let rates = made_up::rates();
        assert!(rates.ringkeeper.goes_on());
        assert!(!rates.zookeeper.goes_on());
        assert_eq!(rates.zookeeper.kept_up().count(), 1);
        let table = rates.table();
        assert_eq!(table.rows[0][0], "1,000");
        assert!(table.rows[1][2].starts_with("saturated at"), "{table}");
        assert_eq!(table.rows[2][2], "", "{table}");
        assert!(table.rows[3][1].ends_with("at 2,000"), "{table}");
    }

    #[test]
    fn the_careful_rate_is_a_share_of_the_closed_loop() {
        let comparison = made_up::comparison();
        // The made-up closed loop makes 150,000 and 125,000 a second.
        let rate = careful(comparison.series(), |series| &series.ringkeeper);
        assert_eq!(rate, Some(96_250));
        assert_eq!(careful(&[], |series| &series.ringkeeper), None);
    }
}
