//! What one run is like, drawn from its seed.

use super::random::Random;

/// Who votes with what weight. The text completes a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub servers: usize,
    /// The last ones: told what is decided, and never asked.
    pub observers: usize,
    pub quorums: &'static str,
}

const THREE: Shape = Shape { servers: 3, observers: 0, quorums: "" };
const FIVE: Shape = Shape { servers: 5, observers: 0, quorums: "" };
const RARE: [Shape; 4] = [
    Shape { servers: 4, observers: 1, quorums: "" },
    Shape { servers: 5, observers: 2, quorums: "" },
    // One server for two, and one that votes for nobody.
    Shape { servers: 5, observers: 0, quorums: "group.1=1:2:3:4:5\nweight.1=2\nweight.5=0\n" },
    // Two of three groups, each with both of its servers.
    Shape { servers: 6, observers: 0, quorums: "group.1=1:2\ngroup.2=3:4\ngroup.3=5:6\n" },
];

/// The shape of a run. Everything a seed decides before the first step.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub shape: Shape,
    pub clients: usize,
    /// Nothing fails.
    pub is_calm: bool,
    /// Simulated milliseconds of trouble before everything heals.
    pub trouble_ms: u64,
    /// Between two bursts of a client's requests, on average.
    pub gap_ms: u64,
    /// Bytes of data in a write, at most.
    pub data_bytes: u64,
    /// One way over the network, milliseconds: least and most.
    pub delay_ms: (u64, u64),
    /// A disk operation, milliseconds: least and most.
    pub disk_ms: (u64, u64),
    /// Faults at each moment of trouble, per mille.
    pub crash_rate: u64,
    pub partition_rate: u64,
    pub link_break_rate: u64,
    pub slow_disk_rate: u64,
    /// How often a server's links become slow for a while.
    pub lag_rate: u64,
    /// Power cuts right after a server changed sides, or was told how to get level.
    pub ambush_rate: u64,
    /// How often a client ends its connection to try another server.
    pub hang_up_rate: u64,
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
            shape: match random.below(10) {
                0..6 => THREE,
                6..8 => FIVE,
                _ => RARE[random.below(RARE.len() as u64) as usize],
            },
            clients: random.between(1, 5) as usize,
            is_calm,
            trouble_ms: random.between(5_000, 30_000),
            gap_ms: random.between(50, 400),
            data_bytes: if random.chance(300) { 3_000 } else { 100 },
            delay_ms: (0, random.between(1, 20)),
            disk_ms: (0, random.between(1, 15)),
            crash_rate: rate(&mut random, 300),
            partition_rate: rate(&mut random, 200),
            link_break_rate: rate(&mut random, 300),
            slow_disk_rate: rate(&mut random, 200),
            lag_rate: rate(&mut random, 200),
            ambush_rate: rate(&mut random, 200),
            hang_up_rate: random.between(1, 15),
            cuts_verbs: random.chance(500),
            snapshot_txns: random.between(10, 200),
            segment_bytes: 4096 * random.between(8, 64),
        }
    }
}
