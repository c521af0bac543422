//! Random changes for tests: a small universe of paths, so that everything collides.

use std::collections::BTreeMap;

use ringkeeper_engine::zxid::Zxid;

use crate::tree::{
    AclId, CONTAINER, CreateError, Created, DeleteError, NewZnode, OwnerRules, Removed,
    StatPersisted, Tree, ZnodeId, ttl_owner,
};

/// SplitMix64: the same numbers for the same seed, everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Create { path: String, data: Option<Vec<u8>>, acl: AclId, owner: i64, cversion: i32 },
    Delete { path: String },
    SetData { path: String, data: Option<Vec<u8>>, version: i32 },
    SetAcl { path: String, acl: AclId, version: i32 },
}

/// What a change came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    Created(Result<Created, CreateError>),
    Deleted(Result<Removed, DeleteError>),
    /// Whether the znode was there.
    Set(bool),
}

pub(crate) const RULES: OwnerRules = OwnerRules { extended_types: true, emulate_353: false };

const NAMES: [&str; 7] = ["a", "b", "c", "ä", "a-", "eight888", "a name of more than eight bytes"];

pub(crate) fn path(random: &mut Random) -> String {
    let mut path = String::new();
    for _ in 0..=random.below(3) {
        path.push('/');
        path.push_str(NAMES[random.below(NAMES.len())]);
    }
    path
}

pub(crate) fn op(random: &mut Random) -> Op {
    let path = path(random);
    let acl = [AclId::OPEN, AclId(1), AclId(2)][random.below(3)];
    let data = match random.below(4) {
        0 => None,
        n => Some(vec![random.next() as u8; n * random.below(9)]),
    };
    let version = random.below(5) as i32;
    match random.below(10) {
        0..5 => {
            let owners = [0, 0, 0, CONTAINER, ttl_owner(9).unwrap(), 0x51, 0x52];
            let owner = owners[random.below(owners.len())];
            let cversion = if random.below(4) == 0 { random.below(9) as i32 } else { -1 };
            Op::Create { path, data, acl, owner, cversion }
        }
        5..8 => Op::Delete { path },
        8 => Op::SetData { path, data, version },
        _ => Op::SetAcl { path, acl, version },
    }
}

pub(crate) fn apply(tree: &mut Tree, op: &Op, zxid: i64) -> Outcome {
    let (zxid, time) = (Zxid(zxid), zxid * 10);
    match op {
        Op::Create { path, data, acl, owner, cversion } => {
            Outcome::Created(tree.create(&NewZnode {
                path,
                data: data.as_deref(),
                acl: *acl,
                owner: *owner,
                parent_cversion: *cversion,
                zxid,
                time,
            }))
        }
        Op::Delete { path } => Outcome::Deleted(tree.delete(path, zxid)),
        Op::SetData { path, data, version } => {
            let found = tree.find(path);
            if let Some(id) = found {
                tree.set_data(id, data.as_deref(), *version, zxid, time);
            }
            Outcome::Set(found.is_some())
        }
        Op::SetAcl { path, acl, version } => {
            let found = tree.find(path);
            if let Some(id) = found {
                tree.set_acl(id, *acl, *version);
            }
            Outcome::Set(found.is_some())
        }
    }
}

/// What a snapshot keeps of a znode.
pub(crate) type Kept = (Option<Vec<u8>>, i64, StatPersisted);

/// The whole tree by path.
pub(crate) fn dump(tree: &Tree) -> BTreeMap<String, Kept> {
    let kept = |id: ZnodeId| {
        let mut path = String::new();
        tree.path_into(id, &mut path);
        let znode = tree.get(id);
        let data = tree.data(id).map(<[u8]>::to_vec);
        (path, (data, znode.acl.persisted(), znode.persisted()))
    };
    tree.subtree(ZnodeId::ROOT).map(kept).collect()
}
