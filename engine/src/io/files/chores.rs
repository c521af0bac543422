//! Segments prepared and removed beside the reactor, by a thread that yields to everything else.

use std::sync::Arc;

use super::directory::Directory;
use super::prepare;
use crate::io::Waker;
use crate::io::worker::Worker;
use crate::log::{DiskDone, DiskOp};

const NICE: i32 = 10;

pub(in crate::io) struct Chores {
    worker: Worker<DiskOp>,
}

impl Chores {
    pub(in crate::io) fn new(directory: Arc<Directory>, waker: Waker) -> Self {
        let act = move |op| carry_out(&directory, &op);
        Self { worker: Worker::new("segments", waker, act) }
    }

    /// Starts a `Prepare` or a `Remove`; answers at once only if there can be no thread.
    pub(in crate::io) fn start(&mut self, op: DiskOp) -> Option<DiskDone> {
        self.worker.start(op).err().map(|(op, errno)| done(&op, Err(errno.0)))
    }

    pub(in crate::io) fn collect(&mut self, take: impl FnMut(DiskDone)) {
        self.worker.collect(take);
    }
}

fn carry_out(directory: &Directory, op: &DiskOp) -> DiskDone {
    // A thread that may not yield does its work all the same.
    let _ = rustix::process::setpriority_process(None, NICE);
    let result = match *op {
        DiskOp::Prepare { segment, bytes, recycle } => {
            prepare::prepare(directory, segment, bytes, recycle)
        }
        DiskOp::Remove { segment } => prepare::remove(directory, segment),
        DiskOp::Write { .. } | DiskOp::Flush { .. } => unreachable!("the reactor's own work"),
    };
    done(op, result.map_err(|errno| errno.raw_os_error()))
}

fn done(op: &DiskOp, result: Result<(), i32>) -> DiskDone {
    match *op {
        DiskOp::Prepare { segment, .. } => DiskDone::Prepared { segment, result },
        DiskOp::Remove { segment } => DiskDone::Removed { segment, result },
        DiskOp::Write { .. } | DiskOp::Flush { .. } => unreachable!("the reactor's own work"),
    }
}
