//! From a configuration to a turning core: folders, log, member, sockets, threads.
//!
//! Not here: what the configuration means (`config`), the turning (`core`).

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ringkeeper_engine::io::files::{Directory, FileDisk};
use ringkeeper_engine::io::{
    self, Backend, Io, ListenerId, Reactor, ReactorOptions, entropy, memory,
};
use ringkeeper_engine::limits::LENT_SLAB_BYTES;
use ringkeeper_engine::log::{Log, LogOptions, Opened, beginning};
use ringkeeper_engine::quorum::{Address, Ensemble};
use ringkeeper_engine::replica::{Replica, ReplicaOptions, Timing};
use tracing::{info, warn};

use super::background::{Answers, Background};
use super::clients::Clients;
use super::core::{Core, KeepAlive, Listeners, Parts};
use super::fatal::{self, DATA_DIRECTORY, UNEXPECTED};
use super::import::{Beside, DataFolders, ImportRefusal, beside, import_version2};
use super::net::Net;
use super::passage::passage;
use super::signals;
use super::stock::TouchedMemory;
use crate::admin::Environment;
use crate::config::{Config, IoBackend};
use crate::member::{EarlyTree, Member, MemberOptions};
use crate::snapshot::Format;
use crate::tree::Stock;

/// How often a port in use is tried again, and how long after: a server that was killed leaves its
/// listening sockets to its ring, which the kernel takes down a moment after the process.
const BIND_RETRIES: u32 = 60;
const BIND_PAUSE: Duration = Duration::from_millis(50);

/// How many dialled connections may wait to be accepted on the servers' ports.
const PEER_BACKLOG: u16 = 128;

/// What a start keeps of the files that it reads ahead: each of them is read once.
const BYTES_KEPT: usize = 4 << 20;

/// Why a server does not start, with its exit code.
struct Refusal {
    code: u8,
    why: String,
}

fn refused(code: u8, why: impl std::fmt::Display) -> Refusal {
    Refusal { code, why: why.to_string() }
}

/// Runs one server until it is told to stop.
pub fn serve(config: Config) -> ExitCode {
    match run(config) {
        Ok(()) => {
            info!("stopped");
            ExitCode::SUCCESS
        }
        Err(refusal) => fatal::end(refusal.code, &refusal.why),
    }
}

/// Our folder, with what ZooKeeper's holds brought in where ours holds nothing: begun anew beside
/// it, the ensemble would take an empty server for one that has everything.
fn directory(config: &Config) -> Result<Arc<Directory>, Refusal> {
    let folders = DataFolders::of(config);
    let open = || Directory::open(&folders.data_dir, &folders.data_log_dir);
    if folders.has_log() {
        return open().map_err(|error| refused(DATA_DIRECTORY, error));
    }
    let data_dir = folders.data_dir.display();
    info!("{data_dir} holds no log of Ringkeeper's; looking for data of ZooKeeper's");
    match import_version2(&folders) {
        Ok((imported, directory)) => {
            info!("imported version-2, which stays as it is: {imported}");
            Ok(directory)
        }
        Err(ImportRefusal::Nothing { .. }) => {
            open().map_err(|error| refused(DATA_DIRECTORY, error))
        }
        Err(error) => Err(refused(DATA_DIRECTORY, error)),
    }
}

/// A `version-2` that a server has gone on in is not left behind in silence.
fn refuse_stale(config: &Config, disk: &mut FileDisk, opened: &Opened) -> Result<(), Refusal> {
    let folders = DataFolders::of(config);
    let (log, superblock) = (&opened.log, opened.log.superblock());
    let found = beside(&folders, disk, log.appended(), superblock);
    let Beside::Beyond { theirs, known } = found.map_err(|error| refused(DATA_DIRECTORY, error))?
    else {
        return Ok(());
    };
    let data_dir = folders.data_dir.display();
    let known = known.map_or_else(String::new, |known| {
        format!(", and was at {known} when it was last imported or exported")
    });
    let why = format!(
        "{data_dir}/version-2 is at {theirs}{known}: a ZooKeeper server has run there since. \
         {data_dir}/ringkeeper is at zxid {}, epochs {} accepted, {} current. Starting from it \
         would lose what was written there. To go on from version-2, move \
         {data_dir}/ringkeeper aside and start again; to go on from ringkeeper and give up what \
         is in version-2, move {data_dir}/version-2 aside",
        log.appended(),
        superblock.accepted_epoch.0,
        superblock.current_epoch.0,
    );
    Err(refused(DATA_DIRECTORY, why))
}

fn run(config: Config) -> Result<(), Refusal> {
    let directory = directory(&config)?;
    let backend = backend(&config)?;
    let mut reactor = io::start(backend, &ReactorOptions::default(), Some(Arc::clone(&directory)))
        .map_err(|error| refused(UNEXPECTED, error))?;
    info!("{}", reactor.describe());
    let mut disk = FileDisk::new(Arc::clone(&directory));
    let clients = clients(&config, backend, &*reactor)?;
    let listeners = listen(&config, reactor.io())?;
    // Until the core's first turn nobody else writes what is read here.
    disk.read_ahead(BYTES_KEPT);
    let member = member(config.clone(), &mut disk, &directory)?;
    let (background, Answers { answers, sender }) =
        Background::start(FileDisk::new(directory), reactor.waker())
            .map_err(|error| refused(UNEXPECTED, format!("no background thread: {error}")))?;
    signals::watch(sender)
        .map_err(|error| refused(UNEXPECTED, format!("signals cannot be watched: {error}")))?;
    let quorum = config.quorum.as_ref();
    let core = Core::new(Parts {
        member,
        disk,
        background,
        done: answers,
        listeners,
        clients,
        dial_timeout: Duration::from_millis(quorum.map_or(5000, |quorum| quorum.dial_timeout_ms)),
        keep_alive: KeepAlive {
            peers: quorum.is_some_and(|quorum| quorum.tcp_keep_alive),
            clients: config.connections.tcp_keep_alive,
        },
    });
    core.run(&mut *reactor).map_err(|reason| refused(UNEXPECTED, reason))
}

fn backend(config: &Config) -> Result<Backend, Refusal> {
    let forced = match config.io {
        IoBackend::Auto => None,
        IoBackend::Uring => Some("uring"),
        IoBackend::Poll => Some("poll"),
    };
    io::probe(forced).map_err(|error| refused(UNEXPECTED, error))
}

/// Nobody yet, and the threads that are to have their sockets.
fn clients(config: &Config, backend: Backend, core: &dyn Reactor) -> Result<Clients, Refusal> {
    let count = config.net_threads;
    if count > 0 {
        info!(count, "clients' sockets are served by net threads");
    }
    let nets = (0..count).map(|number| Net::start(number, backend, core.waker()));
    let nets = nets.collect::<Result<_, _>>();
    nets.map(Clients::new).map_err(|error| refused(UNEXPECTED, error))
}

/// Purged segments that wait to be used again take an eighth of what the disk may hold, at most.
fn log_options(config: &Config) -> LogOptions {
    let options = LogOptions { passes_over: true, ..LogOptions::new(config.me, 0) };
    let share = config.data.disk_budget_bytes / 8 / options.segment_bytes;
    let recycled = usize::try_from(share).map_or(options.recycled, |it| it.min(options.recycled));
    LogOptions { recycled, ..options }
}

/// Opens the log, and makes the tree of the snapshot and of what the log has read meanwhile.
fn member(
    config: Config,
    disk: &mut FileDisk,
    directory: &Arc<Directory>,
) -> Result<Member, Refusal> {
    let seed = entropy::random_u64();
    let log_options = log_options(&config);
    let mut snapshots = FileDisk::new(Arc::clone(directory));
    let beginning = beginning(&mut snapshots);
    let (passage, packets) = passage();
    let (opened, early) = std::thread::scope(|scope| {
        let log = scope.spawn(|| {
            let mut passage = passage;
            let opened =
                Log::open_telling(disk, log_options, seed, &mut |passed| passage.pass(passed));
            (opened, passage.end())
        });
        let early = beginning.and_then(|beginning| {
            snapshots.read_ahead(BYTES_KEPT);
            let stock = TouchedMemory::start().ok().map(|stock| Box::new(stock) as Box<dyn Stock>);
            EarlyTree::read(&mut snapshots, beginning.snapshot, &config, stock, packets)
        });
        (log.join(), early)
    });
    let (opened, is_whole) = opened.expect("a panic ends the process");
    let mut opened = opened.map_err(|error| refused(UNEXPECTED, error))?;
    opened.log.lend(memory::for_slabs(LENT_SLAB_BYTES));
    refuse_stale(&config, disk, &opened)?;
    let report = opened.report;
    info!(
        last = %opened.log.appended(), batches = report.batches, torn_bytes = report.torn_bytes,
        segments_passed_over = report.passed_over, "log read"
    );
    if let Some(damage) = report.damage {
        warn!(
            after = %damage.after, file = %damage.file, offset = damage.offset,
            "the log is damaged: this server does not vote until the ensemble has repaired it"
        );
    }
    let replica = Replica::new(replica_options(&config), opened.log);
    let options = MemberOptions {
        config: Rc::new(config),
        environment: Rc::new(Environment::gather()),
        entropy: seed,
    };
    let mut member = Member::new(options, replica);
    let is_of_log = is_whole && report.damage.is_none() && report.finished.is_none();
    if let Some(early) = early.filter(|_| is_of_log) {
        member.has_read(early);
    }
    Ok(member)
}

fn replica_options(config: &Config) -> ReplicaOptions {
    let timing = Timing {
        tick_ms: config.timing.tick_ms,
        init_limit: config.timing.init_limit_ticks,
        sync_limit: config.timing.sync_limit_ticks,
    };
    let quorum = config.quorum.as_ref();
    ReplicaOptions {
        me: config.me,
        ensemble: quorum
            .map_or_else(|| Ensemble::alone(config.me), |quorum| quorum.ensemble.clone()),
        timing,
        standalone: quorum.is_none(),
        may_vote_empty: config.data.creates_database,
        snapshots: Box::new(Format),
    }
}

/// Opens every port. The servers' ports are open before the first election, so that no learner is
/// refused by a leader that has just been elected.
fn listen(config: &Config, io: &mut dyn Io) -> Result<Listeners, Refusal> {
    let mut listeners = Listeners::default();
    if let Some(client) = &config.client_port {
        let host = client.host.as_deref().unwrap_or("0.0.0.0");
        let backlog = u16::try_from(client.backlog).unwrap_or(u16::MAX);
        let (listener, at) = open(io, host, client.port, backlog, UNEXPECTED)?;
        if config.net_threads > 0 {
            io.accept_for_others(listener);
        }
        info!("clients are served at {at}");
        listeners.client = Some(listener);
    }
    if let Some(quorum) = &config.quorum {
        let open_peer = |io: &mut dyn Io, address: &Address| {
            let any = quorum.listens_on_all_ips;
            let host = if any { "0.0.0.0" } else { &address.host };
            let (listener, _) = open(io, host, address.port, PEER_BACKLOG, fatal::QUORUM_PORT)?;
            // Whoever dials a server that is dead must hear so at once.
            io.loosen_listener(listener);
            Ok(listener)
        };
        listeners.quorum = Some(open_peer(io, &quorum.quorum_address)?);
        listeners.election = Some(open_peer(io, &quorum.election_address)?);
    }
    Ok(listeners)
}

fn open(
    io: &mut dyn Io,
    host: &str,
    port: u16,
    backlog: u16,
    code: u8,
) -> Result<(ListenerId, SocketAddr), Refusal> {
    let at = (host, port)
        .to_socket_addrs()
        .map_err(|error| refused(code, format!("cannot listen on {host}:{port}: {error}")))?
        .next()
        .unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port));
    let in_use = rustix::io::Errno::ADDRINUSE.raw_os_error();
    for _ in 0..BIND_RETRIES {
        match io.listen(at, backlog) {
            Err(error) if error.errno.0 == in_use => std::thread::sleep(BIND_PAUSE),
            ended => return ended.map_err(|error| refused(code, error)),
        }
    }
    io.listen(at, backlog).map_err(|error| refused(code, error))
}
