//! Which slots of a stretch of memory are vacant.
//!
//! The lowest is given first. So what comes together lies together, in whatever order others went,
//! and memory is walked from front to back.
//!
//! Perf: a list through the slots themselves is walked in the order in which they were vacated, and
//! each step waits for memory that was not asked for: in a tree whose znodes come and go a create
//! took a quarter longer for it (perf/notebook.md).
//!
//! Not here: what stands in a slot (`arena`, `contents`).

/// Of `64 * WORDS` slots.
pub(super) struct Vacancies<const WORDS: usize> {
    /// A bit each, set where the slot is vacant.
    words: [u64; WORDS],
    /// All before this word are 0.
    from: usize,
    count: usize,
}

impl<const WORDS: usize> Vacancies<WORDS> {
    pub(super) const fn none() -> Self {
        Self { words: [0; WORDS], from: WORDS, count: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The slot is vacant from here on.
    pub(super) fn put(&mut self, slot: usize) {
        let (word, bit) = (slot / 64, 1 << (slot % 64));
        assert!(self.words[word] & bit == 0, "slot {slot} was vacated twice");
        self.words[word] |= bit;
        self.from = self.from.min(word);
        self.count += 1;
    }

    /// The lowest, which is vacant no more.
    pub(super) fn take(&mut self) -> Option<usize> {
        let ahead = self.words[self.from..].iter().position(|word| *word != 0);
        self.from += ahead.unwrap_or(WORDS - self.from);
        let word = self.words.get_mut(self.from)?;
        let bit = word.trailing_zeros() as usize;
        *word &= *word - 1;
        self.count -= 1;
        Some(self.from * 64 + bit)
    }

    /// The lowest from `slot` on that is not vacant.
    pub(super) fn next_taken(&self, slot: usize) -> Option<usize> {
        if self.count == 64 * WORDS {
            return None;
        }
        let mut word = slot / 64;
        let mut taken = !*self.words.get(word)? & (u64::MAX << (slot % 64));
        while taken == 0 {
            word += 1;
            taken = !*self.words.get(word)?;
        }
        Some(word * 64 + taken.trailing_zeros() as usize)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_lowest_comes_first_and_each_comes_once() {
        let mut vacancies = Vacancies::<3>::none();
        let mut model = BTreeSet::new();
        let mut draw = 1_u64;
        for _ in 0..20_000 {
            draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let slot = (draw >> 33) as usize % 192;
            if draw >> 62 == 0 {
                assert_eq!(vacancies.take(), model.pop_first());
            } else if model.insert(slot) {
                vacancies.put(slot);
            } else if draw >> 62 == 1 {
                while let Some(lowest) = model.pop_first() {
                    assert_eq!(vacancies.take(), Some(lowest));
                }
            }
            assert_eq!(vacancies.is_empty(), model.is_empty());
            let taken = (slot..192).find(|slot| !model.contains(slot));
            assert_eq!(vacancies.next_taken(slot), taken);
        }
    }

    #[test]
    #[should_panic(expected = "twice")]
    fn what_is_vacant_is_not_vacated() {
        let mut vacancies = Vacancies::<1>::none();
        vacancies.put(63);
        vacancies.put(63);
    }
}
