//! The simulator, first form: seeds that every run repeats, and a few that are new.
//!
//! `seeds.txt` keeps the seeds that once failed, each with what it found. `SIM_SEEDS` sets how many
//! others run; `cargo run --release -p ringkeeper-tests --bin sim` runs as many as one likes.

use ringkeeper_tests::sim::{Plan, Report, run};

/// Seeds of every run, from 1.
const SEEDS: u64 = 500;

#[test]
fn five_hundred_ensembles_lose_nothing_and_agree() {
    let seeds = std::env::var("SIM_SEEDS").ok().and_then(|count| count.parse().ok());
    let mut sum = Report::default();
    for seed in 1..=seeds.unwrap_or(SEEDS) {
        match run(&Plan::of(seed)) {
            Ok(report) => sum += report,
            Err(why) => panic!("seed {seed}: {why}"),
        }
    }
    println!("{sum}");
    assert_eq!(sum.missing(), [""; 0], "a campaign without these proves nothing");
}

#[test]
fn seeds_that_once_failed_pass() {
    for line in include_str!("sim/seeds.txt").lines() {
        let Some(seed) = line.split_whitespace().next().filter(|word| *word != "#") else {
            continue;
        };
        let seed = seed.parse().expect("a line begins with a seed or with #");
        if let Err(why) = run(&Plan::of(seed)) {
            panic!("seed {seed}: {why}");
        }
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    let once = run(&Plan::of(7));
    let again = run(&Plan::of(7));
    assert_eq!(once, again, "AI-3");
}
