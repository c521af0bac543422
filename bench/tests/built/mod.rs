//! The server that a test runs against: the one of this build.

use std::process::Command;

use ringkeeper_bench::compare::System;

/// Made if it is not there yet.
pub(crate) fn system() -> System {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--package", "ringkeeper", "--bin", "ringkeeper"]);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    assert!(build.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap().success());
    System::ringkeeper(None).expect("it was just built")
}
