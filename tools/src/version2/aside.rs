//! Folders that make room: renamed with the next free number.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::{Version2ToolError, at};

/// `version-2` becomes `version-2.1`, or the next number that is free. `None` if it is not there.
pub(super) fn move_aside(folder: &Path) -> Result<Option<PathBuf>, Version2ToolError> {
    if !folder.exists() {
        return Ok(None);
    }
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    let free = |number: &u32| !folder.with_file_name(format!("{name}.{number}")).exists();
    let number = (1..).find(free).unwrap_or(u32::MAX);
    let aside = folder.with_file_name(format!("{name}.{number}"));
    fs::rename(folder, &aside).map_err(at(folder))?;
    sync_parent(folder)?;
    Ok(Some(aside))
}

/// Whether there is nothing to be lost: no folder, or an empty one.
pub(super) fn is_free(folder: &Path) -> Result<bool, Version2ToolError> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        entries => Ok(entries.map_err(at(folder))?.next().is_none()),
    }
}

/// Makes the names in the folder above durable.
pub(super) fn sync_parent(path: &Path) -> Result<(), Version2ToolError> {
    sync_folder(path.parent().unwrap_or(Path::new("/")))
}

#[expect(clippy::disallowed_methods, reason = "tools look at files from outside")]
pub(super) fn sync_folder(folder: &Path) -> Result<(), Version2ToolError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(at(folder))
}
