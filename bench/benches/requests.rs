//! What one server does with a request: decode, prep, encode, reply.
//!
//! Not here: the workloads themselves (`ringkeeper_bench::stations`).

mod suite;

use criterion::{criterion_group, criterion_main};

fn stations(criterion: &mut criterion::Criterion) {
    suite::run_groups(criterion, &["decode", "prep", "encode", "reply"]);
}

criterion_group!(benches, stations);
criterion_main!(benches);
