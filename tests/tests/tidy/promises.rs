//! Which promises no test names.
//!
//! A promise is a lettered invariant in a file's header (`//! - G1. …`), named by a test whose text
//! or name holds that letter and number, or a `Compat:` remark, whose module must hold a test.
//!
//! Not here: whether the test proves it; a reader judges that.

use std::collections::BTreeMap;

use crate::purity::has_word;
use crate::ratchet::Debts;
use crate::source::{Source, Workspace};

/// Files whose promises are looked at.
const OURS: [&str; 3] = ["engine/src/", "server/src/", "tools/src/"];

/// The number of unnamed promises of each file that has some.
pub(crate) fn unnamed(workspace: &Workspace) -> Debts {
    let mut tests: BTreeMap<&str, String> = BTreeMap::new();
    for file in workspace.files.iter().filter(|f| f.is_rust()) {
        tests.entry(module_folder(&file.path)).or_default().push_str(&test_text(file));
    }
    let everywhere: String = workspace.rust("tests/").map(|f| f.text.as_str()).collect();
    let mut debts = Debts::new();
    for file in workspace.files.iter().filter(|f| OURS.iter().any(|o| f.path.starts_with(o))) {
        let near = &tests[module_folder(&file.path)];
        let named = |id: &&str| names(near, id) || names(&everywhere, id);
        let open = invariants(file).filter(|id| !named(id)).count();
        let compat = file.text.lines().filter(|l| l.contains("// Compat:")).count();
        let untested = if near.contains("#[test]") { 0 } else { compat };
        if open + untested > 0 {
            debts.insert(("unnamed".into(), file.path.clone()), open + untested);
        }
    }
    debts
}

/// The folder two levels below the root: `engine/src/log` for all of the log's files.
fn module_folder(path: &str) -> &str {
    let end = path.match_indices('/').nth(2).map_or(path.len(), |(at, _)| at);
    path[..end].trim_end_matches(".rs")
}

fn test_text(file: &Source) -> String {
    let lines = file.text.lines().zip(&file.tests).filter(|(_, test)| **test);
    lines.map(|(line, _)| format!("{line}\n")).collect()
}

/// `G1` of `//! - G1. Zxids enter in ascending order`.
fn invariants(file: &Source) -> impl Iterator<Item = &str> {
    let header = file.text.lines().map_while(|l| l.strip_prefix("//!"));
    let items = header.filter_map(|l| l.trim_start().strip_prefix("- "));
    items.filter_map(|item| {
        let (id, _) = item.split_once(['.', ':', ' '])?;
        let letters = id.trim_end_matches(|c: char| c.is_ascii_digit());
        let lettered = (1..=3).contains(&letters.len()) && letters.len() < id.len();
        (lettered && letters.chars().all(|c| c.is_ascii_uppercase())).then_some(id)
    })
}

/// A test names `G1` in its text, or as `g1_` in its name.
fn names(text: &str, id: &str) -> bool {
    let in_name = format!("{}_", id.to_lowercase());
    text.lines().any(|line| has_word(line, id) || line.contains(&format!("fn {in_name}")))
}

#[test]
fn all_files_of_a_module_share_their_tests() {
    assert_eq!(module_folder("engine/src/log/group.rs"), "engine/src/log");
    assert_eq!(module_folder("engine/src/zxid.rs"), "engine/src/zxid");
}
