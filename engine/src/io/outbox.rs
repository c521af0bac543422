//! What a connection has to say: one buffer on its way, one that gathers.
//!
//! Buffers are lent from a pool for as long as a connection has something unsent, so that idle
//! connections hold none and busy ones find theirs warm.

/// Buffers a pool keeps, the largest it keeps, and how much room all of them may have: more is
/// given back to the allocator.
const POOLED: usize = 512;
const POOLED_BYTES_MAX: usize = 2 << 20;
const POOL_BYTES_MAX: usize = 32 << 20;

/// What a fresh buffer has room for.
const FRESH_BYTES: usize = 4 << 10;

pub(super) struct Pool {
    buffers: Vec<Vec<u8>>,
    /// The room of all of them.
    bytes: usize,
}

impl Pool {
    pub(super) fn new() -> Self {
        Self { buffers: Vec::with_capacity(POOLED), bytes: 0 }
    }

    fn take(&mut self) -> Vec<u8> {
        match self.buffers.pop() {
            Some(buffer) => {
                self.bytes -= buffer.capacity();
                buffer
            }
            None => Vec::with_capacity(FRESH_BYTES),
        }
    }

    pub(super) fn give_back(&mut self, mut buffer: Vec<u8>) {
        let room = buffer.capacity();
        let is_worth_keeping = (1..=POOLED_BYTES_MAX).contains(&room);
        if is_worth_keeping && self.buffers.len() < POOLED && self.bytes + room <= POOL_BYTES_MAX {
            buffer.clear();
            self.bytes += room;
            self.buffers.push(buffer);
        }
    }
}

/// The two buffers of one connection. `flying` counts the bytes of the one that is with the driver.
#[derive(Default)]
pub(super) struct Outbox {
    open: Vec<u8>,
    flying: usize,
    is_flying: bool,
}

impl Outbox {
    /// The buffer that gathers.
    pub(super) fn open(&mut self, pool: &mut Pool) -> &mut Vec<u8> {
        if self.open.capacity() == 0 {
            self.open = pool.take();
        }
        &mut self.open
    }

    /// Takes a whole buffer, and gives an empty one for it.
    pub(super) fn exchange(&mut self, mut bytes: Vec<u8>, pool: &mut Pool) -> Vec<u8> {
        if self.open.is_empty() {
            let spare = std::mem::replace(&mut self.open, bytes);
            if spare.capacity() > 0 { spare } else { pool.take() }
        } else {
            self.open.extend_from_slice(&bytes);
            bytes.clear();
            bytes
        }
    }

    pub(super) fn unsent(&self) -> usize {
        self.open.len() + self.flying
    }

    /// Of these, how many are on their way.
    pub(super) fn flying(&self) -> usize {
        self.flying
    }

    pub(super) fn is_flying(&self) -> bool {
        self.is_flying
    }

    pub(super) fn has_gathered(&self) -> bool {
        !self.open.is_empty()
    }

    /// What goes next, if something waits and nothing is on its way (IO2).
    pub(super) fn take_off(&mut self) -> Option<Vec<u8>> {
        if self.is_flying || self.open.is_empty() {
            return None;
        }
        let buffer = std::mem::take(&mut self.open);
        self.flying = buffer.len();
        self.is_flying = true;
        Some(buffer)
    }

    /// The kernel has taken `bytes` more of the buffer on its way; true if that was its last.
    pub(super) fn sent(&mut self, bytes: usize) -> bool {
        assert!(self.is_flying && bytes <= self.flying, "IO2: more was sent than was on its way");
        self.flying -= bytes;
        self.flying == 0
    }

    /// The buffer is back, sent or not.
    pub(super) fn landed(&mut self, buffer: Vec<u8>, pool: &mut Pool) {
        assert!(self.is_flying, "IO2: a buffer came back that was not on its way");
        self.is_flying = false;
        self.flying = 0;
        pool.give_back(buffer);
    }

    /// Forgets what has not left.
    pub(super) fn discard(&mut self, pool: &mut Pool) {
        pool.give_back(std::mem::take(&mut self.open));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gathers_during_a_send_goes_next_as_one() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::new());
        outbox.open(&mut pool).extend_from_slice(b"one");
        let first = outbox.take_off().unwrap();
        outbox.open(&mut pool).extend_from_slice(b"two");
        assert!(outbox.exchange(b"three".to_vec(), &mut pool).is_empty());
        assert!(outbox.take_off().is_none(), "IO2");
        assert_eq!(outbox.unsent(), 11);

        assert!(!outbox.sent(1));
        assert_eq!(outbox.unsent(), 10);
        assert!(outbox.sent(2));
        outbox.landed(first, &mut pool);
        assert_eq!(outbox.take_off().unwrap(), b"twothree");
    }

    #[test]
    fn a_buffer_given_whole_is_not_copied() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::new());
        let bytes = vec![7; 100_000];
        let address = bytes.as_ptr();
        assert!(outbox.exchange(bytes, &mut pool).is_empty());
        let flying = outbox.take_off().unwrap();
        assert_eq!(flying.as_ptr(), address);
    }

    #[test]
    fn a_connection_with_nothing_to_say_holds_no_buffer() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::new());
        outbox.open(&mut pool).push(1);
        let buffer = outbox.take_off().unwrap();
        outbox.sent(1);
        outbox.landed(buffer, &mut pool);
        assert_eq!(outbox.open.capacity(), 0);
        assert_eq!(pool.buffers.len(), 1);
    }
}
