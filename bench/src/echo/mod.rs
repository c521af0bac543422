//! Which runtime carries the network and the log: the same echo and the same append on each.
//!
//! An echo server answers every request with its own bytes, on one thread; one thread asks, always
//! by the engine's reactor. An append makes batches durable in one prepared segment. All that can
//! carry either take turns in one run.
//!
//! - `shape`: connections x outstanding.
//! - `runtime`, `server`: who answers. `reactor`, `bare`, `tokio`: how each does.
//! - `asker`: the one who asks.
//! - `append`: the log's writes on tokio-uring.
//! - `report`: the tables.
//!
//! Not here: what the log adds to its writes (`disk`), what the servers add to an echo (`lone`).

mod append;
mod asker;
mod bare;
mod reactor;
mod report;
mod runtime;
mod server;
mod shape;
mod tokio;

use std::io::Error as OsError;
use std::path::PathBuf;

use ringkeeper_engine::io::{self, Backend, ReactorError};

pub use report::{Appends, EchoReport, Echoes};
pub use runtime::Runtime;
pub use server::serve;
pub use shape::EchoShape;

pub(crate) use asker::{Asked, Asking};

use crate::disk::{self, Device, DiskBenchError, Way};
use crate::turns::Turns;
use server::Server;

const SHAPES: &str = "30x100,30x1,1x1";
const BATCHES: &str = "4,64";

/// Asked before each window of an echo.
pub(crate) const WARMUP_US: u64 = 100_000;

/// What to carry, and how long.
#[derive(Clone, Debug, clap::Args)]
pub struct EchoOptions {
    /// What is asked; each runtime is given all of them.
    #[arg(long, value_name = "CONNECTIONSxOUTSTANDING,...", value_delimiter = ',',
        default_value = SHAPES)]
    pub shapes: Vec<EchoShape>,
    /// Bytes of a request, and of its answer.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub bytes: u32,
    /// Sizes of the batches that are appended.
    #[arg(long, value_name = "KIB,...", value_delimiter = ',', default_value = BATCHES,
        value_parser = clap::value_parser!(u32).range(4..=1024))]
    pub batches: Vec<u32>,
    #[command(flatten)]
    pub turns: Turns,
    /// The disk to append on; a folder is made there and removed at the end.
    #[arg(long, value_name = "DIR", default_value = "/var/tmp")]
    pub data: PathBuf,
}

/// Why there is no figure.
#[derive(Debug, thiserror::Error)]
pub enum EchoError {
    #[error("{0}")]
    Reactor(#[from] ReactorError),
    #[error("{0}")]
    Disk(#[from] DiskBenchError),
    #[error("{runtime}: {error}")]
    Server { runtime: Runtime, error: OsError },
    #[error("{0}: the server has ended before it was asked anything")]
    NoServer(Runtime),
    #[error("a connection to the server ended: {0}")]
    Lost(String),
    #[error("the server is silent")]
    Silent,
}

/// Runs it all. With `shows_progress` each shape and batch is told on standard error.
pub fn run(options: &EchoOptions, shows_progress: bool) -> Result<EchoReport, EchoError> {
    let say = |what: String| {
        if shows_progress {
            eprintln!("{what}, {} rounds", options.turns.rounds);
        }
    };
    let runtimes = Runtime::that_work();
    let mut echoes = Vec::new();
    for shape in &options.shapes {
        say(format!("echo of {} bytes, {shape}", options.bytes));
        echoes.extend(echo(options, *shape, &runtimes)?);
    }
    let mut appends = Vec::new();
    for kib in &options.batches {
        say(format!("append of {kib} KiB"));
        appends.extend(append(options, (*kib as usize) << 10, &runtimes)?);
    }
    let EchoOptions { bytes, turns, .. } = *options;
    Ok(EchoReport { bytes, turns, runtimes, echoes, appends })
}

fn echo(
    options: &EchoOptions,
    shape: EchoShape,
    runtimes: &[Runtime],
) -> Result<Vec<Echoes>, EchoError> {
    let fresh = |runtime: &Runtime| Echoes { runtime: *runtime, shape, turns: Vec::new() };
    let mut all: Vec<Echoes> = runtimes.iter().map(fresh).collect();
    let bytes = options.bytes as usize;
    let asking = Asking {
        shape,
        request_bytes: bytes,
        answer_bytes: bytes,
        warmup_us: WARMUP_US,
        window_us: options.turns.window_us(),
        backend: io::probe(None)?,
    };
    for who in options.turns.order(all.len()) {
        let server = Server::start(all[who].runtime, shape.connections)?;
        let asked = asking.ask(&[server.address()], &|| server.cpu_us())?;
        server.end()?;
        all[who].turns.push(asked);
    }
    Ok(all)
}

fn append(
    options: &EchoOptions,
    bytes: usize,
    runtimes: &[Runtime],
) -> Result<Vec<Appends>, EchoError> {
    let device = Device::open(&options.data, "echo")?;
    let mut poll = device.reactor(Backend::Poll)?;
    device.prepare(&mut *poll)?;
    let mut uring = match runtimes.contains(&Runtime::Uring) {
        true => Some(device.reactor(Backend::Uring)?),
        false => None,
    };
    // A bare loop over epoll is no way to write files.
    let writers = runtimes.iter().filter(|runtime| **runtime != Runtime::Bare);
    let fresh = |runtime: Runtime, way: Way| Appends { runtime, way, bytes, turns: Vec::new() };
    let mut all: Vec<Appends> =
        Way::ALL.iter().flat_map(|way| writers.clone().map(|it| fresh(*it, *way))).collect();
    for who in options.turns.order(all.len()) {
        let series = &mut all[who];
        let (way, window_us) = (series.way, options.turns.window_us());
        let cycle = match (series.runtime, &mut uring) {
            (Runtime::TokioUring, _) => append::measure(&device, way, bytes, window_us)
                .map_err(|error| EchoError::Server { runtime: series.runtime, error })?,
            (Runtime::Uring, Some(uring)) => {
                disk::measure(&device, &mut **uring, way, bytes, window_us)?
            }
            _ => disk::measure(&device, &mut *poll, way, bytes, window_us)?,
        };
        series.turns.push(cycle);
    }
    Ok(all)
}
