//! The provided-buffer ring: the memory that receptions arrive in.
//!
//! ```text
//! entries (page-aligned)   count x 16 bytes {addr u64, len u32, bid u16, resv u16}
//!                          entry 0's resv is the ring's tail, which only we move
//! memory                   count x buffer_bytes
//! ```
//! The kernel takes buffers from the head in the order we put them at the tail, and names them by
//! `bid` in the completion. Between that completion and `give_back` the buffer is ours to read.
//!
//! Perf: no more are in the ring than will hold what a core's cache does, going by the turn before,
//! and who came back last goes in first: what has just arrived is to be read from the cache. Where
//! they were too few and not filled, twice as many are next time.
//!
//! Invariant: a buffer is in the ring (the kernel's), lent or idle (ours), and only one of these.
//! `bytes` is only reached with a `Lent` that a completion made.

#![expect(unsafe_code, reason = "AI-5: memory shared with the kernel")]

use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::BufRingEntry;

use crate::io::driver::{Inbox, Lent};
use crate::io::memory::Pages;

/// What one turn should receive at most: with what is made of it, what the cache next to a core
/// holds.
const TURN_BYTES: usize = 256 << 10;

/// Buffers in the ring at least.
const COUNT_MIN: usize = 16;

pub(in crate::io) struct BufferRing {
    entries: Pages,
    memory: Pages,
    count: u16,
    buffer_bytes: u32,
    /// Ours of the tail; the kernel sees it when it is published.
    tail: u16,
    lent: u16,
    /// Neither in the ring nor lent; the last one is the warmest.
    idle: Vec<u16>,
    in_ring: usize,
    /// How many are to be in the ring.
    wanted: usize,
    /// Of the turn under way: receptions, their bytes, and whether somebody found no buffer.
    receptions: usize,
    bytes: usize,
    was_short: bool,
}

impl BufferRing {
    /// All buffers in the ring, nothing published to a kernel yet.
    pub(super) fn new(count: u16, buffer_bytes: u32) -> Self {
        assert!(count.is_power_of_two() && count <= 1 << 15, "a ring of 2^n buffers, up to 2^15");
        assert!(buffer_bytes > 0, "an empty buffer receives nothing");
        let entries = Pages::new(usize::from(count) * size_of::<BufRingEntry>());
        let memory = Pages::new(usize::from(count) * buffer_bytes as usize);
        let mut ring = Self {
            entries,
            memory,
            count,
            buffer_bytes,
            tail: 0,
            lent: 0,
            idle: (0..count).rev().collect(),
            in_ring: 0,
            wanted: COUNT_MIN.min(count.into()),
            receptions: 0,
            bytes: 0,
            was_short: false,
        };
        ring.publish();
        ring
    }

    fn entries(&self) -> *mut BufRingEntry {
        self.entries.as_ptr().cast()
    }

    pub(super) fn address(&self) -> u64 {
        self.entries().cast_const() as u64
    }

    pub(super) fn count(&self) -> u16 {
        self.count
    }

    /// A completion has named the buffer: it is ours.
    pub(super) fn take(&mut self, buffer: u16, bytes: u32) -> Lent {
        assert!(buffer < self.count && bytes <= self.buffer_bytes, "the kernel named no buffer");
        self.lent += 1;
        self.in_ring -= 1;
        self.receptions += 1;
        self.bytes += bytes as usize;
        Lent { buffer, bytes }
    }

    /// A reception has ended because the ring was empty.
    pub(super) fn note_shortage(&mut self) {
        self.was_short = true;
    }

    /// How many buffers the next turn should find.
    fn foresee(&mut self) {
        if self.was_short && self.bytes < TURN_BYTES {
            self.wanted *= 2;
        } else if let Some(mean) = self.bytes.checked_div(self.receptions) {
            self.wanted = (TURN_BYTES / mean.max(1)).max(self.wanted / 2);
        }
        self.wanted = self.wanted.max(COUNT_MIN).min(self.count.into());
        (self.receptions, self.bytes, self.was_short) = (0, 0, false);
    }

    /// Ends a turn: lets the kernel have buffers for the next.
    pub(super) fn publish(&mut self) {
        self.foresee();
        while self.in_ring < self.wanted
            && let Some(buffer) = self.idle.pop()
        {
            self.put(buffer);
        }
        // Safety: `entries` points to `count` initialised entries (zeroes are one), of which
        // the first one's last field is the tail, two bytes and aligned; the kernel reads it with
        // acquire semantics, so this release store makes the entries below it visible first. The
        // crate offers the field as a const pointer; the memory is ours and mutable.
        unsafe {
            let tail = BufRingEntry::tail(self.entries()).cast_mut();
            AtomicU16::from_ptr(tail).store(self.tail, Ordering::Release);
        }
    }

    /// Leaves the memory to a kernel that has not let go of it.
    pub(super) fn leak(&mut self) {
        self.entries.leak();
        self.memory.leak();
    }

    fn put(&mut self, buffer: u16) {
        let index = usize::from(self.tail & (self.count - 1));
        let offset = usize::from(buffer) * self.buffer_bytes as usize;
        // Safety: `index < count` and `buffer < count` keep both within their allocations. The
        // entry lies beyond the published tail, so the kernel does not read it. Field setters are
        // used because a whole write would overwrite entry 0's tail.
        unsafe {
            let address = self.memory.as_ptr().add(offset) as u64;
            let entry = &mut *self.entries().add(index);
            entry.set_addr(address);
            entry.set_len(self.buffer_bytes);
            entry.set_bid(buffer);
        }
        self.tail = self.tail.wrapping_add(1);
        self.in_ring += 1;
    }
}

impl Inbox for BufferRing {
    fn bytes(&self, lent: Lent) -> &[u8] {
        let offset = usize::from(lent.buffer) * self.buffer_bytes as usize;
        // Safety: `take` has checked buffer and length against the allocation, which was zeroed and
        // so is initialised. The buffer is not in the ring until `give_back`, which takes `&mut
        // self` and so cannot happen while this borrow lives.
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr().add(offset), lent.bytes as usize) }
    }

    fn give_back(&mut self, lent: Lent) {
        assert!(self.lent > 0, "a buffer came back that was not lent");
        self.lent -= 1;
        self.idle.push(lent.buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_given_back_goes_to_the_tail() {
        let mut ring = BufferRing::new(4, 64);
        assert_eq!(ring.tail, 4, "all are the kernel's");
        let lent = ring.take(2, 10);
        assert_eq!(ring.bytes(lent), [0; 10]);
        ring.give_back(lent);
        ring.publish();
        assert_eq!((ring.tail, ring.lent), (5, 0));
    }

    /// The kernel takes as many, of so many bytes each; how many it finds next.
    fn turn(ring: &mut BufferRing, count: usize, bytes: u32) -> usize {
        let head = ring.tail - ring.in_ring as u16;
        let taken: Vec<_> = (0..count as u16)
            .map(|n| {
                let index = usize::from((head + n) & (ring.count - 1));
                // Safety: `index < count` entries, all initialised; no kernel knows this ring.
                let buffer = unsafe { (*ring.entries().add(index)).bid() };
                ring.take(buffer, bytes)
            })
            .collect();
        taken.into_iter().for_each(|lent| ring.give_back(lent));
        ring.publish();
        ring.in_ring
    }

    #[test]
    fn as_many_are_in_the_ring_as_will_hold_what_the_cache_does() {
        let mut ring = BufferRing::new(128, 64 << 10);
        assert_eq!(ring.in_ring, COUNT_MIN);
        assert_eq!(turn(&mut ring, 3, 1_000), 128, "small receptions: all there are");
        assert_eq!(turn(&mut ring, 128, 1_000), 128);
        let mut in_ring = Vec::new();
        for _ in 0..12 {
            in_ring.push(turn(&mut ring, 16, 64 << 10));
        }
        assert_eq!(in_ring.last(), Some(&COUNT_MIN), "large ones: {in_ring:?}");
        ring.note_shortage();
        assert_eq!(turn(&mut ring, 16, 64 << 10), COUNT_MIN, "a turn has enough to do");
        ring.note_shortage();
        assert_eq!(turn(&mut ring, 16, 16_000), 2 * COUNT_MIN, "somebody found none");
        for _ in 0..10 {
            ring.note_shortage();
            turn(&mut ring, 8, 16 << 10);
        }
        assert_eq!(ring.in_ring, 128, "never more than there are");
        assert_eq!(ring.idle.len() + ring.in_ring, 128);
    }

    #[test]
    #[should_panic(expected = "named no buffer")]
    fn a_buffer_that_does_not_exist_is_not_lent() {
        BufferRing::new(4, 64).take(4, 1);
    }
}
