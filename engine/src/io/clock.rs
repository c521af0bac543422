//! What time it is: the only place that asks. Everywhere else time is an argument (AI-1).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::time::Millis;

/// Since a moment that is the same for all threads of the machine and never later than the
/// process's start. Goes on while the process is stopped; never goes back.
pub(super) fn monotonic() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    // The kernel's monotonic clock starts at zero with the machine: never negative.
    Duration::new(now.tv_sec.max(0) as u64, now.tv_nsec.max(0) as u32)
}

/// The process's monotonic clock, for every deadline.
pub fn now() -> Millis {
    Millis(monotonic().as_millis() as u64)
}

/// Microseconds of the same clock, for measuring.
pub fn now_micros() -> u64 {
    monotonic().as_micros() as u64
}

/// The wall clock in milliseconds since 1970, for txn headers alone.
#[expect(clippy::disallowed_methods, reason = "AI-1: this is where wall time comes from")]
pub fn wall_ms() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_millis() as i64,
        Err(before) => -(before.duration().as_millis() as i64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_does_not_go_back() {
        let (ms, us) = (now(), now_micros());
        assert!(now() >= ms && now_micros() >= us);
        assert!(us / 1000 >= ms.0, "one clock, two units");
    }

    #[test]
    fn wall_time_is_later_than_this_code() {
        assert!(wall_ms() > 1_700_000_000_000);
    }
}
