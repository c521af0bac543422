//! What a watch hears, and how often.

use super::*;

const A: ConnId = ConnId(1);
const B: ConnId = ConnId(2);
const C: ConnId = ConnId(3);

fn watches() -> Watches {
    Watches::new(7)
}

fn heard(fire: impl FnOnce(&mut dyn FnMut(ConnId))) -> Vec<u64> {
    let mut heard = Vec::new();
    fire(&mut |conn| heard.push(conn.0));
    heard
}

fn data(watches: &mut Watches, path: &str) -> Vec<u64> {
    heard(|f| watches.fire_data(path, f))
}

fn deleted(watches: &mut Watches, path: &str) -> Vec<u64> {
    heard(|f| watches.fire_deleted(path, f))
}

fn children(watches: &mut Watches, path: &str) -> Vec<u64> {
    heard(|f| watches.fire_children(path, f))
}

#[test]
fn a_standard_watch_fires_once_and_in_its_table_only() {
    let mut watches = watches();
    assert!(watches.add(A, "/a", Table::Data, Mode::Standard));
    assert!(watches.add(B, "/a", Table::Child, Mode::Standard));
    assert_eq!(data(&mut watches, "/b"), []);
    assert_eq!(data(&mut watches, "/a"), [1]);
    assert_eq!(data(&mut watches, "/a"), []);
    assert_eq!(children(&mut watches, "/a"), [2]);
    assert_eq!(watches.counts(), WatchCounts::default(), "H1: nothing is left behind");
}

#[test]
fn a_persistent_watch_goes_on_firing() {
    let mut watches = watches();
    watches.add_mode(A, "/a", Mode::Persistent);
    for _ in 0..3 {
        assert_eq!(data(&mut watches, "/a"), [1]);
        assert_eq!(children(&mut watches, "/a"), [1]);
        assert_eq!(deleted(&mut watches, "/a"), [1], "once, though it stands in both tables");
    }
    assert_eq!(data(&mut watches, "/a/b"), []);
}

#[test]
fn a_recursive_watch_hears_of_the_subtree_but_never_of_children() {
    let mut watches = watches();
    watches.add_mode(A, "/a", Mode::Recursive);
    watches.add_mode(B, "/", Mode::Recursive);
    assert_eq!(data(&mut watches, "/a/b/c"), [2, 1]);
    assert_eq!(data(&mut watches, "/a"), [2, 1]);
    assert_eq!(data(&mut watches, "/ab"), [2], "a prefix of the name is no ancestor");
    assert_eq!(data(&mut watches, "/"), [2]);
    assert_eq!(children(&mut watches, "/a"), []);
    assert_eq!(deleted(&mut watches, "/a/b"), [2, 1]);
}

#[test]
fn however_many_watches_match_there_is_one_event() {
    let mut watches = watches();
    watches.add_mode(A, "/a", Mode::Recursive);
    watches.add_mode(A, "/a/b", Mode::Recursive);
    watches.add_mode(A, "/a/b", Mode::Persistent);
    watches.add(A, "/a/b", Table::Data, Mode::Standard);
    assert_eq!(data(&mut watches, "/a/b"), [1], "H2");
    assert!(!watches.has(A, "/a/b", WatcherType::Data), "the standard one is used up all the same");
    assert!(watches.has(A, "/a/b", WatcherType::Persistent));
}

#[test]
fn a_delete_is_not_told_twice() {
    let mut watches = watches();
    watches.add(A, "/a", Table::Data, Mode::Standard);
    watches.add(A, "/a", Table::Child, Mode::Standard);
    watches.add(B, "/a", Table::Child, Mode::Standard);
    assert_eq!(deleted(&mut watches, "/a"), [1, 2]);
    assert_eq!(watches.counts().watches, 0, "the child watch is used up without an event");
    watches.add(C, "/a", Table::Child, Mode::Standard);
    assert_eq!(deleted(&mut watches, "/a"), [3]);
}

#[test]
fn each_type_removes_its_own_kind() {
    use WatcherType::{Any, Children, Data, Persistent, PersistentRecursive};
    let mut watches = watches();
    watches.add(A, "/a", Table::Data, Mode::Standard);
    watches.add(A, "/a", Table::Child, Mode::Standard);
    watches.add_mode(A, "/a", Mode::Persistent);
    watches.add_mode(A, "/a", Mode::Recursive);
    watches.add(B, "/a", Table::Data, Mode::Standard);
    for kind in [PersistentRecursive, Persistent, Data, Children] {
        assert!(watches.has(A, "/a", kind), "{kind:?}");
        assert!(watches.remove(A, "/a", kind), "{kind:?}");
        assert!(!watches.has(A, "/a", kind), "{kind:?}");
        assert!(!watches.remove(A, "/a", kind), "{kind:?}");
    }
    assert!(!watches.remove(A, "/a", Any));
    assert!(watches.has(B, "/a", Any), "only this connection's watches");
    assert!(watches.remove(B, "/a", Any));
}

#[test]
fn a_connection_that_goes_takes_its_watches_along() {
    let mut watches = watches();
    for n in 0..1000 {
        let path = format!("/a/{n}");
        watches.add(A, &path, Table::Data, Mode::Standard);
        watches.add(B, &path, Table::Child, Mode::Standard);
    }
    watches.add_mode(A, "/a", Mode::Recursive);
    assert_eq!(watches.counts(), WatchCounts { connections: 2, paths: 1001, watches: 2001 });
    watches.remove_connection(A);
    watches.remove_connection(C);
    assert_eq!(watches.counts(), WatchCounts { connections: 1, paths: 1000, watches: 1000 });
    assert_eq!(data(&mut watches, "/a/7"), []);
    assert_eq!(children(&mut watches, "/a/7"), [2]);
    assert_eq!(watches.by_path().count(), 999);
}

/// Compat: the child table is not reported (`DataTree.dumpWatches`, 3.9.5).
#[test]
fn a_report_by_connection_shows_the_data_table() {
    let mut watches = watches();
    watches.add(A, "/data", Table::Data, Mode::Standard);
    watches.add(A, "/child", Table::Child, Mode::Standard);
    watches.add_mode(A, "/both", Mode::Persistent);
    let (conn, paths) = watches.data_by_connection().next().unwrap();
    assert_eq!((conn, paths.collect::<Vec<_>>()), (A, vec!["/data", "/both"]));
    assert_eq!(watches.by_path().count(), 3);
}

#[test]
fn a_path_of_a_hundred_thousand_components_costs_one_pass() {
    let mut watches = watches();
    watches.add_mode(A, "/", Mode::Recursive);
    let path = "/x".repeat(100_000);
    watches.add_mode(B, &path, Mode::Recursive);
    assert_eq!(data(&mut watches, &path), [1, 2]);
}

/// Compat: no path is checked, and one that no znode can have never fires
/// (`FinalRequestProcessor`, 3.9.5).
#[test]
fn odd_paths_register_and_stay_silent() {
    let mut watches = watches();
    for path in ["", "t", "/w/"] {
        assert!(watches.add_mode(A, path, Mode::Recursive));
    }
    assert_eq!(data(&mut watches, "/w/x"), []);
    assert!(watches.remove(A, "/w/", WatcherType::Any));
}

#[test]
fn who_watched_first_hears_first() {
    let mut watches = watches();
    for conn in [C, A, B] {
        watches.add(conn, "/a", Table::Data, Mode::Standard);
    }
    watches.remove(A, "/a", WatcherType::Data);
    watches.add(A, "/a", Table::Data, Mode::Standard);
    assert_eq!(data(&mut watches, "/a"), [3, 2, 1], "H3");
}

#[test]
fn there_is_a_last_watch_a_connection_may_have() {
    let mut watches = Watches::with_limit(7, 100);
    for n in 0..100 {
        assert!(watches.add(A, &format!("/{n}"), Table::Data, Mode::Standard));
    }
    assert!(!watches.add(A, "/more", Table::Data, Mode::Standard));
    assert!(watches.add(A, "/7", Table::Child, Mode::Standard), "what is known may grow");
    assert!(watches.add(B, "/more", Table::Data, Mode::Standard));
    assert_eq!(watches.counts().paths, 101, "H1: the refused one left nothing");
}
