//! Where znodes live: slots in chunks that never move.
//!
//! A chunk is allocated whole and filled slot by slot, so that growing copies nothing and a large
//! tree does not stall while it doubles. Vacated slots are used again before new ones.
//!
//! Not here: how znodes are linked (`tree::change`, `kin`).

use std::ops::{Index, IndexMut};

use super::znode::{NONE, VACANT, Znode, ZnodeId};

const CHUNK_BITS: u32 = 12;
const CHUNK: usize = 1 << CHUNK_BITS;

pub(super) struct Arena {
    chunks: Vec<Vec<Znode>>,
    vacant: u32,
    live: usize,
}

impl Arena {
    pub(super) fn new() -> Self {
        Self { chunks: Vec::new(), vacant: NONE, live: 0 }
    }

    /// Znodes that live.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// Slots ever used; ids are below this.
    pub(super) fn slots(&self) -> u32 {
        let full = self.chunks.len().saturating_sub(1) * CHUNK;
        let slots = full + self.chunks.last().map_or(0, Vec::len);
        u32::try_from(slots).expect("asserted in `insert`")
    }

    pub(super) fn is_live(&self, slot: u32) -> bool {
        self[ZnodeId(slot)].parent != VACANT
    }

    pub(super) fn insert(&mut self, znode: Znode) -> ZnodeId {
        self.live += 1;
        if self.vacant != NONE {
            let id = ZnodeId(self.vacant);
            self.vacant = self[id].next;
            self[id] = znode;
            return id;
        }
        let slot = self.slots();
        assert!(slot < VACANT, "half a terabyte of znodes is above every machine's memory");
        if slot as usize == self.chunks.len() * CHUNK {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        self.chunks.last_mut().expect("pushed if there was none").push(znode);
        ZnodeId(slot)
    }

    pub(super) fn remove(&mut self, id: ZnodeId) -> Znode {
        let vacant = Znode::vacant(self.vacant);
        let removed = std::mem::replace(&mut self[id], vacant);
        assert!(removed.parent != VACANT, "{id:?} was removed twice");
        self.vacant = id.0;
        self.live -= 1;
        removed
    }
}

impl Index<ZnodeId> for Arena {
    type Output = Znode;

    fn index(&self, id: ZnodeId) -> &Znode {
        &self.chunks[(id.0 >> CHUNK_BITS) as usize][id.0 as usize % CHUNK]
    }
}

impl IndexMut<ZnodeId> for Arena {
    fn index_mut(&mut self, id: ZnodeId) -> &mut Znode {
        &mut self.chunks[(id.0 >> CHUNK_BITS) as usize][id.0 as usize % CHUNK]
    }
}
