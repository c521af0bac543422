//! What the reactor's thread allocates: nothing for what it does, once it is warm (IO4).

#![expect(unsafe_code, reason = "AI-5: an allocator that counts is an allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use super::sockets::{Echo, other_side, pattern};
use super::{Bench, Folder, on_both_backends};
use crate::io::files::Directory;
use crate::io::{Backend, Completion, Handler, Io, ReactorOptions};
use crate::limits::BLOCK;
use crate::log::{DiskDone, DiskOp, OpId, Slab};

on_both_backends! {
    a_warm_reactor_does_not_allocate
}

/// The system's allocator, counting for each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// Allocations of this thread so far.
pub(crate) fn allocations() -> usize {
    ALLOCATIONS.with(Cell::get)
}

#[global_allocator]
static COUNTING: Counting = Counting;

// Safety: every call is the system allocator's, as it is; counting touches no memory but the
// thread's own counter, which is constant-initialised and needs no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // Safety: the caller's promise is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // Safety: the caller's promise is the system allocator's.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // Safety: the caller's promise is the system allocator's.
        unsafe { System.realloc(memory, layout, bytes) }
    }
}

/// Echoes, and writes each reception's turn to the log, with the slabs that come back.
struct Busy {
    echo: Echo,
    slabs: Vec<Arc<Slab>>,
    ops: u64,
}

impl Handler for Busy {
    fn on(&mut self, completion: Completion<'_>, io: &mut dyn Io) {
        match completion {
            Completion::Disk(DiskDone::Written { slab, result, .. }) => {
                assert_eq!(result, Ok(()));
                self.slabs.push(slab);
            }
            Completion::Disk(_) => {}
            completion => {
                if matches!(completion, Completion::Received { .. })
                    && let Some(slab) = self.slabs.pop()
                {
                    self.ops += 2;
                    let (op, offset) = (OpId(self.ops), self.ops % 64 * BLOCK as u64);
                    let len = slab.len();
                    io.disk(DiskOp::Write { op, segment: 1, offset, slab, len, durable: false });
                    io.disk(DiskOp::Flush { op: OpId(self.ops + 1), segment: 1 });
                }
                self.echo.on(completion, io);
            }
        }
    }
}

fn a_warm_reactor_does_not_allocate(backend: Backend) {
    const CLIENTS: usize = 8;
    const ROUNDS: usize = 1000;
    // Each connection may come to hold two buffers at once for the first time, late.
    const GROWTH: usize = 2 * CLIENTS + 8;
    let folder = Folder::new();
    let directory = Directory::open(folder.path(), folder.path()).unwrap();
    let mut bench = Bench::with(backend, &ReactorOptions::default(), Some(directory));
    bench.io().disk(DiskOp::Prepare { segment: 1, bytes: 64 * BLOCK as u64, recycle: None });
    bench.disk_done();
    let (_, at) = bench.listen();
    let clients = other_side(move || {
        let mut streams: Vec<_> = (0..CLIENTS).map(|_| TcpStream::connect(at).unwrap()).collect();
        let (sent, mut back) = (pattern(1, 200), [0; 200]);
        for _ in 0..ROUNDS {
            streams.iter_mut().for_each(|stream| stream.write_all(&sent).unwrap());
            streams.iter_mut().for_each(|stream| stream.read_exact(&mut back).unwrap());
        }
    });
    let slabs = (0..4).map(|_| Arc::new(Slab::new(BLOCK))).collect();
    let mut busy = Busy { echo: Echo::default(), slabs, ops: 0 };
    busy.echo.closed.reserve(CLIENTS);
    let mut turns = 0;
    let mut before = 0;
    while busy.echo.closed.is_empty() {
        bench.reactor.turn(None, &mut busy).unwrap();
        turns += 1;
        if turns == ROUNDS / 10 {
            before = allocations();
        }
        if turns == ROUNDS / 2 {
            // Some 7,000 operations, had each allocated once.
            let allocated = allocations() - before;
            assert!(allocated <= GROWTH, "IO4: {allocated} allocations");
        }
    }
    assert!(turns > ROUNDS / 2, "too few turns to judge by: {turns}");
    clients.join().unwrap();
}
