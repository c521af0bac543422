//! Load over any server that speaks ZooKeeper's protocol.
//!
//! A run: a fresh parent znode, one znode for each connection below it, load through a warm-up and
//! a window of whole seconds, the answers still due, and everything made is deleted again.
//!
//! - `mix`, `requests`, `template`: what is asked, down to the bytes.
//! - `frames`, `session`: one connection.
//! - `pace`, `lane`, `state`: one thread, closed or open loop; `fanout` and `visit` are what the
//!   mixes of watches and of sessions do otherwise.
//! - `figures`, `report`: what came out.
//! - `run`: threads, window, progress.
//!
//! Not here: starting servers (`compare`).

mod fanout;
mod figures;
mod frames;
mod lane;
mod mix;
mod pace;
mod report;
mod requests;
mod run;
mod session;
mod state;
mod template;
mod visit;

use std::net::{SocketAddr, ToSocketAddrs};

use clap::builder::TypedValueParser;
use ringkeeper_engine::io::ReactorError;
use ringkeeper_tools::client::{ClientError, ConnectStringError};

pub use figures::{Latency, Second};
pub(crate) use frames::Frames;
pub use mix::Mix;
pub use report::{Generator, LoadReport};
pub(crate) use requests::Requests;
pub use run::{Border, run};
pub(crate) use session::Session;

/// Bytes of data a request may carry: ZooKeeper's bound of a frame, less what else stands in it.
const BYTES_MAX: i64 = 1_000_000;

/// What ten digits of a child's name leave room for, many times over.
const ZNODES_MAX: u64 = 1_000_000_000;

/// A load, and how long.
#[derive(Clone, Debug, clap::Args)]
pub struct LoadOptions {
    /// Servers, which the connections are spread over in turn.
    #[arg(long, value_name = "HOST:PORT,...", value_delimiter = ',', value_parser = resolve,
        required = true)]
    pub servers: Vec<SocketAddr>,
    /// What is asked.
    #[arg(long, value_enum, default_value_t = Mix::Set)]
    pub mix: Mix,
    #[arg(long, default_value_t = 30, value_parser = bounded(10_000))]
    pub connections: usize,
    /// Requests on their way on each connection; with --rate, at most.
    #[arg(long, default_value_t = 100, value_parser = bounded(100_000))]
    pub outstanding: usize,
    /// Data of a znode.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=BYTES_MAX)
        .map(|bytes| bytes as usize))]
    pub bytes: usize,
    /// Make so many znodes before the load, and let set, get and mixed go to them at random instead
    /// of to one for each connection.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=ZNODES_MAX))]
    pub znodes: u64,
    /// Measured seconds.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: u64,
    /// Seconds of the same load before them.
    #[arg(long, default_value_t = 1)]
    pub warmup: u64,
    /// Open loop: so many requests a second over all connections, and latency counted from when
    /// each should have been sent.
    #[arg(long, value_name = "N")]
    pub rate: Option<u32>,
    /// Threads of the generator.
    #[arg(long, default_value_t = 1, value_parser = bounded(64))]
    pub threads: usize,
    /// How the generator talks to the kernel: uring, or poll [default: uring where it works].
    #[arg(long)]
    pub io: Option<String>,
}

/// From 1 to `most`.
fn bounded(most: u64) -> impl TypedValueParser<Value = usize> {
    clap::value_parser!(u64).range(1..=most).map(|n| usize::try_from(n).unwrap_or(usize::MAX))
}

fn resolve(text: &str) -> Result<SocketAddr, String> {
    let mut addresses = text.to_socket_addrs().map_err(|error| error.to_string())?;
    addresses.next().ok_or_else(|| "has no address".to_owned())
}

/// Why there is no figure.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("the load's parent znode: {0}")]
    Parent(#[from] ClientError),
    #[error("{0}")]
    Servers(#[from] ConnectStringError),
    #[error("fan-out needs a connection beside the one that sets: --connections 2 or more")]
    NobodyWatches,
    #[error("a connection does not become ready: {0}")]
    NotReady(String),
    #[error("{0}")]
    Reactor(#[from] ReactorError),
    #[error("a thread of the generator panicked")]
    Panicked,
}
