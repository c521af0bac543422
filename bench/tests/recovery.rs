//! Kills and restarts of real servers: what was acknowledged is there, and all come back level.
//!
//! No figure is asserted: how fast a machine is, is no property of the code.

use std::path::Path;
use std::process::Command;

use ringkeeper_bench::compare::{Ensemble, System, leader_killed, restart};

/// The server of this build, made if it is not there yet.
fn system() -> System {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--package", "ringkeeper", "--bin", "ringkeeper"]);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    assert!(build.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap().success());
    System::ringkeeper(None).expect("it was just built")
}

#[test]
fn an_ensemble_loses_its_leader_twice_and_is_level_again() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("killed");
    let mut ensemble = Ensemble::start(&system(), 3, &folder).expect("it serves");
    for _ in 0..2 {
        leader_killed(&mut ensemble).expect("the next leader takes writes");
    }
    assert_eq!(ensemble.clients().len(), 3);
}

#[test]
fn a_server_restarted_with_znodes_answers_a_read_of_the_last() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("restarted");
    // Not a whole number of thousands: the last parent has fewer children.
    let restarted = restart(&system(), 1, 2_500, &folder).expect("it comes back");
    assert_eq!(restarted.resident_bytes.len(), 1);
    assert!(restarted.resident_bytes_restarted[0] > 0);
}
