//! Runs of digests that differ: which end by themselves, and which last.
//!
//! A digest is a sum over all znodes. Where one znode differs, the sums differ by the same number
//! after every txn, until a txn touches that znode; where a leader only foresaw a digest wrongly,
//! the next ones are right again. So a run that keeps its difference while the leader's digest moves
//! is judged early, and one that does not is given longer.
//!
//! Compat: a Java leader foresees some digests wrongly while all trees agree: for a few txns after
//! its start, and where requests race (`PrepRequestProcessor.precalculateDigest`, 3.9.5). That a run
//! lasts is therefore a suspicion; the trees decide (`compare`).
//!
//! Invariants:
//! - R1. A run ends with the first digest that is equal, or with the tree it was about.
//! - R2. A run is judged at a txn, never because time passes: an idle ensemble proves nothing.
//!
//! Not here: what is done about it (`member`).

use ringkeeper_engine::ids::ServerId;
use ringkeeper_engine::time::Millis;
use ringkeeper_engine::zxid::Zxid;

use crate::digest::TreeDigest;

/// A difference that stayed the same while the leader's digest moved so often, for so long, lasts.
const STEADY_TXNS: u64 = 32;
const STEADY_MS: u64 = 5_000;

/// So does any run of so many txns over so long a time.
const LONG_TXNS: u64 = 4;
const LONG_MS: u64 = 60_000;

/// How often a run that goes on is spoken of.
const REMIND_MS: u64 = 60_000;

/// Digests that differed, one after another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run {
    pub first: Zxid,
    pub last: Zxid,
    /// Whose digests they were, where it was known.
    pub leader: Option<ServerId>,
    pub txns: u64,
    /// The leader's digest less ours, after the last of them.
    pub difference: i64,
    /// How often in a row the leader's digest moved and the difference did not.
    pub steady: u64,
    pub began: Millis,
    pub went_on: Millis,
    pub is_lasting: bool,
    leaders: TreeDigest,
    reminded: Millis,
}

/// What one more digest means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Equal, as before.
    Calm,
    /// The first that differs.
    Began(Run),
    /// It goes on; `remind` about once a minute.
    GoesOn { run: Run, remind: bool },
    /// It goes on, and lasts: told once a run.
    Lasts(Run),
    /// Equal again.
    Ended(Run),
}

/// Watches the digests of one tree.
#[derive(Debug, Default)]
pub struct Runs {
    open: Option<Run>,
}

/// One digest that differs.
#[derive(Clone, Copy, Debug)]
pub struct Mismatch {
    pub zxid: Zxid,
    pub leader: Option<ServerId>,
    pub expected: TreeDigest,
    pub actual: TreeDigest,
}

impl Runs {
    pub fn open(&self) -> Option<&Run> {
        self.open.as_ref()
    }

    /// The tree is another one: what was said of the old one ends here (R1).
    pub fn close(&mut self) -> Option<Run> {
        self.open.take()
    }

    pub fn equal(&mut self) -> Step {
        self.open.take().map_or(Step::Calm, Step::Ended)
    }

    pub fn differs(&mut self, now: Millis, mismatch: Mismatch) -> Step {
        let Mismatch { zxid, leader, expected, actual } = mismatch;
        let difference = expected.0.wrapping_sub(actual.0);
        let Some(run) = &mut self.open else {
            let run = Run {
                first: zxid,
                last: zxid,
                leader,
                txns: 1,
                difference,
                steady: 0,
                began: now,
                went_on: now,
                is_lasting: false,
                leaders: expected,
                reminded: now,
            };
            self.open = Some(run);
            return Step::Began(run);
        };
        if difference != run.difference {
            run.steady = 0;
        } else if expected != run.leaders {
            run.steady += 1;
        }
        (run.difference, run.leaders) = (difference, expected);
        (run.last, run.went_on, run.leader) = (zxid, now, leader);
        run.txns += 1;
        let age_ms = now.since(run.began);
        let lasts = (run.steady >= STEADY_TXNS && age_ms >= STEADY_MS)
            || (run.txns >= LONG_TXNS && age_ms >= LONG_MS);
        if lasts && !run.is_lasting {
            run.is_lasting = true;
            return Step::Lasts(*run);
        }
        let remind = now.since(run.reminded) >= REMIND_MS;
        if remind {
            run.reminded = now;
        }
        Step::GoesOn { run: *run, remind }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A leader's digest that moves with each txn, and ours, which is `off` behind it.
    fn differ(runs: &mut Runs, ms: u64, n: i64, off: i64) -> Step {
        let mismatch = Mismatch {
            zxid: Zxid(n),
            leader: Some(ServerId(2)),
            expected: TreeDigest(n * 1000),
            actual: TreeDigest(n * 1000 - off),
        };
        runs.differs(Millis(ms), mismatch)
    }

    #[test]
    fn r1_a_few_that_differ_each_by_another_number_end_by_themselves() {
        let mut runs = Runs::default();
        assert_eq!(runs.equal(), Step::Calm);
        assert!(matches!(differ(&mut runs, 10, 1, 7), Step::Began(_)));
        for n in 2..=7 {
            assert!(matches!(differ(&mut runs, 10, n, 7 * n), Step::GoesOn { .. }));
        }
        let Step::Ended(run) = runs.equal() else { panic!("R1") };
        assert_eq!((run.first, run.last, run.txns, run.is_lasting), (Zxid(1), Zxid(7), 7, false));
        assert_eq!(runs.equal(), Step::Calm);
    }

    #[test]
    fn a_difference_that_stays_while_the_sum_moves_lasts_and_is_told_once() {
        let mut runs = Runs::default();
        let mut lasting = 0;
        for n in 1..=200 {
            let step = differ(&mut runs, n as u64 * 100, n, -5);
            lasting += u64::from(matches!(step, Step::Lasts(_)));
            let should = n > STEADY_TXNS as i64 && n as u64 * 100 - 100 >= STEADY_MS;
            assert_eq!(runs.open().expect("open").is_lasting, should, "txn {n}");
        }
        assert_eq!(lasting, 1);
        assert_eq!(runs.open().map(|run| (run.difference, run.steady)), Some((-5, 199)));
    }

    #[test]
    fn a_burst_is_given_time_to_end() {
        let mut runs = Runs::default();
        for n in 1..=10_000 {
            let step = differ(&mut runs, STEADY_MS - 1, n, 5);
            assert!(!matches!(step, Step::Lasts(_)), "txn {n}");
        }
    }

    #[test]
    fn txns_that_change_nothing_do_not_make_a_difference_steady() {
        let mut runs = Runs::default();
        let same = |zxid| Mismatch {
            zxid: Zxid(zxid),
            leader: None,
            expected: TreeDigest(9),
            actual: TreeDigest(1),
        };
        for n in 1..100 {
            runs.differs(Millis(n as u64 * 200), same(n));
        }
        assert_eq!(runs.open().map(|run| (run.steady, run.is_lasting)), Some((0, false)));
    }

    #[test]
    fn r2_what_never_settles_lasts_by_its_age_at_the_next_txn() {
        let mut runs = Runs::default();
        for n in 1..=3 {
            differ(&mut runs, 1, n, n * n);
        }
        assert!(!runs.open().expect("open").is_lasting, "R2: nothing came since");
        assert!(matches!(differ(&mut runs, 1 + LONG_MS, 4, 16), Step::Lasts(_)));
    }

    #[test]
    fn a_run_that_goes_on_is_spoken_of_once_a_minute() {
        let mut runs = Runs::default();
        let mut reminders = 0;
        for n in 1..=300 {
            let step = differ(&mut runs, n as u64 * 1000, n, n);
            reminders += u64::from(matches!(step, Step::GoesOn { remind: true, .. }));
        }
        assert_eq!(reminders, 4, "in five minutes, and the first was said when it began");
    }
}
