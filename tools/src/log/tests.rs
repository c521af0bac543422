//! A log written by the engine, read back by the tools.

use std::fs;

use ringkeeper::digest::TreeDigest;
use ringkeeper::txn::{Txn, TxnDigest, TxnHeader};
use ringkeeper::wire::{ErrorCode, OpCode, SessionId};
use ringkeeper_engine::log::{Disk, DiskOp, MemoryDisk, write_packet};
use ringkeeper_engine::zxid::Epoch;

use super::*;

const SESSION: SessionId = SessionId(0x1_0000_0001);

fn payload_of(kind: OpCode, txn: &Txn<'_>, counter: u32) -> Vec<u8> {
    let zxid = Zxid::new(Epoch(1), counter);
    let mut out = Vec::new();
    TxnHeader { session: SESSION, cxid: 7, zxid, time: 1_522_937_758_000, kind }.encode(&mut out);
    txn.encode(&mut out);
    TxnDigest { version: 2, tree: TreeDigest(5) }.encode(&mut out);
    out
}

/// A data directory with the log of server 3, which holds four txns.
fn directory(name: &str) -> std::path::PathBuf {
    let mut disk = MemoryDisk::default();
    let options = LogOptions {
        segment_bytes: 1 << 16,
        batch_bytes_max: 1 << 14,
        ..LogOptions::new(ServerId(3), 9)
    };
    let mut log = Log::open(&mut disk, options, 1).expect("an empty disk").log;
    let txns = [
        (OpCode::CreateSession, Txn::CreateSession { timeout_ms: 30_000 }),
        (OpCode::SetData, Txn::SetData { path: "/a/b".into(), data: Some(b"hi"), version: 1 }),
        (OpCode::Delete, Txn::Delete { path: "/x".into() }),
        (OpCode::Error, Txn::Error { code: ErrorCode::NO_NODE }),
    ];
    for (counter, (kind, txn)) in (1..).zip(&txns) {
        let mut packet = Vec::new();
        write_packet(Zxid::new(Epoch(1), counter), &payload_of(*kind, txn, counter), &mut packet);
        log.append(Zxid::new(Epoch(1), counter), &packet);
    }
    run(&mut log, &mut disk);

    let dir = std::env::temp_dir().join(format!("ringkeeper-log-{name}-{}", std::process::id()));
    fs::create_dir_all(dir.join("ringkeeper/log")).expect("a writable directory");
    for (file, size) in disk.list().expect("a memory disk") {
        let mut bytes = vec![0; usize::try_from(size).expect("small")];
        disk.read(file, 0, &mut bytes).expect("a memory disk");
        let path = dir.join("ringkeeper").join(file.path());
        let mut out = fs::File::create(path).expect("a writable directory");
        out.write_all(&bytes).expect("written");
    }
    dir
}

/// Lets the disk do what the log asks for until it asks for nothing.
fn run(log: &mut Log, disk: &mut MemoryDisk) {
    let mut asked: Vec<DiskOp> = Vec::new();
    while !log.is_quiet() {
        log.drain(&mut asked);
        asked.drain(..).for_each(|op| disk.execute(op));
        while disk.pending() > 0 {
            log.on_done(disk.complete(0)).expect("a memory disk");
        }
    }
}

fn dumped(dir: &Path, options: &DumpOptions) -> String {
    let mut out = Vec::new();
    dump(dir, options, &mut out).expect("a good log");
    String::from_utf8(out).expect("text")
}

#[test]
fn a_dump_is_what_txn_log_toolkit_prints() {
    let dir = directory("dump");
    let head = "4/5/18, 2:15:58 PM UTC session 0x100000001 cxid 0x7 zxid";
    assert_eq!(
        dumped(&dir, &DumpOptions::default()),
        format!(
            "Ringkeeper Transactional Log of server 3\n\
             {head} 0x100000001 createSession 30000\n\
             {head} 0x100000002 setData /a/b,hi,1\n\
             {head} 0x100000003 delete '/x\n\
             {head} 0x100000004 error -101\n\
             EOF reached after 4 txns.\n"
        )
    );
    fs::remove_dir_all(dir).expect("our own directory");
}

#[test]
fn who_touched_a_path_and_when_is_one_question() {
    let dir = directory("path");
    let options = DumpOptions { json: true, path: Some("/a".into()), ..DumpOptions::default() };
    let text = dumped(&dir, &options);
    let value: serde_json::Value = serde_json::from_str(&text).expect("one object");
    assert_eq!((&value["type"], &value["path"]), (&"setData".into(), &"/a/b".into()));
    assert_eq!((&value["session"], &value["digest"]), (&"0x100000001".into(), &"5".into()));
    let after = DumpOptions { after: Some(Zxid::new(Epoch(1), 3)), ..DumpOptions::default() };
    assert!(dumped(&dir, &after).ends_with("EOF reached after 1 txns.\n"));
    fs::remove_dir_all(dir).expect("our own directory");
}

#[test]
fn verify_tells_a_good_log_from_a_damaged_one() {
    let dir = directory("verify");
    let verified = |json| {
        let mut out = Vec::new();
        let is_well = verify(&dir, json, &mut out).expect("a log that opens");
        (is_well, String::from_utf8(out).expect("text"))
    };
    let (is_well, text) = verified(false);
    assert!(is_well && text.ends_with("all is well\n"), "{text}");
    let (_, json) = verified(true);
    let value: serde_json::Value = serde_json::from_str(&json).expect("one object");
    assert_eq!((&value["txns"], &value["last"]), (&4.into(), &"0x100000004".into()));
    fs::remove_dir_all(&dir).expect("our own directory");
    assert!(verify(&dir, false, &mut Vec::new()).is_err());
}
