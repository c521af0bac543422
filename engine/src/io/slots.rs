//! A table whose keys never mean another entry than the one they were made for.
//!
//! Entries stand in slots, slots are used again, and each use has its own generation, which is part
//! of the key. A completion that comes late finds its slot in another generation, and nothing.

use std::fmt;

/// Names one entry of one table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

/// Slots a table may have: a key's slot must fit into the 24 bits that an operation's name has
/// for it.
pub(super) const SLOTS_MAX: usize = 1 << 24;

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.slot, self.generation)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

pub(super) struct Slots<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

struct Slot<T> {
    generation: u32,
    entry: Option<T>,
}

impl<T> Slots<T> {
    pub(super) fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// The key that the next `insert` will answer.
    pub(super) fn next_key(&self) -> Key {
        let slot = match self.free.last() {
            Some(&slot) => slot,
            None => self.slots.len() as u32,
        };
        let generation = self.slots.get(slot as usize).map_or(0, |slot| slot.generation);
        Key { slot, generation }
    }

    pub(super) fn insert(&mut self, entry: T) -> Key {
        let key = self.next_key();
        match self.free.pop() {
            Some(slot) => self.slots[slot as usize].entry = Some(entry),
            None => {
                assert!(self.slots.len() < SLOTS_MAX, "IO1: no name left for another entry");
                self.slots.push(Slot { generation: 0, entry: Some(entry) });
            }
        }
        key
    }

    /// Uses up the next key without an entry.
    pub(super) fn skip(&mut self) {
        match self.free.last() {
            Some(&slot) => {
                let slot = &mut self.slots[slot as usize];
                slot.generation = slot.generation.wrapping_add(1);
            }
            None => {
                self.free.push(self.slots.len() as u32);
                self.slots.push(Slot { generation: 1, entry: None });
            }
        }
    }

    pub(super) fn get(&self, key: Key) -> Option<&T> {
        let slot = self.slots.get(key.slot as usize)?;
        if slot.generation == key.generation { slot.entry.as_ref() } else { None }
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let slot = self.slots.get_mut(key.slot as usize)?;
        if slot.generation == key.generation { slot.entry.as_mut() } else { None }
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<T> {
        self.get(key)?;
        let slot = &mut self.slots[key.slot as usize];
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(key.slot);
        slot.entry.take()
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = T> + '_ {
        self.free.clear();
        self.slots.drain(..).filter_map(|slot| slot.entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_a_removed_entry_does_not_find_its_successor() {
        let mut table = Slots::new();
        let first = table.insert("first");
        assert_eq!(table.remove(first), Some("first"));
        let second = table.insert("second");
        assert_eq!(second.slot, first.slot, "the slot is used again");
        assert_eq!(table.get(first), None);
        assert_eq!(table.remove(first), None);
        assert_eq!(table.get(second), Some(&"second"));
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn the_next_key_is_told_before_it_is_given() {
        let mut table = Slots::new();
        for round in 0..3 {
            let told = table.next_key();
            let given = table.insert(round);
            assert_eq!(told, given);
            if round == 1 {
                table.remove(given);
            }
            let skipped = table.next_key();
            table.skip();
            assert_eq!(table.get(skipped), None);
            assert_ne!(table.next_key(), skipped);
        }
    }
}
