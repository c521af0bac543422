//! The turn of a fan-out: one set, its event to every watcher, every watch made again.
//!
//! Invariants:
//! - FO1. A set is sent only when the one before is answered and all watchers watch again, so that
//!   every event belongs to the last set.
//!
//! Not here: the requests (`mix`), who sends them (`lane`).

/// Where the turn stands. The setter is connection 0.
pub(super) struct Fan {
    watchers: usize,
    armed: usize,
    is_set: bool,
    since_us: u64,
}

impl Fan {
    pub(super) fn new(watchers: usize) -> Self {
        Self { watchers, armed: 0, is_set: true, since_us: 0 }
    }

    /// When the last set was sent.
    pub(super) fn since_us(&self) -> u64 {
        self.since_us
    }

    /// A set, or the making of watches, was answered.
    pub(super) fn answered(&mut self, index: usize, answers: usize) {
        if index == 0 {
            self.is_set |= answers > 0;
        } else {
            self.armed += answers;
        }
    }

    /// Whether the next set is to be sent; then the turn begins.
    pub(super) fn set(&mut self, now_us: u64) -> bool {
        let begins = self.is_set && self.armed >= self.watchers;
        if begins {
            (self.is_set, self.armed, self.since_us) = (false, 0, now_us);
        }
        begins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fo1_a_set_waits_for_its_answer_and_for_every_watch() {
        let mut fan = Fan::new(2);
        fan.answered(1, 1);
        assert!(!fan.set(5), "FO1: one of two watches");
        fan.answered(2, 1);
        assert!(fan.set(6));
        assert_eq!(fan.since_us(), 6);
        fan.answered(1, 1);
        fan.answered(2, 1);
        assert!(!fan.set(7), "FO1: the set is not answered");
        fan.answered(0, 1);
        assert!(fan.set(8));
    }
}
