//! What is a path, and which are nobody's to delete.

/// The path that a record begins with, unchecked: a hint, for whoever looks ahead. `None` where none
/// stands there.
pub fn path_ahead(record: &[u8]) -> Option<&[u8]> {
    let (length, rest) = record.split_first_chunk()?;
    let path = rest.get(..usize::try_from(i32::from_be_bytes(*length)).ok()?)?;
    path.starts_with(b"/").then_some(path)
}

/// Whether a znode may have this path (`PathUtils.validatePath`, 3.9.5).
///
/// Compat: characters are judged as UTF-16 units, so everything beyond U+FFFF is refused for its
/// surrogates.
pub fn is_valid_path(path: &str) -> bool {
    let bytes = path.as_bytes();
    if bytes.first() != Some(&b'/') {
        return false;
    }
    if bytes.len() == 1 {
        return true;
    }
    // Loops without an early end are turned into vector instructions. What they cannot clear,
    // dots behind slashes above all, is looked at name by name.
    let is_plain = bytes.iter().fold(true, |so_far, byte| so_far & (0x20..0x7f).contains(byte));
    let may_be_bad = |byte: u8| byte == b'/' || byte == b'.';
    let pairs = bytes.iter().zip(&bytes[1..]);
    let is_doubtful =
        pairs.fold(false, |so_far, (byte, next)| so_far | ((*byte == b'/') & may_be_bad(*next)));
    let ends_well = bytes.last() != Some(&b'/');
    ends_well
        && (!is_doubtful || path[1..].split('/').all(|part| !is_bad_component(part.as_bytes())))
        && (is_plain || !path.chars().any(is_bad_char))
}

fn is_bad_component(part: &[u8]) -> bool {
    matches!(part, b"" | b"." | b"..")
}

fn is_bad_char(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{1f}'
        | '\u{7f}'..='\u{9f}'
        | '\u{e000}'..='\u{f8ff}'
        | '\u{fff0}'..='\u{ffff}'
        | '\u{10000}'..)
}

/// Whether `delete` must leave it alone (`DataTree.isSpecialPath`, 3.9.5).
pub fn is_reserved(path: &str) -> bool {
    matches!(path, "/" | "/zookeeper" | "/zookeeper/quota" | "/zookeeper/config")
}

/// The path up to the last slash: "" for a child of the root, `None` where there is no slash.
pub fn parent_of(path: &str) -> Option<&str> {
    let slash = path.bytes().rposition(|byte| byte == b'/')?;
    Some(&path[..slash])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_paths_pass() {
        for path in ["/", "/a", "/a/b.c", "/a/...", "/a/.b", "/é", "/a b", "/\u{d7ff}", "/a/€"] {
            assert!(is_valid_path(path), "{path:?}");
        }
    }

    #[test]
    fn bad_paths_do_not() {
        for path in [
            "",
            "a",
            "a/b",
            "/a/",
            "//",
            "//a",
            "/a//b",
            "/.",
            "/..",
            "/a/./b",
            "/a/../b",
            "/a/..",
            "/a\0b",
            "/a\u{1}",
            "/a\u{7f}",
            "/a\u{9f}",
            "/a\u{e000}",
            "/a\u{f8ff}",
            "/a\u{fff0}",
            "/a\u{ffff}",
            "/a\u{1f600}",
            "/é/",
            "/é//b",
            "/é/.",
            "/./é",
            "//é",
        ] {
            assert!(!is_valid_path(path), "{path:?}");
        }
    }

    #[test]
    fn a_hostile_path_takes_linear_time() {
        assert!(is_valid_path(&"/a".repeat(100_000)));
        assert!(!is_valid_path(&"/é".repeat(100_000).replace("é/é/é/é", "//")));
    }

    #[test]
    fn parents() {
        assert_eq!(parent_of("/a"), Some(""));
        assert_eq!(parent_of("/a/b"), Some("/a"));
        assert_eq!(parent_of("/"), Some(""));
        assert_eq!(parent_of("a"), None);
    }
}
