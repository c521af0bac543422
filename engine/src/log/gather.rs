//! Gathering: packets wait in slabs, batch by batch, until the disk is free.
//!
//! A packet joins the last batch if it continues it and fits; otherwise it begins the next one. A
//! packet too large for any batch gets a slab of its own, which is not kept.
//!
//! Not here: when a batch goes (`group_commit`), its header (`batch`).

use std::collections::VecDeque;

use super::batch::{BATCH_HEADER_BYTES, padded};
use super::slab::Slab;
use crate::zxid::Zxid;

/// A batch in the making: its packets stand behind the room for its header.
#[derive(Debug)]
pub(super) struct Gathered {
    pub slab: Slab,
    pub first: Zxid,
    pub last: Zxid,
    pub count: u32,
    pub bytes: usize,
}

#[derive(Debug)]
pub(super) struct Gather {
    queue: VecDeque<Gathered>,
    free: Vec<Slab>,
    slab_bytes: usize,
    free_max: usize,
    bytes: usize,
}

impl Gather {
    pub(super) fn new(slab_bytes: usize, free_max: usize) -> Self {
        let (queue, free) = (VecDeque::with_capacity(free_max), Vec::with_capacity(free_max));
        Self { queue, free, slab_bytes, free_max, bytes: 0 }
    }

    /// Copies the packet behind the ones before it. No allocation while a slab is free.
    pub(super) fn append(&mut self, zxid: Zxid, packet: &[u8]) {
        self.bytes += packet.len();
        if let Some(batch) = self.queue.back_mut()
            && batch.last.next() == Some(zxid)
        {
            let at = BATCH_HEADER_BYTES + batch.bytes;
            if let Some(place) = batch.slab.get_mut(at..at + packet.len()) {
                place.copy_from_slice(packet);
                batch.last = zxid;
                batch.count += 1;
                batch.bytes += packet.len();
                return;
            }
        }
        let mut slab = self.slab_for(packet.len());
        slab[BATCH_HEADER_BYTES..BATCH_HEADER_BYTES + packet.len()].copy_from_slice(packet);
        self.queue.push_back(Gathered {
            slab,
            first: zxid,
            last: zxid,
            count: 1,
            bytes: packet.len(),
        });
    }

    fn slab_for(&mut self, bytes: usize) -> Slab {
        let needed = padded(bytes);
        if needed > self.slab_bytes {
            return Slab::new(needed);
        }
        self.free.pop().unwrap_or_else(|| Slab::new(self.slab_bytes))
    }

    /// A slab came back from the disk.
    pub(super) fn give_back(&mut self, slab: Slab) {
        if slab.len() == self.slab_bytes && self.free.len() < self.free_max {
            self.free.push(slab);
        }
    }

    /// What the oldest batch takes on disk.
    pub(super) fn front_len(&self) -> Option<usize> {
        self.queue.front().map(|batch| padded(batch.bytes))
    }

    /// The first zxid of the oldest batch.
    pub(super) fn front(&self) -> Option<Zxid> {
        self.queue.front().map(|batch| batch.first)
    }

    pub(super) fn pop(&mut self) -> Option<Gathered> {
        let batch = self.queue.pop_front()?;
        self.bytes -= batch.bytes;
        Some(batch)
    }

    pub(super) fn batches(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zxid::Epoch;

    #[test]
    fn packets_share_a_batch_until_it_is_full_or_the_epoch_ends() {
        let mut gather = Gather::new(4096, 2);
        let at = |epoch, counter| Zxid::new(Epoch(epoch), counter);
        gather.append(at(1, 1), &[1; 2000]);
        gather.append(at(1, 2), &[2; 2000]);
        gather.append(at(1, 3), &[3; 2000]);
        gather.append(at(2, 1), &[4; 2000]);
        let batches: Vec<_> = std::iter::from_fn(|| gather.pop()).collect();
        let spans: Vec<_> = batches.iter().map(|b| (b.first, b.last, b.count)).collect();
        assert_eq!(
            spans,
            [(at(1, 1), at(1, 2), 2), (at(1, 3), at(1, 3), 1), (at(2, 1), at(2, 1), 1)]
        );
        assert_eq!(gather.bytes(), 0);
        assert_eq!(batches[0].slab[BATCH_HEADER_BYTES + 2000], 2);
    }

    #[test]
    fn slabs_are_used_again_and_a_giants_is_not_kept() {
        let mut gather = Gather::new(4096, 2);
        gather.append(Zxid(1), &[1; 10]);
        let slab = gather.pop().unwrap().slab;
        let address = slab.as_ptr();
        gather.give_back(slab);
        gather.append(Zxid(2), &[1; 10_000]);
        let giant = gather.pop().unwrap().slab;
        assert_eq!(giant.len(), 12_288);
        gather.give_back(giant);
        gather.append(Zxid(3), &[1; 10]);
        assert_eq!(gather.pop().unwrap().slab.as_ptr(), address);
    }
}
