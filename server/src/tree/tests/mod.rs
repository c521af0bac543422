//! The tree against a map of strings that does the same in the plainest way.

pub(crate) mod workload;

use std::collections::BTreeMap;

use super::{CreateError, DeleteError, Owner, StatPersisted, Tree, ZnodeId, split};
use workload::{Kept, Op, Outcome, RULES, Random, apply, dump, op, path};

type Model = BTreeMap<String, Kept>;

/// Does what `apply` does; says whether it succeeded.
fn model_apply(model: &mut Model, op: &Op, zxid: i64) -> bool {
    match op {
        Op::Create { path, data, acl, owner, cversion } => {
            let (above, _) = split(path).unwrap();
            if model.contains_key(path) || !model.contains_key(above) {
                return false;
            }
            let parent = &mut model.get_mut(above).unwrap().2;
            let cversion = if *cversion == -1 { parent.cversion + 1 } else { *cversion };
            if cversion > parent.cversion {
                (parent.cversion, parent.pzxid) = (cversion, zxid);
            }
            let stat = StatPersisted {
                czxid: zxid,
                mzxid: zxid,
                pzxid: zxid,
                ctime: zxid * 10,
                mtime: zxid * 10,
                owner: *owner,
                ..StatPersisted::default()
            };
            model.insert(path.clone(), (data.clone(), acl.persisted(), stat));
            true
        }
        Op::Delete { path } => {
            let (above, _) = split(path).unwrap();
            let Some(parent) = model.get_mut(above) else { return false };
            parent.2.pzxid = parent.2.pzxid.max(zxid);
            let below = format!("{path}/");
            model.retain(|other, _| !other.starts_with(&below));
            model.remove(path).is_some()
        }
        Op::SetData { path, data, version } => {
            let Some((kept, _, stat)) = model.get_mut(path) else { return false };
            kept.clone_from(data);
            (stat.version, stat.mzxid, stat.mtime) = (*version, zxid, zxid * 10);
            true
        }
        Op::SetAcl { path, acl, version } => {
            let Some((_, kept, stat)) = model.get_mut(path) else { return false };
            (*kept, stat.aversion) = (acl.persisted(), *version);
            true
        }
    }
}

fn succeeded(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Created(result) => result.is_ok(),
        Outcome::Deleted(result) => result.is_ok(),
        Outcome::Set(found) => *found,
    }
}

/// T1, T2 and T4: every way to find or count znodes agrees with the model.
fn compare(tree: &Tree, model: &Model) {
    assert_eq!(dump(tree), *model);
    assert_eq!(tree.count(), model.len() + 1);
    let size: usize = model
        .iter()
        .map(|(path, (data, ..))| path.encode_utf16().count() + data.as_ref().map_or(0, Vec::len))
        .sum();
    assert_eq!(tree.approximate_data_size(), size as u64 + 1, "T4");
    let mut kinds: BTreeMap<String, Vec<ZnodeId>> = BTreeMap::new();
    for (path, (_, _, stat)) in model {
        let id = tree.find(path).expect("T1: in the index");
        let below = format!("{path}/");
        let names: Vec<&str> =
            model.keys().filter_map(|other| other.strip_prefix(&below)).collect();
        assert_eq!(tree.descendants(id), names.len() as u64);
        let mut children: Vec<&str> = tree.children(id).collect();
        children.sort_unstable();
        let direct = names.into_iter().filter(|name| !name.contains('/'));
        assert_eq!(children, direct.collect::<Vec<_>>(), "T1: in the parent's list");
        kinds.entry(format!("{:?}", RULES.classify(stat.owner))).or_default().push(id);
    }
    let listed = |owner: Owner| {
        let mut ids: Vec<ZnodeId> = match owner {
            Owner::Ephemeral(session) => tree.ephemerals(session).collect(),
            Owner::Container => tree.containers().collect(),
            _ => tree.ttl_znodes().collect(),
        };
        ids.sort_unstable();
        let mut expected = kinds.get(&format!("{owner:?}")).cloned().unwrap_or_default();
        expected.sort_unstable();
        assert_eq!(ids, expected, "T2: {owner:?}");
        ids.len()
    };
    let owners = [Owner::Ephemeral(0x51), Owner::Ephemeral(0x52), Owner::Container, Owner::Ttl(9)];
    let counts: Vec<usize> = owners.into_iter().map(listed).collect();
    assert_eq!(tree.ephemerals_count(), counts[0] + counts[1]);
    let sessions = tree.sessions_with_ephemerals().count();
    assert_eq!(sessions, counts[..2].iter().filter(|count| **count > 0).count());
}

#[test]
fn random_changes_leave_what_a_plain_map_would_hold() {
    for seed in 1..=8 {
        println!("seed {seed}");
        let mut random = Random(seed);
        let mut tree = Tree::new(RULES);
        let mut model = dump(&tree);
        for zxid in 1..=1500 {
            let op = op(&mut random);
            let outcome = apply(&mut tree, &op, zxid);
            assert_eq!(succeeded(&outcome), model_apply(&mut model, &op, zxid), "{op:?}");
            let probe = path(&mut random);
            assert_eq!(tree.find(&probe).is_some(), model.contains_key(&probe), "{probe}");
            if zxid % 50 == 0 {
                compare(&tree, &model);
            }
        }
    }
}

fn make(path: &str) -> Op {
    let acl = super::AclId::OPEN;
    Op::Create { path: path.into(), data: None, acl, owner: 0, cversion: -1 }
}

#[test]
fn unclean_paths_miss() {
    let mut tree = Tree::new(RULES);
    apply(&mut tree, &make("/a"), 1);
    apply(&mut tree, &make("/a/b"), 2);
    for path in ["a", "a/b", "//a", "/a/", "/a//b", "/a/b/", "/a/ b", "//", "b"] {
        assert_eq!(tree.find(path), None, "{path}");
    }
    assert_eq!(tree.find(""), Some(ZnodeId::ROOT));
    assert_eq!(tree.find("/"), Some(ZnodeId::ROOT));
    let created = |tree: &mut Tree, path: &str| apply(tree, &make(path), 3);
    for path in ["/a/", "x", "", "/nowhere/x", "/"] {
        let outcome = created(&mut tree, path);
        assert_eq!(outcome, Outcome::Created(Err(CreateError::NoParent)), "{path:?}");
    }
}

#[test]
fn t5_a_parent_that_went_is_none_also_where_its_slot_is_used_again() {
    let mut tree = Tree::new(RULES);
    let gone = |path: &str| Op::Delete { path: path.into() };
    for op in [make("/a"), make("/a/b"), gone("/a/b"), gone("/a"), make("/c")] {
        assert!(succeeded(&apply(&mut tree, &op, 1)), "{op:?}");
    }
    let outcome = apply(&mut tree, &make("/a/b"), 2);
    assert_eq!(outcome, Outcome::Created(Err(CreateError::NoParent)));
    // With what stands below it, as over a snapshot that is not of one moment.
    for op in [make("/a"), make("/a/b"), make("/a/b/d"), gone("/a"), make("/e")] {
        assert!(succeeded(&apply(&mut tree, &op, 3)), "{op:?}");
    }
    let outcome = apply(&mut tree, &make("/a/b/d"), 4);
    assert_eq!(outcome, Outcome::Created(Err(CreateError::NoParent)));
}

/// Compat: `DataTree.createNode` and `deleteNode`, 3.9.5.
#[test]
fn replaying_what_a_snapshot_holds_only_raises_the_parents_numbers() {
    let mut tree = Tree::new(RULES);
    let root = ZnodeId::ROOT;
    tree.raise_cversion(root, 7, ringkeeper_engine::zxid::Zxid(20));
    let create = Op::Create {
        path: "/a".into(),
        data: None,
        acl: super::AclId::OPEN,
        owner: 0,
        cversion: 5,
    };
    apply(&mut tree, &create, 10);
    assert_eq!((tree.get(root).cversion, tree.get(root).pzxid), (7, 20));
    assert!(matches!(
        apply(&mut tree, &create, 30),
        Outcome::Created(Err(CreateError::Exists { .. }))
    ));
    assert_eq!((tree.get(root).cversion, tree.get(root).pzxid), (7, 20));
    let missing = Op::Delete { path: "/b".into() };
    let outcome = apply(&mut tree, &missing, 31);
    assert_eq!(outcome, Outcome::Deleted(Err(DeleteError::NoZnode { parent: root })));
    assert_eq!((tree.get(root).cversion, tree.get(root).pzxid), (7, 31));
    tree.raise_cversion(root, i32::MAX, ringkeeper_engine::zxid::Zxid(32));
    tree.raise_cversion(root, -1, ringkeeper_engine::zxid::Zxid(33));
    assert_eq!((tree.get(root).cversion, tree.get(root).pzxid), (i32::MAX, 32));
}

/// Compat: `DataNode.copyStat`, 3.9.5.
#[test]
fn clients_see_changes_of_children_and_owners_of_ephemerals_alone() {
    let mut tree = Tree::new(RULES);
    assert_eq!(tree.stat(ZnodeId::ROOT).cversion, -1);
    assert_eq!(tree.stat(tree.find("/zookeeper").unwrap()).cversion, -2);
    let config = tree.stat(tree.find("/zookeeper/config").unwrap());
    assert_eq!((config.aversion, config.data_length), (-1, 0));
    for (at, (owner, shown)) in
        [(0x51, 0x51), (super::CONTAINER, 0), (super::ttl_owner(5).unwrap(), 0)].iter().enumerate()
    {
        let path = format!("/{at}");
        let acl = super::AclId::OPEN;
        let create =
            Op::Create { path: path.clone(), data: None, acl, owner: *owner, cversion: -1 };
        apply(&mut tree, &create, 1);
        let id = tree.find(&path).unwrap();
        assert_eq!(tree.stat(id).ephemeral_owner, *shown);
    }
    assert_eq!(tree.stat(ZnodeId::ROOT).cversion, 3 * 2 - 4);
    apply(&mut tree, &Op::Delete { path: "/0".into() }, 2);
    assert_eq!(tree.stat(ZnodeId::ROOT).cversion, 3 * 2 - 3);
}
