//! What a txn does to the database: apply, watches, tree, snapshots.
//!
//! Not here: the workloads themselves (`ringkeeper_bench::stations`).

mod suite;

use criterion::{criterion_group, criterion_main};

fn stations(criterion: &mut criterion::Criterion) {
    suite::run_groups(criterion, &["apply", "watch", "tree", "snapshot"]);
}

criterion_group!(benches, stations);
criterion_main!(benches);
