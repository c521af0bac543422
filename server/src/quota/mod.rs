//! Quotas: how many znodes and bytes may stand below a path, and how many do.
//!
//! Clients keep both as znodes, `/zookeeper/quota<path>/zookeeper_limits` and `…/zookeeper_stats`,
//! whose text the server reads and, for the counts, rewrites in place: no txn, no version, no watch.
//! So the counts are local to each server, and the digest leaves them out.
//!
//! Invariants:
//! - Q1. A path has the quota of its longest prefix with a limits znode, and of no other.
//! - Q2. No text of a client's can stop the server: what does not parse limits nothing.
//!
//! Not here: when limits are enforced (`prep`, by `enforceQuota`).

mod namespaces;
mod prefixes;
mod text;

pub use namespaces::{NamespaceSums, Usage, namespaces};

use crate::tree::{QUOTA_PATH, Tree, ZnodeId};
use prefixes::Prefixes;
use text::Figures;

/// The last component of a znode that holds limits.
pub const LIMITS: &str = "zookeeper_limits";

/// The last component of a znode that holds counts.
pub const STATS: &str = "zookeeper_stats";

/// The quotas of one tree.
#[derive(Default)]
pub struct Quotas {
    prefixes: Prefixes,
    /// A path under construction, kept for its capacity.
    path: String,
    /// Text under construction.
    text: Vec<u8>,
}

/// What a change does to a quota.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    Within,
    /// Allowed; ZooKeeper says so in its log.
    AboveSoftLimit,
    /// To be refused with `QUOTA_EXCEEDED`.
    AboveHardLimit,
}

/// Whether to refuse a create or setData of this path with `BAD_ARGUMENTS`.
///
/// Compat: a quota znode without a namespace, or with text that does not parse, ends Java's servers
/// for good, each restart included (`DataTree.createNode`, `StatsTrack`, 3.9.5). Newer ones refuse
/// it with this code; we also keep it from Java peers.
pub fn is_refused(path: &str, data: Option<&[u8]>) -> bool {
    let Some(namespace) = namespace(path, LIMITS).or_else(|| namespace(path, STATS)) else {
        return false;
    };
    namespace.is_empty() || data.and_then(Figures::parse).is_none()
}

/// The path whose quota znode this is, if its last component is `name`.
fn namespace<'a>(path: &'a str, name: &str) -> Option<&'a str> {
    let namespace = path.strip_prefix(QUOTA_PATH)?.strip_suffix(name)?.strip_suffix('/')?;
    (namespace.is_empty() || namespace.starts_with('/')).then_some(namespace)
}

impl Quotas {
    pub fn new() -> Self {
        Self::default()
    }

    /// Finds the quotas of a tree just restored, and counts what stands below each.
    pub fn restore(&mut self, tree: &mut Tree) {
        self.prefixes = Prefixes::default();
        let Some(top) = tree.find(QUOTA_PATH) else { return };
        let limits: Vec<ZnodeId> =
            tree.subtree(top).filter(|id| tree.name(*id) == LIMITS).collect();
        for id in limits {
            let mut path = String::new();
            tree.path_into(id, &mut path);
            if let Some(namespace) = namespace(&path, LIMITS).filter(|path| !path.is_empty()) {
                self.prefixes.insert(namespace);
                self.recount(tree, namespace);
            }
        }
    }

    /// A znode was made, with so much data.
    pub fn on_created(&mut self, tree: &mut Tree, path: &str, length: usize) {
        if let Some(namespace) = namespace(path, LIMITS).filter(|path| !path.is_empty()) {
            self.prefixes.insert(namespace);
        }
        if let Some(namespace) = namespace(path, STATS) {
            self.recount(tree, namespace);
        }
        self.add(tree, path, 1, signed(length));
    }

    /// A znode is gone, which had so much data.
    pub fn on_deleted(&mut self, tree: &mut Tree, path: &str, length: usize) {
        if let Some(namespace) = namespace(path, LIMITS) {
            self.prefixes.remove(namespace);
        }
        self.add(tree, path, -1, -signed(length));
    }

    /// A znode's data went from one length to another.
    pub fn on_data_set(&mut self, tree: &mut Tree, path: &str, before: usize, after: usize) {
        self.add(tree, path, 0, signed(after) - signed(before));
    }

    /// The longest prefix of a path that has a quota (Q1).
    pub fn prefix<'a>(&self, path: &'a str) -> Option<&'a str> {
        self.prefixes.longest(path)
    }

    /// What the limits say to so many more znodes and bytes at a path.
    ///
    /// Compat: a figure that does not change is not checked, however far above its limit it stands;
    /// the hard limit hides the soft one (`ZooKeeperServer.checkQuota`, 3.9.5).
    pub fn check(&self, tree: &Tree, path: &str, count: i64, bytes: i64) -> Verdict {
        let Some(prefix) = self.prefix(path) else { return Verdict::Within };
        let figures = |name: &str| {
            let id = tree.find(&format!("{QUOTA_PATH}{prefix}/{name}"))?;
            tree.data(id).and_then(Figures::parse)
        };
        let (Some(limits), Some(used)) = (figures(LIMITS), figures(STATS)) else {
            return Verdict::Within;
        };
        let by_count = verdict(used.count, count, limits.count, limits.count_hard);
        let by_bytes = verdict(used.bytes, bytes, limits.bytes, limits.bytes_hard);
        match (by_count, by_bytes) {
            (Verdict::AboveHardLimit, _) | (_, Verdict::AboveHardLimit) => Verdict::AboveHardLimit,
            (Verdict::Within, Verdict::Within) => Verdict::Within,
            _ => Verdict::AboveSoftLimit,
        }
    }

    /// Every quota's path.
    pub fn paths(&self) -> Vec<String> {
        self.prefixes.iter().map(str::to_owned).collect()
    }

    fn add(&mut self, tree: &mut Tree, path: &str, count: i64, bytes: i64) {
        let Some(prefix) = self.prefixes.longest(path) else { return };
        let Some(id) = self.stats_znode(tree, prefix) else { return };
        let Some(mut figures) = tree.data(id).and_then(Figures::parse) else { return };
        figures.count = figures.count.wrapping_add(count);
        figures.bytes = figures.bytes.wrapping_add(bytes);
        self.text.clear();
        figures.write(&mut self.text);
        tree.replace_data(id, Some(&self.text));
    }

    fn recount(&mut self, tree: &mut Tree, namespace: &str) {
        let Some(stats) = self.stats_znode(tree, namespace) else { return };
        let mut figures = Figures::default();
        (figures.count, figures.bytes) = (0, 0);
        if let Some(top) = tree.find(namespace) {
            for id in tree.subtree(top) {
                figures.count += 1;
                figures.bytes += signed(tree.get(id).data_length());
            }
        }
        self.text.clear();
        figures.write(&mut self.text);
        tree.replace_data(stats, Some(&self.text));
    }

    fn stats_znode(&mut self, tree: &Tree, namespace: &str) -> Option<ZnodeId> {
        self.path.clear();
        for part in [QUOTA_PATH, namespace, "/", STATS] {
            self.path.push_str(part);
        }
        tree.find(&self.path)
    }
}

fn signed(length: usize) -> i64 {
    i64::try_from(length).expect("data fits a frame")
}

fn verdict(used: i64, more: i64, soft: i64, hard: i64) -> Verdict {
    let limit = if hard > -1 { hard } else { soft };
    if more == 0 || limit < 0 || used.wrapping_add(more) <= limit {
        Verdict::Within
    } else if hard > -1 {
        Verdict::AboveHardLimit
    } else {
        Verdict::AboveSoftLimit
    }
}

#[cfg(test)]
mod tests {
    use ringkeeper_engine::zxid::Zxid;

    use super::*;
    use crate::tree::{AclId, NewZnode, OwnerRules};

    struct Server {
        tree: Tree,
        quotas: Quotas,
    }

    impl Server {
        fn new() -> Self {
            Self { tree: Tree::new(OwnerRules::default()), quotas: Quotas::new() }
        }

        fn create(&mut self, path: &str, data: &str) {
            let new = NewZnode {
                path,
                data: Some(data.as_bytes()),
                acl: AclId::OPEN,
                owner: 0,
                parent_cversion: -1,
                zxid: Zxid(1),
                time: 1,
            };
            self.tree.create(&new).unwrap();
            self.quotas.on_created(&mut self.tree, path, data.len());
        }

        fn delete(&mut self, path: &str) {
            let removed = self.tree.delete(path, Zxid(2)).unwrap();
            self.quotas.on_deleted(&mut self.tree, path, removed.data_length);
        }

        fn with_quota(limits: &str) -> Self {
            let mut server = Self::new();
            server.create("/app", "12");
            server.create("/app/a", "345");
            server.create("/zookeeper/quota/app", "");
            server.create("/zookeeper/quota/app/zookeeper_limits", limits);
            server.create("/zookeeper/quota/app/zookeeper_stats", "count=0,bytes=0");
            server
        }

        fn stats(&self) -> &str {
            let id = self.tree.find("/zookeeper/quota/app/zookeeper_stats").unwrap();
            std::str::from_utf8(self.tree.data(id).unwrap()).unwrap()
        }
    }

    #[test]
    fn counts_follow_what_happens_below_the_quota() {
        let mut server = Server::with_quota("count=5,bytes=-1");
        assert_eq!(server.stats(), "count=2,bytes=5");
        server.create("/app/b", "x");
        server.create("/apple", "outside");
        assert_eq!(server.stats(), "count=3,bytes=6");
        let id = server.tree.find("/app/b").unwrap();
        server.tree.set_data(id, Some(b"xyz"), 1, Zxid(3), 3);
        server.quotas.on_data_set(&mut server.tree, "/app/b", 1, 3);
        assert_eq!(server.stats(), "count=3,bytes=8");
        server.delete("/app/b");
        assert_eq!(server.stats(), "count=2,bytes=5");
    }

    #[test]
    fn quotas_are_found_and_recounted_after_a_restart() {
        let mut server = Server::with_quota("count=5,bytes=-1");
        let stats = server.tree.find("/zookeeper/quota/app/zookeeper_stats").unwrap();
        server.tree.replace_data(stats, Some(b"count=99,bytes=99"));
        let mut quotas = Quotas::new();
        quotas.restore(&mut server.tree);
        assert_eq!(server.stats(), "count=2,bytes=5");
        assert_eq!(quotas.paths(), ["/app"]);
    }

    #[test]
    fn a_quota_ends_with_its_limits() {
        let mut server = Server::with_quota("count=5,bytes=-1");
        server.delete("/zookeeper/quota/app/zookeeper_limits");
        server.create("/app/b", "x");
        assert_eq!(server.stats(), "count=2,bytes=5");
        assert!(server.quotas.paths().is_empty());
    }

    #[test]
    fn hard_limits_refuse_and_soft_ones_warn() {
        let check = |limits: &str, count, bytes| {
            let server = Server::with_quota(limits);
            server.quotas.check(&server.tree, "/app/new", count, bytes)
        };
        assert_eq!(check("count=2,bytes=-1", 1, 9), Verdict::AboveSoftLimit);
        assert_eq!(check("count=3,bytes=-1", 1, 9), Verdict::Within);
        assert_eq!(check("count=-1,bytes=-1=;countHardLimit=2", 1, 0), Verdict::AboveHardLimit);
        assert_eq!(check("count=-1,bytes=-1=;byteHardLimit=6", 1, 2), Verdict::AboveHardLimit);
        assert_eq!(check("count=-1,bytes=-1=;byteHardLimit=6", 1, 1), Verdict::Within);
        assert_eq!(check("count=1,bytes=-1=;countHardLimit=9", 1, 0), Verdict::Within);
        assert_eq!(check("count=-1,bytes=-1=;countHardLimit=0", 0, 9), Verdict::Within);
        assert_eq!(check("nonsense", 1, 1), Verdict::Within);
    }

    #[test]
    fn what_would_end_java_servers_is_refused() {
        let refused = [
            ("/zookeeper/quota/zookeeper_limits", Some("count=1,bytes=1")),
            ("/zookeeper/quota/zookeeper_stats", Some("count=1,bytes=1")),
            ("/zookeeper/quota/a/zookeeper_limits", Some("garbage")),
            ("/zookeeper/quota/a/zookeeper_stats", Some("count")),
            ("/zookeeper/quota/a/zookeeper_stats", None),
        ];
        for (path, data) in refused {
            assert!(is_refused(path, data.map(str::as_bytes)), "{path} {data:?}");
        }
        let taken = [
            ("/zookeeper/quota/a/zookeeper_stats", Some("")),
            ("/zookeeper/quota/a/zookeeper_limits", Some("count=1,bytes=-1=;byteHardLimit=-1")),
            ("/zookeeper/quota/a", None),
            ("/a/zookeeper_limits", Some("garbage")),
            ("/zookeeper/quota/a/xzookeeper_limits", Some("garbage")),
        ];
        for (path, data) in taken {
            assert!(!is_refused(path, data.map(str::as_bytes)), "{path} {data:?}");
        }
    }

    /// Q2.
    #[test]
    fn znodes_that_kill_java_are_harmless_in_an_old_log() {
        let mut server = Server::with_quota("count=5,bytes=-1");
        server.create("/zookeeper/quota/zookeeper_limits", "x");
        server.create("/zookeeper/quota/zookeeper_stats", "x");
        let stats = server.tree.find("/zookeeper/quota/app/zookeeper_stats").unwrap();
        server.tree.set_data(stats, None, 1, Zxid(4), 4);
        server.create("/app/b", "x");
        server.delete("/zookeeper/quota/zookeeper_limits");
        assert_eq!(server.quotas.paths(), ["/app"]);
    }
}
