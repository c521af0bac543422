//! Trees that differ on purpose, and what is said of them.

use std::borrow::Cow;

use ringkeeper_engine::jute::Reader;
use ringkeeper_engine::zxid::Zxid;

use super::*;
use crate::apply::Applied;
use crate::digest::TreeDigest;
use crate::tree::OwnerRules;
use crate::txn::{Create, CreateKind, Txn};
use crate::wire::{Acl, Acls, OpCode, SessionId};

const LEADER: ServerId = ServerId(2);

fn list(perms: i32) -> Vec<u8> {
    let mut out = Vec::new();
    Acl::encode_list(&[Acl::new(perms, "world", "anyone")], &mut out);
    out
}

/// A tree, and the zxid of its next txn.
struct Side {
    db: Database,
    zxid: i64,
}

impl Side {
    fn new() -> Self {
        Self { db: Database::new(OwnerRules::default(), true), zxid: 0 }
    }

    fn apply(&mut self, kind: OpCode, txn: &Txn<'_>) -> &mut Self {
        self.zxid += 1;
        let (session, zxid) = (SessionId(1), Zxid(self.zxid));
        let mut payload = Vec::new();
        TxnHeader { session, cxid: 1, zxid, time: 5, kind }.encode(&mut payload);
        txn.encode(&mut payload);
        self.db.apply(&payload, None, &mut Applied::default()).unwrap();
        self
    }

    fn create(&mut self, path: &str, data: &str) -> &mut Self {
        let acl = list(31);
        let acl = Acls::decode(&mut Reader::new(&acl)).unwrap();
        let (path, kind) = (Cow::Borrowed(path), CreateKind::Persistent);
        let data = Some(data.as_bytes());
        let create = Create { path, data, acl, kind, parent_cversion: -1 };
        self.apply(OpCode::Create, &Txn::Create(create))
    }

    fn set(&mut self, path: &str, data: &str, version: i32) -> &mut Self {
        let data = Some(data.as_bytes());
        self.apply(OpCode::SetData, &Txn::SetData { path: Cow::Borrowed(path), data, version })
    }

    fn list(&mut self, path: &str, perms: i32, version: i32) -> &mut Self {
        let acl = list(perms);
        let acl = Acls::decode(&mut Reader::new(&acl)).unwrap();
        self.apply(OpCode::SetAcl, &Txn::SetAcl { path: Cow::Borrowed(path), acl, version })
    }

    fn delete(&mut self, path: &str) -> &mut Self {
        self.apply(OpCode::Delete, &Txn::Delete { path: Cow::Borrowed(path) })
    }
}

/// Some znodes on both sides; then `ours` does this to one and `leaders` that to the other, and
/// after the moment of the comparison `later` happens at the leader.
fn comparison(
    ours: impl Fn(&mut Side),
    leaders: impl Fn(&mut Side),
    later: impl Fn(&mut Side),
) -> Comparison {
    let mut sides = [Side::new(), Side::new()];
    for side in &mut sides {
        side.create("/a", "1").create("/a/b", "2").create("/a/b/c", "3").create("/d", "4");
    }
    let [here, there] = &mut sides;
    ours(here);
    leaders(there);
    assert_eq!(here.zxid, there.zxid, "both stand at one zxid");
    let difference = there.db.digest().0.wrapping_sub(here.db.digest().0);
    later(there);
    compare(&here.db, &there.db, difference)
}

/// Each difference as `path field`.
#[track_caller]
fn check(found: &Comparison, differing: u64, doubtful: u64, subtree: &str, first: &[&str]) {
    let told: Vec<String> =
        found.first.iter().map(|first| format!("{} {}", first.path, first.field)).collect();
    assert_eq!(told, first);
    assert_eq!((found.differing, found.doubtful, &*found.subtree), (differing, doubtful, subtree));
}

#[test]
fn equal_trees_are_equal_whatever_happens_at_the_leader_meanwhile() {
    let nothing = |_: &mut Side| {};
    check(&comparison(nothing, nothing, nothing), 0, 0, "", &[]);
    let busy = |side: &mut Side| {
        side.set("/a/b", "new", 1).create("/a/e", "").create("/a/e/f", "").set("/a/e", "x", 1);
    };
    let found = comparison(nothing, nothing, busy);
    check(&found, 0, 0, "", &[]);
    assert_eq!(found.changed, 4, "/a/b, /a, and the two new ones");
    assert_eq!((found.ours, found.leaders), (Zxid(4), Zxid(8)));
}

#[test]
fn a_znode_whose_data_differs_is_pinned_and_explains_the_digest() {
    let ours = |side: &mut Side| {
        side.set("/a/b/c", "xyz", 1);
    };
    let leaders = |side: &mut Side| {
        side.set("/a/b/c", "xyQ", 1);
    };
    let busy = |side: &mut Side| {
        side.set("/a/b", "new", 1).create("/e", "");
    };
    for later in [None, Some(busy)] {
        let found = comparison(ours, leaders, |side| later.iter().for_each(|busy| busy(side)));
        check(&found, 1, 0, "/a/b/c", &["/a/b/c data"]);
        assert_eq!(found.first[0].ours, "3 bytes, 0x7a at 2");
        assert_eq!(found.first[0].leaders, "3 bytes, 0x51 at 2");
        assert!(found.explains);
    }
}

#[test]
fn the_subtree_holds_all_that_differs_and_missing_znodes_count() {
    let ours = |side: &mut Side| {
        side.create("/a/b/x", "").create("/a/bb", "");
    };
    let leaders = |side: &mut Side| {
        side.create("/a/b/y", "").create("/a/bb", "");
    };
    let found = comparison(ours, leaders, |_| {});
    check(&found, 2, 0, "/a/b", &["/a/b/y znode", "/a/b/x znode"]);
    assert!(found.explains);
    assert_eq!((&*found.first[0].ours, &*found.first[0].leaders), ("absent", "present"));
}

#[test]
fn what_a_later_txn_may_have_done_is_doubtful() {
    let nothing = |_: &mut Side| {};
    let removal = comparison(nothing, nothing, |side| {
        side.delete("/a/b/c");
    });
    check(&removal, 0, 1, "/a/b/c", &["/a/b/c znode"]);
    let list = comparison(nothing, nothing, |side| {
        side.list("/d", 1, 1);
    });
    check(&list, 0, 1, "/d", &["/d acl", "/d aversion"]);
}

/// An access list is in no digest: only the trees show it.
#[test]
fn a_list_that_differs_under_the_same_count_is_certain() {
    let ours = |side: &mut Side| {
        side.list("/d", 1, 1);
    };
    let leaders = |side: &mut Side| {
        side.list("/d", 3, 1);
    };
    let found = comparison(ours, leaders, |_| {});
    check(&found, 1, 0, "/d", &["/d acl"]);
    assert_eq!(
        (&*found.first[0].ours, &*found.first[0].leaders),
        ("world:anyone:1", "world:anyone:3")
    );
}

#[test]
fn a_path_stands_on_one_line() {
    assert_eq!(compare::shown(""), "/");
    assert_eq!(compare::shown("/a\tb\n\\"), "/a\\tb\\n\\\\");
    assert_eq!(compare::shown("/ä b"), "/ä b");
}

/// A proof, its runs, and a leader whose digest moves by one with every txn.
struct Watched {
    proof: Proof,
    runs: Runs,
    zxid: i64,
    ms: u64,
}

impl Watched {
    fn new() -> Self {
        Self { proof: Proof::new(Millis(0)), runs: Runs::default(), zxid: 1 << 32, ms: 0 }
    }

    /// One txn, a second after the one before; whether trees are to be compared now.
    fn txn(&mut self, off: i64) -> bool {
        (self.zxid, self.ms) = (self.zxid + 1, self.ms + 1000);
        let (now, zxid) = (Millis(self.ms), Zxid(self.zxid));
        let (expected, actual) = (TreeDigest(self.zxid), TreeDigest(self.zxid - off));
        let header =
            TxnHeader { session: SessionId(1), cxid: 1, zxid, time: 5, kind: OpCode::SetData };
        let (digest, step) = if off == 0 {
            (DigestCheck::Equal, self.runs.equal())
        } else {
            let mismatch = Mismatch { zxid, leader: Some(LEADER), expected, actual };
            (DigestCheck::Differs { expected, actual }, self.runs.differs(now, mismatch))
        };
        self.proof.applied(&header, digest);
        self.proof.stepped(now, step)
    }

    /// Each line as `key=value`.
    fn report(&self) -> Vec<String> {
        let standing = Standing::Observing { leader: LEADER };
        let lines = self.proof.report(Millis(self.ms), standing, &self.runs);
        lines.into_iter().map(|(key, value)| format!("{key}={value}")).collect()
    }

    #[track_caller]
    fn says(&self, wanted: &[&str]) {
        let report = self.report();
        for line in wanted {
            assert!(report.iter().any(|told| told == line), "{line} in\n{}", report.join("\n"));
        }
    }
}

#[test]
fn the_few_after_a_restart_are_transient_and_never_acted_on() {
    let mut watched = Watched::new();
    for off in [0, 3, 5, 5, 9, 0, 0] {
        assert!(!watched.txn(off));
    }
    watched.says(&[
        "proof_state=equal",
        "proof_leader=2",
        "proof_epoch=1",
        "proof_txns=7",
        "proof_txns_setData=7",
        "proof_digests_equal=3",
        "proof_mismatches=4",
        "proof_transient_mismatches=4",
        "proof_transient_runs=1",
        "proof_lasting_runs=0",
        "proof_first_mismatch=0x100000002",
        "proof_last_mismatch=0x100000005",
        "proof_run=transient first=0x100000002 last=0x100000005 leader=2 epoch=1 txns=4 ms=3000 \
         difference=9 steady=0",
    ]);
    assert_eq!(watched.proof.line(Millis(LINE_MS - 1)), None);
    assert_eq!(
        watched.proof.line(Millis(LINE_MS)).as_deref(),
        Some(
            "proof: 7 txns, 3 digests equal, 0 lasting mismatches, 0 diverged trees, 4 transient \
             mismatches (the last 4, from txn 2 of epoch 1 on, leader 2), last zxid 0x100000007"
        )
    );
    assert_eq!(watched.proof.line(Millis(LINE_MS + 1)), None, "once a minute");
}

#[test]
fn p1_a_run_that_lasts_has_its_tree_kept_and_compared_and_the_proof_goes_on() {
    let mut watched = Watched::new();
    let asked = (1..=100).filter(|_| watched.txn(7)).count();
    assert_eq!(asked, 1, "the leader is asked once");
    watched.says(&["proof_state=comparing", "proof_lasting_runs=1"]);

    let mut sides = [Side::new(), Side::new()];
    sides[0].create("/a", "ours");
    sides[1].create("/a", "theirs");
    let [Side { db: ours, .. }, Side { db: leaders, .. }] = sides;
    let mut open = watched.runs.close();
    open.as_mut().expect("it lasts").difference = leaders.digest().0.wrapping_sub(ours.digest().0);
    watched.proof.reloaded(open, ours);
    // A second attempt to become level brings another tree, which is not the one in question.
    watched.proof.reloaded(None, Side::new().db);
    let found = watched.proof.level(Some(Plan::Snap), &leaders).expect("compared").clone();
    check(&found, 1, 0, "/a", &["/a data"]);
    let text = found.to_string();
    assert!(
        text.starts_with(
            "proof: 4 znodes compared, 1 differ and 0 may differ, all at or below /a;"
        ),
        "{text}"
    );
    assert!(
        text.contains("/a data: ours 4 bytes, 0x6f at 0, leader's 6 bytes, 0x74 at 0"),
        "{text}"
    );

    assert!(!watched.txn(0));
    watched.says(&[
        "proof_state=equal",
        "proof_diverged_runs=1",
        "proof_syncs_snap=1",
        "proof_compared_differing=1",
        "proof_compared_explains=yes",
        "proof_compared_subtree=/a",
        "proof_difference=/a data: ours 4 bytes, 0x6f at 0, leader's 6 bytes, 0x74 at 0",
    ]);
    let asked = (1..=100).filter(|_| watched.txn(7)).count();
    assert_eq!(asked, 0, "not again within ten minutes");
    watched.says(&["proof_state=lasting", "proof_lasting_runs=2"]);
    let asked = (1..=600).filter(|_| watched.txn(7)).count();
    assert_eq!(asked, 1, "but after them");
}

#[test]
fn equal_trees_refute_a_run_that_lasts() {
    let mut watched = Watched::new();
    while !watched.txn(7) {}
    watched.proof.reloaded(watched.runs.close(), Side::new().db);
    let found = watched.proof.level(Some(Plan::Snap), &Side::new().db).expect("compared");
    assert!(found.to_string().contains("the leader's digests were wrong, not the tree here"));
    watched.says(&["proof_lasting_runs=1", "proof_diverged_runs=0", "proof_state=equal"]);
}

/// A leader that sends a snapshot on its own takes the tree away before a run is judged.
#[test]
fn an_open_run_is_judged_by_the_trees_where_a_snapshot_ends_it() {
    let mut watched = Watched::new();
    watched.txn(7);
    watched.proof.reloaded(watched.runs.close(), Side::new().db);
    assert_eq!(watched.proof.level(Some(Plan::Snap), &Side::new().db), None);
    watched.says(&["proof_transient_runs=1", "proof_lasting_runs=0"]);
}
