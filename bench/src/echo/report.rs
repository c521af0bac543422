//! The runtimes side by side, as tables and as JSON.
//!
//! Not here: how the figures came about (`asker`, `append`, `disk`).

use std::fmt;

use serde_json::{Value, json};

use super::{Asked, EchoShape, Runtime};
use crate::compare::Spread;
use crate::disk::{Cycle, Way};
use crate::host;
use crate::turns::{self, Turns};

/// An asker busier than this may be what was measured.
const BUSY_MAX: f64 = 0.9;

/// All runtimes with all shapes and batches.
#[derive(Clone, Debug)]
pub struct EchoReport {
    pub bytes: u32,
    pub turns: Turns,
    /// Those that work here; the first is what the others are held against.
    pub runtimes: Vec<Runtime>,
    pub echoes: Vec<Echoes>,
    pub appends: Vec<Appends>,
}

/// One runtime with one shape: a figure a round.
#[derive(Clone, Debug)]
pub struct Echoes {
    pub runtime: Runtime,
    pub shape: EchoShape,
    pub turns: Vec<Asked>,
}

/// One runtime going one way with one size of batch: a figure a round.
#[derive(Clone, Debug)]
pub struct Appends {
    pub runtime: Runtime,
    pub way: Way,
    pub bytes: usize,
    pub turns: Vec<Cycle>,
}

impl Asked {
    pub fn per_second(&self) -> f64 {
        self.operations as f64 * 1e6 / self.elapsed_us.max(1) as f64
    }

    pub fn server_cpu_us_per_operation(&self) -> f64 {
        self.server_cpu_us as f64 / self.operations.max(1) as f64
    }
}

/// What every row has.
struct Row {
    per_second: f64,
    p50_us: f64,
    p99_us: f64,
    cpu_us: f64,
    /// By the first runtime's, round by round.
    ratio: Option<Spread>,
    cpu_ratio: Option<Spread>,
}

impl Row {
    fn of<T>(turns: &[T], first: &[T], figures: [fn(&T) -> f64; 4]) -> Self {
        let all =
            |turns: &[T], figure: fn(&T) -> f64| -> Vec<f64> { turns.iter().map(figure).collect() };
        let median = |figure| turns::spread(&all(turns, figure)).map_or(0.0, |it| it.median);
        let [per_second, p50_us, p99_us, cpu_us] = figures;
        let ratio = |figure| turns::ratio(&all(turns, figure), &all(first, figure));
        Self {
            per_second: median(per_second),
            p50_us: median(p50_us),
            p99_us: median(p99_us),
            cpu_us: median(cpu_us),
            ratio: ratio(per_second),
            cpu_ratio: ratio(cpu_us),
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "per_second": self.per_second.round(),
            "p50_us": self.p50_us,
            "p99_us": self.p99_us,
            "cpu_us": self.cpu_us,
            "of_the_first": self.ratio.map(Spread::to_json),
            "cpu_of_the_first": self.cpu_ratio.map(Spread::to_json),
        })
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { per_second, p50_us, p99_us, cpu_us, ratio, cpu_ratio } = self;
        let told = |ratio: &Option<Spread>| {
            ratio.map_or_else(String::new, |Spread { median, least, greatest }| {
                format!("{median:.2} ({least:.2} to {greatest:.2})")
            })
        };
        write!(
            f,
            "{per_second:.0} | {} | {p50_us:.0} / {p99_us:.0} | {cpu_us:.2} | {}",
            told(ratio),
            told(cpu_ratio)
        )
    }
}

impl EchoReport {
    /// The same with the first runtime.
    fn first_echo(&self, echoes: &Echoes) -> &[Asked] {
        let is_it = |it: &&Echoes| it.runtime == self.runtimes[0] && it.shape == echoes.shape;
        self.echoes.iter().find(is_it).map_or(&[], |it| it.turns.as_slice())
    }

    fn first_append(&self, appends: &Appends) -> &[Cycle] {
        let is_it = |it: &&Appends| {
            it.runtime == self.runtimes[0] && it.way == appends.way && it.bytes == appends.bytes
        };
        self.appends.iter().find(is_it).map_or(&[], |it| it.turns.as_slice())
    }

    fn echo_row(&self, echoes: &Echoes) -> Row {
        let figures: [fn(&Asked) -> f64; 4] = [
            Asked::per_second,
            |asked| asked.p50_us as f64,
            |asked| asked.p99_us as f64,
            Asked::server_cpu_us_per_operation,
        ];
        Row::of(&echoes.turns, self.first_echo(echoes), figures)
    }

    fn append_row(&self, appends: &Appends) -> Row {
        let figures: [fn(&Cycle) -> f64; 4] = [
            Cycle::commits_per_second,
            |cycle| cycle.p50_us as f64,
            |cycle| cycle.p99_us as f64,
            Cycle::cpu_us_per_commit,
        ];
        Row::of(&appends.turns, self.first_append(appends), figures)
    }

    pub fn to_json(&self) -> Value {
        let named = |row: Value, more: Value| match (row, more) {
            (Value::Object(mut row), Value::Object(more)) => {
                row.extend(more);
                Value::Object(row)
            }
            (row, _) => row,
        };
        let echoes = self.echoes.iter().map(|echoes| {
            let asker_busy = echoes.turns.iter().map(|asked| asked.asker_busy);
            let more = json!({
                "runtime": echoes.runtime.to_string(),
                "shape": echoes.shape.to_string(),
                "asker_busy_most": asker_busy.fold(0.0, f64::max),
            });
            named(self.echo_row(echoes).to_json(), more)
        });
        let appends = self.appends.iter().map(|appends| {
            let more = json!({
                "runtime": appends.runtime.to_string(),
                "way": appends.way.describe(),
                "bytes": appends.bytes,
            });
            named(self.append_row(appends).to_json(), more)
        });
        json!({
            "host": host::describe(),
            "bytes": self.bytes,
            "seconds": self.turns.seconds,
            "rounds": self.turns.rounds,
            "echo": echoes.collect::<Vec<_>>(),
            "append": appends.collect::<Vec<_>>(),
        })
    }

    fn write_doubts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.runtimes.contains(&Runtime::Uring) {
            writeln!(f, "\nno io_uring here: neither the reactor's nor tokio-uring was measured")?;
        }
        for Echoes { runtime, shape, turns } in &self.echoes {
            let bound = turns.iter().filter(|asked| asked.asker_busy > BUSY_MAX).count();
            if bound > 0 {
                let rounds = turns.len();
                writeln!(
                    f,
                    "{runtime}, {shape}: the asker was busy all of {bound} of {rounds} turns"
                )?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for EchoReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes, turns: Turns { seconds, rounds }, .. } = self;
        let host = host::describe();
        writeln!(f, "{host}; medians of {rounds} rounds, {seconds} s each in all; ratios are to")?;
        writeln!(f, "the first of each group, round by round\n")?;
        writeln!(
            f,
            "| echo of {bytes} B | runtime | /s | ratio | p50 / p99 µs | server CPU-µs | ratio |"
        )?;
        writeln!(f, "| --- | --- | --- | --- | --- | --- | --- |")?;
        for echoes in &self.echoes {
            let row = self.echo_row(echoes);
            writeln!(f, "| {} | {} | {row} |", echoes.shape, echoes.runtime)?;
        }
        writeln!(f, "\n| append | runtime | /s | ratio | p50 / p99 µs | CPU-µs | ratio |")?;
        writeln!(f, "| --- | --- | --- | --- | --- | --- | --- |")?;
        for appends in &self.appends {
            let Appends { runtime, way, bytes, .. } = appends;
            let row = self.append_row(appends);
            writeln!(f, "| {} KiB, {} | {runtime} | {row} |", bytes >> 10, way.describe())?;
        }
        self.write_doubts(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(operations: u64, server_cpu_us: u64, asker_busy: f64) -> Asked {
        let elapsed_us = 1_000_000;
        Asked { operations, elapsed_us, p50_us: 10, p99_us: 20, server_cpu_us, asker_busy }
    }

    #[test]
    fn every_runtime_is_held_against_the_first_round_by_round() {
        let shape = EchoShape { connections: 2, outstanding: 3 };
        let echoes = |runtime, turns: [Asked; 2]| Echoes { runtime, shape, turns: turns.into() };
        let first = [asked(100, 200, 0.5), asked(200, 400, 0.95)];
        let second = [asked(50, 200, 0.5), asked(50, 200, 0.5)];
        let report = EchoReport {
            bytes: 100,
            turns: Turns { seconds: 2.0, rounds: 2 },
            runtimes: vec![Runtime::Uring, Runtime::TokioUring],
            echoes: vec![echoes(Runtime::Uring, first), echoes(Runtime::TokioUring, second)],
            appends: Vec::new(),
        };
        let text = report.to_string();
        let row = "| 2x3 | tokio-uring 0.5 | 50 | 0.38 (0.25 to 0.50) | 10 / 20 | 4.00 | \
                   2.00 (2.00 to 2.00) |";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("reactor, io_uring, 2x3: the asker was busy all of 1 of 2 turns"));
        assert_eq!(report.to_json()["echo"][1]["of_the_first"]["least"], json!(0.25));
    }
}
