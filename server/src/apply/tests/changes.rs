//! What a txn does, answers and tells.

use super::*;
use crate::wire::{multi_end, multi_error, multi_header};

fn multi(ops: &[(OpCode, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (op, body) in ops {
        bodies::multi_op(*op, &mut out);
        out.extend_from_slice(body);
    }
    multi_end(&mut out);
    out
}

fn body(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

fn create(path: &str, flags: i32) -> Vec<u8> {
    body(|out| bodies::create(path, None, &open(), flags, out))
}

#[test]
fn stats_follow_every_kind_of_change() {
    let mut server = Server::new();
    server.create("/a", "one", 0);
    let made = server.stat("/a");
    assert_eq!((made.czxid, made.mzxid, made.pzxid), (2, 2, 2));
    assert_eq!((made.ctime, made.mtime), (1_000_002, 1_000_002));
    assert_eq!((made.version, made.cversion, made.aversion), (0, 0, 0));
    assert_eq!((made.data_length, made.num_children, made.ephemeral_owner), (3, 0, 0));

    let set = server.set_data("/a", "longer");
    assert_eq!((set.version, set.mzxid, set.mtime, set.data_length), (1, 3, 1_000_003, 6));
    let acl = server.set_acl("/a", &open());
    assert_eq!((acl.aversion, acl.mzxid, acl.mtime), (1, 3, 1_000_003));

    server.create("/a/b", "", 1);
    assert_eq!(server.stat("/a/b").ephemeral_owner, SESSION.0);
    let parent = server.stat("/a");
    assert_eq!((parent.pzxid, parent.cversion, parent.num_children), (5, 1, 1));
    server.delete("/a/b");
    let parent = server.stat("/a");
    assert_eq!((parent.pzxid, parent.cversion, parent.num_children), (6, 2, 0));
}

#[test]
fn answers_carry_what_their_op_promises() {
    let mut server = Server::new();
    assert_eq!(server.create("/s-", "", 2), "/s-0000000000");
    let (code, reply) = server.write(SESSION, OpCode::Create2, &create("/b", 0));
    assert_eq!((code, reply.len()), (0, 4 + 2 + Stat::BYTES));
    for op in [OpCode::CreateContainer, OpCode::CreateTtl] {
        let path = format!("/{op}");
        let flags = (if op == OpCode::CreateTtl { 5 } else { 4 }, 1000);
        let (code, reply) = server.ask(op, |out| {
            bodies::create_ttl(&path, None, &open(), flags, out);
        });
        assert_eq!((code, reply.len()), (0, 4 + path.len() + Stat::BYTES), "{op}");
        let stat = Stat::decode(&mut Reader::new(&reply[4 + path.len()..])).unwrap();
        assert_eq!(stat.ephemeral_owner, 0, "clients do not see such owners");
    }
    assert_eq!(server.db.tree.containers().count(), 1);
    assert_eq!(server.db.tree.ttl_znodes().count(), 1);
    let (code, reply) = server.write(SESSION, OpCode::Create, &create("/b", 0));
    assert_eq!((code, reply), (-110, vec![]), "a refusal has no body");
}

/// Compat: containers and TTL znodes answer as `create2` (`MultiResponse`, 3.9.5).
#[test]
fn a_multi_answers_op_for_op() {
    let mut server = Server::new();
    let ops = multi(&[
        (OpCode::Create, create("/m", 0)),
        (OpCode::Create, create("/m/c", 4)),
        (OpCode::SetData, body(|out| bodies::set_data("/m", Some(b"x"), 0, out))),
        (OpCode::Check, body(|out| bodies::versioned("/m", 1, out))),
        (OpCode::Delete, body(|out| bodies::versioned("/m/c", -1, out))),
    ]);
    let (code, reply) = server.write(SESSION, OpCode::Multi, &ops);
    assert_eq!(code, 0);
    let mut reader = Reader::new(&reply);
    let mut results = Vec::new();
    loop {
        let op = reader.int("type").unwrap();
        let done = reader.bool("done").unwrap();
        let err = reader.int("err").unwrap();
        if done {
            break;
        }
        assert_eq!(err, 0);
        results.push(op);
        match op {
            1 => drop(reader.ustring("path").unwrap()),
            15 => {
                reader.ustring("path").unwrap();
                assert_eq!(Stat::decode(&mut reader).unwrap().czxid, 2);
            }
            5 => assert_eq!(Stat::decode(&mut reader).unwrap().version, 1),
            _ => {}
        }
    }
    assert_eq!(results, [1, 15, 5, 13, 2]);
    assert_eq!(reader.remaining(), 0);
    assert!(server.db.tree.containers().next().is_none());
}

#[test]
fn a_failed_multi_changes_nothing_and_says_what_failed() {
    let mut server = Server::new();
    let digest = server.db.digest();
    let ops = multi(&[
        (OpCode::Create, create("/m", 0)),
        (OpCode::Delete, body(|out| bodies::versioned("/missing", -1, out))),
        (OpCode::Create, create("/n", 0)),
    ]);
    let (code, reply) = server.write(SESSION, OpCode::Multi, &ops);
    let mut expected = Vec::new();
    multi_error(ErrorCode::OK, &mut expected);
    multi_error(ErrorCode::NO_NODE, &mut expected);
    multi_error(ErrorCode::RUNTIME_INCONSISTENCY, &mut expected);
    multi_end(&mut expected);
    assert_eq!((code, reply), (0, expected), "A1");
    assert_eq!(server.db.tree.find("/m"), None);
    assert_eq!(server.db.digest(), digest);
    assert_eq!(server.applied.digest, DigestCheck::Equal);
    assert_eq!(server.heard(), [""; 0]);

    let (code, reply) = server.write(SESSION, OpCode::Multi, &multi(&[]));
    let mut end = Vec::new();
    multi_end(&mut end);
    assert_eq!((code, reply), (0, end));
}

#[test]
fn who_has_moved_is_found_out_inside_a_multi_too() {
    let mut server = Server::new();
    assert!(server.sessions.set_owner(SESSION, Owner::Learner(1)));
    server.write(SESSION, OpCode::Multi, &multi(&[(OpCode::Create, create("/m", 0))]));
    assert!(server.applied.is_session_moved());
    server.write(SESSION, OpCode::Create, &create("/m", 0));
    assert!(server.applied.is_session_moved());
    assert_eq!(server.applied.err, ErrorCode::SESSION_MOVED);
    assert!(server.applied.created_path().is_none());
}

#[test]
fn a_closed_session_takes_its_ephemerals_along() {
    let mut server = Server::new();
    server.create("/p", "", 0);
    for n in 0..3 {
        server.create(&format!("/p/{n}"), "", 1);
    }
    let change = SessionChange::Closed { session: SESSION };
    assert_eq!(server.write(SESSION, OpCode::CloseSession, &[]), (0, vec![]));
    assert_eq!(server.applied.session, Some(change));
    assert_eq!(server.applied.digest, DigestCheck::Equal);
    assert_eq!(server.stat("/p").num_children, 0);
    assert!(server.db.sessions().is_empty());
    assert_eq!(server.db.tree.ephemerals_count(), 0);
}

#[test]
fn ephemerals_of_sessions_that_never_were_are_removed_at_start() {
    let mut server = Server::new();
    server.create("/mine", "", 1);
    server.create("/p", "", 0);
    let digest = server.db.digest();
    server.create("/orphan", "", 0);
    let id = server.db.tree.find("/orphan").unwrap();
    assert_eq!(server.db.tree.owner(id), crate::tree::Owner::Persistent);
    server.delete("/orphan");
    server.db.remove_orphans();
    assert!(server.db.tree.find("/mine").is_some());
    server.db.sessions.clear();
    server.db.remove_orphans();
    assert!(server.db.tree.find("/mine").is_none());
    assert_ne!(server.db.digest(), digest);
    assert_eq!(TreeDigest::of(&mut server.db.tree), server.db.digest);
}

/// A3. And each with the zxid of its txn.
#[test]
fn events_come_in_the_order_of_the_changes() {
    let mut server = Server::new();
    for (op, path) in [(OpCode::Exists, "/m"), (OpCode::GetChildren, "/"), (OpCode::Exists, "/m/c")]
    {
        server.read(op, |out| bodies::watchable(path, true, out));
    }
    let mode = |out: &mut Vec<u8>| bodies::watch("/m", 1, out);
    assert_eq!(server.read_from(2, OpCode::AddWatch, mode), (0, vec![0; 4]));
    let ops = multi(&[
        (OpCode::Create, create("/m", 0)),
        (OpCode::Create, create("/m/c", 0)),
        (OpCode::SetData, body(|out| bodies::set_data("/m/c", None, -1, out))),
        (OpCode::Delete, body(|out| bodies::versioned("/m/c", -1, out))),
    ]);
    server.write(SESSION, OpCode::Multi, &ops);
    let expected = [
        "1 Created /m @2",
        "2 Created /m @2",
        "1 ChildrenChanged / @2",
        "2 Created /m/c @2",
        "1 Created /m/c @2",
        "2 DataChanged /m/c @2",
        "2 Deleted /m/c @2",
    ];
    assert_eq!(server.heard(), expected);
    server.set_acl("/m", &open());
    assert_eq!(server.heard(), [""; 0], "a new list tells nobody");
}

/// CVE-2024-23944: the list that counts is the one the change met.
#[test]
fn who_may_not_read_does_not_hear() {
    let mut server = Server::new();
    let bob = AuthId::new("digest", crate::auth::digest_id("bob:pw"));
    server.ears.ids.insert(ConnId(2), vec![bob.clone()]);
    for conn in [1, 2] {
        let mode = |out: &mut Vec<u8>| bodies::watch("/", 1, out);
        server.read_from(conn, OpCode::AddWatch, mode);
        let children = |out: &mut Vec<u8>| bodies::watch("/shut", 0, out);
        server.read_from(conn, OpCode::AddWatch, children);
    }
    server.create("/shut", "", 0);
    server.heard();
    server.set_acl(
        "/shut",
        &[
            Acl::new(perms::READ, "digest", bob.id),
            Acl::new(perms::ALL & !perms::READ, "world", "anyone"),
        ],
    );
    server.set_data("/shut", "secret");
    assert_eq!(server.heard(), ["2 DataChanged /shut @4"]);
    server.create("/shut/open", "", 0);
    let heard = server.heard();
    assert_eq!(
        heard,
        ["1 Created /shut/open @5", "2 Created /shut/open @5", "2 ChildrenChanged /shut @5"]
    );
    server.delete("/shut/open");
    server.heard();
    server.delete("/shut");
    assert_eq!(server.heard(), ["2 Deleted /shut @7"], "its list outlives it that long");
}

#[test]
fn a_result_is_a_header_and_its_record() {
    let mut out = Vec::new();
    multi_header(OpCode::Delete.code(), &mut out);
    assert_eq!(out, [0, 0, 0, 2, 0, 0, 0, 0, 0]);
}

/// After NodeExists, before the version.
#[test]
fn quotas_are_enforced_where_an_operator_wants_that() {
    let mut server = Server::new();
    server.create("/app", "12", 0);
    server.create("/zookeeper/quota/app", "", 0);
    let limits = "count=-1,bytes=-1=;byteHardLimit=6;countHardLimit=2";
    server.create("/zookeeper/quota/app/zookeeper_limits", limits, 0);
    server.create("/zookeeper/quota/app/zookeeper_stats", "count=0,bytes=0", 0);
    let set = |text: &'static [u8], version| {
        body(|out| bodies::set_data("/app", Some(text), version, out))
    };
    for (is_enforced, created, second, grown) in [(true, 0, -125, -125), (false, 0, 0, 0)] {
        let enforces_quota = is_enforced;
        server.prep = Prep::new(PrepOptions { enforces_quota, ..PrepOptions::default() });
        assert_eq!(server.write(SESSION, OpCode::Create, &create("/app/a", 0)).0, created);
        assert_eq!(server.write(SESSION, OpCode::Create, &create("/app/a", 0)).0, -110);
        assert_eq!(server.write(SESSION, OpCode::Create, &create("/app/b", 0)).0, second);
        assert_eq!(server.write(SESSION, OpCode::SetData, &set(b"123456", 9)).0, -103);
        let too_long = server.write(SESSION, OpCode::SetData, &set(b"1234567", 9)).0;
        assert_eq!(too_long, if is_enforced { -125 } else { -103 });
        assert_eq!(server.write(SESSION, OpCode::SetData, &set(b"1234567", -1)).0, grown);
        server.delete("/app/a");
    }
    let stats = server.db.tree.find("/zookeeper/quota/app/zookeeper_stats").unwrap();
    assert_eq!(server.db.tree.data(stats), Some(&b"count=2,bytes=7"[..]));
}

/// A Java leader may change the ensemble; its client may be connected here.
#[test]
fn a_reconfig_answers_with_the_new_members() {
    let mut server = Server::new();
    let text = b"server.1=a:1:2;3\nversion=9";
    let header =
        TxnHeader { session: SESSION, cxid: 1, zxid: Zxid(9), time: 7, kind: OpCode::Reconfig };
    let mut txn = Vec::new();
    header.encode(&mut txn);
    bodies::set_data(CONFIG_PATH, Some(text), -1, &mut txn);
    server.apply(&txn);
    let mut reply = Vec::new();
    server.applied.encode_reply(OpCode::Reconfig, &mut reply);
    assert_eq!(reply.len(), 4 + text.len() + Stat::BYTES);
    assert_eq!(reply[4..4 + text.len()], *text);
}

#[test]
fn the_configuration_is_local_to_each_server() {
    let mut server = Server::new();
    let digest = server.db.digest();
    server.db.set_config(b"server.1=a:1:2:participant;3\nversion=100", 0x100, 77);
    let stat = server.stat(CONFIG_PATH);
    assert_eq!((stat.version, stat.mzxid, stat.mtime), (-1, 0x100, 77));
    assert_eq!(server.db.digest(), digest);
    server.create("/a", "", 0);
    assert_eq!(server.applied.digest, DigestCheck::Equal);
}
