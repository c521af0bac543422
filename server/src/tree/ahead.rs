//! Looking ahead: the memory that the next txns will want is asked for before they come.
//!
//! A path leads to its znode over three places that lie anywhere in memory: the table's entry, the
//! znode, its name and data. One txn after another waits for each of them. Here several
//! paths go one step at a time, so that they wait together.
//!
//! Perf: it costs about 60 ns a path, so a tree that the processor's cache holds is left alone.
//!
//! Not here: finding anything (`read`).

use std::hint::black_box;

use super::Tree;
use super::index::{ROOT_HASH, path_hash};
use super::znode::ZnodeId;

/// Paths that go together: more than a processor waits for at once, and few enough that what came
/// near is still there when its turn comes.
pub const AHEAD: usize = 64;

/// From so many znodes on: about what a core's own cache holds.
const ZNODES_MIN: usize = 4096;

impl Tree {
    /// Whether looking ahead is worth its while.
    pub fn looks_ahead(&self) -> bool {
        self.arena.live() >= ZNODES_MIN
    }

    /// Brings near what finding and changing these paths will want. They need not be paths.
    pub fn look_ahead<'p>(&self, paths: impl Iterator<Item = &'p [u8]>) {
        let mut hashes = [ROOT_HASH; AHEAD];
        let mut count = 0;
        for (hash, path) in hashes.iter_mut().zip(paths) {
            *hash = path_hash(path.strip_prefix(b"/").unwrap_or(path));
            count += 1;
        }
        let hashes = &hashes[..count];
        // On its own, so that a processor sees all of them before it has any.
        for hash in hashes {
            self.index.approach(*hash);
        }
        let mut guesses = [ZnodeId::ROOT; AHEAD];
        let guesses = &mut guesses[..count];
        for (guess, hash) in guesses.iter_mut().zip(hashes) {
            *guess = self.index.guess(*hash).unwrap_or(ZnodeId::ROOT);
        }
        for id in guesses.iter() {
            let znode = &self.arena[*id];
            black_box((znode.czxid, znode.name_length()));
        }
        for id in guesses.iter() {
            black_box(self.arena.name_bytes(*id).first());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::OwnerRules;

    #[test]
    fn what_is_no_path_or_leads_nowhere_is_passed_over() {
        let tree = Tree::new(OwnerRules::default());
        let paths: [&[u8]; 6] = [b"/zookeeper/config", b"/none", b"", b"/", b"//", &[0xff; 40]];
        tree.look_ahead(paths.into_iter());
        tree.look_ahead(paths.into_iter().cycle().take(10 * AHEAD));
        tree.look_ahead(std::iter::empty());
        assert!(!tree.looks_ahead(), "a new tree is small");
    }
}
