//! How a process ends: the reason, in words, and ZooKeeper's exit code where it has one.
//!
//! Not here: deciding that it must end (`engine::replica`, `boot`).

use std::process::ExitCode;

use super::screen;

/// ZooKeeper's exit codes (`ExitCode`, 3.9.5).
pub(super) const UNEXPECTED: u8 = 1;
pub(super) const DATA_DIRECTORY: u8 = 3;
pub(super) const QUORUM_PORT: u8 = 14;

/// Says why the process ends, last, where an operator looks first.
pub(super) fn end(code: u8, why: &dyn std::fmt::Display) -> ExitCode {
    tracing::error!("{why}");
    screen::complain(format_args!("ringkeeper: {why}"));
    ExitCode::from(code)
}
