//! The background thread: what may take long and nobody waits for.
//!
//! Snapshot files, and names of servers to look up.
//! Jobs come over a channel, in order; answers go back over another and wake the core.
//! A job that fails is reported with file, offset and errno, and never tried again.
//!
//! Not here: when a snapshot is due (`member::checkpoint`), segments of the log (`engine::io`).

use std::net::{IpAddr, ToSocketAddrs};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

use ringkeeper_engine::io::Waker;
use ringkeeper_engine::io::files::{FileDisk, Hurry, Pace};
use tracing::warn;

use crate::member::{SnapshotDone, SnapshotOp, SnapshotTask};

/// How fast snapshots are written and read back: several times what a log grows by, and a small
/// part of any disk a log is kept on, so that commits do not queue behind them.
const BYTES_PER_SECOND: u64 = 64 << 20;

/// What the core asks for.
pub(super) enum Job {
    Snapshot(SnapshotOp),
    Resolve { name: String },
}

/// What has been done.
pub(super) enum Done {
    Snapshot(SnapshotDone),
    Resolved {
        name: String,
        addresses: Vec<IpAddr>,
    },
    /// The operator wants the server to stop.
    Stop,
}

/// The way to the background thread.
pub(super) struct Background {
    jobs: Option<Sender<Job>>,
    hurry: Hurry,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Starts the thread. `disk` is its own view of the data directory.
    pub(super) fn start(mut disk: FileDisk, waker: Waker) -> std::io::Result<(Self, Answers)> {
        let (pace, hurry) = Pace::new(BYTES_PER_SECOND);
        disk.go_slowly(pace);
        let (jobs, inbox) = channel();
        let (done, answers) = channel();
        let sender = Answer { done, waker };
        let to_core = sender.clone();
        let thread = Builder::new().name("background".into()).spawn(move || {
            Worker { disk, answer: to_core, task: SnapshotTask::default() }.run(inbox)
        })?;
        Ok((Self { jobs: Some(jobs), hurry, thread: Some(thread) }, Answers { answers, sender }))
    }

    pub(super) fn ask(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // The thread ends only after this sender is gone, so there is somebody to hear it.
            let _ = jobs.send(job);
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.jobs = None;
        self.hurry.up();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The core's end of the answers, and a sender for others who have something to say to it.
pub(super) struct Answers {
    pub answers: Receiver<Done>,
    pub sender: Answer,
}

/// Says something to the core and wakes it.
#[derive(Clone)]
pub(super) struct Answer {
    done: Sender<Done>,
    waker: Waker,
}

impl Answer {
    pub(super) fn say(&self, done: Done) {
        if self.done.send(done).is_ok() {
            self.waker.wake();
        }
    }
}

struct Worker {
    disk: FileDisk,
    answer: Answer,
    task: SnapshotTask,
}

impl Worker {
    fn run(mut self, inbox: Receiver<Job>) {
        for job in inbox {
            match job {
                Job::Snapshot(op) => {
                    if let Some(done) = self.task.carry_out(op, &mut self.disk) {
                        self.answer.say(Done::Snapshot(done));
                    }
                }
                Job::Resolve { name } => {
                    let addresses = look_up(&name);
                    self.answer.say(Done::Resolved { name, addresses });
                }
            }
        }
    }
}

fn look_up(name: &str) -> Vec<IpAddr> {
    match (name, 0).to_socket_addrs() {
        Ok(found) => found.map(|at| at.ip()).collect(),
        Err(error) => {
            warn!(name, %error, "the name of a server cannot be looked up");
            Vec::new()
        }
    }
}
