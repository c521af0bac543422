//! Memory that a tree in the making is about to need, made ready by somebody else.
//!
//! Perf: the first touch of a page of fresh memory costs as much as reading ten znodes from a
//! snapshot, for the kernel takes the page, clears it and maps it. A start touches all of a tree's
//! memory for the first time, on one thread, while another has nothing to do.
//!
//! Not here: who makes it ready (`runtime::stock`), what it is used for (`arena`, `contents`).

use super::znode::Znode;

/// Room for znodes: what the arena grows by.
pub struct Chunk(pub(super) Vec<Znode>);

impl Chunk {
    /// Znodes of one, as a power of two.
    pub(super) const BITS: u32 = 12;
    pub(super) const ZNODES: usize = 1 << Self::BITS;

    /// One whose memory has been touched.
    pub fn touched() -> Self {
        let mut znodes = Vec::new();
        znodes.resize_with(Self::ZNODES, Znode::vacant);
        znodes.clear();
        Self(znodes)
    }
}

/// Where a tree takes memory from before it asks the kernel.
pub trait Stock: Send {
    /// `None`: none is ready.
    fn chunk(&mut self) -> Option<Chunk>;

    /// Empty, and of exactly that capacity. `None`: none is ready.
    fn run(&mut self, bytes: usize) -> Option<Vec<u8>>;
}

/// Nothing is made ready.
pub(super) struct Empty;

impl Stock for Empty {
    fn chunk(&mut self) -> Option<Chunk> {
        None
    }

    fn run(&mut self, _: usize) -> Option<Vec<u8>> {
        None
    }
}
