//! The log's append on tokio-uring: the same ways, in the same segment.
//!
//! It has no flag a write (`RWF_DSYNC`), so a durable write here is a write to a file opened for
//! that. It has no aligned buffers either: a batch is a slice of a larger one.
//!
//! Invariants:
//! - EA1. A flush counts for those batches alone whose write had been answered before it was asked.
//!
//! Not here: the ways (`disk::Way`), how the reactor goes them (`disk`).

use std::cell::{Cell, RefCell};
use std::fs::OpenOptions;
use std::future::poll_fn;
use std::io::{Error as OsError, ErrorKind, Result as OsResult};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::rc::Rc;
use std::task::{Poll, Waker};

use ringkeeper_engine::io::clock::now_micros;
use ringkeeper_engine::limits::{BLOCK, SEGMENT_BYTES};
use rustix::fs::OFlags;
use tokio_uring::buf::{BoundedBuf as _, Slice};
use tokio_uring::fs::File;

use super::tokio::runtime;
use crate::disk::{Cycle, Device, Tally, Way};

/// What the tasks of one turn share.
struct Shared {
    file: File,
    way: Way,
    bytes: usize,
    window_us: u64,
    offset: Cell<u64>,
    tally: RefCell<Tally>,
    /// When the batches were begun that are written and not flushed.
    written: RefCell<Vec<u64>>,
    /// Writers that have not ended.
    writers: Cell<usize>,
    flusher: Cell<Option<Waker>>,
}

/// One turn of one way.
pub(super) fn measure(device: &Device, way: Way, bytes: usize, window_us: u64) -> OsResult<Cycle> {
    let file = open(&device.segment_path(), way.is_durable())?;
    let before = device.counts();
    let cycle = runtime()?.block_on(async {
        let shared = Rc::new(Shared {
            file: File::from_std(file),
            way,
            bytes,
            window_us,
            offset: Cell::new(0),
            tally: RefCell::new(Tally::begin()),
            written: RefCell::new(Vec::new()),
            writers: Cell::new(way.writes_in_flight()),
            flusher: Cell::new(None),
        });
        let writer = |_| tokio_uring::spawn(write(Rc::clone(&shared)));
        let mut tasks: Vec<_> = (0..way.writes_in_flight()).map(writer).collect();
        if way == Way::Pipelined {
            tasks.push(tokio_uring::spawn(flush(Rc::clone(&shared))));
        }
        for task in tasks {
            task.await.map_err(OsError::other)??;
        }
        let cycle = shared.tally.borrow().cycle();
        Ok::<_, OsError>(cycle)
    });
    let device = device.counts().zip(before).map(|(after, before)| after.since(before));
    cycle.map(|cycle| Cycle { device, ..cycle })
}

/// Past the page cache, where the filesystem allows it.
fn open(path: &Path, is_durable: bool) -> OsResult<std::fs::File> {
    let open = |flags: OFlags| {
        let flags = if is_durable { flags | OFlags::DSYNC } else { flags };
        let flags = flags.bits().cast_signed();
        OpenOptions::new().write(true).custom_flags(flags).open(path)
    };
    match open(OFlags::DIRECT) {
        Err(error) if error.kind() == ErrorKind::InvalidInput => open(OFlags::empty()),
        opened => opened,
    }
}

/// A batch in memory that starts on a block's border.
fn batch(bytes: usize) -> Slice<Vec<u8>> {
    let memory = vec![0x5a; bytes + BLOCK];
    let start = memory.as_ptr().align_offset(BLOCK);
    memory.slice(start..start + bytes)
}

/// One write after the other until the window ends.
async fn write(shared: Rc<Shared>) -> OsResult<()> {
    let mut slab = batch(shared.bytes);
    while shared.tally.borrow().elapsed_us() < shared.window_us {
        let since_us = now_micros();
        let (written, back) = shared.file.write_at(slab, shared.next_offset()).submit().await;
        slab = back;
        if written? != shared.bytes {
            return Err(ErrorKind::WriteZero.into());
        }
        match shared.way {
            Way::Durable | Way::DurablePipelined => shared.tally.borrow_mut().commit(since_us),
            Way::Serial => {
                shared.file.sync_data().await?;
                shared.tally.borrow_mut().commit(since_us);
            }
            Way::Pipelined => {
                shared.written.borrow_mut().push(since_us);
                shared.wake_flusher();
            }
        }
    }
    shared.writers.set(shared.writers.get() - 1);
    shared.wake_flusher();
    Ok(())
}

/// One flush at a time, as long as somebody writes.
async fn flush(shared: Rc<Shared>) -> OsResult<()> {
    loop {
        let has_written = poll_fn(|context| {
            if !shared.written.borrow().is_empty() {
                return Poll::Ready(true);
            }
            if shared.writers.get() == 0 {
                return Poll::Ready(false);
            }
            shared.flusher.set(Some(context.waker().clone()));
            Poll::Pending
        });
        if !has_written.await {
            return Ok(());
        }
        let batches = std::mem::take(&mut *shared.written.borrow_mut());
        shared.file.sync_data().await?;
        let mut tally = shared.tally.borrow_mut();
        batches.into_iter().for_each(|since_us| tally.commit(since_us));
    }
}

impl Shared {
    fn next_offset(&self) -> u64 {
        let at = self.offset.get();
        let at = if at + self.bytes as u64 > SEGMENT_BYTES { 0 } else { at };
        self.offset.set(at + self.bytes as u64);
        at
    }

    fn wake_flusher(&self) {
        if let Some(waker) = self.flusher.take() {
            waker.wake();
        }
    }
}
