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

/// Bytes that have left a link's end since it was last told of them, before it is told again.
const REPORT_BYTES: usize = 32 << 10;

/// What an end has handed out.
#[derive(Clone, Copy, Default)]
struct Flow {
    /// When the last of it arrives, so that order is kept.
    busy_until: u64,
    /// Not arrived yet.
    unsent: usize,
    /// Arrived since the end was told.
    untold: usize,
}

/// The links that are up, and who cannot reach whom.
#[derive(Default)]
pub(super) struct Network {
    other: BTreeMap<End, End>,
    flows: BTreeMap<End, Flow>,
    cut: BTreeSet<(usize, usize)>,
    /// Ends of links that look whole and carry nothing any more.
    stuck: BTreeSet<End>,
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
        let flow = self.flows.entry(end).or_default();
        flow.busy_until = flow.busy_until.max(now + delay_ms);
        flow.busy_until
    }

    /// `bytes` are on their way from `end`.
    pub(super) fn sent(&mut self, end: End, bytes: usize) {
        self.flows.entry(end).or_default().unsent += bytes;
    }

    /// `bytes` from `end` have arrived. `Some` is to be told to it: how many have not.
    pub(super) fn arrived(&mut self, end: End, bytes: usize) -> Option<usize> {
        let flow = self.flows.entry(end).or_default();
        flow.unsent = flow.unsent.saturating_sub(bytes);
        flow.untold += bytes;
        let is_due = flow.untold >= REPORT_BYTES;
        is_due.then(|| {
            flow.untold = 0;
            flow.unsent
        })
    }

    /// Takes the link down; gives the other end, which must be told.
    pub(super) fn disconnect(&mut self, end: End) -> Option<End> {
        let other = self.other.remove(&end)?;
        self.other.remove(&other);
        self.flows.remove(&end);
        self.flows.remove(&other);
        self.stuck.remove(&end);
        self.stuck.remove(&other);
        Some(other)
    }

    /// One end is closed: it hears nothing more; what it sent is still on its way.
    pub(super) fn close_end(&mut self, end: End) {
        self.other.remove(&end);
        self.flows.remove(&end);
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

    /// The link of `end` carries nothing any more, and nobody is told.
    pub(super) fn stick(&mut self, end: End) {
        self.stuck.insert(end);
    }

    /// Whether what is sent from `end` gets lost.
    pub(super) fn is_stuck(&self, end: End) -> bool {
        self.stuck.contains(&end)
    }

    /// Everybody reaches everybody. Gives the ends of links that were stuck: they end now.
    pub(super) fn heal(&mut self) -> Vec<End> {
        self.cut.clear();
        std::mem::take(&mut self.stuck).into_iter().collect()
    }
}
