//! What must stand in a file, and what must not.

use crate::source::Workspace;

/// Spelled in two halves, because this file is searched too.
const LEFTOVERS: [&str; 5] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("#[ig", "nore"),
    concat!("todo", "!("),
];

/// Folders that exist on one machine only.
const MACHINE: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// Files without the lines that say what they own.
pub(crate) fn headers(workspace: &Workspace) -> Vec<String> {
    let mut findings = Vec::new();
    for file in &workspace.files {
        let first = first_line(&file.text);
        let wanted = match file.path.rsplit_once('.').map(|(_, end)| end) {
            Some("rs") => "//! ",
            Some("py") => "\"\"\"",
            Some("sh") => "# ",
            _ if file.text.starts_with("#!/") => match first.starts_with('"') {
                true => "\"\"\"",
                false => "# ",
            },
            _ => continue,
        };
        if !first.starts_with(wanted) {
            findings.push(format!("{}: does not begin with `{wanted}…`", file.path));
        }
    }
    findings
}

/// The first line that is neither `#!/program` nor an attribute of the whole file.
fn first_line(text: &str) -> &str {
    let mut inside = false;
    let mut lines = text.lines().skip_while(|line| {
        inside |= line.starts_with("#!");
        let skipped = inside;
        inside &= line.starts_with("#![") && !line.ends_with(']') || line.starts_with(' ');
        skipped
    });
    lines.next().unwrap_or("")
}

/// Remarks that put work off, and tests that do not run.
pub(crate) fn leftovers(workspace: &Workspace) -> Vec<String> {
    search(workspace, &LEFTOVERS)
}

/// Paths that mean something on one machine only.
pub(crate) fn machine_paths(workspace: &Workspace) -> Vec<String> {
    search(workspace, &MACHINE)
}

fn search(workspace: &Workspace, words: &[&str]) -> Vec<String> {
    let mut findings = Vec::new();
    let written = workspace.files.iter().filter(|f| f.path != "Cargo.lock");
    for file in written {
        for (n, line) in file.text.lines().enumerate() {
            for word in words.iter().filter(|w| stands_alone(line, w)) {
                findings.push(format!("{}:{}: {word}", file.path, n + 1));
            }
        }
    }
    findings
}

/// Whether the word is there and is not the end of a longer one (a pattern of `mktemp`, a folder further down).
fn stands_alone(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let inside = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        let path = word.starts_with('/');
        !(inside(before) || !path && inside(after) || path && before == Some('.'))
    })
}

#[test]
fn an_attribute_may_stand_before_the_header() {
    assert_eq!(first_line("#![expect(\n    unsafe_code\n)]\n//! Owns it."), "//! Owns it.");
    assert_eq!(first_line("#!/usr/bin/env bash\n# Says it."), "# Says it.");
    assert_eq!(first_line("use std::fmt;"), "use std::fmt;");
}

#[test]
fn a_word_within_another_is_no_leftover() {
    assert!(stands_alone(concat!("// TO", "DO: x"), LEFTOVERS[0]));
    assert!(!stands_alone(&format!("mktemp {}", "X".repeat(6)), LEFTOVERS[2]));
    assert!(stands_alone(concat!("cd /wo", "rk/x"), MACHINE[0]));
    assert!(!stands_alone(concat!("data/wo", "rk/x"), MACHINE[0]));
}
