//! The buffers in which batches are gathered and written.
//!
//! A slab starts on a 4 KiB border of memory, as O_DIRECT asks, and is never moved by growing: its
//! address stays what it was from the first append to the end of the write. The disk gets a share of
//! a slab in `DiskOp::Write` and gives it back in `DiskDone::Written`.
//!
//! Whoever only reads may have a part of one (`Part`): a learner's connection, until it has left.
//!
//! Not here: what stands in a slab (`batch`), which slab is next and when it is free (`proposals`).

use std::fmt;
use std::ops::{Deref, DerefMut, Range};
use std::sync::Arc;

use crate::limits::BLOCK;

/// An aligned, fixed range of memory. Reads as a slice of its capacity.
pub struct Slab {
    memory: Memory,
    start: usize,
    capacity: usize,
}

enum Memory {
    /// Over-allocated by one block, so that an aligned range of the wanted size lies inside.
    Own(Box<[u8]>),
    Lent(&'static mut [u8]),
}

impl Memory {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Lent(bytes) => bytes,
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Lent(bytes) => bytes,
        }
    }
}

impl Slab {
    /// Zeroed, of at least `bytes`, rounded up to the next block.
    pub fn new(bytes: usize) -> Self {
        let capacity = bytes.next_multiple_of(BLOCK);
        let memory = vec![0; capacity + BLOCK].into_boxed_slice();
        let start = memory.as_ptr().align_offset(BLOCK);
        assert!(start <= BLOCK, "an aligned byte lies within one block of any address");
        Self { memory: Memory::Own(memory), start, capacity }
    }

    /// Made of memory that somebody lends for good.
    ///
    /// # Panics
    /// If it is not whole blocks on a border.
    pub fn lent(memory: &'static mut [u8]) -> Self {
        let capacity = memory.len();
        assert!(memory.as_ptr().align_offset(BLOCK) == 0 && capacity.is_multiple_of(BLOCK));
        Self { memory: Memory::Lent(memory), start: 0, capacity }
    }

    pub fn is_lent(&self) -> bool {
        matches!(self.memory, Memory::Lent(_))
    }

    pub fn capacity(&self) -> usize {
        self.capacity
    }
}

impl Deref for Slab {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory.bytes()[self.start..self.start + self.capacity]
    }
}

impl DerefMut for Slab {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory.bytes_mut()[self.start..self.start + self.capacity]
    }
}

impl fmt::Debug for Slab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slab({} bytes)", self.capacity)
    }
}

/// A range of a slab that nobody writes to any more, shared with whoever keeps this.
#[derive(Clone, Debug)]
pub struct Part {
    slab: Arc<Slab>,
    range: Range<usize>,
}

impl Part {
    /// # Panics
    /// If the slab does not reach so far.
    pub fn new(slab: Arc<Slab>, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= slab.capacity(), "a part of the slab");
        Self { slab, range }
    }

    /// How many hold the slab, and this is one of them.
    #[cfg(test)]
    pub(crate) fn holders(&self) -> usize {
        Arc::strong_count(&self.slab)
    }
}

impl Deref for Part {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.slab[self.range.clone()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slab_is_aligned_zeroed_and_whole_blocks() {
        for bytes in [1, BLOCK, BLOCK + 1, 10 * BLOCK] {
            let slab = Slab::new(bytes);
            assert_eq!(slab.as_ptr() as usize % BLOCK, 0);
            assert_eq!(slab.len(), bytes.next_multiple_of(BLOCK));
            assert!(slab.iter().all(|&byte| byte == 0));
        }
    }

    #[test]
    fn a_moved_slab_keeps_its_address() {
        let slab = Slab::new(BLOCK);
        let before = slab.as_ptr();
        let moved = Box::new(slab);
        assert_eq!(moved.as_ptr(), before);
    }
}
