//! Zxids and epochs: the order in which everything was decided.
//!
//! A zxid is the epoch of the leader that proposed (upper half) and a counter within that epoch
//! (lower half), compared as one signed 64-bit number, as ZooKeeper does (`ZxidUtils`).

use std::fmt;

/// The reign of one leader. Wide because ZooKeeper keeps epochs in `long`s; only the lower 32 bits
/// fit into a zxid.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub i64);

/// A decided place in the order. `Zxid(-1)` is what a server reports that may not vote.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Zxid(pub i64);

impl Zxid {
    pub const ZERO: Self = Self(0);

    pub const fn new(epoch: Epoch, counter: u32) -> Self {
        Self((epoch.0 << 32) | counter as i64)
    }

    /// Arithmetic shift: the epoch of `Zxid(-1)` is -1, as in ZooKeeper.
    pub const fn epoch(self) -> Epoch {
        Epoch(self.0 >> 32)
    }

    pub const fn counter(self) -> u32 {
        self.0 as u32
    }

    /// The zxid after this one in the same epoch, or `None` where the counter is spent.
    ///
    /// A leader that gets `None` must step down: only a new epoch makes room. Wrapping into the
    /// epoch half would forge a reign nobody elected.
    #[inline]
    pub const fn next(self) -> Option<Self> {
        // Below the last counter the epoch half is not touched.
        if self.counter() == u32::MAX { None } else { Some(Self(self.0 + 1)) }
    }

    /// Whether `self` may directly follow `before` in a log: the next counter of the same epoch,
    /// or anything of a later epoch (a reign starts at counter 1, but an empty one leaves no trace).
    #[inline]
    pub fn follows(self, before: Self) -> bool {
        before.next() == Some(self) || self.epoch() > before.epoch()
    }
}

impl fmt::Display for Zxid {
    /// ZooKeeper's form, `0x100000002`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Debug for Zxid {
    /// `epoch:counter`, which people read faster than hex.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch().0, self.counter())
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

const _: () = assert!(Zxid::new(Epoch(1), 0).0 > Zxid::new(Epoch(0), u32::MAX).0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_counter_of_an_epoch_has_no_successor() {
        assert_eq!(Zxid::new(Epoch(1), u32::MAX).next(), None);
        assert_eq!(Zxid::new(Epoch(1), 7).next(), Some(Zxid::new(Epoch(1), 8)));
    }

    #[test]
    fn a_gap_within_an_epoch_does_not_follow() {
        let at = |epoch, counter| Zxid::new(Epoch(epoch), counter);
        assert!(at(1, 8).follows(at(1, 7)));
        assert!(at(3, 1).follows(at(1, 7)));
        assert!(!at(1, 9).follows(at(1, 7)));
        assert!(!at(1, 7).follows(at(1, 7)));
        assert!(!at(1, 6).follows(at(2, 7)));
    }

    #[test]
    fn minus_one_keeps_its_sign() {
        assert_eq!(Zxid(-1).epoch(), Epoch(-1));
        assert!(Zxid(-1) < Zxid::ZERO);
    }
}
