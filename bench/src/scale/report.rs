//! The curves as a table and as JSON.
//!
//! Not here: the pictures (`plot`).

use std::fmt;

use serde_json::{Value, json};

use super::{Curve, Point};
use crate::compare::{Sample, System};
use crate::host;

/// One point of one system.
#[derive(Clone, Debug)]
pub struct Measured {
    pub system: &'static str,
    pub point: Point,
    pub sample: Sample,
}

/// All points, in the order they were run.
#[derive(Debug)]
pub struct Scale {
    seconds: u64,
    systems: Vec<String>,
    all: Vec<Measured>,
}

impl Scale {
    pub(super) fn new(seconds: u64, systems: &[System]) -> Self {
        let systems = systems.iter().map(ToString::to_string).collect();
        Self { seconds, systems, all: Vec::new() }
    }

    pub(super) fn push(&mut self, measured: Measured) {
        self.all.push(measured);
    }

    /// Every request was answered and none refused.
    pub fn is_clean(&self) -> bool {
        self.all.iter().all(|measured| measured.sample.load.is_clean())
    }

    /// The curves that have points, each once.
    pub fn curves(&self) -> Vec<Curve> {
        let mut curves: Vec<Curve> = self.all.iter().map(|one| one.point.curve).collect();
        curves.dedup();
        curves
    }

    pub(super) fn of(&self, curve: Curve, system: &str) -> Vec<&Measured> {
        let is_it = |one: &&Measured| one.point.curve == curve && one.system == system;
        self.all.iter().filter(is_it).collect()
    }

    pub fn to_json(&self) -> Value {
        let point = |one: &Measured| {
            json!({
                "system": one.system,
                "curve": one.point.curve.name(),
                "size": one.point.size,
                "servers": one.point.servers,
                "sample": one.sample.to_json(),
            })
        };
        json!({
            "host": host::describe(),
            "systems": self.systems,
            "seconds": self.seconds,
            "points": self.all.iter().map(point).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { point, sample, .. } = self;
        let (name, load) = (point.curve.name(), &sample.load);
        let (outstanding, p99) = (point.shape.outstanding, load.latency.p99_us);
        write!(f, "{name:<12} {:>7} {outstanding:>11} ", point.size)?;
        write!(f, "{:>12.0} {p99:>10} {:>8.2}", load.per_second, sample.cpu_us_per_operation)?;
        let (faults, refusals) = (load.faults.len(), load.refusals.len());
        if load.is_generator_bound() {
            write!(f, "  generator is full")?;
        }
        if load.is_clean() { Ok(()) } else { write!(f, "  faults {faults}, refusals {refusals}") }
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}; {} s a point", host::describe(), self.seconds)?;
        write!(f, "{:<12} {:<12} {:>7} {:>11} ", "system", "curve", "size", "outstanding")?;
        writeln!(f, "{:>12} {:>10} {:>8}", "ops/s", "p99 us", "CPU-us")?;
        self.all.iter().try_for_each(|one| writeln!(f, "{:<12} {one}", one.system))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::made_up;

    fn measured(system: &'static str, curve: Curve, refusals: Vec<(i32, u64)>) -> Measured {
        let point = curve.points()[0];
        let mut sample = made_up::sample(&point.shape, 777);
        sample.cpu_us_per_operation = 2.5;
        sample.load.per_second = 50_000.0;
        sample.load.refusals = refusals;
        Measured { system, point, sample }
    }

    fn scale(all: Vec<Measured>) -> Scale {
        Scale { seconds: 1, systems: vec!["Ringkeeper".into()], all }
    }

    #[test]
    fn each_curve_is_named_once_and_each_system_has_its_own_points() {
        let scale = scale(vec![
            measured("ringkeeper", Curve::Connections, Vec::new()),
            measured("zookeeper", Curve::Connections, Vec::new()),
            measured("ringkeeper", Curve::Servers, Vec::new()),
        ]);
        assert_eq!(scale.curves(), [Curve::Connections, Curve::Servers]);
        assert_eq!(scale.of(Curve::Connections, "zookeeper").len(), 1);
        let json = scale.to_json();
        assert_eq!(json["points"][2]["curve"], "servers");
        assert_eq!(json["points"][0]["size"], 10);
        let table = scale.to_string();
        assert!(table.contains("50000") && table.contains("2.50"));
        assert!(scale.is_clean());
    }

    #[test]
    fn a_refusal_shows_in_its_line_and_in_the_whole() {
        let scale = scale(vec![measured("ringkeeper", Curve::Payload, vec![(-101, 4)])]);
        assert!(!scale.is_clean());
        assert!(scale.to_string().contains("refusals 1"), "{scale}");
    }
}
