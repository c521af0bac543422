//! One turn of the real ensemble and one of the bare one, which is started for it.
//!
//! Not here: what a bare server does (`peer`).

use std::net::SocketAddr;
use std::path::Path;

use ringkeeper_engine::io::{self, Backend};

use super::messages::{ANSWER_BYTES, request_bytes};
use super::{BareError, BareOptions, Figures};
use crate::compare::{Ensemble, Sample, Shape, WARMUP_SECONDS};
use crate::disk::Device;
use crate::echo::{Asking, EchoError, EchoShape};
use crate::load::Mix;
use crate::process::{Process, ProcessError};

/// Who takes turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Real,
    Bare,
}

impl Side {
    pub(super) const ALL: [Self; 2] = [Self::Real, Self::Bare];
}

pub(super) struct Trials<'a> {
    pub(super) options: &'a BareOptions,
    pub(super) ensemble: Ensemble,
    pub(super) backend: Backend,
}

impl<'a> Trials<'a> {
    pub(super) fn start(options: &'a BareOptions, ensemble: Ensemble) -> Result<Self, BareError> {
        let backend = io::probe(None).map_err(EchoError::from)?;
        Ok(Self { options, ensemble, backend })
    }

    pub(super) fn take(
        &self,
        side: Side,
        shape: EchoShape,
        bytes: u32,
    ) -> Result<Figures, BareError> {
        match side {
            Side::Real => self.real(shape, bytes as usize),
            Side::Bare => self.bare(shape, bytes as usize),
        }
    }

    fn real(&self, shape: EchoShape, bytes: usize) -> Result<Figures, BareError> {
        let EchoShape { connections, outstanding } = shape;
        let shape = Shape { mix: Mix::Set, connections, outstanding, bytes, znodes: 0, rate: None };
        let BareOptions { seconds, data, .. } = self.options;
        let sample = Sample::take(&self.ensemble, &shape, *seconds, data, false)?;
        if !sample.load.is_clean() {
            return Err(BareError::Refused);
        }
        Ok(Figures {
            per_second: sample.load.per_second,
            cpu_us: sample.cpu_us_per_operation,
            busy: sample.load.generator.busy,
        })
    }

    fn bare(&self, shape: EchoShape, bytes: usize) -> Result<Figures, BareError> {
        // Removed after the processes have ended, with what they may leave in it.
        let device = Device::open(&self.options.data, "bare")?;
        let follower = |number| self.peer(device.folder(), bytes, number, &[]);
        let followers = [follower(1)?, follower(2)?];
        let [first, second] = followers.each_ref().map(Process::address);
        let leader = self.peer(device.folder(), bytes, 0, &[first, second])?;
        let asking = Asking {
            shape,
            request_bytes: request_bytes(bytes),
            answer_bytes: ANSWER_BYTES,
            warmup_us: WARMUP_SECONDS * 1_000_000,
            window_us: self.options.seconds * 1_000_000,
            backend: self.backend,
        };
        let addresses = [leader.address(), first, second];
        let cpu_us = || leader.cpu_us() + followers.iter().map(Process::cpu_us).sum::<u64>();
        let asked = asking.ask(&addresses, &cpu_us)?;
        Ok(Figures {
            per_second: asked.per_second(),
            cpu_us: asked.server_cpu_us_per_operation(),
            busy: asked.asker_busy,
        })
    }

    fn peer(
        &self,
        data: &Path,
        bytes: usize,
        number: usize,
        followers: &[SocketAddr],
    ) -> Result<Process, ProcessError> {
        Process::start(self.options.bench.as_deref(), |command| {
            let (number, bytes) = (number.to_string(), bytes.to_string());
            command.args(["bare-peer", "--server", &number, "--bytes", &bytes]);
            command.arg("--data").arg(data);
            if !followers.is_empty() {
                let followers: Vec<String> = followers.iter().map(ToString::to_string).collect();
                command.args(["--followers", &followers.join(",")]);
            }
        })
    }
}
