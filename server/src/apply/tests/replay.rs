//! The log over a snapshot: what is held already does no harm.

use super::*;
use crate::txn::{Create, CreateKind, Txn, TxnDigest};
use crate::wire::Acls;
use std::borrow::Cow;

fn txn(kind: OpCode, zxid: i64, txn: &Txn<'_>, digest: Option<TreeDigest>) -> Vec<u8> {
    let mut out = Vec::new();
    TxnHeader { session: SESSION, cxid: 1, zxid: Zxid(zxid), time: 5, kind }.encode(&mut out);
    txn.encode(&mut out);
    if let Some(tree) = digest {
        TxnDigest { version: crate::digest::VERSION, tree }.encode(&mut out);
    }
    out
}

fn create<'a>(path: &'a str, acl: &'a [u8], parent_cversion: i32) -> Txn<'a> {
    let acl = Acls::decode(&mut Reader::new(acl)).unwrap();
    let (path, kind) = (Cow::Borrowed(path), CreateKind::Persistent);
    Txn::Create(Create { path, data: None, acl, kind, parent_cversion })
}

fn list(perms: i32) -> Vec<u8> {
    let mut out = Vec::new();
    Acl::encode_list(&[Acl::new(perms, "world", "anyone")], &mut out);
    out
}

fn apply(db: &mut Database, payload: &[u8]) -> (ErrorCode, DigestCheck) {
    let mut applied = Applied::default();
    db.apply(payload, None, &mut applied).unwrap();
    (applied.err, applied.digest)
}

/// Compat: `DataTree.createNode` and `processTxn`, 3.9.5.
#[test]
fn a_create_that_meets_its_znode_sets_its_list_and_for_type_1_the_parents_count() {
    for (kind, cversion, pzxid) in [(OpCode::Create, 7, 9), (OpCode::Create2, 1, 1)] {
        let mut db = Database::new(OwnerRules::default(), true);
        apply(&mut db, &txn(OpCode::Create, 1, &create("/a", &list(31), 1), None));
        let before = db.acls.len();
        let again = txn(kind, 9, &create("/a", &list(1), 7), None);
        assert_eq!(apply(&mut db, &again).0, ErrorCode::NODE_EXISTS);
        let id = db.tree.find("/a").unwrap();
        assert_eq!(db.acls.list(db.tree.get(id).acl)[0].perms, 1);
        assert_eq!(db.acls.len(), before - 1, "the old list is nobody's, the new one the config's");
        let root = db.tree.get(db.tree.find("/").unwrap());
        assert_eq!((root.cversion, root.pzxid), (cversion, pzxid), "{kind}");
        assert_eq!(TreeDigest::of(&mut db.tree), db.digest);
    }
}

#[test]
fn what_finds_nothing_is_ignored_but_marks_the_parent() {
    let mut db = Database::new(OwnerRules::default(), true);
    let orphan = txn(OpCode::Create, 2, &create("/no/parent", &list(31), 1), None);
    assert_eq!(apply(&mut db, &orphan).0, ErrorCode::NO_NODE);
    let path = Cow::Borrowed("/gone");
    let set = Txn::SetData { path: path.clone(), data: None, version: 3 };
    assert_eq!(apply(&mut db, &txn(OpCode::SetData, 3, &set, None)).0, ErrorCode::NO_NODE);
    let delete = Txn::Delete { path };
    assert_eq!(apply(&mut db, &txn(OpCode::Delete, 4, &delete, None)).0, ErrorCode::NO_NODE);
    assert_eq!(db.tree.get(db.tree.find("/").unwrap()).pzxid, 4);
    assert_eq!(TreeDigest::of(&mut db.tree), db.digest);
    assert_eq!(db.last_zxid(), Zxid(4), "refused or not, it counts as applied");
    assert_eq!(db.acls.len(), 1, "the list of what was not made is gone");
}

#[test]
fn digests_are_not_compared_before_the_snapshots_own() {
    let mut db = Database::new(OwnerRules::default(), true);
    let wrong = Some(TreeDigest(1));
    let at = |zxid| txn(OpCode::Create, zxid, &create(&format!("/{zxid}"), &list(31), -1), wrong);
    let mut sure = Database::new(OwnerRules::default(), true);
    for zxid in 1..=3 {
        apply(&mut sure, &at(zxid));
    }
    db.suspend_digests(Zxid(3), sure.digest());
    assert_eq!(apply(&mut db, &at(1)).1, DigestCheck::Unchecked);
    assert_eq!(apply(&mut db, &at(2)).1, DigestCheck::Unchecked);
    assert_eq!(apply(&mut db, &at(3)).1, DigestCheck::Equal, "against the snapshot's");
    assert!(matches!(apply(&mut db, &at(4)).1, DigestCheck::Differs { .. }));
    assert_eq!(db.digest_mismatches(), 1);
}

#[test]
fn bytes_that_are_no_txn_change_nothing() {
    let mut db = Database::new(OwnerRules::default(), true);
    let whole = txn(OpCode::Create, 1, &create("/a", &list(31), 1), None);
    for cut in 0..whole.len() - 4 {
        let mut applied = Applied::default();
        assert!(db.apply(&whole[..cut], None, &mut applied).is_err(), "cut at {cut}");
    }
    assert_eq!((db.tree.count(), db.last_zxid()), (5, Zxid::ZERO));
}

/// Compat: `ZKDatabase.initConfigInZKDatabase`, 3.9.5.
#[test]
fn a_tree_of_an_old_server_gets_its_config_znode() {
    let mut db = Database::new(OwnerRules::default(), true);
    let fresh = db.tree.get(db.tree.find("/zookeeper/config").unwrap()).persisted();
    db.tree.delete("/zookeeper/config", Zxid::ZERO).unwrap();
    let digest = db.digest();
    db.set_config(b"server.1=a", 0, 0);
    let id = db.tree.find("/zookeeper/config").unwrap();
    let znode = db.tree.get(id);
    assert_eq!(db.tree.data(id), Some(&b"server.1=a"[..]));
    assert_eq!(znode.persisted().aversion, fresh.aversion);
    let list = db.acls.list(znode.acl);
    assert_eq!((list.len(), list[0].perms), (1, 1));
    assert_eq!((db.digest(), TreeDigest::of(&mut db.tree)), (digest, digest));
}

/// A leader's snapshot under load: the second create is in it, the first is not.
#[test]
fn a4_what_a_snapshot_holds_in_part_is_neither_compared_nor_kept() {
    let mut leader = Database::new(OwnerRules::default(), true);
    let mut db = Database::new(OwnerRules::default(), true);
    let (early, late) = ("/a", "/b");
    let mut foresee = |zxid, path| {
        let acl = list(31);
        apply(&mut leader, &txn(OpCode::Create, zxid, &create(path, &acl, -1), None));
        txn(OpCode::Create, zxid, &create(path, &acl, -1), Some(leader.digest()))
    };
    let (first, second) = (foresee(128, early), foresee(256, late));
    db.settle();
    apply(&mut db, &second);
    assert_eq!(apply(&mut db, &first).1, DigestCheck::Unchecked, "A4");
    assert_eq!(apply(&mut db, &second).1, DigestCheck::Unchecked, "A4");
    let absent = txn(OpCode::Error, 257, &Txn::Error { code: ErrorCode::NO_NODE }, None);
    assert_eq!(apply(&mut db, &absent).1, DigestCheck::Absent);
    assert_eq!((db.digest_mismatches(), db.history().iter().count()), (0, 0), "A4");
    db.level();
    let mut next = |zxid, digest| {
        apply(&mut db, &txn(OpCode::Error, zxid, &Txn::Error { code: ErrorCode::NO_NODE }, digest))
            .1
    };
    assert!(matches!(next(384, Some(TreeDigest(1))), DigestCheck::Differs { .. }));
    assert_eq!(db.history().iter().count(), 1);
}
