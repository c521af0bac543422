//! The log's files as the reactor sees them: operations on segment numbers become operations on
//! open files.
//!
//! Files stay open between writes. The directory counts every change of a name, and with the count
//! all open files here are forgotten: a segment's number may have come to mean another file. What
//! is under way keeps its own.
//!
//! What would take long (`Prepare`, `Remove`) is done by a thread of its own (`files::Chores`).

use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::io::Waker;
use crate::io::driver::{Driver, Write};
use crate::io::files::{Chores, Directory};
use crate::log::{DiskDone, DiskOp, FileName};

/// Files kept open: the one written to, the ones before it that are still being flushed.
const OPEN: usize = 4;

pub(super) struct Segments {
    directory: Arc<Directory>,
    changes_seen: u64,
    /// Newest last.
    open: Vec<(u64, Arc<OwnedFd>)>,
    chores: Chores,
}

impl Segments {
    pub(super) fn new(directory: Arc<Directory>, waker: Waker) -> Self {
        let chores = Chores::new(Arc::clone(&directory), waker);
        let open = Vec::with_capacity(OPEN);
        Self { changes_seen: directory.changes(), directory, open, chores }
    }

    pub(super) fn describe(&self) -> &'static str {
        self.directory.describe()
    }

    /// Starts `op`; what it answers at once is its failure.
    pub(super) fn start<D: Driver>(&mut self, op: DiskOp, driver: &mut D) -> Option<DiskDone> {
        match op {
            DiskOp::Write { op, segment, offset, slab, len, durable } => match self.file(segment) {
                Ok(file) => driver.write(file, Write { op, slab, offset, len, durable }),
                Err(errno) => return Some(DiskDone::Written { op, slab, result: Err(errno) }),
            },
            DiskOp::Flush { op, segment } => match self.file(segment) {
                Ok(file) => driver.flush(file, op),
                Err(errno) => return Some(DiskDone::Flushed { op, result: Err(errno) }),
            },
            DiskOp::Prepare { .. } | DiskOp::Remove { .. } => return self.chores.start(op),
        }
        None
    }

    /// Takes what the thread has finished.
    pub(super) fn collect(&mut self, take: impl FnMut(DiskDone)) {
        self.chores.collect(take);
    }

    fn file(&mut self, segment: u64) -> Result<Arc<OwnedFd>, i32> {
        let changes = self.directory.changes();
        if changes != self.changes_seen {
            self.changes_seen = changes;
            self.open.clear();
        }
        if let Some((_, file)) = self.open.iter().rev().find(|(number, _)| *number == segment) {
            return Ok(Arc::clone(file));
        }
        let file = self.directory.open_for_writing(FileName::Segment(segment));
        let file = Arc::new(file.map_err(|errno| errno.raw_os_error())?);
        if self.open.len() == OPEN {
            self.open.remove(0);
        }
        self.open.push((segment, Arc::clone(&file)));
        Ok(file)
    }
}
