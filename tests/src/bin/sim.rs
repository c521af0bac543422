//! Runs many seeds of the simulator: `cargo run --release -p ringkeeper-tests --bin sim -- --help`.

use std::process::ExitCode;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use ringkeeper_tests::sim::{Plan, Report, run};

/// So many seeds must meet everything that a campaign is for.
const CAMPAIGN: u64 = 200;

/// Simulated ensembles under faults, a run a seed. The same seed is the same run.
#[derive(Parser)]
struct Arguments {
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// How many seeds.
    #[arg(long, default_value_t = 500)]
    seeds: u64,
    /// Go on after a seed that fails.
    #[arg(long)]
    keep_going: bool,
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this program reports to a terminal")]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let bar = ProgressBar::new(arguments.seeds);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} seeds, {eta} left {msg}")
    {
        bar.set_style(style);
    }
    let (mut failed, mut passed, mut sum) = (Vec::new(), 0u64, Report::default());
    for seed in arguments.from..arguments.from + arguments.seeds {
        let outcome = std::panic::catch_unwind(|| run(&Plan::of(seed)));
        let why = match outcome {
            Ok(Ok(report)) => {
                passed += 1;
                sum += report;
                None
            }
            Ok(Err(why)) => Some(why),
            Err(_) => Some("panicked".to_owned()),
        };
        if let Some(why) = why {
            bar.suspend(|| eprintln!("seed {seed}: {why}"));
            failed.push(seed);
            if !arguments.keep_going {
                break;
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    println!("{sum}");
    let missing = if arguments.seeds >= CAMPAIGN { sum.missing() } else { Vec::new() };
    for what in &missing {
        println!("not met: {what}");
    }
    if !failed.is_empty() {
        println!("failed seeds: {failed:?}");
    }
    println!("{passed} passed, {} failed", failed.len());
    if failed.is_empty() && missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
