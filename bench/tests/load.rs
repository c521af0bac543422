//! The generator against a real server: what it asks is answered, and what it made is gone.
//!
//! No figure is asserted: how fast a machine is, is no property of the code.

mod built;

use std::net::SocketAddr;
use std::path::Path;

use clap::ValueEnum;
use ringkeeper_bench::compare::Ensemble;
use ringkeeper_bench::load::{self, LoadError, LoadOptions, LoadReport, Mix};

fn options(servers: Vec<SocketAddr>, mix: Mix) -> LoadOptions {
    LoadOptions {
        servers,
        mix,
        connections: 4,
        outstanding: 10,
        bytes: 100,
        seconds: 1,
        warmup: 0,
        rate: None,
        znodes: 0,
        threads: 1,
        io: None,
    }
}

fn run(options: &LoadOptions) -> LoadReport {
    let report = load::run(options, false, &mut |_| ()).expect("a report");
    assert!(report.operations > 0, "{report}");
    assert!(report.is_clean(), "{report}");
    report
}

/// What stays behind would be a fault of the run: a parent with children cannot be deleted.
#[test]
fn every_mix_is_answered_without_a_refusal_and_leaves_nothing_behind() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let ensemble = Ensemble::start(&built::system(), 1, folder).expect("it serves");
    for mix in Mix::value_variants() {
        let report = run(&options(ensemble.clients(), *mix));
        assert_eq!(report.sets_per_second.is_some(), *mix == Mix::FanOut);
    }
    for mix in [Mix::Set, Mix::FanOut, Mix::Ephemeral] {
        let (rate, threads, io) = (Some(100), 2, Some("poll".into()));
        run(&LoadOptions { rate, threads, io, ..options(ensemble.clients(), mix) });
    }
    run(&LoadOptions { znodes: 1001, bytes: 0, ..options(ensemble.clients(), Mix::Mixed) });
}

#[test]
fn a_watch_without_a_watcher_is_refused() {
    let nobody = "127.0.0.1:1".parse().expect("an address");
    let lone = LoadOptions { connections: 1, ..options(vec![nobody], Mix::FanOut) };
    let refused = load::run(&lone, false, &mut |_| ());
    assert!(matches!(refused, Err(LoadError::NobodyWatches)));
}
