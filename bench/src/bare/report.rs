//! The real ensemble beside the bare one, as a table and as JSON.
//!
//! Not here: how the figures came about (`trial`).

use std::fmt;

use serde_json::{Value, json};

use crate::compare::Spread;
use crate::echo::EchoShape;
use crate::host;
use crate::turns;

/// A generator busier than this may be what was measured.
const BUSY_MAX: f64 = 0.9;

/// What one turn gave.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    pub per_second: f64,
    /// CPU of the three servers together, for one operation.
    pub cpu_us: f64,
    /// The share of the window that the generator's thread was busy.
    pub busy: f64,
}

/// One shape and size, with a turn of each a round.
#[derive(Clone, Debug)]
pub struct Line {
    pub shape: EchoShape,
    pub bytes: u32,
    pub real: Vec<Figures>,
    pub bare: Vec<Figures>,
}

/// All shapes and sizes.
#[derive(Clone, Debug)]
pub struct BareReport {
    pub seconds: u64,
    pub rounds: u32,
    pub lines: Vec<Line>,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0}/s {:.2} CPU-us", self.per_second, self.cpu_us)
    }
}

fn all(turns: &[Figures], figure: fn(&Figures) -> f64) -> Vec<f64> {
    turns.iter().map(figure).collect()
}

fn median(turns: &[Figures], figure: fn(&Figures) -> f64) -> f64 {
    turns::spread(&all(turns, figure)).map_or(0.0, |spread| spread.median)
}

impl Line {
    /// The real ensemble's throughput by the bare one's.
    pub fn ratio(&self) -> Option<Spread> {
        let per_second = |turns| all(turns, |figures| figures.per_second);
        turns::ratio(&per_second(&self.real), &per_second(&self.bare))
    }

    /// The real servers' CPU by the bare ones'.
    pub fn cpu_ratio(&self) -> Option<Spread> {
        let cpu_us = |turns| all(turns, |figures| figures.cpu_us);
        turns::ratio(&cpu_us(&self.real), &cpu_us(&self.bare))
    }

    fn to_json(&self) -> Value {
        let side = |turns: &[Figures]| {
            let told = |figure| turns::spread(&all(turns, figure)).map(Spread::to_json);
            json!({
                "per_second": told(|figures| figures.per_second),
                "servers_cpu_us_per_operation": told(|figures| figures.cpu_us),
                "generator_busy": told(|figures| figures.busy),
            })
        };
        json!({
            "connections": self.shape.connections,
            "outstanding": self.shape.outstanding,
            "bytes": self.bytes,
            "real": side(&self.real),
            "bare": side(&self.bare),
            "real_by_bare": self.ratio().map(Spread::to_json),
            "cpu_real_by_bare": self.cpu_ratio().map(Spread::to_json),
        })
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let both = |figure, digits: usize| {
            let (real, bare) = (median(&self.real, figure), median(&self.bare, figure));
            format!("{real:.digits$} | {bare:.digits$}")
        };
        let told = |ratio: Option<Spread>| {
            ratio.map_or_else(String::new, |Spread { median, least, greatest }| {
                format!("{median:.2} ({least:.2} to {greatest:.2})")
            })
        };
        let busy = |turns| {
            let busy = median(turns, |figures| figures.busy);
            format!("{:.0} %{}", 100.0 * busy, if busy > BUSY_MAX { " \\*" } else { "" })
        };
        write!(
            f,
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            self.shape,
            self.bytes,
            both(|figures| figures.per_second, 0),
            told(self.ratio()),
            both(|figures| figures.cpu_us, 2),
            told(self.cpu_ratio()),
            busy(&self.real),
            busy(&self.bare),
        )
    }
}

impl BareReport {
    pub fn to_json(&self) -> Value {
        json!({
            "host": host::describe(),
            "seconds": self.seconds,
            "rounds": self.rounds,
            "lines": self.lines.iter().map(Line::to_json).collect::<Vec<_>>(),
        })
    }

    fn is_generator_bound(&self) -> bool {
        let mut sides = self.lines.iter().flat_map(|line| [&line.real, &line.bare]);
        sides.any(|turns| median(turns, |figures| figures.busy) > BUSY_MAX)
    }
}

impl fmt::Display for BareReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, Self { seconds, rounds, lines }) = (host::describe(), self);
        writeln!(f, "{host}; setData; medians of {rounds} rounds, {seconds} s a turn\n")?;
        writeln!(
            f,
            "| load | B | real /s | bare /s | real by bare | real CPU-µs | bare CPU-µs | real by bare \
             | real generator | bare generator |"
        )?;
        writeln!(f, "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")?;
        lines.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        writeln!(f, "\nCPU-µs: all three servers, by operation; generator: busy of the window")?;
        if self.is_generator_bound() {
            writeln!(f, "\\* busy all the time: the rate may be the generator's own")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_holds_both_against_each_other_round_by_round() {
        let turn = |per_second, cpu_us, busy| Figures { per_second, cpu_us, busy };
        let line = Line {
            shape: EchoShape { connections: 30, outstanding: 100 },
            bytes: 100,
            real: vec![turn(100.0, 6.0, 0.5), turn(300.0, 6.0, 0.5)],
            bare: vec![turn(400.0, 2.0, 0.95), turn(400.0, 4.0, 0.95)],
        };
        let report = BareReport { seconds: 1, rounds: 2, lines: vec![line] };
        let text = report.to_string();
        let row = "| 30x100 | 100 | 200 | 400 | 0.50 (0.25 to 0.75) | 6.00 | 3.00 \
                   | 2.25 (1.50 to 3.00) | 50 % | 95 % \\* |";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("may be the generator's own"), "{text}");
        let json = report.to_json();
        assert_eq!(json["lines"][0]["real_by_bare"]["least"], json!(0.25));
        assert_eq!(json["lines"][0]["bare"]["generator_busy"]["median"], json!(0.95));
    }
}
