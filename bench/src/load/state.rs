//! What a thread of load does with what it hears, while its reactor turns.
//!
//! The closed loop follows every answer with the next request; in the open one `Pace` says when the
//! next is due, and it goes to the next connection that has room.
//!
//! Not here: the phases of a run (`lane`), what watchers and visitors do (`fanout`, `visit`).

use std::sync::atomic::Ordering;

use ringkeeper_engine::io::clock::now_micros;
use ringkeeper_engine::io::{Completion, Handler, Io};

use super::figures::Figures;
use super::lane::{Task, Window};
use super::pace::Pace;
use super::requests::Role;
use super::session::{Session, Stage};

/// A connection that is not ready by then is a failure of the run.
pub(super) const READY_US_MAX: u64 = 30_000_000;

/// A connection that asked nothing so long is kept alive by a ping.
const PING_US: u64 = 5_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Preparing,
    Filling,
    Loading,
    Draining,
    Cleaning,
}

/// What is handled while the reactor turns.
pub(super) struct State<'a> {
    pub(super) task: Task<'a>,
    pub(super) phase: Phase,
    pub(super) window: Window,
    pub(super) sessions: Vec<Session>,
    pub(super) pace: Option<Pace>,
    /// The connection that the open loop gives its next request to.
    next: usize,
    pub(super) figures: Figures,
    scratch: Vec<u8>,
    pub(super) heard_us: u64,
    pinged_us: u64,
    /// Sets of the watched znode.
    pub(super) sets_asked: u64,
}

impl<'a> State<'a> {
    pub(super) fn new(task: Task<'a>, sessions: Vec<Session>) -> Self {
        let figures = Figures::new(task.options.seconds);
        Self {
            task,
            phase: Phase::Preparing,
            window: Window { load_us: 0, start_us: u64::MAX, end_us: u64::MAX },
            sessions,
            pace: None,
            next: 0,
            figures,
            scratch: Vec::new(),
            heard_us: 0,
            pinged_us: 0,
            sets_asked: 0,
        }
    }

    /// The first requests: all of the closed loop's, none of the open loop's.
    pub(super) fn begin(&mut self, io: &mut dyn Io) {
        let now = now_micros();
        self.heard_us = now;
        self.pinged_us = now;
        self.pace = self.task.rate.map(|rate| Pace::new(self.window.load_us, rate));
        for index in 0..self.sessions.len() {
            match self.sessions[index].role() {
                Role::Watcher => self.ask(index, 1, now, io),
                Role::Visitor => self.leave(index, io),
                Role::Asker | Role::Writer if self.pace.is_none() => {
                    self.ask(index, self.task.options.outstanding, now, io);
                }
                Role::Asker | Role::Writer => {}
            }
        }
    }

    pub(super) fn ask(&mut self, index: usize, count: usize, since_us: u64, io: &mut dyn Io) {
        if self.sessions[index].role() == Role::Writer {
            self.note_sets(count, since_us);
        }
        let session = &mut self.sessions[index];
        if let Some(out) = io.outbox(session.conn) {
            session.ask(count, since_us, out);
        }
    }

    /// Open loop: gives out what is due, to one connection after the other, as far as they may
    /// have more on their way.
    pub(super) fn issue(&mut self, now: u64, io: &mut dyn Io) {
        while let Some(since) = self.pace.as_ref().map(Pace::next_us).filter(|due| *due <= now) {
            let count = self.sessions.len();
            let room = (0..count).map(|n| (self.next + n) % count).find(|n| self.has_room(*n));
            let (Some(index), Some(pace)) = (room, &mut self.pace) else { return };
            pace.issue();
            self.next = (index + 1) % count;
            match self.sessions[index].role() {
                Role::Visitor => self.visit(index, since, io),
                _ => self.ask(index, 1, since, io),
            }
        }
    }

    /// Whether the open loop may give this connection a request.
    fn has_room(&self, index: usize) -> bool {
        let session = &self.sessions[index];
        let is_below = session.outstanding() < self.task.options.outstanding;
        match session.role() {
            Role::Asker | Role::Writer => session.stage == Stage::Ready && is_below,
            Role::Visitor => session.stage == Stage::Away,
            Role::Watcher => false,
        }
    }

    /// Makes the connection's share of znodes, up to `room` at a time.
    pub(super) fn fill(&mut self, index: usize, room: usize, io: &mut dyn Io) {
        let session = &mut self.sessions[index];
        if let Some(out) = io.outbox(session.conn) {
            session.fill(room, out);
        }
    }

    /// Deletes what the connection made, up to `room` at a time, and ends it.
    pub(super) fn clean(&mut self, index: usize, room: usize, io: &mut dyn Io) {
        let session = &mut self.sessions[index];
        if session.stage != Stage::Ready {
            return;
        }
        let Some(out) = io.outbox(session.conn) else { return };
        if session.clean(room, out) == 0 && session.outstanding() == 0 {
            self.leave(index, io);
        }
    }

    pub(super) fn leave(&mut self, index: usize, io: &mut dyn Io) {
        let session = &mut self.sessions[index];
        let removes = session.role() != Role::Visitor;
        if let Some(out) = io.outbox(session.conn) {
            session.leave(removes, out);
        }
    }

    /// Sessions live on while they have nothing to ask.
    pub(super) fn keep_alive(&mut self, now: u64, io: &mut dyn Io) {
        if now < self.pinged_us + PING_US {
            return;
        }
        self.pinged_us = now;
        let is_quiet = |session: &&mut Session| {
            session.stage == Stage::Ready && now >= session.asked_us + PING_US
        };
        for session in self.sessions.iter_mut().filter(is_quiet) {
            if let Some(out) = io.outbox(session.conn) {
                Session::ping(out);
            }
        }
    }

    pub(super) fn all_gone(&self) -> bool {
        self.sessions.iter().all(|session| session.stage == Stage::Gone)
    }

    /// Operations meant for `since_us` are done.
    pub(super) fn record(&mut self, since_us: u64, count: usize, now: u64) {
        let start_us = self.window.start_us;
        if now >= start_us {
            let second = ((now - start_us) / 1_000_000) as usize;
            self.figures.record(second, now.saturating_sub(since_us), count);
        }
        self.task.progress.fetch_add(count as u64, Ordering::Relaxed);
    }

    fn received(&mut self, index: usize, bytes: &[u8], io: &mut dyn Io) {
        let now = now_micros();
        self.heard_us = now;
        let session = &mut self.sessions[index];
        let heard = session.receive(bytes, &mut self.figures.refusals, &mut self.scratch);
        if !self.scratch.is_empty() {
            io.send(session.conn, &self.scratch);
            self.scratch.clear();
        }
        let heard = match heard {
            Ok(heard) => heard,
            Err(fault) => {
                io.abort(session.conn);
                return self.gone(index, &fault.to_string());
            }
        };
        let answers = heard.answers;
        match (self.phase, self.sessions[index].role()) {
            (_, Role::Visitor) => self.visitor_heard(index, answers, now, io),
            (Phase::Preparing, _) => {}
            (Phase::Filling, _) => {
                self.sessions[index].settle(answers, |_, _| ());
                self.fill(index, answers, io);
            }
            (Phase::Cleaning, _) => {
                self.sessions[index].settle(answers, |_, _| ());
                self.clean(index, answers, io);
            }
            (_, Role::Watcher) => self.watcher_heard(index, heard, now, io),
            (_, Role::Writer) => self.sets_answered(index, answers, now, io),
            (_, Role::Asker) => self.answered(index, answers, now, io),
        }
    }

    fn answered(&mut self, index: usize, answers: usize, now: u64, io: &mut dyn Io) {
        let Window { start_us, .. } = self.window;
        let second = (now.saturating_sub(start_us) / 1_000_000) as usize;
        let figures = &mut self.figures;
        self.sessions[index].settle(answers, |since, count| {
            if now >= start_us {
                figures.record(second, now - since, count);
            }
        });
        self.task.progress.fetch_add(answers as u64, Ordering::Relaxed);
        if self.phase == Phase::Loading && self.pace.is_none() {
            self.ask(index, answers, now, io);
        }
    }

    /// A connection has ended; after it was asked to, that is well.
    fn gone(&mut self, index: usize, why: &str) {
        let session = &mut self.sessions[index];
        if !matches!(session.stage, Stage::Leaving | Stage::Gone) {
            let (number, server) = self.task.connections[index];
            self.figures.faults.push(format!("connection {number} to {server}: {why}"));
        }
        session.stage = Stage::Gone;
        let unanswered = session.outstanding();
        session.settle(unanswered, |_, _| ());
    }
}

impl Handler for State<'_> {
    fn on(&mut self, completion: Completion<'_>, io: &mut dyn Io) {
        match completion {
            Completion::Connected { conn, .. } => {
                if let Some(out) = io.outbox(conn) {
                    Session::open(out);
                }
            }
            Completion::Received { token, bytes, .. } => self.received(token as usize, bytes, io),
            Completion::Closed { token, why, .. } => self.gone(token as usize, &why.to_string()),
            _ => {}
        }
    }
}
