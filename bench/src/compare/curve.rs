//! Latencies as a curve: how many of the answers came within how long.
//!
//! A mean or a single percentile hides the tail; the curve shows all of it. Its points stand at the
//! same percentiles for every run, so that two curves can be read against each other.
//!
//! Not here: how a curve is drawn (`plot`).

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::sample::Sample;

/// Points to each factor of ten on the way to the slowest answer.
const POINTS_A_DECADE: i32 = 10;

/// One answer of a million is the end of the curve.
const DECADES: i32 = 6;

/// One of so many answers took longer than so many microseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) one_of: f64,
    pub(super) us: u64,
}

impl Point {
    /// The share of answers that came within `us`, in percent.
    pub(super) fn percentile(self) -> f64 {
        100.0 * (1.0 - 1.0 / self.one_of)
    }

    fn to_json(self) -> Value {
        // Four nines and two more digits; what is beyond is the rounding of the division.
        json!([(self.percentile() * 1e6).round() / 1e6, self.us])
    }
}

/// The curve of all runs together; a curve without answers has no points.
pub(super) fn of(samples: &[Sample]) -> Vec<Point> {
    let mut histograms = samples.iter().map(|sample| &sample.load.histogram);
    let Some(first) = histograms.next() else {
        return Vec::new();
    };
    let mut all = first.clone();
    for histogram in histograms {
        all.add(histogram).expect("all histograms have the same bounds");
    }
    points(&all)
}

fn points(all: &Histogram<u64>) -> Vec<Point> {
    let steps = (0..=POINTS_A_DECADE * DECADES)
        .map(|step| 10_f64.powf(f64::from(step) / f64::from(POINTS_A_DECADE)));
    // Of a hundred answers none is the slowest of a thousand.
    steps
        .take_while(|one_of| *one_of <= all.len() as f64)
        .map(|one_of| Point { one_of, us: all.value_at_quantile(1.0 - 1.0 / one_of) })
        .collect()
}

pub(super) fn to_json(samples: &[Sample]) -> Value {
    of(samples).into_iter().map(Point::to_json).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_goes_as_far_as_there_are_answers() {
        let mut all = Histogram::new_with_bounds(1, 60_000_000, 3).unwrap();
        assert!(points(&all).is_empty());
        all.record_n(100, 990).unwrap();
        all.record_n(5000, 10).unwrap();
        let points = points(&all);
        let last = points.last().unwrap();
        assert!((last.one_of - 1000.0).abs() < 1e-6, "{last:?}");
        assert!(last.us >= 5000);
        assert!((last.percentile() - 99.9).abs() < 1e-6);
        assert_eq!(points[0], Point { one_of: 1.0, us: 100 });
        assert!(points.windows(2).all(|pair| pair[0].us <= pair[1].us));
    }
}
