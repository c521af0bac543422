//! The workspace as text: every file a person wrote, and Rust code with comments blanked out.
//!
//! Invariants:
//! - S1. `code` has the same lines as `text`; comments and the contents of literals are spaces.
//! - S2. `tests` marks each line that only a test build sees.
//!
//! Not here: what is right or wrong about it.

use std::fs;
use std::path::{Path, PathBuf};

/// Entries that hold nothing a person wrote.
const SKIPPED: [&str; 5] = ["target", ".git", ".cache", "__pycache__", ".pytest_cache"];

/// Larger files are captures and figures, not text to read.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// All files of the repository.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) files: Vec<Source>,
}

/// One file.
pub(crate) struct Source {
    /// From the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    /// Rust only: the text without comments and literals (S1); empty for other files.
    pub(crate) code: String,
    /// Rust only: for each line, whether it is test code (S2).
    pub(crate) tests: Vec<bool>,
}

impl Workspace {
    /// Reads everything below the repository's root, in order of path.
    pub(crate) fn load() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a crate has a folder");
        let mut files = Vec::new();
        walk(root, root, &mut files);
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self { root: root.to_path_buf(), files }
    }

    /// The Rust files, of one folder.
    pub(crate) fn rust<'a>(&'a self, below: &'a str) -> impl Iterator<Item = &'a Source> + 'a {
        self.files.iter().filter(move |f| f.is_rust() && f.path.starts_with(below))
    }

    pub(crate) fn file(&self, path: &str) -> Option<&Source> {
        self.files.iter().find(|f| f.path == path)
    }
}

impl Source {
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Lines of code that the program is built from, numbered from one.
    pub(crate) fn program_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.code.lines().enumerate();
        lines.filter(|(n, _)| !self.tests[*n]).map(|(n, line)| (n + 1, line))
    }

    fn new(path: String, text: String) -> Self {
        let is_rust = path.ends_with(".rs");
        let code = if is_rust { blanked(&text) } else { String::new() };
        let whole = path.ends_with("/tests.rs") || path.contains("/tests/");
        let tests = test_lines(&code, whole || path.starts_with("tests/"));
        Self { path, text, code, tests }
    }
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<Source>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if SKIPPED.iter().any(|s| name == *s) {
            continue;
        }
        if path.is_dir() {
            walk(root, &path, files);
            continue;
        }
        let small = entry.metadata().is_ok_and(|m| m.len() <= TEXT_BYTES_MAX);
        let Some(text) = small.then(|| fs::read_to_string(&path).ok()).flatten() else { continue };
        let from_root = path.strip_prefix(root).expect("walked from the root");
        files.push(Source::new(from_root.to_string_lossy().replace('\\', "/"), text));
    }
}

/// The code with comments and the contents of strings and characters as spaces (S1).
pub(crate) fn blanked(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = token_end(&chars, at);
        let hidden = end > at + 1;
        for &c in &chars[at..end] {
            out.push(if hidden && c != '\n' { ' ' } else { c });
        }
        at = end;
    }
    out
}

/// Where the comment or literal that begins at `at` ends; `at + 1` for any other character.
fn token_end(chars: &[char], at: usize) -> usize {
    let rest = &chars[at..];
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let inside_name = at > 0 && is_name(chars[at - 1]);
    match rest {
        ['/', '/', ..] => at + rest.iter().position(|&c| c == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => at + block_comment(rest),
        ['"', ..] => at + string(rest, 1),
        ['b', '"', ..] if !inside_name => at + string(rest, 2),
        ['r', '"' | '#', ..] if !inside_name => at + raw_string(rest, 1),
        ['b', 'r', '"' | '#', ..] if !inside_name => at + raw_string(rest, 2),
        ['\'', '\\', ..] => at + 3 + rest[3..].iter().position(|&c| c == '\'').map_or(0, |n| n + 1),
        ['\'', _, '\'', ..] => at + 3,
        _ => at + 1,
    }
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut n) = (0, 0);
    while n < rest.len() {
        match rest[n..] {
            ['/', '*', ..] => (depth, n) = (depth + 1, n + 2),
            ['*', '/', ..] => (depth, n) = (depth - 1, n + 2),
            _ => n += 1,
        }
        if depth == 0 {
            break;
        }
    }
    n
}

fn string(rest: &[char], from: usize) -> usize {
    let mut n = from;
    while n < rest.len() && rest[n] != '"' {
        n += if rest[n] == '\\' { 2 } else { 1 };
    }
    rest.len().min(n + 1)
}

fn raw_string(rest: &[char], from: usize) -> usize {
    let hashes = rest[from..].iter().take_while(|&&c| c == '#').count();
    let open = from + hashes;
    if rest.get(open) != Some(&'"') {
        return 1; // A raw identifier, r#type.
    }
    let close = |n: usize| rest[n] == '"' && rest[n + 1..].iter().take(hashes).all(|&c| c == '#');
    let end = (open + 1..rest.len()).find(|&n| close(n));
    end.map_or(rest.len(), |n| (n + 1 + hashes).min(rest.len()))
}

/// Lines below `#[cfg(test)]`, up to the end of the item it stands on (S2).
fn test_lines(code: &str, whole: bool) -> Vec<bool> {
    let lines: Vec<&str> = code.lines().collect();
    let mut tests = vec![whole; lines.len()];
    for start in 0..lines.len() {
        if lines[start].trim_start().starts_with("#[cfg(test)]") {
            let end = item_end(&lines, start);
            tests[start..=end].fill(true);
        }
    }
    tests
}

/// The line on which the item that begins at `start` ends: its closing brace, or its semicolon.
pub(crate) fn item_end(lines: &[&str], start: usize) -> usize {
    let (mut depth, mut nested) = (0_i32, 0_i32);
    for (n, line) in lines.iter().enumerate().skip(start) {
        for c in line.chars() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                '(' | '[' => nested += 1,
                ')' | ']' => nested -= 1,
                _ => {}
            }
            if depth == 0 && (c == '}' || c == ';' && nested == 0) {
                return n;
            }
        }
    }
    lines.len() - 1
}

#[test]
fn comments_and_literals_leave_the_code() {
    let code = blanked("let a = \"fs::read // x\"; // std::fs\nlet b = 'x'; fn f<'a>() {}");
    assert!(!code.contains("fs"), "{code}");
    assert!(code.contains("fn f<'a>() {}"), "{code}");
    assert_eq!(code.lines().count(), 2);
}

#[test]
fn raw_strings_and_nested_comments_end_where_rust_ends_them() {
    assert_eq!(blanked("r#\"a\"b\"#;x").trim(), ";x");
    assert_eq!(blanked("/* /* */ y */z").trim(), "z");
    assert_eq!(blanked("'\\'';w").trim(), ";w");
}

#[test]
fn a_test_module_is_not_part_of_the_program() {
    let source =
        Source::new("a.rs".into(), "fn a() {}\n#[cfg(test)]\nmod t {\n}\nfn b() {}".into());
    assert_eq!(source.tests, [false, true, true, true, false]);
}
