//! The core's share of a snapshot: the body of one moment, in slices between other work.
//!
//! Sessions and lists are written at the beginning, whole; znodes follow slice by slice while the
//! tree goes on. Checksums, sections and the disk are somebody else's time (`writer`).

use ringkeeper_engine::jute::Writer;
use ringkeeper_engine::zxid::Zxid;

use super::TERMINATOR;
use crate::acl::AclTable;
use crate::digest::TreeDigest;
use crate::tree::{CheckpointStep, Tree};
use crate::wire::SessionId;

/// A snapshot under way.
pub struct Cut {
    zxid: Zxid,
    digest: TreeDigest,
    /// Sessions and lists, until the first slice takes them.
    head: Vec<u8>,
}

impl Cut {
    /// Fixes the moment: `zxid` is the last one applied, `digest` the tree's after it.
    pub fn begin(
        tree: &mut Tree,
        acls: &AclTable,
        sessions: impl ExactSizeIterator<Item = (SessionId, i32)>,
        zxid: Zxid,
        digest: TreeDigest,
    ) -> Self {
        let mut head = Vec::new();
        let mut writer = Writer(&mut head);
        writer.count(sessions.len());
        for (session, timeout_ms) in sessions {
            writer.long(session.0);
            writer.int(timeout_ms);
        }
        acls.encode(&mut head);
        tree.begin_checkpoint();
        Self { zxid, digest, head }
    }

    pub fn zxid(&self) -> Zxid {
        self.zxid
    }

    pub fn digest(&self) -> TreeDigest {
        self.digest
    }

    /// Appends the next piece of the body: what changed meanwhile, then up to `steps` of the walk
    /// through the tree, fewer if `out` grows beyond `bytes`. After `Done` the body is whole.
    pub fn slice(
        &mut self,
        tree: &mut Tree,
        steps: u32,
        bytes: usize,
        out: &mut Vec<u8>,
    ) -> CheckpointStep {
        out.append(&mut self.head);
        let step = tree.checkpoint_slice(steps, bytes, out);
        if step == CheckpointStep::Done {
            out.extend_from_slice(&TERMINATOR);
        }
        step
    }

    /// The whole body at once, for where nothing waits.
    pub fn whole(mut self, tree: &mut Tree) -> Vec<u8> {
        let mut out = Vec::new();
        let step = self.slice(tree, u32::MAX, usize::MAX, &mut out);
        assert_eq!(step, CheckpointStep::Done, "a slice without bounds ends the walk");
        out
    }
}
