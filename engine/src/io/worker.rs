//! A thread beside the reactor, for what would block it.
//!
//! It starts with the first job, does one at a time in the order given, and wakes the reactor after
//! each. The reactor collects; it never waits for the thread but at the end.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::{Errno, Waker};
use crate::log::DiskDone;

pub(super) struct Worker<J> {
    name: &'static str,
    act: Arc<dyn Fn(J) -> DiskDone + Send + Sync>,
    waker: Waker,
    shared: Arc<Shared<J>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared<J> {
    lists: Mutex<Lists<J>>,
    changed: Condvar,
}

struct Lists<J> {
    asked: VecDeque<J>,
    done: VecDeque<DiskDone>,
    is_over: bool,
}

impl<J> Shared<J> {
    /// The lists are whole after every statement that changes them, so a thread that ended while
    /// holding them has left nothing half done.
    fn lists(&self) -> MutexGuard<'_, Lists<J>> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job, when there is one; `None` when there will be no more.
    fn next(&self) -> Option<J> {
        let mut lists = self.lists();
        loop {
            if lists.is_over {
                return None;
            }
            if let Some(job) = lists.asked.pop_front() {
                return Some(job);
            }
            lists = self.changed.wait(lists).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<J: Send + 'static> Worker<J> {
    pub(super) fn new(
        name: &'static str,
        waker: Waker,
        act: impl Fn(J) -> DiskDone + Send + Sync + 'static,
    ) -> Self {
        let lists = Lists { asked: VecDeque::new(), done: VecDeque::new(), is_over: false };
        let shared = Arc::new(Shared { lists: Mutex::new(lists), changed: Condvar::new() });
        Self { name, act: Arc::new(act), waker, shared, thread: None }
    }

    /// Gives the thread a job; gives it back where the system has no thread for us.
    pub(super) fn start(&mut self, job: J) -> Result<(), (J, Errno)> {
        if self.thread.is_none() {
            match self.spawn() {
                Ok(thread) => self.thread = Some(thread),
                Err(errno) => return Err((job, errno)),
            }
        }
        self.shared.lists().asked.push_back(job);
        self.shared.changed.notify_one();
        Ok(())
    }

    pub(super) fn collect(&mut self, mut take: impl FnMut(DiskDone)) {
        if self.thread.is_some() {
            let mut lists = self.shared.lists();
            lists.done.drain(..).for_each(&mut take);
        }
    }

    fn spawn(&self) -> Result<JoinHandle<()>, Errno> {
        let (shared, act) = (Arc::clone(&self.shared), Arc::clone(&self.act));
        let waker = self.waker.clone();
        let work = move || {
            while let Some(job) = shared.next() {
                let done = act(job);
                shared.lists().done.push_back(done);
                waker.wake();
            }
        };
        let spawned = std::thread::Builder::new().name(self.name.into()).spawn(work);
        spawned.map_err(|error| Errno(error.raw_os_error().unwrap_or(libc::EAGAIN)))
    }
}

impl<J> Drop for Worker<J> {
    /// Waits for the job that is being done; those not begun are dropped.
    fn drop(&mut self) {
        self.shared.lists().is_over = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(thread = self.name, "a thread of the reactor has panicked");
        }
    }
}
