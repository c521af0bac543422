//! The bare device and the log on it: every way commits, and no folder stays behind.

use std::path::PathBuf;

use ringkeeper_bench::disk::{self, DiskOptions};
use ringkeeper_bench::turns::Turns;

#[test]
fn dc1_dl1_every_way_and_the_log_commit_on_both_backends_and_leaves_no_folder() {
    let data = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    for io in ["uring", "poll"] {
        let options = DiskOptions {
            data: data.clone(),
            turns: Turns { seconds: 0.2, rounds: 2 },
            sizes: vec![4],
            io: Some(io.into()),
        };
        let report = match disk::run(&options, false) {
            Ok(report) => report,
            // A container may forbid the ring; the other backend works everywhere.
            Err(disk::DiskBenchError::Reactor(_)) if io == "uring" => continue,
            Err(error) => panic!("{error}"),
        };
        assert_eq!(report.series.len(), 6);
        for series in &report.series {
            assert_eq!(series.cycles.len(), 2);
            assert!(series.cycles.iter().all(|cycle| cycle.commits > 0), "{report}");
        }
    }
    let own = format!("ringkeeper-bench-{}-", std::process::id());
    let left = std::fs::read_dir(&data).expect("it is there").flatten();
    let left = left.filter(|entry| entry.file_name().to_string_lossy().starts_with(&own));
    assert_eq!(left.count(), 0);
}
