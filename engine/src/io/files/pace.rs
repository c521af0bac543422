//! Slowness on purpose: what nobody waits for leaves the disk to the log.
//!
//! A snapshot written and read back as fast as the disk can takes all of it for a second, and every
//! commit waits in that queue, or for a flush that has the snapshot's bytes before it. The zeros of a
//! new segment do the same.
//!
//! Not here: who goes slowly (the server's background, `chores`, `shrink`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const NICE: i32 = 10;

/// From here on this thread runs when nobody else wants to. One that may not yield does its work all
/// the same.
pub(super) fn yield_to_others() {
    let _ = rustix::process::setpriority_process(None, NICE);
}

/// A rate of bytes, until somebody is in a hurry.
pub struct Pace {
    bytes_per_second: u64,
    is_hurried: Arc<AtomicBool>,
    /// When the bytes that have gone ought to have gone.
    due: Option<Instant>,
}

/// Ends a pace from another thread.
#[derive(Clone)]
pub struct Hurry(Arc<AtomicBool>);

impl Hurry {
    pub fn up(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Pace {
    pub fn new(bytes_per_second: u64) -> (Self, Hurry) {
        let is_hurried = Arc::new(AtomicBool::new(false));
        let hurry = Hurry(Arc::clone(&is_hurried));
        (Self { bytes_per_second, is_hurried, due: None }, hurry)
    }

    pub(super) fn is_hurried(&self) -> bool {
        self.is_hurried.load(Ordering::Relaxed)
    }

    /// Waits until so many more bytes may have gone. Time in which none went is not made up for.
    #[expect(clippy::disallowed_methods, reason = "a pace is kept against the clock")]
    pub(super) fn keep(&mut self, bytes: usize) {
        if self.is_hurried() {
            return;
        }
        let now = Instant::now();
        let takes = Duration::from_nanos(bytes as u64 * 1_000_000_000 / self.bytes_per_second);
        let due = self.due.map_or(now, |due| due.max(now)) + takes;
        self.due = Some(due);
        std::thread::sleep(due - now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At its own pace this would end after the machine.
    #[test]
    fn who_is_in_a_hurry_waits_for_nothing() {
        let (mut pace, hurry) = Pace::new(1);
        hurry.clone().up();
        pace.keep(usize::MAX);
    }
}
