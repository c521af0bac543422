//! Acknowledgements become a quorum.
//!
//! Not here: the messages around them, which need a whole ensemble (`road`).

use std::hint::black_box;

use ringkeeper_engine::ids::ServerId;
use ringkeeper_engine::quorum::Ensemble;

use super::{Station, Workload};

pub(super) const STATIONS: [Station; 3] = [
    station("quorum/3", || quorum(3, false)),
    station("quorum/5", || quorum(5, false)),
    station("quorum/9 in groups", || quorum(9, true)),
];

const fn station(name: &'static str, prepare: fn() -> Box<dyn Workload>) -> Station {
    Station { group: "quorum", name, stretch: u64::MAX, counted: Some(10_000), prepare }
}

/// The least servers that suffice have acknowledged: every one of them must be looked at.
fn quorum(servers: i64, in_groups: bool) -> Box<dyn Workload> {
    let mut text: String = (1..=servers)
        .map(|id| format!("server.{id}=127.0.0.1:{}:{}:participant\n", 2000 + id, 3000 + id))
        .collect();
    if in_groups {
        text.push_str("group.1=1:2:3\ngroup.2=4:5:6\ngroup.3=7:8:9\n");
        (1..=servers).for_each(|id| text.push_str(&format!("weight.{id}=1\n")));
    }
    let ensemble = Ensemble::parse(&text).expect("an ensemble as ZooKeeper writes it");
    let acked = ServerId(servers / 2 + 1);
    Box::new(move || {
        let acked = black_box(acked);
        assert!(black_box(&ensemble).is_quorum(|server| server <= acked));
    })
}
