//! The log's writes and flushes where there is no ring: a thread each.
//!
//! Two threads, so that the next batch is written while the one before is flushed: the pipelining
//! that the ring has by itself. Writes go one after another; a device that could take several at
//! once is left waiting, which is what this backend costs.

use std::io::IoSlice;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::io::{Errno as Failure, ReadWriteFlags, pwrite, pwritev2, retry_on_intr};

use crate::io::driver::Write;
use crate::io::worker::Worker;
use crate::io::{Errno, Waker};
use crate::log::{DiskDone, OpId};

pub(super) struct DiskThreads {
    writes: Worker<(Arc<OwnedFd>, Write)>,
    flushes: Worker<(Arc<OwnedFd>, OpId)>,
}

impl DiskThreads {
    pub(super) fn new(waker: &Waker) -> Self {
        let write = |(file, write): (Arc<OwnedFd>, Write)| {
            let result = carry_out(&file, &write);
            write.done(result.map_err(Errno::from))
        };
        let flush = |(file, op): (Arc<OwnedFd>, OpId)| {
            let result = retry_on_intr(|| rustix::fs::fdatasync(&file));
            DiskDone::Flushed { op, result: result.map_err(Failure::raw_os_error) }
        };
        Self {
            writes: Worker::new("log-writes", waker.clone(), write),
            flushes: Worker::new("log-flushes", waker.clone(), flush),
        }
    }

    /// Answers at once only if there can be no thread.
    pub(super) fn write(&mut self, file: Arc<OwnedFd>, write: Write) -> Option<DiskDone> {
        let refused = self.writes.start((file, write)).err()?;
        let ((_, write), errno) = refused;
        Some(write.done(Err(errno)))
    }

    /// Answers at once only if there can be no thread.
    pub(super) fn flush(&mut self, file: Arc<OwnedFd>, op: OpId) -> Option<DiskDone> {
        let (_, errno) = self.flushes.start((file, op)).err()?;
        Some(DiskDone::Flushed { op, result: Err(errno.0) })
    }

    pub(super) fn collect(&mut self, mut take: impl FnMut(DiskDone)) {
        self.writes.collect(&mut take);
        self.flushes.collect(&mut take);
    }
}

fn carry_out(file: &OwnedFd, write: &Write) -> Result<usize, Failure> {
    let bytes = &write.slab[..write.len];
    if !write.durable {
        return retry_on_intr(|| pwrite(file, bytes, write.offset));
    }
    let dsync = ReadWriteFlags::DSYNC;
    match retry_on_intr(|| pwritev2(file, &[IoSlice::new(bytes)], write.offset, dsync)) {
        // The same in two calls, where the one is not known.
        Err(Failure::NOSYS | Failure::OPNOTSUPP) => {
            let written = retry_on_intr(|| pwrite(file, bytes, write.offset))?;
            retry_on_intr(|| rustix::fs::fdatasync(file))?;
            Ok(written)
        }
        ended => ended,
    }
}
