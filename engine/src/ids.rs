//! Names of servers and of the connections between them.

use std::fmt;

/// One member process of the ensemble: `myid`, ZooKeeper's sid.
///
/// Signed because ZooKeeper hands negative ids to observers that bring none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(pub i64);

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "server {}", self.0)
    }
}

/// One connection between two servers, dialled or accepted. Never used twice in the life of a
/// process, so that a late completion of a closed link cannot be taken for its successor's.
///
/// Links that the deterministic part dials are numbered by it (odd); links that the world accepted
/// are numbered by the world (even).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

impl fmt::Debug for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "link {}", self.0)
    }
}

/// Numbers the links that the deterministic part dials: odd, each given once.
///
/// Election and ZAB each own one, split from the same first: what one gives the other never does.
#[derive(Debug)]
pub struct LinkIds {
    next: u64,
    step: u64,
}

impl LinkIds {
    /// All odd numbers. Called once in the life of a process; the rest is `split`.
    pub fn new() -> Self {
        Self { next: 1, step: 2 }
    }

    /// Two allocators that share what this one would have given.
    pub fn split(self) -> (Self, Self) {
        let step = self.step * 2;
        (Self { next: self.next, step }, Self { next: self.next + self.step, step })
    }

    pub fn allocate(&mut self) -> LinkId {
        let link = LinkId(self.next);
        self.next += self.step;
        link
    }
}

impl Default for LinkIds {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_allocators_give_odd_numbers_and_never_the_same() {
        let (mut election, rest) = LinkIds::new().split();
        let (mut zab, mut third) = rest.split();
        let mut given = Vec::new();
        for _ in 0..50 {
            given.extend([election.allocate(), zab.allocate(), third.allocate()]);
        }
        assert!(given.iter().all(|link| link.0 % 2 == 1));
        given.sort();
        given.dedup();
        assert_eq!(given.len(), 150);
    }
}
