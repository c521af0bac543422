//! Latencies of a measurement: exact to the microsecond where it matters, bounded in memory.
//!
//! Not here: the figures a server keeps of itself (`crate::admin`).

use std::time::Duration;

const FINE_SLOTS: usize = 50_000;
const COARSE_MICROS: usize = 100;
const COARSE_SLOTS: usize = 100_000;

/// Counts by microsecond below 50 ms, by tenth of a millisecond below 10 s, and the rest as 10 s.
pub(super) struct Latencies {
    fine: Vec<u64>,
    coarse: Vec<u64>,
    pub(super) count: u64,
}

impl Latencies {
    pub(super) fn new() -> Self {
        Self { fine: vec![0; FINE_SLOTS], coarse: vec![0; COARSE_SLOTS], count: 0 }
    }

    pub(super) fn add(&mut self, latency: Duration, times: u64) {
        let micros = usize::try_from(latency.as_micros()).unwrap_or(usize::MAX);
        match self.fine.get_mut(micros) {
            Some(slot) => *slot += times,
            None => self.coarse[(micros / COARSE_MICROS).min(COARSE_SLOTS - 1)] += times,
        }
        self.count += times;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        let slots = self.fine.iter_mut().zip(&other.fine);
        slots.chain(self.coarse.iter_mut().zip(&other.coarse)).for_each(|(mine, its)| *mine += its);
        self.count += other.count;
    }

    /// The latency that `per_mille` of a thousand do not exceed; zero where there is none.
    pub(super) fn percentile(&self, per_mille: u64) -> Duration {
        let rank = (self.count * per_mille).div_ceil(1000).max(1);
        let fine = self.fine.iter().enumerate();
        let coarse = self.coarse.iter().enumerate().map(|(slot, n)| (slot * COARSE_MICROS, n));
        let mut seen = 0;
        for (micros, count) in fine.chain(coarse) {
            seen += count;
            if seen >= rank {
                return Duration::from_micros(micros as u64);
            }
        }
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_exact_to_the_microsecond_and_coarser_beyond() {
        let mut latencies = Latencies::new();
        (1..=1000).for_each(|micros| latencies.add(Duration::from_micros(micros), 1));
        assert_eq!(latencies.percentile(500), Duration::from_micros(500));
        assert_eq!(latencies.percentile(999), Duration::from_micros(999));
        let mut slow = Latencies::new();
        slow.add(Duration::from_micros(60_030), 3);
        slow.add(Duration::from_secs(100), 1);
        assert_eq!(slow.percentile(500), Duration::from_millis(60));
        latencies.merge(&slow);
        assert_eq!(latencies.count, 1004);
        assert_eq!(Latencies::new().percentile(500), Duration::ZERO);
    }
}
