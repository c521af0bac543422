//! Many clients' writes held against three servers that only receive, forward, send, write and
//! answer.
//!
//! What is left of an ensemble when nothing is parsed, checked, summed, kept or applied: the kernel,
//! the disk and the wake-ups, on the engine's own reactor, with as many messages of the same sizes
//! between the same processes. The real ensemble and the bare one take turns under the same load, and
//! the ratio says which part of what this machine can do the servers' own code leaves.
//!
//! - `peer`: the processes. `messages`: their bytes. `journal`: their disk.
//! - `trial`: one turn of each. `report`: the table.
//!
//! Not here: one client with one write on its way (`lone`), the real load (`load`).

mod journal;
mod messages;
mod peer;
mod report;
mod trial;

use std::path::PathBuf;

pub use peer::{PeerOptions, serve};
pub use report::{BareReport, Figures, Line};

use crate::compare::{Ensemble, EnsembleError, Missing, System};
use crate::disk::DiskBenchError;
use crate::echo::{EchoError, EchoShape};
use crate::load::LoadError;
use crate::process::ProcessError;
use crate::turns::Turns;
use trial::{Side, Trials};

const SHAPES: &str = "30x100,30x1";
const BYTES: &str = "100,1024";

/// What to measure, and how long.
#[derive(Clone, Debug, clap::Args)]
pub struct BareOptions {
    /// Ringkeeper's program [default: the one beside this].
    #[arg(long, value_name = "FILE")]
    pub ringkeeper: Option<PathBuf>,
    /// What is asked, over all three servers; each size is asked with all of them.
    #[arg(long, value_name = "CONNECTIONSxOUTSTANDING,...", value_delimiter = ',',
        default_value = SHAPES)]
    pub shapes: Vec<EchoShape>,
    /// Data of a set.
    #[arg(long, value_name = "BYTES,...", value_delimiter = ',', default_value = BYTES,
        value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub bytes: Vec<u32>,
    /// Whole seconds of each turn, after one of the same load.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub seconds: u64,
    /// Rounds in which both take turns; every other one goes backwards.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
    /// The disk to measure on; all data lies below it until the end.
    #[arg(long, value_name = "DIR", default_value = "/var/tmp")]
    pub data: PathBuf,
    /// This program, for the processes of the bare ensemble.
    #[arg(long, hide = true)]
    pub bench: Option<PathBuf>,
}

/// Why there is no figure.
#[derive(Debug, thiserror::Error)]
pub enum BareError {
    #[error("{0}")]
    Missing(#[from] Missing),
    #[error("{0}")]
    Ensemble(#[from] EnsembleError),
    #[error("{0}")]
    Load(#[from] LoadError),
    #[error("the bare ensemble: {0}")]
    Echo(#[from] EchoError),
    #[error("{0}")]
    Disk(#[from] DiskBenchError),
    #[error("{0}")]
    Process(#[from] ProcessError),
    #[error("a set was refused or lost; run `load` against the ensemble to see how")]
    Refused,
}

/// Runs it all. With `shows_progress` each turn is told on standard error.
pub fn run(options: &BareOptions, shows_progress: bool) -> Result<BareReport, BareError> {
    let system = System::ringkeeper(options.ringkeeper.as_deref())?;
    let trials = Trials::start(options, Ensemble::start(&system, 3, &options.data)?)?;
    let mut lines = Vec::new();
    for shape in &options.shapes {
        for bytes in &options.bytes {
            let mut line =
                Line { shape: *shape, bytes: *bytes, real: Vec::new(), bare: Vec::new() };
            measure(&trials, &mut line, shows_progress)?;
            lines.push(line);
        }
    }
    Ok(BareReport { seconds: options.seconds, rounds: options.rounds, lines })
}

fn measure(trials: &Trials<'_>, line: &mut Line, shows_progress: bool) -> Result<(), BareError> {
    let rounds = trials.options.rounds;
    let turns = Turns { seconds: 0.0, rounds };
    for (turn, who) in turns.order(Side::ALL.len()).enumerate() {
        let figures = trials.take(Side::ALL[who], line.shape, line.bytes)?;
        match Side::ALL[who] {
            Side::Real => line.real.push(figures),
            Side::Bare => line.bare.push(figures),
        }
        if let (true, Some(real), Some(bare)) = (turn % 2 == 1, line.real.last(), line.bare.last())
            && shows_progress
        {
            let (shape, bytes, round) = (line.shape, line.bytes, turn / 2 + 1);
            eprintln!("{shape} {bytes} B, round {round} of {rounds}: real {real}, bare {bare}");
        }
    }
    Ok(())
}
