//! Which zxids the log knows of: runs of contiguous counters, and the zxid they build upon.
//!
//! The sync plan asks here whether a learner's last zxid is a place in our own history; a zxid in a
//! hole, or of an epoch that ended earlier, is not (law 5).
//!
//! Invariants:
//! - H1. Runs ascend, do not touch, and lie above `base`.
//!
//! Not here: what is committed (`zab`), the bytes (`cursor`).

use std::collections::VecDeque;

use crate::zxid::{Epoch, Zxid};

/// Zxids `first..=last` of one epoch, without a gap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run {
    pub first: Zxid,
    pub last: Zxid,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct History {
    base: Zxid,
    runs: VecDeque<Run>,
}

impl History {
    /// Nothing after `base`.
    pub fn new(base: Zxid) -> Self {
        Self { base, runs: VecDeque::new() }
    }

    /// The zxid just before the first one in the log. It belongs to the history; nothing before it
    /// can be told apart from what never was.
    pub fn base(&self) -> Zxid {
        self.base
    }

    /// The last zxid, `base` if there is none.
    pub fn last(&self) -> Zxid {
        self.runs.back().map_or(self.base, |run| run.last)
    }

    /// The oldest zxid in the log.
    pub fn first(&self) -> Option<Zxid> {
        self.runs.front().map(|run| run.first)
    }

    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Whether `zxid` is a place in this history, `base` included.
    pub fn contains(&self, zxid: Zxid) -> bool {
        self.last_at_or_before(zxid) == Some(zxid)
    }

    /// The last place in this history that is not above `zxid`; `None` below `base`.
    pub fn last_at_or_before(&self, zxid: Zxid) -> Option<Zxid> {
        if zxid < self.base {
            return None;
        }
        let above = self.runs.partition_point(|run| run.first <= zxid);
        Some(above.checked_sub(1).map_or(self.base, |at| zxid.min(self.runs[at].last)))
    }

    /// The last place of `epoch`, or of the newest epoch before it.
    pub fn last_of_epoch_at_or_before(&self, epoch: Epoch) -> Option<Zxid> {
        self.last_at_or_before(Zxid::new(epoch, u32::MAX))
    }

    /// Oldest first.
    pub fn runs(&self) -> impl Iterator<Item = Run> {
        self.runs.iter().copied()
    }

    pub(super) fn push(&mut self, zxid: Zxid) {
        match self.runs.back_mut() {
            Some(back) if back.last.next() == Some(zxid) => back.last = zxid,
            _ => self.push_run(Run { first: zxid, last: zxid }),
        }
    }

    pub(super) fn push_run(&mut self, run: Run) {
        assert!(run.first > self.last() && run.last >= run.first, "H1: {run:?}");
        match self.runs.back_mut() {
            Some(back) if back.last.next() == Some(run.first) => back.last = run.last,
            _ => self.runs.push_back(run),
        }
    }

    /// Forgets everything above `to`.
    pub(super) fn truncate(&mut self, to: Zxid) {
        assert!(to >= self.base, "H1: nothing is known below {:?}", self.base);
        while self.runs.back().is_some_and(|run| run.first > to) {
            self.runs.pop_back();
        }
        if let Some(back) = self.runs.back_mut() {
            back.last = back.last.min(to);
        }
    }

    /// Forgets everything up to `base`, a place in this history.
    pub(super) fn purge(&mut self, base: Zxid) {
        assert!(self.contains(base), "H1: {base:?} is not a place in the history");
        self.base = base;
        while self.runs.front().is_some_and(|run| run.last <= base) {
            self.runs.pop_front();
        }
        if let Some(front) = self.runs.front_mut()
            && front.first <= base
        {
            front.first = base.next().expect("the run goes on above base");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(epoch: i64, counter: u32) -> Zxid {
        Zxid::new(Epoch(epoch), counter)
    }

    /// 1:5 (base), 1:6..=1:9, 3:1..=3:2.
    fn history() -> History {
        let mut history = History::new(at(1, 5));
        for zxid in [at(1, 6), at(1, 7), at(1, 8), at(1, 9), at(3, 1), at(3, 2)] {
            history.push(zxid);
        }
        history
    }

    #[test]
    fn only_what_was_appended_is_a_place_in_the_history() {
        let history = history();
        for zxid in [at(1, 5), at(1, 6), at(1, 9), at(3, 1), at(3, 2)] {
            assert!(history.contains(zxid), "{zxid:?}");
        }
        for zxid in [Zxid(-1), Zxid(0), at(1, 4), at(1, 10), at(2, 0), at(3, 0), at(3, 3)] {
            assert!(!history.contains(zxid), "{zxid:?}");
        }
    }

    #[test]
    fn a_strange_zxid_is_led_back_to_the_last_common_place() {
        let history = history();
        assert_eq!(history.last_at_or_before(at(1, 74)), Some(at(1, 9)));
        assert_eq!(history.last_of_epoch_at_or_before(Epoch(2)), Some(at(1, 9)));
        assert_eq!(history.last_of_epoch_at_or_before(Epoch(3)), Some(at(3, 2)));
        assert_eq!(history.last_of_epoch_at_or_before(Epoch(0)), None);
    }

    #[test]
    #[should_panic(expected = "H1")]
    fn h1_what_lies_below_the_end_is_no_new_run() {
        history().push(at(3, 2));
    }

    #[test]
    fn truncation_and_purge_forget_from_either_end() {
        let mut history = history();
        history.truncate(at(3, 1));
        assert_eq!(history.last(), at(3, 1));
        history.purge(at(1, 7));
        assert_eq!((history.base(), history.first()), (at(1, 7), Some(at(1, 8))));
        history.purge(at(1, 9));
        assert_eq!(history.first(), Some(at(3, 1)));
        history.truncate(at(1, 9));
        assert!(history.is_empty() && history.last() == at(1, 9));
    }
}
