//! Where the time goes: flamegraphs of leader, follower and generator under each mix.
//!
//! A three-server ensemble is loaded twice with each mix. The first time `perf` samples what runs
//! (`cpu-clock`, for there is no counter of cycles on a virtual machine); the second time it notes
//! every switch of a thread, and so when each of them did not run and why. Both become pictures,
//! and a text with what costs most.
//!
//! - `recorder`: `perf`, and what is recorded.
//! - `off`: switches become times off the cores.
//! - `stacks`: what `perf` says, folded; `text`: the costliest of it; `picture`: all of it.
//!
//! Not here: the ensemble (`compare::Ensemble`), the load (`load`).

mod off;
mod picture;
mod recorder;
mod stacks;
mod text;

use std::fmt::Write as _;
use std::fs;
use std::io::Error as OsError;
use std::path::{Path, PathBuf};

use crate::compare::{Ensemble, EnsembleError, Missing, Shape, System};
use crate::load::{self, Border, LoadError};
use recorder::Recorder;
use stacks::Stacks;

const MIXES: &str = "set:30x100,create:30x100,get:30x100,mixed:30x100,set:1x1";

/// What to profile, and how long.
#[derive(Clone, Debug, clap::Args)]
pub struct FlameOptions {
    /// Under which load.
    #[arg(long, value_name = "MIX:CONNECTIONSxOUTSTANDING[:BYTES][/ZNODES][@RATE],...", value_delimiter = ',',
        default_value = MIXES)]
    pub mixes: Vec<Shape>,
    /// Recorded seconds on the cores, and as many seconds of load around them.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub seconds: u64,
    /// Recorded seconds off the cores; every switch of a thread is kept, so few are much.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(0..=60))]
    pub off_seconds: u64,
    /// How stacks are walked: fp, for a build with frame pointers, or dwarf,8192 for any.
    #[arg(long, default_value = "fp")]
    pub call_graph: String,
    /// Frames narrower than this share of the picture, in percent, are left out of it.
    #[arg(long, default_value_t = 0.3)]
    pub min_width: f64,
    /// Ringkeeper's program [default: the one beside this].
    #[arg(long, value_name = "FILE")]
    pub ringkeeper: Option<PathBuf>,
    /// The servers' data lies below it until the end.
    #[arg(long, value_name = "DIR", default_value = "/var/tmp")]
    pub data: PathBuf,
    /// Where the pictures and texts go.
    #[arg(long, value_name = "DIR", default_value = "target/flamegraphs")]
    pub out: PathBuf,
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum FlameError {
    #[error("{0}")]
    Missing(#[from] Missing),
    #[error("{0}")]
    Ensemble(#[from] EnsembleError),
    #[error("{0}")]
    Load(#[from] LoadError),
    #[error("{0}: {1}")]
    File(PathBuf, OsError),
    #[error("perf cannot be run: {0}; it is in Debian's package linux-perf")]
    NoPerf(OsError),
    #[error(
        "perf cannot record {what}:\n{words}\nIt needs root, or kernel.perf_event_paranoid at -1 \
         and a readable /sys/kernel/tracing"
    )]
    Refused { what: &'static str, words: String },
    #[error("{what}: nothing was recorded of the {role}")]
    Empty { what: &'static str, role: &'static str },
    #[error("perf's output cannot be read: {0}")]
    Unreadable(OsError),
}

/// A process that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    role: &'static str,
    pid: u32,
}

/// What one recording shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    OnCore,
    OffCore,
}

impl Kind {
    fn short_name(self) -> &'static str {
        match self {
            Self::OnCore => "on",
            Self::OffCore => "off",
        }
    }

    fn describe(self) -> &'static str {
        match self {
            Self::OnCore => "on the cores",
            Self::OffCore => "off the cores",
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::OnCore => "samples",
            Self::OffCore => "µs",
        }
    }
}

/// Profiles under every mix, and returns what costs most, as text. With `shows_progress` each mix is
/// told on standard error.
pub fn run(options: &FlameOptions, shows_progress: bool) -> Result<String, FlameError> {
    let system = System::ringkeeper(options.ringkeeper.as_deref())?;
    make_folder(&options.out)?;
    let mut report = String::new();
    for shape in &options.mixes {
        // A fresh ensemble for each, so that none inherits another's tree.
        let ensemble = Ensemble::start(&system, 3, &options.data)?;
        let subjects = subjects(&ensemble);
        for (kind, seconds) in
            [(Kind::OnCore, options.seconds), (Kind::OffCore, options.off_seconds)]
        {
            if seconds == 0 {
                continue;
            }
            if shows_progress {
                eprintln!("{shape}, {}", kind.describe());
            }
            let recorder = Recorder::new(&options.data, kind, seconds, &options.call_graph)?;
            let figure = load_and_record(&ensemble, shape, &subjects, &recorder)?;
            let _ = writeln!(report, "{shape}, {}: {figure}", kind.describe());
            for (subject, stacks) in subjects.iter().zip(recorder.stacks(&subjects)?) {
                report.push_str(&keep(options, shape, *subject, kind, &stacks)?);
            }
        }
    }
    Ok(report)
}

/// The leader, one follower, and this process, which is the generator.
fn subjects(ensemble: &Ensemble) -> Vec<Subject> {
    let mut subjects = vec![Subject { role: "client", pid: std::process::id() }];
    let servers = ensemble.processes();
    let roles = ["leader", "follower"];
    subjects.extend(roles.iter().zip(servers).map(|(role, pid)| Subject { role, pid }));
    subjects
}

fn load_and_record(
    ensemble: &Ensemble,
    shape: &Shape,
    subjects: &[Subject],
    recorder: &Recorder,
) -> Result<String, FlameError> {
    // perf takes a moment to begin and to end.
    let options = shape.load(ensemble.clients(), recorder.seconds() + 1, 1);
    let mut recording = None;
    let report = load::run(&options, false, &mut |border| {
        if border == Border::Start {
            recording = Some(recorder.start(subjects));
        }
    })?;
    if let Some(recording) = recording {
        recording?.wait()?;
    }
    Ok(format!("{:.0} operations/s while recorded", report.per_second))
}

/// Writes the picture and the text, and returns the text.
fn keep(
    options: &FlameOptions,
    shape: &Shape,
    subject: Subject,
    kind: Kind,
    stacks: &Stacks,
) -> Result<String, FlameError> {
    let Subject { role, .. } = subject;
    if stacks.total() == 0 {
        return Err(FlameError::Empty { what: kind.describe(), role });
    }
    let name =
        format!("{}-{role}-{}", shape.to_string().replace([':', '@', '/'], "-"), kind.short_name());
    let title = format!("{role} under {}, {}", shape.describe(), kind.describe());
    let svg = options.out.join(format!("{name}.svg"));
    picture::draw(&svg, &title, kind, stacks, options.min_width)
        .map_err(|error| FlameError::File(svg.clone(), error))?;
    let text = text::report(&title, kind, stacks);
    let file = options.out.join(format!("{name}.txt"));
    write(&file, &text)?;
    Ok(text)
}

fn make_folder(folder: &Path) -> Result<(), FlameError> {
    fs::create_dir_all(folder).map_err(|error| FlameError::File(folder.into(), error))
}

fn write(file: &Path, text: &str) -> Result<(), FlameError> {
    use std::io::Write as _;
    let made = fs::File::create(file).and_then(|mut file| file.write_all(text.as_bytes()));
    made.map_err(|error| FlameError::File(file.into(), error))
}
