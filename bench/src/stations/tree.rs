//! Znodes found and made in trees of two sizes, and snapshots written and loaded.
//!
//! What is asked for is spread over the whole tree, so that the large one's do not lie in a cache.

use std::hint::black_box;

use ringkeeper::acl::AclTable;
use ringkeeper::digest::TreeDigest;
use ringkeeper::snapshot::{self, Cut, SnapshotWriter};
use ringkeeper::tree::{AclId, NewZnode, Tree};
use ringkeeper::wire::SessionId;
use ringkeeper_engine::log::{Disk, FileName, MemoryDisk};
use ringkeeper_engine::zxid::Zxid;

use super::database::RULES;
use super::{Station, Workload};

const SMALL: usize = 1000;
const LARGE: usize = 1_000_000;
const OF_SNAPSHOTS: usize = 100_000;
/// Children of one znode.
const FAMILY: usize = 1000;
const STRETCH: usize = 1000;
/// Prime, and so a walk in such steps sees every znode.
const STEP: usize = 7919;
const DATA: [u8; 100] = [b'x'; 100];
const ZXID: Zxid = Zxid(1 << 32);

pub(super) const STATIONS: [Station; 6] = [
    station("tree", "tree/find in 1000", Some(10_000), || find(SMALL)),
    station("tree", "tree/find in 1000000", None, || find(LARGE)),
    station("tree", "tree/insert into 1000", Some(2000), || inserting(SMALL)),
    station("tree", "tree/insert into 1000000", None, || inserting(LARGE)),
    station("snapshot", "snapshot/write 100000", None, write_snapshot),
    station("snapshot", "snapshot/load 100000", None, load_snapshot),
];

const fn station(
    group: &'static str,
    name: &'static str,
    counted: Option<u64>,
    prepare: fn() -> Box<dyn Workload>,
) -> Station {
    Station { group, name, stretch: STRETCH as u64, counted, prepare }
}

fn path(number: usize) -> String {
    format!("/family-{:05}/member-{number:010}", number / FAMILY)
}

fn make(tree: &mut Tree, path: &str) {
    let made = tree.create(&NewZnode {
        path,
        data: Some(&DATA),
        acl: AclId::OPEN,
        owner: 0,
        parent_cversion: -1,
        zxid: ZXID,
        time: 1,
    });
    assert!(made.is_ok(), "{path} is new and has a parent");
}

fn grown(znodes: usize) -> Tree {
    let mut tree = Tree::new(RULES);
    for number in 0..znodes {
        if number.is_multiple_of(FAMILY) {
            make(&mut tree, &format!("/family-{:05}", number / FAMILY));
        }
        make(&mut tree, &path(number));
    }
    tree
}

fn find(znodes: usize) -> Box<dyn Workload> {
    let tree = grown(znodes);
    let paths: Vec<String> = (0..znodes).map(|n| path(n * STEP % znodes)).collect();
    let mut at = 0;
    Box::new(move || {
        at = (at + 1) % paths.len();
        assert!(tree.find(black_box(&paths[at])).is_some());
    })
}

struct Inserting {
    tree: Tree,
    paths: Vec<String>,
    at: usize,
}

fn inserting(znodes: usize) -> Box<dyn Workload> {
    let paths = (0..STRETCH).map(|n| format!("{}-too", path(n * STEP % znodes))).collect();
    Box::new(Inserting { tree: grown(znodes), paths, at: 0 })
}

impl Workload for Inserting {
    fn renew(&mut self) {
        for path in &self.paths[..self.at] {
            self.tree.delete(path, ZXID).expect("it was made");
        }
        self.at = 0;
    }

    fn once(&mut self) {
        make(&mut self.tree, black_box(&self.paths[self.at]));
        self.at += 1;
    }
}

/// Cut whole and written to a disk of memory, with sums and seals.
fn write_snapshot() -> Box<dyn Workload> {
    let mut tree = grown(OF_SNAPSHOTS);
    let digest = TreeDigest::of(&mut tree);
    // A fresh disk each time, so that no run replaces the file of the one before.
    Box::new(move || written(&mut tree, digest, &mut MemoryDisk::new()))
}

fn written(tree: &mut Tree, digest: TreeDigest, disk: &mut MemoryDisk) {
    let sessions = std::iter::empty::<(SessionId, i32)>();
    let body = Cut::begin(tree, &AclTable::new(), sessions, ZXID, digest).whole(tree);
    let mut writer = SnapshotWriter::new(ZXID);
    writer.append(disk, &body).expect("memory does not fail");
    writer.finish(disk, Some(digest)).expect("memory does not fail");
}

fn load_snapshot() -> Box<dyn Workload> {
    let mut tree = grown(OF_SNAPSHOTS);
    let digest = TreeDigest::of(&mut tree);
    let mut disk = MemoryDisk::new();
    written(&mut tree, digest, &mut disk);
    let mut bytes = vec![0; disk.content(FileName::Snapshot(ZXID)).map_or(0, <[u8]>::len)];
    disk.read(FileName::Snapshot(ZXID), 0, &mut bytes).expect("memory does not fail");
    Box::new(move || {
        let restored = snapshot::restore(black_box(&bytes[..]), RULES).expect("written above");
        assert_eq!(restored.digest, digest);
    })
}
