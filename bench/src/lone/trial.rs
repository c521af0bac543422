//! One turn of each part, with the processes that it takes.
//!
//! Not here: what a process does (`peer`), its start and its end (`crate::process`).

use std::net::SocketAddr;
use std::path::Path;

use ringkeeper_engine::io::{self, Backend, Reactor};
use ringkeeper_engine::limits::BLOCK;

use super::{LoneError, LoneOptions, Part};
use crate::compare::Ensemble;
use crate::disk::{self, Device, Way};
use crate::echo::{Asking, EchoError, EchoShape, WARMUP_US};
use crate::load::{self, LoadOptions, Mix};
use crate::process::{Process, ProcessError};

/// What a set's messages have besides the data: header, path, stat, on every one of its hops.
const MESSAGE_OVERHEAD_BYTES: usize = 100;

const ALONE: EchoShape = EchoShape { connections: 1, outstanding: 1 };

pub(super) struct Trials<'a> {
    options: &'a LoneOptions,
    leader: SocketAddr,
    backend: Backend,
    device: Device,
    reactor: Box<dyn Reactor>,
}

impl<'a> Trials<'a> {
    pub(super) fn start(options: &'a LoneOptions, ensemble: &Ensemble) -> Result<Self, LoneError> {
        let backend = io::probe(None).map_err(EchoError::from)?;
        let device = Device::open(&options.data, "lone")?;
        let mut reactor = device.reactor(backend)?;
        device.prepare(&mut *reactor)?;
        let leader = ensemble.clients()[0];
        Ok(Self { options, leader, backend, device, reactor })
    }

    /// The median of one turn, in microseconds.
    pub(super) fn take(&mut self, part: Part) -> Result<f64, LoneError> {
        let p50_us = match part {
            Part::Set => self.set()?,
            Part::ClientTrip | Part::FollowerTrip => self.ask(&self.peer(None, &[])?)?,
            Part::Write => {
                let window_us = self.options.seconds * 1_000_000;
                let way = Way::Durable;
                disk::measure(&self.device, &mut *self.reactor, way, BLOCK, window_us)?.p50_us
            }
            Part::Skeleton => self.skeleton()?,
        };
        Ok(p50_us as f64)
    }

    fn set(&self) -> Result<u64, LoneError> {
        let options = LoadOptions {
            servers: vec![self.leader],
            mix: Mix::Set,
            connections: ALONE.connections,
            outstanding: ALONE.outstanding,
            bytes: self.options.bytes as usize,
            znodes: 0,
            seconds: self.options.seconds,
            warmup: 0,
            rate: None,
            threads: 1,
            io: None,
        };
        let report = load::run(&options, false, &mut |_| ())?;
        if report.is_clean() { Ok(report.latency.p50_us) } else { Err(LoneError::Refused) }
    }

    fn skeleton(&self) -> Result<u64, LoneError> {
        // Below our own folder, so that nothing of theirs stays behind if they are killed.
        let data = Some(self.device.folder());
        let followers = [self.peer(data, &[])?, self.peer(data, &[])?];
        let leader = self.peer(data, &followers.each_ref().map(|follower| follower.address()))?;
        self.ask(&leader)
    }

    fn ask(&self, peer: &Process) -> Result<u64, LoneError> {
        let bytes = self.message_bytes();
        let window_us = self.options.seconds * 1_000_000;
        let asking = Asking {
            shape: ALONE,
            request_bytes: bytes,
            answer_bytes: bytes,
            warmup_us: WARMUP_US,
            window_us,
            backend: self.backend,
        };
        Ok(asking.ask(&[peer.address()], &|| 0)?.p50_us)
    }

    fn message_bytes(&self) -> usize {
        self.options.bytes as usize + MESSAGE_OVERHEAD_BYTES
    }

    fn peer(&self, data: Option<&Path>, followers: &[SocketAddr]) -> Result<Process, ProcessError> {
        Process::start(self.options.bench.as_deref(), |command| {
            command.args(["peer", "--bytes", &self.message_bytes().to_string()]);
            if let Some(data) = data {
                command.arg("--data").arg(data);
            }
            if !followers.is_empty() {
                let followers: Vec<String> = followers.iter().map(ToString::to_string).collect();
                command.args(["--followers", &followers.join(",")]);
            }
        })
    }
}
