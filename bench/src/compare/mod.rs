//! Both systems on this host, side by side: same configuration, same disk, same load, in turns.
//!
//! Both ensembles run all the while; the one that is not measured only keeps its heartbeat. The JVM
//! is warmed by each of the loads before the first figure. Then, shape by shape, the systems take
//! turns in the order A B, B A, A B, so that neither always comes first.
//!
//! - `system`, `ensemble`: the servers.
//! - `shape`, `sample`: what is run, and what it gives.
//! - `report`, `plot`: the table, the raw figures, the picture.
//!
//! Not here: the load itself (`crate::load`).

mod ensemble;
mod plot;
mod report;
mod sample;
mod shape;
mod system;

use std::path::{Path, PathBuf};

pub use ensemble::{Ensemble, EnsembleError};
pub use report::Comparison;
pub use sample::{Sample, Spread};
pub use shape::Shape;
pub use system::{Missing, System};

use crate::load::LoadError;

const SHAPES: &str =
    "set:30x100,create:30x100,get:30x100,mixed:30x100,set:30x1,set:1x1,set:30x100@5000";

/// What to compare, and how long.
#[derive(Clone, Debug, clap::Args)]
pub struct CompareOptions {
    /// Apache ZooKeeper: a folder of jars, or an unpacked release [default: what
    /// tests/interop/fetch-3.9.5 brought, or Debian's package].
    #[arg(long, value_name = "DIR")]
    pub zookeeper: Option<PathBuf>,
    /// Ringkeeper's program [default: the one beside this].
    #[arg(long, value_name = "FILE")]
    pub ringkeeper: Option<PathBuf>,
    /// Measured seconds of each run.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub seconds: u64,
    /// Runs of each system, each beside one of the other.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub pairs: u16,
    /// Seconds of load before the first figure, over all shapes.
    #[arg(long, default_value_t = 24)]
    pub warmup: u64,
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9))]
    pub servers: u8,
    /// What is compared.
    #[arg(long, value_name = "MIX:CONNECTIONSxOUTSTANDING[:BYTES][@RATE],...", value_delimiter = ',',
        default_value = SHAPES)]
    pub mixes: Vec<Shape>,
    /// The disk to compare on; both systems' data lies below it until the end.
    #[arg(long, value_name = "DIR", default_value = "/var/tmp")]
    pub data: PathBuf,
    /// Also write compare.json and throughput.svg there.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Why there is no comparison.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    #[error("{0}")]
    Missing(#[from] Missing),
    #[error("{0}")]
    Ensemble(#[from] EnsembleError),
    #[error("{system}, {shape}: {error}")]
    Load { system: &'static str, shape: String, error: LoadError },
    #[error("{0}: {1}")]
    Write(PathBuf, std::io::Error),
    #[error("throughput.svg: {0}")]
    Plot(String),
}

/// One shape: a sample of each system a pair.
#[derive(Debug)]
pub struct Series {
    pub shape: Shape,
    pub ringkeeper: Vec<Sample>,
    pub zookeeper: Vec<Sample>,
}

struct Side {
    system: System,
    ensemble: Ensemble,
}

/// Runs it all. With `shows_progress` lines on standard error tell how it goes.
pub fn run(options: &CompareOptions, shows_progress: bool) -> Result<Comparison, CompareError> {
    let ringkeeper = System::ringkeeper(options.ringkeeper.as_deref())?;
    let zookeeper = System::zookeeper(options.zookeeper.as_deref())?;
    let say = |what: String| {
        if shows_progress {
            eprintln!("{what}");
        }
    };
    let start = |system: System| {
        say(format!("starting {system}"));
        let ensemble = Ensemble::start(&system, options.servers.into(), &options.data)?;
        Ok::<_, CompareError>(Side { system, ensemble })
    };
    let (ringkeeper, zookeeper) = (start(ringkeeper)?, start(zookeeper)?);
    let take = |side: &Side, shape: &Shape, seconds: u64| {
        let taken = Sample::take(&side.ensemble, shape, seconds, &options.data, shows_progress);
        let sample = taken.map_err(|error| {
            let system = side.system.short_name();
            CompareError::Load { system, shape: shape.to_string(), error }
        })?;
        say(format!(
            "{:<12} {:<18} {:>9.0}/s  p50 {:>7} us  p99 {:>7} us  {:>7.2} CPU-us",
            side.system.short_name(),
            shape.to_string(),
            sample.load.per_second,
            sample.load.latency.p50_us,
            sample.load.latency.p99_us,
            sample.cpu_us_per_operation
        ));
        Ok::<_, CompareError>(sample)
    };

    let warmup = options.warmup.div_ceil(options.mixes.len() as u64).max(1);
    say(format!("warming up, {warmup} s a shape and system"));
    for shape in &options.mixes {
        take(&zookeeper, shape, warmup)?;
        take(&ringkeeper, shape, warmup)?;
    }
    let mut all = Vec::new();
    for shape in &options.mixes {
        let mut series = Series { shape: *shape, ringkeeper: Vec::new(), zookeeper: Vec::new() };
        for pair in 0..options.pairs {
            say(format!("{shape}, pair {} of {}", pair + 1, options.pairs));
            if pair % 2 == 0 {
                series.ringkeeper.push(take(&ringkeeper, shape, options.seconds)?);
                series.zookeeper.push(take(&zookeeper, shape, options.seconds)?);
            } else {
                series.zookeeper.push(take(&zookeeper, shape, options.seconds)?);
                series.ringkeeper.push(take(&ringkeeper, shape, options.seconds)?);
            }
        }
        all.push(series);
    }
    let comparison = Comparison::new(options, &ringkeeper.system, &zookeeper.system, all);
    if let Some(folder) = &options.out {
        write(folder, &comparison)?;
    }
    Ok(comparison)
}

fn write(folder: &Path, comparison: &Comparison) -> Result<(), CompareError> {
    let file = folder.join("compare.json");
    let failed = |error| CompareError::Write(file.clone(), error);
    std::fs::create_dir_all(folder).map_err(failed)?;
    let json = std::fs::File::create(&file).map_err(failed)?;
    serde_json::to_writer_pretty(json, &comparison.to_json())
        .map_err(|error| failed(error.into()))?;
    plot::throughput(comparison, folder).map_err(|error| CompareError::Plot(error.to_string()))
}
