//! The thread that prepares and removes segments beside the reactor.
//!
//! It starts with the first chore, does one at a time, and wakes the reactor after each. Its work is
//! long and in nobody's way: it yields to everything else (nice 10).

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::directory::Directory;
use super::prepare;
use crate::io::Waker;
use crate::log::{DiskDone, DiskOp};

const NICE: i32 = 10;

pub(in crate::io) struct Chores {
    shared: Arc<Shared>,
    directory: Arc<Directory>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    lists: Mutex<Lists>,
    changed: Condvar,
}

#[derive(Default)]
struct Lists {
    asked: VecDeque<DiskOp>,
    done: VecDeque<DiskDone>,
    is_over: bool,
}

impl Shared {
    /// The lists are whole after every statement that changes them, so that a thread that ended
    /// while holding them has left nothing half done.
    fn lists(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Chores {
    pub(in crate::io) fn new(directory: Arc<Directory>, waker: Waker) -> Self {
        Self { shared: Arc::default(), directory, waker, thread: None }
    }

    /// Starts a `Prepare` or a `Remove`; answers at once only if there can be no thread.
    pub(in crate::io) fn start(&mut self, op: DiskOp) -> Option<DiskDone> {
        if self.thread.is_none() {
            let shared = Arc::clone(&self.shared);
            let directory = Arc::clone(&self.directory);
            let waker = self.waker.clone();
            let thread = std::thread::Builder::new().name("segments".into());
            match thread.spawn(move || work(&shared, &directory, &waker)) {
                Ok(thread) => self.thread = Some(thread),
                Err(error) => {
                    let errno = error.raw_os_error().unwrap_or(libc::EAGAIN);
                    return Some(done(&op, Err(errno)));
                }
            }
        }
        self.shared.lists().asked.push_back(op);
        self.shared.changed.notify_one();
        None
    }

    pub(in crate::io) fn collect(&mut self, mut take: impl FnMut(DiskDone)) {
        let mut lists = self.shared.lists();
        while let Some(done) = lists.done.pop_front() {
            take(done);
        }
    }
}

impl Drop for Chores {
    /// Waits for the chore that is being done; those not begun are forgotten.
    fn drop(&mut self) {
        self.shared.lists().is_over = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that prepares segments has panicked");
        }
    }
}

fn work(shared: &Shared, directory: &Directory, waker: &Waker) {
    // A thread that may not yield does its work all the same.
    let _ = rustix::process::nice(NICE);
    loop {
        let mut lists = shared.lists();
        let op = loop {
            if lists.is_over {
                return;
            }
            match lists.asked.pop_front() {
                Some(op) => break op,
                None => {
                    lists = shared.changed.wait(lists).unwrap_or_else(PoisonError::into_inner);
                }
            }
        };
        drop(lists);
        let done = carry_out(directory, &op);
        shared.lists().done.push_back(done);
        waker.wake();
    }
}

fn carry_out(directory: &Directory, op: &DiskOp) -> DiskDone {
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
