//! Purging: segments that the newest snapshot makes needless are recycled or go.
//!
//! Not here: which snapshots are kept (the server).

use super::Log;
use super::disk::DiskOp;
use crate::zxid::Zxid;

impl Log {
    /// Gives up the segments that lie wholly at or below `upto`, a zxid at or below the newest
    /// verified snapshot: whatever of them survives a crash, the snapshot makes it needless.
    pub fn purge(&mut self, upto: Zxid, out: &mut Vec<DiskOp>) {
        if self.failed.is_some() || self.damage.is_some() {
            return;
        }
        let snapshot = self.superblock.record().snapshot;
        assert!(snapshot.is_some_and(|zxid| upto <= zxid), "purged only behind a snapshot");
        let mut base = None;
        // The segment where the durable part ends stays: it connects what follows.
        let kept = self.durable.segment;
        while let Some(segment) =
            self.segments.pop_front_if(|front| front.header.number < kept && front.last <= upto)
        {
            base = Some(segment.last);
            self.spares.purged(segment.header.number, segment.size, out);
        }
        if let Some(base) = base {
            self.history.purge(base);
            for (number, size) in self.orphans.drain(..) {
                self.spares.purged(number, size, out);
            }
        }
    }
}
