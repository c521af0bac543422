//! Random lives, each of many crashes. The one unforgivable outcome: a durable txn lost.

use super::*;

/// What a run went through; a run that never met a kind of trouble proves nothing about it.
#[derive(Default, Debug)]
struct Marks {
    torn: u32,
    lost: u32,
    rolls: u32,
    purges: u32,
    truncations: u32,
    resets: u32,
}

struct Life {
    bench: Bench,
    workload: Dice,
    faults: Dice,
    epoch: i64,
    marks: Marks,
}

impl Life {
    fn new(seed: u64) -> Self {
        let (workload, faults) = (Dice(seed), Dice(!seed));
        Self { bench: Bench::new(), workload, faults, epoch: 1, marks: Marks::default() }
    }

    fn next_zxid(&mut self) -> Zxid {
        let last = self.bench.log.appended();
        if last.epoch() == Epoch(self.epoch) { last.next().unwrap() } else { at(self.epoch, 1) }
    }

    fn append(&mut self) {
        let len = match self.workload.below(20) {
            0 => 20_000 + self.workload.below(20_000),
            1..5 => self.workload.below(6_000),
            _ => self.workload.below(300),
        };
        let zxid = self.next_zxid();
        self.bench.append(zxid, len as usize);
    }

    fn step(&mut self) {
        match self.workload.below(100) {
            0..50 => self.append(),
            50..70 => self.bench.drain(),
            70..96 => {
                let pending = self.bench.disk.pending() as u64;
                if pending > 0 {
                    let at = self.workload.below(pending) as usize;
                    self.bench.complete(at);
                }
            }
            96 => {
                self.epoch += 1;
                let epoch = Epoch(self.epoch);
                self.bench.log.store_epochs(&mut self.bench.disk, epoch, epoch).unwrap();
            }
            97 => self.purge(),
            98 => self.truncate(),
            _ => self.reset(),
        }
    }

    fn purge(&mut self) {
        let durable = self.bench.log.durable();
        if self.bench.log.superblock().snapshot.is_some_and(|old| old > durable) {
            return;
        }
        self.bench.disk.write(FileName::Snapshot(durable), 0, b"snapshot").unwrap();
        self.bench.disk.sync(FileName::Snapshot(durable)).unwrap();
        self.bench.disk.sync_dir().unwrap();
        self.bench.log.store_snapshot(&mut self.bench.disk, durable).unwrap();
        let mut ops = Vec::new();
        let base = self.bench.log.history().base();
        self.bench.log.purge(durable, &mut ops);
        self.marks.purges += u32::from(self.bench.log.history().base() > base);
        for op in ops {
            self.bench.disk.execute(op);
        }
    }

    fn truncate(&mut self) {
        self.bench.settle();
        let base = self.bench.log.history().base();
        let held: Vec<Zxid> =
            self.bench.model.iter().map(|(zxid, _)| *zxid).filter(|&zxid| zxid > base).collect();
        let back = self.workload.below(12) as usize;
        let to = held.len().checked_sub(back + 1).map_or(base, |index| held[index]);
        if !self.bench.log.can_truncate(&mut self.bench.disk, to).unwrap() {
            return;
        }
        self.bench.log.truncate(&mut self.bench.disk, to).unwrap();
        assert_eq!(self.bench.log.durable(), to);
        self.bench.durable = to;
        self.bench.model.retain(|(zxid, _)| *zxid <= to);
        self.marks.truncations += 1;
        self.epoch += 1;
    }

    fn reset(&mut self) {
        if self.workload.below(4) > 0 {
            return;
        }
        self.bench.settle();
        self.epoch += 1;
        let to = at(self.epoch, 1 + self.workload.below(9) as u32);
        self.bench.log.reset(&mut self.bench.disk, to).unwrap();
        self.bench.durable = to;
        self.bench.model.clear();
        self.marks.resets += 1;
    }

    /// The power fails; everything that was reported durable is there afterwards.
    fn crash(mut self, label: &str) -> Self {
        let durable = self.bench.log.durable();
        let snapshot = self.bench.log.superblock().snapshot;
        let appended = self.bench.log.appended();
        self.marks.rolls += self.bench.log.segments.len().saturating_sub(1) as u32;
        let entropy = self.faults.next();
        self.bench.disk.crash(entropy);
        self.bench = self.bench.reopen(entropy);
        let log = &self.bench.log;
        assert_eq!(self.bench.report.damage, None, "{label}");
        assert_eq!(log.superblock().snapshot, snapshot, "{label}");
        let end = log.appended();
        assert!(end >= durable, "{label}: {durable:?} was durable, the log ends at {end:?}");
        assert!(end <= appended, "{label}");
        assert!(log.history().base() <= snapshot.unwrap_or(Zxid::ZERO), "{label}");
        self.marks.torn += u32::from(self.bench.report.torn_bytes > 0);
        self.marks.lost += u32::from(end < appended);
        self.bench.model.retain(|(zxid, _)| *zxid <= end);
        self.bench.check();
        // Idempotent: a start right after a start changes nothing.
        self.bench = self.bench.reopen(entropy);
        assert_eq!((self.bench.log.appended(), self.bench.report.torn_bytes), (end, 0), "{label}");
        self
    }
}

fn run(seeds: std::ops::Range<u64>) {
    let mut total = Marks::default();
    for seed in seeds {
        let mut life = Life::new(seed);
        for crash in 0..12 {
            for _ in 0..life.faults.below(250) {
                life.step();
            }
            life = life.crash(&format!("seed {seed}, crash {crash}"));
        }
        life.bench.settle();
        life.bench.check();
        let marks = life.marks;
        total.torn += marks.torn;
        total.lost += marks.lost;
        total.rolls += marks.rolls;
        total.purges += marks.purges;
        total.truncations += marks.truncations;
        total.resets += marks.resets;
    }
    println!("{total:?}");
    let all = [total.torn, total.lost, total.rolls, total.purges, total.truncations, total.resets];
    assert!(all.iter().all(|&count| count > 10), "every kind of trouble was met: {total:?}");
}

/// `RINGKEEPER_SEED` replays one life; the label of a failure names it.
#[test]
fn nothing_durable_is_lost_in_any_crash() {
    match std::env::var("RINGKEEPER_SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => {
            println!("seed {seed}");
            run(seed..seed + 1);
        }
        None => {
            println!("seeds 0..60");
            run(0..60);
        }
    }
}
