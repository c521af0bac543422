//! The ordinary life of a log.

use super::*;

/// The writes pending on the disk: (segment, offset, durable).
fn writes(bench: &Bench) -> Vec<(u64, u64, bool)> {
    let write = |op: &DiskOp| match op {
        DiskOp::Write { segment, offset, durable, .. } => Some((*segment, *offset, *durable)),
        _ => None,
    };
    bench.disk.pending_ops().filter_map(write).collect()
}

fn flushes(bench: &Bench) -> usize {
    bench.disk.pending_ops().filter(|op| matches!(op, DiskOp::Flush { .. })).count()
}

/// A bench whose first segment is in use and whose disk is idle.
fn idle() -> Bench {
    let mut bench = Bench::new();
    bench.append_settled(1, 1..2, 10);
    bench
}

#[test]
fn an_idle_disk_gets_one_durable_write() {
    let mut bench = idle();
    bench.append(at(1, 2), 10);
    bench.append(at(1, 3), 10);
    bench.drain();
    assert_eq!(writes(&bench), [(1, 8192, true)]);
    bench.complete(0);
    assert_eq!((bench.durable, flushes(&bench)), (at(1, 3), 0));
    assert!(bench.log.is_quiet());
}

#[test]
fn a_busy_disk_gets_plain_writes_and_one_flush_at_a_time() {
    let mut bench = idle();
    for counter in 2..8 {
        bench.append(at(1, counter), 10);
        bench.drain();
    }
    let durable: Vec<bool> = writes(&bench).iter().map(|write| write.2).collect();
    assert_eq!(durable, [true, false, false], "three in flight, the rest gathers");
    bench.complete(1);
    bench.drain();
    assert_eq!(flushes(&bench), 0, "the first is not answered");
    bench.complete(0);
    assert_eq!(bench.durable, at(1, 2));
    bench.drain();
    assert_eq!(flushes(&bench), 1);
    bench.settle();
    assert_eq!(bench.durable, at(1, 7));
    bench.check();
}

#[test]
fn what_gathers_while_the_disk_is_busy_goes_as_one_batch() {
    let mut bench = idle();
    for counter in 2..5 {
        bench.append(at(1, counter), 10);
        bench.drain();
    }
    for counter in 5..50 {
        bench.append(at(1, counter), 10);
        bench.drain();
    }
    bench.complete(0);
    bench.drain();
    assert_eq!(writes(&bench).len(), 3);
    bench.settle();
    let opened = bench.reopen(2);
    assert_eq!(opened.report.batches, 5);
}

#[test]
fn a_small_batch_waits_for_the_write_under_way() {
    let options = LogOptions { small_batch_bytes: 8 << 10, ..options() };
    let mut bench = Bench::with_options(MemoryDisk::new(), options, 1);
    bench.append_settled(1, 1..2, 10);
    for counter in 2..20 {
        bench.append(at(1, counter), 200);
        bench.drain();
    }
    assert_eq!(writes(&bench).len(), 1, "the first went alone, and the others gather behind it");
    bench.append(at(1, 20), 9000);
    bench.drain();
    assert_eq!(writes(&bench).len(), 2, "what is no longer small goes beside it");
    bench.append(at(1, 21), 200);
    bench.settle();
    assert_eq!(bench.durable, at(1, 21));
    bench.check();
}

#[test]
fn every_write_is_durable_where_the_device_prefers_it() {
    let mut disk = MemoryDisk::new();
    let options = LogOptions { every_write_durable: true, ..options() };
    let mut log = Log::open(&mut disk, options, 1).unwrap().log;
    let mut ops = Vec::new();
    for counter in 1..40 {
        log.append(at(1, counter), &packet_of(at(1, counter), 3000, 0));
        log.drain(&mut ops);
        for op in ops.drain(..) {
            assert!(!matches!(op, DiskOp::Flush { .. } | DiskOp::Write { durable: false, .. }));
            disk.execute(op);
        }
        while disk.pending() > 2 {
            log.on_done(disk.complete(disk.pending() - 1)).unwrap();
        }
    }
}

#[test]
fn the_log_rolls_over_segments_and_reads_back() {
    let mut bench = Bench::new();
    for counter in 1..200 {
        bench.append(at(1, counter), 100 + 17 * counter as usize);
        if counter % 3 == 0 {
            bench.settle();
        }
    }
    bench.append(at(4, 1), 5);
    bench.settle();
    bench.check();
    assert!(bench.log.bytes_on_disk() > 5 * SEGMENT);
    for after in [at(1, 1), at(1, 77), at(1, 199), at(4, 1)] {
        let expected = bench.model.iter().filter(|(zxid, _)| *zxid > after).count();
        assert_eq!(bench.read(after, 1).len(), expected);
    }
    let mut bench = bench.reopen(2);
    assert_eq!(bench.report.torn_bytes, 0);
    bench.check();
}

#[test]
fn a_lone_packet_larger_than_a_batch_goes_alone() {
    let mut bench = idle();
    bench.append(at(1, 2), 10);
    bench.append(at(1, 3), 40_000);
    bench.append(at(1, 4), 10);
    bench.settle();
    bench.check();
    let mut bench = bench.reopen(2);
    bench.check();
}

#[test]
fn a_roll_waits_for_a_spare_and_for_everything_in_flight() {
    let mut bench = Bench::new();
    bench.append(at(1, 1), 10);
    bench.drain();
    assert!(writes(&bench).is_empty(), "no segment is ready");
    assert!(!bench.log.is_quiet());
    bench.settle();
    while bench.log.segments.len() == 1 {
        let counter = bench.log.appended().counter() + 1;
        bench.append(at(1, counter), 12_000);
        bench.drain();
        if bench.log.segments.len() > 1 {
            assert_eq!(bench.durable, at(1, counter - 1), "G2");
        }
        if bench.disk.pending() > 0 {
            bench.complete(bench.disk.pending() - 1);
        }
    }
    bench.settle();
    bench.check();
}

#[test]
fn room_ends_where_the_bound_on_gathered_bytes_is_reached() {
    let mut disk = MemoryDisk::new();
    let options = LogOptions { gathered_bytes_max: 10_000, ..options() };
    let mut log = Log::open(&mut disk, options, 1).unwrap().log;
    let mut counter = 0;
    while log.has_room() {
        counter += 1;
        log.append(at(1, counter), &packet_of(at(1, counter), 480, 0));
    }
    assert_eq!(log.gathered_bytes(), 10_000);
}

#[test]
fn purged_segments_are_recycled_and_their_txns_are_gone() {
    let mut bench = Bench::new();
    bench.append_settled(1, 1..60, 4000);
    let upto = at(1, 40);
    bench.log.store_snapshot(&mut bench.disk, upto).unwrap();
    let mut cursor = bench.log.cursor(at(1, 3));
    let mut ops = Vec::new();
    bench.log.purge(upto, &mut ops);
    for op in ops {
        bench.disk.execute(op);
    }
    bench.settle();
    let base = bench.log.history().base();
    assert!(base > at(1, 20) && base <= upto);
    let purged = cursor.next(&mut bench.disk, &bench.log, &mut Vec::new(), 1);
    assert_eq!(purged, Err(CursorError::Purged { base }));
    bench.check();
    bench.append_settled(1, 60..120, 4000);
    bench.check();
    let mut bench = bench.reopen(2);
    assert_eq!(bench.report.damage, None);
    assert!(bench.log.history().base() <= base);
    bench.check();
}

/// What no start needs is not read, and yet is there for whoever lags, checked when it is read.
#[test]
fn segments_behind_the_snapshot_are_passed_over_and_served() {
    let mut bench = Bench::new();
    bench.append_settled(1, 1..60, 4000);
    bench.log.store_snapshot(&mut bench.disk, at(1, 40)).unwrap();
    let mut bench = bench.reopen(2);
    assert_eq!((bench.report.passed_over, bench.report.damage), (2, None));
    bench.check();
    bench.append_settled(1, 60..90, 4000);
    bench.check();
    let to = at(1, 8);
    bench.log.truncate(&mut bench.disk, to).unwrap();
    assert_eq!((bench.log.appended(), bench.log.durable()), (to, to));

    let mut bench = Bench::new();
    bench.append_settled(1, 1..60, 4000);
    bench.log.store_snapshot(&mut bench.disk, at(1, 40)).unwrap();
    let place = 3 * BLOCK as u64 + 100;
    bench.disk.write(FileName::Segment(2), place, &[0xee; 8]).unwrap();
    let mut bench = bench.reopen(2);
    let mut cursor = bench.log.cursor(at(1, 1));
    let mut read = Vec::new();
    let failure = loop {
        match cursor.next(&mut bench.disk, &bench.log, &mut read, 1) {
            Ok(count) => assert!(count > 0, "the damage is met before the end"),
            Err(error) => break error,
        }
    };
    let file = FileName::Segment(2);
    assert!(
        matches!(failure, CursorError::Failure(LogFailure::Corrupt { file: at, .. }) if at == file),
        "{failure:?}"
    );
    let mut cursor = bench.log.cursor(at(1, 41));
    assert!(cursor.next(&mut bench.disk, &bench.log, &mut read, 1).is_ok(), "what a start needs");
}

#[test]
fn after_a_reset_the_log_begins_above_the_snapshot() {
    let mut bench = Bench::new();
    bench.append_settled(1, 1..30, 4000);
    bench.log.reset(&mut bench.disk, at(2, 50)).unwrap();
    assert_eq!((bench.log.durable(), bench.log.first()), (at(2, 50), None));
    let mut bench = bench.reopen(2);
    assert_eq!(bench.log.appended(), at(2, 50));
    assert_eq!(bench.log.superblock().snapshot, Some(at(2, 50)));
    bench.model.clear();
    bench.append_settled(2, 51..60, 100);
    bench.check();
    let mut bench = bench.reopen(3);
    bench.check();
}

#[test]
fn purged_segments_do_not_come_back_after_a_reset() {
    for seed in 0..20 {
        let mut bench = Bench::new();
        bench.append_settled(1, 1..60, 4000);
        bench.log.store_snapshot(&mut bench.disk, at(1, 50)).unwrap();
        let mut ops = Vec::new();
        bench.log.purge(at(1, 50), &mut ops);
        for op in ops {
            bench.disk.execute(op);
        }
        bench.drain();
        assert!(bench.disk.pending() > 0, "some are on their way out");
        // The leader's history is another one, and shorter.
        bench.log.reset(&mut bench.disk, at(1, 5)).unwrap();
        bench.disk.crash(seed);
        let bench = bench.reopen(2);
        assert_eq!((bench.report.damage, bench.log.appended()), (None, at(1, 5)), "seed {seed}");
    }
}

#[test]
fn a_snapshot_that_outran_the_log_is_where_the_log_begins() {
    let mut bench = Bench::new();
    bench.append_settled(1, 1..5, 100);
    bench.append(at(1, 5), 100);
    bench.log.store_snapshot(&mut bench.disk, at(1, 5)).unwrap();
    bench.disk.crash(1);
    let bench = bench.reopen(2);
    assert_eq!((bench.log.durable(), bench.log.first()), (at(1, 5), None));
}

#[test]
fn law_8_after_a_failure_nothing_is_tried_again() {
    let mut bench = idle();
    bench.append(at(1, 2), 10);
    bench.drain();
    let done = bench.disk.fail(0, 28);
    let failure = bench.log.on_done(done).unwrap_err();
    assert_eq!(
        failure.to_string(),
        "log/00000000000000000001.seg: write at offset 8192: No space left on device (28)"
    );
    bench.drain();
    assert_eq!(bench.disk.pending(), 0);
    let stored = bench.log.store_epochs(&mut bench.disk, Epoch(1), Epoch(1));
    assert_eq!(stored, Err(failure));
}

#[test]
fn a_failed_preparation_is_fatal_only_when_a_roll_waits_for_it() {
    let mut bench = Bench::new();
    bench.drain();
    assert_eq!(bench.disk.pending(), 2);
    let done = bench.disk.fail(0, 28);
    assert_eq!(bench.log.on_done(done), Ok(None));
    let done = bench.disk.fail(0, 28);
    assert_eq!(bench.log.on_done(done), Ok(None));
    bench.append(at(1, 1), 10);
    bench.drain();
    let done = bench.disk.fail(0, 28);
    let failure = bench.log.on_done(done).unwrap_err();
    assert!(failure.to_string().ends_with("No space left on device (28)"), "{failure}");
}

#[test]
#[should_panic(expected = "law 4")]
fn law_4_a_gap_is_refused() {
    let mut bench = idle();
    bench.append(at(1, 3), 10);
}

#[test]
fn a_foreign_disk_is_refused() {
    let mut disk = idle().disk;
    let other = LogOptions { server_id: ServerId(2), ..options() };
    let refused = Log::open(&mut disk, other, 1).unwrap_err();
    assert_eq!(refused, LogError::Foreign { field: "server id", found: 1, configured: 2 });
}

#[test]
fn a_log_without_its_superblock_is_not_taken_for_a_new_one() {
    let mut disk = idle().disk;
    disk.lose(FileName::Superblock);
    assert_eq!(Log::open(&mut disk, options(), 1).unwrap_err(), LogError::SuperblockLost);
}
