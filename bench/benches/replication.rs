//! How a txn becomes agreed: seal, commit on a disk, recovery, quorum.
//!
//! Not here: the workloads themselves (`ringkeeper_bench::stations`).

mod suite;

use criterion::{criterion_group, criterion_main};

fn stations(criterion: &mut criterion::Criterion) {
    suite::run_groups(criterion, &["seal", "commit", "recover", "vote", "quorum"]);
}

criterion_group!(benches, stations);
criterion_main!(benches);
