//! Which txns touch a path.
//!
//! Not here: printing them.

use ringkeeper::txn::Txn;

/// Whether the txn changes `path` or something below it.
pub(super) fn touches(txn: &Txn<'_>, path: &str) -> bool {
    match txn {
        Txn::Create(create) => is_within(&create.path, path),
        Txn::Delete { path: at } | Txn::SetData { path: at, .. } | Txn::SetAcl { path: at, .. } => {
            is_within(at, path)
        }
        Txn::Check { .. } | Txn::CreateSession { .. } | Txn::Error { .. } => false,
        Txn::Multi(multi) => !multi.is_failed() && multi.iter().any(|sub| touches(&sub.txn, path)),
        Txn::CloseSession { paths } => paths
            .as_ref()
            .is_some_and(|paths| paths.iter().flatten().any(|closed| is_within(&closed, path))),
    }
}

fn is_within(at: &str, path: &str) -> bool {
    let path = path.trim_end_matches('/');
    at.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_touched_by_itself_and_by_what_is_below() {
        assert!(is_within("/a", "/a"));
        assert!(is_within("/a/b", "/a"));
        assert!(is_within("/a/b", "/a/"));
        assert!(!is_within("/ab", "/a"));
        assert!(!is_within("/", "/a"));
        assert!(is_within("/a", "/"));
    }

    #[test]
    fn a_delete_touches_and_a_check_does_not() {
        assert!(touches(&Txn::Delete { path: "/a/b".into() }, "/a"));
        assert!(!touches(&Txn::Check { path: "/a".into(), version: 1 }, "/a"));
    }
}
