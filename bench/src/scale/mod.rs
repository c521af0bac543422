//! How the cost of an operation moves with one size at a time.
//!
//! A curve turns one size (connections, outstanding, payload, servers, net threads, znodes) and leaves
//! the others at setData of 100 bytes, 30 connections, 100 outstanding, 3 servers. Each point is one run; with
//! two systems each has an ensemble of its own, both up at once, and they take turns point by
//! point.
//!
//! - `curve`: the sizes, as runs.
//! - `report`: the table, the raw figures.
//! - `plot`, `page`: one picture a curve, and all on a page.
//!
//! Not here: servers and runs (`crate::compare`), the load (`crate::load`).

mod curve;
mod page;
mod plot;
mod report;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

pub use curve::{Curve, Point};
pub use report::{Measured, Scale};

use crate::compare::{Ensemble, EnsembleError, Missing, PlotError, Sample, System};
use crate::load::{LoadError, Mix};

/// Seconds of load that a JVM gets before its first figure.
const WARMUP_SECONDS: u64 = 20;

const ZNODES: &str = "1000,10000,100000,1000000";

/// Which curves, and how long.
#[derive(Clone, Debug, clap::Args)]
pub struct ScaleOptions {
    /// Also Apache ZooKeeper: a folder of jars, or an unpacked release.
    #[arg(long, value_name = "DIR")]
    pub zookeeper: Option<PathBuf>,
    /// Ringkeeper's program [default: the one beside this].
    #[arg(long, value_name = "FILE")]
    pub ringkeeper: Option<PathBuf>,
    /// Measured seconds of each point.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub seconds: u64,
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "connections,outstanding,payload,servers,net-threads,znodes"
    )]
    pub curves: Vec<Curve>,
    /// What is asked.
    #[arg(long, value_enum, default_value_t = Mix::Set)]
    pub mix: Mix,
    /// The sizes of the curve by znodes; ten million take 3 GB a server.
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = ZNODES)]
    pub znodes: Vec<usize>,
    /// The disk; all servers' data lies below it until the end.
    #[arg(long, value_name = "DIR", default_value = "/var/tmp")]
    pub data: PathBuf,
    /// Also write there: scale.html, the page with all of it; scale.json; and each curve as SVG and
    /// PNG.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Why there are no curves.
#[derive(Debug, thiserror::Error)]
pub enum ScaleError {
    #[error("{0}")]
    Missing(#[from] Missing),
    #[error("{0}")]
    Ensemble(#[from] EnsembleError),
    #[error("{system}, {curve} {size}: {error}")]
    Load { system: &'static str, curve: &'static str, size: usize, error: LoadError },
    #[error("{0}: {1}")]
    Write(PathBuf, std::io::Error),
    #[error("{0}")]
    Plot(#[from] PlotError),
}

/// Runs it all. With `shows_progress` lines on standard error tell how it goes.
pub fn run(options: &ScaleOptions, shows_progress: bool) -> Result<Scale, ScaleError> {
    let mut systems = vec![System::ringkeeper(options.ringkeeper.as_deref())?];
    if let Some(folder) = &options.zookeeper {
        systems.push(System::zookeeper(Some(folder))?);
    }
    let mut scale = Scale::new(options, &systems);
    for curve in &options.curves {
        let points = curve.points(options.mix, &options.znodes);
        for points in points.chunk_by(Point::shares_ensemble) {
            let ensembles = start(options, &systems, points, shows_progress)?;
            for point in points {
                for (system, ensemble) in systems.iter().zip(&ensembles) {
                    let measured = measure(options, system, ensemble, *point, shows_progress)?;
                    if shows_progress {
                        eprintln!("{measured}");
                    }
                    scale.push(measured);
                }
            }
        }
    }
    if let Some(folder) = &options.out {
        write(folder, &scale)?;
    }
    Ok(scale)
}

/// An ensemble of each system, the JVM warm.
fn start(
    options: &ScaleOptions,
    systems: &[System],
    points: &[Point],
    shows_progress: bool,
) -> Result<Vec<Ensemble>, ScaleError> {
    let first = points[0];
    let mut ensembles = Vec::new();
    for system in systems {
        if shows_progress {
            eprintln!("starting {} of {system}", first.servers);
        }
        let ensemble = Ensemble::start_with(system, first.servers, &options.data, first.settings)?;
        if matches!(system, System::ZooKeeper { .. }) {
            let warm = ScaleOptions { seconds: WARMUP_SECONDS, ..options.clone() };
            measure(&warm, system, &ensemble, first, shows_progress)?;
        }
        ensembles.push(ensemble);
    }
    Ok(ensembles)
}

fn measure(
    options: &ScaleOptions,
    system: &System,
    ensemble: &Ensemble,
    point: Point,
    shows_progress: bool,
) -> Result<Measured, ScaleError> {
    let taken =
        Sample::take(ensemble, &point.shape, options.seconds, &options.data, shows_progress);
    let system = system.short_name();
    let (curve, size) = (point.curve.name(), point.size);
    let sample = taken.map_err(|error| ScaleError::Load { system, curve, size, error })?;
    Ok(Measured { system, point, sample })
}

/// The figures first: a picture that cannot be drawn takes nothing with it.
fn write(folder: &Path, scale: &Scale) -> Result<(), ScaleError> {
    fs::create_dir_all(folder).map_err(|error| ScaleError::Write(folder.into(), error))?;
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        let written = File::create(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| ScaleError::Write(path, error))
    };
    write("scale.json", &format!("{:#}\n", scale.to_json()))?;
    let pictures = plot::all(scale)?;
    write("scale.html", &page::page(scale, &pictures))?;
    crate::compare::plot::write(folder, &pictures)?;
    Ok(())
}
