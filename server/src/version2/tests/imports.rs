//! What is brought in, and that it is all or nothing.

use ringkeeper_engine::ids::ServerId;
use ringkeeper_engine::limits::BLOCK;
use ringkeeper_engine::log::{Disk, Log, LogError, LogOptions, packets, payload as payload_of};

use super::*;
use crate::snapshot::{open, verify};

fn options() -> LogOptions {
    let mut options = LogOptions::new(ServerId(1), 0);
    (options.segment_bytes, options.batch_bytes_max) = (4 * BLOCK as u64, BLOCK);
    options.spares = 1;
    options
}

fn bring_in(memory: &mut Memory, disk: &mut MemoryDisk) -> Result<Survey, ImportError> {
    let survey = memory.survey(MEMBER)?;
    let what = Import { survey: &survey, log: options(), entropy: 7 };
    import(memory, disk, what, &mut |_| {})?;
    Ok(survey)
}

fn assert_whole(disk: &mut MemoryDisk) {
    let opened = Log::open(disk, options(), 9).expect("an imported log opens");
    let superblock = opened.superblock;
    assert_eq!((superblock.accepted_epoch, superblock.current_epoch), (Epoch(3), Epoch(2)));
    assert_eq!(superblock.snapshot, Some(at(1, 2)));
    assert_eq!((opened.report.damage, opened.log.may_vote()), (None, true));
    let (mut cursor, mut run) = (opened.log.cursor(at(1, 2)), Vec::new());
    cursor.next(disk, &opened.log, &mut run, 1 << 20).expect("it reads back");
    let found: Vec<_> =
        packets(&run).map(|(zxid, packet)| (zxid, payload_of(packet).to_vec())).collect();
    let expected: Vec<_> = appended().map(|zxid| (zxid, create(zxid))).collect();
    assert_eq!(found, expected, "V1");
    let summary = verify(open(disk, at(1, 2))).expect("it reads back");
    assert_eq!((summary.znodes, summary.sessions), (5, 1));
    assert_eq!(summary.sections.last_processed, Some(at(1, 2)));
}

#[test]
fn v1_what_was_surveyed_is_brought_in() {
    let mut memory = whole();
    let before = memory.files.clone();
    let mut disk = MemoryDisk::new();
    let survey = bring_in(&mut memory, &mut disk).expect("it is whole");
    assert_eq!((survey.txns, survey.last), (6, at(2, 3)));
    let text = survey.to_string();
    assert!(
        text.starts_with("snapshot.100000002 (0x100000002) with 5 znodes, 1 sessions"),
        "{text}"
    );
    assert_whole(&mut disk);
    assert!(memory.files == before, "V2");
    let noted = noted(&mut disk).expect("in memory");
    let expected = Standing { last: at(2, 3), accepted: Epoch(3), current: Epoch(2) };
    assert_eq!((noted, standing(&mut memory).ok()), (Some(expected), Some(expected)));
    assert_eq!(standing(&mut memory).expect("it reads").to_note().len(), 80);
}

#[test]
fn v1_an_import_cut_anywhere_is_whole_or_none_and_can_be_made_again() {
    let mut cuts = 0;
    for seed in 0.. {
        let mut disk = MemoryDisk::new();
        disk.cut_after(seed);
        let ended = bring_in(&mut whole(), &mut disk).is_ok();
        disk.crash(seed);
        match Log::open(&mut disk, options(), 3) {
            Err(LogError::Unfounded) => assert!(!ended, "seed {seed}"),
            Ok(opened) if opened.superblock.snapshot.is_none() => {
                assert!(!ended && opened.log.appended() == Zxid::ZERO, "seed {seed}");
                continue;
            }
            Ok(_) => {
                assert_whole(&mut disk);
                if ended {
                    break;
                }
                continue;
            }
            Err(error) => panic!("seed {seed}: {error}"),
        }
        cuts += 1;
        bring_in(&mut whole(), &mut disk).expect("made again");
        assert_whole(&mut disk);
    }
    assert!(cuts > 30, "{cuts}");
}

/// A server that writes there while it is read must not run beside ours.
#[test]
fn v1_files_that_change_meanwhile_leave_nothing() {
    type Change = fn(&mut Memory);
    let changes: [Change; 4] = [
        |memory| memory.put("log.200000001", log((1..5).map(|counter| at(2, counter)))),
        |memory| memory.put("acceptedEpoch", "4"),
        |memory| memory.put("snapshot.200000004", snapshot(at(2, 4))),
        |memory| memory.bytes("snapshot.100000002")[40] ^= 1,
    ];
    for change in changes {
        let mut memory = whole();
        let survey = memory.survey(MEMBER).expect("it is whole");
        let mut disk = MemoryDisk::new();
        let what = Import { survey: &survey, log: options(), entropy: 7 };
        let mut reads = 0;
        let mut changing = Changing { memory: memory.clone(), change, reads: &mut reads };
        let error = import(&mut changing, &mut disk, what, &mut |_| {}).expect_err("changed");
        let ImportError::Source(Version2Error { fault: Fault::Changed, .. }) = error else {
            panic!("{error}")
        };
        assert_eq!(disk.list().expect("in memory"), [], "nothing is left");
    }
}

/// Changes after the first look at how it stands.
struct Changing<'a> {
    memory: Memory,
    change: fn(&mut Memory),
    reads: &'a mut u32,
}

impl Archive for Changing<'_> {
    fn is_apart(&self) -> bool {
        false
    }

    fn list(&mut self, place: Place) -> io::Result<Vec<(String, u64)>> {
        self.memory.list(place)
    }

    fn open(&mut self, place: Place, name: &str) -> io::Result<Box<dyn Read>> {
        *self.reads += 1;
        // The newest log and both epochs are the first look.
        if *self.reads == 4 {
            (self.change)(&mut self.memory);
        }
        self.memory.open(place, name)
    }

    fn path(&self, place: Place, name: &str) -> String {
        self.memory.path(place, name)
    }
}

#[test]
fn nothing_is_imported_over_a_log() {
    let mut disk = MemoryDisk::new();
    Log::open(&mut disk, options(), 1).expect("a new one");
    let error = bring_in(&mut whole(), &mut disk).expect_err("occupied");
    assert!(matches!(error, ImportError::Log(LogError::Occupied)), "{error}");
}

#[test]
fn logs_and_snapshots_may_lie_apart() {
    let mut memory = whole();
    memory.apart = true;
    let mut disk = MemoryDisk::new();
    bring_in(&mut memory, &mut disk).expect("it is whole");
    assert_whole(&mut disk);
    let stray = log([at(1, 1)]);
    memory.files.insert((Place::Data, "log.1".to_owned()), stray);
    assert!(matches!(memory.fault(MEMBER).2, Fault::LogAmongSnapshots));
}

/// The snapshots of Java 3.8.0 in all wrappings, without a log.
#[test]
fn javas_own_snapshots_are_taken_over() {
    for (name, bytes) in [
        (
            "snapshot.10",
            &include_bytes!("../../../../tests/captures/zookeeper-3.8.0.snapshot.10")[..],
        ),
        (
            "snapshot.10.gz",
            include_bytes!("../../../../tests/captures/zookeeper-3.8.0.snapshot.10.gz"),
        ),
        (
            "snapshot.10.snappy",
            include_bytes!("../../../../tests/captures/zookeeper-3.8.0.snapshot.10.snappy"),
        ),
    ] {
        let mut memory = Memory::default();
        memory.put(name, bytes);
        let mut disk = MemoryDisk::new();
        let survey = bring_in(&mut memory, &mut disk).expect(name);
        let theirs = survey.snapshot.expect("one").summary;
        let ours = verify(open(&mut disk, Zxid(0x10))).expect(name);
        assert_eq!((ours.znodes, ours.digest), (theirs.znodes, theirs.digest), "{name}");
        assert_eq!(ours.sections.digest, theirs.sections.digest, "{name}");
        let opened = Log::open(&mut disk, options(), 1).expect(name);
        assert_eq!(opened.log.appended(), Zxid(0x10));
    }
}
