//! What reads answer, refuse and leave behind.

use super::*;
use crate::wire::{multi_end, multi_error};
use ringkeeper_engine::jute::Writer;

const NULL: [u8; 4] = [0xff; 4];

fn watchable(path: &str) -> impl FnOnce(&mut Vec<u8>) {
    move |out| bodies::watchable(path, true, out)
}

fn path(path: &str) -> impl FnOnce(&mut Vec<u8>) {
    move |out| bodies::path(path, out)
}

#[test]
fn reads_are_refused_for_the_first_thing_wrong() {
    let mut server = Server::new();
    server.create("/a", "", 0);
    server.create("/shut", "", 0);
    server.set_acl("/shut", &[Acl::new(perms::ALL & !perms::READ, "world", "anyone")]);
    use OpCode::{Exists, GetAcl, GetAllChildrenNumber, GetChildren, GetChildren2, GetData};
    for (path, exists, others, get_acl) in [
        ("/a", 0, 0, 0),
        ("/", 0, 0, 0),
        ("", 0, 0, 0),
        ("/missing", -101, -101, -101),
        ("/a/", -101, -101, -101),
        ("a", -101, -101, -101),
        ("/n\0ul", -8, -101, -101),
        ("/shut", -102, -102, 0),
        ("/shut/below", -101, -101, -101),
    ] {
        for op in [Exists, GetData, GetChildren, GetChildren2] {
            let expected = if op == Exists { exists } else { others };
            assert_eq!(server.read(op, watchable(path)).0, expected, "{op} {path:?}");
        }
        let number = server.read(GetAllChildrenNumber, |out| bodies::path(path, out)).0;
        assert_eq!(number, others, "{path:?}");
        assert_eq!(server.read(GetAcl, |out| bodies::path(path, out)).0, get_acl, "{path:?}");
    }
    for op in [Exists, GetData, GetChildren, GetChildren2, GetAcl, GetAllChildrenNumber] {
        assert_eq!(server.read(op, |out| out.push(7)), (-5, vec![]), "{op}: cut short");
        let null = [&NULL[..], &[0]].concat();
        assert_eq!(server.read(op, |out| out.extend(null)), (-5, vec![]), "{op}: a null path");
    }
}

#[test]
fn null_data_is_not_empty_data() {
    let mut server = Server::new();
    let null = |out: &mut Vec<u8>| bodies::create("/null", None, &open(), 0, out);
    assert_eq!(server.ask(OpCode::Create, null).0, 0);
    server.create("/empty", "", 0);
    let (_, body) = server.read(OpCode::GetData, watchable("/null"));
    assert_eq!((body.len(), &body[..4]), (4 + Stat::BYTES, &NULL[..]));
    let (_, body) = server.read(OpCode::GetData, watchable("/empty"));
    assert_eq!((body.len(), &body[..4]), (4 + Stat::BYTES, &[0; 4][..]));
}

#[test]
fn watches_are_left_only_where_the_read_went_well() {
    let mut server = Server::new();
    server.create("/shut", "", 0);
    server.set_acl("/shut", &[Acl::new(perms::ADMIN, "world", "anyone")]);
    for op in [OpCode::GetData, OpCode::GetChildren, OpCode::GetChildren2] {
        server.read(op, watchable("/missing"));
        server.read(op, watchable("/shut"));
    }
    server.read(OpCode::Exists, watchable("/shut"));
    assert_eq!(server.watches.counts().watches, 0);
    server.read(OpCode::Exists, watchable("/missing"));
    assert_eq!(server.watches.counts().watches, 1, "an absent znode may be watched");
}

#[test]
fn who_may_not_change_a_list_sees_no_digest() {
    let mut server = Server::new();
    server.create("/a", "", 0);
    let list =
        |id: &str| [Acl::new(perms::READ, "world", "anyone"), Acl::new(perms::ADMIN, "digest", id)];
    let id = crate::auth::digest_id("bob:pw");
    server.set_acl("/a", &list(&id));
    let expected = |id: &str| {
        let mut out = Vec::new();
        Acl::encode_list(&list(id), &mut out);
        out
    };
    let (_, body) = server.read(OpCode::GetAcl, path("/a"));
    assert_eq!(body[..body.len() - Stat::BYTES], expected("bob:x"));
    server.ids.push(AuthId::new("digest", id.as_str()));
    let (_, body) = server.read(OpCode::GetAcl, path("/a"));
    assert_eq!(body[..body.len() - Stat::BYTES], expected(&id));
}

/// Compat: "" counts the root's other name too; prefixes of ephemerals are text (3.9.5).
#[test]
fn counts_and_lists_of_many() {
    let mut server = Server::new();
    for path in ["/a", "/a/b", "/a/b/c", "/ab"] {
        server.create(path, "", 0);
    }
    server.create("/a/e1", "", 1);
    server.create("/ab/e2", "", 1);
    for (asked, number) in [("/", 9u32), ("", 10), ("/a", 3), ("/a/b", 1), ("/a/b/c", 0)] {
        let (_, body) = server.read(OpCode::GetAllChildrenNumber, path(asked));
        assert_eq!(body, number.to_be_bytes(), "{asked:?}");
    }
    for (prefix, count) in [("", 2), ("/", 2), (" / ", 2), ("/a", 2), ("/a/", 1), ("/x", 0)] {
        let (_, body) = server.read(OpCode::GetEphemerals, path(prefix));
        assert_eq!(body[3], count, "{prefix:?}");
    }
    let (code, body) = server.read(OpCode::GetEphemerals, |out| out.extend(NULL));
    assert_eq!((code, body[3]), (0, 2));
}

#[test]
fn sync_echoes_and_ping_says_nothing() {
    let mut server = Server::new();
    assert_eq!(server.read(OpCode::Sync, path("nonsense")).1[4..], *b"nonsense");
    assert_eq!(server.read(OpCode::Sync, |out| out.extend(NULL)), (0, NULL.to_vec()));
    assert_eq!(server.read(OpCode::Ping, |_| {}), (0, vec![]));
    let (_, body) = server.read(OpCode::WhoAmI, |_| {});
    let mut expected = Vec::new();
    let mut writer = Writer(&mut expected);
    writer.count(1);
    writer.ustring("ip");
    writer.ustring("127.0.0.1");
    assert_eq!(body, expected);
}

#[test]
fn watches_are_added_checked_and_removed_by_kind() {
    let mut server = Server::new();
    let ask = |server: &mut Server, op, path: &str, kind| {
        server.read(op, |out| bodies::watch(path, kind, out)).0
    };
    use OpCode::{AddWatch, CheckWatches, RemoveWatches};
    assert_eq!(ask(&mut server, AddWatch, "/w", 0), 0);
    assert_eq!(ask(&mut server, AddWatch, "no path at all", 1), 0);
    assert_eq!(ask(&mut server, AddWatch, "/w", 2), -5);
    assert_eq!(ask(&mut server, CheckWatches, "/w", 6), -5);
    assert_eq!(ask(&mut server, CheckWatches, "/w", 2), -121);
    server.read(OpCode::Exists, watchable("/w"));
    assert_eq!(ask(&mut server, CheckWatches, "/w", 2), 0, "an absent znode's counts as data");
    for kind in [4, 2] {
        assert_eq!(ask(&mut server, RemoveWatches, "/w", kind), 0);
        assert_eq!(ask(&mut server, RemoveWatches, "/w", kind), -121);
    }
    assert_eq!(ask(&mut server, RemoveWatches, "/w", 3), -121);
    assert_eq!(server.read(AddWatch, |out| out.extend([NULL, [0; 4]].concat())).0, 0);
}

fn multi_read(ops: &[(OpCode, &str)], out: &mut Vec<u8>) {
    for (op, path) in ops {
        bodies::multi_op(*op, out);
        if *op == OpCode::Delete {
            bodies::versioned(path, -1, out);
        } else {
            bodies::watchable(path, true, out);
        }
    }
    multi_end(out);
}

/// Compat: a multiRead of writes answers -5 with an empty list (`FinalRequestProcessor`, 3.9.5).
#[test]
fn reads_of_a_multi_fail_one_by_one() {
    let mut server = Server::new();
    server.create("/a", "x", 0);
    let ops = [(OpCode::GetData, "/a"), (OpCode::GetData, "/b"), (OpCode::GetChildren, "/a")];
    let (code, body) = server.read(OpCode::MultiRead, |out| multi_read(&ops, out));
    assert_eq!(code, 0);
    let mut missing = Vec::new();
    multi_error(ErrorCode::NO_NODE, &mut missing);
    let at = 9 + 5 + Stat::BYTES;
    assert_eq!(body[at..at + missing.len()], missing);
    assert_eq!(body.len(), at + missing.len() + 9 + 4 + 9);
    assert_eq!(server.watches.counts().watches, 0, "and leave no watches");

    let mut end = Vec::new();
    multi_end(&mut end);
    let delete = [(OpCode::Delete, "/a")];
    assert_eq!(server.read(OpCode::MultiRead, |out| multi_read(&delete, out)), (-5, end.clone()));
    let mixed = [(OpCode::GetData, "/a"), (OpCode::Delete, "/a")];
    assert_eq!(server.read(OpCode::MultiRead, |out| multi_read(&mixed, out)), (-5, vec![]));
    assert_eq!(server.read(OpCode::MultiRead, |out| multi_read(&[], out)), (0, end));
}

#[test]
fn a_small_request_cannot_ask_for_everything_a_thousand_times() {
    let mut server = Server::new();
    server.create("/big", &"x".repeat(1_000_000), 0);
    let ops = [(OpCode::GetData, "/big"); 1000];
    assert_eq!(server.read(OpCode::MultiRead, |out| multi_read(&ops, out)), (-8, vec![]));
    assert_eq!(server.read(OpCode::MultiRead, |out| multi_read(&ops[..10], out)).0, 0);
}

#[test]
fn what_was_missed_is_told_and_the_rest_watched_again() {
    let mut server = Server::new();
    for path in ["/same", "/set", "/grown", "/here"] {
        server.create(path, "", 0);
    }
    let since = server.zxid;
    server.set_data("/set", "x");
    server.create("/grown/child", "", 0);
    let data = ["/same", "/set", "/gone"];
    let exist = ["/here", "/not"];
    let child = ["/same", "/grown", "/gone"];
    let (persistent, recursive) = (["/p"], ["/r"]);
    let mut told = Vec::new();
    let mut body = Vec::new();
    let lists: [&[&str]; 5] = [&data, &exist, &child, &persistent, &recursive];
    bodies::set_watches(since, &lists, &mut body);
    let op = OpCode::SetWatches2;
    let code = server.db.set_watches(&mut server.watches, ConnId(1), op, &body, &mut |event| {
        assert_eq!(event.zxid, -1);
        told.push(format!("{:?} {}", event.kind, event.path));
    });
    assert_eq!(code, ErrorCode::OK);
    let expected = [
        "DataChanged /set",
        "Deleted /gone",
        "Created /here",
        "ChildrenChanged /grown",
        "Deleted /gone",
    ];
    assert_eq!(told, expected);
    for (path, kind, code) in [
        ("/same", 2, 0),
        ("/same", 1, 0),
        ("/not", 2, 0),
        ("/set", 3, -121),
        ("/grown", 3, -121),
        ("/here", 3, -121),
        ("/p", 4, 0),
        ("/r", 5, 0),
    ] {
        let seen = server.read(OpCode::CheckWatches, |out| bodies::watch(path, kind, out)).0;
        assert_eq!(seen, code, "{path} {kind}");
    }
    let cut = &body[..body.len() - 1];
    let code = server.db.set_watches(&mut server.watches, ConnId(1), op, cut, &mut |_| {});
    assert_eq!(code, ErrorCode::MARSHALLING_ERROR);
}
