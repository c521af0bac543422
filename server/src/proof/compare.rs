//! Two trees, znode by znode: where ours differed from the leader's.
//!
//! Ours stands at an earlier zxid than the leader's, because it was given up to be sent the other.
//! What a later txn can have changed is told by the stats, which carry zxids: a znode created,
//! written, or whose children changed after our zxid is not held against anybody in what that
//! explains. Two changes leave no zxid behind, a new access list (only its count) and a removal
//! beside later changes of the same parent: these are doubtful, and reported as such.
//!
//! The digest is a check on the outcome: where the differing znodes' digests differ in sum by what
//! the trees' digests did, nothing else differed in what digests cover.
//!
//! Compat: `/zookeeper/config` and the statistics of quotas are each server's own (`DataTree`,
//! 3.9.5).

use std::fmt::Write as _;

use ringkeeper_engine::zxid::Zxid;

use crate::acl::AclTable;
use crate::apply::Database;
use crate::tree::{CONFIG_PATH, Tree, Znode, ZnodeId, split};
use crate::wire::Acl;

/// Differences told in full.
const TOLD: usize = 16;

/// One field of one znode.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    pub path: String,
    pub field: &'static str,
    pub ours: String,
    pub leaders: String,
}

/// What came out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Comparison {
    /// Our tree was that of this zxid, the leader's of that.
    pub ours: Zxid,
    pub leaders: Zxid,
    /// Znodes looked at, of either tree.
    pub znodes: u64,
    /// Znodes of which some field could not be judged, because it changed in between.
    pub changed: u64,
    /// Znodes that differ.
    pub differing: u64,
    /// Znodes that differ, unless a txn in between did it.
    pub doubtful: u64,
    /// The smallest subtree that holds all that differ; of the doubtful where none does for certain.
    pub subtree: String,
    /// The first of them.
    pub first: Vec<Difference>,
    /// Whether the differing znodes explain the difference of the digests, to the number.
    pub explains: bool,
}

/// Compares. `difference`: the leader's digest less ours after our last txn.
pub fn compare(ours: &Database, leaders: &Database, difference: i64) -> Comparison {
    let mut walk = Walk {
        ours,
        leaders,
        upto: ours.last_zxid(),
        found: Found::default(),
        doubts: Found::default(),
        changed: 0,
        znodes: 0,
    };
    walk.over_theirs();
    walk.over_ours();
    let Walk { found, doubts, changed, znodes, upto, .. } = walk;
    let (differing, doubtful) = (found.znodes, doubts.znodes);
    let explains = found.is_whole && found.digests == difference && differing > 0;
    let shown = if differing > 0 { found } else { doubts };
    Comparison {
        ours: upto,
        leaders: leaders.last_zxid(),
        znodes,
        changed,
        differing,
        doubtful,
        subtree: shown.subtree.unwrap_or_default(),
        first: shown.first,
        explains,
    }
}

struct Walk<'a> {
    ours: &'a Database,
    leaders: &'a Database,
    /// The last txn that our tree holds.
    upto: Zxid,
    found: Found,
    doubts: Found,
    changed: u64,
    znodes: u64,
}

/// Znodes that differ.
struct Found {
    znodes: u64,
    subtree: Option<String>,
    first: Vec<Difference>,
    /// By how much the digests of these znodes differ.
    digests: i64,
    /// No field of these znodes had to be left out.
    is_whole: bool,
}

impl Default for Found {
    fn default() -> Self {
        Self { znodes: 0, subtree: None, first: Vec::new(), digests: 0, is_whole: true }
    }
}

impl Found {
    fn note(&mut self, path: &str, fields: Vec<Field>, digests: (u32, u32), is_whole: bool) {
        self.znodes += 1;
        self.is_whole &= is_whole;
        self.digests =
            self.digests.wrapping_add(i64::from(digests.1)).wrapping_sub(i64::from(digests.0));
        self.subtree = Some(match self.subtree.take() {
            None => path.to_owned(),
            Some(subtree) => common(subtree, path),
        });
        for Field { name, ours, leaders } in fields {
            if self.first.len() < TOLD {
                let path = shown(path);
                self.first.push(Difference { path, field: name, ours, leaders });
            }
        }
    }
}

/// One field that differs.
struct Field {
    name: &'static str,
    ours: String,
    leaders: String,
}

impl Walk<'_> {
    fn over_theirs(&mut self) {
        let mut path = String::new();
        for id in self.leaders.tree.subtree(ZnodeId::ROOT) {
            path.clear();
            self.leaders.tree.path_into(id, &mut path);
            if differs_by_nature(&path) {
                continue;
            }
            self.znodes += 1;
            let theirs = self.leaders.tree.get(id);
            match self.ours.tree.find(&path) {
                Some(ours) => self.both(&path, ours, id),
                None if theirs.persisted().czxid > self.upto.0 => self.changed += 1,
                None => {
                    let field = presence("absent", "present");
                    self.found.note(&path, vec![field], (0, theirs.digest), true);
                }
            }
        }
    }

    fn over_ours(&mut self) {
        let mut path = String::new();
        for id in self.ours.tree.subtree(ZnodeId::ROOT) {
            path.clear();
            self.ours.tree.path_into(id, &mut path);
            if differs_by_nature(&path) || self.leaders.tree.find(&path).is_some() {
                continue;
            }
            self.znodes += 1;
            let field = presence("present", "absent");
            let may_be_later = survivor(&self.leaders.tree, &path).persisted().pzxid > self.upto.0;
            let whose = if may_be_later { &mut self.doubts } else { &mut self.found };
            whose.note(&path, vec![field], (self.ours.tree.get(id).digest, 0), true);
        }
    }

    /// The znode is in both trees.
    fn both(&mut self, path: &str, ours: ZnodeId, leaders: ZnodeId) {
        let (our_tree, their_tree) = (&self.ours.tree, &self.leaders.tree);
        let (here, theirs) = (our_tree.get(ours), their_tree.get(leaders));
        let (a, b) = (here.persisted(), theirs.persisted());
        let is_later = |zxid: i64| zxid > self.upto.0;
        if is_later(b.czxid) {
            self.changed += 1;
            return;
        }
        let mut fields = Vec::new();
        let mut put = |name, a: i64, b: i64| {
            if a != b {
                fields.push(Field { name, ours: a.to_string(), leaders: b.to_string() });
            }
        };
        put("czxid", a.czxid, b.czxid);
        put("ctime", a.ctime, b.ctime);
        put("ephemeralOwner", a.owner, b.owner);
        if !is_later(b.pzxid) {
            put("cversion", a.cversion.into(), b.cversion.into());
            put("pzxid", a.pzxid, b.pzxid);
        }
        if !is_later(b.mzxid) {
            put("mzxid", a.mzxid, b.mzxid);
            put("mtime", a.mtime, b.mtime);
            put("version", a.version.into(), b.version.into());
            fields.extend(data(our_tree.data(ours), their_tree.data(leaders)));
        }
        let mut lists = Vec::new();
        lists.extend(list(self.list(&self.ours.acls, here), self.list(&self.leaders.acls, theirs)));
        if a.aversion == b.aversion {
            fields.append(&mut lists);
        } else {
            let (ours, leaders) = (a.aversion.to_string(), b.aversion.to_string());
            lists.push(Field { name: "aversion", ours, leaders });
        }
        let is_whole = !is_later(b.pzxid) && !is_later(b.mzxid);
        self.changed += u64::from(!is_whole);
        let digests = (here.digest, theirs.digest);
        if !fields.is_empty() || a.aversion > b.aversion {
            fields.append(&mut lists);
            self.found.note(path, fields, digests, is_whole);
        } else if !lists.is_empty() {
            self.doubts.note(path, lists, digests, is_whole);
        }
    }

    fn list<'t>(&self, acls: &'t AclTable, znode: &Znode) -> &'t [Acl] {
        acls.list(znode.acl)
    }
}

fn differs_by_nature(path: &str) -> bool {
    path == CONFIG_PATH
        || (path.starts_with("/zookeeper/quota/") && path.ends_with("/zookeeper_stats"))
}

fn presence(ours: &str, leaders: &str) -> Field {
    Field { name: "znode", ours: ours.to_owned(), leaders: leaders.to_owned() }
}

/// The nearest ancestor that the tree has; the root always is.
fn survivor<'t>(tree: &'t Tree, path: &str) -> &'t Znode {
    let mut at = path;
    loop {
        at = split(at).map_or("", |(above, _)| above);
        if let Some(id) = tree.find(at) {
            return tree.get(id);
        }
    }
}

/// Where data differs. It may be a secret: one byte of it is told, and the lengths.
fn data(ours: Option<&[u8]>, leaders: Option<&[u8]>) -> Option<Field> {
    if ours == leaders {
        return None;
    }
    let at = match (ours, leaders) {
        (Some(a), Some(b)) => a.iter().zip(b).take_while(|(a, b)| a == b).count(),
        _ => 0,
    };
    let tell = |bytes: Option<&[u8]>| match bytes {
        None => "null".to_owned(),
        Some(bytes) => match bytes.get(at) {
            Some(byte) => format!("{} bytes, {byte:#04x} at {at}", bytes.len()),
            None => format!("{} bytes", bytes.len()),
        },
    };
    Some(Field { name: "data", ours: tell(ours), leaders: tell(leaders) })
}

fn list(ours: &[Acl], leaders: &[Acl]) -> Option<Field> {
    let tell = |list: &[Acl]| {
        let mut text = String::new();
        for acl in list {
            let comma = if text.is_empty() { "" } else { "," };
            // What follows the first colon of a digest id proves a password.
            let id = acl.id.split(':').next().unwrap_or_default();
            let _ = write!(text, "{comma}{}:{id}:{}", acl.scheme, acl.perms);
        }
        text
    };
    (ours != leaders).then(|| Field { name: "acl", ours: tell(ours), leaders: tell(leaders) })
}

/// The longest path above or at both.
fn common(mut subtree: String, path: &str) -> String {
    let is_at_or_below = |top: &str| {
        path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    while !is_at_or_below(&subtree) {
        let above = split(&subtree).map_or(0, |(above, _)| above.len());
        subtree.truncate(above);
    }
    subtree
}

/// A path on one line of text.
pub(super) fn shown(path: &str) -> String {
    if path.is_empty() {
        return "/".to_owned();
    }
    let mut text = String::with_capacity(path.len());
    for letter in path.chars() {
        if letter.is_control() || letter == '\\' {
            text.extend(letter.escape_default());
        } else {
            text.push(letter);
        }
    }
    text
}
