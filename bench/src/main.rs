//! The `ringkeeper-bench` program: its command line, and nothing else.
//!
//! Not here: what the commands do (the library).

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use ringkeeper_bench::compare::{self, CompareOptions};
use ringkeeper_bench::disk::{self, DiskOptions};
use ringkeeper_bench::load::{self, LoadOptions};
use ringkeeper_bench::road::{self, RoadOptions};

const EXAMPLES: &str = "\
Examples:
  ringkeeper-bench load --servers 127.0.0.1:2181                       writes a second, closed loop
  ringkeeper-bench load --servers zk1:2181,zk2:2181 --mix mixed --rate 5000 --seconds 60
  ringkeeper-bench compare --out perf/figures                          beside Apache ZooKeeper
  ringkeeper-bench disk --data /var/lib/zookeeper                      what the disk below gives";

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
    Compare {
        #[command(flatten)]
        options: CompareOptions,
    },
    /// Measure the bare device: write and flush by size of batch, as the log does it.
    Disk {
        #[command(flatten)]
        options: DiskOptions,
        /// One JSON object on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Count what a request costs in the servers' own code: three members in one thread, without
    /// sockets and disks.
    Road {
        #[command(flatten)]
        options: RoadOptions,
    },
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Load { options, json } => run_load(&options, json),
        Command::Compare { options } => run_compare(&options),
        Command::Disk { options, json } => run_disk(&options, json),
        Command::Road { options } => run_road(&options),
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

fn run_disk(options: &DiskOptions, json: bool) -> ExitCode {
    match disk::run(options, true) {
        Ok(report) => {
            if json {
                println!("{}", report.to_json());
            } else {
                print!("{report}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("disk: {error}");
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
