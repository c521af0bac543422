//! What the server does: typed, in named units, every default filled in.
//!
//! One small struct a concern, so that a part takes what concerns it and nothing else. Each field
//! says which key it comes from, what a wild value breaks, and where it differs from ZooKeeper.
//!
//! Not here: how a value is found and checked (`resolve` and its parts).

use std::path::PathBuf;

use ringkeeper_engine::ids::ServerId;
use ringkeeper_engine::quorum::{Address, Ensemble, Role};

/// Where data lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataOptions {
    /// `dataDir`: `myid`, and `ringkeeper/` with superblock and snapshots.
    pub data_dir: PathBuf,
    /// `dataLogDir`, else `dataDir`: `ringkeeper/log`. A disk of its own makes writes steadier.
    pub data_log_dir: PathBuf,
    /// `db.autocreate`: a server without any data begins with an empty tree. Without it, it may
    /// not vote until a leader has given it one.
    pub creates_database: bool,
    /// `snapshot.trust.empty`: where a `version-2` has logs and no snapshot at all, they are taken
    /// for the whole history. After a lost snapshot that would be an empty tree with new writes.
    pub trusts_empty: bool,
    /// `ringkeeper.diskBudget`: what log and snapshots together may take before the oldest history
    /// goes. History that a restart needs never goes, so the real use may be higher.
    pub disk_budget_bytes: u64,
    /// `autopurge.snapRetainCount`: snapshots kept, at least 3.
    pub snapshots_kept: usize,
}

/// The beat of the ensemble. All servers must agree on these, or they drop each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// `tickTime`.
    pub tick_ms: u64,
    /// `initLimit`, in ticks: how long a learner may take to connect and become level.
    pub init_limit_ticks: u64,
    /// `syncLimit`, in ticks: how long a peer may be silent.
    pub sync_limit_ticks: u64,
}

/// The backlog of a client port that asks for none. Java's is 50, and a burst of connects beyond it
/// waits a second for the client's next try.
pub const BACKLOG_DEFAULT: u32 = 4096;

/// Where clients come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientPort {
    /// `clientPortAddress` or the host of the server line; `None` is every address.
    pub host: Option<String>,
    /// `clientPort`. 0 lets the system choose, as in ZooKeeper.
    pub port: u16,
    /// `clientPortListenBacklog`; 50 where it is -1, Java's default.
    pub backlog: u32,
}

/// What connections may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// `maxClientCnxns`: connections from one IP address; `None` is without limit.
    pub per_address_max: Option<u32>,
    /// `maxCnxns`: connections in all. Compat: ZooKeeper has no limit by default
    /// (`ServerCnxnFactory`, 3.9.5); here it is 65,535, because file descriptors end some time.
    pub total_max: u32,
    /// `nio.sessionlessCnxnTimeout`: how long a connection may take to open its session.
    pub handshake_timeout_ms: u64,
    /// `jute.maxbuffer`: the largest frame a client may send.
    pub frame_bytes_max: usize,
    /// `clientTcpKeepAlive`.
    pub tcp_keep_alive: bool,
}

/// Between what bounds a client may choose its timeout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// `minSessionTimeout`, else two ticks.
    pub timeout_ms_min: i32,
    /// `maxSessionTimeout`, else twenty ticks.
    pub timeout_ms_max: i32,
}

/// How this server stands among others. A server without these is standalone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuorumOptions {
    pub ensemble: Ensemble,
    /// Of this server, as its line says; `peerType` does not count against it.
    pub role: Role,
    /// Where this server's peers find it: first address of its own line.
    pub quorum_address: Address,
    pub election_address: Address,
    /// `quorumListenOnAllIPs`: bind ports 1 and 2 on every address.
    pub listens_on_all_ips: bool,
    /// `cnxTimeout`: how long dialling a peer may take.
    pub dial_timeout_ms: u64,
    /// `tcpKeepAlive`.
    pub tcp_keep_alive: bool,
}

/// When snapshots are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotOptions {
    /// `snapCount`, at least 2: a snapshot comes between half and all of that many txns.
    pub txns_max: u64,
    /// `snapSizeLimitInKb`: or between half and all of that many bytes of log; `None` is never.
    pub log_bytes_max: Option<u64>,
}

/// What the tree offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeOptions {
    /// `digest.enabled`: txns carry the tree's digest, and each server compares.
    pub digests: bool,
    /// `extendedTypesEnabled`: TTL znodes. Must be equal on all servers.
    pub extended_types: bool,
    /// `enforceQuota`: hard quotas refuse; without, they are only traced.
    pub enforces_quotas: bool,
    /// `znode.container.checkIntervalMs`.
    pub container_check_interval_ms: u64,
    /// `znode.container.maxPerMinute`.
    pub container_deletes_per_minute: u64,
    /// `znode.container.maxNeverUsedIntervalMs`; `None` keeps containers that never had a child.
    pub container_never_used_ms: Option<u64>,
}

/// Who may do what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AclOptions {
    /// `skipACL=yes`: nothing is checked.
    pub skips_checks: bool,
    /// `DigestAuthenticationProvider.enabled`.
    pub digest_scheme: bool,
    /// `DigestAuthenticationProvider.superDigest`: `user:base64` of who may do everything.
    pub super_digest: Option<String>,
}

/// When a client has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle {
    /// `globalOutstandingLimit`: above it, a connection that already waits for an answer is not
    /// read. In an ensemble of three or more it is shared by the servers that are not the leader,
    /// see [`Throttle::outstanding_share`].
    pub outstanding_max: u32,
}

impl Throttle {
    /// This server's part of `outstanding_max` where `voters` vote.
    ///
    /// Compat: divided by one less than the voters when there are more than two
    /// (`QuorumZooKeeperServer.getGlobalOutstandingLimit`, 3.9.5).
    pub fn outstanding_share(&self, voters: usize) -> u32 {
        match u32::try_from(voters) {
            Ok(voters) if voters > 2 => self.outstanding_max / (voters - 1),
            _ => self.outstanding_max,
        }
    }
}

/// What operators may ask on the client port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminOptions {
    /// `4lw.commands.whitelist`, trimmed; `*` stands for all. `srvr` is always allowed.
    pub whitelist: Vec<String>,
}

/// `ringkeeper.io`: how the kernel is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IoBackend {
    /// io_uring where the kernel allows it, else epoll.
    Auto,
    /// io_uring or no start.
    Uring,
    /// epoll, whatever the kernel offers.
    Poll,
}

/// Everything, resolved. Made by [`super::RawConfig::resolve`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The file it came from, as it was named.
    pub file: String,
    /// `myid`. Compat: a standalone server without one is 1 in its session ids
    /// (`ZooKeeperServerMain`, 3.9.5).
    pub me: ServerId,
    pub data: DataOptions,
    pub timing: Timing,
    /// `None`: no client is served here, which ZooKeeper allows.
    pub client_port: Option<ClientPort>,
    pub connections: ConnectionLimits,
    pub sessions: SessionLimits,
    /// `None`: standalone.
    pub quorum: Option<QuorumOptions>,
    pub snapshots: SnapshotOptions,
    pub tree: TreeOptions,
    pub acl: AclOptions,
    pub throttle: Throttle,
    pub admin: AdminOptions,
    pub io: IoBackend,
    /// `ringkeeper.netThreads`: threads that have the clients' sockets; none: the core has them.
    pub net_threads: usize,
    /// `ringkeeper.proof`: this observer compares every txn's digest, and reports. Never set
    /// elsewhere than on an observer.
    pub proof: bool,
    /// What an operator should know, in the order of the lines.
    pub warnings: Vec<super::Warning>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outstanding_limit_is_shared_among_more_than_two_voters() {
        let throttle = Throttle { outstanding_max: 1000 };
        assert_eq!(throttle.outstanding_share(1), 1000);
        assert_eq!(throttle.outstanding_share(2), 1000);
        assert_eq!(throttle.outstanding_share(3), 500);
        assert_eq!(throttle.outstanding_share(5), 250);
    }
}
