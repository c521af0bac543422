//! Names and data of znodes: bytes of any length, in slots of a few sizes.
//!
//! A run is memory for up to 1,024 slots of one size, taken in one piece and filled from its front; a
//! slot that was given back is used again before, the lowest of its run first. So a new znode costs no
//! allocation, a length that changes a little stays where it is, and a slot is 15 bytes too long at
//! most, or an eighth. A run that has emptied goes back, but for one of each size.
//!
//! Not here: whose bytes they are (`znode`, `arena`).

use std::mem;

use super::stock::{Empty, Stock};
use super::vacancies::Vacancies;
use super::znode::NONE;

/// Where a content is: a run and a slot of it. Valid until it is given back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place(u32);

impl Place {
    /// Of what has no content.
    pub(super) const NOWHERE: Self = Self(NONE);

    fn new(run: usize, slot: u32) -> Self {
        let run = u32::try_from(run).ok().filter(|run| *run <= NONE >> SLOT_BITS);
        let run = run.expect("so many runs are terabytes, above every machine's memory");
        Self(run << SLOT_BITS | slot)
    }

    fn run(self) -> usize {
        (self.0 >> SLOT_BITS) as usize
    }

    fn slot(self) -> usize {
        self.0 as usize % SLOTS_MAX
    }
}

const SLOT_BITS: u32 = 10;
const SLOTS_MAX: usize = 1 << SLOT_BITS;

/// Bytes of a run whose slots are large.
const RUN_BYTES: usize = 1 << 20;

/// Sizes of slots: in steps of 16 bytes up to 128, then eight steps each time that they double.
const SIZES: usize = 8 + 8 * 9;

/// The largest of them; a content that is longer has a run of its own, as long as it is.
const SLOT_BYTES_MAX: usize = 64 << 10;

/// The size in which so many bytes fit best.
fn size_of_slot(bytes: usize) -> (usize, usize) {
    if bytes <= 128 {
        let steps = bytes.div_ceil(16).max(1);
        return (steps - 1, steps * 16);
    }
    // The power of two below, and how many of its eighths come on top.
    let power = (bytes - 1).ilog2();
    let eighth = 1 << (power - 3);
    let eighths = bytes.div_ceil(eighth);
    (8 * (power as usize - 7) + eighths - 1, eighths * eighth)
}

pub(super) struct Contents {
    runs: Vec<Run>,
    /// By size: the runs that have a free slot.
    open: Vec<Vec<usize>>,
    /// Numbers of runs that have gone back.
    vacant: Vec<usize>,
    /// A name on its way from one slot to another.
    moving: Vec<u8>,
    /// The arena's too.
    pub(super) stock: Box<dyn Stock>,
}

struct Run {
    /// The slots that were ever used, one behind the other.
    memory: Vec<u8>,
    slot_bytes: usize,
    slots: usize,
    /// Where it stands in `Contents::open`: the size, and the place there while it has a free slot.
    size: usize,
    open_at: usize,
    used: usize,
    /// Of the slots that were ever used.
    vacancies: Vacancies<{ SLOTS_MAX / 64 }>,
}

impl Run {
    fn is_full(&self) -> bool {
        self.used == self.slots
    }

    /// Takes a free slot for a name and data.
    fn fill(&mut self, name: &[u8], data: &[u8]) -> u32 {
        self.used += 1;
        let Some(slot) = self.vacancies.take() else {
            let slot = (self.memory.len() / self.slot_bytes) as u32;
            let end = self.memory.len() + self.slot_bytes;
            self.memory.extend_from_slice(name);
            self.memory.extend_from_slice(data);
            self.memory.resize(end, 0);
            return slot;
        };
        let memory = &mut self.memory[slot * self.slot_bytes..][..self.slot_bytes];
        memory[..name.len()].copy_from_slice(name);
        memory[name.len()..][..data.len()].copy_from_slice(data);
        slot as u32
    }

    fn give_back(&mut self, slot: usize) {
        self.used -= 1;
        self.vacancies.put(slot);
    }
}

impl Contents {
    pub(super) fn new() -> Self {
        let open = (0..SIZES).map(|_| Vec::new()).collect();
        Self {
            runs: Vec::new(),
            open,
            vacant: Vec::new(),
            moving: Vec::new(),
            stock: Box::new(Empty),
        }
    }

    /// Keeps a name and, behind it, data.
    pub(super) fn put(&mut self, name: &[u8], data: &[u8]) -> Place {
        let bytes = name.len() + data.len();
        if bytes > SLOT_BYTES_MAX {
            let run = self.add(SIZES, bytes, 1);
            return Place::new(run, self.runs[run].fill(name, data));
        }
        let (size, slot_bytes) = size_of_slot(bytes);
        let number = match self.open[size].last() {
            Some(number) => *number,
            None => {
                let slots = SLOTS_MAX.min(RUN_BYTES / slot_bytes);
                let number = self.add(size, slot_bytes, slots);
                self.open[size].push(number);
                number
            }
        };
        let run = &mut self.runs[number];
        let slot = run.fill(name, data);
        if run.is_full() {
            self.open[size].pop();
        }
        Place::new(number, slot)
    }

    /// The first `length` bytes that are kept there.
    pub(super) fn get(&self, place: Place, length: usize) -> &[u8] {
        let run = &self.runs[place.run()];
        let start = place.slot() * run.slot_bytes;
        &run.memory[start..start + length]
    }

    /// Other data behind the name, whose length is given, as that of both so far; where it is then.
    pub(super) fn set_data(
        &mut self,
        place: Place,
        (name, before): (usize, usize),
        data: &[u8],
    ) -> Place {
        let bytes = name + data.len();
        let run = &mut self.runs[place.run()];
        let fits = || bytes <= SLOT_BYTES_MAX && run.size == size_of_slot(bytes).0;
        if bytes == before || fits() {
            let start = place.slot() * run.slot_bytes;
            run.memory[start + name..start + bytes].copy_from_slice(data);
            return place;
        }
        let mut moving = mem::take(&mut self.moving);
        moving.clear();
        moving.extend_from_slice(self.get(place, name));
        self.give_back(place);
        let place = self.put(&moving, data);
        self.moving = moving;
        place
    }

    pub(super) fn give_back(&mut self, place: Place) {
        let number = place.run();
        let run = &mut self.runs[number];
        let was_full = run.is_full();
        run.give_back(place.slot());
        let (is_empty, size) = (run.used == 0, run.size);
        let Some(open) = self.open.get_mut(size) else {
            return self.drop_run(number);
        };
        if was_full {
            run.open_at = open.len();
            open.push(number);
        }
        if !is_empty {
            return;
        }
        if open.len() == 1 {
            // The next ones of this size will fill it from its front again.
            run.memory.clear();
            run.vacancies = Vacancies::none();
            return;
        }
        let at = run.open_at;
        open.swap_remove(at);
        if let Some(moved) = open.get(at) {
            self.runs[*moved].open_at = at;
        }
        self.drop_run(number);
    }

    fn add(&mut self, size: usize, slot_bytes: usize, slots: usize) -> usize {
        let bytes = slot_bytes * slots;
        // A run for one content alone is of a size that nobody may want again.
        let ready = if size < SIZES { self.stock.run(bytes) } else { None };
        let memory = ready.unwrap_or_else(|| Vec::with_capacity(bytes));
        let vacancies = Vacancies::none();
        let run = Run { memory, slot_bytes, slots, size, open_at: 0, used: 0, vacancies };
        match self.vacant.pop() {
            Some(number) => {
                self.runs[number] = run;
                number
            }
            None => {
                self.runs.push(run);
                self.runs.len() - 1
            }
        }
    }

    fn drop_run(&mut self, number: usize) {
        self.runs[number].memory = Vec::new();
        self.vacant.push(number);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Has one run of each size, and none above those of slots.
    struct OfSlots;

    impl Stock for OfSlots {
        fn chunk(&mut self) -> Option<super::super::stock::Chunk> {
            None
        }

        fn run(&mut self, bytes: usize) -> Option<Vec<u8>> {
            assert!(bytes <= RUN_BYTES, "it would be made ready for nobody");
            Some(Vec::with_capacity(bytes))
        }
    }

    #[test]
    fn memory_that_is_ready_is_taken_for_slots_alone() {
        let mut contents = Contents::new();
        contents.stock = Box::new(OfSlots);
        for bytes in [0, 100, SLOT_BYTES_MAX, SLOT_BYTES_MAX + 1, 3 << 20] {
            let place = contents.put(b"name", &vec![7; bytes]);
            assert!(contents.get(place, 4 + bytes).ends_with(&vec![7; bytes]));
        }
    }

    #[test]
    fn sizes_ascend_and_waste_an_eighth_at_most() {
        let mut last = (0, 16);
        for bytes in 1..=SLOT_BYTES_MAX {
            let (size, slot_bytes) = size_of_slot(bytes);
            assert!(size < SIZES && slot_bytes >= bytes, "{bytes}");
            assert!(slot_bytes - bytes < 16.max(bytes.div_ceil(8)), "{bytes}: {slot_bytes}");
            if (size, slot_bytes) != last {
                assert_eq!(size, last.0 + 1, "{bytes}");
                assert!(slot_bytes > last.1 && last.1 == bytes - 1, "{bytes}");
                last = (size, slot_bytes);
            }
        }
        assert_eq!(last, (SIZES - 1, SLOT_BYTES_MAX));
        assert_eq!(size_of_slot(0), (0, 16));
    }

    fn bytes_held(contents: &Contents) -> usize {
        contents.runs.iter().map(|run| run.memory.capacity()).sum()
    }

    /// Against a plain map; nobody's bytes are another's, and memory of what has gone goes back.
    #[test]
    fn contents_come_change_and_go() {
        for seed in 1..6_u64 {
            let mut draw = seed;
            let mut next = |below: u64| {
                draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed | 1);
                (draw >> 33) % below
            };
            let mut contents = Contents::new();
            let mut kept: BTreeMap<u64, (Place, Vec<u8>, usize)> = BTreeMap::new();
            for round in 0..20_000 {
                let key = next(3_000);
                let long = if next(100) == 0 { 100_000 } else { 300 };
                let text = vec![next(256) as u8; next(long) as usize];
                match kept.remove(&key) {
                    None => {
                        let name = key.to_string().into_bytes();
                        let place = contents.put(&name, &text);
                        kept.insert(key, (place, [&name[..], &text].concat(), name.len()));
                    }
                    Some((place, bytes, _)) if next(3) == 0 => {
                        assert_eq!(contents.get(place, bytes.len()), bytes);
                        contents.give_back(place);
                    }
                    Some((place, bytes, name)) => {
                        let place = contents.set_data(place, (name, bytes.len()), &text);
                        let bytes = [&bytes[..name], &text].concat();
                        kept.insert(key, (place, bytes, name));
                    }
                }
                if round % 500 == 0 {
                    for (place, bytes, _) in kept.values() {
                        assert_eq!(contents.get(*place, bytes.len()), bytes);
                    }
                }
            }
            for (place, ..) in kept.into_values() {
                contents.give_back(place);
            }
            assert!(contents.runs.iter().all(|run| run.used == 0));
            let of_each_size = contents.open.iter().filter(|open| !open.is_empty()).count();
            assert!(contents.open.iter().all(|open| open.len() <= 1), "one of each size stays");
            assert!(bytes_held(&contents) <= of_each_size * RUN_BYTES);
        }
    }

    #[test]
    fn many_of_one_size_leave_one_run_behind() {
        let mut contents = Contents::new();
        let places: Vec<Place> = (0..10_000).map(|_| contents.put(b"name", &[7; 100])).collect();
        let runs = contents.runs.len();
        assert_eq!(runs, 10);
        for place in places {
            contents.give_back(place);
        }
        assert_eq!(bytes_held(&contents), SLOTS_MAX * 112);
        for _ in 0..10_000 {
            contents.put(b"name", &[7; 100]);
        }
        assert_eq!(contents.runs.len(), runs, "numbers are used again");
    }
}
