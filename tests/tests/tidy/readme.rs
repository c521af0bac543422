//! What the READMEs name exists, and nothing stands at the top level that the design does not name.

use std::path::Path;

use crate::source::{Source, Workspace};

/// Everything that may stand beside `Cargo.toml`.
const TOP_LEVEL: [&str; 17] = [
    "Cargo.toml",
    "Cargo.lock",
    "LICENSE",
    "README.md",
    "clippy.toml",
    "rustfmt.toml",
    "engine",
    "server",
    "bench",
    "tools",
    "tests",
    "perf",
    ".cargo",
    ".ci",
    ".gitignore",
    ".git",
    "target",
];

/// Entries of the root that nobody expects.
pub(crate) fn stray_entries(workspace: &Workspace) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(&workspace.root) else {
        return vec!["the root cannot be listed".into()];
    };
    let names = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned());
    names.filter(|n| !TOP_LEVEL.contains(&n.as_str())).collect()
}

/// Paths in backticks that are not there.
pub(crate) fn missing_paths(workspace: &Workspace) -> Vec<String> {
    let readmes = workspace.files.iter().filter(|f| f.path.ends_with("README.md"));
    readmes.flat_map(|readme| missing_in(&workspace.root, readme)).collect()
}

fn missing_in(root: &Path, readme: &Source) -> Vec<String> {
    let folder = root.join(&readme.path).parent().expect("a file has a folder").to_path_buf();
    let mut findings = Vec::new();
    for (n, line) in readme.text.lines().enumerate() {
        let quoted = line.split('`').skip(1).step_by(2);
        for path in quoted.filter_map(path_like) {
            let first = path.split('/').next().unwrap_or(path);
            let bases = [root, folder.as_path()];
            let ours = bases.iter().any(|base| base.join(first).exists());
            if ours && !bases.iter().any(|base| base.join(path).exists()) {
                findings.push(format!("{}:{}: {path}", readme.path, n + 1));
            }
        }
    }
    findings
}

/// The path in this quotation, if it reads like one of ours: relative, with a slash, no pattern.
fn path_like(quoted: &str) -> Option<&str> {
    let word = quoted.split_whitespace().next()?;
    let path = word.split_once(':').map_or(word, |(path, _)| path);
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let relative = path.contains('/') && !path.starts_with(['/', '.']) || path.starts_with(".ci/");
    let generated = path.starts_with("target/");
    (relative && !generated && path.chars().all(plain)).then_some(path)
}

#[test]
fn a_quoted_path_is_told_from_a_znode_and_a_pattern() {
    assert_eq!(path_like("engine/src/io"), Some("engine/src/io"));
    assert_eq!(path_like("tests/run kazoo"), Some("tests/run"));
    assert_eq!(path_like("/zookeeper/quota"), None);
    assert_eq!(path_like("snapshot.<zxid>/x"), None);
}
