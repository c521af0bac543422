//! What a connection waits for, in the order of its requests.
//!
//! Requests that must wait are kept as the bytes they came in, one after another in one buffer
//! that is reused, so that a pipelining client costs no allocation a request.
//!
//! Not here: deciding what must wait (`member`).

use std::collections::VecDeque;

/// One request that has not been answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Handed to the quorum; answered when the txn with this cxid commits.
    Write { xid: i32, op: i32, since_ms: u64 },
    /// On a learner, until the leader's SYNC arrives; `length` bytes of request are kept.
    Sync { length: usize, since_ms: u64 },
    /// Ready to be carried out once it is at the head; `length` bytes of frame are kept.
    Local { length: usize, since_ms: u64 },
    /// Refused at once, but in its turn.
    Refused { xid: i32, op: i32, error: i32, since_ms: u64 },
}

impl Waiting {
    fn length(self) -> usize {
        match self {
            Self::Local { length, .. } | Self::Sync { length, .. } => length,
            Self::Write { .. } | Self::Refused { .. } => 0,
        }
    }

    pub fn since_ms(self) -> u64 {
        match self {
            Self::Write { since_ms, .. }
            | Self::Sync { since_ms, .. }
            | Self::Local { since_ms, .. }
            | Self::Refused { since_ms, .. } => since_ms,
        }
    }
}

/// A queue of what waits, with the bytes that belong to it.
#[derive(Debug, Default)]
pub struct Held {
    waiting: VecDeque<Waiting>,
    bytes: Vec<u8>,
    head: usize,
    /// SYNCs of the leader that belong to syncs in here; they come in the order of the syncs.
    syncs_arrived: usize,
}

impl Held {
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    pub fn first(&self) -> Option<Waiting> {
        self.waiting.front().copied()
    }

    /// Appends; `bytes` are those that `waiting` says it keeps.
    pub fn push(&mut self, waiting: Waiting, bytes: &[u8]) {
        assert_eq!(waiting.length(), bytes.len(), "a held request keeps exactly its own bytes");
        self.bytes.extend_from_slice(bytes);
        self.waiting.push_back(waiting);
    }

    /// The leader has answered the oldest sync in here that it had not answered.
    pub fn sync_arrived(&mut self) {
        self.syncs_arrived += 1;
    }

    /// Whether the first can be answered now.
    pub fn is_ready(&self) -> bool {
        match self.first() {
            Some(Waiting::Local { .. } | Waiting::Refused { .. }) => true,
            Some(Waiting::Sync { .. }) => self.syncs_arrived > 0,
            Some(Waiting::Write { .. }) | None => false,
        }
    }

    /// Takes the write at the head, which keeps no bytes.
    pub fn pop_write(&mut self) {
        let first = self.waiting.pop_front();
        assert!(matches!(first, Some(Waiting::Write { .. })), "F1: {first:?} is no write");
    }

    /// Takes the first and copies its bytes into `frame`, which is emptied before.
    pub fn pop(&mut self, frame: &mut Vec<u8>) -> Option<Waiting> {
        let first = self.waiting.pop_front()?;
        if matches!(first, Waiting::Sync { .. }) {
            self.syncs_arrived = self.syncs_arrived.saturating_sub(1);
        }
        let end = self.head + first.length();
        frame.clear();
        frame.extend_from_slice(&self.bytes[self.head..end]);
        self.head = end;
        if self.head == self.bytes.len() {
            self.bytes.clear();
            self.head = 0;
        } else if self.head > (64 << 10) && self.head > self.bytes.len() / 2 {
            self.bytes.drain(..self.head);
            self.head = 0;
        }
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f1_what_waits_comes_back_in_order_with_its_own_bytes() {
        let mut held = Held::default();
        let mut frame = Vec::new();
        held.push(Waiting::Write { xid: 1, op: 5, since_ms: 0 }, b"");
        for round in 0..10_000usize {
            let body = vec![round as u8; round % 40];
            held.push(Waiting::Local { length: body.len(), since_ms: 0 }, &body);
            if round >= 10 {
                let expected = round - 10;
                match held.pop(&mut frame) {
                    Some(Waiting::Write { xid, .. }) => assert_eq!((xid, round), (1, 10)),
                    Some(Waiting::Local { .. }) => {
                        assert_eq!(frame, vec![(expected - 1) as u8; (expected - 1) % 40]);
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        assert!(held.bytes.len() < (256 << 10), "the buffer follows what waits");
    }
}
