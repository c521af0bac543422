//! Numbered slots that are reused, and lists threaded through them.

use std::num::NonZeroU8;

/// Values by number; a freed number is given out again.
#[derive(Debug)]
pub(super) struct Slots<T> {
    slots: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slots<T> {
    pub(super) fn insert(&mut self, value: T) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.slots[slot as usize] = Some(value);
            return slot;
        }
        let slot = u32::try_from(self.slots.len()).expect("the limits keep it far below 2^32");
        self.slots.push(Some(value));
        slot
    }

    pub(super) fn remove(&mut self, slot: u32) -> T {
        self.free.push(slot);
        self.slots[slot as usize].take().expect("H1: only what lives is removed")
    }

    pub(super) fn get(&self, slot: u32) -> &T {
        self.slots[slot as usize].as_ref().expect("H1: only what lives is named")
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> &mut T {
        self.slots[slot as usize].as_mut().expect("H1: only what lives is named")
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().flatten()
    }
}

const NOWHERE: u32 = u32::MAX;

/// Which of its two lists a record is looked at in.
#[derive(Clone, Copy)]
pub(super) enum By {
    Path = 0,
    Conn = 1,
}

/// A record's neighbours in one list.
#[derive(Clone, Copy, Debug)]
struct Link {
    before: u32,
    after: u32,
}

/// What one connection watches on one path.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) conn: u32,
    pub(super) path: u32,
    /// Three bits for the data table, three for the child table; never none (H1).
    pub(super) modes: NonZeroU8,
    links: [Link; 2],
}

impl Record {
    pub(super) fn new(conn: u32, path: u32, modes: NonZeroU8) -> Self {
        let alone = Link { before: NOWHERE, after: NOWHERE };
        Self { conn, path, modes, links: [alone; 2] }
    }
}

/// A list of records, in the order they were put in.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    first: u32,
    last: u32,
    pub(super) count: u32,
}

impl Default for List {
    fn default() -> Self {
        Self { first: NOWHERE, last: NOWHERE, count: 0 }
    }
}

impl List {
    pub(super) fn first(&self) -> Option<u32> {
        (self.first != NOWHERE).then_some(self.first)
    }

    pub(super) fn push(&mut self, records: &mut Slots<Record>, by: By, slot: u32) {
        records.get_mut(slot).links[by as usize] = Link { before: self.last, after: NOWHERE };
        if self.last == NOWHERE {
            self.first = slot;
        } else {
            records.get_mut(self.last).links[by as usize].after = slot;
        }
        self.last = slot;
        self.count += 1;
    }

    pub(super) fn unlink(&mut self, records: &mut Slots<Record>, by: By, slot: u32) {
        let Link { before, after } = records.get(slot).links[by as usize];
        if before == NOWHERE {
            self.first = after;
        } else {
            records.get_mut(before).links[by as usize].after = after;
        }
        if after == NOWHERE {
            self.last = before;
        } else {
            records.get_mut(after).links[by as usize].before = before;
        }
        self.count -= 1;
    }
}

/// The record after `slot` in one of its lists.
pub(super) fn after(records: &Slots<Record>, by: By, slot: u32) -> Option<u32> {
    let next = records.get(slot).links[by as usize].after;
    (next != NOWHERE).then_some(next)
}

const _: () = assert!(size_of::<Option<Record>>() <= 28, "there may be millions");
