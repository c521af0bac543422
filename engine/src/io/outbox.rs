//! What a connection has to say: one cargo on its way, whole buffers and parts of slabs that wait, a
//! buffer that gathers.
//!
//! Buffers are lent from a pool for as long as a connection has something unsent, so that idle
//! connections hold none and busy ones find theirs warm.

use crate::log::Part;

/// Buffers of each kind that a pool keeps, the largest it keeps, and how much room all large ones
/// may have: more is given back to the allocator.
const POOLED: usize = 512;
const POOLED_BYTES_MAX: usize = 2 << 20;
const POOL_BYTES_MAX: usize = 8 << 20;

/// What a fresh buffer has room for.
const FRESH_BYTES: usize = 4 << 10;

/// A buffer of so many bytes waits as it is, rather than copied behind another; one of so much room is
/// large.
const WHOLE_BYTES: usize = 16 << 10;

/// A large one that fills a smaller part of its room is copied all the same: what waits for somebody
/// slow must not take memory by the room of its buffers.
const FILLED_PART: usize = 4;

/// Large ones are kept apart, so that who gives one gets one: growing one anew copies all of it.
pub(super) struct Pool {
    small: Vec<Vec<u8>>,
    large: Vec<Vec<u8>>,
    /// The room of the large ones: however many there are, answers find their small ones.
    bytes: usize,
}

impl Pool {
    pub(super) fn new() -> Self {
        Self { small: Vec::with_capacity(POOLED), large: Vec::new(), bytes: 0 }
    }

    fn take(&mut self) -> Vec<u8> {
        self.small.pop().unwrap_or_else(|| Vec::with_capacity(FRESH_BYTES))
    }

    /// One for somebody who gave one with so much room, or filled one so far.
    fn take_for(&mut self, bytes: usize) -> Vec<u8> {
        let large = (bytes >= WHOLE_BYTES).then(|| self.large.pop()).flatten();
        self.bytes -= large.as_ref().map_or(0, Vec::capacity);
        large.unwrap_or_else(|| self.take())
    }

    pub(super) fn give_back(&mut self, mut buffer: Vec<u8>) {
        buffer.clear();
        let room = buffer.capacity();
        if room < WHOLE_BYTES {
            if room > 0 && self.small.len() < POOLED {
                self.small.push(buffer);
            }
        } else if room <= POOLED_BYTES_MAX
            && self.large.len() < POOLED
            && self.bytes + room <= POOL_BYTES_MAX
        {
            self.bytes += room;
            self.large.push(buffer);
        }
    }
}

/// Bytes that leave as they are.
pub(super) enum Parcel {
    Own(Vec<u8>),
    Shared(Part),
}

impl Parcel {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Own(buffer) => buffer,
            Self::Shared(part) => part,
        }
    }
}

/// What one send carries, without an empty piece.
pub(super) enum Cargo {
    One(Vec<u8>),
    Several(Vec<Parcel>),
}

impl Cargo {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::One(buffer) => buffer.len(),
            Self::Several(parcels) => parcels.iter().map(|parcel| parcel.bytes().len()).sum(),
        }
    }

    /// What is left after `from` bytes, piece by piece.
    pub(super) fn pieces(&self, from: usize) -> impl Iterator<Item = &[u8]> {
        let (one, several) = match self {
            Self::One(buffer) => (Some(&buffer[..]), &[][..]),
            Self::Several(parcels) => (None, &parcels[..]),
        };
        let mut passed = from;
        one.into_iter().chain(several.iter().map(Parcel::bytes)).filter_map(move |bytes| {
            let left = bytes.get(passed..).filter(|left| !left.is_empty());
            passed = passed.saturating_sub(bytes.len());
            left
        })
    }
}

/// The buffers of one connection. `flying` counts the bytes of what is with the driver.
#[derive(Default)]
pub(super) struct Outbox {
    /// Before what `open` holds; none of them is empty.
    whole: Vec<Parcel>,
    open: Vec<u8>,
    flying: usize,
    is_flying: bool,
    /// What the last buffer that left held: the next will hold about as much.
    left: usize,
    /// For the next `whole`.
    spare: Vec<Parcel>,
}

impl Outbox {
    /// The buffer that gathers.
    pub(super) fn open(&mut self, pool: &mut Pool) -> &mut Vec<u8> {
        if self.open.capacity() == 0 {
            self.open = pool.take_for(self.left);
        }
        &mut self.open
    }

    /// Takes a whole buffer, and gives an empty one for it.
    pub(super) fn exchange(&mut self, mut bytes: Vec<u8>, pool: &mut Pool) -> Vec<u8> {
        let (length, room) = (bytes.len(), bytes.capacity());
        let is_filled = length >= room / FILLED_PART;
        if self.open.is_empty() && (is_filled || room < WHOLE_BYTES) {
            let spare = std::mem::replace(&mut self.open, bytes);
            if spare.capacity() > 0 { spare } else { pool.take_for(room) }
        } else if is_filled && length >= WHOLE_BYTES {
            self.whole.push(Parcel::Own(std::mem::replace(&mut self.open, bytes)));
            pool.take_for(room)
        } else {
            self.open(pool).extend_from_slice(&bytes);
            bytes.clear();
            bytes
        }
    }

    /// Takes a part that others have as well.
    pub(super) fn share(&mut self, part: Part) {
        if !self.open.is_empty() {
            self.whole.push(Parcel::Own(std::mem::take(&mut self.open)));
        }
        if !part.is_empty() {
            self.whole.push(Parcel::Shared(part));
        }
    }

    pub(super) fn unsent(&self) -> usize {
        let whole: usize = self.whole.iter().map(|parcel| parcel.bytes().len()).sum();
        whole + self.open.len() + self.flying
    }

    /// Of these, how many are on their way.
    pub(super) fn flying(&self) -> usize {
        self.flying
    }

    pub(super) fn is_flying(&self) -> bool {
        self.is_flying
    }

    pub(super) fn has_gathered(&self) -> bool {
        !self.open.is_empty() || !self.whole.is_empty()
    }

    /// What goes next, if something waits and nothing is on its way (IO2): all of it.
    pub(super) fn take_off(&mut self) -> Option<Cargo> {
        if self.is_flying || !self.has_gathered() {
            return None;
        }
        let open = std::mem::take(&mut self.open);
        self.left = open.len();
        let cargo = if self.whole.is_empty() {
            Cargo::One(open)
        } else {
            let mut parcels = std::mem::replace(&mut self.whole, std::mem::take(&mut self.spare));
            if !open.is_empty() {
                parcels.push(Parcel::Own(open));
            }
            Cargo::Several(parcels)
        };
        self.flying = cargo.len();
        self.is_flying = true;
        Some(cargo)
    }

    /// The kernel has taken `bytes` more of what is on its way; true if that was all of it.
    pub(super) fn sent(&mut self, bytes: usize) -> bool {
        assert!(self.is_flying && bytes <= self.flying, "IO2: more was sent than was on its way");
        self.flying -= bytes;
        self.flying == 0
    }

    /// The cargo is back, sent or not.
    pub(super) fn landed(&mut self, cargo: Cargo, pool: &mut Pool) {
        assert!(self.is_flying, "IO2: a buffer came back that was not on its way");
        self.is_flying = false;
        self.flying = 0;
        match cargo {
            Cargo::One(buffer) => pool.give_back(buffer),
            Cargo::Several(mut parcels) => {
                empty(&mut parcels, pool);
                self.spare = parcels;
            }
        }
    }

    /// Forgets what has not left.
    pub(super) fn discard(&mut self, pool: &mut Pool) {
        empty(&mut self.whole, pool);
        pool.give_back(std::mem::take(&mut self.open));
    }
}

fn empty(parcels: &mut Vec<Parcel>, pool: &mut Pool) {
    for parcel in parcels.drain(..) {
        if let Parcel::Own(buffer) = parcel {
            pool.give_back(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::log::Slab;

    fn bytes(cargo: &Cargo) -> Vec<u8> {
        cargo.pieces(0).flatten().copied().collect()
    }

    fn shared(bytes: &[u8]) -> Part {
        let mut slab = Slab::new(bytes.len());
        slab[..bytes.len()].copy_from_slice(bytes);
        Part::new(Arc::new(slab), 0..bytes.len())
    }

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
        assert_eq!(bytes(&outbox.take_off().unwrap()), b"twothree");
    }

    #[test]
    fn a_buffer_given_whole_is_not_copied() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::new());
        let bytes = vec![7; 100_000];
        let address = bytes.as_ptr();
        assert!(outbox.exchange(bytes, &mut pool).is_empty());
        let flying = outbox.take_off().unwrap();
        assert_eq!(flying.pieces(0).next().unwrap().as_ptr(), address);
    }

    #[test]
    fn what_others_have_too_is_not_copied_and_is_let_go_of() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::new());
        let part = shared(b"shared");
        outbox.share(part.clone());
        let flying = outbox.take_off().unwrap();
        assert_eq!(flying.pieces(0).next().unwrap().as_ptr(), part.as_ptr());
        assert!(outbox.sent(part.len()));
        outbox.landed(flying, &mut pool);
        outbox.share(part.clone());
        outbox.discard(&mut pool);
        assert_eq!((outbox.unsent(), outbox.has_gathered()), (0, false));
        assert_eq!(part.holders(), 1);
    }

    #[test]
    fn all_that_waits_leaves_together_and_in_order() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::new());
        outbox.open(&mut pool).extend_from_slice(b"first");
        let first = outbox.take_off().unwrap();
        assert!(matches!(&first, Cargo::One(buffer) if buffer == b"first"));
        let large = |byte| vec![byte; WHOLE_BYTES];
        for bytes in [b"a".to_vec(), large(b'b'), b"c".to_vec(), large(b'd'), large(b'e')] {
            assert!(outbox.exchange(bytes, &mut pool).is_empty());
        }
        outbox.share(shared(b"f"));
        outbox.share(shared(b""));
        outbox.open(&mut pool).push(b'g');
        outbox.share(shared(b"h"));
        assert_eq!(outbox.unsent(), 5 + 5 + 3 * WHOLE_BYTES);
        assert!(outbox.sent(5));
        outbox.landed(first, &mut pool);
        let second = outbox.take_off().unwrap();
        let (b, d, e) = (large(b'b'), large(b'd'), large(b'e'));
        let all = [b"a", &b[..], b"c", &d, &e, b"fgh"].concat();
        assert_eq!(bytes(&second), all);
        assert_eq!((second.len(), outbox.unsent()), (all.len(), all.len()));
        for from in [0, 1, 2, WHOLE_BYTES, WHOLE_BYTES + 1, all.len() - 2, all.len()] {
            let rest: Vec<u8> = second.pieces(from).flatten().copied().collect();
            assert_eq!(rest, all[from..]);
            assert!(second.pieces(from).all(|piece| !piece.is_empty()));
        }
        assert!(outbox.sent(all.len()));
        outbox.landed(second, &mut pool);
        assert!(outbox.take_off().is_none());
    }

    #[test]
    fn who_gives_a_large_buffer_gets_a_large_one() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::new());
        pool.give_back(Vec::with_capacity(100 << 10));
        pool.give_back(Vec::with_capacity(100));
        assert_eq!(outbox.exchange(vec![1; WHOLE_BYTES], &mut pool).capacity(), 100 << 10);
        assert_eq!(outbox.exchange(vec![2; WHOLE_BYTES], &mut pool).capacity(), 100);
        pool.give_back(Vec::with_capacity(100 << 10));
        assert!(pool.take().capacity() < WHOLE_BYTES, "a client's answer wants little");
        assert_eq!(pool.bytes, 100 << 10);
    }

    #[test]
    fn who_filled_a_large_buffer_gets_a_large_one_next() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::new());
        let mut say = |bytes: usize| {
            outbox.open(&mut pool).resize(bytes, 1);
            let buffer = outbox.take_off().unwrap();
            let Cargo::One(held) = &buffer else { panic!("nothing else waited") };
            let room = held.capacity();
            outbox.sent(bytes);
            outbox.landed(buffer, &mut pool);
            room
        };
        let grown = say(100 << 10);
        assert_eq!(say(1), grown);
        assert!(say(1) < WHOLE_BYTES, "what little is said takes little room");
    }

    #[test]
    fn what_waits_takes_little_more_memory_than_it_has_bytes() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::new());
        let room = |outbox: &Outbox| {
            let own = outbox.whole.iter().map(|parcel| match parcel {
                Parcel::Own(buffer) => buffer.capacity(),
                Parcel::Shared(_) => 0,
            });
            own.sum::<usize>() + outbox.open.capacity()
        };
        let roomy = |bytes| {
            let mut roomy = Vec::with_capacity(1 << 20);
            roomy.resize(bytes, 1);
            roomy
        };
        for _ in 0..1_000 {
            outbox.exchange(roomy(WHOLE_BYTES), &mut pool);
        }
        assert_eq!(outbox.unsent(), 1_000 * WHOLE_BYTES);
        assert!(room(&outbox) <= FILLED_PART * outbox.unsent(), "{}", room(&outbox));
        outbox.discard(&mut pool);
        for _ in 0..1_000 {
            outbox.exchange(roomy(20), &mut pool);
            outbox.share(shared(&[2; WHOLE_BYTES]));
        }
        assert!(room(&outbox) <= outbox.unsent(), "{}", room(&outbox));
    }

    #[test]
    fn what_a_burst_made_large_is_kept_up_to_a_bound() {
        let mut pool = Pool::new();
        for _ in 0..100 {
            pool.give_back(Vec::with_capacity(1 << 20));
        }
        let kept: usize = pool.large.iter().map(Vec::capacity).sum();
        assert!(0 < kept && kept <= POOL_BYTES_MAX && kept == pool.bytes);
        pool.give_back(Vec::with_capacity(100));
        assert_eq!(pool.take().capacity(), 100, "a small one is kept all the same");
    }

    #[test]
    fn what_is_discarded_is_not_sent() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::new());
        for _ in 0..3 {
            outbox.exchange(vec![1; WHOLE_BYTES], &mut pool);
        }
        outbox.discard(&mut pool);
        assert_eq!(outbox.unsent(), 0);
        assert!(outbox.take_off().is_none() && !outbox.has_gathered());
    }

    #[test]
    fn a_connection_with_nothing_to_say_holds_no_buffer() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::new());
        outbox.open(&mut pool).push(1);
        let buffer = outbox.take_off().unwrap();
        outbox.sent(1);
        outbox.landed(buffer, &mut pool);
        assert_eq!(outbox.open.capacity(), 0);
        assert_eq!(pool.small.len(), 1);
    }
}
