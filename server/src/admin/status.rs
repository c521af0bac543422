//! What a server tells about itself, as plain data.
//!
//! The member implements `Status`; the texts are made from what it returns. Everything here is on
//! a cold path: lists are made for the asking, in an order that does not depend on the process.
//!
//! Not here: the texts; figures that are kept (`metrics`).

use std::net::SocketAddr;

use ringkeeper_engine::quorum::Ensemble;
use ringkeeper_engine::zxid::Zxid;

use crate::config::Config;
use crate::proof::Lines;

use super::environment::Environment;
use super::metrics::Metrics;

/// Whoever can be asked. Lists may be long; each word asks only for what it prints.
pub trait Status {
    /// `None` while no client is served: election, synchronization, shutdown.
    fn server(&self) -> Option<ServerStatus>;
    fn metrics(&self) -> &Metrics;
    fn config(&self) -> &Config;
    /// The members in force; `None` standalone.
    fn ensemble(&self) -> Option<&Ensemble>;
    fn environment(&self) -> &Environment;
    fn connections(&self) -> Vec<ConnectionStatus>;
    fn sessions(&self) -> SessionDump;
    /// Of the table of data watches, which is the only one ZooKeeper reports.
    fn watches(&self) -> Vec<WatchesOf>;
    /// The digests kept of every 128th zxid, oldest first.
    fn digests(&self) -> Vec<(Zxid, u64)>;
    fn quotas(&self) -> Vec<NamespaceQuota>;
    fn directory_sizes(&self) -> DirectorySizes;
    fn open_files(&self) -> OpenFiles;
    /// Forget what the server's own figures hold: `Metrics::reset`.
    fn reset_server_stats(&mut self);
    /// Forget what each connection's figures hold.
    fn reset_connection_stats(&mut self);
    /// What the proof says; `None` outside proof mode.
    fn proof(&self) -> Option<Lines>;
    fn trace_mask(&self) -> i64;
    fn set_trace_mask(&mut self, mask: i64);
}

/// How a server serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Standalone,
    Leader,
    Follower,
    Observer,
}

impl Mode {
    pub fn name(self) -> &'static str {
        match self {
            Self::Standalone => "standalone",
            Self::Leader => "leader",
            Self::Follower => "follower",
            Self::Observer => "observer",
        }
    }
}

/// The gauges of a server that serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerStatus {
    pub mode: Mode,
    /// Last zxid applied.
    pub zxid: Zxid,
    /// Requests taken and not answered.
    pub outstanding: u64,
    pub connections: u64,
    pub uptime_ms: u64,
    /// Compat: counts the root twice, as "" and "/" (`DataTree`, 3.9.5).
    pub znodes: u64,
    /// Of both tables.
    pub watches: u64,
    pub ephemerals: u64,
    pub approximate_data_bytes: u64,
    pub sessions: u64,
    /// `None` standalone.
    pub quorum: Option<QuorumStatus>,
}

/// The gauges of a member of an ensemble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuorumStatus {
    pub voters: u64,
    /// Of a leader.
    pub leading: Option<LeaderStatus>,
    /// The leader an observer follows.
    pub observed: Option<i64>,
}

/// The gauges of a leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeaderStatus {
    pub learners: u64,
    pub synced_followers: u64,
    pub synced_observers: u64,
    pub synced_non_voting_followers: u64,
    pub pending_syncs: u64,
    pub uptime_ms: u64,
}

/// One connection, for `stat` and `cons`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionStatus {
    pub remote: SocketAddr,
    /// Reading, and writing: Java's interest set.
    pub reads: bool,
    pub writes: bool,
    pub outstanding: u64,
    pub received: u64,
    pub sent: u64,
    /// `None` until the session is open.
    pub session: Option<ConnectionSession>,
}

/// What a connection knows of its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionSession {
    pub id: i64,
    /// As `last_operation` spells it.
    pub last_operation: &'static str,
    /// When the connection came, in milliseconds of wall time since 1970.
    pub established_ms: i64,
    pub timeout_ms: i32,
    /// Below zero where no request has had one.
    pub last_cxid: i64,
    pub last_zxid: i64,
    /// When the last answer went out, in milliseconds of the monotonic clock.
    pub last_response_ms: u64,
    pub last_latency_ms: u64,
    pub min_latency_ms: u64,
    pub avg_latency_ms: u64,
    pub max_latency_ms: u64,
}

/// What `cons` calls an operation (`ServerCnxn.packetReceived` and `FinalRequestProcessor`, 3.9.5).
pub fn last_operation(op: i32) -> &'static str {
    match op {
        -10 => "SESS",
        11 => "PING",
        1 | 15 | 19 | 21 => "CREA",
        2 | 20 => "DELE",
        5 => "SETD",
        7 => "SETA",
        4 => "GETD",
        8 | 12 => "GETC",
        104 => "GETACN",
        3 => "EXIS",
        6 => "GETA",
        9 => "SYNC",
        14 => "MULT",
        22 => "MLTR",
        13 => "CHEC",
        101 => "SETW",
        105 => "STW2",
        106 => "ADDW",
        17 => "CHKW",
        18 => "REMW",
        16 => "RECO",
        -11 => "CLOS",
        103 => "GETE",
        107 => "HOMI",
        _ => "NA",
    }
}

/// For `dump`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionDump {
    pub sessions: SessionList,
    pub ephemerals: Vec<EphemeralsOf>,
    /// Each connection with its session, 0 where it has none yet.
    pub connections: Vec<(SocketAddr, i64)>,
    /// When the connections' next deadline is, in milliseconds of wall time since 1970.
    pub connections_expire_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionList {
    /// A leader or standalone server knows when they end, soonest first.
    Tracked(Vec<ExpiringSessions>),
    /// A learner knows their timeouts in milliseconds, in the order of their ids.
    Known(Vec<(i64, i32)>),
}

/// Sessions that expire at the same moment unless something is heard of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiringSessions {
    /// In milliseconds of wall time since 1970.
    pub at_ms: i64,
    pub sessions: Vec<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EphemeralsOf {
    pub session: i64,
    pub paths: Vec<String>,
}

/// The paths one connection watches; two connections of one session are two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchesOf {
    pub session: i64,
    pub paths: Vec<String>,
}

/// The sum of the quotas below one name under the root; -1 for each limit that is not set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespaceQuota {
    pub namespace: String,
    pub count_limit: i64,
    pub bytes_limit: i64,
    /// Count and bytes; `None` where nothing counts them.
    pub usage: Option<(i64, i64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DirectorySizes {
    /// Of the snapshots.
    pub data_bytes: u64,
    /// Of the log.
    pub log_bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpenFiles {
    pub open: u64,
    pub max: u64,
}
