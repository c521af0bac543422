//! `ringkeeper-tools import`: what `ringkeeper serve` does at its first start, by hand.

use std::io::Write;
use std::path::PathBuf;

use ringkeeper::runtime::{Imported, check_version2, import_version2};
use ringkeeper_engine::io::files::Directory;
use serde_json::json;

use super::aside::move_aside;
use super::place::Found;
use super::{PlaceOptions, Version2ToolError, at};

#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    pub place: PlaceOptions,
    /// Read and check everything, write nothing.
    pub check: bool,
    /// Rename a `ringkeeper` that is there.
    pub replace: bool,
    /// One JSON object.
    pub json: bool,
}

/// Imports, or only checks, and says what there was.
pub fn import(options: &ImportOptions, out: &mut dyn Write) -> Result<(), Version2ToolError> {
    let Found { folders, .. } = options.place.find()?;
    let mut aside = Vec::new();
    let imported = if options.check {
        check_version2(&folders)?
    } else {
        if folders.has_log() {
            if !options.replace {
                return Err(Version2ToolError::HasLog(folders.data_dir.join("ringkeeper")));
            }
            // What is not whole must not cost what is there.
            check_version2(&folders)?;
            // The lock says that no server runs in what is about to be renamed.
            let directory = Directory::open(&folders.data_dir, &folders.data_log_dir)?;
            for folder in [&folders.data_dir, &folders.data_log_dir] {
                aside.extend(move_aside(&folder.join("ringkeeper"))?);
            }
            drop(directory);
        }
        import_version2(&folders)?.0
    };
    let printed = if options.json {
        writeln!(out, "{}", to_json(&imported, options.check, &aside))
    } else {
        let done = if options.check { "can be imported" } else { "imported" };
        let aside = aside.iter().map(|path| format!(" Renamed to {}.", path.display()));
        writeln!(out, "{done}: {imported}{}", aside.collect::<String>())
    };
    printed.map_err(at(&folders.data_dir))
}

fn to_json(imported: &Imported, check: bool, aside: &[PathBuf]) -> serde_json::Value {
    let survey = &imported.survey;
    let torn = survey
        .torn
        .iter()
        .map(|torn| json!({ "file": torn.name, "offset": torn.offset, "bytes": torn.bytes }));
    let skipped =
        survey.skipped.iter().map(|file| json!({ "file": file.name, "why": file.why.to_string() }));
    json!({
        "imported": !check,
        "snapshot": survey.snapshot.as_ref().map(|chosen| json!({
            "file": chosen.name,
            "zxid": chosen.zxid.to_string(),
            "znodes": chosen.summary.znodes,
            "sessions": chosen.summary.sessions,
            "data_bytes": chosen.summary.data_bytes,
        })),
        "logs": survey.logs,
        "txns": survey.txns,
        "last": survey.last.to_string(),
        "accepted_epoch": survey.epochs.accepted.0,
        "current_epoch": survey.epochs.current.0,
        "repeated_errors": survey.repeated,
        "torn": torn.collect::<Vec<_>>(),
        "not_used": skipped.collect::<Vec<_>>(),
        "renamed": aside.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
        "seconds": imported.seconds,
    })
}
