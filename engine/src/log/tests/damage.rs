//! Damage is never taken for a torn tail, and a torn tail never for damage.

use super::*;

/// Three segments of batches, each of which was durable before the next was sealed.
fn history() -> Bench {
    let mut bench = Bench::new();
    bench.append_settled(1, 1..40, 5000);
    assert!(bench.log.segments.len() >= 3);
    bench
}

/// After the fault the log reports damage, holds exactly what comes before it, and changes nothing.
fn check_damaged(mut disk: MemoryDisk, label: &str) -> Bench {
    let names = disk.list().unwrap();
    let content = |disk: &MemoryDisk| -> Vec<Option<Vec<u8>>> {
        names.iter().map(|(name, _)| disk.content(*name).map(<[u8]>::to_vec)).collect()
    };
    let before = content(&disk);
    let bench = Bench::open(disk, 3);
    let damage = bench.report.damage.unwrap_or_else(|| panic!("{label}: silently shortened"));
    assert_eq!(damage.after, bench.log.durable(), "{label}");
    assert!(!bench.log.may_vote(), "{label}");
    assert!(content(&bench.disk) == before, "{label}: everything is kept");
    bench
}

#[test]
fn e1_a_flipped_byte_in_any_durable_batch_but_the_last_is_damage() {
    let whole = history();
    let count = whole.model.len();
    // (segment, offset, length) of every batch but the last.
    let mut batches = Vec::new();
    for segment in &whole.log.segments {
        let mut offset = BLOCK as u64;
        while offset < segment.end {
            batches.push((segment.header.number, offset));
            offset += 2 * BLOCK as u64;
        }
    }
    assert_eq!(batches.len(), count);
    for (index, &(number, offset)) in batches[..count - 1].iter().enumerate() {
        for at_byte in [0, 30, 63, 64, 1000, 8191] {
            let mut bench = history();
            bench.disk.flip(FileName::Segment(number), offset + at_byte);
            let label = format!("batch {index}, byte {at_byte}");
            let bench = check_damaged(bench.disk, &label);
            let before = index.checked_sub(1).map_or(Zxid::ZERO, |index| whole.model[index].0);
            assert_eq!(bench.log.durable(), before, "{label}");
        }
    }
}

#[test]
fn a_zeroed_block_in_the_middle_is_damage() {
    for offset in [0, 4096, 8192, 3 * 4096] {
        let mut bench = history();
        bench.disk.zero(FileName::Segment(1), offset, BLOCK);
        check_damaged(bench.disk, "zeroed");
    }
}

#[test]
fn a_flipped_byte_in_a_segments_header_is_damage() {
    for number in 1..=3 {
        let mut bench = history();
        bench.disk.flip(FileName::Segment(number), 100);
        check_damaged(bench.disk, "header");
    }
}

#[test]
fn e2_a_segment_missing_in_the_middle_is_damage() {
    let mut bench = history();
    let first_of_next = bench.log.segments[1].header.first;
    bench.disk.lose(FileName::Segment(2));
    let bench = check_damaged(bench.disk, "missing");
    assert_eq!(bench.log.durable().next(), Some(first_of_next));
}

#[test]
fn e4_a_missing_beginning_is_damage() {
    let mut bench = history();
    bench.disk.lose(FileName::Segment(1));
    let bench = check_damaged(bench.disk, "missing");
    assert_eq!(bench.log.durable(), Zxid::ZERO);
}

#[test]
fn e3_a_lost_tail_is_damage_if_the_superblock_knew_of_it() {
    let mut bench = history();
    bench.log.store_evidence(&mut bench.disk).unwrap();
    let (number, end) = (bench.log.durable.segment, bench.log.durable.end);
    bench.disk.flip(FileName::Segment(number), end - 1);
    let bench = check_damaged(bench.disk, "tail");
    assert_eq!(bench.log.durable(), at(1, 38));
}

#[test]
fn e3_a_log_shorter_than_its_cut_truncation_is_damage() {
    let mut met = 0;
    for verbs in 0..30 {
        let mut bench = history();
        bench.disk.cut_after(verbs);
        let _ = bench.log.truncate(&mut bench.disk, at(1, 30));
        bench.disk.crash(verbs);
        bench.disk.flip(FileName::Segment(1), 3 * BLOCK as u64);
        // Damage comes before the truncation is finished, and so does what was kept.
        let bench = check_damaged(bench.disk, "truncation");
        assert_eq!(bench.log.durable(), at(1, 1));
        met += u32::from(bench.log.superblock().truncation.is_some());
    }
    assert!(met > 0, "some were cut with the marker durable");
}

#[test]
fn a_misplaced_batch_is_damage() {
    let mut bench = history();
    let mut batch = vec![0; 2 * BLOCK];
    bench.disk.read(FileName::Segment(1), 5 * BLOCK as u64, &mut batch).unwrap();
    bench.disk.write(FileName::Segment(1), 3 * BLOCK as u64, &batch).unwrap();
    let bench = check_damaged(bench.disk, "misplaced");
    assert_eq!(bench.log.durable(), at(1, 1));
}

#[test]
fn damage_behind_the_newest_snapshot_costs_only_history() {
    let mut bench = history();
    bench.log.store_snapshot(&mut bench.disk, at(1, 30)).unwrap();
    bench.disk.flip(FileName::Segment(1), 2 * BLOCK as u64);
    let options = LogOptions { passes_over: false, ..options() };
    let opened = Log::open(&mut bench.disk, options, 2).unwrap();
    (bench.log, bench.report) = (opened.log, opened.report);
    assert_eq!(bench.report.damage, None);
    assert!(bench.log.may_vote());
    assert!(bench.log.history().base() > Zxid::ZERO);
    bench.check();
}

#[test]
fn a_damaged_log_heals_by_truncation_but_votes_only_after_the_next_epoch() {
    let mut bench = history();
    bench.disk.flip(FileName::Segment(2), 3 * BLOCK as u64);
    let mut bench = check_damaged(bench.disk, "heals");
    let good = bench.log.durable();
    bench.log.store_epochs(&mut bench.disk, Epoch(2), Epoch(0)).unwrap();
    bench.log.truncate(&mut bench.disk, good).unwrap();
    assert_eq!(bench.log.damage(), None);
    let mut bench = bench.reopen(4);
    assert_eq!((bench.report.damage, bench.log.durable()), (None, good));
    assert!(!bench.log.may_vote(), "what was acknowledged is still missing");
    bench.append(at(2, 1), 10);
    bench.settle();
    bench.log.store_epochs(&mut bench.disk, Epoch(2), Epoch(2)).unwrap();
    assert!(bench.log.may_vote());
    assert!(bench.reopen(5).log.may_vote());
}

#[test]
fn a_damaged_log_heals_by_a_snapshot() {
    let mut bench = history();
    bench.disk.flip(FileName::Segment(1), 100);
    let mut bench = check_damaged(bench.disk, "snapshot");
    bench.log.reset(&mut bench.disk, at(2, 9)).unwrap();
    let mut bench = bench.reopen(4);
    assert_eq!((bench.report.damage, bench.log.durable()), (None, at(2, 9)));
    assert!(!bench.log.may_vote());
    bench.append(at(2, 10), 10);
    bench.settle();
    bench.log.store_epochs(&mut bench.disk, Epoch(2), Epoch(2)).unwrap();
    assert!(bench.log.may_vote());
    bench.check();
}

#[test]
fn rot_met_while_reading_is_a_failure_not_a_shorter_log() {
    let mut bench = history();
    bench.disk.flip(FileName::Segment(1), 3 * BLOCK as u64 + 200);
    let mut cursor = bench.log.cursor(Zxid::ZERO);
    let mut out = Vec::new();
    let failure = loop {
        match cursor.next(&mut bench.disk, &bench.log, &mut out, 1000) {
            Ok(count) => assert!(count > 0),
            Err(failure) => break failure,
        }
    };
    let (file, offset) = (FileName::Segment(1), 3 * BLOCK as u64);
    assert_eq!(failure, CursorError::Failure(LogFailure::Corrupt { file, offset }));
}

/// Overwrites some of `file`, as a disk that rots or a write that went astray would.
fn spoil(disk: &mut MemoryDisk, dice: &mut Dice, file: FileName, used: u64) {
    let block = dice.below(used / BLOCK as u64) * BLOCK as u64;
    match dice.below(3) {
        0 => disk.flip(file, block + dice.below(BLOCK as u64)),
        1 => {
            let content = disk.content(file).unwrap();
            let is_zero = |at: u64| content[at as usize..][..BLOCK].iter().all(|&byte| byte == 0);
            if is_zero(block) {
                disk.flip(file, block);
            } else {
                disk.zero(file, block, BLOCK);
            }
        }
        _ => {
            let mut astray = [0; BLOCK];
            let from = (block + BLOCK as u64) % used;
            disk.read(file, from, &mut astray).unwrap();
            let is_same = disk.content(file).unwrap()[block as usize..][..BLOCK] == astray;
            if is_same {
                disk.flip(file, block);
            } else {
                disk.write(file, block, &astray).unwrap();
                disk.sync(file).unwrap();
            }
        }
    }
}

#[test]
fn no_spoilt_block_of_what_was_durable_goes_unseen() {
    for seed in 0..300 {
        println!("seed {seed}");
        let mut dice = Dice(seed);
        let mut bench = Bench::new();
        for counter in 1..60 {
            bench.append(at(1, counter), dice.below(5000) as usize);
            if dice.below(3) == 0 {
                bench.settle();
            }
        }
        bench.settle();
        bench.log.store_evidence(&mut bench.disk).unwrap();
        let segments = &bench.log.segments;
        let segment = &segments[dice.below(segments.len() as u64) as usize];
        let (file, used) = (segment.file(), segment.end);
        spoil(&mut bench.disk, &mut dice, file, used);
        let model = std::mem::take(&mut bench.model);
        let mut bench = check_damaged(bench.disk, &format!("seed {seed}"));
        let good = bench.log.durable();
        bench.model = model;
        bench.model.retain(|(zxid, _)| *zxid <= good);
        bench.check();
    }
}
