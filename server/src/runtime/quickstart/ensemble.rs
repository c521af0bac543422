//! The processes of a quickstart, from their start to their end.
//!
//! Invariants:
//! - QE1. Every process that was started is waited for: when an `Ensemble` goes, so do they.
//!
//! Not here: where they run (`layout`).

use std::fmt;
use std::fs::{self, OpenOptions};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::super::screen;
use super::Trouble;
use super::layout::{Layout, Seat};

/// A server drains its connections and its log before it goes; after this it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
const STOP_LOOK: Duration = Duration::from_millis(20);

pub(super) struct Ensemble {
    servers: Vec<Server>,
}

/// A server that runs, as far as is known.
pub(super) struct Server {
    pub(super) id: u16,
    pub(super) address: SocketAddr,
    trace: PathBuf,
    process: Child,
}

/// A server that ended without being asked to.
pub(super) struct Dead {
    id: u16,
    status: ExitStatus,
    last_line: String,
}

impl fmt::Display for Dead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "server {} is gone ({}): {}", self.id, self.status, self.last_line)
    }
}

impl Ensemble {
    pub(super) fn start(layout: &Layout) -> Result<Self, Trouble> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut ensemble = Self { servers: Vec::new() };
        for seat in &layout.seats {
            ensemble.servers.push(Server::start(&program, seat)?);
        }
        Ok(ensemble)
    }

    pub(super) fn servers(&self) -> &[Server] {
        &self.servers
    }

    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.servers.iter().map(|server| server.address).collect()
    }

    /// Takes out those that ended since the last call.
    pub(super) fn reap(&mut self) -> Vec<Dead> {
        let mut dead = Vec::new();
        self.servers.retain_mut(|server| match server.process.try_wait() {
            Ok(Some(status)) => {
                dead.push(Dead { id: server.id, status, last_line: server.last_line() });
                false
            }
            _ => true,
        });
        dead
    }

    /// Asks all to end, waits, and kills who does not.
    pub(super) fn stop(&mut self) {
        for server in &self.servers {
            server.signal(Signal::TERM);
        }
        let looks = STOP_TIMEOUT.as_millis() / STOP_LOOK.as_millis();
        for _ in 0..looks {
            self.reap();
            if self.servers.is_empty() {
                return;
            }
            sleep(STOP_LOOK);
        }
        for server in &mut self.servers {
            screen::complain(format_args!("server {} does not end and is killed", server.id));
            let _ = server.process.kill();
            let _ = server.process.wait();
        }
        self.servers.clear();
    }
}

impl Drop for Ensemble {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Server {
    fn start(program: &Path, seat: &Seat) -> Result<Self, Trouble> {
        let trace = seat.trace();
        let process = Self::spawn(program, seat, &trace);
        let process =
            process.map_err(|error| format!("server {} does not start: {error}", seat.id))?;
        Ok(Self { id: seat.id, address: seat.client, trace, process })
    }

    fn spawn(program: &Path, seat: &Seat, trace: &Path) -> std::io::Result<Child> {
        let out = OpenOptions::new().create(true).write(true).truncate(true).open(trace)?;
        let err = out.try_clone()?;
        Command::new(program)
            .arg("serve")
            .arg(seat.zoo_cfg())
            .current_dir(&seat.dir)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            // Of its own group, so that Ctrl-C reaches us alone and they end in our order.
            .process_group(0)
            .spawn()
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        // A process that is gone already cannot be signalled, and need not be.
        if let Some(pid) = pid {
            let _ = kill_process(pid, signal);
        }
    }

    /// What it said last.
    pub(super) fn last_line(&self) -> String {
        let text = fs::read_to_string(&self.trace).unwrap_or_default();
        let last = text.lines().rev().find(|line| !line.trim().is_empty());
        let trace = self.trace.display();
        last.map_or_else(|| format!("it said nothing ({trace})"), |line| line.trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn server(script: &str, trace: PathBuf) -> Server {
        let process = Command::new("sh").args(["-c", script]).spawn().expect("a shell");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        Server { id: 7, address, trace, process }
    }

    #[test]
    fn a_server_that_dies_is_reported_with_its_last_line() {
        let trace = std::env::temp_dir().join(format!("ringkeeper-trace-{}", std::process::id()));
        let mut file = fs::File::create(&trace).expect("a writable directory");
        std::io::Write::write_all(&mut file, b"INFO start\nERROR disk full\n\n").expect("written");
        let mut ensemble = Ensemble { servers: vec![server("exit 3", trace.clone())] };
        let dead = loop {
            match ensemble.reap().pop() {
                Some(dead) => break dead,
                None => sleep(STOP_LOOK),
            }
        };
        assert_eq!(dead.to_string(), "server 7 is gone (exit status: 3): ERROR disk full");
        assert!(ensemble.servers().is_empty());
        fs::remove_file(trace).expect("our own file");
    }

    #[test]
    fn qe1_who_is_asked_to_end_is_waited_for() {
        let mut ensemble = Ensemble { servers: vec![server("exec sleep 60", PathBuf::new())] };
        let pid = ensemble.servers[0].process.id();
        ensemble.stop();
        assert!(ensemble.servers().is_empty());
        assert!(!Path::new(&format!("/proc/{pid}")).exists(), "waited for, so no zombie");
    }
}
