//! Segments prepared and removed beside the reactor, by a thread that yields to everything else.
//!
//! It yields the disk too: a segment's zeros keep a pace, so that no commit's flush has to wait for
//! tens of megabytes of them. When the log asks for another segment before the last is ready, it has
//! begun its last spare and may come to need that one, which then keeps no pace any more.

use std::sync::Arc;

use super::directory::Directory;
use super::pace::{Hurry, Pace, yield_to_others};
use super::prepare;
use crate::io::Waker;
use crate::io::worker::Worker;
use crate::log::{DiskDone, DiskOp};

/// How fast a segment is filled with zeros: faster than most logs grow, and a tenth of what the disk
/// took on which this was measured (`perf/notebook.md`). A slower disk than this sets its own pace.
const BYTES_PER_SECOND: u64 = 128 << 20;

struct Chore {
    op: DiskOp,
    pace: Pace,
}

pub(in crate::io) struct Chores {
    worker: Worker<Chore>,
    /// Of the preparation asked for last.
    hurry: Option<Hurry>,
}

impl Chores {
    pub(in crate::io) fn new(directory: Arc<Directory>, waker: Waker) -> Self {
        let act = move |chore: Chore| carry_out(&directory, chore);
        Self { worker: Worker::new("segments", waker, act), hurry: None }
    }

    /// Starts a `Prepare` or a `Remove`; answers at once only if there can be no thread.
    pub(in crate::io) fn start(&mut self, op: DiskOp) -> Option<DiskDone> {
        let (pace, hurry) = Pace::new(BYTES_PER_SECOND);
        if let DiskOp::Prepare { .. } = op
            && let Some(before) = self.hurry.replace(hurry)
        {
            before.up();
        }
        let refused = self.worker.start(Chore { op, pace }).err();
        refused.map(|(chore, errno)| done(&chore.op, Err(errno.0)))
    }

    pub(in crate::io) fn collect(&mut self, take: impl FnMut(DiskDone)) {
        self.worker.collect(take);
    }
}

impl Drop for Chores {
    /// The worker's end waits for what is being done.
    fn drop(&mut self) {
        if let Some(hurry) = &self.hurry {
            hurry.up();
        }
    }
}

fn carry_out(directory: &Directory, Chore { op, mut pace }: Chore) -> DiskDone {
    yield_to_others();
    let result = match op {
        DiskOp::Prepare { segment, bytes, recycle } => {
            prepare::prepare(directory, segment, bytes, recycle, &mut pace)
        }
        DiskOp::Remove { segment } => prepare::remove(directory, segment),
        DiskOp::Write { .. } | DiskOp::Flush { .. } => unreachable!("the reactor's own work"),
    };
    done(&op, result.map_err(|errno| errno.raw_os_error()))
}

fn done(op: &DiskOp, result: Result<(), i32>) -> DiskDone {
    match *op {
        DiskOp::Prepare { segment, .. } => DiskDone::Prepared { segment, result },
        DiskOp::Remove { segment } => DiskDone::Removed { segment, result },
        DiskOp::Write { .. } | DiskOp::Flush { .. } => unreachable!("the reactor's own work"),
    }
}
