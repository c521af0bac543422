//! What one run is like, drawn from its seed.

use super::random::Random;

/// The shape of a run. Everything a seed decides before the first step.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub servers: usize,
    pub clients: usize,
    /// Simulated milliseconds of trouble before everything heals.
    pub trouble_ms: u64,
    /// Operations each client does at most while there is trouble.
    pub ops_per_client: u32,
    /// One way over the network, milliseconds: least and most.
    pub delay_ms: (u64, u64),
    /// A disk operation, milliseconds: least and most.
    pub disk_ms: (u64, u64),
    /// Faults a simulated second, per mille.
    pub crash_rate: u64,
    pub partition_rate: u64,
    pub link_break_rate: u64,
    /// Whether a crash hits inside the blocking disk verbs as well.
    pub cuts_verbs: bool,
    /// Txns between snapshots: small, so that many are taken.
    pub snapshot_txns: u64,
    /// Bytes of a log segment: small, so that many are rolled.
    pub segment_bytes: u64,
}

impl Plan {
    /// The plan of `seed`.
    pub fn of(seed: u64) -> Self {
        let mut random = Random::of(seed, 1);
        let is_calm = random.chance(100);
        let rate = |random: &mut Random, max: u64| if is_calm { 0 } else { random.below(max) };
        Self {
            seed,
            servers: if random.chance(700) { 3 } else { 5 },
            clients: random.between(1, 6) as usize,
            trouble_ms: random.between(5_000, 40_000),
            ops_per_client: random.between(20, 300) as u32,
            delay_ms: (0, random.between(1, 20)),
            disk_ms: (0, random.between(1, 15)),
            crash_rate: rate(&mut random, 300),
            partition_rate: rate(&mut random, 200),
            link_break_rate: rate(&mut random, 300),
            cuts_verbs: random.chance(500),
            snapshot_txns: random.between(10, 200),
            segment_bytes: 4096 * random.between(8, 64),
        }
    }
}
