//! Side indexes of znodes that somebody must find without their path: the ephemerals of a session,
//! the containers, the znodes with a time to live.
//!
//! A znode is of one kind at most, so one pair of links in the znode serves all three, and entering
//! one allocates nothing but a session's first entry.
//!
//! Not here: when they go (`prep` and the container sweep decide that).

use std::collections::BTreeMap;

use super::arena::Arena;
use super::owner::Owner;
use super::znode::{NONE, ZnodeId};

#[derive(Clone, Copy)]
pub(super) struct List {
    first: u32,
    length: usize,
}

impl List {
    const EMPTY: Self = Self { first: NONE, length: 0 };
}

pub(super) struct Kin {
    sessions: BTreeMap<i64, List>,
    ephemerals: usize,
    containers: List,
    ttls: List,
}

impl Kin {
    pub(super) fn new() -> Self {
        Self {
            sessions: BTreeMap::new(),
            ephemerals: 0,
            containers: List::EMPTY,
            ttls: List::EMPTY,
        }
    }

    pub(super) fn link(&mut self, arena: &mut Arena, id: ZnodeId, owner: Owner) {
        let list = match owner {
            Owner::Persistent => return,
            Owner::Ephemeral(session) => {
                self.ephemerals += 1;
                self.sessions.entry(session).or_insert(List::EMPTY)
            }
            Owner::Container => &mut self.containers,
            Owner::Ttl(_) => &mut self.ttls,
        };
        if list.first != NONE {
            arena[ZnodeId(list.first)].kin_prev = id.0;
        }
        arena[id].kin_next = list.first;
        arena[id].kin_prev = NONE;
        list.first = id.0;
        list.length += 1;
    }

    /// Takes a znode out that is still in the arena.
    pub(super) fn unlink(&mut self, arena: &mut Arena, id: ZnodeId, owner: Owner) {
        let list = match owner {
            Owner::Persistent => return,
            Owner::Ephemeral(session) => {
                self.ephemerals -= 1;
                self.sessions.get_mut(&session).expect("`link` made it")
            }
            Owner::Container => &mut self.containers,
            Owner::Ttl(_) => &mut self.ttls,
        };
        let (next, prev) = (arena[id].kin_next, arena[id].kin_prev);
        match prev {
            NONE => list.first = next,
            _ => arena[ZnodeId(prev)].kin_next = next,
        }
        if next != NONE {
            arena[ZnodeId(next)].kin_prev = prev;
        }
        list.length -= 1;
        if let (0, Owner::Ephemeral(session)) = (list.length, owner) {
            self.sessions.remove(&session);
        }
    }

    pub(super) fn sessions(&self) -> impl Iterator<Item = i64> {
        self.sessions.keys().copied()
    }

    pub(super) fn ephemerals(&self) -> usize {
        self.ephemerals
    }

    pub(super) fn of_session(&self, session: i64) -> List {
        self.sessions.get(&session).copied().unwrap_or(List::EMPTY)
    }

    pub(super) fn containers(&self) -> List {
        self.containers
    }

    pub(super) fn ttls(&self) -> List {
        self.ttls
    }
}

/// The znodes of one list, newest first.
pub struct Kindred<'a> {
    arena: &'a Arena,
    next: u32,
    left: usize,
}

impl<'a> Kindred<'a> {
    pub(super) fn new(arena: &'a Arena, list: List) -> Self {
        Self { arena, next: list.first, left: list.length }
    }
}

impl Iterator for Kindred<'_> {
    type Item = ZnodeId;

    fn next(&mut self) -> Option<ZnodeId> {
        if self.next == NONE {
            return None;
        }
        let id = ZnodeId(self.next);
        self.next = self.arena[id].kin_next;
        self.left -= 1;
        Some(id)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Kindred<'_> {}
