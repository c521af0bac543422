//! `import` and `export`: data directories of Apache ZooKeeper and of Ringkeeper become each other,
//! while no server runs.
//!
//! - `place`: which folders are meant, and which server they belong to.
//! - `aside`: what stood there before is renamed, never deleted.
//!
//! Not here: formats and their order (`ringkeeper::version2`).

mod aside;
mod export;
mod import;
mod place;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;

use ringkeeper::runtime::ImportRefusal;
use ringkeeper::snapshot::SnapshotError;
use ringkeeper::version2::Version2Error;
use ringkeeper_engine::io::files::DirectoryError;
use ringkeeper_engine::log::{CursorError, DiskError, LogError};
use ringkeeper_engine::zxid::Zxid;

pub use export::{ExportOptions, Exported, export};
pub use import::{ImportOptions, import};
pub use place::PlaceOptions;

/// Why nothing was imported or exported.
#[derive(Debug, thiserror::Error)]
pub enum Version2ToolError {
    #[error("{path}: {error}")]
    Io { path: String, error: io::Error },
    #[error("{0}")]
    Config(String),
    #[error(transparent)]
    Import(#[from] ImportRefusal),
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(transparent)]
    Read(#[from] CursorError),
    #[error("snapshot {zxid}: {error}. Nothing was exported")]
    Snapshot { zxid: Zxid, error: SnapshotError },
    #[error("{}: there is no log of Ringkeeper's", .0.display())]
    NoLog(PathBuf),
    #[error(
        "{}: there is a log of Ringkeeper's already; with --replace it is renamed first",
        .0.display()
    )]
    HasLog(PathBuf),
    #[error(
        "{}: is not empty. It is older than what is to be exported, and Apache ZooKeeper must not \
         start from it; with --replace it is renamed first",
        .0.display()
    )]
    NotEmpty(PathBuf),
    #[error(
        "the log is damaged, or was and has not been repaired: what this server acknowledged is \
         not all here. Start it in its ensemble until it serves, stop it, and export again"
    )]
    Damaged,
    #[error("what was written does not read back as it should: {0}. Nothing was put in place")]
    Unlike(String),
    #[error("what was written does not read back: {0}")]
    Unreadable(Version2Error),
}

fn at(path: &std::path::Path) -> impl FnOnce(io::Error) -> Version2ToolError + '_ {
    move |error| Version2ToolError::Io { path: path.display().to_string(), error }
}
