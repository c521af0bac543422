//! The slabs of batches: how large they are, and which are used again.
//!
//! One is twice as large as what the batch before held, so that small batches take little memory, and
//! one that is full while its batch waits is followed by a larger one. What is larger than any batch is
//! not kept.
//!
//! Invariant:
//! - P4. Slabs are used again; in the steady state none is allocated.
//!
//! Not here: what stands in them (`proposals`).

use std::sync::Arc;

use crate::limits::BLOCK;
use crate::log::batch::padded;
use crate::log::slab::Slab;

/// The smallest slab.
pub(super) const SLAB_BYTES_MIN: usize = 4 * BLOCK;

/// Slabs that nobody needs, at most.
const FREE_BYTES_MAX: usize = 8 << 20;

/// Slabs, in use and free.
#[derive(Debug)]
pub(super) struct Slabs {
    /// The last one is the warmest.
    free: Vec<Arc<Slab>>,
    free_bytes: usize,
    /// What those in use have room for.
    used_bytes: usize,
    /// What the next one should have room for.
    wanted: usize,
    bytes_max: usize,
}

impl Slabs {
    pub(super) fn new(bytes_max: usize) -> Self {
        let wanted = SLAB_BYTES_MIN.min(bytes_max);
        Self { free: Vec::new(), free_bytes: 0, used_bytes: 0, wanted, bytes_max }
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
        let bytes = needed.max(self.wanted);
        let fits = |slab: &Arc<Slab>| (bytes..=4 * bytes).contains(&slab.capacity());
        let slab = match self.free.iter().rposition(fits) {
            Some(at) => self.free.remove(at),
            None => {
                self.used_bytes += bytes.next_multiple_of(BLOCK);
                return Arc::new(Slab::new(bytes));
            }
        };
        self.free_bytes -= slab.capacity();
        self.used_bytes += slab.capacity();
        slab
    }

    /// All that stood in it is forgotten. If somebody still holds it, it is not used again.
    pub(super) fn give_back(&mut self, mut slab: Arc<Slab>) {
        let bytes = slab.capacity();
        self.used_bytes -= bytes;
        if bytes > self.bytes_max || Arc::get_mut(&mut slab).is_none() {
            return;
        }
        while self.free_bytes + bytes > FREE_BYTES_MAX && !self.free.is_empty() {
            self.free_bytes -= self.free.remove(0).capacity();
        }
        self.free_bytes += bytes;
        self.free.push(slab);
    }

    /// A batch of so many bytes has gathered: the next may be twice as large.
    pub(super) fn foresee(&mut self, bytes: usize) {
        self.want((2 * padded(bytes)).max(self.wanted / 2));
    }

    /// A slab is full, and its batch still waits.
    pub(super) fn grow(&mut self) {
        self.want(4 * self.wanted);
    }

    fn want(&mut self, bytes: usize) {
        let least = SLAB_BYTES_MIN.min(self.bytes_max);
        self.wanted = bytes.next_power_of_two().clamp(least, self.bytes_max);
    }
}
