//! Paths that have a quota, found by prefix.
//!
//! A sorted set rather than a trie: its depth is not the clients' to choose.

use std::collections::BTreeSet;
use std::ops::Bound::{Included, Unbounded};

#[derive(Default)]
pub(super) struct Prefixes(BTreeSet<Box<str>>);

impl Prefixes {
    pub(super) fn insert(&mut self, path: &str) {
        self.0.insert(path.into());
    }

    pub(super) fn remove(&mut self, path: &str) {
        self.0.remove(path);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|path| &**path)
    }

    /// The longest of these paths that is the given one or above it.
    ///
    /// What lies above a path sorts before it, and everything between the two begins with it. So
    /// the neighbour below is the answer, or shares with the path whatever the answer can be.
    pub(super) fn longest<'a>(&self, path: &'a str) -> Option<&'a str> {
        let mut path = path;
        while !path.is_empty() {
            let below = self.0.range::<str, _>((Unbounded, Included(path))).next_back()?;
            let shared = shared_length(below, path);
            let at_boundary = path.len() == shared || path.as_bytes()[shared] == b'/';
            if below.len() == shared && at_boundary {
                return Some(&path[..shared]);
            }
            let end = if at_boundary && shared < path.len() { shared + 1 } else { shared };
            path = &path[..path.as_bytes()[..end].iter().rposition(|byte| *byte == b'/')?];
        }
        None
    }
}

fn shared_length(a: &str, b: &str) -> usize {
    a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Q1.
    #[test]
    fn the_longest_prefix_wins_by_whole_components() {
        let mut prefixes = Prefixes::default();
        for path in ["/a", "/a/b/c", "/a/b/c-d", "/a-b", "/a/b/c/x/y"] {
            prefixes.insert(path);
        }
        let check = |path: &str, expected: Option<&str>| {
            assert_eq!(prefixes.longest(path), expected, "{path}");
        };
        check("/a", Some("/a"));
        check("/a/b", Some("/a"));
        check("/a/b/c/d", Some("/a/b/c"));
        check("/a/b/c/x", Some("/a/b/c"));
        check("/a/b/c/x/yy", Some("/a/b/c"));
        check("/a/b/c-d/e", Some("/a/b/c-d"));
        check("/a/b/c-dd", Some("/a"));
        check("/ab", None);
        check("/a-b/c", Some("/a-b"));
        check("/", None);
        check("", None);
        check("/b", None);
        check("/é/b", None);
    }

    #[test]
    fn a_forgotten_path_leaves_the_one_above() {
        let mut prefixes = Prefixes::default();
        prefixes.insert("/a");
        prefixes.insert("/a/b");
        prefixes.remove("/a/b");
        assert_eq!(prefixes.longest("/a/b"), Some("/a"));
    }
}
