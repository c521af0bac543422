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
    /// `None` where nothing is counted: a limits znode without its stats.
    pub usage: Option<Usage>,
}

/// What is used of quotas.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    pub count: i64,
    pub bytes: i64,
}

/// The sums of every namespace that has a quota.
pub fn namespaces(tree: &Tree) -> BTreeMap<String, NamespaceSums> {
    let mut sums = BTreeMap::new();
    let Some(root) = tree.find(QUOTA_PATH) else { return sums };
    for top in tree.child_ids(root) {
        let mut sum = NamespaceSums::default();
        let mut has_quota = false;
        for limits in tree.subtree(top).filter(|znode| tree.name(*znode) == LIMITS) {
            has_quota = true;
            add_limits(tree, limits, &mut sum);
            let stats = tree.parent(limits).and_then(|place| tree.child(place, STATS));
            if let Some(stats) = stats {
                add_usage(tree, stats, &mut sum);
            }
        }
        if has_quota {
            sums.insert(tree.name(top).to_owned(), sum);
        }
    }
    sums
}

fn add_limits(tree: &Tree, znode: ZnodeId, sum: &mut NamespaceSums) {
    let Some(figures) = tree.data(znode).and_then(Figures::parse) else { return };
    let limit = |hard: i64, soft: i64| if hard > -1 { hard } else { soft };
    sum.count_limit += limit(figures.count_hard, figures.count);
    sum.bytes_limit += limit(figures.bytes_hard, figures.bytes);
}

fn add_usage(tree: &Tree, znode: ZnodeId, sum: &mut NamespaceSums) {
    let Some(figures) = tree.data(znode).and_then(Figures::parse) else { return };
    let usage = sum.usage.get_or_insert_default();
    usage.count += figures.count;
    usage.bytes += figures.bytes;
}
