//! Every key ZooKeeper knows, how it is given, and what becomes of it here.
//!
//! Three ways to give a key, as in ZooKeeper (`QuorumPeerConfig.parseProperties`, 3.9.5):
//! - `File`: stands in `zoo.cfg` and nowhere else.
//! - `Property`: stands in `zoo.cfg` as `key`, or on the command line as `-D zookeeper.key`; the
//!   file wins, because Java sets the property when it reads the file.
//! - `Flag`: given as `-D key` only. In `zoo.cfg` it becomes a property nobody reads.
//!
//! Keys of our own begin with `ringkeeper.` and may be given either way under that one name.
//!
//! Not here: values and defaults (`resolve` and its parts).

/// How a key is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    File,
    Property,
    Flag,
    Own,
}

/// What becomes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Treatment {
    /// Something here changes with it.
    Acted,
    /// What it tunes does not exist here; nothing is lost by ignoring it.
    Moot(&'static str),
    /// ZooKeeper does this and Ringkeeper does not. The text says what happens instead.
    Absent(&'static str),
    /// As `Absent`, where going on without would be unsafe: any value but `false` stops the start.
    Refused(&'static str),
}

/// One known key, or with `family`, every key that begins with the name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) form: Form,
    pub(super) treatment: Treatment,
    pub(super) family: bool,
}

/// The key of that name and form. For properties, the name without `zookeeper.`.
pub(super) fn find(name: &str, form: Form) -> Option<&'static Key> {
    let exact = TABLE.iter().find(|key| !key.family && key.form == form && key.name == name);
    let of_family = |key: &&Key| key.family && key.form == form && name.starts_with(key.name);
    exact.or_else(|| TABLE.iter().find(of_family))
}

/// The known key that `name` was probably meant to be: at most a third of its letters differ.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let limit = (name.chars().count() / 3).clamp(1, 4);
    let distance = |key: &'static Key| (edit_distance(name, key.name), key.name);
    let candidates = TABLE.iter().filter(|key| !key.family).map(distance);
    candidates.min().filter(|&(edits, _)| edits <= limit).map(|(_, name)| name)
}

/// Insertions, deletions, replacements and swaps of neighbours between two words, ignoring case.
fn edit_distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.to_lowercase().chars().collect();
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut before = vec![0; right.len() + 1];
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for row in 1..=left.len() {
        let mut current = vec![row; right.len() + 1];
        for column in 1..=right.len() {
            let differs = usize::from(left[row - 1] != right[column - 1]);
            let mut edits =
                (above[column - 1] + differs).min(above[column] + 1).min(current[column - 1] + 1);
            let swapped = row > 1
                && column > 1
                && left[row - 1] == right[column - 2]
                && left[row - 2] == right[column - 1];
            if swapped {
                edits = edits.min(before[column - 2] + 1);
            }
            current[column] = edits;
        }
        before = std::mem::replace(&mut above, current);
    }
    above[right.len()]
}

const fn key(name: &'static str, form: Form, treatment: Treatment) -> Key {
    Key { name, form, treatment, family: false }
}

const fn family(name: &'static str, form: Form, treatment: Treatment) -> Key {
    Key { name, form, treatment, family: true }
}

const THREADS: Treatment = Treatment::Moot("one thread serves here, there is no pool to size");
const JVM: Treatment = Treatment::Moot("there is no JVM here");
const LOG: Treatment = Treatment::Moot("the log has its own segments and group commit");
const CACHE: Treatment = Treatment::Moot("reads are answered from the tree, there is no cache");
const TRANSPORT: Treatment = Treatment::Moot("sockets are served by io_uring or epoll");
const WATCHES: Treatment = Treatment::Moot("watches have one table, cleaned as connections end");
const LOCAL: Treatment = Treatment::Absent("every session is global");
const RECONFIG: Treatment =
    Treatment::Absent("members do not change while the ensemble runs; reconfig is refused");
const THROTTLER: Treatment =
    Treatment::Absent("back-pressure is by bytes and outstanding requests");
const HTTP: Treatment =
    Treatment::Absent("there is no HTTP admin server; use the four-letter words");
const METRICS: Treatment = Treatment::Absent("metrics are read with `mntr`");
const AUDIT: Treatment =
    Treatment::Absent("no audit lines are written; the log holds every change");
const OBSERVERS: Treatment = Treatment::Absent("observers follow the leader itself");
const PEER_TUNING: Treatment = Treatment::Moot("peers are served without blocking");
const TLS_OFF: Treatment = Treatment::Moot("TLS is not offered, and nothing asked for it");
const SASL_OFF: Treatment = Treatment::Absent("SASL is not offered to clients");
const TLS: Treatment = Treatment::Refused(
    "TLS is not supported yet; without it this port would be open to plain connections",
);
const PEER_SASL: Treatment = Treatment::Refused(
    "authentication between servers is not supported yet; without it anybody could join",
);
const CLIENT_AUTH: Treatment = Treatment::Refused(
    "making clients authenticate is not supported yet; without it anybody would be served",
);

use Form::{File, Flag, Own, Property};
use Treatment::{Absent, Acted, Moot, Refused};

/// In the order of ZooKeeper's administrator's guide, roughly: what every file has comes first.
#[rustfmt::skip]
const TABLE: &[Key] = &[
    key("dataDir", File, Acted),
    key("dataLogDir", File, Acted),
    key("clientPort", File, Acted),
    key("clientPortAddress", File, Acted),
    key("secureClientPort", File, TLS),
    key("secureClientPortAddress", File, TLS_OFF),
    key("tickTime", File, Acted),
    key("initLimit", File, Acted),
    key("syncLimit", File, Acted),
    key("connectToLearnerMasterLimit", File, Absent("initLimit bounds connecting too")),
    key("minSessionTimeout", File, Acted),
    key("maxSessionTimeout", File, Acted),
    key("maxClientCnxns", File, Acted),
    key("clientPortListenBacklog", File, Acted),
    key("electionAlg", File, Acted),
    key("quorumListenOnAllIPs", File, Acted),
    key("peerType", File, Acted),
    key("syncEnabled", File, Absent("observers write log and snapshots as everybody does")),
    family("server.", File, Acted),
    family("group", File, Acted),
    family("weight", File, Acted),
    key("dynamicConfigFile", File, Acted),
    key("standaloneEnabled", File, Acted),
    key("reconfigEnabled", File, RECONFIG),
    key("autopurge.snapRetainCount", File, Acted),
    key("autopurge.purgeInterval", File, Absent("how much history is kept is decided by \
        ringkeeper.diskBudget, at every snapshot")),
    key("localSessionsEnabled", File, LOCAL),
    key("localSessionsUpgradingEnabled", File, LOCAL),
    key("sslQuorum", File, TLS),
    key("portUnification", File, TLS),
    key("sslQuorumReloadCertFiles", File, TLS_OFF),
    key("observerMasterPort", File, OBSERVERS),
    key("quorum.auth.enableSasl", File, PEER_SASL),
    key("quorum.auth.serverRequireSasl", File, PEER_SASL),
    key("quorum.auth.learnerRequireSasl", File, PEER_SASL),
    key("quorum.auth.learner.saslLoginContext", File, Moot("quorum SASL is off")),
    key("quorum.auth.server.saslLoginContext", File, Moot("quorum SASL is off")),
    key("quorum.auth.kerberos.servicePrincipal", File, Moot("quorum SASL is off")),
    key("quorum.cnxn.threads.size", File, THREADS),
    key("jvm.pause.monitor", File, JVM),
    key("jvm.pause.warn-threshold.ms", File, JVM),
    key("jvm.pause.info-threshold.ms", File, JVM),
    key("jvm.pause.sleep.time.ms", File, JVM),
    key("metricsProvider.className", File, METRICS),
    family("metricsProvider.", File, METRICS),
    key("multiAddress.enabled", File, Acted),
    key("multiAddress.reachabilityCheckEnabled", File, Moot("addresses are dialled in turn")),
    key("multiAddress.reachabilityCheckTimeoutMs", File, Moot("addresses are dialled in turn")),
    key("oraclePath", File, Absent("a quorum is a majority or a weighted one, without an oracle")),

    key("globalOutstandingLimit", Property, Acted),
    key("preAllocSize", Property, LOG),
    key("snapCount", Property, Acted),
    key("snapSizeLimitInKb", Property, Acted),
    key("txnLogSizeLimitInKb", Property, LOG),
    key("commitLogCount", Property, Moot("proposals are kept for learners by bytes")),
    key("snapshotSizeFactor", Property, Moot("learners are levelled from the log as far as it goes")),
    key("forceSync", Property, Absent("every write is synced before it is acknowledged, always")),
    key("fsync.warningthresholdms", Property, Absent("slow syncs are not traced")),
    key("flushDelay", Property, LOG),
    key("maxWriteQueuePollTime", Property, LOG),
    key("maxBatchSize", Property, LOG),
    key("maxResponseCacheSize", Property, CACHE),
    key("maxGetChildrenResponseCacheSize", Property, CACHE),
    key("serverCnxnFactory", Property, TRANSPORT),
    key("maxCnxns", Property, Acted),
    key("leaderServes", Property, Absent("the leader serves clients")),
    key("cnxTimeout", Property, Acted),
    key("quorumCnxnTimeoutMs", Property, PEER_TUNING),
    key("electionPortBindRetry", Property, Absent("a port that cannot be bound ends the start")),
    key("tcpKeepAlive", Property, Acted),
    key("clientTcpKeepAlive", Property, Acted),
    key("fastleader.minNotificationInterval", Property, PEER_TUNING),
    key("fastleader.maxNotificationInterval", Property, PEER_TUNING),
    key("leader.maxTimeToWaitForEpoch", Property, PEER_TUNING),
    key("leaderConnectDelayDuringRetryMs", Property, PEER_TUNING),
    key("leader.maxConcurrentSnapSyncs", Property, PEER_TUNING),
    key("leader.maxConcurrentDiffSyncs", Property, PEER_TUNING),
    key("forceSnapshotSync", Property, Absent("a learner gets a snapshot only where it needs one")),
    key("learner.asyncSending", Property, PEER_TUNING),
    key("learner.closeSocketAsync", Property, PEER_TUNING),
    key("leader.closeSocketAsync", Property, PEER_TUNING),
    key("observer.reconnectDelayMs", Property, OBSERVERS),
    key("observer.election.DelayMs", Property, OBSERVERS),
    key("observer.syncEnabled", Property, OBSERVERS),
    key("observerMaster.sizeLimit", Property, OBSERVERS),
    key("forward_learner_requests_to_commit_processor_disabled", Property, PEER_TUNING),
    key("follower.skipLearnerRequestToNextProcessor", Property, PEER_TUNING),
    family("commitProcessor.", Property, THREADS),
    key("nio.sessionlessCnxnTimeout", Property, Acted),
    family("nio.", Property, THREADS),
    family("netty.", Property, TRANSPORT),
    family("request_throttle_", Property, THROTTLER),
    family("request_stale_", Property, THROTTLER),
    key("request_throttler.shutdownTimeout", Property, THROTTLER),
    key("throttled_op_wait_time", Property, THROTTLER),
    family("connection_throttle_", Property, THROTTLER),
    key("largeRequestMaxBytes", Property, Moot("requests on their way are bounded by bytes, always")),
    key("largeRequestThreshold", Property, Moot("requests on their way are bounded by bytes, always")),
    key("4lw.commands.whitelist", Property, Acted),
    key("skipACL", Property, Acted),
    key("enableEagerACLCheck", Property, Moot("a refused write passes the quorum all the same")),
    key("enforceQuota", Property, Acted),
    key("digest.enabled", Property, Acted),
    key("closeSessionTxn.enabled", Property, Absent("closeSession txns name the znodes they end")),
    key("serializeLastProcessedZxid.enabled", Property, Moot("a snapshot always says its zxid")),
    key("snapshot.compression.method", Property, Absent("snapshots are written plain")),
    key("snapshot.trust.empty", Property, Acted),
    key("db.autocreate", Property, Acted),
    key("datadir.autocreate", Property, Absent("directories that are missing are made")),
    key("extendedTypesEnabled", Property, Acted),
    key("emulate353TTLNodes", Property, Refused("TTL owners of 3.5.3 are not supported; such \
        znodes would be taken for ephemerals and deleted")),
    key("watchManagerName", Property, WATCHES),
    family("watcherClean", Property, WATCHES),
    key("bitHashCacheSize", Property, WATCHES),
    key("maxInProcessingDeadWatchers", Property, WATCHES),
    key("DigestAuthenticationProvider.enabled", Property, Acted),
    key("DigestAuthenticationProvider.superDigest", Property, Acted),
    key("DigestAuthenticationProvider.digestAlg", Property, Acted),
    key("X509AuthenticationProvider.superUser", Property, TLS_OFF),
    key("IPAuthenticationProvider.usexforwardedfor", Property, HTTP),
    family("SASLAuthenticationProvider.", Property, SASL_OFF),
    family("authProvider.", Property, Acted),
    key("ensembleAuthName", Property, Absent("the ensemble scheme is not offered")),
    key("sessionRequireClientSASLAuth", Property, CLIENT_AUTH),
    key("enforce.auth.enabled", Property, CLIENT_AUTH),
    key("enforce.auth.schemes", Property, Moot("enforce.auth.enabled is off")),
    key("allowSaslFailedClients", Property, SASL_OFF),
    key("letAnySaslUserDoX", Property, SASL_OFF),
    family("superUser", Property, SASL_OFF),
    key("sasl.serverconfig", Property, SASL_OFF),
    family("kerberos.", Property, SASL_OFF),
    key("security.auth_to_local", Property, SASL_OFF),
    family("ssl.", Property, TLS_OFF),
    key("fips-mode", Property, TLS_OFF),
    key("client.portUnification", Property, TLS),
    key("client.certReload", Property, TLS_OFF),
    family("admin.", Property, HTTP),
    key("audit.enable", Property, AUDIT),
    key("audit.impl.class", Property, AUDIT),
    family("pathStats.", Property, METRICS),
    family("messageTracker.", Property, METRICS),
    key("intBufferStartingSizeBytes", Property, TRANSPORT),

    key("jute.maxbuffer", Flag, Acted),
    key("jute.maxbuffer.extrasize", Flag, Moot("a txn has its own bound")),
    key("readonlymode.enabled", Flag, Absent("without a quorum clients are not served")),
    key("znode.container.checkIntervalMs", Flag, Acted),
    key("znode.container.maxPerMinute", Flag, Acted),
    key("znode.container.maxNeverUsedIntervalMs", Flag, Acted),
    key("leader.nodelay", Flag, Moot("Nagle's algorithm is off on every socket")),
    key("follower.nodelay", Flag, Moot("Nagle's algorithm is off on every socket")),
    key("java.security.auth.login.config", Flag, SASL_OFF),

    key("ringkeeper.io", Own, Acted),
    key("ringkeeper.netThreads", Own, Acted),
    key("ringkeeper.diskBudget", Own, Acted),
    key("ringkeeper.proof", Own, Acted),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_listed_once() {
        for (index, key) in TABLE.iter().enumerate() {
            let twin = TABLE[index + 1..].iter().find(|other| other.name == key.name);
            assert!(twin.is_none(), "{} stands twice", key.name);
        }
    }

    #[test]
    fn an_exact_name_goes_before_its_family() {
        let exact = find("nio.sessionlessCnxnTimeout", Property).expect("known");
        assert_eq!(exact.treatment, Acted);
        let family = find("nio.numWorkerThreads", Property).expect("known");
        assert_eq!(family.treatment, THREADS);
        assert!(find("clientPort", Property).is_none(), "it stands in the file alone");
    }

    #[test]
    fn a_misspelt_key_finds_its_neighbour_and_a_strange_one_none() {
        assert_eq!(nearest("clientport"), Some("clientPort"));
        assert_eq!(nearest("ticktTime"), Some("tickTime"));
        assert_eq!(nearest("initLmiit"), Some("initLimit"));
        assert_eq!(nearest("snapcnt"), Some("snapCount"));
        assert_eq!(nearest("autopurge.purgeInterva"), Some("autopurge.purgeInterval"));
        assert_eq!(nearest("com.example.unrelated"), None);
    }

    #[test]
    fn a_swap_of_neighbours_is_one_edit() {
        assert_eq!(edit_distance("abcd", "abdc"), 1);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
    }
}
