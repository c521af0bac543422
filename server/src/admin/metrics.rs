//! Figures that the member updates as it goes and `mntr` prints.
//!
//! Plain integers of one thread: adding to a counter is one instruction, a value of a distribution
//! a dozen. The names are ZooKeeper's (`ServerMetrics`), as far as what they count exists here.
//!
//! Invariants:
//! - MT1. A distribution's percentile lies within an eighth of the true one, and never above the
//!   largest value seen.
//!
//! Not here: gauges, which are asked for and not kept (`status`); the text (`monitor`).

/// Average, least, greatest, count and sum of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    pub count: u64,
    pub sum: u64,
    least: u64,
    pub max: u64,
}

impl Summary {
    pub const EMPTY: Self = Self { count: 0, sum: 0, least: u64::MAX, max: 0 };

    pub fn add(&mut self, value: u64) {
        self.count += 1;
        self.sum = self.sum.saturating_add(value);
        self.least = self.least.min(value);
        self.max = self.max.max(value);
    }

    /// 0 where nothing was added, as in ZooKeeper.
    pub fn min(&self) -> u64 {
        if self.count == 0 { 0 } else { self.least }
    }

    /// Compat: rounded to four digits (`AvgMinMaxCounter.getAvg`, 3.9.5).
    pub fn avg(&self) -> f64 {
        if self.count == 0 {
            return 0.0;
        }
        (self.sum as f64 / self.count as f64 * 10_000.0).round() / 10_000.0
    }
}

impl Default for Summary {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// Slots of equal width within one power of two.
const SLOTS_PER_OCTAVE: usize = 8;
const OCTAVES: usize = 40;

/// A summary that also knows percentiles, from slots that grow with the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    pub summary: Summary,
    slots: Box<[u64; SLOTS_PER_OCTAVE * OCTAVES]>,
}

impl Distribution {
    pub fn add(&mut self, value: u64) {
        self.summary.add(value);
        self.slots[slot(value)] += 1;
    }

    /// The value that `per_mille` of a thousand values do not exceed; 0 where there are none.
    pub fn percentile(&self, per_mille: u64) -> u64 {
        let rank = (self.summary.count * per_mille).div_ceil(1000).max(1);
        let mut seen = 0;
        for (index, count) in self.slots.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return greatest_in(index).min(self.summary.max);
            }
        }
        0
    }

    fn clear(&mut self) {
        self.summary = Summary::EMPTY;
        self.slots.fill(0);
    }
}

impl Default for Distribution {
    fn default() -> Self {
        Self { summary: Summary::EMPTY, slots: Box::new([0; SLOTS_PER_OCTAVE * OCTAVES]) }
    }
}

/// The slot of a value: itself below 8, then eight slots a power of two; the last takes the rest.
fn slot(value: u64) -> usize {
    let value_bits = 64 - value.leading_zeros() as usize;
    if value_bits <= 3 {
        return value as usize;
    }
    let shift = value_bits - 4;
    // The four leading bits are 8 to 15: the octave's number and the place within it.
    let index = (shift + 1) * SLOTS_PER_OCTAVE + ((value >> shift) as usize - SLOTS_PER_OCTAVE);
    index.min(SLOTS_PER_OCTAVE * OCTAVES - 1)
}

fn greatest_in(slot: usize) -> u64 {
    match slot / SLOTS_PER_OCTAVE {
        0 => slot as u64,
        _ if slot == SLOTS_PER_OCTAVE * OCTAVES - 1 => u64::MAX,
        octave => {
            let leading = (slot % SLOTS_PER_OCTAVE + SLOTS_PER_OCTAVE) as u64;
            ((leading + 1) << (octave - 1)) - 1
        }
    }
}

/// Size of the last, the smallest and the largest of something; -1 where there was none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastMinMax {
    pub last: i64,
    pub min: i64,
    pub max: i64,
}

impl LastMinMax {
    pub const NONE: Self = Self { last: -1, min: -1, max: -1 };

    pub fn set(&mut self, size: usize) {
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        self.last = size;
        self.max = self.max.max(size);
        self.min = if self.min < 0 { size } else { self.min.min(size) };
    }
}

impl Default for LastMinMax {
    fn default() -> Self {
        Self::NONE
    }
}

/// Declares the fields and, from the same list, what `mntr` walks over.
macro_rules! metrics {
    (counters { $($counter:ident)* } summaries { $($summary:ident)* } distributions { $($distribution:ident)* }) => {
        /// All figures of one server. Latencies and times are in milliseconds, as in ZooKeeper.
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct Metrics {
            /// Of the packets of clients, pings and words among them.
            pub packets_received: u64,
            pub packets_sent: u64,
            /// From a request's arrival to its answer.
            pub request_latency: Summary,
            pub client_response_bytes: LastMinMax,
            /// Of the txns a leader proposed.
            pub proposal_bytes: LastMinMax,
            pub auth_failed_count: u64,
            $(pub $counter: u64,)*
            $(pub $summary: Summary,)*
            $(pub $distribution: Distribution,)*
        }

        impl Metrics {
            pub(super) fn counters(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($counter), self.$counter)),*]
            }

            pub(super) fn summaries(&self) -> Vec<(&'static str, &Summary)> {
                vec![$((stringify!($summary), &self.$summary)),*]
            }

            pub(super) fn distributions(&self) -> Vec<(&'static str, &Distribution)> {
                vec![$((stringify!($distribution), &self.$distribution)),*]
            }

            /// What `srst` forgets: everything but the sizes of proposals and failed
            /// authentications, as in ZooKeeper (`ServerStats.reset`, 3.9.5).
            pub fn reset(&mut self) {
                self.packets_received = 0;
                self.packets_sent = 0;
                self.request_latency = Summary::EMPTY;
                self.client_response_bytes = LastMinMax::NONE;
                $(self.$counter = 0;)*
                $(self.$summary = Summary::EMPTY;)*
                $(self.$distribution.clear();)*
            }
        }
    };
}

metrics! {
    counters {
        bytes_received_count
        cnxn_closed_without_zk_server_running
        commit_count
        connection_drop_count
        connection_rejected
        connection_request_count
        connection_revalidate_count
        diff_count
        digest_mismatches_count
        large_requests_rejected
        learner_commit_received_count
        learner_proposal_received_count
        looking_count
        outstanding_changes_queued
        outstanding_changes_removed
        proposal_count
        quit_leading_due_to_disloyal_voter
        quota_exceeded_error_count
        request_commit_queued
        response_bytes
        revalidate_count
        sessionless_connections_expired
        snap_count
        snapshot_error_count
        stale_sessions_expired
        unrecoverable_error_count
        unsuccessful_handshake
        watch_bytes
        limit_frame_hits
        limit_in_flight_bytes_hits
        limit_outstanding_hits
        limit_reply_queue_hits
        limit_connections_hits
        limit_txn_bytes_hits
        limit_peer_queue_hits
    }
    summaries {
        dbinittime
        election_time
        follower_sync_time
        fsynctime
        inflight_diff_count
        inflight_snap_count
        leader_unavailable_time
        node_changed_watch_count
        node_children_watch_count
        node_created_watch_count
        node_deleted_watch_count
        observer_sync_time
        snapshottime
        startup_snap_load_time
        startup_txns_load_time
        startup_txns_loaded
        sync_processor_batch_size
        unavailable_time
    }
    distributions {
        commit_propagation_latency
        proposal_latency
        quorum_ack_latency
        readlatency
        updatelatency
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_summary_prints_zeros() {
        let summary = Summary::EMPTY;
        assert_eq!((summary.min(), summary.max, summary.count, summary.sum), (0, 0, 0, 0));
        assert_eq!(summary.avg(), 0.0);
    }

    #[test]
    fn a_summary_knows_its_values() {
        let mut summary = Summary::EMPTY;
        [3, 1, 2].into_iter().for_each(|value| summary.add(value));
        assert_eq!((summary.min(), summary.max, summary.count, summary.sum), (1, 3, 3, 6));
        summary.add(1);
        summary.add(1);
        summary.add(1);
        assert_eq!(summary.avg(), 1.5);
        summary.add(1);
        assert_eq!(summary.avg(), 1.4286, "four digits");
    }

    #[test]
    fn slots_cover_every_value_without_gap_or_overlap() {
        for index in 1..SLOTS_PER_OCTAVE * OCTAVES - 1 {
            let greatest = greatest_in(index);
            assert_eq!(slot(greatest), index);
            assert_eq!(slot(greatest + 1), index + 1);
            assert!(greatest > greatest_in(index - 1));
        }
        assert_eq!(slot(0), 0);
        assert_eq!(slot(u64::MAX), SLOTS_PER_OCTAVE * OCTAVES - 1);
    }

    #[test]
    fn mt1_percentiles_are_within_an_eighth() {
        let mut distribution = Distribution::default();
        (1..=10_000).for_each(|value| distribution.add(value));
        for per_mille in [1, 500, 950, 990, 999, 1000] {
            let true_value = per_mille * 10;
            let found = distribution.percentile(per_mille);
            assert!(found >= true_value && found <= true_value + true_value / 8, "{per_mille}");
        }
        assert_eq!(distribution.percentile(1000), 10_000, "never above the largest seen");
        assert_eq!(Distribution::default().percentile(500), 0);
        let mut one = Distribution::default();
        one.add(u64::MAX);
        assert_eq!(one.percentile(500), u64::MAX);
    }

    #[test]
    fn last_min_and_max_begin_at_minus_one() {
        let mut sizes = LastMinMax::NONE;
        sizes.set(48);
        sizes.set(61);
        sizes.set(50);
        assert_eq!(sizes, LastMinMax { last: 50, min: 48, max: 61 });
    }

    #[test]
    fn a_reset_forgets_all_but_proposals_and_failed_authentications() {
        let mut metrics = Metrics { commit_count: 1, auth_failed_count: 2, ..Metrics::default() };
        metrics.updatelatency.add(9);
        metrics.proposal_bytes.set(48);
        metrics.client_response_bytes.set(16);
        metrics.reset();
        let mut left = Metrics { auth_failed_count: 2, ..Metrics::default() };
        left.proposal_bytes.set(48);
        assert_eq!(metrics, left);
    }
}
