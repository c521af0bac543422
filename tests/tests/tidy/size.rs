//! How long files and functions are.
//!
//! Not here: which ones are let off for the moment (`ratchet`).

use crate::ratchet::Debts;
use crate::source::{Source, Workspace, item_end};

/// Lines of a file, tests included.
const FILE_LINES_MAX: usize = 600;

/// Lines of a function, from its `fn` to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;

/// Characters of a line of code; long literals are left alone by rustfmt, and so here.
const PYTHON_COLUMNS_MAX: usize = 110;

/// Every file and function that is too long.
pub(crate) fn measure(workspace: &Workspace) -> Debts {
    let mut debts = Debts::new();
    for file in &workspace.files {
        let written = file.is_rust() || file.path.ends_with(".py") || file.path.ends_with(".sh");
        let lines = file.text.lines().count();
        if written && lines > FILE_LINES_MAX {
            debts.insert(("file".into(), file.path.clone()), lines);
        }
        for (name, lines) in functions(file).into_iter().filter(|f| f.1 > FUNCTION_LINES_MAX) {
            debts.insert(("fn".into(), format!("{}::{name}", file.path)), lines);
        }
        let wide = file.text.lines().filter(|l| l.chars().count() > PYTHON_COLUMNS_MAX).count();
        if file.path.ends_with(".py") && wide > 0 {
            debts.insert(("file".into(), format!("{}:wide-lines", file.path)), wide);
        }
    }
    debts
}

/// The functions of a file with their lengths.
fn functions(file: &Source) -> Vec<(String, usize)> {
    let lines: Vec<&str> = file.code.lines().collect();
    let starts = lines.iter().enumerate().filter_map(|(n, l)| Some((n, function_name(l)?)));
    starts.map(|(n, name)| (name.to_string(), item_end(&lines, n) - n + 1)).collect()
}

/// The name, where a line declares a function.
fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let words = ["pub", "const", "async", "unsafe", "extern", "default"];
    let declares = before.split_whitespace().all(|w| words.iter().any(|k| w.starts_with(k)));
    let end = after.find(['(', '<'])?;
    (declares && end > 0).then(|| &after[..end])
}

#[test]
fn a_declaration_is_told_from_a_pointer_type() {
    assert_eq!(function_name("    pub(crate) const fn next(self) -> u8 {"), Some("next"));
    assert_eq!(function_name("    let f: fn (u8) = g;"), None);
    assert_eq!(function_name("    run: Box<dyn Fn()>,"), None);
}
