//! Stations as criterion wants them.
//!
//! Not here: what they do (`ringkeeper_bench::stations`).

use std::time::Duration;

use criterion::Criterion;
use criterion::measurement::{Measurement, WallTime};
use ringkeeper_bench::stations::{all, run, stationed};

/// Times the stations of these groups. What a station uses up is made anew while the clock stands.
pub(crate) fn run_groups(criterion: &mut Criterion, groups: &[&str]) {
    for station in all().into_iter().filter(|station| groups.contains(&station.group)) {
        // Set up only when it is wanted: a filter may leave it out.
        let mut workload = None;
        criterion.bench_function(station.name, |bencher| {
            let workload = workload.get_or_insert_with(|| (station.prepare)());
            bencher.iter_custom(|times| {
                let mut elapsed = Duration::ZERO;
                run(&station, &mut **workload, times, |workload, stretch| {
                    let begun = WallTime.start();
                    stationed(workload, stretch);
                    elapsed += WallTime.end(begun);
                });
                elapsed
            });
        });
    }
}
