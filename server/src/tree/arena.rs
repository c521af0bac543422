//! Where znodes live: slots in chunks that never move.
//!
//! A chunk is allocated whole and filled slot by slot, so that growing copies nothing and a large
//! tree does not stall while it doubles. Vacated slots are used again before new ones, the lowest of
//! a chunk first.
//!
//! Invariants:
//! - N1. A place in `contents` is one living znode's.
//!
//! Not here: how znodes are linked (`tree::change`, `kin`).

use std::ops::{Index, IndexMut};

use super::contents::Contents;
use super::stock::{Chunk, Stock};
use super::vacancies::Vacancies;
use super::znode::{VACANT, Znode, ZnodeId};

pub(super) struct Arena {
    chunks: Vec<Vec<Znode>>,
    contents: Contents,
    /// Of each chunk.
    vacancies: Vec<Vacancies<{ Chunk::ZNODES / 64 }>>,
    /// The chunks that have some.
    open: Vec<usize>,
    live: usize,
}

impl Arena {
    pub(super) fn new() -> Self {
        Self {
            chunks: Vec::new(),
            contents: Contents::new(),
            vacancies: Vec::new(),
            open: Vec::new(),
            live: 0,
        }
    }

    /// Takes memory from there first.
    pub(super) fn set_stock(&mut self, stock: Box<dyn Stock>) {
        self.contents.stock = stock;
    }

    /// Znodes that live.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// Slots ever used; ids are below this.
    pub(super) fn slots(&self) -> u32 {
        let full = self.chunks.len().saturating_sub(1) * Chunk::ZNODES;
        let slots = full + self.chunks.last().map_or(0, Vec::len);
        u32::try_from(slots).expect("asserted in `insert`")
    }

    /// The first znode from `slot` on, as far as there is one in the same chunk; otherwise where the
    /// next chunk begins. Slots that nobody used yet count as znodes.
    ///
    /// Perf: no vacant slot is read. A tree that was large once is walked as fast as a small one.
    pub(super) fn next_live(&self, slot: u32) -> Result<ZnodeId, u32> {
        let (chunk, at) = place(ZnodeId(slot));
        let first = (chunk << Chunk::BITS) as u32;
        match self.vacancies[chunk].next_taken(at) {
            Some(at) => Ok(ZnodeId(first + at as u32)),
            None => Err(first + Chunk::ZNODES as u32),
        }
    }

    pub(super) fn insert(&mut self, mut znode: Znode, name: &str, data: Option<&[u8]>) -> ZnodeId {
        let place = self.contents.put(name.as_bytes(), data.unwrap_or_default());
        znode.set_content(name.len(), data, place);
        self.live += 1;
        if let Some(id) = self.vacant_slot() {
            self[id] = znode;
            return id;
        }
        let slot = self.slots();
        assert!(slot < VACANT, "half a terabyte of znodes is above every machine's memory");
        if slot as usize == self.chunks.len() * Chunk::ZNODES {
            let chunk = self.contents.stock.chunk().map(|chunk| chunk.0);
            self.chunks.push(chunk.unwrap_or_else(|| Vec::with_capacity(Chunk::ZNODES)));
            self.vacancies.push(Vacancies::none());
        }
        self.chunks.last_mut().expect("pushed if there was none").push(znode);
        ZnodeId(slot)
    }

    fn vacant_slot(&mut self) -> Option<ZnodeId> {
        let chunk = *self.open.last()?;
        let vacancies = &mut self.vacancies[chunk];
        let slot = vacancies.take().expect("an open chunk has a vacant slot");
        if vacancies.is_empty() {
            self.open.pop();
        }
        Some(ZnodeId((chunk << Chunk::BITS | slot) as u32))
    }

    pub(super) fn remove(&mut self, id: ZnodeId) -> Znode {
        let removed = std::mem::replace(&mut self[id], Znode::vacant());
        assert!(removed.parent != VACANT, "{id:?} was removed twice");
        self.contents.give_back(removed.place);
        let (chunk, slot) = place(id);
        let vacancies = &mut self.vacancies[chunk];
        if vacancies.is_empty() {
            self.open.push(chunk);
        }
        vacancies.put(slot);
        self.live -= 1;
        removed
    }

    /// The last component of the path; empty for the root alone.
    pub(super) fn name(&self, id: ZnodeId) -> &str {
        std::str::from_utf8(self.name_bytes(id)).expect("the name came in as a `str`")
    }

    pub(super) fn name_bytes(&self, id: ZnodeId) -> &[u8] {
        self.name_of(&self[id])
    }

    /// The name of a znode that lives here.
    pub(super) fn name_of(&self, znode: &Znode) -> &[u8] {
        self.contents.get(znode.place, znode.name_length())
    }

    /// `None` is null, which clients can tell from empty.
    pub(super) fn data(&self, id: ZnodeId) -> Option<&[u8]> {
        let znode = &self[id];
        let content = self.contents.get(znode.place, znode.content_length());
        (!znode.is_null()).then(|| &content[znode.name_length()..])
    }

    pub(super) fn set_data(&mut self, id: ZnodeId, data: Option<&[u8]>) {
        let (chunk, slot) = place(id);
        let znode = &mut self.chunks[chunk][slot];
        let name = znode.name_length();
        let lengths = (name, znode.content_length());
        let place = self.contents.set_data(znode.place, lengths, data.unwrap_or_default());
        znode.set_content(name, data, place);
    }
}

/// The chunk, and the slot of it.
fn place(id: ZnodeId) -> (usize, usize) {
    ((id.0 >> Chunk::BITS) as usize, id.0 as usize % Chunk::ZNODES)
}

impl Index<ZnodeId> for Arena {
    type Output = Znode;

    fn index(&self, id: ZnodeId) -> &Znode {
        let (chunk, slot) = place(id);
        &self.chunks[chunk][slot]
    }
}

impl IndexMut<ZnodeId> for Arena {
    fn index_mut(&mut self, id: ZnodeId) -> &mut Znode {
        let (chunk, slot) = place(id);
        &mut self.chunks[chunk][slot]
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AclId, StatPersisted};
    use super::*;

    /// N1: a name and data are read back as they were, whoever came, changed or went meanwhile.
    #[test]
    fn every_znode_keeps_its_own_name_and_data() {
        let mut arena = Arena::new();
        let mut kept = Vec::new();
        for round in 0..3_000_usize {
            let (name, data) = (round.to_string(), vec![round as u8; round % 90]);
            let znode = Znode::new(AclId::OPEN, &StatPersisted::default());
            kept.push((arena.insert(znode, &name, Some(&data)), name, data));
            if round % 3 == 0 {
                let (gone, ..) = kept.swap_remove(round * 7 % kept.len());
                arena.remove(gone);
            }
            if round % 2 == 0 && !kept.is_empty() {
                let at = round * 5 % kept.len();
                kept[at].2 = vec![!(round as u8); round % 200];
                arena.set_data(kept[at].0, Some(&kept[at].2));
            }
        }
        assert_eq!(arena.live(), kept.len());
        for (id, name, data) in kept {
            assert_eq!((arena.name(id), arena.data(id)), (&name[..], Some(&data[..])), "N1");
        }
    }
}
