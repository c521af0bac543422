//! Looking ahead: the znodes that requests and txns will ask for, before their turn comes.
//!
//! Several go together, because the memory of a large tree is far (`tree::look_ahead`). What is
//! looked at is a hint: nothing here judges bytes.
//!
//! Not here: what is done with them (`client`, `learner`, `commit`).

use ringkeeper_engine::zxid::Zxid;

use super::Member;
use crate::frontend::{Frame, split};
use crate::tree::AHEAD;
use crate::txn;
use crate::wire::{OpCode, OpKind, path_ahead};

/// Of a request: xid and op.
const HEADER_BYTES: usize = 8;

impl Member {
    /// For the frames at the head of a client's bytes, as many as may have their turn now: how many
    /// were looked at, at least one. A learner looks nothing up for a write.
    pub(super) fn look_ahead_of_frames(&self, bytes: &[u8], frames_max: usize) -> usize {
        let tree = &self.db.tree;
        if !tree.looks_ahead() {
            return usize::MAX;
        }
        let frame_bytes_max = self.options.config.connections.frame_bytes_max;
        // One alone has nobody to wait together with.
        if matches!(split(bytes, frame_bytes_max), Ok(Frame::Whole { taken, .. }) if taken == bytes.len())
        {
            return 1;
        }
        let (mut rest, mut count) = (bytes, 0);
        let frames = std::iter::from_fn(|| match split(rest, frame_bytes_max) {
            Ok(Frame::Whole { body, taken }) => {
                rest = &rest[taken..];
                count += 1;
                Some(body)
            }
            _ => None,
        });
        let is_learner = self.role.is_learner();
        let paths = frames.take(AHEAD.min(frames_max)).filter_map(|frame| {
            let (header, body) = frame.split_at_checked(HEADER_BYTES)?;
            let op = OpCode::from_code(i32::from_be_bytes(*header.last_chunk()?))?;
            let is_looked_up = op.kind() == OpKind::Read || !is_learner;
            path_ahead(body).filter(|_| is_looked_up)
        });
        tree.look_ahead(paths);
        count.max(1)
    }

    /// For the next of the requests that a learner forwards, after so many.
    pub(super) fn look_ahead_of_forwarded<'r>(&self, bodies: impl Iterator<Item = &'r [u8]>) {
        let tree = &self.db.tree;
        if tree.looks_ahead() {
            tree.look_ahead(bodies.filter_map(path_ahead));
        }
    }

    /// For the next txns up to `upto`.
    pub(super) fn look_ahead_of_txns(&self, upto: Zxid) {
        let tree = &self.db.tree;
        if tree.looks_ahead() {
            let next = self.replica.proposals().payloads(self.db.last_zxid(), upto);
            tree.look_ahead(next.filter_map(|(_, payload)| txn::path_ahead(payload)));
        }
    }
}
