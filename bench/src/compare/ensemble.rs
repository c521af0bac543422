//! Servers of one system as processes, in a folder that goes with them.
//!
//! Both systems get the same `zoo.cfg`, which says nothing about durability: every write is synced
//! before it is acknowledged, as both do by default.
//!
//! Invariants:
//! - CE1. Every process that was started is ended and waited for, also when a run fails.
//!
//! Not here: which program (`system`), what is asked of it (`crate::load`).

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::system::{System, absolute};
use crate::host::process_cpu_us;

/// Below the ports that the kernel gives to outgoing connections.
const PORTS: std::ops::Range<u16> = 21_000..32_000;

const START_LOOKS: u32 = 600;
const START_LOOK: Duration = Duration::from_millis(100);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Why an ensemble does not serve.
#[derive(Debug, thiserror::Error)]
pub enum EnsembleError {
    #[error("{0}: {1}")]
    Folder(PathBuf, io::Error),
    #[error("no free port")]
    NoPort,
    #[error("{0} does not start: {1}")]
    Start(&'static str, io::Error),
    #[error("server {id} of {system} ended:\n{log}")]
    Ended { system: &'static str, id: usize, log: String },
    #[error("server {id} of {system} does not serve after a minute:\n{log}")]
    Silent { system: &'static str, id: usize, log: String },
    #[error("the servers of {0} are not level after a minute: see with `srvr` which is behind")]
    NotLevel(&'static str),
    #[error("server {id} of {system} does not end on SIGTERM within a minute:\n{log}")]
    Stubborn { system: &'static str, id: usize, log: String },
}

/// A running ensemble; a single server is standalone.
pub struct Ensemble {
    system: System,
    folder: PathBuf,
    servers: Vec<Server>,
}

struct Server {
    id: usize,
    client: SocketAddr,
    zoo_cfg: PathBuf,
    log: PathBuf,
    process: Child,
}

impl Ensemble {
    /// Starts `count` servers with their data below `folder` and waits until all serve.
    pub fn start(system: &System, count: usize, folder: &Path) -> Result<Self, EnsembleError> {
        Self::start_with(system, count, folder, "")
    }

    /// The same, with further lines in each `zoo.cfg`.
    pub fn start_with(
        system: &System,
        count: usize,
        folder: &Path,
        settings: &str,
    ) -> Result<Self, EnsembleError> {
        let name = format!("ringkeeper-bench-{}-{}", std::process::id(), system.short_name());
        let folder = absolute(folder).join(name);
        let mut ensemble =
            Self { system: system.clone(), folder: folder.clone(), servers: Vec::new() };
        let ports = free_ports(3 * count)?;
        let members = if count == 1 { String::new() } else { members(&ports) };
        let settings = format!("{members}{settings}");
        for (index, ports) in ports.chunks(3).enumerate() {
            let server = Server::start(system, index + 1, ports[0], &settings, &folder)?;
            ensemble.servers.push(server);
        }
        ensemble.wait_serving()?;
        Ok(ensemble)
    }

    fn wait_serving(&mut self) -> Result<(), EnsembleError> {
        let system = self.system.short_name();
        for _ in 0..START_LOOKS {
            for server in &mut self.servers {
                if !matches!(server.process.try_wait(), Ok(None)) {
                    let (id, log) = (server.id, server.words());
                    return Err(EnsembleError::Ended { system, id, log });
                }
            }
            if self.servers.iter().all(|server| server.mode().is_some()) {
                return Ok(());
            }
            sleep(START_LOOK);
        }
        match self.servers.iter().find(|server| server.mode().is_none()) {
            Some(server) => {
                let (id, log) = (server.id, server.words());
                Err(EnsembleError::Silent { system, id, log })
            }
            None => Ok(()),
        }
    }

    /// Where clients connect, the leader first.
    pub fn clients(&self) -> Vec<SocketAddr> {
        let mut servers: Vec<_> =
            self.servers.iter().map(|server| (!server.leads(), server.client)).collect();
        servers.sort();
        servers.into_iter().map(|(_, client)| client).collect()
    }

    /// The leader's process, while one leads.
    pub fn leader(&self) -> Option<u32> {
        self.servers.iter().find(|server| server.leads()).map(|server| server.process.id())
    }

    /// All processes, the leader's first.
    pub fn processes(&self) -> Vec<u32> {
        let mut servers: Vec<_> =
            self.servers.iter().map(|server| (!server.leads(), server.process.id())).collect();
        servers.sort_unstable();
        servers.into_iter().map(|(_, pid)| pid).collect()
    }

    /// CPU time of all servers together.
    pub fn cpu_us(&self) -> u64 {
        self.servers.iter().filter_map(|server| process_cpu_us(server.process.id())).sum()
    }

    /// Memory of all servers together, as far as it is resident.
    pub fn resident_bytes(&self) -> u64 {
        self.resident_by_server().iter().sum()
    }

    /// Each at the place of its server.
    pub(super) fn resident_by_server(&self) -> Vec<u64> {
        let pages = |server: &Server| {
            let path = format!("/proc/{}/statm", server.process.id());
            let statm = fs::read_to_string(path).ok()?;
            statm.split_whitespace().nth(1)?.parse::<u64>().ok()
        };
        let page = rustix::param::page_size() as u64;
        self.servers.iter().map(|server| pages(server).unwrap_or(0) * page).collect()
    }
}

/// What happens to servers, and their coming back. A server is named by its place.
impl Ensemble {
    /// Where clients connect, each at the place of its server.
    pub(super) fn clients_in_order(&self) -> Vec<SocketAddr> {
        self.servers.iter().map(|server| server.client).collect()
    }

    pub(super) fn leader_index(&self) -> Option<usize> {
        self.servers.iter().position(Server::leads)
    }

    /// `kill -9`, without waiting for the end.
    pub(super) fn kill(&mut self, index: usize) {
        // Only a process that has ended by itself cannot be killed.
        let _ = self.servers[index].process.kill();
    }

    /// Starts a server that was killed, once it has ended.
    pub(super) fn restart(&mut self, index: usize) -> Result<(), EnsembleError> {
        let server = &mut self.servers[index];
        let _ = server.process.wait();
        server.process = spawn(&self.system, &server.zoo_cfg, &server.log)?;
        Ok(())
    }

    /// Ends all servers as an operator does.
    pub(super) fn stop_all(&mut self) -> Result<(), EnsembleError> {
        for server in &self.servers {
            // One that has ended by itself is found below.
            let _ = kill_process(Pid::from_child(&server.process), Signal::TERM);
        }
        let system = self.system.short_name();
        for server in &mut self.servers {
            let mut looks = 0..START_LOOKS;
            while matches!(server.process.try_wait(), Ok(None)) {
                if looks.next().is_none() {
                    let (id, log) = (server.id, server.words());
                    return Err(EnsembleError::Stubborn { system, id, log });
                }
                sleep(START_LOOK);
            }
        }
        Ok(())
    }

    /// Starts all servers, which have ended, and does not wait until they serve.
    pub(super) fn start_all(&mut self) -> Result<(), EnsembleError> {
        (0..self.servers.len()).try_for_each(|index| self.restart(index))
    }

    /// Waits until all serve and have applied the same.
    pub(super) fn wait_level(&mut self) -> Result<(), EnsembleError> {
        self.wait_serving()?;
        for _ in 0..START_LOOKS {
            let zxids: Vec<_> = self.servers.iter().map(|server| server.said("Zxid: ")).collect();
            if zxids.iter().all(|zxid| zxid.is_some() && *zxid == zxids[0]) {
                return Ok(());
            }
            sleep(START_LOOK);
        }
        Err(EnsembleError::NotLevel(self.system.short_name()))
    }
}

impl Drop for Ensemble {
    fn drop(&mut self) {
        for server in &mut self.servers {
            // A process that has ended by itself cannot be killed, and need not be.
            let _ = server.process.kill();
            let _ = server.process.wait();
        }
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("{} stays behind: {error}", self.folder.display());
        }
    }
}

impl Server {
    fn start(
        system: &System,
        id: usize,
        client: u16,
        settings: &str,
        folder: &Path,
    ) -> Result<Self, EnsembleError> {
        let folder = folder.join(id.to_string());
        let failed = |error| EnsembleError::Folder(folder.clone(), error);
        let zoo_cfg = write_files(&folder, id, client, settings).map_err(failed)?;
        let log = folder.join("out.txt");
        let process = spawn(system, &zoo_cfg, &log)?;
        let client = SocketAddr::from((Ipv4Addr::LOCALHOST, client));
        Ok(Self { id, client, zoo_cfg, log, process })
    }

    fn mode(&self) -> Option<String> {
        self.said("Mode: ")
    }

    /// What `srvr` has behind `name`.
    fn said(&self, name: &str) -> Option<String> {
        let srvr = ask(self.client, "srvr").ok()?;
        srvr.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned)
    }

    /// What it wrote to its standard streams.
    fn words(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn leads(&self) -> bool {
        self.mode().is_some_and(|mode| mode == "leader" || mode == "standalone")
    }
}

/// A server's process, in the folder of its `zoo.cfg`, which writes to the end of `log`.
fn spawn(system: &System, zoo_cfg: &Path, log: &Path) -> Result<Child, EnsembleError> {
    let failed = |error| EnsembleError::Folder(log.to_path_buf(), error);
    let out = OpenOptions::new().create(true).append(true).open(log).map_err(failed)?;
    let err = out.try_clone().map_err(failed)?;
    let mut command = system.command(zoo_cfg);
    if let Some(folder) = zoo_cfg.parent() {
        command.current_dir(folder);
    }
    command.env("NO_COLOR", "1").stdin(Stdio::null()).stdout(out).stderr(err);
    command.spawn().map_err(|error| EnsembleError::Start(system.short_name(), error))
}

/// Makes a server's folder with `zoo.cfg` and `myid`.
fn write_files(folder: &Path, id: usize, client: u16, settings: &str) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let zoo_cfg = folder.join("zoo.cfg");
    let text = format!(
        "dataDir={}\nclientPort={client}\nclientPortAddress=127.0.0.1\ntickTime=2000\n\
         initLimit=10\nsyncLimit=5\nmaxClientCnxns=0\nadmin.enableServer=false\n\
         4lw.commands.whitelist=*\n{settings}",
        folder.display()
    );
    let write = |path: &Path, text: &str| {
        let how = OpenOptions::new().create(true).write(true).truncate(true).open(path);
        how?.write_all(text.as_bytes())
    };
    write(&zoo_cfg, &text)?;
    write(&folder.join("myid"), &format!("{id}\n"))?;
    Ok(zoo_cfg)
}

/// The `server.N` lines for ports in threes: client, quorum, election.
fn members(ports: &[u16]) -> String {
    ports.chunks(3).enumerate().fold(String::new(), |mut text, (index, ports)| {
        let _ = writeln!(text, "server.{}=127.0.0.1:{}:{}", index + 1, ports[1], ports[2]);
        text
    })
}

/// Ports nobody listens on. They are free until their server takes them, so what one call has
/// looked at, no other of this process does.
fn free_ports(count: usize) -> Result<Vec<u16>, EnsembleError> {
    static LOOKED_AT: AtomicUsize = AtomicUsize::new(0);
    // Somewhere else for each process, so that two runs beside each other seldom meet.
    let first = std::process::id() as usize % 700 * 13;
    let all = (0..PORTS.len()).map(|_| {
        let place = first + LOOKED_AT.fetch_add(1, Ordering::Relaxed);
        PORTS.start + (place % PORTS.len()) as u16
    });
    let free = all.filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
    let ports: Vec<u16> = free.take(count).collect();
    if ports.len() == count { Ok(ports) } else { Err(EnsembleError::NoPort) }
}

/// A four-letter word's answer.
fn ask(address: SocketAddr, word: &str) -> io::Result<String> {
    let mut connection = TcpStream::connect_timeout(&address, ANSWER_TIMEOUT)?;
    connection.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    connection.write_all(word.as_bytes())?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_have_a_line_each() {
        let text = members(&[1, 2, 3, 4, 5, 6]);
        assert_eq!(text, "server.1=127.0.0.1:2:3\nserver.2=127.0.0.1:5:6\n");
    }

    #[test]
    fn ports_are_free_and_different() {
        let mut ports = [free_ports(9).unwrap(), free_ports(9).unwrap()].concat();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 18, "also in two calls, before a server takes them");
    }

    #[test]
    fn ce1_a_server_that_ends_at_once_is_reported_with_its_words() {
        let system = System::Ringkeeper { program: "/bin/echo".into() };
        let Err(error) = Ensemble::start(&system, 1, &std::env::temp_dir()) else {
            panic!("an echo does not serve");
        };
        assert!(error.to_string().contains("serve"), "{error}");
    }
}
