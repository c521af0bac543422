//! What resolves, to what, and what is refused with which words.

use super::*;

const MINIMAL: &str = "dataDir=/d\nclientPort=2181\n";
const THREE: &str = "\
dataDir=/d
clientPort=2181
initLimit=10
syncLimit=5
server.1=zk1:2888:3888
server.2=zk2:2888:3888
server.3=zk3:2888:3888
";

fn resolve(file: &str, flags: &[&str], myid: Option<&str>) -> Result<Config, Vec<ConfigError>> {
    let flags: Vec<JvmFlag> = flags.iter().map(|flag| flag.parse().expect("a flag")).collect();
    let raw = RawConfig::read("zoo.cfg", file.as_bytes(), &flags)?;
    raw.with_myid(myid.map(str::to_owned)).resolve()
}

fn good(file: &str) -> Config {
    resolve(file, &[], Some("1")).expect("a good configuration")
}

/// Each fault as `place: key: text`, without hints.
#[track_caller]
fn check_faults(file: &str, myid: Option<&str>, expected: &[&str]) {
    let faults = resolve(file, &[], myid).expect_err("a faulty configuration");
    let helps = |f: &ConfigError| f.hint.is_some() || f.fault.contains("Choose");
    assert!(faults.iter().all(helps), "each says what to do");
    let faults: Vec<String> =
        faults.iter().map(|f| format!("{}: {}: {}", f.place, f.key, f.fault)).collect();
    assert_eq!(faults, expected);
}

#[track_caller]
fn check_warnings(file: &str, expected: &[&str]) {
    let warnings: Vec<String> = good(file).warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings, expected);
}

#[test]
fn a_minimal_file_has_zookeepers_defaults() {
    let config = resolve(MINIMAL, &[], None).expect("a good configuration");
    assert!(config.quorum.is_none());
    assert_eq!(config.timing.tick_ms, 3000);
    assert_eq!(
        config.sessions,
        SessionLimits { timeout_ms_min: 6000, timeout_ms_max: 60_000 },
        "two and twenty ticks"
    );
    assert_eq!(config.connections.per_address_max, Some(60));
    assert_eq!(config.connections.frame_bytes_max, 0xf_ffff);
    assert_eq!(config.throttle.outstanding_max, 1000);
    assert_eq!(config.snapshots.txns_max, 100_000);
    assert_eq!(config.snapshots.log_bytes_max, Some(4 << 30));
    assert_eq!(config.data.snapshots_kept, 3);
    assert_eq!(config.client_port.expect("given").backlog, 4096);
    assert!(config.tree.digests && !config.tree.extended_types && !config.acl.skips_checks);
    assert!(config.admin.whitelist.is_empty());
    assert_eq!(config.io, IoBackend::Auto);
    assert_eq!(config.net_threads, 0, "the core serves clients");
    assert_eq!(config.warnings, []);
}

#[test]
fn an_ensemble_needs_three_lines_more_and_a_myid() {
    let config = good(THREE);
    let quorum = config.quorum.expect("three voters");
    assert_eq!(config.me.0, 1);
    assert_eq!(quorum.ensemble.voters().count(), 3);
    assert_eq!((quorum.quorum_address.port, quorum.election_address.port), (2888, 3888));
    check_faults(THREE, None, &["zoo.cfg: myid: myid file is missing"]);
    check_faults(THREE, Some("7\n"), &["zoo.cfg: myid: My id 7 not in the peer list"]);
    check_faults(THREE, Some("one\n"), &["/d/myid:1: myid: serverid one is not a number"]);
    let without_limits = THREE.replace("initLimit=10\n", "").replace("syncLimit=5\n", "");
    check_faults(
        &without_limits,
        Some("1"),
        &["zoo.cfg: initLimit: initLimit is not set", "zoo.cfg: syncLimit: syncLimit is not set"],
    );
}

#[test]
fn all_faults_are_reported_at_once_in_the_order_of_the_lines() {
    check_faults(
        "tickTime=0\nclientPort=70000\nelectionAlg=0\nstandaloneEnabled=yes\n\
         maxClientCnxns=many\npeerType=leader\nreconfigEnabled=1\nringkeeper.io=dma\n\
         ringkeeper.netThreads=65\n",
        None,
        &[
            "zoo.cfg: dataDir: dataDir is not set",
            "zoo.cfg:1: tickTime: tickTime is not set",
            "zoo.cfg:2: clientPort: 70000 is out of bounds",
            "zoo.cfg:3: electionAlg: Invalid electionAlg value. Only 3 is supported.",
            "zoo.cfg:4: standaloneEnabled: Invalid option yes for standaloneEnabled. \
             Choose 'true' or 'false.'",
            "zoo.cfg:5: maxClientCnxns: \"many\" is not a number",
            "zoo.cfg:6: peerType: Unrecognised peertype: leader",
            "zoo.cfg:7: reconfigEnabled: Invalid option 1 for reconfigEnabled. \
             Choose 'true' or 'false.'",
            "zoo.cfg:8: ringkeeper.io: \"dma\" is no backend",
            "zoo.cfg:9: ringkeeper.netThreads: \"65\" is no number of threads",
        ],
    );
}

#[test]
fn relations_between_keys_are_checked() {
    check_faults(
        "dataDir=/d\nclientPortAddress=::1\n",
        None,
        &["zoo.cfg:2: clientPortAddress: clientPortAddress is set but clientPort is not set"],
    );
    check_faults(
        "dataDir=/d\nminSessionTimeout=9\nmaxSessionTimeout=8\n",
        None,
        &[
            "zoo.cfg:2: minSessionTimeout: minSessionTimeout must not be larger than maxSessionTimeout",
        ],
    );
}

#[test]
fn what_cannot_be_kept_safe_is_refused_and_never_ignored() {
    let refused = [
        "secureClientPort=2281",
        "sslQuorum=true",
        "portUnification=true",
        "quorum.auth.enableSasl=true",
        "quorum.auth.serverRequireSasl=true",
        "sessionRequireClientSASLAuth=true",
        "enforce.auth.enabled=true",
        "client.portUnification=true",
        "emulate353TTLNodes=true",
        "DigestAuthenticationProvider.digestAlg=SHA-256",
    ];
    for line in refused {
        let faults = resolve(&format!("{MINIMAL}{line}\n"), &[], None).expect_err(line);
        assert_eq!(faults.len(), 1, "{line}");
        assert_eq!(faults[0].place.line, Some(3), "{line}");
        assert!(faults[0].fault.contains("supported"), "{line}: {}", faults[0].fault);
    }
    let off = refused[1..4].iter().map(|line| line.replace("true", "FALSE")).collect::<Vec<_>>();
    assert_eq!(good(&format!("{MINIMAL}{}\n", off.join("\n"))).warnings, []);
    let server_line = THREE.replace("zk1:2888:3888", "zk1:2888:3888;2181;2281");
    check_faults(
        &server_line,
        Some("1"),
        &[
            "zoo.cfg:5: server.1: TLS is not supported yet, so a secure client port cannot be offered",
        ],
    );
}

#[test]
fn bad_member_lines_are_named_each() {
    let file = THREE
        .replace("server.1=zk1:2888:3888", "server.1=zk1:2888")
        .replace("server.2=zk2:2888:3888", "server.two=zk2:2888:3888")
        .replace("server.3=zk3:2888:3888", "server.3=zk3:2888:3888|zk4:2888:3888");
    let faults = resolve(&file, &[], Some("1")).expect_err("three faults");
    let lines: Vec<_> = faults.iter().map(|fault| fault.place.line).collect();
    assert_eq!(lines, [Some(5), Some(6), Some(7)]);
    assert!(faults[2].fault.starts_with("Multiple address feature is disabled"));
}

#[test]
fn groups_and_weights_make_a_hierarchical_ensemble() {
    let config = good(&format!("{THREE}group.1=1:2\ngroup.2=3\nweight.3=2\n"));
    assert!(config.quorum.expect("three voters").ensemble.is_hierarchical());
    let faults = resolve(&format!("{THREE}weight.3=-1\ngroup.1=1:2:3\n"), &[], Some("1"));
    let faults = faults.expect_err("a negative weight");
    assert_eq!((faults[0].key.as_str(), faults[0].place.line), ("weight.3", Some(8)));
}

#[test]
fn standalone_or_not_is_decided_as_in_zookeeper() {
    let one = "dataDir=/d\ninitLimit=1\nsyncLimit=1\nserver.1=a:1:2\n";
    assert!(good(one).quorum.is_none());
    check_warnings(
        one,
        &["zoo.cfg: server: only one server specified (ignoring): it is standalone"],
    );
    assert!(good(&format!("{one}standaloneEnabled=false\n")).quorum.is_some());
    let observer = format!("{one}server.2=b:1:2:observer\n");
    check_faults(
        &observer,
        Some("1"),
        &["zoo.cfg: server: Observers w/o quorum is an invalid configuration"],
    );
    let no_voter = one.replace("a:1:2", "a:1:2:observer");
    check_faults(
        &no_voter,
        Some("1"),
        &["zoo.cfg: server: Observers w/o participants is an invalid configuration"],
    );
    check_faults(
        "dataDir=/d\nstandaloneEnabled=false\n",
        Some("1"),
        &["zoo.cfg: standaloneEnabled: \
         standaloneEnabled = false then number of participants should be >0"],
    );
}

#[test]
fn an_even_or_small_ensemble_is_warned_about() {
    let two = THREE.replace("server.3=zk3:2888:3888\n", "");
    check_warnings(
        &two,
        &["zoo.cfg: server: No server failure will be tolerated. You need at least 3 servers."],
    );
    check_warnings(
        &format!("{THREE}server.4=zk4:2888:3888\n"),
        &["zoo.cfg: server: Non-optimal configuration, consider an odd number of servers."],
    );
}

#[test]
fn the_server_line_decides_role_and_client_port() {
    let file = THREE.replace("zk1:2888:3888", "zk1:2888:3888:observer;127.0.0.1:2181");
    let config = good(&format!("{file}server.4=zk4:2888:3888\npeerType=participant\n"));
    assert_eq!(config.client_port.expect("of the line").host.as_deref(), Some("127.0.0.1"));
    let role = ringkeeper_engine::quorum::Role::Observer;
    assert_eq!(config.quorum.expect("three voters").role, role);
    assert_eq!(
        config.warnings[0].remark,
        "Peer type from servers list (OBSERVER) doesn't match peerType (PARTICIPANT). \
         Defaulting to servers list."
    );
    let contradiction = THREE.replace("zk1:2888:3888", "zk1:2888:3888;2182");
    check_faults(
        &contradiction,
        Some("1"),
        &["zoo.cfg:2: clientPort: client address for this server in static config file (2181) is \
         different from client address found in its server line (0.0.0.0:2182)"],
    );
}

#[test]
fn a_dynamic_file_holds_members_and_nothing_else() {
    let file = "dataDir=/d\ninitLimit=1\nsyncLimit=1\ndynamicConfigFile=dyn\nserver.9=a:1:2\n";
    let dynamic = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\nversion=1\ntickTime=2\n";
    let raw = RawConfig::read("zoo.cfg", file.as_bytes(), &[]).expect("well formed");
    let raw = raw.with_dynamic("dyn", dynamic.as_bytes()).expect("well formed");
    let faults = raw.with_myid(Some("1".into())).resolve().expect_err("three faults");
    let faults: Vec<_> = faults.iter().map(|f| format!("{}: {}", f.place, f.fault)).collect();
    assert_eq!(
        faults,
        [
            "dyn:4: dynamic file shouldn't have version inside",
            "dyn:5: Unrecognised parameter: tickTime",
            "zoo.cfg:5: parameter: server.9 must be in a separate dynamic config file",
        ]
    );
}

#[test]
fn a_bad_property_is_warned_about_and_its_default_stands() {
    let file = format!("{MINIMAL}snapCount=many\nskipACL=true\nclientTcpKeepAlive=on\n");
    let config = good(&file);
    assert_eq!(config.snapshots.txns_max, 100_000);
    assert!(!config.acl.skips_checks);
    let remarks: Vec<_> = config.warnings.iter().map(|w| w.remark.as_str()).collect();
    assert_eq!(
        remarks,
        [
            "\"many\" is not a number; 100000 is used",
            "\"true\" counts as no, as in ZooKeeper; say yes",
            "\"on\" counts as false, as in ZooKeeper; say true",
        ]
    );
}

#[test]
fn properties_and_flags_reach_their_fields() {
    let flags = [
        "zookeeper.snapCount=10",
        "jute.maxbuffer=0x400",
        "zookeeper.4lw.commands.whitelist=*",
        "zookeeper.skipACL=yes",
        "ringkeeper.io=poll",
        "ringkeeper.netThreads=2",
        "znode.container.checkIntervalMs=5",
    ];
    let file = format!("{MINIMAL}4lw.commands.whitelist=mntr, ruok ,\nringkeeper.diskBudget=2g\n");
    let config = resolve(&file, &flags, None).expect("a good configuration");
    assert_eq!(config.snapshots.txns_max, 10);
    assert_eq!(config.connections.frame_bytes_max, 1024);
    assert_eq!(config.admin.whitelist, ["mntr", "ruok"], "the file overrides the flag");
    assert!(config.acl.skips_checks);
    assert_eq!(config.io, IoBackend::Poll);
    assert_eq!(config.net_threads, 2);
    assert_eq!(config.tree.container_check_interval_ms, 5);
    assert_eq!(config.data.disk_budget_bytes, 2 << 30);
}

#[test]
fn a_frame_may_not_outgrow_a_txn() {
    let config = resolve(MINIMAL, &["jute.maxbuffer=100000000"], None).expect("good");
    assert_eq!(config.connections.frame_bytes_max, ringkeeper_engine::limits::TXN_BYTES_MAX);
    assert_eq!(config.warnings.len(), 1);
}

#[test]
fn no_bytes_can_make_resolving_panic() {
    let fragments = [
        "server.",
        "server.1=",
        "group.1=1:1\n",
        "weight.9223372036854775807=1\n",
        "\\u",
        "\\",
        "tickTime=-1\n",
        "minSessionTimeout=2147483647\n",
        "tickTime=2147483647\n",
        "=",
        ":",
        "\n",
        "clientPort=65536\n",
        "dynamicConfigFile=\n",
        "snapCount=-9223372036854775808\n",
        "snapSizeLimitInKb=9223372036854775807\n",
        "ringkeeper.diskBudget=99999999999999999999\n",
    ];
    for first in fragments {
        for second in fragments {
            for third in fragments {
                let text = format!("{first}{second}{third}");
                let Ok(raw) = RawConfig::read("zoo.cfg", text.as_bytes(), &[]) else { continue };
                let _ = raw.with_myid(Some("1".into())).resolve();
            }
        }
    }
}

#[test]
fn a_proof_needs_an_observer_and_digests() {
    let observer = format!("{THREE}server.4=zk4:2888:3888:observer\npeerType=observer\n");
    let proving = format!("{observer}ringkeeper.proof=true\n");
    assert!(resolve(&proving, &[], Some("4")).expect("an observer").proof);
    let flag = ["ringkeeper.proof=true"];
    assert!(resolve(&observer, &flag, Some("4")).expect("an observer").proof);
    assert!(!resolve(&observer, &["ringkeeper.proof=false"], Some("4")).expect("off").proof);
    let refused = |file: &str, line: usize, why: &str| {
        let faults = resolve(file, &[], Some("1")).expect_err(why);
        assert_eq!((faults.len(), faults[0].place.line, &*faults[0].fault), (1, Some(line), why));
    };
    let voter = format!("{THREE}ringkeeper.proof=true\n");
    refused(&voter, 8, "this server votes, and a proof must not");
    let alone = format!("{MINIMAL}ringkeeper.proof=true\n");
    refused(&alone, 3, "a standalone server has no leader to compare with");
    let blind = format!("{proving}digest.enabled=false\n").replace("server.1=", "server.5=");
    let blind = blind.replace("server.4=", "server.1=");
    refused(&blind, 10, "digest.enabled is false, and a proof compares digests");
    let word = format!("{THREE}ringkeeper.proof=yes\n");
    refused(&word, 8, "Invalid option yes for ringkeeper.proof. Choose 'true' or 'false.'");
}
