//! The slabs of batches: how large they are, and which are used again.
//!
//! One has room for what gathers of late, so that small batches take little memory, and a batch that
//! outgrows its slab moves to one four times as large. What is larger than any batch is not kept.
//! Memory for the largest may be lent by whoever gets better than the allocator's: it is taken first
//! and kept.
//!
//! Invariant:
//! - P4. Slabs are used again; in the steady state none is allocated.
//!
//! Not here: what stands in them (`proposals`).

use std::sync::Arc;

use crate::limits::BLOCK;
use crate::log::batch::BATCH_HEADER_BYTES;
use crate::log::slab::Slab;

/// The smallest slab.
pub(super) const SLAB_BYTES_MIN: usize = BLOCK;

/// Slabs that nobody needs, at most, with all that was lent. Not so little that small ones have no
/// place besides.
const FREE_BYTES_MAX: usize = 8 << 20;
const FREE_BYTES_MIN: usize = 2 << 20;

/// Slabs, in use and free.
#[derive(Debug)]
pub(super) struct Slabs {
    /// The last one is the warmest.
    free: Vec<Arc<Slab>>,
    /// What those of them have room for that nobody has lent.
    free_bytes: usize,
    /// That at most.
    free_bytes_max: usize,
    /// What those in use have room for.
    used_bytes: usize,
    /// What gathers at most of late; less by a sixteenth with each batch that goes.
    recent: usize,
    bytes_max: usize,
}

impl Slabs {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            free: Vec::new(),
            free_bytes: 0,
            free_bytes_max: FREE_BYTES_MAX,
            used_bytes: 0,
            recent: 0,
            bytes_max,
        }
    }

    /// Makes the largest slabs of this memory, as many as it has room for, before any other.
    pub(super) fn lend(&mut self, memory: &'static mut [u8]) {
        let left = self.free_bytes_max.saturating_sub(memory.len());
        self.free_bytes_max = left.max(FREE_BYTES_MIN);
        for piece in memory.chunks_exact_mut(self.bytes_max) {
            self.free.push(Arc::new(Slab::lent(piece)));
        }
    }

    /// What those in use have room for.
    pub(super) fn used_bytes(&self) -> usize {
        self.used_bytes
    }

    #[cfg(test)]
    pub(super) fn free_bytes(&self) -> usize {
        self.free_bytes
    }

    /// One that holds at least `needed`.
    pub(super) fn take(&mut self, needed: usize) -> Arc<Slab> {
        let bytes = needed.max(self.wanted());
        let fits = |slab: &mut Arc<Slab>| {
            (bytes..=4 * bytes).contains(&slab.capacity()) && Arc::get_mut(slab).is_some()
        };
        let slab = match self.free.iter_mut().rposition(fits) {
            Some(at) => self.free.remove(at),
            None => {
                self.used_bytes += bytes.next_multiple_of(BLOCK);
                return Arc::new(Slab::new(bytes));
            }
        };
        self.free_bytes -= own_bytes(&slab);
        self.used_bytes += slab.capacity();
        slab
    }

    /// One with four times the room of those bytes, which it begins with, and at least `needed`; `None`
    /// where no batch is as large.
    pub(super) fn take_larger(&mut self, held: &[u8], needed: usize) -> Option<Arc<Slab>> {
        if needed > self.bytes_max {
            return None;
        }
        let mut larger = self.take(needed.max((4 * held.len()).min(self.bytes_max)));
        let bytes = Arc::get_mut(&mut larger).expect("P3: it was free");
        bytes[..held.len()].copy_from_slice(held);
        Some(larger)
    }

    /// All that stood in it is forgotten. It is used again once nobody else holds it.
    pub(super) fn give_back(&mut self, slab: Arc<Slab>) {
        let bytes = slab.capacity();
        self.used_bytes -= bytes;
        if bytes > self.bytes_max {
            return;
        }
        self.free_bytes += own_bytes(&slab);
        while self.free_bytes > self.free_bytes_max
            && let Some(at) = self.free.iter().position(|slab| !slab.is_lent())
        {
            self.free_bytes -= self.free.remove(at).capacity();
        }
        self.free.push(slab);
    }

    /// So many bytes gathered until the first of them went.
    pub(super) fn foresee(&mut self, bytes: usize) {
        self.recent = bytes.max(self.recent - self.recent / 16);
    }

    /// What the next one should have room for: a quarter more than has gathered of late.
    fn wanted(&self) -> usize {
        let bytes = BATCH_HEADER_BYTES + self.recent + self.recent / 4;
        let least = SLAB_BYTES_MIN.min(self.bytes_max);
        bytes.next_power_of_two().clamp(least, self.bytes_max)
    }
}

fn own_bytes(slab: &Slab) -> usize {
    if slab.is_lent() { 0 } else { slab.capacity() }
}
