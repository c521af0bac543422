//! The curves as a table and as JSON.
//!
//! Not here: the pictures (`plot`).

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};

use super::{Curve, Point, ScaleOptions};
use crate::compare::table::{Table, grouped};
use crate::compare::{Sample, System, conditions};
use crate::host;
use crate::load::Mix;

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
    mix: Mix,
    seconds: u64,
    data: String,
    date: String,
    command: String,
    systems: Vec<String>,
    all: Vec<Measured>,
}

impl Scale {
    pub(super) fn new(options: &ScaleOptions, systems: &[System]) -> Self {
        Self {
            mix: options.mix,
            seconds: options.seconds,
            data: options.data.display().to_string(),
            date: conditions::date(),
            command: conditions::command(),
            systems: systems.iter().map(ToString::to_string).collect(),
            all: Vec::new(),
        }
    }

    pub(super) fn mix(&self) -> Mix {
        self.mix
    }

    /// Ringkeeper's name, and ZooKeeper's if it was measured.
    pub(super) fn systems(&self) -> &[String] {
        &self.systems
    }

    /// Under which the points were taken, each with its name.
    pub(super) fn conditions(&self) -> Vec<(&'static str, String)> {
        vec![
            ("Systems", self.systems.join("; ")),
            ("Machine", host::describe()),
            ("Data below", self.data.clone()),
            ("Runs", format!("one of {} s a point", self.seconds)),
            ("Command", self.command.clone()),
            ("Date", self.date.clone()),
        ]
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
            "conditions": self.conditions().into_iter().collect::<BTreeMap<_, _>>(),
            "mix": self.mix.name(),
            "points": self.all.iter().map(point).collect::<Vec<_>>(),
        })
    }

    pub(super) fn table(&self) -> Table {
        let mut table = Table::new(&[
            "curve",
            "size",
            "connections x outstanding",
            "system",
            "operations/s",
            "p50 / p99 ms",
            "CPU-µs an operation",
            "MB, all servers",
            "doubts",
        ]);
        for one in &self.all {
            table.push(one.row());
        }
        table
    }
}

impl Measured {
    fn row(&self) -> [String; 9] {
        let Self { system, point, sample } = self;
        let (load, shape) = (&sample.load, &point.shape);
        let ms = |us: u64| us as f64 / 1000.0;
        [
            point.curve.name().to_owned(),
            point.curve.say(point.size),
            format!("{} x {}", shape.connections, shape.outstanding),
            (*system).to_owned(),
            grouped(load.per_second),
            format!("{:.2} / {:.2}", ms(load.latency.p50_us), ms(load.latency.p99_us)),
            format!("{:.2}", sample.cpu_us_per_operation),
            grouped(sample.resident_bytes as f64 / 1e6),
            self.doubts().join(", "),
        ]
    }

    fn doubts(&self) -> Vec<String> {
        let load = &self.sample.load;
        let mut doubts = Vec::new();
        if load.is_generator_bound() {
            doubts.push("the generator was the bottleneck".to_owned());
        }
        if !load.refusals.is_empty() {
            doubts.push(format!("refused {:?}", load.refusals));
        }
        if let Some(fault) = load.faults.first() {
            doubts.push(format!("{} faults, as \"{fault}\"", load.faults.len()));
        }
        doubts
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [curve, size, shape, system, per_second, latency, cpu, memory, doubts] = self.row();
        write!(f, "{system:<10} {curve:<11} {size:>9} {shape:>11} {per_second:>10}/s ")?;
        write!(f, "{latency:>16} ms {cpu:>8} CPU-us {memory:>6} MB  {doubts}")
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.conditions() {
            writeln!(f, "{name}: {value}")?;
        }
        write!(f, "\n{}", self.table())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{page, plot};
    use super::*;
    use crate::compare::made_up;

    fn measured(system: &'static str, curve: Curve, refusals: Vec<(i32, u64)>) -> Measured {
        let point = curve.points(Mix::Set, &[1000])[0];
        let mut sample = made_up::sample(&point.shape, 777);
        sample.cpu_us_per_operation = 2.5;
        sample.load.per_second = 50_000.0;
        sample.load.refusals = refusals;
        Measured { system, point, sample }
    }

    fn scale(all: Vec<Measured>) -> Scale {
        Scale {
            mix: Mix::Set,
            seconds: 1,
            data: "/data".into(),
            date: "today".into(),
            command: "a <command>".into(),
            systems: vec!["Ringkeeper".into()],
            all,
        }
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
        assert!(table.contains("50,000") && table.contains("2.50"), "{table}");
        assert!(scale.is_clean());
        let pictures = plot::all(&scale).expect("they can be drawn");
        let names: Vec<_> = pictures.iter().map(|picture| picture.name).collect();
        assert_eq!(names, ["scale-connections", "scale-servers"]);
        assert!(pictures[0].svg.contains("\n10\n"), "the size that was measured has its name");
        let page = page::page(&scale, &pictures);
        assert_eq!(page.matches("<svg").count(), 2);
        assert!(page.contains("a &lt;command&gt;"), "{page}");
    }

    #[test]
    fn a_refusal_shows_in_its_line_and_in_the_whole() {
        let scale = scale(vec![measured("ringkeeper", Curve::Payload, vec![(-101, 4)])]);
        assert!(!scale.is_clean());
        assert!(scale.to_string().contains("refused [(-101, 4)]"), "{scale}");
    }
}
