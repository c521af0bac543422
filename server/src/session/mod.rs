//! Sessions: their names and passwords, how long they may be silent, and who holds them.
//!
//! The leader (or a lone server) tracks every session and ends those that stay silent; a learner
//! only notes which of its sessions it has heard from and tells the leader with each ping.
//!
//! All sessions are global. A local one (`localSessionsEnabled`) would live in a second `Tracker`
//! of the server it is connected to, asked before the global one.
//!
//! Not here: the table of sessions that the log decides (`apply::Database`), connections and their
//! handshake (`frontend`).

mod identity;
mod map;
mod touches;
mod tracker;

pub use identity::{SessionIds, password, password_matches};
pub use map::IdMap;
pub use touches::Touches;
pub use tracker::{Owner, Tracker};

/// Between what a client may ask for as its session's timeout.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionLimits {
    pub timeout_ms_min: i32,
    pub timeout_ms_max: i32,
}

impl SessionLimits {
    /// ZooKeeper's defaults: two to twenty ticks.
    pub fn of_tick(tick_ms: i32) -> Self {
        Self {
            timeout_ms_min: tick_ms.saturating_mul(2),
            timeout_ms_max: tick_ms.saturating_mul(20),
        }
    }

    /// What a client that asks for `requested_ms` gets.
    pub fn negotiate(&self, requested_ms: i32) -> i32 {
        requested_ms.max(self.timeout_ms_min).min(self.timeout_ms_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_clamped_to_two_to_twenty_ticks() {
        let limits = SessionLimits::of_tick(2000);
        for (asked, given) in
            [(-1, 4000), (0, 4000), (5000, 5000), (40_001, 40_000), (i32::MAX, 40_000)]
        {
            assert_eq!(limits.negotiate(asked), given);
        }
    }
}
