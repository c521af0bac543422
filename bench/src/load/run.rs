//! A run from its first connection to its last delete.
//!
//! Not here: what a thread does (`lane`).

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Barrier, OnceLock};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use ringkeeper::wire::{Acl, perms};
use ringkeeper_engine::io;
use ringkeeper_engine::io::clock::{now_micros, wall_ms};
use ringkeeper_tools::client::{Client, ClientError, ClientOptions, ConnectString, CreateMode};

use super::fanout::SetTimes;
use super::figures::Figures;
use super::lane::{Lane, Task, Window};
use super::report::LoadReport;
use super::{LoadError, LoadOptions, Mix};

/// How often the progress line changes.
const LOOK_US: u64 = 200_000;

const PARENT_SESSION_TIMEOUT_MS: i32 = 30_000;

/// The two ends of what is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Border {
    Start,
    End,
}

/// Runs the load. `at_border` is called when the measured window begins and when it ends, for who
/// measures something else beside it. With `shows_progress` a line on standard error tells how it
/// goes.
pub fn run(
    options: &LoadOptions,
    shows_progress: bool,
    at_border: &mut dyn FnMut(Border),
) -> Result<LoadReport, LoadError> {
    if options.mix == Mix::FanOut && options.connections < 2 {
        return Err(LoadError::NobodyWatches);
    }
    let backend = io::probe(options.io.as_deref())?;
    let parent = format!("/ringkeeper-bench-{}-{}", std::process::id(), wall_ms());
    let acl = [Acl::new(perms::ALL, "world", "anyone")];
    with_client(options, |client| {
        client.create(&parent, Some(&[]), &acl, CreateMode::Persistent).map(drop)
    })?;

    let threads = options.threads.min(options.connections);
    let progress: Vec<AtomicU64> = (0..threads).map(|_| AtomicU64::new(0)).collect();
    let set_times = SetTimes::new();
    let task = |(lane, progress)| Task {
        options,
        parent: &parent,
        connections: connections_of(options, lane, threads),
        rate: rate_of(options, lane, threads),
        backend,
        progress,
        set_times: &set_times,
    };
    let tasks = progress.iter().enumerate().map(task).collect();
    let mut watch = Watch { options, progress: &progress, bar: bar(shows_progress), at_border };
    let outcome = run_lanes(tasks, &mut watch);
    watch.bar.finish_and_clear();

    let cleaned = with_client(options, |client| client.delete(&parent, -1));
    let mut figures = outcome?;
    if let Err(error) = cleaned {
        figures.faults.push(format!("{parent} stays behind: {error}"));
    }
    Ok(LoadReport::new(options, &figures))
}

/// Where all threads wait for each other: first until every connection is ready or one has failed,
/// then until the window is known.
struct Gate {
    prepared: Barrier,
    opened: Barrier,
    has_failed: AtomicBool,
    window: OnceLock<Window>,
}

fn run_lanes(tasks: Vec<Task<'_>>, watch: &mut Watch<'_>) -> Result<Figures, LoadError> {
    let gate = Gate {
        prepared: Barrier::new(tasks.len() + 1),
        opened: Barrier::new(tasks.len() + 1),
        has_failed: AtomicBool::new(false),
        window: OnceLock::new(),
    };
    let mut all = Figures::new(watch.options.seconds);
    thread::scope(|scope| {
        let start = |task| scope.spawn(|| run_lane(task, &gate));
        let lanes: Vec<_> = tasks.into_iter().map(start).collect();
        gate.prepared.wait();
        let load_us = now_micros();
        let start_us = load_us + watch.options.warmup * 1_000_000;
        let end_us = start_us + watch.options.seconds * 1_000_000;
        let window = *gate.window.get_or_init(|| Window { load_us, start_us, end_us });
        gate.opened.wait();
        if !gate.has_failed.load(Ordering::SeqCst) {
            watch.over(window);
        }
        let ended: Vec<_> = lanes.into_iter().map(|lane| lane.join()).collect();
        for lane in ended {
            if let Some(figures) = lane.map_err(|_| LoadError::Panicked)?? {
                all.merge(&figures);
            }
        }
        Ok(all)
    })
}

/// `None` where another lane has failed.
fn run_lane(task: Task<'_>, gate: &Gate) -> Result<Option<Figures>, LoadError> {
    let prepared = Lane::prepare(task);
    gate.has_failed.fetch_or(prepared.is_err(), Ordering::SeqCst);
    gate.prepared.wait();
    gate.opened.wait();
    let lane = prepared?;
    if gate.has_failed.load(Ordering::SeqCst) {
        return Ok(None);
    }
    let window = gate.window.get().expect("set between the two barriers");
    lane.run(*window).map(Some)
}

/// The main thread while the lanes run: the borders of the window, and the progress line.
struct Watch<'a> {
    options: &'a LoadOptions,
    progress: &'a [AtomicU64],
    bar: ProgressBar,
    at_border: &'a mut dyn FnMut(Border),
}

impl Watch<'_> {
    fn over(&mut self, window: Window) {
        self.until(window.start_us, window);
        (self.at_border)(Border::Start);
        self.until(window.end_us, window);
        (self.at_border)(Border::End);
        self.bar.set_message("cleaning up");
    }

    fn until(&self, end_us: u64, window: Window) {
        let (mut then_us, mut before) = (now_micros(), self.operations());
        loop {
            let now = now_micros();
            if now >= end_us {
                return;
            }
            thread::sleep(Duration::from_micros(LOOK_US.min(end_us - now)));
            let (now, operations) = (now_micros(), self.operations());
            let per_second = (operations - before) * 1_000_000 / (now - then_us).max(1);
            self.bar.set_length((window.end_us - window.load_us) / 1000);
            self.bar.set_position(now.saturating_sub(window.load_us) / 1000);
            let warming = if now < window.start_us { ", warming up" } else { "" };
            self.bar.set_message(format!("{} {per_second}/s{warming}", self.options.mix.name()));
            (then_us, before) = (now, operations);
        }
    }

    fn operations(&self) -> u64 {
        self.progress.iter().map(|lane| lane.load(Ordering::Relaxed)).sum()
    }
}

fn bar(is_shown: bool) -> ProgressBar {
    if !is_shown {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {msg}").expect("a template that is fixed");
    ProgressBar::new(1).with_style(style)
}

/// The connections of one thread, by number, each with its server.
fn connections_of(options: &LoadOptions, lane: usize, lanes: usize) -> Vec<(usize, SocketAddr)> {
    let servers = options.servers.iter().copied().cycle();
    let all = (0..options.connections).zip(servers);
    all.filter(|(number, _)| number % lanes == lane).collect()
}

/// A lane's part of an open loop's requests.
fn rate_of(options: &LoadOptions, lane: usize, lanes: usize) -> Option<f64> {
    let all = f64::from(options.rate?);
    match options.mix {
        // The one connection that sets is the first lane's.
        Mix::FanOut => (lane == 0).then_some(all),
        _ => Some(all / lanes as f64),
    }
}

fn with_client(
    options: &LoadOptions,
    act: impl FnOnce(&Client) -> Result<(), ClientError>,
) -> Result<(), LoadError> {
    let servers: Vec<String> = options.servers.iter().map(ToString::to_string).collect();
    let servers: ConnectString = servers.join(",").parse()?;
    let session_timeout_ms = PARENT_SESSION_TIMEOUT_MS;
    let options = ClientOptions { servers, session_timeout_ms, read_only: false };
    let client = Client::connect(&options, |_| ())?;
    let outcome = act(&client);
    client.close();
    Ok(outcome?)
}
