//! One client, one write on its way: how near a set comes to what its road takes at least.
//!
//! A write cannot be quicker than a round trip between client and leader, one between leader and
//! follower, and one durable write: the follower's, for the leader's own goes on meanwhile and is one
//! vote of three. Each of these is measured bare, in the same run and in turns with the set itself:
//! the round trips as echoes between two processes on the engine's reactor, both asleep while
//! nothing comes; the write as one `RWF_DSYNC` write of a block. Their sum is the limit.
//!
//! Beside it stands the skeleton: the same three servers as processes that send, write and answer by
//! the same reactor, and do nothing else. It pays what the sum leaves out, three writes at once
//! on one disk and four processes on this machine's cores, and so says which part of the
//! distance to the limit is the servers' own code.
//!
//! - `peer`: the processes. `trial`: one turn of each. `report`: the table.
//!
//! Not here: the ensemble (`compare::Ensemble`), the set (`load`), the write (`disk`), many clients
//! (`bare`).

mod peer;
mod report;
mod trial;

use std::path::PathBuf;

pub use peer::{PeerOptions, serve};
pub use report::LoneReport;

use crate::compare::{Ensemble, EnsembleError, Missing, System};
use crate::disk::DiskBenchError;
use crate::echo::EchoError;
use crate::load::LoadError;
use crate::process::ProcessError;
use crate::turns::Turns;
use trial::Trials;

/// What to measure, and how long.
#[derive(Clone, Debug, clap::Args)]
pub struct LoneOptions {
    /// Ringkeeper's program [default: the one beside this].
    #[arg(long, value_name = "FILE")]
    pub ringkeeper: Option<PathBuf>,
    /// Whole seconds of each turn.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub seconds: u64,
    /// Rounds in which all take turns; every other one goes backwards.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
    /// Data of a set.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=3500))]
    pub bytes: u32,
    /// The disk to measure on; all data lies below it until the end.
    #[arg(long, value_name = "DIR", default_value = "/var/tmp")]
    pub data: PathBuf,
    /// This program, for the processes that echo.
    #[arg(long, hide = true)]
    pub bench: Option<PathBuf>,
}

/// Why there is no figure.
#[derive(Debug, thiserror::Error)]
pub enum LoneError {
    #[error("{0}")]
    Missing(#[from] Missing),
    #[error("{0}")]
    Ensemble(#[from] EnsembleError),
    #[error("{0}")]
    Load(#[from] LoadError),
    #[error("{0}")]
    Echo(#[from] EchoError),
    #[error("{0}")]
    Disk(#[from] DiskBenchError),
    #[error("a set was refused or lost; run `load` against the ensemble to see how")]
    Refused,
    #[error("{0}")]
    Process(#[from] ProcessError),
}

/// What takes turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Set,
    ClientTrip,
    FollowerTrip,
    Write,
    Skeleton,
}

impl Part {
    pub(crate) const ALL: [Self; 5] =
        [Self::Set, Self::ClientTrip, Self::FollowerTrip, Self::Write, Self::Skeleton];

    pub fn describe(self) -> &'static str {
        match self {
            Self::Set => "setData, one client, one outstanding",
            Self::ClientTrip => "round trip, client and leader",
            Self::FollowerTrip => "round trip, leader and follower",
            Self::Write => "one durable write of 4 KiB",
            Self::Skeleton => "skeleton: three servers that only send, write and answer",
        }
    }
}

/// Runs it all. With `shows_progress` each round is told on standard error.
pub fn run(options: &LoneOptions, shows_progress: bool) -> Result<LoneReport, LoneError> {
    let system = System::ringkeeper(options.ringkeeper.as_deref())?;
    let ensemble = Ensemble::start(&system, 3, &options.data)?;
    let mut trials = Trials::start(options, &ensemble)?;
    let mut p50_us = Part::ALL.map(|_| Vec::new());
    let turns = Turns { seconds: 0.0, rounds: options.rounds };
    for (turn, who) in turns.order(Part::ALL.len()).enumerate() {
        if shows_progress && turn % Part::ALL.len() == 0 {
            eprintln!("round {} of {}", turn / Part::ALL.len() + 1, options.rounds);
        }
        p50_us[who].push(trials.take(Part::ALL[who])?);
    }
    Ok(LoneReport { bytes: options.bytes, seconds: options.seconds, p50_us })
}
