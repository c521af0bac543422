//! A `version-2` in memory, whole and broken.

mod damage;
mod epochs;
mod imports;
mod logs;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Cursor;

use ringkeeper_engine::jute::Reader;
use ringkeeper_engine::log::{FileName, MemoryDisk};
use ringkeeper_engine::zxid::{Epoch, Zxid};

use super::*;
use crate::acl::AclTable;
use crate::digest::TreeDigest;
use crate::snapshot::{Cut, SnapshotWriter};
use crate::tree::{OwnerRules, Tree};
use crate::txn::{Create, CreateKind, Txn, TxnHeader};
use crate::wire::{Acl, Acls, ErrorCode, OpCode, SessionId};

const SESSION: SessionId = SessionId(0x51);

const ALONE: Rules = Rules { trusts_empty: false, is_member: false };
const MEMBER: Rules = Rules { trusts_empty: false, is_member: true };

fn at(epoch: i64, counter: u32) -> Zxid {
    Zxid::new(Epoch(epoch), counter)
}

/// Files by place and name.
#[derive(Clone, Default)]
struct Memory {
    files: BTreeMap<(Place, String), Vec<u8>>,
    apart: bool,
}

impl Archive for Memory {
    fn is_apart(&self) -> bool {
        self.apart
    }

    fn list(&mut self, place: Place) -> io::Result<Vec<(String, u64)>> {
        let here = |at: Place| !self.apart || at == place;
        let files = self.files.iter().filter(|((at, _), _)| here(*at));
        Ok(files.map(|((_, name), bytes)| (name.clone(), bytes.len() as u64)).collect())
    }

    fn open(&mut self, place: Place, name: &str) -> io::Result<Box<dyn Read>> {
        let key =
            self.files.keys().find(|(at, file)| (!self.apart || *at == place) && file == name);
        let bytes = key.and_then(|key| self.files.get(key));
        let missing = io::Error::from(io::ErrorKind::NotFound);
        Ok(Box::new(Cursor::new(bytes.ok_or(missing)?.clone())))
    }

    fn path(&self, _: Place, name: &str) -> String {
        format!("version-2/{name}")
    }
}

impl Memory {
    fn put(&mut self, name: &str, bytes: impl Into<Vec<u8>>) {
        let place = if name.starts_with("log.") { Place::Logs } else { Place::Data };
        self.files.insert((place, name.to_owned()), bytes.into());
    }

    fn bytes(&mut self, name: &str) -> &mut Vec<u8> {
        let found = self.files.iter_mut().find(|((_, file), _)| file == name);
        found.expect("a file of the test").1
    }

    fn survey(&mut self, rules: Rules) -> Result<Survey, Version2Error> {
        survey(self, rules, &mut |_| {})
    }

    fn fault(&mut self, rules: Rules) -> (String, Option<u64>, Fault) {
        let error = self.survey(rules).expect_err("it is broken");
        assert!(error.to_string().contains("Nothing was imported. "), "{error}");
        (error.path, error.offset, error.fault)
    }
}

/// A snapshot of a tree that nobody has written to but for one znode.
fn snapshot(zxid: Zxid) -> Vec<u8> {
    let mut tree = Tree::new(OwnerRules::default());
    let mut acls = AclTable::new();
    let acl = acls.intern_list(&[Acl::new(31, "world", "anyone")]);
    let new = crate::tree::NewZnode {
        path: "/kept",
        data: Some(b"since before"),
        acl,
        owner: 0,
        parent_cversion: 1,
        zxid: Zxid(1),
        time: 7,
    };
    tree.create(&new).expect("the parent is there");
    let digest = TreeDigest::of(&mut tree);
    let sessions = [(SESSION, 4000)].into_iter();
    let body = Cut::begin(&mut tree, &acls, sessions, zxid, digest).whole(&mut tree);
    let mut disk = MemoryDisk::new();
    let mut writer = SnapshotWriter::new(zxid);
    writer.append(&mut disk, &body).expect("in memory");
    writer.finish(&mut disk, Some(digest)).expect("in memory");
    disk.content(FileName::Snapshot(zxid)).expect("just written").to_vec()
}

fn payload(zxid: Zxid, kind: OpCode, txn: &Txn<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    TxnHeader { session: SESSION, cxid: 1, zxid, time: 5, kind }.encode(&mut out);
    txn.encode(&mut out);
    out
}

fn create(zxid: Zxid) -> Vec<u8> {
    let mut list = Vec::new();
    Acl::encode_list(&[Acl::new(31, "world", "anyone")], &mut list);
    let acl = Acls::decode(&mut Reader::new(&list)).expect("just encoded");
    let path = Cow::Owned(format!("/made-{:x}", zxid.0));
    let kind = CreateKind::Persistent;
    let data = Some(&b"data"[..]);
    let txn = Txn::Create(Create { path, data, acl, kind, parent_cversion: 3 });
    payload(zxid, OpCode::Create, &txn)
}

fn error_txn(zxid: Zxid) -> Vec<u8> {
    payload(zxid, OpCode::Error, &Txn::Error { code: ErrorCode(-5) })
}

/// A log of these txns, with padding behind.
fn log_of(payloads: &[Vec<u8>]) -> Vec<u8> {
    let mut writer = TxnLogWriter::begin(Vec::new()).expect("in memory");
    for payload in payloads {
        writer.append(payload).expect("in memory");
    }
    let mut bytes = writer.finish().expect("in memory");
    bytes.resize(bytes.len() + 300, 0);
    bytes
}

fn log(zxids: impl IntoIterator<Item = Zxid>) -> Vec<u8> {
    log_of(&zxids.into_iter().map(create).collect::<Vec<_>>())
}

/// Snapshot 1:2, logs 1:1 to 1:3, 1:4 to 1:5, 2:1 to 2:3, and epochs.
fn whole() -> Memory {
    let mut memory = Memory::default();
    memory.put("snapshot.100000002", snapshot(at(1, 2)));
    memory.put("log.100000001", log((1..4).map(|counter| at(1, counter))));
    memory.put("log.100000004", log((4..6).map(|counter| at(1, counter))));
    memory.put("log.200000001", log((1..4).map(|counter| at(2, counter))));
    memory.put("acceptedEpoch", "3");
    memory.put("currentEpoch", "2");
    memory
}

/// The zxids that a recovery of `whole` appends.
fn appended() -> impl Iterator<Item = Zxid> {
    (3..6).map(|counter| at(1, counter)).chain((1..4).map(|counter| at(2, counter)))
}
