//! Bytes that came on a connection and were not taken yet.
//!
//! What is taken only moves a mark: a pipelining client that is read a few requests at a time costs
//! no moving of all that waits behind them.
//!
//! Not here: cutting them into frames (`frames`).

/// Taken bytes are kept in front of the others up to here.
const TAKEN_KEPT: usize = 64 << 10;

#[derive(Debug, Default)]
pub struct Unread {
    bytes: Vec<u8>,
    taken: usize,
}

impl Unread {
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn len(&self) -> usize {
        self.bytes.len() - self.taken
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    pub fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The first `count` are done with.
    pub fn take(&mut self, count: usize) {
        self.taken += count;
        if self.taken == self.bytes.len() {
            self.bytes.clear();
            self.taken = 0;
        } else if self.taken > TAKEN_KEPT && self.taken > self.bytes.len() / 2 {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_what_was_not_taken() {
        let mut unread = Unread::default();
        let mut model: Vec<u8> = Vec::new();
        for round in 0..20_000usize {
            let came = vec![round as u8; round % 50];
            unread.append(&came);
            model.extend_from_slice(&came);
            let taken = (round * 7 % 52).min(model.len());
            unread.take(taken);
            model.drain(..taken);
            assert_eq!((unread.bytes(), unread.is_empty()), (&model[..], model.is_empty()));
        }
        assert!(unread.bytes.len() < model.len() + 2 * TAKEN_KEPT + 100);
    }
}
