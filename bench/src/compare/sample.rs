//! One run of one shape on one system, and what pairs of them say.
//!
//! Machines drift: other work comes and goes, disks have moods. So the two systems take turns, a
//! ratio is taken within each pair of neighbouring runs, and of the pairs the median counts.

use std::path::Path;

use serde_json::{Value, json};

use super::ensemble::Ensemble;
use super::shape::Shape;
use crate::host::{self, DeviceCounts};
use crate::load::{self, Border, LoadError, LoadReport};

/// Seconds of the same load before each measured window.
pub(crate) const WARMUP_SECONDS: u64 = 1;

/// What was measured in one window.
#[derive(Clone, Debug)]
pub struct Sample {
    pub load: LoadReport,
    /// CPU of all servers together, for one operation.
    pub cpu_us_per_operation: f64,
    /// What the device below the data did meanwhile; others' work on it counts too.
    pub device: Option<DeviceCounts>,
    pub load_average: Option<f64>,
    pub resident_bytes: u64,
}

impl Sample {
    pub(crate) fn take(
        ensemble: &Ensemble,
        shape: &Shape,
        seconds: u64,
        folder: &Path,
        shows_progress: bool,
    ) -> Result<Self, LoadError> {
        let options = shape.load(ensemble.clients(), seconds, WARMUP_SECONDS);
        let look = || (ensemble.cpu_us(), DeviceCounts::of(folder));
        let (mut start, mut end, mut resident_bytes) = ((0, None), (0, None), 0);
        let mut at_border = |border| match border {
            Border::Start => start = look(),
            Border::End => {
                end = look();
                // What the load made is still there.
                resident_bytes = ensemble.resident_bytes();
            }
        };
        let load = load::run(&options, shows_progress, &mut at_border)?;
        let cpu_us = end.0.saturating_sub(start.0);
        Ok(Self {
            cpu_us_per_operation: cpu_us as f64 / load.operations.max(1) as f64,
            device: end.1.zip(start.1).map(|(end, start)| end.since(start)),
            load_average: host::load_average(),
            resident_bytes,
            load,
        })
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "load": self.load.to_json(),
            "servers_cpu_us_per_operation": self.cpu_us_per_operation,
            "servers_resident_bytes": self.resident_bytes,
            "device": self.device.map(|device| json!({
                "writes": device.writes,
                "bytes_written": device.sectors_written * 512,
                "flushes": device.flushes,
            })),
            "load_average": self.load_average,
        })
    }
}

/// A median, with the least and the greatest beside it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub greatest: f64,
}

impl Spread {
    /// Of at least one value.
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            1 => values[middle],
            _ => f64::midpoint(values[middle - 1], values[middle]),
        };
        Self { median, least: values[0], greatest: values[values.len() - 1] }
    }

    pub(crate) fn to_json(self) -> Value {
        json!({ "median": self.median, "least": self.least, "greatest": self.greatest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two() {
        let spread = Spread::of([3.0, 1.0, 2.0].into_iter());
        assert_eq!(spread, Spread { median: 2.0, least: 1.0, greatest: 3.0 });
        assert_eq!(
            Spread::of([4.0, 1.0, 2.0, 3.0].into_iter()).median.to_bits(),
            2.5_f64.to_bits()
        );
    }
}
