//! What was measured: counts, latencies, second by second and in all.
//!
//! Not here: how it was measured (`lane`), how it is printed (`report`).

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

/// Latencies are kept to three digits from 1 µs to 60 s; longer ones count as 60 s.
const LATENCY_US_MAX: u64 = 60_000_000;
const DIGITS: u8 = 3;

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_US_MAX, DIGITS).expect("bounds the crate allows")
}

/// What one thread saw, or all of them together.
pub(super) struct Figures {
    /// Answers that came within the window, by second.
    seconds: Vec<Histogram<u64>>,
    /// Answers that came after the window to requests meant for it.
    late: Histogram<u64>,
    pub(super) refusals: BTreeMap<i32, u64>,
    pub(super) faults: Vec<String>,
    /// Sets of a fan-out that were answered within the window.
    pub(super) sets: u64,
    /// CPU the threads used within the window, and how long they waited for a core.
    pub(super) cpu_us: u64,
    pub(super) waited_us: u64,
}

/// One second of the window.
#[derive(Clone, Copy, Debug)]
pub struct Second {
    pub operations: u64,
    pub p50_us: u64,
    pub p99_us: u64,
    pub max_us: u64,
}

/// Latencies in all.
#[derive(Clone, Copy, Debug)]
pub struct Latency {
    pub mean_us: f64,
    pub p50_us: u64,
    pub p90_us: u64,
    pub p99_us: u64,
    pub p999_us: u64,
    pub max_us: u64,
}

impl Figures {
    pub(super) fn new(seconds: u64) -> Self {
        Self {
            seconds: (0..seconds).map(|_| histogram()).collect(),
            late: histogram(),
            refusals: BTreeMap::new(),
            faults: Vec::new(),
            sets: 0,
            cpu_us: 0,
            waited_us: 0,
        }
    }

    /// `count` answers after `latency_us` each, in the window's second `second`, or after its end.
    pub(super) fn record(&mut self, second: usize, latency_us: u64, count: usize) {
        let slot = self.seconds.get_mut(second).unwrap_or(&mut self.late);
        slot.saturating_record_n(latency_us.max(1), count as u64);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        let slots = self.seconds.iter_mut().zip(&other.seconds);
        for (mine, its) in slots.chain([(&mut self.late, &other.late)]) {
            mine.add(its).expect("all histograms have the same bounds");
        }
        for (code, count) in &other.refusals {
            *self.refusals.entry(*code).or_default() += count;
        }
        self.faults.extend(other.faults.iter().cloned());
        self.sets += other.sets;
        self.cpu_us += other.cpu_us;
        self.waited_us += other.waited_us;
    }

    /// Answers within the window.
    pub(super) fn operations(&self) -> u64 {
        self.seconds.iter().map(Histogram::len).sum()
    }

    pub(super) fn timeline(&self) -> Vec<Second> {
        let second = |slot: &Histogram<u64>| Second {
            operations: slot.len(),
            p50_us: slot.value_at_quantile(0.5),
            p99_us: slot.value_at_quantile(0.99),
            max_us: slot.max(),
        };
        self.seconds.iter().map(second).collect()
    }

    /// Latencies of all seconds together, and of the late answers.
    pub(super) fn all(&self) -> Histogram<u64> {
        let mut all = self.late.clone();
        for slot in &self.seconds {
            all.add(slot).expect("all histograms have the same bounds");
        }
        all
    }
}

impl Latency {
    pub(crate) fn of(all: &Histogram<u64>) -> Self {
        Self {
            mean_us: all.mean(),
            p50_us: all.value_at_quantile(0.5),
            p90_us: all.value_at_quantile(0.9),
            p99_us: all.value_at_quantile(0.99),
            p999_us: all.value_at_quantile(0.999),
            max_us: all.max(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_answers_count_for_latency_and_not_for_throughput() {
        let mut figures = Figures::new(2);
        figures.record(0, 100, 98);
        figures.record(1, 200, 1);
        figures.record(2, 5000, 1);
        assert_eq!(figures.operations(), 99);
        let latency = Latency::of(&figures.all());
        assert_eq!(latency.p50_us, 100);
        assert!(latency.max_us >= 5000);
        let mut all = Figures::new(2);
        all.merge(&figures);
        all.merge(&figures);
        assert_eq!(all.operations(), 198);
        assert_eq!(all.timeline()[1].operations, 2);
    }
}
