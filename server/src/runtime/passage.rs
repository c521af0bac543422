//! From the thread that recovers the log to the one that makes the tree meanwhile: packets, in
//! pieces, a bounded number of them at a time.
//!
//! The tree wants the snapshot first, so recovery may have to wait; nothing is read twice for it.
//!
//! Not here: what recovery takes for whole (`engine::log`), what the packets do (`member::load`).

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use ringkeeper_engine::log::Passed;

/// Bytes of a piece, about.
const PIECE_BYTES: usize = 1 << 20;

/// Pieces that may wait.
const PIECES: usize = 16;

/// The end where packets go in.
pub(super) struct Passage {
    filling: Vec<u8>,
    /// Gone where nothing of what was sent counts, or nobody receives.
    pieces: Option<SyncSender<Vec<u8>>>,
    emptied: Receiver<Vec<u8>>,
    is_whole: bool,
}

/// The end where they come out, piece by piece.
pub(super) struct Packets {
    pieces: Receiver<Vec<u8>>,
    emptied: Sender<Vec<u8>>,
}

/// A piece, whose memory goes back when it has been read.
pub(super) struct Piece {
    bytes: Vec<u8>,
    emptied: Sender<Vec<u8>>,
}

pub(super) fn passage() -> (Passage, Packets) {
    let (send, pieces) = sync_channel(PIECES);
    let (back, emptied) = channel();
    let passage = Passage { filling: Vec::new(), pieces: Some(send), emptied, is_whole: true };
    (passage, Packets { pieces, emptied: back })
}

impl Passage {
    pub(super) fn pass(&mut self, passed: Passed<'_>) {
        match passed {
            Passed::Packets(run) if self.pieces.is_some() => {
                self.filling.extend_from_slice(run);
                if self.filling.len() >= PIECE_BYTES {
                    self.send();
                }
            }
            Passed::Packets(_) => {}
            Passed::Void => {
                self.is_whole = false;
                self.pieces = None;
            }
        }
    }

    /// Nothing more comes; whether all that was passed still counts.
    pub(super) fn end(mut self) -> bool {
        self.send();
        self.is_whole
    }

    fn send(&mut self) {
        let next = self.emptied.try_recv().unwrap_or_default();
        let piece = std::mem::replace(&mut self.filling, next);
        let Some(pieces) = &self.pieces else { return };
        if pieces.send(piece).is_err() {
            self.pieces = None;
        }
    }
}

impl Iterator for Packets {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let bytes = self.pieces.recv().ok()?;
        Some(Piece { bytes, emptied: self.emptied.clone() })
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        // Recovery may be over.
        let _unneeded = self.emptied.send(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(packets: Packets) -> Vec<u8> {
        packets.flat_map(|piece| piece.as_ref().to_vec()).collect()
    }

    #[test]
    fn what_goes_in_comes_out_in_order() {
        let (mut passage, packets) = passage();
        let runs: Vec<Vec<u8>> = (0..200_u8).map(|n| vec![n; 200_000]).collect();
        let all = runs.concat();
        let came = std::thread::scope(|scope| {
            let receiver = scope.spawn(move || received(packets));
            for run in &runs {
                passage.pass(Passed::Packets(run));
            }
            assert!(passage.end());
            receiver.join().unwrap()
        });
        assert!(came == all, "{} bytes of {}", came.len(), all.len());
    }

    #[test]
    fn nobody_waits_for_who_is_gone() {
        let (mut passage, packets) = passage();
        drop(packets);
        for _ in 0..2 * PIECES {
            passage.pass(Passed::Packets(&[0; PIECE_BYTES]));
        }
        assert!(passage.end());
    }

    #[test]
    fn what_is_given_up_does_not_count() {
        let (mut passage, packets) = passage();
        passage.pass(Passed::Packets(b"old"));
        passage.pass(Passed::Void);
        passage.pass(Passed::Packets(b"new"));
        assert!(!passage.end());
        assert_eq!(received(packets), b"");
    }
}
