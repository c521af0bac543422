//! What is refused, with which code, and in which order it is looked for.

use super::*;
use crate::auth::digest_id;
use crate::tree::{AclId, CONTAINER, NewZnode, OwnerRules};
use crate::txn::{self, Create, CreateKind};
use crate::wire::{Acl, SessionId, bodies, multi_end, perms};

const ALICE: SessionId = SessionId(0x0100_0000_0000_0001);
const BOB: SessionId = SessionId(0x0100_0000_0000_0002);

/// One op of a multi, and what writes its body.
type Op<'a> = (OpCode, &'a dyn Fn(&mut Vec<u8>));

/// A tree that nothing is ever applied to: all there is is outstanding.
struct World {
    tree: Tree,
    acls: AclTable,
    quotas: Quotas,
    digest: TreeDigest,
    sessions: Tracker,
    prep: Prep,
    zxid: i64,
    ids: Vec<AuthId>,
    txn: Vec<u8>,
}

impl World {
    fn new() -> Self {
        Self::with(PrepOptions::default(), true)
    }

    fn with(options: PrepOptions, extended_types: bool) -> Self {
        let rules = OwnerRules { extended_types, emulate_353: false };
        let mut tree = Tree::new(rules);
        let digest = TreeDigest::of(&mut tree);
        let mut sessions = Tracker::new(2000, Millis(0));
        sessions.track(Millis(0), ALICE, 10_000);
        sessions.track(Millis(0), BOB, 10_000);
        Self {
            tree,
            acls: AclTable::new(),
            quotas: Quotas::new(),
            digest,
            sessions,
            prep: Prep::new(options),
            zxid: 0,
            ids: vec![AuthId::new("ip", "127.0.0.1")],
            txn: Vec::new(),
        }
    }

    fn ask_from(&mut self, session: SessionId, origin: Origin, op: OpCode, body: &[u8]) -> i32 {
        self.zxid += 1;
        self.txn.clear();
        let (tree, acls, quotas) = (&self.tree, &self.acls, &self.quotas);
        let view = View { tree, acls, quotas, digest: self.digest };
        let request = Request { session, cxid: 1, op, body, ids: &self.ids, origin };
        let at = Moment { zxid: Zxid(self.zxid), wall_ms: 1000 + self.zxid, now: Millis(0) };
        let code = self.prep.prepare(&view, &mut self.sessions, &request, at, &mut self.txn).code();
        let (header, txn, _) = txn::decode(&self.txn).expect("what prep writes can be read");
        assert_eq!(header.zxid, at.zxid);
        if let Txn::Error { code: logged } = txn {
            assert_eq!(logged.code(), code, "the log says what the client is told");
        }
        code
    }

    fn ask(&mut self, op: OpCode, write: impl FnOnce(&mut Vec<u8>)) -> i32 {
        let mut body = Vec::new();
        write(&mut body);
        self.ask_from(ALICE, Origin::Client(Owner::Local), op, &body)
    }

    fn create(&mut self, path: &str, flags: i32) -> i32 {
        self.ask(OpCode::Create, |out| bodies::create(path, None, &open(), flags, out))
    }

    fn created(&mut self, path: &str, flags: i32) -> String {
        assert_eq!(self.create(path, flags), 0, "{path}");
        match txn::decode(&self.txn).unwrap().1 {
            Txn::Create(create) => create.path.into_owned(),
            other => panic!("{other:?}"),
        }
    }

    fn delete(&mut self, path: &str, version: i32) -> i32 {
        self.ask(OpCode::Delete, |out| bodies::versioned(path, version, out))
    }

    fn set_data(&mut self, path: &str, version: i32) -> i32 {
        self.ask(OpCode::SetData, |out| bodies::set_data(path, Some(b"x"), version, out))
    }

    fn set_acl(&mut self, path: &str, acl: &[Acl], version: i32) -> i32 {
        self.ask(OpCode::SetAcl, |out| bodies::set_acl(path, acl, version, out))
    }

    fn multi(&mut self, ops: &[Op<'_>]) -> i32 {
        self.ask(OpCode::Multi, |out| {
            for (op, write) in ops {
                bodies::multi_op(*op, out);
                write(out);
            }
            multi_end(out);
        })
    }
}

fn open() -> [Acl; 1] {
    [Acl::new(perms::ALL, "world", "anyone")]
}

fn only(perms: i32) -> [Acl; 1] {
    [Acl::new(perms, "world", "anyone")]
}

/// Flags, then path, then list, then parent, permission, the path with its suffix, existence, the
/// parent's kind.
#[test]
fn a_create_is_refused_for_the_first_thing_wrong() {
    let mut world = World::new();
    assert_eq!(world.create("/a", 0), 0);
    assert_eq!(world.create("/e", 1), 0);
    assert_eq!(world.set_acl("/a", &only(perms::READ), -1), 0);
    for (path, flags, code) in [
        ("nopath", 7, -8),
        ("nopath", 0, -8),
        ("/n\0ul", 0, -8),
        ("/missing/x", 0, -101),
        ("/missing//", 0, -101),
        ("/a/b", 0, -102),
        ("/a/..", 0, -102),
        ("/..", 0, -8),
        ("/e/", 0, -8),
        ("/", 0, -110),
        ("/a", 0, -110),
        ("/zookeeper", 0, -110),
        ("/e/x", 0, -108),
        ("/c", 5, -8),
        ("/c", 6, -8),
        ("/c", -1, -8),
        ("/c", 4, 0),
    ] {
        assert_eq!(world.create(path, flags), code, "{path:?} with flags {flags}");
    }
    let empty = |out: &mut Vec<u8>| bodies::create("/missing/x", None, &[], 0, out);
    assert_eq!(world.ask(OpCode::Create, empty), -114, "the list comes before the parent");
}

#[test]
fn what_is_created_follows_the_op_not_the_flags() {
    for (op, flags, kind) in [
        (OpCode::Create, 0, CreateKind::Persistent),
        (OpCode::Create2, 1, CreateKind::Ephemeral),
        (OpCode::Create, 4, CreateKind::Persistent),
        (OpCode::CreateContainer, 4, CreateKind::Container),
        (OpCode::CreateContainer, 0, CreateKind::Container),
        (OpCode::CreateContainer, 1, CreateKind::Container),
    ] {
        let mut world = World::new();
        let asked = world.ask(op, |out| bodies::create("/a", None, &open(), flags, out));
        assert_eq!(asked, 0);
        match txn::decode(&world.txn).unwrap().1 {
            Txn::Create(create) => assert_eq!(create.kind, kind, "{op} with flags {flags}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(CreateKind::Container.owner(ALICE), CONTAINER);
}

#[test]
fn a_ttl_needs_its_flags_its_bounds_and_the_switch() {
    let ttl = |world: &mut World, flags, ttl_ms| {
        world.ask(OpCode::CreateTtl, |out| {
            bodies::create_ttl("/t", None, &open(), (flags, ttl_ms), out);
        })
    };
    for (flags, ttl_ms, code) in [
        (5, 0, -8),
        (5, -1, -8),
        (5, 1 << 40, -8),
        (0, 1000, -8),
        (1, -1, -8),
        (4, 1000, -8),
        (7, 1000, -8),
        (5, (1 << 40) - 1, 0),
        (6, 1, 0),
    ] {
        assert_eq!(ttl(&mut World::new(), flags, ttl_ms), code, "{flags} for {ttl_ms} ms");
    }
    let mut without = World::with(PrepOptions::default(), false);
    assert_eq!(ttl(&mut without, 7, 0), -8, "the flags come first");
    assert_eq!(ttl(&mut without, 5, 0), -6, "the switch comes before the ttl");
}

#[test]
fn a_delete_is_refused_for_the_first_thing_wrong() {
    let mut world = World::new();
    for path in ["/a", "/a/b", "/a/b/c", "/shut", "/shut/x"] {
        assert_eq!(world.create(path, 0), 0);
    }
    assert_eq!(world.set_acl("/shut", &only(perms::ALL & !perms::DELETE), -1), 0);
    for (path, version, code) in [
        ("t", -1, -8),
        ("", -1, -8),
        ("/", -1, -8),
        ("/zookeeper", -1, -8),
        ("/zookeeper/quota", -1, -8),
        ("/zookeeper/config", -1, -8),
        ("/n\0ul", -1, -8),
        ("/missing/x", -1, -101),
        ("/shut/missing", -1, -102),
        ("/shut/x", 7, -102),
        ("/missing", 7, -101),
        ("/a/", -1, -101),
        ("/a", 7, -103),
        ("/a", 0, -111),
        ("/a/b/c", 0, 0),
        ("/a/b/c", 0, -101),
        ("/a/b", -1, 0),
        ("/a", -1, 0),
    ] {
        assert_eq!(world.delete(path, version), code, "{path:?} at {version}");
    }
}

#[test]
fn set_data_and_set_acl_are_refused_for_the_first_thing_wrong() {
    let mut world = World::new();
    for path in ["/a", "/shut"] {
        assert_eq!(world.create(path, 0), 0);
    }
    assert_eq!(world.set_acl("/shut", &only(perms::READ), -1), 0);
    for (path, version, data_code, acl_code) in [
        ("", -1, -8, -8),
        ("a", -1, -8, -8),
        ("/a/", -1, -8, -8),
        ("/missing", 7, -101, -101),
        ("/shut", 7, -102, -102),
        ("/a", 7, -103, -103),
        ("/a", 0, 0, 0),
        ("/a", 0, -103, -103),
        ("/a", 1, 0, 0),
        ("/", -1, 0, 0),
        ("/zookeeper", -1, 0, 0),
    ] {
        assert_eq!(world.set_data(path, version), data_code, "data of {path:?} at {version}");
        assert_eq!(world.set_acl(path, &open(), version), acl_code, "list of {path:?}");
    }
    assert_eq!(world.set_acl("/missing", &[], -1), -114, "the list comes before the znode");
    assert_eq!(world.set_acl("nopath", &[], -1), -8, "the path before the list");
}

#[test]
fn versions_wrap() {
    assert_eq!(next_version(i32::MAX, -1), Ok(i32::MIN));
    assert_eq!(next_version(-2, -2), Ok(-1));
    assert_eq!(next_version(-1, -1), Ok(0));
    assert_eq!(next_version(3, 2), Err(ErrorCode::BAD_VERSION));
}

/// Compat: `PrepRequestProcessor`, 3.9.5.
#[test]
fn null_paths_that_parse_are_refused_each_in_its_way() {
    let mut world = World::new();
    let null = [0xff; 4];
    let nulls = |tail: &[u8]| [&null[..], tail].concat();
    let mut acl = Vec::new();
    Acl::encode_list(&open(), &mut acl);
    let create = [&null[..], &null, &acl, &[0; 4]].concat();
    let set_acl = [&null[..], &acl, &null].concat();
    for (op, body, code) in [
        (OpCode::Create, create, -5),
        (OpCode::Delete, nulls(&null), -5),
        (OpCode::SetData, nulls(&[null, null].concat()), -8),
        (OpCode::SetAcl, set_acl, -8),
    ] {
        let asked = world.ask_from(ALICE, Origin::Client(Owner::Local), op, &body);
        assert_eq!(asked, code, "{op}");
    }
}

#[test]
fn what_does_not_parse_gets_a_zxid_of_its_own() {
    let mut world = World::new();
    for op in [OpCode::Create, OpCode::Delete, OpCode::SetData, OpCode::SetAcl, OpCode::Multi] {
        assert_eq!(world.ask(op, |out| out.push(7)), -5, "{op}");
    }
}

#[test]
fn only_servers_may_ask_for_some_things() {
    let mut world = World::new();
    assert_eq!(world.create("/a", 0), 0);
    let path = |out: &mut Vec<u8>| bodies::path("/a", out);
    assert_eq!(world.ask(OpCode::DeleteContainer, path), -6);
    assert_eq!(world.ask(OpCode::Check, |out| bodies::versioned("/a", -1, out)), -6);
    assert_eq!(world.ask(OpCode::Reconfig, |out| out.push(7)), -123);
    let mut body = Vec::new();
    path(&mut body);
    let none = SessionId::NONE;
    assert_eq!(world.ask_from(none, Origin::Server, OpCode::DeleteContainer, &body), 0);
    assert_eq!(world.ask_from(none, Origin::Server, OpCode::DeleteContainer, &body), -101);
}

#[test]
fn a_container_with_children_and_an_ephemeral_stay() {
    let mut world = World::new();
    for (path, flags) in [("/a", 0), ("/a/b", 0), ("/e", 1)] {
        assert_eq!(world.create(path, flags), 0);
    }
    for (path, code) in [("/a", -111), ("/e", -103), ("/zookeeper", -8), ("/missing", -101)] {
        let mut body = Vec::new();
        bodies::path(path, &mut body);
        let asked = world.ask_from(SessionId::NONE, Origin::Server, OpCode::DeleteContainer, &body);
        assert_eq!(asked, code, "{path}");
    }
}

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
fn permissions_are_those_of_the_outstanding_lists() {
    let mut world = World::new();
    assert_eq!(world.create("/a", 0), 0);
    let owner = [Acl::new(perms::ALL, "digest", digest_id("u:p"))];
    assert_eq!(world.set_acl("/a", &owner, -1), 0);
    assert_eq!(world.set_data("/a", -1), -102);
    assert_eq!(world.create("/a/b", 0), -102);
    world.ids.push(AuthId::new("digest", digest_id("u:p")));
    assert_eq!(world.set_data("/a", -1), 0);
    assert_eq!(world.create("/a/b", 0), 0);
    world.ids.pop();
    assert_eq!(world.delete("/a/b", -1), -102);
    world.ids.push(AuthId::new("super", ""));
    assert_eq!(world.delete("/a/b", -1), 0);
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

/// What ends Java's servers is refused before it can reach one.
#[test]
fn junk_in_quotas_is_refused() {
    let mut world = World::new();
    assert_eq!(world.create("/zookeeper/quota/zookeeper_limits", 0), -8);
    assert_eq!(world.create("/zookeeper/quota/a", 0), 0);
    assert_eq!(world.create("/zookeeper/quota/a/zookeeper_stats", 0), -8);
    let good = |out: &mut Vec<u8>| {
        let text = b"count=1,bytes=-1";
        bodies::create("/zookeeper/quota/a/zookeeper_stats", Some(text), &open(), 0, out);
    };
    assert_eq!(world.ask(OpCode::Create, good), 0);
    assert_eq!(world.set_data("/zookeeper/quota/a/zookeeper_stats", -1), -8);
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
