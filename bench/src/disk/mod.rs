//! The bare device below the log: write and flush by the engine's own code, and nothing else.
//!
//! A commit is one batch made durable. Each way to do it is run with each size of batch, on a
//! prepared segment as the log writes it, so that a figure of the log can be held against what the
//! device gives in the same minute.
//!
//! - `cycle`: one run of one way and size.
//! - `report`: the table.
//!
//! Not here: what the log gathers and when (`ringkeeper_engine::log`).

mod cycle;
mod report;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ringkeeper_engine::io::clock::now_micros;
use ringkeeper_engine::io::files::{Directory, DirectoryError};
use ringkeeper_engine::io::{self, Completion, Io, Reactor, ReactorError, ReactorOptions};
use ringkeeper_engine::limits::SEGMENT_BYTES;
use ringkeeper_engine::log::{DiskDone, DiskOp};

pub use cycle::{Cycle, Way};
pub use report::DiskReport;

use crate::host::DeviceCounts;
use cycle::Run;

/// The only segment there is.
const SEGMENT: u64 = 1;

const TURN: Duration = Duration::from_millis(100);

/// The sizes of batches, in KiB.
const SIZES: &str = "4,16,64,256";

/// What to run, and where.
#[derive(Clone, Debug, clap::Args)]
pub struct DiskOptions {
    /// The disk to measure; a folder is made there and removed at the end.
    #[arg(long, value_name = "DIR", default_value = "/var/tmp")]
    pub data: PathBuf,
    /// Seconds of each way and size.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub seconds: u64,
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
}

/// The folder of one run, removed however the run ends.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} stays behind: {error}", self.0.display());
        }
    }
}

/// Runs every way with every size. With `shows_progress` each is told on standard error.
pub fn run(options: &DiskOptions, shows_progress: bool) -> Result<DiskReport, DiskBenchError> {
    let folder = options.data.join(format!("ringkeeper-bench-{}-disk", std::process::id()));
    let folder = Folder(folder);
    let directory = Directory::open(&folder.0, &folder.0)?;
    let backend = io::probe(options.io.as_deref())?;
    let mut reactor = io::start(backend, &ReactorOptions::default(), Some(Arc::clone(&directory)))?;
    prepare(&mut *reactor)?;

    let mut cycles = Vec::new();
    for kib in &options.sizes {
        for way in Way::ALL {
            if shows_progress {
                eprintln!("{kib} KiB, {}", way.describe());
            }
            let before = DeviceCounts::of(&folder.0);
            let mut cycle = measure(&mut *reactor, way, (*kib as usize) << 10, options.seconds)?;
            let after = DeviceCounts::of(&folder.0);
            cycle.device = after.zip(before).map(|(after, before)| after.since(before));
            cycles.push(cycle);
        }
    }
    Ok(DiskReport { how: reactor.describe(), seconds: options.seconds, cycles })
}

fn prepare(reactor: &mut dyn Reactor) -> Result<(), DiskBenchError> {
    struct Waiting(Option<Result<(), i32>>);
    impl io::Handler for Waiting {
        fn on(&mut self, completion: Completion<'_>, _: &mut dyn Io) {
            if let Completion::Disk(DiskDone::Prepared { result, .. }) = completion {
                self.0 = Some(result);
            }
        }
    }
    reactor.io().disk(DiskOp::Prepare { segment: SEGMENT, bytes: SEGMENT_BYTES, recycle: None });
    let mut waiting = Waiting(None);
    while waiting.0.is_none() {
        reactor.turn(Some(TURN), &mut waiting)?;
    }
    waiting.0.unwrap_or(Ok(())).map_err(DiskBenchError::Failed)
}

fn measure(
    reactor: &mut dyn Reactor,
    way: Way,
    bytes: usize,
    seconds: u64,
) -> Result<Cycle, DiskBenchError> {
    let mut run = Run::new(way, bytes);
    let begin = now_micros();
    run.drive(reactor.io());
    while now_micros() < begin + seconds * 1_000_000 && run.failure.is_none() {
        reactor.turn(Some(TURN), &mut run)?;
    }
    let elapsed_us = now_micros() - begin;
    let cycle = run.end(elapsed_us);
    while run.is_busy() && run.failure.is_none() {
        reactor.turn(Some(TURN), &mut run)?;
    }
    run.failure.map_or(Ok(cycle), |errno| Err(DiskBenchError::Failed(errno)))
}
