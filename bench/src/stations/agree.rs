//! Votes are put in order, acknowledgements become a quorum.
//!
//! Not here: the messages around acknowledgements, which need a whole ensemble (`road`).

use std::hint::black_box;

use ringkeeper_engine::election::{Election, ElectionEffect, ElectionOptions};
use ringkeeper_engine::ids::{LinkId, LinkIds, ServerId};
use ringkeeper_engine::quorum::Ensemble;
use ringkeeper_engine::time::Millis;
use ringkeeper_engine::zxid::{Epoch, Zxid};

use super::{Station, Workload};

pub(super) const STATIONS: [Station; 4] = [
    Station::lasting("vote", "vote/3", vote),
    Station::lasting("quorum", "quorum/3", || quorum(3, false)),
    Station::lasting("quorum", "quorum/5", || quorum(5, false)),
    Station::lasting("quorum", "quorum/9 in groups", || quorum(9, true)),
];

/// A vote for another server comes, is read, found to be the lesser one, and counted.
fn vote() -> Box<dyn Workload> {
    const NOW: Millis = Millis(0);
    const LINK: LinkId = LinkId(1);
    let looking = |me, zxid| {
        let options = ElectionOptions::new(ServerId(me), ensemble(3, false), LinkIds::new());
        let mut election = Election::new(options);
        let mut effects = Vec::new();
        election.look(NOW, (Zxid(zxid), Epoch(0)), &mut effects);
        (election, effects)
    };
    let (mut ours, mut effects) = looking(1, 2);
    ours.on_link_up(NOW, LINK, None, &mut effects);
    let (mut theirs, mut said) = looking(3, 1);
    let dialed = said.iter().find_map(|effect| match effect {
        ElectionEffect::Dial { link, to: ServerId(1), .. } => Some(*link),
        _ => None,
    });
    theirs.on_link_up(NOW, dialed.expect("the greater id dials"), Some(ServerId(1)), &mut said);
    let sends = said.into_iter().filter_map(|effect| match effect {
        ElectionEffect::Send { bytes, .. } => Some(bytes),
        _ => None,
    });
    let sends: Vec<Vec<u8>> = sends.collect();
    for bytes in &sends {
        ours.on_received(NOW, LINK, bytes, &mut effects);
    }
    let last = sends.into_iter().next_back().expect("a greeting, then a vote");
    Box::new(move || {
        effects.clear();
        ours.on_received(NOW, LINK, black_box(&last), &mut effects);
        let refused = ours.counters();
        assert_eq!((refused.links_refused, refused.messages_refused), (0, 0));
        assert_eq!(ours.vote().leader, ServerId(1));
    })
}

/// The least servers that suffice have acknowledged: every one of them must be looked at.
fn quorum(servers: i64, in_groups: bool) -> Box<dyn Workload> {
    let ensemble = ensemble(servers, in_groups);
    let acked = ServerId(servers / 2 + 1);
    Box::new(move || {
        let acked = black_box(acked);
        assert!(black_box(&ensemble).is_quorum(|server| server <= acked));
    })
}

fn ensemble(servers: i64, in_groups: bool) -> Ensemble {
    let mut text: String = (1..=servers)
        .map(|id| format!("server.{id}=127.0.0.1:{}:{}:participant\n", 2000 + id, 3000 + id))
        .collect();
    if in_groups {
        text.push_str("group.1=1:2:3\ngroup.2=4:5:6\ngroup.3=7:8:9\n");
        (1..=servers).for_each(|id| text.push_str(&format!("weight.{id}=1\n")));
    }
    Ensemble::parse(&text).expect("an ensemble as ZooKeeper writes it")
}
