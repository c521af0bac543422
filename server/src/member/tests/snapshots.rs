//! Snapshots as the member takes them.

use ringkeeper_engine::log::{Disk, FileName};
use ringkeeper_engine::zxid::Zxid;

use super::harness::{Alone, create, set_data};
use super::{CREATE, SET};
use crate::config::SnapshotOptions;
use crate::member::checkpoint::Progress;
use crate::member::{SnapshotDone, SnapshotOp, SnapshotTask};
use crate::snapshot::{open, restore};
use crate::tree::OwnerRules;

fn snapshots(alone: &mut Alone) -> Vec<Zxid> {
    let files = alone.disk.list().expect("the disk lists");
    files
        .into_iter()
        .filter_map(|(file, _)| match file {
            FileName::Snapshot(zxid) => Some(zxid),
            _ => None,
        })
        .collect()
}

#[test]
fn a_snapshot_is_of_the_moment_it_began_whatever_comes_after() {
    let mut alone = Alone::serving("snapCount=10");
    let (conn, ..) = alone.client();
    alone.ask(conn, 1, CREATE, &create("/a"));
    let mut xid = 2;
    while alone.snapshot_ops.is_empty() {
        alone.ask(conn, xid, SET, &set_data("/a"));
        alone.settle();
        xid += 1;
    }
    let SnapshotOp::Begin { zxid: began } = alone.snapshot_ops[0] else {
        panic!("a snapshot begins with its beginning");
    };
    alone.ask(conn, xid, CREATE, &create("/later"));
    alone.settle();
    assert!(snapshots(&mut alone).is_empty(), "C1: nothing is there before it is verified");
    alone.write_snapshots();
    assert_eq!(snapshots(&mut alone), [began]);
    let restored =
        restore(open(&mut alone.disk, began), OwnerRules::default()).expect("reads back");
    let recorded = restored.recorded.expect("a digest is recorded");
    assert_eq!((recorded.zxid, recorded.tree), (began, restored.digest));
    assert!(restored.tree.find("/later").is_none());
}

/// What snapshots cost is bounded by what the log costs, unless an operator wants them more often.
#[test]
fn a_snapshot_waits_for_as_much_log_as_the_last_one_has() {
    const MB: u64 = 1 << 20;
    let due = |snap_count: u64, newest: u64, txns: u64, log: u64| {
        let mut progress = Progress::default();
        if newest > 0 {
            progress.found(Zxid(1), newest);
        }
        for at in 0..txns {
            // All of it with the first.
            progress.note(if at == 0 { log as usize } else { 0 });
        }
        let options = SnapshotOptions { txns_max: snap_count, log_bytes_max: None };
        progress.is_due(&options, 2560 * MB, 7)
    };
    assert!(!due(100_000, 0, 100_001, 63 * MB), "a small tree: one segment");
    assert!(due(100_000, 0, 100_001, 64 * MB));
    assert!(!due(100_000, 0, 49_999, 200 * MB), "few txns, however large");
    assert!(!due(100_000, 200 * MB, 900_000, 199 * MB), "as much as the last one");
    assert!(due(100_000, 200 * MB, 900_000, 200 * MB));
    assert!(due(99_999, 200 * MB, 100_000, MB), "below the default txns alone count");
    assert!(due(100_000, 9000 * MB, 10, 2560 * MB + 1), "the budget is the budget");
}

#[test]
fn c1_older_snapshots_go_after_a_newer_one_is_verified_and_the_log_reaches_back() {
    let mut alone = Alone::serving("snapCount=10\nautopurge.snapRetainCount=3");
    let (conn, ..) = alone.client();
    alone.ask(conn, 1, CREATE, &create("/a"));
    for xid in 2..200 {
        alone.ask(conn, xid, SET, &set_data("/a"));
        alone.settle();
        alone.write_snapshots();
        let kept = snapshots(&mut alone);
        assert!(kept.len() <= 4, "C1: three are kept, and one that is about to go");
        let newest = kept.last().copied().unwrap_or(Zxid::ZERO);
        assert!(alone.member.replica.log().history().base() <= newest, "C2");
    }
    assert_eq!(snapshots(&mut alone).len(), 3);
}

#[test]
fn c3_chunks_under_way_are_bounded() {
    let mut alone = Alone::serving("snapCount=1000000");
    let (conn, ..) = alone.client();
    for xid in 1..400 {
        alone.ask(conn, xid, CREATE, &create(&format!("/n{xid}-{}", "x".repeat(4000))));
        alone.settle();
    }
    alone.member.begin_snapshot();
    for _ in 0..2_000 {
        alone.turn();
    }
    let chunk = |op: &&SnapshotOp| matches!(op, SnapshotOp::Chunk { .. });
    let under_way = alone.snapshot_ops.iter().filter(chunk).count();
    assert!(under_way <= super::super::checkpoint::CHUNKS_UNDER_WAY, "C3");
    alone.write_snapshots();
    assert_eq!(snapshots(&mut alone).len(), 1);
}

#[test]
fn c4_what_is_reported_finished_survives_a_power_cut() {
    let mut finished = 0;
    for verbs in 0..60 {
        let mut alone = Alone::serving("snapCount=1000000");
        let (conn, ..) = alone.client();
        alone.ask(conn, 1, CREATE, &create("/a"));
        alone.settle();
        let zxid = alone.member.database().last_zxid();
        alone.member.begin_snapshot();
        alone.turn();
        alone.turn();
        let mut task = SnapshotTask::default();
        let mut is_finished = false;
        alone.disk.cut_after(verbs);
        for op in std::mem::take(&mut alone.snapshot_ops) {
            let done = task.carry_out(op, &mut alone.disk);
            is_finished |= matches!(done, Some(SnapshotDone::Finished { .. }));
        }
        alone.disk.crash(verbs);
        finished += u32::from(is_finished);
        if is_finished {
            let restored = restore(open(&mut alone.disk, zxid), OwnerRules::default());
            assert!(restored.is_ok_and(|restored| restored.tree.find("/a").is_some()), "C4");
        }
    }
    assert!(finished > 0, "with enough verbs it is finished");
}
