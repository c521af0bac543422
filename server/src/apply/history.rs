//! Digests of the past: what `hash` shows, so that servers can be compared after the fact.

use std::collections::VecDeque;

use ringkeeper_engine::zxid::Zxid;

use crate::digest::TreeDigest;

/// How far apart the kept digests are, in zxids (`DataTree.DIGEST_LOG_INTERVAL`).
const INTERVAL: i64 = 128;

/// How many are kept (`DataTree.DIGEST_LOG_LIMIT`).
const KEPT: usize = 1024;

/// The tree's digest right after a txn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DigestRecord {
    pub zxid: Zxid,
    pub version: i32,
    pub digest: TreeDigest,
}

/// The newest of them, oldest first.
#[derive(Debug, Default)]
pub struct DigestHistory {
    records: VecDeque<DigestRecord>,
}

impl DigestHistory {
    pub(super) fn record(&mut self, zxid: Zxid, digest: TreeDigest) {
        if zxid.0 % INTERVAL != 0 {
            return;
        }
        if self.records.len() == KEPT {
            self.records.pop_front();
        }
        self.records.push_back(DigestRecord { zxid, version: crate::digest::VERSION, digest });
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &DigestRecord> {
        self.records.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_128th_is_kept_and_a_thousand_of_them() {
        let mut history = DigestHistory::default();
        for zxid in 1..=INTERVAL * (KEPT as i64 + 10) {
            history.record(Zxid(zxid), TreeDigest(zxid));
        }
        assert_eq!(history.iter().count(), KEPT);
        let newest = history.iter().next_back().unwrap();
        assert_eq!(newest.zxid.0, INTERVAL * (KEPT as i64 + 10));
    }
}
