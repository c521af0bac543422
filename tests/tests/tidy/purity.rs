//! What the deterministic part must not touch (AI-1), and where `unsafe` may stand (AI-5).
//!
//! Pure types of the standard library (addresses, durations, `io::Error`) are no concern here.

use crate::source::{Source, Workspace};

/// Folders that are deterministic, and within them those that are not.
const PURE: [&str; 2] = ["engine/src/", "server/src/"];
const WORLDLY: [&str; 4] =
    ["engine/src/io/", "server/src/runtime/", "server/src/admin/", "server/src/main.rs"];

/// Words that reach the world: as whole words, or as the beginning of a path.
const WORDS: [&str; 22] = [
    "std::fs",
    "std::thread",
    "std::process",
    "std::env",
    "std::os",
    "std::sync::mpsc",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "Instant",
    "SystemTime",
    "RandomState",
    "DefaultHasher",
    "getrandom",
    "rand",
    "libc",
    "rustix",
    "io_uring",
];

/// Words in the deterministic part that reach for time, files, network, threads or randomness.
pub(crate) fn impure(workspace: &Workspace) -> Vec<String> {
    let pure = workspace.files.iter().filter(|f| is_pure(&f.path));
    pure.flat_map(|file| words_in(file, &WORDS)).collect()
}

fn is_pure(path: &str) -> bool {
    PURE.iter().any(|p| path.starts_with(p)) && !WORLDLY.iter().any(|w| path.starts_with(w))
}

/// `unsafe` outside the folder that may have it.
pub(crate) fn unsafe_code(workspace: &Workspace) -> Vec<String> {
    let elsewhere = workspace.files.iter().filter(|f| !f.path.starts_with("engine/src/io/"));
    elsewhere.flat_map(|file| words_in(file, &["unsafe"])).collect()
}

fn words_in(file: &Source, words: &[&str]) -> Vec<String> {
    let mut findings = Vec::new();
    for (n, line) in file.program_lines() {
        for word in words.iter().filter(|w| has_word(line, w)) {
            findings.push(format!("{}:{n}: `{word}`", file.path));
        }
    }
    findings
}

/// Whether the word stands there whole, not as part of a longer name.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(part) && !line[at + word.len()..].starts_with(part))
}

#[test]
fn a_word_is_found_whole_and_not_within_another() {
    assert!(has_word("use std::fs::File;", "std::fs"));
    assert!(has_word("unsafe { x }", "unsafe"));
    assert!(!has_word("#![expect(unsafe_code)]", "unsafe"));
    assert!(!has_word("let operand = rand_seed;", "rand"));
}
