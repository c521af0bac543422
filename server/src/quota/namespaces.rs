//! Quotas summed by the first name of their path, for `mntr`.
//!
//! Not here: the keys (`admin`).

use std::collections::BTreeMap;

use super::text::Figures;
use super::{LIMITS, QUOTA_PATH, STATS};
use crate::tree::{Tree, ZnodeId};

/// What all quotas below one name under the root come to. A limit that is not set counts -1, as in
/// ZooKeeper (`QuotaMetricsUtils`, 3.9.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NamespaceSums {
    pub count_limit: i64,
    pub bytes_limit: i64,
    pub count_usage: i64,
    pub bytes_usage: i64,
}

/// The sums of every namespace that has a quota.
pub fn namespaces(tree: &Tree) -> BTreeMap<String, NamespaceSums> {
    let mut sums = BTreeMap::new();
    let Some(root) = tree.find(QUOTA_PATH) else { return sums };
    for top in tree.child_ids(root) {
        let sum: &mut NamespaceSums = sums.entry(tree.name(top).to_owned()).or_default();
        for znode in tree.subtree(top) {
            add(tree, znode, sum);
        }
    }
    sums
}

fn add(tree: &Tree, znode: ZnodeId, sum: &mut NamespaceSums) {
    let name = tree.name(znode);
    if name != LIMITS && name != STATS {
        return;
    }
    let Some(figures) = tree.data(znode).and_then(Figures::parse) else { return };
    if name == STATS {
        sum.count_usage += figures.count;
        sum.bytes_usage += figures.bytes;
    } else {
        let limit = |hard: i64, soft: i64| if hard > -1 { hard } else { soft };
        sum.count_limit += limit(figures.count_hard, figures.count);
        sum.bytes_limit += limit(figures.bytes_hard, figures.bytes);
    }
}
