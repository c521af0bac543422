//! The mix of watches: one connection sets a znode, all others watch it.
//!
//! A watch is set by a getData and fires once, with the first set after the version that was read.
//! So each event belongs to one set, which the version tells, and its latency runs from when that
//! set was sent, or in an open loop should have been, to the event. A watcher sets its watch again
//! as soon as it has fired; of sets that come meanwhile it hears nothing, as clients do not.
//!
//! Not here: the other mixes (`state`).

use std::sync::atomic::{AtomicU64, Ordering};

use ringkeeper_engine::io::Io;

use super::session::Heard;
use super::state::{Phase, State};

/// More than the sets that can be on their way, and their events.
const SLOTS: usize = 1 << 18;

/// When the watched znode's versions were asked for; shared by all threads.
pub(super) struct SetTimes(Vec<AtomicU64>);

impl SetTimes {
    pub(super) fn new() -> Self {
        Self((0..SLOTS).map(|_| AtomicU64::new(0)).collect())
    }

    fn note(&self, version: u64, since_us: u64) {
        self.0[version as usize % SLOTS].store(since_us, Ordering::Release);
    }

    fn of(&self, version: u64) -> u64 {
        self.0[version as usize % SLOTS].load(Ordering::Acquire)
    }
}

impl State<'_> {
    /// The writer is about to ask for so many sets. The znode was made with version 0, and nobody
    /// else sets it.
    pub(super) fn note_sets(&mut self, count: usize, since_us: u64) {
        for _ in 0..count {
            self.sets_asked += 1;
            self.task.set_times.note(self.sets_asked, since_us);
        }
    }

    /// Sets were answered, which matters to the closed loop alone.
    pub(super) fn sets_answered(&mut self, index: usize, count: usize, now: u64, io: &mut dyn Io) {
        self.sessions[index].settle(count, |_, _| ());
        if now >= self.window.start_us && now < self.window.end_us {
            self.figures.sets += count as u64;
        }
        if self.phase == Phase::Loading && self.pace.is_none() {
            self.ask(index, count, now, io);
        }
    }

    pub(super) fn watcher_heard(&mut self, index: usize, heard: Heard, now: u64, io: &mut dyn Io) {
        self.sessions[index].settle(heard.answers, |_, _| ());
        // The end of the znode fires the last watches.
        let Some(version) = heard.fired.filter(|_| self.phase != Phase::Cleaning) else { return };
        let version = u64::from(version.unsigned_abs()) + 1;
        self.record(self.task.set_times.of(version), 1, now);
        if self.phase == Phase::Loading {
            self.ask(index, 1, now, io);
        }
    }
}
