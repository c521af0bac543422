//! The bare device below the log, and the engine's own log beside it.
//!
//! A commit is one batch made durable. Each way to do it is run with each size of batch, on a
//! prepared segment as the log writes it, and the log itself takes turns with them, so that its
//! figure is held against what the device gives in the same second.
//!
//! - `device`: the folder and its segment.
//! - `cycle`: one turn of one way and size on the bare device.
//! - `log`: one turn of the engine's log.
//! - `report`: the table.
//!
//! Not here: what the log gathers and when (`ringkeeper_engine::log`).

mod cycle;
mod device;
mod log;
mod report;

use std::fmt;
use std::path::PathBuf;

use ringkeeper_engine::io::files::DirectoryError;
use ringkeeper_engine::io::{self, Backend, Reactor, ReactorError};
use ringkeeper_engine::log::{LogError, LogFailure};

pub(crate) use cycle::Tally;
pub use cycle::{Cycle, Way};
pub(crate) use device::{Device, SEGMENT};
pub use log::Feed;
pub use report::{DiskReport, Series};

use crate::turns::Turns;
use cycle::Run;
use device::TURN;
use log::LogBench;

/// The sizes of batches, in KiB.
const SIZES: &str = "4,16,64,256";

/// What to run, and where.
#[derive(Clone, Debug, clap::Args)]
pub struct DiskOptions {
    /// The disk to measure; folders are made there and removed at the end.
    #[arg(long, value_name = "DIR", default_value = "/var/tmp")]
    pub data: PathBuf,
    #[command(flatten)]
    pub turns: Turns,
    /// Sizes of a batch.
    #[arg(long, value_name = "KIB,...", value_delimiter = ',', default_value = SIZES,
        value_parser = clap::value_parser!(u32).range(4..=1024))]
    pub sizes: Vec<u32>,
    /// How to talk to the kernel: uring, or poll [default: uring where it works].
    #[arg(long)]
    pub io: Option<String>,
}

/// Why there is no figure.
#[derive(Debug, thiserror::Error)]
pub enum DiskBenchError {
    #[error("{0}")]
    Directory(#[from] DirectoryError),
    #[error("{0}")]
    Reactor(#[from] ReactorError),
    #[error("the disk failed: {}", std::io::Error::from_raw_os_error(*.0))]
    Failed(i32),
    #[error("{0}")]
    Open(#[from] LogError),
    #[error("{0}")]
    Log(#[from] LogFailure),
}

/// Who makes batches durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The device, with nothing above the reactor.
    Bare(Way),
    /// The engine's log.
    Log(Feed),
}

impl Subject {
    /// Each form of the log stands behind the bare way that it is held against.
    pub(crate) const ALL: [Self; 6] = [
        Self::Bare(Way::Serial),
        Self::Bare(Way::Durable),
        Self::Log(Feed::Lone),
        Self::Bare(Way::DurablePipelined),
        Self::Bare(Way::Pipelined),
        Self::Log(Feed::Busy),
    ];

    /// The device's share of it: what the log can reach.
    pub fn limit(self) -> Option<Self> {
        match self {
            Self::Bare(_) => None,
            Self::Log(Feed::Lone) => Some(Self::Bare(Way::Durable)),
            Self::Log(Feed::Busy) => Some(Self::Bare(Way::Pipelined)),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bare(way) => way.describe(),
            Self::Log(Feed::Lone) => "the log, one batch after the other",
            Self::Log(Feed::Busy) => "the log, busy",
        })
    }
}

/// Runs every way with every size. With `shows_progress` each is told on standard error.
pub fn run(options: &DiskOptions, shows_progress: bool) -> Result<DiskReport, DiskBenchError> {
    let backend = io::probe(options.io.as_deref())?;
    let device = Device::open(&options.data, "disk")?;
    let mut reactor = device.reactor(backend)?;
    device.prepare(&mut *reactor)?;
    let mut all = Vec::new();
    for kib in &options.sizes {
        let bytes = (*kib as usize) << 10;
        if shows_progress {
            eprintln!("{kib} KiB, {} rounds of {} ways", options.turns.rounds, Subject::ALL.len());
        }
        all.extend(run_size(options, backend, &device, &mut *reactor, bytes)?);
    }
    Ok(DiskReport { how: reactor.describe(), turns: options.turns, series: all })
}

fn run_size(
    options: &DiskOptions,
    backend: Backend,
    device: &Device,
    reactor: &mut dyn Reactor,
    bytes: usize,
) -> Result<Vec<Series>, DiskBenchError> {
    let mut log = LogBench::open(&options.data, backend, bytes)?;
    let window_us = options.turns.window_us();
    let mut all = Subject::ALL.map(|subject| Series { subject, bytes, cycles: Vec::new() });
    for who in options.turns.order(all.len()) {
        let series = &mut all[who];
        let cycle = match series.subject {
            Subject::Bare(way) => measure(device, reactor, way, bytes, window_us)?,
            Subject::Log(feed) => log.measure(feed, window_us)?,
        };
        series.cycles.push(cycle);
    }
    Ok(all.into())
}

/// One turn of one way on the bare device.
pub(crate) fn measure(
    device: &Device,
    reactor: &mut dyn Reactor,
    way: Way,
    bytes: usize,
    window_us: u64,
) -> Result<Cycle, DiskBenchError> {
    let before = device.counts();
    let mut run = Run::new(way, bytes);
    run.drive(reactor.io());
    while run.elapsed_us() < window_us && run.failure.is_none() {
        reactor.turn(Some(TURN), &mut run)?;
    }
    let mut cycle = run.end();
    cycle.device = device.counts().zip(before).map(|(after, before)| after.since(before));
    while run.is_busy() && run.failure.is_none() {
        reactor.turn(Some(TURN), &mut run)?;
    }
    run.failure.map_or(Ok(cycle), |errno| Err(DiskBenchError::Failed(errno)))
}
