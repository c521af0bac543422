//! The network between servers: links with two ends, delays, breaks, partitions.
//!
//! A link keeps the order of what is sent on it, as TCP does; what is lost is lost with the link.
//!
//! Not here: clients' connections (`client`), when things arrive (`world`'s queue).

use std::collections::{BTreeMap, BTreeSet};

use ringkeeper_engine::ids::LinkId;

/// One end of a link: a server in one of its lives, and the name the link has there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct End {
    pub server: usize,
    pub life: u32,
    pub link: LinkId,
}

/// The links that are up, and who cannot reach whom.
#[derive(Default)]
pub(super) struct Network {
    other: BTreeMap<End, End>,
    /// When the last thing sent from this end arrives, so that order is kept.
    busy_until: BTreeMap<End, u64>,
    cut: BTreeSet<(usize, usize)>,
    accepted: u64,
}

impl Network {
    /// Whether `a` reaches `b`.
    pub(super) fn reaches(&self, a: usize, b: usize) -> bool {
        !self.cut.contains(&(a, b)) && !self.cut.contains(&(b, a))
    }

    /// A name for the accepting end of a new link.
    pub(super) fn accepted_name(&mut self) -> LinkId {
        self.accepted += 2;
        LinkId(self.accepted)
    }

    pub(super) fn connect(&mut self, a: End, b: End) {
        self.other.insert(a, b);
        self.other.insert(b, a);
    }

    /// The other end, while the link is up.
    pub(super) fn other(&self, end: End) -> Option<End> {
        self.other.get(&end).copied()
    }

    /// When something sent now from `end` arrives.
    pub(super) fn arrival(&mut self, end: End, now: u64, delay_ms: u64) -> u64 {
        let busy = self.busy_until.entry(end).or_default();
        *busy = (*busy).max(now + delay_ms);
        *busy
    }

    /// Takes the link down; gives the other end, which must be told.
    pub(super) fn disconnect(&mut self, end: End) -> Option<End> {
        let other = self.other.remove(&end)?;
        self.other.remove(&other);
        self.busy_until.remove(&end);
        self.busy_until.remove(&other);
        Some(other)
    }

    /// One end is closed: it hears nothing more; what it sent is still on its way.
    pub(super) fn close_end(&mut self, end: End) {
        self.other.remove(&end);
        self.busy_until.remove(&end);
    }

    /// All links that `server` is an end of.
    pub(super) fn ends_of(&self, server: usize) -> Vec<End> {
        self.other.keys().filter(|end| end.server == server).copied().collect()
    }

    pub(super) fn all_ends(&self) -> Vec<End> {
        self.other.keys().copied().collect()
    }

    /// Cuts the servers in `group` off from the others; gives the ends whose links this breaks.
    pub(super) fn partition(&mut self, group: &BTreeSet<usize>, servers: usize) -> Vec<End> {
        for a in 0..servers {
            for b in 0..servers {
                if group.contains(&a) != group.contains(&b) {
                    self.cut.insert((a, b));
                }
            }
        }
        let broken = |(a, b): (&End, &End)| (!self.reaches(a.server, b.server)).then_some(*a);
        self.other.iter().filter_map(broken).collect()
    }

    pub(super) fn heal(&mut self) {
        self.cut.clear();
    }
}
