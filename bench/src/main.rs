//! The `ringkeeper-bench` program: its command line, and nothing else.
//!
//! Not here: what the commands do (the library).

use std::alloc::System;
use std::fmt::Display;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use ringkeeper_bench::bare::{self, BareOptions};
use ringkeeper_bench::compare::{self, CompareOptions};
use ringkeeper_bench::disk::{self, DiskOptions};
use ringkeeper_bench::echo::{self, EchoOptions};
use ringkeeper_bench::flame::{self, FlameOptions};
use ringkeeper_bench::load::{self, LoadOptions};
use ringkeeper_bench::lone::{self, LoneOptions, PeerOptions};
use ringkeeper_bench::road::{self, RoadOptions};
use ringkeeper_bench::scale::{self, ScaleOptions};
use ringkeeper_bench::stations::{self, StationsOptions};
use serde_json::Value;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

/// Counts, so that `road` can say what a request allocates.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const EXAMPLES: &str = "\
Examples:
  ringkeeper-bench load --servers 127.0.0.1:2181                       writes a second, closed loop
  ringkeeper-bench load --servers zk1:2181,zk2:2181 --mix mixed --rate 5000 --seconds 60
  ringkeeper-bench compare --out perf/figures                          beside Apache ZooKeeper
  ringkeeper-bench compare --mixes set:30x100,set:30x100:1024,get:30x1@5000 --no-recovery
  ringkeeper-bench scale --curves connections,znodes --out curves      how an operation's cost grows
  ringkeeper-bench disk --data /var/lib/zookeeper                      the disk below, the log on it
  ringkeeper-bench echo --shapes 30x100,1x1 --batches 4                what carries bytes best
  ringkeeper-bench lone --rounds 12                                    a lone set, and what it must take
  ringkeeper-bench bare --shapes 30x100 --bytes 100                    many sets, and what bare servers reach
  perf/flamegraphs --mixes set:30x100                                  where the time goes";

/// Load over any ZooKeeper server, and comparison with Apache ZooKeeper.
#[derive(Parser)]
#[command(name = "ringkeeper-bench", version, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Load running servers and measure.
    Load {
        #[command(flatten)]
        options: LoadOptions,
        /// One JSON object on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Start an ensemble of Ringkeeper and one of Apache ZooKeeper and measure them in turns.
    #[command(after_help = compare::EXAMPLES)]
    Compare {
        #[command(flatten)]
        options: CompareOptions,
    },
    /// Measure how throughput, p99 and CPU move with connections, outstanding requests, payload and
    /// servers.
    Scale {
        #[command(flatten)]
        options: ScaleOptions,
    },
    /// Measure the bare device: write and flush by size of batch, as the log does it.
    Disk {
        #[command(flatten)]
        options: DiskOptions,
        /// One JSON object on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Measure what carries sockets and the log's writes: our reactor on io_uring and on epoll, a
    /// bare epoll loop, tokio-uring.
    Echo {
        #[command(flatten)]
        options: EchoOptions,
        /// One JSON object on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Hold a lone set against the round trips and the durable write that it takes at least.
    Lone {
        #[command(flatten)]
        options: LoneOptions,
        /// One JSON object on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Hold many clients' sets against three servers that only receive, forward, send, write and
    /// answer.
    Bare {
        #[command(flatten)]
        options: BareOptions,
        /// One JSON object on standard output.
        #[arg(long)]
        json: bool,
    },
    /// A server that `bare` asks.
    #[command(hide = true)]
    BarePeer {
        #[command(flatten)]
        options: bare::PeerOptions,
    },
    /// A process that `lone` asks.
    #[command(hide = true)]
    Peer {
        #[command(flatten)]
        options: PeerOptions,
    },
    /// Profile leader, follower and generator by perf, on and off the cores; `perf/flamegraphs`
    /// builds what this needs and runs it.
    Flame {
        #[command(flatten)]
        options: FlameOptions,
    },
    /// Count what a request costs in the servers' own code: three members in one thread, without
    /// sockets and disks.
    Road {
        #[command(flatten)]
        options: RoadOptions,
    },
    /// Run single stations of the road untimed, for callgrind; `cargo bench` times the same.
    Stations {
        #[command(flatten)]
        options: StationsOptions,
    },
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Load { options, json } => run_load(&options, json),
        Command::Compare { options } => run_compare(&options),
        Command::Disk { options, json } => {
            let outcome = disk::run(&options, true);
            tell("disk", outcome.map(|report| (report.to_string(), report.to_json())), json)
        }
        Command::Echo { options, json } => {
            let outcome = echo::run(&options, true);
            tell("echo", outcome.map(|report| (report.to_string(), report.to_json())), json)
        }
        Command::Lone { options, json } => {
            let outcome = lone::run(&options, true);
            tell("lone", outcome.map(|report| (report.to_string(), report.to_json())), json)
        }
        Command::Bare { options, json } => {
            let outcome = bare::run(&options, true);
            tell("bare", outcome.map(|report| (report.to_string(), report.to_json())), json)
        }
        Command::BarePeer { options } => {
            ended("bare-peer", bare::serve(&options, |address| println!("{address}")))
        }
        Command::Peer { options } => {
            ended("peer", lone::serve(&options, |address| println!("{address}")))
        }
        Command::Scale { options } => run_scale(&options),
        Command::Flame { options } => {
            let outcome = flame::run(&options, true);
            tell("flame", outcome.map(|text| (text, Value::Null)), false)
        }
        Command::Road { options } => run_road(&options),
        Command::Stations { options } => {
            let outcome = stations::execute(&options);
            tell("stations", outcome.map(|text| (text, Value::Null)), false)
        }
    }
}

/// Ends well only if every request was answered and none refused.
fn run_load(options: &LoadOptions, json: bool) -> ExitCode {
    match load::run(options, true, &mut |_| ()) {
        Ok(report) => {
            if json {
                println!("{}", report.to_json());
            } else {
                print!("{report}");
            }
            if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Ends well only if every request of every run was answered and none refused.
fn run_compare(options: &CompareOptions) -> ExitCode {
    match compare::run(options, true) {
        Ok(comparison) => {
            print!("{comparison}");
            if comparison.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A report as text or as JSON.
fn tell<E: Display>(name: &str, report: Result<(String, Value), E>, json: bool) -> ExitCode {
    match report {
        Ok((_, report)) if json => println!("{report}"),
        Ok((report, _)) => print!("{report}"),
        Err(error) => {
            eprintln!("{name}: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Of a process that others ask; its address is all that it says.
fn ended<E: Display>(name: &str, outcome: Result<(), E>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run_road(options: &RoadOptions) -> ExitCode {
    match road::run(options) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("road: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Ends well only if every request of every point was answered and none refused.
fn run_scale(options: &ScaleOptions) -> ExitCode {
    match scale::run(options, true) {
        Ok(report) => {
            print!("{report}");
            if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("scale: {error}");
            ExitCode::FAILURE
        }
    }
}
