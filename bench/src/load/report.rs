//! What a run says: as text for a screen, as JSON for programs.
//!
//! Not here: the counting (`figures`).

use std::fmt::{self, Write as _};

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::figures::{Figures, Latency, Second};
use super::{LoadOptions, Mix};

/// A generator busier than this may be what was measured.
const BUSY_MAX: f64 = 0.9;

/// An open loop that achieved less than this of its rate is saturated: its latencies say how long
/// it ran, and not how fast the server is.
const ACHIEVED_MIN: f64 = 0.99;

/// Faults named in the text; the count tells of the others.
const FAULTS_NAMED: usize = 5;

/// What the generator's threads did in the window, each as a share of it.
#[derive(Clone, Copy, Debug)]
pub struct Generator {
    pub busy: f64,
    /// In the queue for a core.
    pub waiting: f64,
}

/// One run.
#[derive(Clone, Debug)]
pub struct LoadReport {
    pub mix: Mix,
    pub servers: usize,
    pub connections: usize,
    pub outstanding: usize,
    pub bytes: usize,
    pub znodes: u64,
    pub rate: Option<u32>,
    pub operations: u64,
    pub per_second: f64,
    pub latency: Latency,
    /// What `latency` is taken from, to be added up with other runs'.
    pub histogram: Histogram<u64>,
    pub timeline: Vec<Second>,
    /// Refused requests: code and count.
    pub refusals: Vec<(i32, u64)>,
    pub faults: Vec<String>,
    pub generator: Generator,
    /// Of a fan-out.
    pub sets_per_second: Option<f64>,
}

impl LoadReport {
    pub(super) fn new(options: &LoadOptions, figures: &Figures) -> Self {
        let operations = figures.operations();
        let threads = options.threads.min(options.connections) as u64;
        let histogram = figures.all();
        let wall_us = (options.seconds * threads * 1_000_000) as f64;
        Self {
            mix: options.mix,
            servers: options.servers.len(),
            connections: options.connections,
            outstanding: options.outstanding,
            bytes: options.bytes,
            znodes: options.znodes,
            rate: options.rate,
            operations,
            per_second: operations as f64 / options.seconds as f64,
            latency: Latency::of(&histogram),
            histogram,
            timeline: figures.timeline(),
            refusals: figures.refusals.iter().map(|(code, count)| (*code, *count)).collect(),
            faults: figures.faults.clone(),
            generator: Generator {
                busy: figures.cpu_us as f64 / wall_us,
                waiting: figures.waited_us as f64 / wall_us,
            },
            sets_per_second: (options.mix == Mix::FanOut)
                .then(|| figures.sets as f64 / options.seconds as f64),
        }
    }

    /// Whether every request was answered, and none refused.
    pub fn is_clean(&self) -> bool {
        self.refusals.is_empty() && self.faults.is_empty()
    }

    /// Whether an open loop fell behind its rate.
    pub fn is_saturated(&self) -> bool {
        // A set of a fan-out makes an event for each connection but the one that sets.
        let each = if self.mix == Mix::FanOut { self.connections - 1 } else { 1 };
        let least = |rate| ACHIEVED_MIN * f64::from(rate) * each as f64;
        self.rate.is_some_and(|rate| self.per_second < least(rate))
    }

    /// Whether the generator, and not the servers, may have set the figure.
    pub fn is_generator_bound(&self) -> bool {
        self.generator.busy > BUSY_MAX
    }

    pub fn to_json(&self) -> Value {
        let latency = self.latency;
        let second = |second: &Second| {
            json!([second.operations, second.p50_us, second.p99_us, second.max_us])
        };
        json!({
            "mix": self.mix.name(),
            "servers": self.servers,
            "connections": self.connections,
            "outstanding": self.outstanding,
            "bytes": self.bytes,
            "znodes": self.znodes,
            "rate": self.rate,
            "operations": self.operations,
            "per_second": rounded(self.per_second),
            "latency_us": {
                "mean": rounded(latency.mean_us),
                "p50": latency.p50_us,
                "p90": latency.p90_us,
                "p99": latency.p99_us,
                "p99.9": latency.p999_us,
                "max": latency.max_us,
            },
            "sets_per_second": self.sets_per_second.map(rounded),
            "timeline": {
                "columns": ["operations", "p50_us", "p99_us", "max_us"],
                "seconds": self.timeline.iter().map(second).collect::<Vec<_>>(),
            },
            "refusals": self.refusals,
            "faults": self.faults,
            "generator": {
                "busy": rounded(self.generator.busy),
                "waiting_for_a_core": rounded(self.generator.waiting),
            },
        })
    }
}

/// Three digits behind the point are more than any figure here deserves.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Latency { mean_us, p50_us, p90_us, p99_us, p999_us, max_us } = self.latency;
        let loop_form = match self.rate {
            Some(rate) => format!("open loop of {rate}/s"),
            None => format!("{} outstanding each", self.outstanding),
        };
        writeln!(
            f,
            "{} of {} bytes, {} connections over {} servers, {loop_form}",
            self.mix.name(),
            self.bytes,
            self.connections,
            self.servers
        )?;
        let what = if self.mix == Mix::FanOut { "events" } else { "operations" };
        write!(f, "  {} {what}/s  ({} in all)", self.per_second as u64, self.operations)?;
        match self.sets_per_second {
            Some(sets) => writeln!(f, ", {} sets/s", sets as u64)?,
            None => writeln!(f)?,
        }
        let ms = |us: u64| format!("{:.2}", us as f64 / 1000.0);
        writeln!(
            f,
            "  latency ms: mean {:.2}  p50 {}  p90 {}  p99 {}  p99.9 {}  max {}",
            mean_us / 1000.0,
            ms(p50_us),
            ms(p90_us),
            ms(p99_us),
            ms(p999_us),
            ms(max_us)
        )?;
        let seconds = self.timeline.iter().fold(String::new(), |mut text, second| {
            let _ = write!(text, " {}", second.operations);
            text
        });
        writeln!(f, "  by second:{seconds}")?;
        let Generator { busy, waiting } = self.generator;
        writeln!(
            f,
            "  generator: busy {:.0} %, waiting for a core {:.0} %",
            busy * 100.0,
            waiting * 100.0
        )?;
        self.write_warnings(f)
    }
}

impl LoadReport {
    fn write_warnings(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_generator_bound() {
            writeln!(f, "  warning: the generator was the bottleneck; give it more --threads")?;
        }
        if self.is_saturated() {
            writeln!(f, "  warning: saturated, the rate was not achieved")?;
        }
        for (code, count) in &self.refusals {
            writeln!(f, "  refused with code {code}: {count}")?;
        }
        for fault in self.faults.iter().take(FAULTS_NAMED) {
            writeln!(f, "  fault: {fault}")?;
        }
        if self.faults.len() > FAULTS_NAMED {
            writeln!(f, "  faults in all: {}", self.faults.len())?;
        }
        Ok(())
    }
}
