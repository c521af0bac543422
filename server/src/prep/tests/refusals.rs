//! What is refused, with which code, and in which order it is looked for.

use super::*;

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

/// Compat: `ZooKeeperServer.authWriteRequest`, 3.9.5.
#[test]
fn an_eager_server_refuses_what_it_sees_to_be_forbidden() {
    let mut world = World::new();
    let shut = world.acls.intern_list(&only(perms::READ));
    let root = world.tree.find("/").unwrap();
    world.tree.set_acl(root, shut, 0);
    let check = |world: &World, op, write: &dyn Fn(&mut Vec<u8>)| {
        let (tree, acls, quotas) = (&world.tree, &world.acls, &world.quotas);
        let view = View { tree, acls, quotas, digest: world.digest };
        let mut body = Vec::new();
        write(&mut body);
        eager_refusal(&view, &world.prep.options, op, &body, &world.ids).map(ErrorCode::code)
    };
    let create = |path: &'static str, acl: &'static [Acl]| {
        move |out: &mut Vec<u8>| bodies::create(path, None, acl, 0, out)
    };
    let at = |path: &'static str| move |out: &mut Vec<u8>| bodies::versioned(path, -1, out);
    let set = |out: &mut Vec<u8>| bodies::set_data("/", None, -1, out);
    let junk = |out: &mut Vec<u8>| out.push(7);
    use OpCode::{Create, CreateContainer, Delete, GetData, Multi, SetAcl, SetData};
    assert_eq!(check(&world, Create, &create("/a", &[])), Some(-114));
    assert_eq!(check(&world, Create, &create("nopath", &[])), None, "the leader says so");
    assert_eq!(check(&world, CreateContainer, &create("/a", &[])), None);
    assert_eq!(check(&world, Delete, &at("/a")), Some(-102));
    assert_eq!(check(&world, Delete, &at("/")), None);
    assert_eq!(check(&world, Delete, &at("/missing/a")), None);
    assert_eq!(check(&world, SetData, &set), Some(-102));
    for op in [Create, Delete, SetData, SetAcl, Multi, GetData] {
        assert_eq!(check(&world, op, &junk), None, "{op}");
    }
    world.ids.push(AuthId::new("super", ""));
    assert_eq!(check(&world, SetData, &set), None);
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
