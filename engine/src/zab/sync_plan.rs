//! How to bring a learner level: DIFF, TRUNC or SNAP.
//!
//! A zxid names one txn for ever, and whoever holds it holds everything before it, because it got
//! there by the same rules. So two histories agree up to the last zxid that both hold, and the plan
//! is the search for that zxid. Where it cannot be proved, the answer is SNAP (law 5).
//!
//! Not here: sending it (`leader::synchronization`), obeying it (`learner`).

use crate::log::Run;
use crate::zxid::Zxid;

/// What to tell a learner. In each case everything decided after the named zxid follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Plan {
    /// Its history is a part of ours.
    Diff { after: Zxid },
    /// Its history agrees with ours up to here, and goes on otherwise.
    Trunc { to: Zxid },
    /// Nothing less is safe, or the log does not reach back so far.
    Snap,
}

/// The decided part of a leader's log.
#[derive(Clone, Copy, Debug)]
pub struct Decided<'a> {
    /// The place right before the first proposal in the log.
    pub base: Zxid,
    /// What the log holds above it.
    pub runs: &'a [Run],
    /// Where the decided part ends: a place in this history.
    pub end: Zxid,
}

impl Decided<'_> {
    /// The last place that is not above `zxid`. `None` below `base`.
    fn last_at_or_before(&self, zxid: Zxid) -> Option<Zxid> {
        let zxid = zxid.min(self.end);
        if zxid < self.base {
            return None;
        }
        let run = self.runs.iter().rev().find(|run| run.first <= zxid);
        Some(run.map_or(self.base, |run| zxid.min(run.last)))
    }
}

/// The plan for a learner whose last zxid is `peer`. `verifies`: it refuses a TRUNC to a zxid that
/// it does not hold, as ours do.
pub fn plan(peer: Zxid, verifies: bool, ours: Decided<'_>) -> Plan {
    let Some(common) = ours.last_at_or_before(peer) else { return Plan::Snap };
    if common == peer {
        return Plan::Diff { after: peer };
    }
    // Counter 0 says: all that was decided before that epoch began. Its leader reigned, so what it
    // began with is decided, and we have it. Epochs that our own history does not reach prove
    // nothing, though.
    if peer.counter() == 0 && peer.epoch() <= ours.end.epoch() {
        return Plan::Diff { after: peer };
    }
    // A longer tail of an epoch that we know: `common` is the last decided zxid of that epoch, and
    // a log that is contiguous within an epoch (law 4) holds it.
    // Compat: a Java learner cuts its log wherever it is told to, also where it lacks the place and
    // then keeps what should have gone (`FileTxnLog.truncate`, 3.9.5). So across epochs, where
    // holding the place is not certain, only learners that verify are told to.
    let same_epoch = common.epoch() == peer.epoch() && common.counter() > 0;
    if same_epoch || (verifies && common > ours.base) {
        Plan::Trunc { to: common }
    } else {
        Plan::Snap
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zxid::Epoch;

    fn at(epoch: i64, counter: u32) -> Zxid {
        Zxid::new(Epoch(epoch), counter)
    }

    fn runs_of(log: &[Zxid]) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for &zxid in log {
            match runs.last_mut() {
                Some(run) if run.last.next() == Some(zxid) => run.last = zxid,
                _ => runs.push(Run { first: zxid, last: zxid }),
            }
        }
        runs
    }

    fn check(peer: Zxid, verifies: bool, expected: Plan) {
        // Base 1:4, then 1:5..=1:9, 3:1..=3:4, of which 3:3 and 3:4 are in flight.
        let runs =
            [Run { first: at(1, 5), last: at(1, 9) }, Run { first: at(3, 1), last: at(3, 4) }];
        let ours = Decided { base: at(1, 4), runs: &runs, end: at(3, 2) };
        assert_eq!(plan(peer, verifies, ours), expected, "{peer:?}, verifies: {verifies}");
    }

    #[test]
    fn the_known_cases() {
        for verifies in [true, false] {
            let check = |peer, expected| check(peer, verifies, expected);
            check(at(3, 2), Plan::Diff { after: at(3, 2) });
            check(at(1, 7), Plan::Diff { after: at(1, 7) });
            check(at(1, 4), Plan::Diff { after: at(1, 4) });
            check(at(1, 12), Plan::Trunc { to: at(1, 9) });
            check(at(3, 4), Plan::Trunc { to: at(3, 2) });
            check(at(3, 0), Plan::Diff { after: at(3, 0) });
            check(at(2, 0), Plan::Diff { after: at(2, 0) });
            check(at(1, 3), Plan::Snap);
            check(Zxid(-1), Plan::Snap);
            check(Zxid::ZERO, Plan::Snap);
        }
    }

    #[test]
    fn a_java_learner_is_never_truncated_across_epochs() {
        check(at(2, 1), true, Plan::Trunc { to: at(1, 9) });
        check(at(2, 1), false, Plan::Snap);
        check(at(5, 5), true, Plan::Trunc { to: at(3, 2) });
        check(at(5, 5), false, Plan::Snap);
        check(at(9, 0), false, Plan::Snap);
    }

    #[test]
    fn whoever_is_empty_gets_all_of_a_whole_log() {
        let runs = runs_of(&[at(0, 1), at(0, 2)]);
        let ours = Decided { base: Zxid::ZERO, runs: &runs, end: at(0, 2) };
        assert_eq!(plan(Zxid::ZERO, false, ours), Plan::Diff { after: Zxid::ZERO });
        let empty = Decided { base: Zxid::ZERO, runs: &[], end: Zxid::ZERO };
        assert_eq!(plan(Zxid::ZERO, false, empty), Plan::Diff { after: Zxid::ZERO });
        assert_eq!(plan(at(1, 1), true, empty), Plan::Snap);
    }

    struct Draw(u64);

    impl Draw {
        fn below(&mut self, bound: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (self.0 >> 33) as usize % bound
        }
    }

    /// Three servers through several reigns, by the rules of ZAB: `(current epoch, log)` of each,
    /// the leader of the last reign, and the end of what is decided in it.
    fn live(draw: &mut Draw) -> (Vec<(i64, Vec<Zxid>)>, usize, usize) {
        let mut servers: Vec<(i64, Vec<Zxid>)> = vec![(0, Vec::new()); 3];
        let (mut leader, mut decided) = (0, 0);
        let mut epoch = 0;
        for _ in 0..1 + draw.below(6) {
            epoch += 1 + draw.below(2) as i64;
            let away = draw.below(4);
            let present: Vec<usize> = (0..3).filter(|server| *server != away).collect();
            let rank = |s: usize| (servers[s].0, servers[s].1.last().copied().unwrap_or_default());
            leader = *present.iter().max_by_key(|s| (rank(**s), **s)).unwrap();
            let history = servers[leader].1.clone();
            for server in &present {
                servers[*server] = (epoch, history.clone());
            }
            let mut reign = history.clone();
            reign.extend((1..=draw.below(5) as u32).map(|counter| at(epoch, counter)));
            let mut ends = Vec::new();
            for server in &present {
                let tail = reign.len() - history.len();
                // The leader's own disk may lag behind its followers'.
                let end = history.len() + draw.below(tail + 1);
                servers[*server].1 = reign[..end].to_vec();
                ends.push(end);
            }
            ends.sort_unstable();
            decided = ends[ends.len() - 2];
        }
        let end = decided.min(servers[leader].1.len());
        (servers, leader, end)
    }

    #[test]
    fn the_plan_ends_in_the_leaders_history_and_snaps_only_where_it_must() {
        for seed in 0..20_000 {
            let mut draw = Draw(seed);
            let (servers, leader, end) = live(&mut draw);
            let log = &servers[leader].1;
            let purged = draw.below(end + 1);
            let base = purged.checked_sub(1).map_or(Zxid::ZERO, |at| log[at]);
            let runs = runs_of(&log[purged..]);
            let decided = end.checked_sub(1).map_or(Zxid::ZERO, |at| log[at]);
            let ours = Decided { base, runs: &runs, end: decided };
            for (_, theirs) in &servers {
                let common = theirs.iter().zip(log).take_while(|(a, b)| a == b).count().min(end);
                let peer = theirs.last().copied().unwrap_or_default();
                for verifies in [true, false] {
                    let context = format!("seed {seed}: {theirs:?} to {log:?} ({end}, {purged})");
                    match plan(peer, verifies, ours) {
                        Plan::Diff { after } => {
                            assert_eq!((theirs.len(), after), (common, peer), "{context}");
                            assert!(common >= purged, "{context}");
                        }
                        Plan::Trunc { to } => {
                            assert!(common >= purged && common < theirs.len(), "{context}");
                            assert_eq!(to, theirs[common - 1], "{context}");
                        }
                        Plan::Snap => {
                            let known = common > purged && verifies;
                            assert!(!known, "{context}: {common} are common");
                        }
                    }
                }
            }
        }
    }
}
