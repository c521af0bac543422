//! A real ensemble and the bare one under the same load; nothing stays behind.
//!
//! No figure is asserted: how fast a machine is, is no property of the code.

mod built;

use std::path::PathBuf;

use ringkeeper_bench::bare::{self, BareOptions};
use ringkeeper_bench::echo::EchoShape;

#[test]
fn bp1_pr1_every_shape_and_size_is_answered_by_both_and_no_process_or_folder_is_left() {
    let data = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    built::system();
    let options = BareOptions {
        ringkeeper: None,
        // Clients of all three, and of the leader alone.
        shapes: vec![
            EchoShape { connections: 7, outstanding: 50 },
            EchoShape { connections: 1, outstanding: 1 },
        ],
        bytes: vec![100, 3000],
        seconds: 1,
        rounds: 1,
        data: data.clone(),
        bench: Some(env!("CARGO_BIN_EXE_ringkeeper-bench").into()),
    };
    let report = bare::run(&options, false).expect("a report");
    assert_eq!(report.lines.len(), 4);
    for line in &report.lines {
        assert_eq!((line.real.len(), line.bare.len()), (1, 1), "{report}");
        assert!(line.ratio().is_some_and(|ratio| ratio.median > 0.0), "{report}");
    }
    let own = format!("ringkeeper-bench-{}-", std::process::id());
    let left = std::fs::read_dir(&data).expect("it is there").flatten();
    let left = left.filter(|entry| entry.file_name().to_string_lossy().starts_with(&own));
    assert_eq!(left.count(), 0);
}
