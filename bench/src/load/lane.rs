//! One thread of load: its reactor, and the phases of its run.
//!
//! Connections open, znodes are made, load, answers still due, cleaning, leaving.
//!
//! Not here: what is done with what arrives (`state`), what runs beside it and when the window
//! begins (`run`).

use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use ringkeeper_engine::io::clock::now_micros;
use ringkeeper_engine::io::{self, Backend, Reactor, ReactorOptions};

use super::fanout::SetTimes;
use super::figures::Figures;
use super::mix::Mix;
use super::pace::Pace;
use super::requests::{Requests, Role};
use super::session::{Session, Stage};
use super::state::{Phase, READY_US_MAX, State};
use super::{LoadError, LoadOptions};
use crate::host::ThreadTime;

/// So long nothing may come while something is due, outside the load.
const SILENCE_US_MAX: u64 = 10_000_000;

/// How long a turn waits at most, so that the clock is looked at.
const PATIENCE_US: u64 = 100_000;

/// Creates or deletes on their way on one connection while filling and cleaning.
const CLEANING_OUTSTANDING: usize = 200;

/// Which part of the run is measured, on the machine's monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// When the load begins; up to `start_us` it only warms up.
    pub(super) load_us: u64,
    pub(super) start_us: u64,
    pub(super) end_us: u64,
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
    pub(super) set_times: &'a SetTimes,
}

pub(super) struct Lane<'a> {
    reactor: Box<dyn Reactor>,
    state: State<'a>,
}

impl Task<'_> {
    fn requests_of(&self, number: usize) -> Requests {
        let options = self.options;
        let own = format!("{}/{number}", self.parent);
        let requests = Requests::new(options.mix, &own, options.bytes);
        if options.mix == Mix::FanOut && number > 0 {
            return requests.watching(&format!("{}/0", self.parent));
        }
        let connections = options.connections as u64;
        let is_one_more = (number as u64) < options.znodes % connections;
        requests.with_share(options.znodes / connections + u64::from(is_one_more))
    }
}

impl<'a> Lane<'a> {
    /// Opens the connections and makes their znodes.
    pub(super) fn prepare(task: Task<'a>) -> Result<Self, LoadError> {
        let mut reactor = io::start(task.backend, &ReactorOptions::default(), None)?;
        let mut sessions = Vec::new();
        for (token, (number, server)) in task.connections.iter().enumerate() {
            let patience = Duration::from_micros(READY_US_MAX);
            let conn = reactor.io().connect(*server, token as u64, patience);
            sessions.push(Session::new(conn, task.requests_of(*number)));
        }
        let mut lane = Self { reactor, state: State::new(task, sessions) };
        lane.wait_ready()?;
        lane.fill()?;
        Ok(lane)
    }

    fn wait_ready(&mut self) -> Result<(), LoadError> {
        let deadline = now_micros() + READY_US_MAX;
        while !self.state.sessions.iter().all(|session| session.stage == Stage::Ready) {
            self.turn(PATIENCE_US)?;
            self.first_fault()?;
            if now_micros() > deadline {
                return Err(LoadError::NotReady("no answer".to_owned()));
            }
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<(), LoadError> {
        self.state.phase = Phase::Filling;
        for index in 0..self.state.sessions.len() {
            self.state.fill(index, CLEANING_OUTSTANDING, self.reactor.io());
        }
        self.until_answered()?;
        self.first_fault()
    }

    fn first_fault(&self) -> Result<(), LoadError> {
        let fault = self.state.figures.faults.first();
        fault.map_or(Ok(()), |fault| Err(LoadError::NotReady(fault.clone())))
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
            self.state.keep_alive(now, self.reactor.io());
            let border = if began.is_none() { window.start_us } else { window.end_us };
            let next = self.state.pace.as_ref().map_or(u64::MAX, Pace::next_us);
            // A request that is due and found no room waits for an answer, not for the clock.
            let next = if next <= now { u64::MAX } else { next };
            self.turn(PATIENCE_US.min(border - now).min(next - now))?;
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
            // What a visitor made went with its session.
            if self.state.sessions[index].role() != Role::Visitor {
                self.state.clean(index, CLEANING_OUTSTANDING, self.reactor.io());
            }
        }
        self.until_answered()
    }

    /// Turns until nothing is due. A server that has become silent is left as it is.
    fn until_answered(&mut self) -> Result<(), LoadError> {
        self.state.heard_us = now_micros();
        while self.state.sessions.iter().any(Session::is_due) {
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
