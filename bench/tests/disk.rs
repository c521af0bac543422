//! The bare device by the engine's code: every way commits, and no folder stays behind.

use std::path::PathBuf;

use ringkeeper_bench::disk::{self, DiskOptions};

#[test]
fn dc1_every_way_commits_on_both_backends_and_leaves_no_folder() {
    let data = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    for io in ["uring", "poll"] {
        let options =
            DiskOptions { data: data.clone(), seconds: 1, sizes: vec![4], io: Some(io.into()) };
        let report = match disk::run(&options, false) {
            Ok(report) => report,
            // A container may forbid the ring; the other backend works everywhere.
            Err(disk::DiskBenchError::Reactor(_)) if io == "uring" => continue,
            Err(error) => panic!("{error}"),
        };
        assert_eq!(report.cycles.len(), 4);
        assert!(report.cycles.iter().all(|cycle| cycle.commits > 0), "{report}");
    }
    let own = format!("ringkeeper-bench-{}-disk", std::process::id());
    assert!(!data.join(own).exists());
}
