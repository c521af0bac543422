//! Cold paths, cut after every verb: what stays is there, what goes is gone.

use super::*;

/// Does `act` on a copy of the same history with the power failing after 0, 1, 2 … verbs, until it
/// gets through uncut, and hands every outcome to `check` after a restart.
fn cut_everywhere(
    build: impl Fn() -> Bench,
    act: impl Fn(&mut Bench) -> Result<(), LogFailure>,
    check: impl Fn(&mut Bench, bool),
) {
    for seed in 0..8 {
        for verbs in 0.. {
            let mut bench = build();
            bench.disk.cut_after(verbs);
            let is_through = act(&mut bench).is_ok();
            bench.disk.crash(seed * 1000 + verbs);
            // A second cut, within the recovery from the first.
            bench.disk.cut_after(verbs % 13);
            let opened = Log::open(&mut bench.disk, options(), 5);
            bench.disk.crash(seed + verbs);
            drop(opened);
            let mut bench = bench.reopen(seed + 7);
            assert_eq!(bench.report.damage, None, "seed {seed}, {verbs} verbs");
            check(&mut bench, is_through);
            // Idempotent: the next start finds the same and does nothing.
            let appended = bench.log.appended();
            let mut bench = bench.reopen(seed + 8);
            assert_eq!((bench.log.appended(), bench.report.torn_bytes), (appended, 0));
            assert_eq!(bench.report.finished, None);
            // And the log goes on from there.
            let next = appended.next().unwrap();
            bench.append(next, 300);
            bench.settle();
            let mut bench = bench.reopen(seed + 9);
            bench.check();
            if is_through {
                break;
            }
        }
    }
}

/// Batches of several packets over several segments and two epochs.
fn history() -> Bench {
    let mut bench = Bench::new();
    for counter in 1..=40 {
        bench.append(at(1, counter), 3000);
        if counter % 4 == 0 {
            bench.settle();
        }
    }
    for counter in 1..=10 {
        bench.append(at(2, counter), 3000);
    }
    bench.settle();
    assert!(bench.log.segments.len() > 2);
    bench
}

fn truncation_survives(to: Zxid) {
    cut_everywhere(
        history,
        |bench| bench.log.truncate(&mut bench.disk, to),
        |bench, is_through| {
            let end = bench.log.appended();
            assert!(end == to || (!is_through && end == at(2, 10)), "{end:?}");
            bench.model.retain(|(zxid, _)| *zxid <= end);
            bench.check();
        },
    );
}

#[test]
fn a_truncation_at_a_batch_border_survives_every_cut() {
    truncation_survives(at(1, 40));
}

#[test]
fn t1_a_truncation_within_a_batch_survives_every_cut() {
    truncation_survives(at(1, 22));
}

#[test]
fn a_truncation_within_the_first_batch_survives_every_cut() {
    truncation_survives(at(1, 2));
}

#[test]
fn a_truncation_of_everything_survives_every_cut() {
    truncation_survives(Zxid::ZERO);
}

#[test]
fn a_truncation_within_the_last_batch_survives_every_cut() {
    truncation_survives(at(2, 9));
}

#[test]
fn t2_a_truncation_takes_newer_snapshots_away() {
    let mut bench = history();
    for counter in [10, 20, 30] {
        bench.disk.write(FileName::Snapshot(at(1, counter)), 0, b"snapshot").unwrap();
    }
    bench.log.store_snapshot(&mut bench.disk, at(1, 30)).unwrap();
    bench.log.truncate(&mut bench.disk, at(1, 25)).unwrap();
    assert_eq!(bench.log.superblock().snapshot, Some(at(1, 20)));
    assert!(bench.disk.content(FileName::Snapshot(at(1, 30))).is_none());
    assert!(bench.disk.content(FileName::Snapshot(at(1, 20))).is_some());
}

#[test]
fn a_truncation_lowers_what_is_durable_and_cursors_follow() {
    let mut bench = history();
    let mut cursor = bench.log.cursor(at(1, 1));
    let mut out = Vec::new();
    cursor.next(&mut bench.disk, &bench.log, &mut out, 1).unwrap();
    bench.log.truncate(&mut bench.disk, at(1, 3)).unwrap();
    assert_eq!(bench.log.durable(), at(1, 3));
    bench.durable = at(1, 3);
    bench.model.truncate(3);
    bench.append(at(3, 1), 77);
    bench.settle();
    out.clear();
    while cursor.next(&mut bench.disk, &bench.log, &mut out, 1).unwrap() > 0 {}
    let zxids: Vec<Zxid> = packets(&out).map(|(zxid, _)| zxid).collect();
    assert_eq!(zxids, [at(1, 3), at(3, 1)]);
    bench.check();
}

#[test]
fn a_reset_survives_every_cut() {
    cut_everywhere(
        history,
        |bench| bench.log.reset(&mut bench.disk, at(1, 30)),
        |bench, is_through| {
            let end = bench.log.appended();
            if end == at(1, 30) {
                assert_eq!(bench.log.superblock().snapshot, Some(end));
                bench.model.clear();
            } else {
                assert!(!is_through && end == at(2, 10), "{end:?}");
            }
            bench.check();
        },
    );
}

#[test]
fn a_roll_survives_every_cut() {
    // Each `step` completes one more operation around the roll into the second segment.
    for seed in 0..40 {
        for step in 0..12 {
            let mut bench = Bench::new();
            while bench.log.segments.back().is_none_or(|last| last.has_room(16 << 10)) {
                let counter = bench.log.appended().counter() + 1;
                bench.append(at(1, counter), 3000);
                bench.settle();
            }
            for _ in 0..8 {
                let counter = bench.log.appended().counter() + 1;
                bench.append(at(1, counter), 3000);
            }
            let mut dice = Dice(seed);
            for _ in 0..step {
                bench.drain();
                if bench.disk.pending() > 0 {
                    bench.complete(dice.below(bench.disk.pending() as u64) as usize);
                }
            }
            bench.drain();
            let durable = bench.durable;
            bench.disk.crash(seed * 100 + step);
            let mut bench = bench.reopen(seed);
            assert_eq!(bench.report.damage, None, "seed {seed}, step {step}");
            let end = bench.log.appended();
            assert!(end >= durable, "seed {seed}, step {step}: {end:?} < {durable:?}");
            bench.model.retain(|(zxid, _)| *zxid <= end);
            bench.append(end.next().unwrap(), 15_000);
            bench.settle();
            let mut bench = bench.reopen(seed + 1);
            bench.check();
        }
    }
}

#[test]
fn what_was_discarded_does_not_come_back() {
    let mut met = 0;
    for seed in 0..200 {
        let mut bench = Bench::new();
        bench.append_settled(1, 1..2, 10);
        for counter in 2..5 {
            bench.append(at(1, counter), 5000);
            bench.drain();
        }
        assert_eq!(bench.disk.pending(), 3, "three writes at once");
        bench.disk.crash(seed);
        let mut bench = bench.reopen(2);
        if bench.log.appended() > at(1, 1) {
            continue;
        }
        met += u32::from(bench.report.torn_bytes > 0);
        // The same txn once more, so that the batch is the same to the bit; what followed is not
        // proposed again.
        bench.model.truncate(1);
        bench.append(at(1, 2), 5000);
        bench.settle();
        let mut bench = bench.reopen(3);
        assert_eq!(bench.log.appended(), at(1, 2), "seed {seed}");
        bench.check();
    }
    assert!(met > 20, "a later batch outlived a lost one: {met}");
}

#[test]
fn the_first_start_survives_every_cut() {
    for seed in 0..20 {
        for verbs in 0..8 {
            let mut disk = MemoryDisk::new();
            disk.cut_after(verbs);
            let _ = Log::open(&mut disk, options(), 1);
            disk.crash(seed);
            let mut bench = Bench::open(disk, 2);
            bench.append_settled(1, 1..3, 10);
            bench.check();
        }
    }
}

#[test]
fn an_epoch_once_stored_is_there_after_the_next_crash() {
    let mut bench = Bench::new();
    for epoch in 1..20 {
        bench.log.store_epochs(&mut bench.disk, Epoch(epoch), Epoch(epoch - 1)).unwrap();
        bench.disk.crash(epoch as u64);
        bench = bench.reopen(2);
        let record = *bench.log.superblock();
        assert_eq!((record.accepted_epoch, record.current_epoch), (Epoch(epoch), Epoch(epoch - 1)));
    }
}

#[test]
fn what_a_torn_roll_left_proves_nothing_after_a_truncation() {
    for seed in 0..100 {
        let mut bench = Bench::new();
        bench.append_settled(1, 1..13, 4000);
        // The power fails while the log rolls: the new segment's batch may stay without its header.
        let mut counter = 13;
        while bench.disk.pending() < 2 {
            bench.append(at(1, counter), 4000);
            counter += 1;
            bench.drain();
            if bench.disk.pending() == 1 {
                bench.settle();
            }
        }
        bench.disk.crash(seed);
        let mut bench = bench.reopen(seed);
        assert_eq!(bench.report.damage, None, "seed {seed}");
        bench.log.truncate(&mut bench.disk, at(1, 5)).unwrap();
        bench.disk.crash(seed);
        let bench = bench.reopen(seed);
        assert_eq!(bench.report.damage, None, "E1, seed {seed}");
    }
}
