//! Lines for whoever started the program: standard output and standard error.
//!
//! A volume that is full, or a pipe that nobody reads, takes no more lines. `println!` and
//! `eprintln!` panic then, and a panic ends the server: so nothing else here prints, and what
//! cannot be written is lost.
//!
//! Not here: diagnostics (`trace`).

use std::fmt::Display;
use std::io::{self, Write};

/// A line on standard output, where it can be written.
pub(super) fn print(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// A line on standard error, where it can be written.
pub fn complain(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
