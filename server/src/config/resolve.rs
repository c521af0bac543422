//! From what is written to what is done: defaults in, bounds and relations checked, all faults at
//! once.
//!
//! Not here: the members of the ensemble and this server's place among them (`members`).

use std::path::{Path, PathBuf};

use ringkeeper_engine::limits::{FRAME_BYTES_DEFAULT, SEGMENT_BYTES, TXN_BYTES_MAX};
use ringkeeper_engine::quorum::Role;

use super::fault::ConfigError;
use super::keys::Form;
use super::members::{self, Membership};
use super::options::*;
use super::raw::RawConfig;
use super::typed::{self, Typed};

const TICK_MS_DEFAULT: i64 = 3000;
const PORT_MAX: i64 = 65_535;
const INT_MAX: i64 = i32::MAX as i64;

const CONNECTIONS_MAX_DEFAULT: u32 = 65_535;
/// A machine with more cores than this has other bounds first: one core applies every write.
const NET_THREADS_MAX: usize = 64;
const SNAPSHOTS_KEPT_LEAST: i64 = 3;
const DISK_BUDGET_DEFAULT: u64 = 10 << 30;
/// Less would leave no room for the log to turn over between two snapshots.
const DISK_BUDGET_LEAST: u64 = 8 * SEGMENT_BYTES;

const _: () = assert!(DISK_BUDGET_LEAST < DISK_BUDGET_DEFAULT);

/// Booleans of the file that nothing acts on. ZooKeeper does not start with a bad one either.
const UNUSED_BOOLEANS: [&str; 7] = [
    "syncEnabled",
    "reconfigEnabled",
    "localSessionsEnabled",
    "localSessionsUpgradingEnabled",
    "sslQuorumReloadCertFiles",
    "jvm.pause.monitor",
    "multiAddress.reachabilityCheckEnabled",
];

/// Numbers of the file that nothing acts on.
const UNUSED_NUMBERS: [&str; 7] = [
    "connectToLearnerMasterLimit",
    "observerMasterPort",
    "quorum.cnxn.threads.size",
    "jvm.pause.warn-threshold.ms",
    "jvm.pause.info-threshold.ms",
    "jvm.pause.sleep.time.ms",
    "multiAddress.reachabilityCheckTimeoutMs",
];

impl RawConfig {
    /// The configuration, or all that is wrong with it, not the first thing: an operator mends a
    /// file in one go.
    pub fn resolve(&self) -> Result<Config, Vec<ConfigError>> {
        let mut typed = Typed::new(self);
        refusals(&mut typed);
        unused_formats(&mut typed);
        let timing = timing(&mut typed);
        let connections = connections(&mut typed);
        let client_port = client_port(&mut typed);
        let Membership { me, quorum, client_port } = members::resolve(&mut typed, client_port);
        if quorum.is_some() {
            members::check_limits(&mut typed, &timing);
        }
        let config = Config {
            file: self.file.clone(),
            me,
            data: data(&mut typed),
            timing,
            client_port,
            connections,
            sessions: sessions(&mut typed, &timing),
            quorum,
            snapshots: snapshots(&mut typed),
            tree: tree(&mut typed),
            acl: acl(&mut typed),
            throttle: throttle(&mut typed),
            admin: AdminOptions { whitelist: whitelist(&typed) },
            io: io_backend(&mut typed),
            net_threads: net_threads(&mut typed),
            proof: false,
            warnings: Vec::new(),
        };
        auth_providers(&mut typed);
        let config = Config { proof: proof(&mut typed, &config), ..config };
        let Typed { mut faults, mut warnings, .. } = typed;
        if faults.is_empty() {
            warnings.extend(self.remarks());
            warnings.sort_by_key(|warning| warning.place.line.unwrap_or(usize::MAX));
            return Ok(Config { warnings, ..config });
        }
        faults.sort_by(|a, b| a.place.cmp(&b.place).then_with(|| a.key.cmp(&b.key)));
        Err(faults)
    }
}

/// What may not be ignored stops the start, with the reason.
fn refusals(typed: &mut Typed<'_>) {
    for (key, setting, reason) in typed.raw.refused() {
        let is_word = key != "secureClientPort" && typed::parse_boolean(&setting.value).is_none();
        if is_word {
            let fault = typed::invalid_option(key, &setting.value);
            typed.fault(setting, key, fault, reason);
        } else {
            typed.fault(setting, key, reason, "take the line out to go on without");
        }
    }
}

/// What ZooKeeper would not start with, though it means nothing here.
fn unused_formats(typed: &mut Typed<'_>) {
    for key in UNUSED_BOOLEANS {
        let Some(setting) = typed.raw.file_setting(key) else { continue };
        if typed::parse_boolean(&setting.value).is_none() {
            let fault = typed::invalid_option(key, &setting.value);
            typed.fault(setting, key, fault, "nothing here acts on it: the line may go");
        }
    }
    for key in UNUSED_NUMBERS {
        let Some(setting) = typed.raw.file_setting(key) else { continue };
        if setting.value.parse::<i64>().is_err() {
            let fault = format!("\"{}\" is not a number", setting.value);
            typed.fault(setting, key, fault, "nothing here acts on it: the line may go");
        }
    }
    let algorithm = typed.number("electionAlg", 3, i64::MIN..=i64::MAX);
    if let Some(setting) = typed.raw.file_setting("electionAlg").filter(|_| algorithm != 3) {
        let fault = "Invalid electionAlg value. Only 3 is supported.";
        typed.fault(setting, "electionAlg", fault, "take the line out, 3 is the default");
    }
}

fn timing(typed: &mut Typed<'_>) -> Timing {
    let tick_ms = match typed.number("tickTime", TICK_MS_DEFAULT, 0..=INT_MAX) {
        0 => {
            let setting = typed.raw.file_setting("tickTime").expect("its default is not 0");
            typed.fault(setting, "tickTime", "tickTime is not set", "2000 is usual");
            TICK_MS_DEFAULT
        }
        tick_ms => tick_ms,
    };
    Timing {
        tick_ms: tick_ms.unsigned_abs(),
        init_limit_ticks: typed.number("initLimit", 0, 0..=INT_MAX).unsigned_abs(),
        sync_limit_ticks: typed.number("syncLimit", 0, 0..=INT_MAX).unsigned_abs(),
    }
}

fn data(typed: &mut Typed<'_>) -> DataOptions {
    let data_dir = directory(typed, "dataDir");
    if data_dir.is_none() {
        typed.missing(
            "dataDir",
            "dataDir is not set",
            "add a line like dataDir=/var/lib/zookeeper",
        );
    }
    let data_dir = data_dir.unwrap_or_default();
    let data_log_dir = directory(typed, "dataLogDir").unwrap_or_else(|| data_dir.clone());
    let kept = typed.number("autopurge.snapRetainCount", 3, i64::MIN..=i64::MAX);
    if let Some(setting) = typed.raw.file_setting("autopurge.snapRetainCount")
        && kept < SNAPSHOTS_KEPT_LEAST
    {
        let remark = format!("Invalid autopurge.snapRetainCount: {kept}. Defaulting to 3");
        typed.warn(&setting.place, "autopurge.snapRetainCount", remark);
    }
    DataOptions {
        data_dir,
        data_log_dir,
        creates_database: typed.lenient_boolean("db.autocreate", true),
        trusts_empty: typed.lenient_boolean("snapshot.trust.empty", false),
        disk_budget_bytes: typed.bytes(
            "ringkeeper.diskBudget",
            DISK_BUDGET_DEFAULT,
            DISK_BUDGET_LEAST,
        ),
        snapshots_kept: usize::try_from(kept.max(SNAPSHOTS_KEPT_LEAST))
            .expect("an i32 above zero fits"),
    }
}

fn directory(typed: &mut Typed<'_>, key: &str) -> Option<PathBuf> {
    let setting = typed.setting(key, Form::File)?;
    if setting.value.is_empty() {
        typed.fault(setting, key, format!("{key} is empty"), "name a directory");
    } else if Path::new(&setting.value).is_relative() {
        let remark = "is relative to where the server is started; prepend ./ to say so on purpose";
        if !setting.value.starts_with('.') {
            typed.warn(&setting.place, key, remark);
        }
    }
    Some(PathBuf::from(&setting.value))
}

fn client_port(typed: &mut Typed<'_>) -> Option<ClientPort> {
    let host = typed.setting("clientPortAddress", Form::File);
    let backlog = typed.number("clientPortListenBacklog", -1, i64::from(i32::MIN)..=INT_MAX);
    if typed.setting("clientPort", Form::File).is_none() {
        if let Some(setting) = host {
            let fault = "clientPortAddress is set but clientPort is not set";
            typed.fault(setting, "clientPortAddress", fault, "add a line like clientPort=2181");
        }
        return None;
    }
    let port = typed.number("clientPort", 0, 0..=PORT_MAX);
    Some(ClientPort {
        host: host.map(|setting| setting.value.clone()),
        port: u16::try_from(port).expect("checked against PORT_MAX"),
        // Compat: Java takes what is not positive for its default (`ServerSocketChannel.bind`).
        backlog: u32::try_from(backlog).ok().filter(|&n| n > 0).unwrap_or(BACKLOG_DEFAULT),
    })
}

fn connections(typed: &mut Typed<'_>) -> ConnectionLimits {
    let per_address = typed.number("maxClientCnxns", 60, i64::from(i32::MIN)..=INT_MAX);
    let total = typed.lenient_number(("maxCnxns", Form::Property), 0, 0..=INT_MAX);
    let handshake = ("nio.sessionlessCnxnTimeout", Form::Property);
    ConnectionLimits {
        // Compat: zero and below are without limit (`NIOServerCnxnFactory`, 3.9.5).
        per_address_max: u32::try_from(per_address).ok().filter(|&limit| limit > 0),
        total_max: u32::try_from(total).ok().filter(|&n| n > 0).unwrap_or(CONNECTIONS_MAX_DEFAULT),
        handshake_timeout_ms: typed.lenient_number(handshake, 10_000, 1..=INT_MAX).unsigned_abs(),
        frame_bytes_max: frame_bytes(typed),
        tcp_keep_alive: typed.lenient_boolean("clientTcpKeepAlive", false),
    }
}

/// A frame above what a txn may hold could be read and never written, so the bound is lowered.
fn frame_bytes(typed: &mut Typed<'_>) -> usize {
    let key = ("jute.maxbuffer", Form::Flag);
    let asked = typed.lenient_number(key, FRAME_BYTES_DEFAULT as i64, 1..=INT_MAX);
    let asked = usize::try_from(asked).expect("at least 1");
    if asked > TXN_BYTES_MAX {
        let setting = typed.setting("jute.maxbuffer", Form::Flag).expect("the default is lower");
        let remark = format!("is lowered to {TXN_BYTES_MAX}, which no txn may exceed");
        typed.warn(&setting.place, "jute.maxbuffer", remark);
    }
    asked.min(TXN_BYTES_MAX)
}

fn sessions(typed: &mut Typed<'_>, timing: &Timing) -> SessionLimits {
    let ticks = |count: u64| i64::try_from(timing.tick_ms * count).unwrap_or(INT_MAX).min(INT_MAX);
    let mut timeout = |key, default| match typed.number(key, -1, -1..=INT_MAX) {
        -1 => default,
        timeout => timeout,
    };
    let min = timeout("minSessionTimeout", ticks(2));
    let max = timeout("maxSessionTimeout", ticks(20));
    if min > max {
        let fault = "minSessionTimeout must not be larger than maxSessionTimeout";
        let hint = format!("they are {min} and {max} ms; the defaults are 2 and 20 ticks");
        let given = ["minSessionTimeout", "maxSessionTimeout"]
            .into_iter()
            .find_map(|key| typed.raw.file_setting(key).map(|setting| (key, setting)));
        let (key, setting) = given.expect("two ticks are less than twenty");
        typed.fault(setting, key, fault, hint);
    }
    let int = |ms: i64| i32::try_from(ms).expect("bounded by INT_MAX");
    SessionLimits { timeout_ms_min: int(min), timeout_ms_max: int(max) }
}

fn snapshots(typed: &mut Typed<'_>) -> SnapshotOptions {
    let txns = typed.lenient_number(("snapCount", Form::Property), 100_000, i64::MIN..=i64::MAX);
    let kilobytes = ("snapSizeLimitInKb", Form::Property);
    let kilobytes = typed.lenient_number(kilobytes, 4_194_304, i64::MIN..=i64::MAX >> 10);
    SnapshotOptions {
        // Compat: less than 2 counts as 2 (`ZooKeeperServer.getSnapCount`, 3.9.5).
        txns_max: txns.max(2).unsigned_abs(),
        log_bytes_max: u64::try_from(kilobytes).ok().filter(|&kb| kb > 0).map(|kb| kb << 10),
    }
}

fn tree(typed: &mut Typed<'_>) -> TreeOptions {
    let mut number = |key, default, least| {
        typed.lenient_number((key, Form::Flag), default, least..=i64::MAX).unsigned_abs()
    };
    let check_interval_ms = number("znode.container.checkIntervalMs", 60_000, 1);
    let deletes_per_minute = number("znode.container.maxPerMinute", 10_000, 1);
    let never_used_ms = number("znode.container.maxNeverUsedIntervalMs", 0, 0);
    TreeOptions {
        digests: typed.lenient_boolean("digest.enabled", true),
        extended_types: typed.lenient_boolean("extendedTypesEnabled", false),
        enforces_quotas: typed.lenient_boolean("enforceQuota", false),
        container_check_interval_ms: check_interval_ms,
        container_deletes_per_minute: deletes_per_minute,
        container_never_used_ms: Some(never_used_ms).filter(|&ms| ms > 0),
    }
}

fn acl(typed: &mut Typed<'_>) -> AclOptions {
    let algorithm = "DigestAuthenticationProvider.digestAlg";
    if let Some(setting) = typed.setting(algorithm, Form::Property)
        && !["SHA1", "SHA-1"].iter().any(|name| setting.value.eq_ignore_ascii_case(name))
    {
        let fault = format!("{} is not supported; digests are SHA1", setting.value);
        let hint = "with another algorithm nobody would match the ACLs that stand in the tree";
        typed.fault(setting, algorithm, fault, hint);
    }
    let super_digest = "DigestAuthenticationProvider.superDigest";
    if let Some(setting) = typed.setting(super_digest, Form::Property)
        && !setting.value.contains(':')
    {
        typed.warn(&setting.place, super_digest, "has no `user:digest` form, so nobody is super");
    }
    AclOptions {
        skips_checks: typed.choice("skipACL", "yes", "no", false),
        digest_scheme: typed.lenient_boolean("DigestAuthenticationProvider.enabled", true),
        super_digest: typed.text(super_digest, Form::Property).map(str::to_owned),
    }
}

/// Names of schemes that are not offered: their ACLs match nobody, which is strict but not open.
fn auth_providers(typed: &mut Typed<'_>) {
    for (key, setting) in typed.raw.properties_of("authProvider.") {
        let class = setting.value.rsplit('.').next().unwrap_or_default();
        if !["IPAuthenticationProvider", "DigestAuthenticationProvider"].contains(&class) {
            let remark = format!("{class} is not offered; an ACL of its scheme matches nobody");
            typed.warn(&setting.place, key, remark);
        }
    }
}

fn throttle(typed: &mut Typed<'_>) -> Throttle {
    let outstanding = ("globalOutstandingLimit", Form::Property);
    let outstanding = typed.lenient_number(outstanding, 1000, 1..=INT_MAX);
    Throttle { outstanding_max: u32::try_from(outstanding).expect("an i32 above zero fits") }
}

fn whitelist(typed: &Typed<'_>) -> Vec<String> {
    let text = typed.text("4lw.commands.whitelist", Form::Property).unwrap_or_default();
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// A proof must not change what it looks at, so it takes no part in votes.
fn proof(typed: &mut Typed<'_>, config: &Config) -> bool {
    let key = "ringkeeper.proof";
    let Some(setting) = typed.setting(key, Form::Own) else { return false };
    match typed::parse_boolean(&setting.value) {
        Some(true) => {}
        Some(false) => return false,
        None => {
            let fault = typed::invalid_option(key, &setting.value);
            typed.fault(setting, key, fault, "true turns proof mode on");
            return false;
        }
    }
    let hint =
        "give it a line server.N=...:observer in the ensemble's files, and peerType=observer";
    match &config.quorum {
        None => {
            typed.fault(setting, key, "a standalone server has no leader to compare with", hint)
        }
        Some(quorum) if quorum.role != Role::Observer => {
            typed.fault(setting, key, "this server votes, and a proof must not", hint);
        }
        Some(_) => {}
    }
    if !config.tree.digests {
        let fault = "digest.enabled is false, and a proof compares digests";
        typed.fault(setting, key, fault, "take digest.enabled out");
    }
    true
}

fn net_threads(typed: &mut Typed<'_>) -> usize {
    let key = "ringkeeper.netThreads";
    let Some(setting) = typed.setting(key, Form::Own) else { return 0 };
    match typed::parse_number(&setting.value).and_then(|count| usize::try_from(count).ok()) {
        Some(count) if count <= NET_THREADS_MAX => count,
        _ => {
            let fault = format!("\"{}\" is no number of threads", setting.value);
            let hint =
                format!("give one from 0 to {NET_THREADS_MAX}; with 0 the core serves clients");
            typed.fault(setting, key, fault, hint);
            0
        }
    }
}

fn io_backend(typed: &mut Typed<'_>) -> IoBackend {
    let Some(setting) = typed.setting("ringkeeper.io", Form::Own) else { return IoBackend::Auto };
    match setting.value.as_str() {
        "auto" => IoBackend::Auto,
        "uring" => IoBackend::Uring,
        "poll" => IoBackend::Poll,
        other => {
            let fault = format!("\"{other}\" is no backend");
            typed.fault(setting, "ringkeeper.io", fault, "choose auto, uring or poll");
            IoBackend::Auto
        }
    }
}
