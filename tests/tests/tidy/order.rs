//! The order of modules within a crate (AI-2) and the edges between crates.
//!
//! A crate's `lib.rs` gives the order by that of its declarations.
//!
//! Not here: what a module may use of the standard library (`purity`).

use crate::source::{Source, Workspace};

/// Crates whose modules are bound to an order.
const ORDERED: [&str; 2] = ["engine", "server"];

/// Every edge there may be.
const EDGES: [(&str, &[&str]); 5] = [
    ("engine", &[]),
    ("server", &["ringkeeper-engine"]),
    ("tools", &["ringkeeper-engine", "ringkeeper"]),
    ("bench", &["ringkeeper-engine", "ringkeeper", "ringkeeper-tools"]),
    ("tests", &["ringkeeper-engine", "ringkeeper", "ringkeeper-tools", "ringkeeper-bench"]),
];

/// Uses that point downwards, and modules that the order does not know.
pub(crate) fn modules(workspace: &Workspace) -> Vec<String> {
    ORDERED.iter().flat_map(|name| crate_modules(workspace, name)).collect()
}

fn crate_modules(workspace: &Workspace, name: &str) -> Vec<String> {
    let lib = format!("{name}/src/lib.rs");
    let Some(file) = workspace.file(&lib) else { return vec![format!("{lib}: missing")] };
    let order = declared_order(file);
    let mut findings = Vec::new();
    let folder = format!("{name}/src/");
    for file in workspace.rust(&folder) {
        let module = module_of(&file.path[folder.len()..]);
        if let Some(rank) = order.iter().position(|m| *m == module) {
            findings.extend(uses_below(file, &order, rank));
        }
    }
    findings
}

/// The modules in the order of their declarations.
fn declared_order(lib: &Source) -> Vec<&str> {
    let words = lib.program_lines().map(|(_, line)| line.trim().trim_start_matches("pub "));
    words.filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')).collect()
}

fn module_of(path: &str) -> &str {
    let end = path.find(['/', '.']).unwrap_or(path.len());
    &path[..end]
}

fn uses_below(file: &Source, order: &[&str], rank: usize) -> Vec<String> {
    let code = program_text(file);
    let mut findings = Vec::new();
    for (offset, path) in crate_paths(&code) {
        for module in path {
            let used = order.iter().position(|m| *m == module);
            if used.is_some_and(|used| used > rank) {
                let line = code[..offset].lines().count();
                let me = order[rank];
                findings.push(format!("{}:{line}: `{me}` uses `{module}` below it", file.path));
            }
        }
    }
    findings
}

/// The code with test lines blanked, so that offsets still give line numbers.
fn program_text(file: &Source) -> String {
    let lines = file.code.lines().zip(&file.tests);
    lines.map(|(line, test)| if *test { "\n".into() } else { format!("{line}\n") }).collect()
}

/// Each `crate::…` with the modules it names: `crate::a::b` gives a, `crate::{a, b::c}` both.
fn crate_paths(code: &str) -> Vec<(usize, Vec<&str>)> {
    let mut found = Vec::new();
    for (at, prefix) in code.match_indices("crate::") {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        found.push((at, if rest.starts_with('{') { group(rest) } else { vec![name(rest)] }));
    }
    found
}

/// The first names of the members of `{a, b::{c, d}, e}`.
fn group(rest: &str) -> Vec<&str> {
    let (mut depth, mut names, mut fresh) = (0, Vec::new(), false);
    for (n, c) in rest.char_indices() {
        match c {
            '{' => (depth, fresh) = (depth + 1, depth == 0),
            '}' => depth -= 1,
            ',' if depth == 1 => fresh = true,
            c if fresh && !c.is_whitespace() => {
                names.push(name(&rest[n..]));
                fresh = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

fn name(rest: &str) -> &str {
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    &rest[..end]
}

/// Dependencies between our crates that the design does not know.
pub(crate) fn crates(workspace: &Workspace) -> Vec<String> {
    let mut findings = Vec::new();
    for (name, allowed) in EDGES {
        let path = format!("{name}/Cargo.toml");
        let Some(file) = workspace.file(&path) else {
            findings.push(format!("{path}: missing"));
            continue;
        };
        let own = file.text.lines().map(|l| l.split(['.', ' ', '=']).next().unwrap_or(""));
        let ours = own.filter(|n| n.starts_with("ringkeeper"));
        findings.extend(
            ours.filter(|n| !allowed.contains(n)).map(|n| format!("{path}: {name} -> {n}")),
        );
    }
    findings
}

#[test]
fn a_path_names_its_first_module_in_every_form() {
    let code = "use crate::a::B; use crate::{c, d::{e, f}, g}; mycrate::h; crate::i()";
    let names: Vec<&str> = crate_paths(code).into_iter().flat_map(|(_, names)| names).collect();
    assert_eq!(names, ["a", "c", "d", "g", "i"]);
}
