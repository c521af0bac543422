//! Both systems on this host, side by side: same configuration, same disk, same load, in turns.
//!
//! Both ensembles run all the while; the one that is not measured only keeps its heartbeat. The JVM
//! is warmed by each of the loads before the first figure. Then, shape by shape, the systems take
//! turns in the order A B, B A, A B, so that neither always comes first.
//!
//! - `system`, `ensemble`: the servers.
//! - `shape`, `sample`: what is run, and what it gives.
//! - `rates`: latency at the same rates.
//! - `recovery`: leaders killed, servers restarted.
//! - `conditions`, `curve`, `table`: what a report is made of.
//! - `report`, `plot`, `html`: the table and the raw figures, the pictures, the page.
//!
//! Not here: the load itself (`crate::load`).

pub(crate) mod conditions;
mod curve;
mod ensemble;
pub(crate) mod html;
#[cfg(test)]
pub(crate) mod made_up;
pub(crate) mod plot;
mod rates;
mod recovery;
mod report;
mod sample;
mod shape;
mod system;
pub(crate) mod table;

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

pub use ensemble::{Ensemble, EnsembleError};
pub use plot::PlotError;
pub use rates::{Ladder, Rates};
pub use recovery::{Both, Failover, LinkError, Recovery, RecoveryError, RecoveryOptions, Restart};
pub use recovery::{leader_killed, restart};
pub use report::Comparison;
pub(crate) use sample::WARMUP_SECONDS;
pub use sample::{Sample, Spread};
pub use shape::Shape;
pub use system::{Missing, System};

use crate::load::LoadError;
use conditions::{Conditions, WARMUP_SECONDS_MIN};

/// A fan-out has one set on its way, and a session one ephemeral, as most have.
const SHAPES: &str = "set:30x100,create:30x100,create-delete:30x100,get:30x100,mixed:30x100,\
                      multi:30x100,fan-out:100x1,ephemeral:30x1,set:30x100:1024,set:30x1,set:1x1,\
                      set:30x100@5000";

/// For the end of `--help`.
pub const EXAMPLES: &str = "\
Examples:
  ringkeeper-bench compare --out perf/figures           all of it, in about half an hour
  ringkeeper-bench compare --mixes set:30x100,set:30x100:1024,set:30x1@5000 --no-recovery
  ringkeeper-bench compare --mixes set:30x100 --pairs 1 --seconds 1 --kills 5 --znodes 100000";

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
    /// Seconds of load on each system before the first figure, over all shapes; a JVM wants 20
    /// [default: twice as many as a run, of each shape, and 20 at least].
    #[arg(long)]
    pub warmup: Option<u64>,
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9))]
    pub servers: u8,
    /// What is compared.
    #[arg(long, value_delimiter = ',', default_value = SHAPES,
        value_name = "MIX:CONNECTIONSxOUTSTANDING[:BYTES][/ZNODES][@RATE],...")]
    pub mixes: Vec<Shape>,
    /// The disk to compare on; both systems' data lies below it until the end.
    #[arg(long, value_name = "DIR", default_value = "/var/tmp")]
    pub data: PathBuf,
    /// Also write there: index.html, a page with all of it that needs no other file; compare.json,
    /// every run; and each picture as SVG and PNG.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Sets a second of open loops, which both are asked as far as they keep up.
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = rates::RATES,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub rates: Vec<u32>,
    /// Leave out the open loops of --rates.
    #[arg(long)]
    pub no_rates: bool,
    #[command(flatten)]
    pub recovery: RecoveryOptions,
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
    #[error("recovery: {0}")]
    Recovery(#[from] RecoveryError),
    #[error("{0}: {1}")]
    Write(PathBuf, std::io::Error),
    #[error("{0}")]
    Plot(#[from] PlotError),
}

impl CompareOptions {
    /// Seconds that each shape warms each system.
    ///
    /// Unless it is said: so many that no run needs more memory than the system had before. A create
    /// that takes a page from the kernel costs a fifth more, and is another question.
    fn warmup_of_shape(&self) -> u64 {
        let shapes = self.mixes.len() as u64;
        match self.warmup {
            Some(seconds) => seconds.div_ceil(shapes).max(1),
            None => (2 * (self.seconds + WARMUP_SECONDS)).max(WARMUP_SECONDS_MIN.div_ceil(shapes)),
        }
    }
}

/// One shape: a sample of each system a pair.
#[derive(Clone, Debug)]
pub struct Series {
    pub shape: Shape,
    pub ringkeeper: Vec<Sample>,
    pub zookeeper: Vec<Sample>,
}

struct Side {
    system: System,
    ensemble: Ensemble,
}

/// What both loops need.
struct Run<'a> {
    options: &'a CompareOptions,
    shows_progress: bool,
}

/// Runs it all. With `shows_progress` lines on standard error tell how it goes.
pub fn run(options: &CompareOptions, shows_progress: bool) -> Result<Comparison, CompareError> {
    let run = Run { options, shows_progress };
    let systems = [
        System::ringkeeper(options.ringkeeper.as_deref())?,
        System::zookeeper(options.zookeeper.as_deref())?,
    ];
    let [ringkeeper, zookeeper] = &systems;
    let conditions = Conditions::new(options, ringkeeper, zookeeper);
    let (mut ringkeeper, mut zookeeper) = (run.start(ringkeeper)?, run.start(zookeeper)?);
    let all = run.load(&ringkeeper, &zookeeper)?;
    let rates = match options.no_rates {
        true => None,
        false => Some(run.rates(&ringkeeper, &zookeeper, &all)?),
    };
    // What took so long to measure is not lost to a server that does not come back.
    let loaded = Comparison::new(conditions.clone(), all.clone(), rates.clone(), None);
    run.write(&loaded)?;
    if options.recovery.no_recovery {
        return Ok(loaded);
    }
    let failover = run.failover(&mut ringkeeper, &mut zookeeper)?;
    drop((ringkeeper, zookeeper));
    let recovery = run.recovery(&systems, failover)?;
    let comparison = Comparison::new(conditions, all, rates, Some(recovery));
    run.write(&comparison)?;
    Ok(comparison)
}

impl Run<'_> {
    fn say(&self, what: &str) {
        if self.shows_progress {
            eprintln!("{what}");
        }
    }

    fn start(&self, system: &System) -> Result<Side, CompareError> {
        self.say(&format!("starting {system}"));
        let servers = self.options.servers.into();
        let ensemble = Ensemble::start(system, servers, &self.options.data)?;
        Ok(Side { system: system.clone(), ensemble })
    }

    /// Warms both, and runs every shape in turns.
    fn load(&self, ringkeeper: &Side, zookeeper: &Side) -> Result<Vec<Series>, CompareError> {
        let options = self.options;
        let warmup = options.warmup_of_shape();
        self.say(&format!("warming up, {warmup} s a shape and system"));
        for shape in &options.mixes {
            self.take(zookeeper, shape, warmup)?;
            self.take(ringkeeper, shape, warmup)?;
        }
        let mut all = Vec::new();
        for shape in &options.mixes {
            let mut series =
                Series { shape: *shape, ringkeeper: Vec::new(), zookeeper: Vec::new() };
            for pair in 0..options.pairs {
                self.say(&format!("{shape}, pair {} of {}", pair + 1, options.pairs));
                if pair % 2 == 0 {
                    series.ringkeeper.push(self.take(ringkeeper, shape, options.seconds)?);
                    series.zookeeper.push(self.take(zookeeper, shape, options.seconds)?);
                } else {
                    series.zookeeper.push(self.take(zookeeper, shape, options.seconds)?);
                    series.ringkeeper.push(self.take(ringkeeper, shape, options.seconds)?);
                }
            }
            all.push(series);
        }
        Ok(all)
    }

    /// Climbs the rates, both systems side by side.
    fn rates(
        &self,
        ringkeeper: &Side,
        zookeeper: &Side,
        all: &[Series],
    ) -> Result<Rates, CompareError> {
        let mut rates = Rates::default();
        let seconds = self.options.seconds;
        for rate in &self.options.rates {
            let sides = [(ringkeeper, &mut rates.ringkeeper), (zookeeper, &mut rates.zookeeper)];
            for (side, ladder) in sides.into_iter().filter(|(_, ladder)| ladder.goes_on()) {
                ladder.steps.push(self.take(side, &rates::at(*rate), seconds)?);
            }
        }
        let own = |side: &Side, runs| {
            let rate = rates::careful(all, runs);
            rate.map(|rate| self.take(side, &rates::at(rate), seconds)).transpose()
        };
        rates.ringkeeper.careful = own(ringkeeper, |series| &series.ringkeeper)?;
        rates.zookeeper.careful = own(zookeeper, |series| &series.zookeeper)?;
        Ok(rates)
    }

    fn take(&self, side: &Side, shape: &Shape, seconds: u64) -> Result<Sample, CompareError> {
        let data = &self.options.data;
        let taken = Sample::take(&side.ensemble, shape, seconds, data, self.shows_progress);
        let sample = taken.map_err(|error| {
            let system = side.system.short_name();
            CompareError::Load { system, shape: shape.to_string(), error }
        })?;
        self.say(&format!(
            "{:<12} {:<18} {:>9.0}/s  p50 {:>7} us  p99 {:>7} us  {:>7.2} CPU-us",
            side.system.short_name(),
            shape.to_string(),
            sample.load.per_second,
            sample.load.latency.p50_us,
            sample.load.latency.p99_us,
            sample.cpu_us_per_operation
        ));
        Ok(sample)
    }

    fn failover(
        &self,
        ringkeeper: &mut Side,
        zookeeper: &mut Side,
    ) -> Result<Option<Failover>, CompareError> {
        let sides =
            [ringkeeper, zookeeper].map(|side| (side.system.short_name(), &mut side.ensemble));
        let (servers, options) = (self.options.servers, &self.options.recovery);
        Ok(recovery::failover(options, servers, sides, &|what| self.say(&what))?)
    }

    fn recovery(
        &self,
        systems: &[System; 2],
        failover: Option<Failover>,
    ) -> Result<Recovery, CompareError> {
        let CompareOptions { recovery: options, servers, data, .. } = self.options;
        let restarts =
            recovery::restarts(options, *servers, systems, data, &|what| self.say(&what))?;
        Ok(Recovery { znodes: options.znodes, failover, restarts })
    }

    fn write(&self, comparison: &Comparison) -> Result<(), CompareError> {
        self.options.out.as_ref().map_or(Ok(()), |folder| write(folder, comparison))
    }
}

/// The figures first: a picture that cannot be drawn takes nothing with it.
fn write(folder: &Path, comparison: &Comparison) -> Result<(), CompareError> {
    std::fs::create_dir_all(folder).map_err(|error| CompareError::Write(folder.into(), error))?;
    let json = format!("{:#}\n", comparison.to_json());
    write_file(folder, "compare.json", json.as_bytes())?;
    let pictures = plot::all(comparison)?;
    write_file(folder, "index.html", html::page(comparison, &pictures).as_bytes())?;
    plot::write(folder, &pictures)?;
    Ok(())
}

fn write_file(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), CompareError> {
    let path = folder.join(name);
    let written = File::create(&path).and_then(|mut file| file.write_all(bytes));
    written.map_err(|error| CompareError::Write(path, error))
}
