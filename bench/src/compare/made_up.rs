//! A comparison that nobody measured, for the tests of what is made of one.
//!
//! Not here: the tests.

use hdrhistogram::Histogram;

use super::conditions::Conditions;
use super::rates::{Ladder, Rates};
use super::recovery::{Both, Failover, Recovery, Restart};
use super::{Comparison, Sample, Series, Shape};
use crate::load::{Generator, Latency, LoadReport, Second};

/// So much slower is the one system than the other.
const RATIO: u64 = 10;

/// Three shapes, two pairs of three seconds.
pub(super) fn comparison() -> Comparison {
    let shapes = ["set:30x100", "get:1x1:1024", "set:30x100@5000"];
    let series = |text: &str| {
        let shape: Shape = text.parse().expect("a shape");
        let samples = |us: u64| vec![sample(&shape, us), sample(&shape, us + us / 5)];
        Series { shape, ringkeeper: samples(200), zookeeper: samples(200 * RATIO) }
    };
    let all = shapes.into_iter().map(series).collect();
    Comparison::new(conditions(), all, Some(rates()), Some(recovery()))
}

/// One system keeps up with three rates, the other with the first.
pub(super) fn rates() -> Rates {
    let step = |rate: u32, us: u64, per_second: u32| {
        let mut sample = sample(&super::rates::at(rate), us);
        sample.load.per_second = per_second.into();
        sample
    };
    let (first, careful) = (step(1000, 300, 1000), step(2000, 300, 2000));
    let slow = vec![step(1000, 3000, 1000), step(2000, 300_000, 1500)];
    Rates {
        ringkeeper: Ladder {
            steps: vec![first, step(2000, 300, 2000), step(5000, 400, 5000)],
            careful: Some(careful),
        },
        zookeeper: Ladder { steps: slow, careful: None },
    }
}

/// Three kills, and restarts of three servers and of one.
pub(super) fn recovery() -> Recovery {
    let restart = |servers: u64, ms: u64, megabytes: u64| Restart {
        resident_bytes: (0..servers).map(|n| (megabytes + n) * 1_000_000).collect(),
        resident_bytes_restarted: vec![(megabytes + 10) * 1_000_000; servers as usize],
        first_read_us: ms * 1000,
        filled_us: 1_000_000,
    };
    let both = |servers| Both {
        ringkeeper: restart(servers, 300, 250),
        zookeeper: restart(servers, 3000, 830),
    };
    Recovery {
        znodes: 1_000_000,
        failover: Some(Failover {
            ringkeeper_us: vec![21_000, 25_000, 20_000],
            zookeeper_us: vec![370_000, 400_000, 350_000],
        }),
        restarts: vec![both(3), both(1)],
    }
}

fn conditions() -> Conditions {
    Conditions {
        ringkeeper: "Ringkeeper 0.1.0".to_owned(),
        zookeeper: "Apache ZooKeeper 3.9.5".to_owned(),
        java: "openjdk 21".to_owned(),
        host: "2 cores, Some CPU, Linux 6.18".to_owned(),
        data: "/data".to_owned(),
        date: "Thu, 01 Jan 1970 00:00:00 GMT".to_owned(),
        command: "a <strange> & new command".to_owned(),
        servers: 3,
        seconds: 3,
        pairs: 2,
        warmup_seconds: 24,
    }
}

pub(crate) fn sample(shape: &Shape, us: u64) -> Sample {
    let mut histogram = Histogram::new_with_bounds(1, 60_000_000, 3).expect("bounds");
    for (share, slower) in [(9000_u64, 1), (900, 2), (90, 5), (10, 40)] {
        histogram.record_n(us * slower, share).expect("within the bounds");
    }
    let per_second = 30_000_000 / us;
    // The second of the three is a stall.
    let second = |operations| Second { operations, p50_us: us, p99_us: 2 * us, max_us: 40 * us };
    let load = LoadReport {
        mix: shape.mix,
        servers: 3,
        connections: shape.connections,
        outstanding: shape.outstanding,
        bytes: shape.bytes,
        znodes: shape.znodes,
        rate: shape.rate,
        operations: 3 * per_second,
        per_second: per_second as f64,
        latency: Latency::of(&histogram),
        histogram,
        timeline: vec![second(per_second), second(0), second(2 * per_second)],
        refusals: Vec::new(),
        faults: Vec::new(),
        generator: Generator { busy: 0.5, waiting: 0.1 },
        sets_per_second: None,
    };
    Sample {
        load,
        cpu_us_per_operation: us as f64 / 100.0,
        device: None,
        load_average: None,
        resident_bytes: 1 << 20,
    }
}
