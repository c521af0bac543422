//! Snapshots read back: ours, ZooKeeper's, and bytes that are none.

use std::collections::BTreeMap;
use std::io::Cursor;

use flate2::Compression;
use flate2::read::GzEncoder;
use ringkeeper_engine::jute::{Reader, Writer};
use ringkeeper_engine::log::{FileName, MemoryDisk};
use ringkeeper_engine::zab::{Intake, IntakeError, SnapshotFormat};

use super::*;
use crate::acl::AclTable;
use crate::tree::tests::workload::{Kept, RULES, Random, apply, dump, op};
use crate::tree::{AclId, CheckpointStep, Owner, StatPersisted, Tree};
use crate::wire::{Acl, SessionId};

const PLAIN: &[u8] = include_bytes!("../../../../tests/captures/zookeeper-3.8.0.snapshot.10");
const GZIP: &[u8] = include_bytes!("../../../../tests/captures/zookeeper-3.8.0.snapshot.10.gz");
const SNAPPY: &[u8] =
    include_bytes!("../../../../tests/captures/zookeeper-3.8.0.snapshot.10.snappy");

/// What the engine sends after a body.
const SIGNATURE: [u8; 14] = *b"\0\0\0\x0aBenWasHere";

const ZXID: Zxid = Zxid(0x1_0000_0007);

/// A server's state with lists 1 and 2, as the random changes know them.
struct Server {
    tree: Tree,
    acls: AclTable,
    sessions: BTreeMap<SessionId, i32>,
}

impl Server {
    fn new(seed: u64, changes: i64) -> Self {
        let mut acls = AclTable::new();
        acls.intern_list(&[Acl::new(31, "digest", "amy:hash"), Acl::new(1, "world", "anyone")]);
        let sessions = BTreeMap::from([(SessionId(0x51), 4000), (SessionId(-3), 40_000)]);
        let mut server = Self { tree: Tree::new(RULES), acls, sessions };
        server.change(&mut Random(seed), 1, changes);
        server
    }

    fn change(&mut self, random: &mut Random, from: i64, count: i64) {
        for zxid in from..from + count {
            apply(&mut self.tree, &op(random), zxid);
        }
    }

    fn cut(&mut self) -> Cut {
        let sessions = self.sessions.iter().map(|(id, timeout)| (*id, *timeout));
        let sessions: Vec<_> = sessions.collect();
        let digest = TreeDigest::of(&mut self.tree);
        Cut::begin(&mut self.tree, &self.acls, sessions.into_iter(), ZXID, digest)
    }

    /// The whole file, by way of a disk.
    fn snapshot(&mut self) -> Vec<u8> {
        let mut disk = MemoryDisk::new();
        let cut = self.cut();
        let digest = cut.digest();
        let mut writer = SnapshotWriter::new(ZXID);
        writer.append(&mut disk, &cut.whole(&mut self.tree)).unwrap();
        writer.finish(&mut disk, Some(digest)).unwrap();
        whole(&disk)
    }
}

fn whole(disk: &MemoryDisk) -> Vec<u8> {
    disk.content(FileName::Snapshot(ZXID)).unwrap().to_vec()
}

/// Znodes with what their lists say, as ids differ between servers.
fn with_lists(tree: &Tree, acls: &AclTable) -> BTreeMap<String, (Kept, Vec<Acl>)> {
    let list = |path: &str| acls.list(tree.get(tree.find(path).unwrap()).acl).to_vec();
    let mut znodes = BTreeMap::new();
    for (path, (data, _, stat)) in dump(tree) {
        let list = list(&path);
        znodes.insert(path, ((data, 0, stat), list));
    }
    znodes
}

fn restored(bytes: &[u8]) -> Result<Restored, SnapshotError> {
    restore(Cursor::new(bytes), RULES)
}

#[test]
fn what_was_written_is_restored() {
    for seed in 1..=5 {
        println!("seed {seed}");
        let mut server = Server::new(seed, 800);
        let bytes = server.snapshot();
        let read = restored(&bytes).unwrap();
        let expected = with_lists(&server.tree, &server.acls);
        assert_eq!(with_lists(&read.tree, &read.acls), expected);
        assert_eq!(read.sessions, server.sessions);
        assert_eq!(read.tree.approximate_data_size(), server.tree.approximate_data_size());
        let recorded = RecordedDigest { zxid: ZXID, version: 2, tree: read.digest };
        assert_eq!((read.recorded, read.last_processed), (Some(recorded), Some(ZXID)));
        let summary = verify(Cursor::new(&bytes)).unwrap();
        assert_eq!(summary.znodes as usize, read.tree.count() - 1);
        assert_eq!((summary.digest, summary.sessions), (read.digest, 2));
    }
}

/// What stands on a disk is compared with what was handed to it, to the bit and to the byte.
#[test]
fn a_snapshot_that_reads_back_otherwise_is_found() {
    let mut server = Server::new(3, 300);
    let mut disk = MemoryDisk::new();
    let cut = server.cut();
    let digest = cut.digest();
    let mut writer = SnapshotWriter::new(ZXID);
    writer.append(&mut disk, &cut.whole(&mut server.tree)).unwrap();
    let written = writer.finish(&mut disk, Some(digest)).unwrap();
    let file = FileName::Snapshot(ZXID);
    assert_eq!(written.bytes, whole(&disk).len() as u64);
    written.read_back(&mut disk).expect("it is what was written");
    let bytes = whole(&disk);
    for at in (0..bytes.len()).step_by(97).chain([bytes.len() - 1]) {
        disk.write(file, at as u64, &[bytes[at] ^ 1]).unwrap();
        assert!(written.read_back(&mut disk).is_err(), "byte {at}");
        disk.write(file, at as u64, &[bytes[at]]).unwrap();
    }
    written.read_back(&mut disk).expect("it is what was written again");
    disk.write(file, bytes.len() as u64, &[0]).unwrap();
    assert!(written.read_back(&mut disk).is_err(), "a byte more");
}

/// The file is of the moment the cut began, whatever happens until its last slice.
#[test]
fn writes_during_a_snapshot_are_not_in_it() {
    for seed in 1..=5 {
        println!("seed {seed}");
        let mut random = Random(seed);
        let mut server = Server::new(seed, 500);
        let expected = with_lists(&server.tree, &server.acls);
        let mut cut = server.cut();
        let (mut disk, mut writer) = (MemoryDisk::new(), SnapshotWriter::new(ZXID));
        let mut zxid = 1000;
        loop {
            server.change(&mut random, zxid, 7);
            zxid += 7;
            let mut out = Vec::new();
            let step = cut.slice(&mut server.tree, 5, 1000, &mut out);
            writer.append(&mut disk, &out).unwrap();
            if step == CheckpointStep::Done {
                break;
            }
        }
        writer.finish(&mut disk, Some(cut.digest())).unwrap();
        let read = restored(&whole(&disk)).unwrap();
        assert_eq!(with_lists(&read.tree, &read.acls), expected);
        assert_eq!(read.digest, cut.digest());
    }
}

fn check_capture(bytes: &[u8]) {
    let read = restored(bytes).unwrap();
    let tree = &read.tree;
    let data = |path: &str| tree.data(tree.find(path).unwrap());
    assert_eq!(data("/app"), Some(&b"again"[..]));
    assert_eq!(data("/app/empty"), Some(&b""[..]));
    assert_eq!(data("/app/seq-0000000003"), Some(&b"one"[..]));
    assert_eq!(tree.find("/app/seq-0000000004"), None);
    assert_eq!(tree.owner(tree.find("/app/box").unwrap()), Owner::Container);
    assert_eq!(tree.owner(tree.find("/app/ttl").unwrap()), Owner::Ttl(500_000));
    let sessions: Vec<_> = read.sessions.iter().collect();
    let [(session, 40_000)] = sessions[..] else { panic!("{sessions:?}") };
    assert_eq!(tree.owner(tree.find("/app/eph").unwrap()), Owner::Ephemeral(session.0));
    let list = |path: &str| read.acls.list(tree.get(tree.find(path).unwrap()).acl);
    assert_eq!(list("/net")[0], Acl::new(31, "ip", "10.0.0.0/8"));
    assert_eq!((list("/secret")[0].scheme.as_str(), list("/secret").len()), ("digest", 1));
    let stat = tree.stat(tree.find("/app").unwrap());
    assert_eq!((stat.czxid, stat.mzxid, stat.pzxid), (2, 0xc, 0xd));
    assert_eq!((stat.version, stat.cversion, stat.num_children), (2, 7, 5));
    // The digest that Java recorded is the one we compute.
    let recorded = read.recorded.unwrap();
    assert_eq!((recorded.zxid, recorded.version), (Zxid(0x10), 2));
    assert_eq!(recorded.tree, read.digest);
    assert_eq!((read.last_processed, read.closed), (None, 0));
}

/// Compat: `FileSnap` and `SnapStream`, 3.8.0.
#[test]
fn snapshots_of_apache_zookeeper_are_read_in_every_wrapping() {
    check_capture(PLAIN);
    check_capture(GZIP);
    check_capture(SNAPPY);
}

#[test]
fn ours_are_read_compressed_as_well() {
    let bytes = Server::new(3, 300).snapshot();
    let mut packed = Vec::new();
    std::io::Read::read_to_end(&mut GzEncoder::new(&bytes[..], Compression::fast()), &mut packed)
        .unwrap();
    let plain = restored(&bytes).unwrap();
    assert_eq!(restored(&packed).unwrap().digest, plain.digest);
}

/// Which sections a file has, and what it is then.
#[test]
fn sections_are_optional_but_their_seals_are_not() {
    let bytes = Server::new(4, 50).snapshot();
    let end = bytes.len();
    let sections = |bytes: &[u8]| {
        let read = restored(bytes)?;
        Ok::<_, SnapshotError>((read.recorded.is_some(), read.last_processed.is_some()))
    };
    assert_eq!(sections(&bytes).unwrap(), (true, true));
    assert_eq!(sections(&bytes[..end - 21]).unwrap(), (true, false));
    assert_eq!(sections(&bytes[..end - 54]).unwrap(), (false, false));
    assert_eq!(sections(&bytes[..end - 50]).unwrap(), (false, false), "ends within a section");
    assert!(sections(&bytes[..end - 22]).is_err(), "ends within a seal");
    assert!(sections(&bytes[..end - 60]).is_err(), "the body's seal is not optional");
    for at in 0..bytes.len() {
        let mut bent = bytes.clone();
        bent[at] ^= 1;
        // The slashes of the seals are of no consequence to their values, but to the next seal's.
        assert!(restored(&bent).is_err() || at >= end - 13, "a bit at {at} of {end}");
    }
}

/// S2: hostile bytes end in an error.
#[test]
fn cut_and_bent_snapshots_never_panic() {
    for (bytes, plain) in [(PLAIN, true), (GZIP, false), (SNAPPY, false)] {
        for at in 0..bytes.len() {
            let _ = restored(&bytes[..at]);
            for bent in [0x00, 0x7f, 0x80, 0xff] {
                let mut changed = bytes.to_vec();
                changed[at] = bent;
                let result = restored(&changed);
                let body_end = bytes.len() - 46;
                let same = bytes[at] == bent;
                assert!(!plain || same || at >= body_end || result.is_err(), "{bent:#x} at {at}");
            }
        }
    }
}

#[test]
fn a_list_the_snapshot_lacks_is_closed_to_all() {
    let mut disk = MemoryDisk::new();
    let mut writer = SnapshotWriter::new(ZXID);
    let mut body = Vec::new();
    let mut out = Writer(&mut body);
    out.int(0);
    out.int(0);
    for (path, acl) in [("", -1), ("/a", 7)] {
        out.ustring(path);
        out.buffer(None);
        out.long(acl);
        StatPersisted::default().encode(&mut out);
    }
    out.ustring("/");
    writer.append(&mut disk, &body).unwrap();
    writer.finish(&mut disk, None).unwrap();
    let read = restored(&whole(&disk)).unwrap();
    assert_eq!((read.closed, read.recorded), (1, None));
    let acl = read.tree.get(read.tree.find("/a").unwrap()).acl;
    assert_ne!(acl, AclId::OPEN);
    assert!(!read.acls.permits(acl, 31, &[], &crate::acl::AclRules::default()));
    let mut acls = read.acls;
    acls.release(acl);
    assert!(acls.is_empty(), "its one use was counted once");
}

/// Feeds a body and what follows it in pieces; returns what was left over.
fn take_in(disk: &mut MemoryDisk, stream: &[u8], piece: usize) -> Result<Vec<u8>, IntakeError> {
    let mut intake: Box<dyn Intake> = Format.intake(ZXID);
    let mut at = 0;
    for bytes in stream.chunks(piece) {
        if let Some(taken) = intake.feed(bytes, disk)? {
            intake.finish(disk)?;
            return Ok(stream[at + taken..].to_vec());
        }
        at += bytes.len();
    }
    panic!("the body never ended");
}

fn body_of(bytes: &[u8]) -> &[u8] {
    &bytes[HEADER_BYTES as usize..bytes.len() - TRAILER_BYTES as usize]
}

/// S1 and S3: whatever the pieces, the file that comes of a body is a snapshot of the same tree.
#[test]
fn a_body_on_its_way_in_becomes_a_snapshot() {
    let mut server = Server::new(5, 400);
    let bytes = server.snapshot();
    let mut stream = body_of(&bytes).to_vec();
    stream.extend_from_slice(&SIGNATURE);
    for piece in [1, 2, 3, 7, 64, 1000, stream.len()] {
        let mut disk = MemoryDisk::new();
        let rest = take_in(&mut disk, &stream, piece).unwrap();
        assert_eq!(rest, SIGNATURE, "pieces of {piece}");
        assert_eq!(disk.list().unwrap().len(), 1, "nothing is left aside");
        let read = restored(&whole(&disk)).unwrap();
        let expected = with_lists(&server.tree, &server.acls);
        assert_eq!(with_lists(&read.tree, &read.acls), expected);
        assert_eq!((read.recorded, read.last_processed), (None, Some(ZXID)));
        let range = Format.body(&mut disk, ZXID).unwrap();
        let whole = whole(&disk);
        assert_eq!(&whole[range.start as usize..range.end as usize], body_of(&bytes));
    }
}

#[test]
fn the_body_of_a_file_that_is_none_of_ours_is_refused() {
    let mut disk = MemoryDisk::new();
    assert!(Format.body(&mut disk, ZXID).is_err());
    disk.write(FileName::Snapshot(ZXID), 0, PLAIN).unwrap();
    assert!(Format.body(&mut disk, ZXID).is_err());
}

#[test]
fn an_empty_servers_body_is_the_initial_tree() {
    let mut disk = MemoryDisk::new();
    let rest = take_in(&mut disk, &Format.empty_body(), 10).unwrap();
    assert!(rest.is_empty());
    let read = restored(&whole(&disk)).unwrap();
    assert_eq!(read.digest, TreeDigest(1_371_985_504));
    assert_eq!(with_lists(&read.tree, &read.acls), with_lists(&Tree::new(RULES), &AclTable::new()));
}

/// S3: what could not be restored is not taken in.
#[test]
fn a_body_with_orphans_or_twins_is_refused() {
    let body = |paths: &[&str]| {
        let mut body = Vec::new();
        let mut out = Writer(&mut body);
        out.int(0);
        out.int(0);
        for path in paths {
            out.ustring(path);
            out.buffer(None);
            out.long(-1);
            StatPersisted::default().encode(&mut out);
        }
        out.ustring("/");
        body
    };
    let bad: [&[&str]; 7] = [
        &["/a"],
        &["", "/a/b"],
        &["", "/a", "/a"],
        &["", ""],
        &["", "a"],
        &["", "/a", "/a/"],
        &["", "//a"],
    ];
    for paths in bad {
        let result = take_in(&mut MemoryDisk::new(), &body(paths), 9);
        let refused = matches!(result, Err(IntakeError::Peer(WireError::Contradiction { .. })));
        assert!(refused, "{paths:?}: {result:?}");
    }
    assert!(take_in(&mut MemoryDisk::new(), &body(&["", "/a", "/a/b"]), 9).is_ok());
}

/// S2: a peer's bytes end in an error, and what it claims is not allocated.
#[test]
fn cut_and_bent_bodies_never_panic() {
    let body = body_of(&Server::new(6, 60).snapshot()).to_vec();
    for at in 0..body.len() {
        for bent in [0x00, 0x7f, 0xff] {
            let mut body = body.clone();
            body[at] = bent;
            let mut intake = Format.intake(ZXID);
            for bytes in body.chunks(50) {
                match intake.feed(bytes, &mut MemoryDisk::new()) {
                    Ok(None) => {}
                    Ok(Some(_)) | Err(_) => break,
                }
            }
        }
    }
    let claim = [0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff];
    let result = Format.intake(ZXID).feed(&claim, &mut MemoryDisk::new());
    assert!(matches!(result, Err(IntakeError::Peer(WireError::Short { .. }))));
}

#[test]
fn a_longer_file_given_up_before_leaves_no_tail() {
    let mut disk = MemoryDisk::new();
    disk.write(FileName::SnapshotAside(ZXID), 0, &[7; 100_000]).unwrap();
    take_in(&mut disk, &Format.empty_body(), 1000).unwrap();
    assert!(restored(&whole(&disk)).is_ok());
    assert_eq!(list(&mut disk).unwrap(), [ZXID]);
    let mut header = [0; 8];
    std::io::Read::read_exact(&mut open(&mut disk, ZXID), &mut header).unwrap();
    assert_eq!(Reader::new(&header).int("magic"), Ok(MAGIC));
}

/// S1: at whatever verb the power fails, a file under a snapshot's name is whole.
#[test]
fn a_power_cut_leaves_a_whole_snapshot_or_none() {
    let body = body_of(&Server::new(8, 200).snapshot()).to_vec();
    for verbs in 0..12 {
        for seed in 0..20 {
            let mut disk = MemoryDisk::new();
            disk.write(FileName::SnapshotAside(ZXID), 0, &[7; 100_000]).unwrap();
            disk.cut_after(verbs);
            let finished = take_in(&mut disk, &body, 500).is_ok();
            disk.crash(seed);
            let found = list(&mut disk).unwrap();
            assert!(!finished || found == [ZXID], "finished, and gone after {verbs} verbs");
            if found == [ZXID] {
                let read = restored(&whole(&disk));
                assert!(read.is_ok(), "torn after {verbs} verbs, seed {seed}");
            }
        }
    }
}
