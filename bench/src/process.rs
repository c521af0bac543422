//! Processes of this program, started by it, which say where they listen.
//!
//! Invariants:
//! - PR1. Every process that was started is ended and waited for, also when a run fails.
//!
//! Not here: what such a process does (`lone::serve`, `bare::serve`).

use std::io::{BufRead as _, BufReader, Error as OsError, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::host::process_cpu_us;

/// Why there is no process.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    #[error("a process that answers does not start: {0}")]
    Start(OsError),
    #[error("a process that answers ended before it said where it listens")]
    Ended,
}

/// A process that listens.
pub(crate) struct Process {
    child: Child,
    address: SocketAddr,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It ends by itself with its connections; one that nobody connected to is ended here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    /// Starts `program`, or this one, with what `tell` puts on its command line, and waits until it
    /// listens.
    pub(crate) fn start(
        program: Option<&Path>,
        tell: impl FnOnce(&mut Command),
    ) -> Result<Self, ProcessError> {
        let program = program.map_or_else(std::env::current_exe, |it| Ok(PathBuf::from(it)));
        let mut command = Command::new(program.map_err(ProcessError::Start)?);
        tell(&mut command);
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.map_err(ProcessError::Start)?;
        let stdout = child.stdout.take();
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let mut process = Self { child, address: nowhere };
        let said = stdout.map(address_of).transpose().map_err(ProcessError::Start)?;
        process.address = said.flatten().ok_or(ProcessError::Ended)?;
        Ok(process)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// CPU time of all its threads.
    pub(crate) fn cpu_us(&self) -> u64 {
        process_cpu_us(self.child.id()).unwrap_or(0)
    }
}

/// The first line, which says where it listens; `None` where it ended without one.
fn address_of(stdout: impl Read) -> Result<Option<SocketAddr>, OsError> {
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    Ok(line.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_says_where_it_listens_or_nothing() {
        let said = address_of("127.0.0.1:7\nmore\n".as_bytes()).unwrap();
        assert_eq!(said, Some(SocketAddr::from(([127, 0, 0, 1], 7))));
        assert_eq!(address_of("".as_bytes()).unwrap(), None);
    }

    #[test]
    fn pr1_a_process_that_says_nothing_is_waited_for() {
        let silent = Process::start(Some(Path::new("/bin/true")), |_| ());
        assert!(matches!(silent, Err(ProcessError::Ended)));
    }
}
