//! `perf`: one recording of several processes, and what it says of each.
//!
//! Invariants:
//! - FR1. A `perf` that was started is waited for, also when the load fails; what it wrote goes with
//!   the recorder.
//!
//! Not here: what the samples mean (`stacks`, `off`).

use std::fs;
use std::io::{BufReader, Error as OsError};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::stacks::Stacks;
use super::{FlameError, Kind, Subject, off};

/// Samples a second of every thread that runs; no divisor of what is done in the same rhythm.
const SAMPLES_PER_SECOND: &str = "997";

/// Pages of the kernel's buffer for each core: what perf has not read yet must not be lost.
const BUFFER_PAGES: &str = "4096";

/// What `perf script` prints of an event.
const ON_FIELDS: &str = "comm,pid,tid,time,event,ip,sym,dso";
const OFF_FIELDS: &str = "comm,pid,tid,time,event,trace,ip,sym,dso";

pub(super) struct Recorder {
    folder: PathBuf,
    kind: Kind,
    seconds: u64,
    call_graph: String,
}

pub(super) struct Recording {
    perf: Child,
    kind: Kind,
}

impl Drop for Recording {
    fn drop(&mut self) {
        // One that has ended by itself cannot be killed, and need not be.
        let _ = self.perf.kill();
        let _ = self.perf.wait();
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("{} stays behind: {error}", self.folder.display());
        }
    }
}

impl Recorder {
    pub(super) fn new(
        data: &Path,
        kind: Kind,
        seconds: u64,
        call_graph: &str,
    ) -> Result<Self, FlameError> {
        let folder = data.join(format!("ringkeeper-bench-{}-flame", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| FlameError::File(folder.clone(), error))?;
        Ok(Self { folder, kind, seconds, call_graph: call_graph.to_owned() })
    }

    pub(super) fn seconds(&self) -> u64 {
        self.seconds
    }

    fn file(&self) -> PathBuf {
        self.folder.join("perf.data")
    }

    pub(super) fn start(&self, subjects: &[Subject]) -> Result<Recording, FlameError> {
        let mut perf = Command::new("perf");
        perf.args(["record", "-q", "-m", BUFFER_PAGES, "--call-graph", &self.call_graph, "-o"]);
        perf.arg(self.file());
        match self.kind {
            Kind::OnCore => {
                let pids: Vec<String> = subjects.iter().map(|it| it.pid.to_string()).collect();
                perf.args(["-e", "cpu-clock", "-F", SAMPLES_PER_SECOND, "-p", &pids.join(",")]);
            }
            Kind::OffCore => {
                // A switch is an event of the one who leaves; who comes is seen on all cores alone.
                let threads: Vec<u32> = subjects.iter().flat_map(|it| threads(it.pid)).collect();
                let any = |field: &str| {
                    let each = threads.iter().map(|thread| format!("{field} == {thread}"));
                    each.collect::<Vec<_>>().join(" || ")
                };
                let switches = format!("{} || {}", any("prev_pid"), any("next_pid"));
                perf.args(["-a", "-e", "sched:sched_switch", "--filter", &switches]);
                perf.args(["-e", "sched:sched_wakeup", "--filter", &any("pid")]);
            }
        }
        perf.args(["--", "sleep", &self.seconds.to_string()]);
        let perf = perf.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        Ok(Recording { perf: perf.map_err(FlameError::NoPerf)?, kind: self.kind })
    }

    /// What was recorded of each of them.
    pub(super) fn stacks(&self, subjects: &[Subject]) -> Result<Vec<Stacks>, FlameError> {
        match self.kind {
            Kind::OnCore => {
                let of = |subject: &Subject| {
                    let pid = format!("--pid={}", subject.pid);
                    self.script(&[&pid, "-F", ON_FIELDS], Stacks::fold)
                };
                subjects.iter().map(of).collect()
            }
            Kind::OffCore => {
                let threads: Vec<Vec<u32>> =
                    subjects.iter().map(|subject| threads(subject.pid)).collect();
                let times =
                    self.script(&["-F", OFF_FIELDS], |lines| off::times_off_core(lines, &threads))?;
                let fold = |events: Vec<u8>| Stacks::fold(events.as_slice());
                times
                    .into_iter()
                    .map(fold)
                    .collect::<Result<_, _>>()
                    .map_err(FlameError::Unreadable)
            }
        }
    }

    /// Has `read` take in what `perf script` prints.
    fn script<T>(
        &self,
        arguments: &[&str],
        read: impl FnOnce(BufReader<ChildStdout>) -> Result<T, OsError>,
    ) -> Result<T, FlameError> {
        let mut script = Command::new("perf")
            // Inlined functions would take minutes to name, and count for their caller.
            .args(["script", "--no-inline", "--force"])
            .args(arguments)
            .arg("-i")
            .arg(self.file())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(FlameError::NoPerf)?;
        let stdout = script.stdout.take().expect("it was asked for");
        let outcome = read(BufReader::new(stdout)).map_err(FlameError::Unreadable);
        script.wait().map_err(FlameError::NoPerf)?;
        outcome
    }
}

impl Recording {
    /// Until perf has written everything.
    pub(super) fn wait(mut self) -> Result<(), FlameError> {
        let mut words = String::new();
        if let Some(mut stderr) = self.perf.stderr.take() {
            use std::io::Read as _;
            stderr.read_to_string(&mut words).map_err(FlameError::Unreadable)?;
        }
        let status = self.perf.wait().map_err(FlameError::NoPerf)?;
        let what = self.kind.describe();
        if status.success() { Ok(()) } else { Err(FlameError::Refused { what, words }) }
    }
}

/// The threads of a process, while it lives.
fn threads(pid: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let names = entries.flatten().map(|entry| entry.file_name());
    names.filter_map(|name| name.to_str()?.parse().ok()).collect()
}
