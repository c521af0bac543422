//! A lone set beside its limit, as a table and as JSON.
//!
//! Not here: how the figures came about (`trial`).

use std::fmt;

use serde_json::{Map, Value, json};

use super::Part;
use crate::compare::Spread;
use crate::host;
use crate::turns;

/// Medians of the turns.
#[derive(Clone, Debug)]
pub struct LoneReport {
    pub bytes: u32,
    pub seconds: u64,
    /// By `Part`, one of each a round.
    pub p50_us: [Vec<f64>; Part::ALL.len()],
}

impl LoneReport {
    fn of(&self, part: Part) -> &[f64] {
        let at = Part::ALL.iter().position(|it| *it == part);
        at.map_or(&[], |at| &self.p50_us[at])
    }

    /// The sum of what a set takes at least, round by round.
    fn limits(&self) -> Vec<f64> {
        let parts = [Part::ClientTrip, Part::FollowerTrip, Part::Write].map(|part| self.of(part));
        let rounds = 0..parts[0].len();
        rounds.map(|round| parts.iter().map(|part| part[round]).sum()).collect()
    }

    /// A set by its limit.
    pub fn ratio(&self) -> Option<Spread> {
        turns::ratio(self.of(Part::Set), &self.limits())
    }

    /// A set by the skeleton.
    pub fn ratio_to_skeleton(&self) -> Option<Spread> {
        turns::ratio(self.of(Part::Set), self.of(Part::Skeleton))
    }

    fn skeleton_by_limit(&self) -> Option<Spread> {
        turns::ratio(self.of(Part::Skeleton), &self.limits())
    }

    pub fn to_json(&self) -> Value {
        let told = |spread: Option<Spread>| spread.map(Spread::to_json);
        let parts: Map<String, Value> = Part::ALL
            .iter()
            .map(|part| (part.describe().to_owned(), json!(told(turns::spread(self.of(*part))))))
            .collect();
        json!({
            "host": host::describe(),
            "bytes": self.bytes,
            "seconds": self.seconds,
            "p50_us": parts,
            "limit_us": told(turns::spread(&self.limits())),
            "set_by_limit": told(self.ratio()),
            "set_by_skeleton": told(self.ratio_to_skeleton()),
            "skeleton_by_limit": told(self.skeleton_by_limit()),
        })
    }
}

fn text(spread: Option<Spread>, digits: usize) -> String {
    spread.map_or_else(String::new, |Spread { median, least, greatest }| {
        format!("{median:.digits$} ({least:.digits$} to {greatest:.digits$})")
    })
}

impl fmt::Display for LoneReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, rounds) = (host::describe(), self.of(Part::Set).len());
        let Self { bytes, seconds, .. } = self;
        writeln!(f, "{host}; sets of {bytes} B; medians of {rounds} rounds, {seconds} s a turn\n")?;
        writeln!(f, "| | p50 µs |")?;
        writeln!(f, "| --- | --- |")?;
        for part in Part::ALL {
            writeln!(f, "| {} | {} |", part.describe(), text(turns::spread(self.of(part)), 0))?;
        }
        let limit = text(turns::spread(&self.limits()), 0);
        writeln!(f, "| limit: both round trips and the write | {limit} |\n")?;
        writeln!(f, "set by limit: {}", text(self.ratio(), 2))?;
        writeln!(f, "set by skeleton: {}", text(self.ratio_to_skeleton(), 2))?;
        writeln!(f, "skeleton by limit: {}", text(self.skeleton_by_limit(), 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_summed_and_held_against_the_set_of_its_round() {
        let p50_us =
            [vec![130.0, 300.0], vec![20.0, 40.0], vec![30.0, 60.0], vec![50.0; 2], vec![100.0; 2]];
        let report = LoneReport { bytes: 100, seconds: 1, p50_us };
        assert_eq!(report.limits(), [100.0, 150.0]);
        let text = report.to_string();
        assert!(text.contains("| limit: both round trips and the write | 125 (100 to 150) |"));
        assert!(text.contains("set by limit: 1.65 (1.30 to 2.00)"), "{text}");
        assert!(text.contains("skeleton by limit: 0.83 (0.67 to 1.00)"), "{text}");
        assert_eq!(report.to_json()["set_by_skeleton"]["least"], json!(1.3));
    }
}
