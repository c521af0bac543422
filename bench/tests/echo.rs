//! Every runtime echoes and appends, in one run, and no folder stays behind.
//!
//! No figure is asserted: how fast a machine is, is no property of the code.

use std::path::PathBuf;

use ringkeeper_bench::echo::{self, EchoOptions, EchoShape, Runtime};
use ringkeeper_bench::turns::Turns;

#[test]
fn ea1_every_runtime_that_works_here_echoes_and_appends() {
    let data = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let options = EchoOptions {
        // More than a socket takes at once: what does not fit must still be echoed.
        shapes: vec![
            EchoShape { connections: 3, outstanding: 4 },
            EchoShape { connections: 1, outstanding: 400 },
        ],
        bytes: 10_000,
        batches: vec![4],
        turns: Turns { seconds: 0.2, rounds: 2 },
        data: data.clone(),
    };
    let report = echo::run(&options, false).expect("a report");
    // A container may forbid the ring; then its two users are missing, and said to be.
    let has_ring = report.runtimes.contains(&Runtime::Uring);
    let (echoing, appending) = if has_ring { (4, 3) } else { (2, 1) };
    assert_eq!((report.echoes.len(), report.appends.len()), (2 * echoing, 4 * appending));
    for echoes in &report.echoes {
        assert!(echoes.turns.iter().all(|turn| turn.operations > 0), "{report}");
    }
    for appends in &report.appends {
        assert!(appends.turns.iter().all(|turn| turn.commits > 0), "{report}");
    }
    assert_eq!(report.to_string().contains("no io_uring here"), !has_ring);
    let own = format!("ringkeeper-bench-{}-echo", std::process::id());
    assert!(!data.join(own).exists());
}
