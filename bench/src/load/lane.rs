//! One thread of load: its reactor, its connections, and what it measures.
//!
//! A lane goes through the phases of a run: connections open, load, answers still due, cleaning,
//! leaving. Load is a closed loop, where every answer is followed by the next request, or an open
//! one, where `Pace` says when.
//!
//! Not here: what runs beside it and when the window begins (`run`).

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ringkeeper_engine::io::clock::now_micros;
use ringkeeper_engine::io::{self, Backend, Completion, Handler, Io, Reactor, ReactorOptions};

use super::fan::Fan;
use super::figures::Figures;
use super::mix::{Mix, Requests};
use super::pace::Pace;
use super::session::{Session, Stage};
use super::{LoadError, LoadOptions};
use crate::host::ThreadTime;

/// A connection that is not ready by then is a failure of the run.
const READY_US_MAX: u64 = 30_000_000;

/// So long nothing may come while something is due, after the load.
const SILENCE_US_MAX: u64 = 10_000_000;

/// How long a turn waits at most, so that the clock is looked at.
const PATIENCE_US: u64 = 100_000;

/// A connection that asked nothing so long is kept alive by a ping.
const PING_US: u64 = 5_000_000;

/// Deletes on their way on one connection while cleaning.
const CLEANING_OUTSTANDING: usize = 200;

/// Which part of the run is measured, on the machine's monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// When the load begins; up to `start_us` it only warms up.
    pub(super) load_us: u64,
    pub(super) start_us: u64,
    pub(super) end_us: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Preparing,
    Loading,
    Draining,
    Cleaning,
}

/// What one lane is to do.
pub(super) struct Task<'a> {
    pub(super) options: &'a LoadOptions,
    pub(super) parent: &'a str,
    /// The numbers of its connections, with the servers they go to.
    pub(super) connections: Vec<(usize, SocketAddr)>,
    /// Requests a second of this lane; `None` is the closed loop.
    pub(super) rate: Option<f64>,
    pub(super) backend: Backend,
    pub(super) progress: &'a AtomicU64,
}

/// What is handled while the reactor turns.
struct State<'a> {
    task: Task<'a>,
    phase: Phase,
    window: Window,
    sessions: Vec<Session>,
    pace: Option<Pace>,
    fan: Option<Fan>,
    /// The connection that the open loop gives its next request to.
    next: usize,
    figures: Figures,
    scratch: Vec<u8>,
    heard_us: u64,
}

pub(super) struct Lane<'a> {
    reactor: Box<dyn Reactor>,
    state: State<'a>,
}

impl<'a> Lane<'a> {
    /// Opens the connections and makes their znodes.
    pub(super) fn prepare(task: Task<'a>) -> Result<Self, LoadError> {
        let mut reactor = io::start(task.backend, &ReactorOptions::default(), None)?;
        let mut sessions = Vec::new();
        for (token, (number, server)) in task.connections.iter().enumerate() {
            let patience = Duration::from_micros(READY_US_MAX);
            let conn = reactor.io().connect(*server, token as u64, patience);
            let own = format!("{}/{number}", task.parent);
            let mut requests = Requests::new(task.options.mix, &own, task.options.bytes);
            if task.options.mix == Mix::FanOut && *number > 0 {
                requests = requests.watching(&format!("{}/0", task.parent));
            }
            sessions.push(Session::new(conn, requests));
        }
        let window = Window { load_us: 0, start_us: u64::MAX, end_us: u64::MAX };
        let figures = Figures::new(task.options.seconds);
        let fan = (task.options.mix == Mix::FanOut).then(|| Fan::new(sessions.len() - 1));
        let state = State {
            task,
            phase: Phase::Preparing,
            window,
            sessions,
            pace: None,
            fan,
            next: 0,
            figures,
            scratch: Vec::new(),
            heard_us: 0,
        };
        let mut lane = Self { reactor, state };
        lane.wait_ready()?;
        Ok(lane)
    }

    fn wait_ready(&mut self) -> Result<(), LoadError> {
        let deadline = now_micros() + READY_US_MAX;
        while !self.state.sessions.iter().all(|session| session.stage == Stage::Ready) {
            self.turn(PATIENCE_US)?;
            if let Some(fault) = self.state.figures.faults.first() {
                return Err(LoadError::NotReady(fault.clone()));
            }
            if now_micros() > deadline {
                return Err(LoadError::NotReady("no answer".to_owned()));
            }
        }
        Ok(())
    }

    /// Loads through the window, takes the answers that are still due, and cleans up.
    pub(super) fn run(mut self, window: Window) -> Result<Figures, LoadError> {
        self.state.window = window;
        self.load()?;
        self.state.phase = Phase::Draining;
        self.until_answered()?;
        self.clean()?;
        Ok(self.state.figures)
    }

    fn load(&mut self) -> Result<(), LoadError> {
        let window = self.state.window;
        self.state.phase = Phase::Loading;
        self.state.begin(self.reactor.io());
        let mut began = None;
        loop {
            let now = now_micros();
            if now >= window.start_us && began.is_none() {
                began = Some(ThreadTime::now());
            }
            if now >= window.end_us || self.state.all_gone() {
                break;
            }
            self.state.issue(now, self.reactor.io());
            let border = if began.is_none() { window.start_us } else { window.end_us };
            let next = self.state.pace.as_ref().map_or(u64::MAX, Pace::next_us);
            // A request that is due and found no room waits for an answer, not for the clock.
            let next = if next <= now { u64::MAX } else { next };
            self.turn(PATIENCE_US.min(border - now).min(next - now))?;
            self.state.keep_alive(self.reactor.io());
        }
        if let Some(began) = began {
            let used = ThreadTime::now().since(began);
            self.state.figures.cpu_us = used.cpu_us;
            self.state.figures.waited_us = used.waited_us;
        }
        Ok(())
    }

    fn clean(&mut self) -> Result<(), LoadError> {
        self.state.phase = Phase::Cleaning;
        for index in 0..self.state.sessions.len() {
            self.state.clean(index, CLEANING_OUTSTANDING, self.reactor.io());
        }
        self.until_answered()
    }

    /// Turns until nothing is due. A server that has become silent is left as it is.
    fn until_answered(&mut self) -> Result<(), LoadError> {
        self.state.heard_us = now_micros();
        while self.state.sessions.iter().any(|session| session.outstanding() > 0) {
            self.turn(PATIENCE_US)?;
            if now_micros() > self.state.heard_us + SILENCE_US_MAX {
                self.state.figures.faults.push("answers are missing".to_owned());
                break;
            }
        }
        Ok(())
    }

    fn turn(&mut self, patience_us: u64) -> Result<(), LoadError> {
        let patience = Duration::from_micros(patience_us);
        Ok(self.reactor.turn(Some(patience), &mut self.state)?)
    }
}

impl State<'_> {
    /// The first requests: all of the closed loop's, none of the open loop's.
    fn begin(&mut self, io: &mut dyn Io) {
        let now = now_micros();
        self.heard_us = now;
        match self.task.rate {
            Some(rate) => self.pace = Some(Pace::new(self.window.load_us, rate)),
            // The setter, which is the first, waits until all watch.
            None if self.fan.is_some() => {
                for index in 1..self.sessions.len() {
                    self.ask(index, 1, now, io);
                }
            }
            None => {
                for index in 0..self.sessions.len() {
                    self.ask(index, self.task.options.outstanding, now, io);
                }
            }
        }
    }

    fn ask(&mut self, index: usize, count: usize, since_us: u64, io: &mut dyn Io) {
        let session = &mut self.sessions[index];
        if let Some(out) = io.outbox(session.conn) {
            session.ask(count, since_us, out);
        }
    }

    /// Open loop: gives out what is due, to one connection after the other, as far as they may
    /// have more on their way.
    fn issue(&mut self, now: u64, io: &mut dyn Io) {
        while let Some(since) = self.pace.as_ref().map(Pace::next_us).filter(|due| *due <= now) {
            let count = self.sessions.len();
            let room = (0..count).map(|n| (self.next + n) % count).find(|&index| {
                let session = &self.sessions[index];
                session.stage == Stage::Ready
                    && session.outstanding() < self.task.options.outstanding
            });
            let (Some(index), Some(pace)) = (room, &mut self.pace) else { return };
            pace.issue();
            self.next = (index + 1) % count;
            self.ask(index, 1, since, io);
        }
    }

    fn clean(&mut self, index: usize, room: usize, io: &mut dyn Io) {
        let session = &mut self.sessions[index];
        if session.stage != Stage::Ready {
            return;
        }
        let Some(out) = io.outbox(session.conn) else { return };
        if session.clean(room, out) == 0 && session.outstanding() == 0 {
            session.leave(out);
        }
    }

    /// Sessions live on in a quiet open loop.
    fn keep_alive(&mut self, io: &mut dyn Io) {
        let now = now_micros();
        if now < self.heard_us + PING_US || self.pace.is_none() {
            return;
        }
        self.heard_us = now;
        for session in self.sessions.iter().filter(|session| session.stage == Stage::Ready) {
            if let Some(out) = io.outbox(session.conn) {
                Session::ping(out);
            }
        }
    }

    fn all_gone(&self) -> bool {
        self.sessions.iter().all(|session| session.stage == Stage::Gone)
    }

    fn received(&mut self, index: usize, bytes: &[u8], io: &mut dyn Io) {
        let now = now_micros();
        let session = &mut self.sessions[index];
        let answered = session.receive(bytes, &mut self.figures.refusals, &mut self.scratch);
        if !self.scratch.is_empty() {
            io.send(session.conn, &self.scratch);
            self.scratch.clear();
        }
        let answers = match answered {
            Ok(answers) => answers,
            Err(fault) => {
                io.abort(session.conn);
                return self.gone(index, &fault.to_string());
            }
        };
        if self.fan.is_some() && self.phase != Phase::Cleaning {
            return self.fanned(index, answers, now, io);
        }
        if answers == 0 {
            return;
        }
        self.heard_us = now;
        let Window { start_us, .. } = self.window;
        let second = (now.saturating_sub(start_us) / 1_000_000) as usize;
        let is_measured = self.phase != Phase::Cleaning && now >= start_us;
        let figures = &mut self.figures;
        session.settle(answers, |since, count| {
            if is_measured {
                figures.record(second, now - since, count);
            }
        });
        self.task.progress.fetch_add(answers as u64, Ordering::Relaxed);
        match self.phase {
            Phase::Loading if self.pace.is_none() => self.ask(index, answers, now, io),
            Phase::Cleaning => self.clean(index, answers, io),
            _ => {}
        }
    }

    /// Fan-out: what counts is events. The next set follows when all watch again.
    fn fanned(&mut self, index: usize, answers: usize, now: u64, io: &mut dyn Io) {
        let Some(fan) = &mut self.fan else { return };
        self.heard_us = now;
        let session = &mut self.sessions[index];
        session.settle(answers, |_, _| ());
        fan.answered(index, answers);
        let events = session.take_events();
        if events > 0 && now >= self.window.start_us {
            let second = ((now - self.window.start_us) / 1_000_000) as usize;
            self.figures.record(second, now - fan.since_us(), events);
        }
        self.task.progress.fetch_add(events as u64, Ordering::Relaxed);
        let sets = self.phase == Phase::Loading && fan.set(now);
        if self.phase == Phase::Loading && events > 0 {
            self.ask(index, events, now, io);
        }
        if sets {
            self.ask(0, 1, now, io);
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
