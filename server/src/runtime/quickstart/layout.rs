//! Where a quickstart puts things: directories, ports, and the files of each server.
//!
//! Not here: starting anything (`ensemble`).

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use super::{QuickstartOptions, Trouble};

/// As far from the client port as ZooKeeper's usual 2888 and 3888 are from 2181.
const QUORUM_PORT_OFFSET: u16 = 707;
const ELECTION_PORT_OFFSET: u16 = 1707;

/// More servers than this on one machine show nothing that fewer do not.
const SERVERS_MAX: u16 = 15;

pub(super) struct Layout {
    pub(super) dir: PathBuf,
    pub(super) seats: Vec<Seat>,
}

/// One server's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) id: u16,
    pub(super) dir: PathBuf,
    pub(super) client: SocketAddr,
    quorum: u16,
    election: u16,
}

impl Layout {
    /// Plans, and makes sure that the ports are free and the directory is of the same ensemble.
    pub(super) fn plan(options: &QuickstartOptions) -> Result<Self, Trouble> {
        let QuickstartOptions { servers, port, data, .. } = options;
        if !(1..=SERVERS_MAX).contains(servers) {
            return Err(format!("--servers is from 1 to {SERVERS_MAX}"));
        }
        if *port == 0 || port.checked_add(ELECTION_PORT_OFFSET + servers).is_none() {
            return Err(format!("--port {port} leaves no room for the ports that follow it"));
        }
        let dir = data.clone().unwrap_or_else(|| default_dir(*port));
        let dir = std::path::absolute(&dir).map_err(|error| trouble(&dir, &error))?;
        same_ensemble(&dir, *servers)?;
        let seats: Vec<Seat> = (0..*servers).map(|index| Seat::new(&dir, *port, index)).collect();
        for seat in &seats {
            let others = if *servers > 1 { vec![seat.quorum, seat.election] } else { vec![] };
            for port in others.into_iter().chain([seat.client.port()]) {
                TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| {
                    format!("port {port} cannot be had ({error}); choose others with --port")
                })?;
            }
        }
        Ok(Self { dir, seats })
    }

    /// Writes `zoo.cfg` and `myid` of each server.
    pub(super) fn write(&self) -> Result<(), Trouble> {
        for seat in &self.seats {
            fs::create_dir_all(&seat.dir).map_err(|error| trouble(&seat.dir, &error))?;
            write(&seat.zoo_cfg(), &self.configuration(seat))?;
            write(&seat.dir.join("myid"), &format!("{}\n", seat.id))?;
        }
        Ok(())
    }

    fn configuration(&self, seat: &Seat) -> String {
        let mut text = format!(
            "# Written by `ringkeeper quickstart`, and again at the next one.\n\
             dataDir={}\n\
             clientPort={}\n\
             clientPortAddress=127.0.0.1\n\
             tickTime=2000\n\
             initLimit=10\n\
             syncLimit=5\n\
             maxClientCnxns=0\n\
             4lw.commands.whitelist=*\n",
            escape(&seat.dir),
            seat.client.port(),
        );
        if self.seats.len() > 1 {
            for Seat { id, quorum, election, .. } in &self.seats {
                let _ = writeln!(text, "server.{id}=127.0.0.1:{quorum}:{election}");
            }
        }
        text
    }
}

impl Seat {
    fn new(dir: &Path, port: u16, index: u16) -> Self {
        let id = index + 1;
        Self {
            id,
            dir: dir.join(id.to_string()),
            client: SocketAddr::from((Ipv4Addr::LOCALHOST, port + index)),
            quorum: port + QUORUM_PORT_OFFSET + index,
            election: port + ELECTION_PORT_OFFSET + index,
        }
    }

    pub(super) fn zoo_cfg(&self) -> PathBuf {
        self.dir.join("zoo.cfg")
    }

    pub(super) fn trace(&self) -> PathBuf {
        self.dir.join("trace.log")
    }
}

/// On a disk, if the machine keeps to custom: what lies in /var/tmp outlives a restart, and what
/// lies in /tmp is often memory, where a sync costs nothing and a figure says nothing.
fn default_dir(port: u16) -> PathBuf {
    let on_disk = Path::new("/var/tmp");
    let parent = if on_disk.is_dir() { on_disk.to_path_buf() } else { std::env::temp_dir() };
    parent.join(format!("ringkeeper-quickstart-{port}"))
}

/// Data of three servers must not be taken up by one, nor the other way round: servers without
/// data could outvote those with.
fn same_ensemble(dir: &Path, servers: u16) -> Result<(), Trouble> {
    let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
    let is_seat = |name: &str| name.parse::<u16>().is_ok();
    let found = entries.flatten().filter(|e| e.file_name().to_str().is_some_and(is_seat)).count();
    if found == 0 || found == usize::from(servers) {
        return Ok(());
    }
    Err(format!(
        "{} holds the data of {found} servers; give --servers {found}, another --data, or remove it",
        dir.display()
    ))
}

/// A path as a value of a properties file.
fn escape(path: &Path) -> String {
    path.display().to_string().replace('\\', "\\\\")
}

fn write(path: &Path, text: &str) -> Result<(), Trouble> {
    let written = fs::File::create(path).and_then(|mut file| {
        io::Write::write_all(&mut file, text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| trouble(path, &error))
}

fn trouble(path: &Path, error: &io::Error) -> Trouble {
    format!("{}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    /// Below the ports the system gives to outgoing connections, and of this process alone.
    fn port() -> u16 {
        10_000 + (std::process::id() % 20_000) as u16
    }

    fn options(servers: u16, dir: &Path) -> QuickstartOptions {
        let data = Some(dir.to_path_buf());
        QuickstartOptions { servers, port: port(), data, bench_seconds: None }
    }

    #[test]
    fn what_is_written_is_a_good_configuration() {
        let dir = std::env::temp_dir().join(format!("ringkeeper-layout-{}", std::process::id()));
        let layout = Layout::plan(&options(3, &dir)).expect("free ports");
        layout.write().expect("a writable directory");
        let seat = &layout.seats[1];
        let file = seat.zoo_cfg().display().to_string();
        let mut read = |path: &Path| fs::read_to_string(path).map(String::into_bytes);
        let config = config::load(&file, &[], &mut read).expect("a good configuration");
        assert_eq!(config.me.0, 2);
        assert_eq!(config.warnings, []);
        assert_eq!(config.client_port.expect("given").port, port() + 1);
        let quorum = config.quorum.expect("three voters");
        assert_eq!(quorum.quorum_address.port, port() + 708);
        assert_eq!(quorum.election_address.port, port() + 1708);

        let other = Layout::plan(&options(1, &dir)).map(|_| ());
        assert!(other.expect_err("data of three").contains("--servers 3"));
        fs::remove_dir_all(&dir).expect("our own directory");
    }

    #[test]
    fn ports_and_counts_that_cannot_be_are_refused() {
        let dir = std::env::temp_dir().join("ringkeeper-layout-nowhere");
        let refuses = |servers, port| {
            let options = QuickstartOptions { port, ..options(servers, &dir) };
            assert!(Layout::plan(&options).is_err());
        };
        refuses(0, 2181);
        refuses(16, 2181);
        refuses(3, 65_000);
        refuses(3, 0);
    }
}
