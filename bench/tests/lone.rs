//! A lone set, its limit and the skeleton against a real ensemble; nothing stays behind.
//!
//! No figure is asserted: how fast a machine is, is no property of the code.

mod built;

use std::path::PathBuf;

use ringkeeper_bench::lone::{self, LoneOptions};

#[test]
fn pr1_every_part_has_its_turn_and_no_process_or_folder_is_left() {
    let data = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    built::system();
    let options = LoneOptions {
        ringkeeper: None,
        seconds: 1,
        rounds: 1,
        bytes: 100,
        data: data.clone(),
        bench: Some(env!("CARGO_BIN_EXE_ringkeeper-bench").into()),
    };
    let report = lone::run(&options, false).expect("a report");
    assert!(report.p50_us.iter().all(|turns| turns.len() == 1 && turns[0] > 0.0), "{report}");
    assert!(report.ratio().is_some_and(|ratio| ratio.median > 0.0), "{report}");
    let own = format!("ringkeeper-bench-{}-", std::process::id());
    let left = std::fs::read_dir(&data).expect("it is there").flatten();
    let left = left.filter(|entry| entry.file_name().to_string_lossy().starts_with(&own));
    assert_eq!(left.count(), 0);
}
