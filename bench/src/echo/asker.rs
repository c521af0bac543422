//! The one who asks: a closed loop over all connections, on the calling thread.
//!
//! Not here: who answers (`server`).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use hdrhistogram::Histogram;
use ringkeeper_engine::io::ReactorOptions;
use ringkeeper_engine::io::clock::now_micros;
use ringkeeper_engine::io::{self, Backend, Completion, ConnId, Handler, Io, Reactor};

use super::{EchoError, EchoShape};
use crate::host::ThreadTime;

const TURN: Duration = Duration::from_millis(50);

/// Nothing was answered for so long: it never will be.
const SILENCE_US: u64 = 10_000_000;

/// What is asked, and how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asking {
    pub(crate) shape: EchoShape,
    pub(crate) request_bytes: usize,
    pub(crate) answer_bytes: usize,
    /// Asked before the window, so that caches and connections are warm.
    pub(crate) warmup_us: u64,
    pub(crate) window_us: u64,
    pub(crate) backend: Backend,
}

/// What one window gave.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub operations: u64,
    pub elapsed_us: u64,
    pub p50_us: u64,
    pub p99_us: u64,
    /// CPU of those who answer.
    pub server_cpu_us: u64,
    /// The share of the window that the asking thread was busy.
    pub asker_busy: f64,
}

impl Asking {
    /// Asks the servers at `addresses`, which the connections are spread over in turn and which have
    /// used `server_cpu_us` so far.
    pub(crate) fn ask(
        &self,
        addresses: &[SocketAddr],
        server_cpu_us: &dyn Fn() -> u64,
    ) -> Result<Asked, EchoError> {
        let mut reactor = io::start(self.backend, &ReactorOptions::default(), None)?;
        let mut asker = Asker::new(*self);
        let servers = addresses.iter().copied().cycle();
        for (number, address) in (0..self.shape.connections).zip(servers) {
            let patience = Duration::from_micros(SILENCE_US);
            let conn = reactor.io().connect(address, number as u64, patience);
            asker.lines.push(Line { conn, due: VecDeque::new(), answered_bytes: 0 });
        }
        asker.turn_until(&mut *reactor, |asker| asker.connected == asker.lines.len())?;
        asker.begin(reactor.io());
        let start_us = now_micros() + self.warmup_us;
        asker.turn_until(&mut *reactor, |_| now_micros() >= start_us)?;

        let (began_us, cpu, server_us) = (now_micros(), ThreadTime::now(), server_cpu_us());
        asker.latencies.reset();
        let end_us = began_us + self.window_us;
        asker.turn_until(&mut *reactor, |_| now_micros() >= end_us)?;
        let elapsed_us = now_micros() - began_us;
        let used = ThreadTime::now().since(cpu);
        let latencies = &asker.latencies;
        Ok(Asked {
            operations: latencies.len(),
            elapsed_us,
            p50_us: latencies.value_at_quantile(0.5),
            p99_us: latencies.value_at_quantile(0.99),
            server_cpu_us: server_cpu_us().saturating_sub(server_us),
            asker_busy: used.cpu_us as f64 / elapsed_us as f64,
        })
    }
}

struct Line {
    conn: ConnId,
    /// When how many were asked that are not answered.
    due: VecDeque<(u64, usize)>,
    /// Of an answer that has come in part.
    answered_bytes: usize,
}

struct Asker {
    asking: Asking,
    request: Vec<u8>,
    lines: Vec<Line>,
    connected: usize,
    latencies: Histogram<u64>,
    heard_us: u64,
    fault: Option<String>,
}

impl Asker {
    fn new(asking: Asking) -> Self {
        Self {
            asking,
            request: vec![b'x'; asking.request_bytes],
            lines: Vec::new(),
            connected: 0,
            latencies: Histogram::new_with_bounds(1, 60_000_000, 3).expect("good bounds"),
            heard_us: now_micros(),
            fault: None,
        }
    }

    fn turn_until(
        &mut self,
        reactor: &mut dyn Reactor,
        is_over: impl Fn(&Self) -> bool,
    ) -> Result<(), EchoError> {
        while !is_over(self) {
            reactor.turn(Some(TURN), self)?;
            if let Some(fault) = self.fault.take() {
                return Err(EchoError::Lost(fault));
            }
            if now_micros() > self.heard_us + SILENCE_US {
                return Err(EchoError::Silent);
            }
        }
        Ok(())
    }

    fn begin(&mut self, io: &mut dyn Io) {
        for index in 0..self.lines.len() {
            self.ask(index, self.asking.shape.outstanding, now_micros(), io);
        }
    }

    fn ask(&mut self, index: usize, count: usize, now: u64, io: &mut dyn Io) {
        let line = &mut self.lines[index];
        let Some(out) = io.outbox(line.conn) else { return };
        for _ in 0..count {
            out.extend_from_slice(&self.request);
        }
        line.due.push_back((now, count));
    }

    fn answered(&mut self, index: usize, bytes: usize, io: &mut dyn Io) {
        let now = now_micros();
        self.heard_us = now;
        let line = &mut self.lines[index];
        line.answered_bytes += bytes;
        let answers = line.answered_bytes / self.asking.answer_bytes;
        line.answered_bytes %= self.asking.answer_bytes;
        let mut left = answers;
        while let Some((since, count)) = line.due.front_mut().filter(|_| left > 0) {
            let taken = left.min(*count);
            self.latencies.saturating_record_n((now - *since).max(1), taken as u64);
            (left, *count) = (left - taken, *count - taken);
            if *count == 0 {
                line.due.pop_front();
            }
        }
        if left > 0 {
            self.fault = Some("more was answered than asked".to_owned());
        }
        if answers > 0 {
            self.ask(index, answers, now, io);
        }
    }
}

impl Handler for Asker {
    fn on(&mut self, completion: Completion<'_>, io: &mut dyn Io) {
        match completion {
            Completion::Connected { .. } => self.connected += 1,
            Completion::Received { token, bytes, .. } => {
                self.answered(token as usize, bytes.len(), io);
            }
            Completion::Closed { why, .. } => self.fault = Some(why.to_string()),
            _ => {}
        }
    }
}
