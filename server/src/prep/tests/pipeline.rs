//! Requests that build on each other before any of them is applied.

use super::*;

#[test]
fn sequence_numbers_count_creates_and_nothing_else() {
    let mut world = World::new();
    assert_eq!(world.create("/s", 0), 0);
    assert_eq!(world.created("/s/x-", 2), "/s/x-0000000000");
    assert_eq!(world.created("/s/plain", 0), "/s/plain");
    assert_eq!(world.create("/s/plain", 0), -110, "which does not count");
    assert_eq!(world.delete("/s/plain", -1), 0, "nor does this");
    assert_eq!(world.created("/s/x-", 3), "/s/x-0000000002");
    assert_eq!(world.created("/s/", 2), "/s/0000000003");
    assert_eq!(world.created("/s/..", 2), "/s/..0000000004");
    assert_eq!(world.created("/", 2), "/0000000001");
}

#[test]
fn a_failed_multi_leaves_nothing_and_counts_nothing() {
    let mut world = World::new();
    assert_eq!(world.create("/s", 0), 0);
    assert_eq!(world.set_data("/s", -1), 0);
    let outstanding = world.prep.outstanding();
    let digest = world.prep.digest;
    let create = |out: &mut Vec<u8>| bodies::create("/s/x-", None, &open(), 3, out);
    let set = |out: &mut Vec<u8>| bodies::set_data("/s", None, 1, out);
    let bad = |out: &mut Vec<u8>| bodies::versioned("/missing", -1, out);
    let ops: [Op<'_>; 5] = [
        (OpCode::Create, &create),
        (OpCode::SetData, &set),
        (OpCode::Create, &create),
        (OpCode::Delete, &bad),
        (OpCode::Create, &create),
    ];
    assert_eq!(world.multi(&ops), -101);
    assert_eq!(world.prep.outstanding(), outstanding, "P2");
    assert_eq!(world.prep.digest, digest, "P2");
    assert_eq!(world.prep.overlay.ephemerals(ALICE).count(), 0, "P2");
    let Txn::Multi(multi) = txn::decode(&world.txn).unwrap().1 else { panic!("a multi") };
    let kinds: Vec<_> = multi.iter().map(|sub| sub.kind.code()).collect();
    assert_eq!(kinds, [1, 5, 1, -1, -1]);
    assert_eq!(world.created("/s/x-", 2), "/s/x-0000000000");
    assert_eq!(world.set_data("/s", 1), 0);
}

#[test]
fn ops_of_a_multi_see_each_other() {
    let mut world = World::new();
    let create = |out: &mut Vec<u8>| bodies::create("/m", None, &open(), 0, out);
    let child = |out: &mut Vec<u8>| bodies::create("/m/c", None, &open(), 0, out);
    let check = |out: &mut Vec<u8>| bodies::versioned("/m", 0, out);
    let delete = |out: &mut Vec<u8>| bodies::versioned("/m/c", 0, out);
    let ops: [Op<'_>; 4] = [
        (OpCode::Create, &create),
        (OpCode::Create2, &child),
        (OpCode::Check, &check),
        (OpCode::Delete, &delete),
    ];
    assert_eq!(world.multi(&ops), 0);
    assert_eq!(world.delete("/m", 0), 0);
    assert_eq!(world.multi(&[]), 0, "an empty one is legal");
}

/// Compat: what Java's server falls over takes the whole multi with it (3.9.5).
#[test]
fn some_errors_are_the_whole_multis() {
    let mut world = World::new();
    let read = |out: &mut Vec<u8>| bodies::watchable("/", false, out);
    assert_eq!(world.multi(&[(OpCode::GetData, &read)]), -5);
    let create = |out: &mut Vec<u8>| bodies::create("/m", None, &open(), 0, out);
    let null_id = |out: &mut Vec<u8>| {
        let mut body = Vec::new();
        bodies::create("/n", None, &only(1), 0, &mut body);
        // The list's id, `anyone`, becomes null.
        let at = body.len() - 4 - 6 - 4;
        body.splice(at..at + 10, [0xff; 4]);
        out.extend_from_slice(&body);
    };
    let ops: [Op<'_>; 2] = [(OpCode::Create, &create), (OpCode::Create, &null_id)];
    assert_eq!(world.multi(&ops), -5);
    assert_eq!(world.prep.outstanding(), 0, "P2");
}

#[test]
fn a_session_speaks_through_its_owner_alone() {
    let mut world = World::new();
    let mut body = Vec::new();
    bodies::create("/a", None, &open(), 0, &mut body);
    let here = Origin::Client(Owner::Local);
    let there = Origin::Client(Owner::Learner(3));
    assert_eq!(world.ask_from(ALICE, there, OpCode::Create, &body), 0);
    assert_eq!(world.ask_from(ALICE, here, OpCode::Create, &body), -118);
    assert_eq!(world.ask_from(SessionId(99), here, OpCode::Create, &body), -112);
    assert_eq!(world.ask_from(ALICE, here, OpCode::CloseSession, &[]), 0, "whoever asks");
    assert_eq!(world.ask_from(ALICE, there, OpCode::Create, &body), -112);
}

#[test]
fn a_session_takes_what_it_will_own() {
    let mut world = World::new();
    for (path, flags) in [("/p", 0), ("/p/1", 1), ("/p/2", 1), ("/p/3", 1)] {
        assert_eq!(world.create(path, flags), 0);
    }
    assert_eq!(world.set_data("/p/1", -1), 0);
    assert_eq!(world.delete("/p/2", -1), 0);
    let mut body = Vec::new();
    bodies::create("/p/bobs", None, &open(), 1, &mut body);
    let here = Origin::Client(Owner::Local);
    assert_eq!(world.ask_from(BOB, here, OpCode::Create, &body), 0);
    assert_eq!(world.ask_from(ALICE, here, OpCode::CloseSession, &[]), 0);
    let Txn::CloseSession { paths } = txn::decode(&world.txn).unwrap().1 else { panic!() };
    let mut paths: Vec<_> = paths.unwrap().iter().map(|path| path.unwrap()).collect();
    paths.sort();
    assert_eq!(paths, ["/p/1", "/p/3"]);
    assert_eq!(world.delete("/p", -1), -112);
    let mut body = Vec::new();
    bodies::versioned("/p", -1, &mut body);
    assert_eq!(world.ask_from(BOB, here, OpCode::Delete, &body), -111, "what is Bob's stays");
}

/// P4.
#[test]
fn no_txn_outgrows_its_readers() {
    let options = PrepOptions { txn_bytes_max: 2000, ..PrepOptions::default() };
    let mut world = World::with(options, true);
    let big = |out: &mut Vec<u8>| bodies::create("/big", Some(&[0; 2000]), &open(), 0, out);
    assert_eq!(world.ask(OpCode::Create, big), -8);
    let part = |out: &mut Vec<u8>| bodies::set_data("/", Some(&[0; 700]), -1, out);
    let ops: Vec<Op<'_>> = vec![(OpCode::SetData, &part); 3];
    assert_eq!(world.multi(&ops), -8, "a multi that is refused as a whole");
    assert_eq!(world.multi(&ops[..2]), 0);
    for n in 0..100 {
        assert_eq!(world.create(&format!("/a-path-of-thirty-characters-{n}"), 1), 0);
    }
    let here = Origin::Client(Owner::Local);
    assert_eq!(world.ask_from(ALICE, here, OpCode::CloseSession, &[]), 0, "it always ends");
    let (_, txn, digest) = txn::decode(&world.txn).unwrap();
    assert!(matches!(txn, Txn::CloseSession { paths: None }), "without a list");
    assert!(digest.is_none());
}

/// P1, P3: done by hand, what was prepared goes well and leaves the tree that was foreseen.
#[test]
fn a_tree_that_follows_has_the_digests_foreseen() {
    let mut world = World::new();
    let mut follower = Tree::new(world.tree.rules());
    let requests: [&dyn Fn(&mut World) -> i32; 7] = [
        &|world| world.create("/a", 0),
        &|world| world.create("/a/b", 0),
        &|world| world.set_data("/a", 0),
        &|world| world.create("/a/c", 1),
        &|world| world.delete("/a/b", 0),
        &|world| world.set_data("/a", 1),
        &|world| world.delete("/a/c", -1),
    ];
    for request in requests {
        assert_eq!(request(&mut world), 0);
        let (header, txn, digest) = txn::decode(&world.txn).unwrap();
        let (zxid, time) = (header.zxid, header.time);
        match txn {
            Txn::Create(Create { path, data, kind, parent_cversion, .. }) => {
                let (path, owner) = (&*path, kind.owner(header.session));
                let acl = AclId::OPEN;
                let new = NewZnode { path, data, acl, owner, parent_cversion, zxid, time };
                follower.create(&new).unwrap();
            }
            Txn::SetData { path, data, version } => {
                let id = follower.find(&path).unwrap();
                follower.set_data(id, data, version, zxid, time);
            }
            Txn::Delete { path } => drop(follower.delete(&path, zxid).unwrap()),
            other => panic!("{other:?}"),
        }
        assert_eq!(digest.unwrap().tree, TreeDigest::of(&mut follower), "after {zxid}");
    }
}

#[test]
fn retired_changes_are_the_trees() {
    let mut world = World::new();
    assert_eq!(world.create("/a", 0), 0);
    assert_eq!(world.set_data("/a", -1), 0);
    assert_eq!(world.create("/e", 1), 0);
    world.prep.retire(Zxid(1));
    assert_eq!(world.set_data("/a", 1), 0, "the newer record still stands");
    world.prep.retire(Zxid(4));
    assert_eq!(world.prep.outstanding(), 0);
    assert_eq!(world.set_data("/a", -1), -101, "nothing was applied to this tree");
    assert_eq!(world.create("/b", 0), 0);
    world.prep.clear();
    assert_eq!(world.delete("/b", -1), -101);
}
