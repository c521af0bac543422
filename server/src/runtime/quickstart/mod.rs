//! A real ensemble on this machine, with one command.
//!
//! Each server is a process of its own, the same program with a `zoo.cfg` that one could have
//! written by hand: what is seen here is what is installed elsewhere. Everything lies in one
//! directory, `DIR/<id>/{zoo.cfg, myid, trace.log, ringkeeper/}`, and stays there, so that the
//! next quickstart finds its data again.
//!
//! - `layout`: directories, ports and files.
//! - `ensemble`: the processes, from their start to their end.
//! - `ask`: four-letter words, from outside.
//! - `load`: the writes of `--bench`.
//!
//! Not here: what a server does (`boot`).

mod ask;
mod ensemble;
mod latencies;
mod layout;
mod load;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};

use ensemble::Ensemble;
use layout::Layout;

use super::screen;

/// What `ringkeeper quickstart` was asked.
#[derive(Debug, Clone)]
pub struct QuickstartOptions {
    /// How many servers; one is standalone.
    pub servers: u16,
    /// Client port of the first; the others follow.
    pub port: u16,
    /// Where everything lies; `None` chooses a directory that survives a restart of the machine.
    pub data: Option<PathBuf>,
    /// Write for so many seconds, print what was measured, and end.
    pub bench_seconds: Option<u64>,
}

const START_TIMEOUT: Duration = Duration::from_secs(60);
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Why there is no ensemble, in words for the screen.
type Trouble = String;

/// Starts the servers and stays until Ctrl-C, or until the measurement is over.
pub fn quickstart(options: &QuickstartOptions) -> ExitCode {
    match run(options) {
        Ok(code) => code,
        Err(trouble) => {
            screen::complain(format_args!("quickstart: {trouble}"));
            ExitCode::FAILURE
        }
    }
}

fn run(options: &QuickstartOptions) -> Result<ExitCode, Trouble> {
    let stop = stop_flag().map_err(|error| format!("cannot watch for Ctrl-C: {error}"))?;
    let layout = Layout::plan(options)?;
    layout.write()?;
    screen::print(format_args!("data: {}", layout.dir.display()));
    let mut ensemble = Ensemble::start(&layout)?;
    let outcome = serve(options, &mut ensemble, &stop);
    screen::print("\nstopping");
    ensemble.stop();
    outcome
}

/// Raised by the first Ctrl-C.
fn stop_flag() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

fn serve(
    options: &QuickstartOptions,
    ensemble: &mut Ensemble,
    stop: &AtomicBool,
) -> Result<ExitCode, Trouble> {
    if !wait_until_serving(ensemble, stop)? {
        return Ok(ExitCode::SUCCESS);
    }
    print_servers(ensemble);
    if let Some(seconds) = options.bench_seconds {
        let servers = ensemble.servers().len();
        screen::print(format_args!("\nwriting for {seconds} s ..."));
        let figures = load::run(&ensemble.addresses(), Duration::from_secs(seconds), stop)
            .map_err(|error| format!("the load client gave up: {error}"))?;
        screen::print(figures.report(servers));
        return Ok(ExitCode::SUCCESS);
    }
    screen::print("\nnow type, in another window:");
    screen::print(format_args!("    ringkeeper-tools cli -server 127.0.0.1:{}", options.port));
    screen::print(format_args!(
        "or  zkCli.sh -server 127.0.0.1:{}      Ctrl-C here ends it all.",
        options.port
    ));
    watch_over(ensemble, stop)
}

/// Waits until every server says how it serves. `false` where somebody pressed Ctrl-C first.
fn wait_until_serving(ensemble: &mut Ensemble, stop: &AtomicBool) -> Result<bool, Trouble> {
    let looks = START_TIMEOUT.as_millis() / LOOK_INTERVAL.as_millis();
    for _ in 0..looks {
        if stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        if let Some(dead) = ensemble.reap().first() {
            return Err(dead.to_string());
        }
        if ensemble.servers().iter().all(|server| ask::mode(server.address).is_some()) {
            return Ok(true);
        }
        sleep(LOOK_INTERVAL);
    }
    let silent = ensemble.servers().iter().find(|server| ask::mode(server.address).is_none());
    let last = silent.map_or_else(String::new, |server| server.last_line());
    Err(format!("not all servers serve after {} s: {last}", START_TIMEOUT.as_secs()))
}

fn print_servers(ensemble: &Ensemble) {
    screen::print("\n  server   clients at         mode");
    for server in ensemble.servers() {
        let mode = ask::mode(server.address).unwrap_or_else(|| "looking".to_owned());
        screen::print(format_args!("  {:<8} {:<18} {mode}", server.id, server.address.to_string()));
    }
}

/// Reports who dies, until Ctrl-C or until nobody is left.
fn watch_over(ensemble: &mut Ensemble, stop: &AtomicBool) -> Result<ExitCode, Trouble> {
    while !stop.load(Ordering::Relaxed) {
        for dead in ensemble.reap() {
            screen::print(format_args!("\n{dead}"));
        }
        if ensemble.servers().is_empty() {
            return Err("no server is left".to_owned());
        }
        sleep(LOOK_INTERVAL);
    }
    Ok(ExitCode::SUCCESS)
}
