//! The code itself, tested: what `engine/README.md` calls architecture invariants, and style.
//!
//! Each test below is one promise. A rule finds what breaks it and says where; a rule that counts
//! (sizes, promises without a test) is held by `ratchet.txt`, whose numbers may only fall.
//!
//! Not here: what the compiler and clippy check already (lints in `Cargo.toml`, `clippy.toml`).

mod order;
mod promises;
mod purity;
mod ratchet;
mod readme;
mod size;
mod source;
mod words;

use source::Workspace;

/// Fails with every finding, one a line, so that a file is mended in one go.
fn check(rule: &str, findings: Vec<String>) {
    assert!(findings.is_empty(), "{rule}\n  {}\n", findings.join("\n  "));
}

#[test]
fn a_module_uses_only_those_above_it() {
    let workspace = Workspace::load();
    check("AI-2: modules stand in dependency order", order::modules(&workspace));
}

#[test]
fn crates_depend_only_along_the_agreed_edges() {
    check("crate edges: server -> engine -> nothing", order::crates(&Workspace::load()));
}

#[test]
fn nothing_outside_io_runtime_and_admin_touches_the_world() {
    check("AI-1: time, files, network and randomness are arguments", {
        purity::impure(&Workspace::load())
    });
}

#[test]
fn unsafe_stands_only_in_engine_io() {
    check("AI-5: unsafe only in engine/src/io", purity::unsafe_code(&Workspace::load()));
}

#[test]
fn files_and_functions_stay_small() {
    let workspace = Workspace::load();
    check("sizes, held by tests/tests/tidy/ratchet.txt", {
        ratchet::held(&workspace, &["file", "fn"], size::measure(&workspace))
    });
}

#[test]
fn invariants_and_quirks_are_named_by_tests() {
    let workspace = Workspace::load();
    check("promises without a test, held by tests/tests/tidy/ratchet.txt", {
        ratchet::held(&workspace, &["unnamed"], promises::unnamed(&workspace))
    });
}

#[test]
fn every_file_says_what_it_owns() {
    check("every file begins with what it owns", words::headers(&Workspace::load()));
}

#[test]
fn nothing_is_left_for_later() {
    check("no work left as a remark, no test switched off", words::leftovers(&Workspace::load()));
}

#[test]
fn no_path_of_one_machine_is_written_down() {
    check("paths of one machine", words::machine_paths(&Workspace::load()));
}

#[test]
fn every_path_a_readme_names_exists() {
    check("paths in READMEs", readme::missing_paths(&Workspace::load()));
}

#[test]
fn the_top_level_holds_only_what_the_design_names() {
    check("top level", readme::stray_entries(&Workspace::load()));
}
