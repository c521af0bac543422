//! The members of the ensemble, and this server's place among them.
//!
//! Not here: how a server line is read and what counts as a quorum (`engine::quorum`).

use ringkeeper_engine::ids::ServerId;
use ringkeeper_engine::quorum::{Address, Ensemble, EnsembleError, Member, Role};

use super::fault::Place;
use super::keys::Form;
use super::options::{ClientPort, QuorumOptions, Timing};
use super::raw::Setting;
use super::typed::Typed;

/// Session ids and ephemeral owners carry the server's id in one byte (`SessionTrackerImpl`).
const SERVER_ID_MAX: i64 = 255;
/// Where TTL znodes exist, an owner whose top byte is 0xff is one (`EphemeralType`, 3.9.5).
const SERVER_ID_MAX_WITH_TTL: i64 = 254;

pub(super) struct Membership {
    pub(super) me: ServerId,
    pub(super) quorum: Option<QuorumOptions>,
    pub(super) client_port: Option<ClientPort>,
}

/// Finds members, role and client port; what is wrong goes to `typed`.
pub(super) fn resolve(typed: &mut Typed<'_>, client_port: Option<ClientPort>) -> Membership {
    let standalone_allowed = typed.boolean("standaloneEnabled", true);
    let peer_type = peer_type(typed);
    let me = my_id(typed);
    // Compat: a standalone server without `myid` counts as 1 in its session ids (3.9.5).
    let alone = Membership { me: ServerId(me.unwrap_or(1)), quorum: None, client_port };
    let Some(ensemble) = ensemble(typed, standalone_allowed) else { return alone };
    // `isDistributed` of `QuorumPeerConfig`.
    if standalone_allowed && ensemble.voters().count() == 1 {
        return alone;
    }
    let Some(me) = me else {
        if typed.raw.myid().is_none() {
            let place = typed.raw.myid_path().map_or_else(String::new, |p| p.display().to_string());
            let hint = format!("write this server's number, the N of its server.N, into {place}");
            typed.missing("myid", "myid file is missing", &hint);
        }
        return alone;
    };
    let Some(member) = ensemble.member(ServerId(me)) else {
        let hint = "a line server.N is missing, or myid belongs to another server";
        let fault = format!("My id {me} not in the peer list");
        typed.missing("myid", &fault, hint);
        return alone;
    };
    check_id(typed, me);
    if let Some((setting, given)) = peer_type.filter(|(_, given)| *given != member.role) {
        let remark = format!(
            "Peer type from servers list ({}) doesn't match peerType ({}). \
             Defaulting to servers list.",
            name(member.role),
            name(given)
        );
        typed.warn(&setting.place, "peerType", remark);
    }
    let client_port = merge_client_port(typed, alone.client_port, member);
    let quorum = quorum_options(typed, member.clone(), ensemble);
    Membership { me: ServerId(me), quorum: Some(quorum), client_port }
}

/// What an ensemble cannot do without.
pub(super) fn check_limits(typed: &mut Typed<'_>, timing: &Timing) {
    let limits =
        [("initLimit", timing.init_limit_ticks, 10), ("syncLimit", timing.sync_limit_ticks, 5)];
    for (key, ticks, usual) in limits {
        if ticks == 0 {
            typed.missing(key, &format!("{key} is not set"), &format!("{key}={usual} is usual"));
        }
    }
}

fn peer_type<'a>(typed: &mut Typed<'a>) -> Option<(&'a Setting, Role)> {
    let setting = typed.setting("peerType", Form::File)?;
    match setting.value.to_ascii_lowercase().as_str() {
        "participant" => Some((setting, Role::Participant)),
        "observer" => Some((setting, Role::Observer)),
        _ => {
            let fault = format!("Unrecognised peertype: {}", setting.value);
            typed.fault(setting, "peerType", fault, "choose participant or observer");
            None
        }
    }
}

fn name(role: Role) -> &'static str {
    match role {
        Role::Participant => "PARTICIPANT",
        Role::Observer => "OBSERVER",
    }
}

/// The number in `myid`. A file that holds none is a fault, even for a standalone server.
fn my_id(typed: &mut Typed<'_>) -> Option<i64> {
    let line = typed.raw.myid()?.trim();
    let id = line.parse().ok();
    if id.is_none() {
        let path =
            typed.raw.myid_path().map_or_else(String::new, |path| path.display().to_string());
        let setting = Setting { value: String::new(), place: Place::line(&path, 1) };
        let fault = format!("serverid {line} is not a number");
        typed.fault(&setting, "myid", fault, "it holds one line with one number, 1 to 255");
    }
    id
}

fn check_id(typed: &mut Typed<'_>, me: i64) {
    let extended_types = typed.text("extendedTypesEnabled", Form::Property);
    if extended_types.is_some_and(|text| text.eq_ignore_ascii_case("true"))
        && me > SERVER_ID_MAX_WITH_TTL
    {
        let fault = format!("Server ID {me} is too large for TTL znodes");
        typed.missing("myid", &fault, "with extendedTypesEnabled it is at most 254");
    } else if !(0..=SERVER_ID_MAX).contains(&me) {
        let place = Place::whole(&typed.raw.file);
        let remark = format!("{me} is not from 1 to 255; session ids may clash with another's");
        typed.warn(&place, "myid", remark);
    }
}

/// The members' lines as one ensemble. `None` where there are none, or where they are faulty.
fn ensemble(typed: &mut Typed<'_>, standalone_allowed: bool) -> Option<Ensemble> {
    let is_dynamic = dynamic_faults(typed);
    let multi_address = typed.boolean("multiAddress.enabled", false);
    let faults_before = typed.faults.len();
    let raw = typed.raw;
    let mut roles = Vec::new();
    for (key, setting) in raw.member_settings() {
        roles.extend(check_line(typed, key, setting, multi_address));
    }
    if typed.faults.len() > faults_before {
        return None;
    }
    let voters = roles.iter().filter(|role| **role == Role::Participant).count();
    check_roles(typed, voters, roles.len() - voters, standalone_allowed);
    if voters == 0 {
        return None;
    }
    let version = if is_dynamic { file_version(raw.dynamic_file()?) } else { 0 };
    let version = format!("{version:x}");
    let entries = raw.member_settings().map(|(key, setting)| (key, setting.value.as_str()));
    match Ensemble::from_entries(entries.chain([("version", version.as_str())])) {
        Ok(ensemble) => Some(ensemble),
        Err(error) => {
            let (key, place) = concerned(typed, error);
            let at = Setting { value: String::new(), place };
            typed.fault(&at, &key, error.to_string(), "see the server, group and weight lines");
            None
        }
    }
}

/// The line an error is about, where it is about one.
fn concerned(typed: &Typed<'_>, error: EnsembleError) -> (String, Place) {
    let entry = match error {
        EnsembleError::NoValue { entry }
        | EnsembleError::UnknownKey { entry }
        | EnsembleError::BadNumber { entry }
        | EnsembleError::Twice { entry }
        | EnsembleError::BadMember { entry, .. }
        | EnsembleError::BadWeight { entry } => Some(entry),
        _ => None,
    };
    let line = entry.and_then(|entry| typed.raw.member_settings().nth(entry));
    match line {
        Some((key, setting)) => (key.to_owned(), setting.place.clone()),
        None => {
            let file = typed.raw.dynamic_file().unwrap_or(&typed.raw.file);
            ("server".to_owned(), Place::whole(file))
        }
    }
}

/// What the dynamic file may not hold, and what the static one may not beside it. Whether there
/// is one.
fn dynamic_faults(typed: &mut Typed<'_>) -> bool {
    let raw = typed.raw;
    for (key, setting) in raw.dynamic_strangers() {
        let (fault, hint) = match key {
            "version" => (
                "dynamic file shouldn't have version inside".to_owned(),
                "the version is the suffix of the file's name",
            ),
            _ => (
                format!("Unrecognised parameter: {key}"),
                "only server, group and weight lines stand in a dynamic file",
            ),
        };
        typed.fault(setting, key, fault, hint);
    }
    if raw.dynamic_file().is_none() {
        return false;
    }
    for (key, setting) in raw.static_members() {
        let fault = format!("parameter: {key} must be in a separate dynamic config file");
        typed.fault(setting, key, fault, "move it to the file dynamicConfigFile names");
    }
    true
}

/// The version of a dynamic file: the hex digits after the last dot of its name, else 0.
fn file_version(file: &str) -> i64 {
    let suffix = file.rsplit_once('.').map(|(_, suffix)| suffix);
    suffix.and_then(|suffix| i64::from_str_radix(suffix, 16).ok()).unwrap_or(0)
}

/// What can be said of one line without the others: its role, where it is a server's.
fn check_line(
    typed: &mut Typed<'_>,
    key: &str,
    setting: &Setting,
    multi_address: bool,
) -> Option<Role> {
    let id = key.strip_prefix("server.")?;
    let mut parts = setting.value.splitn(3, ';');
    if parts.next().is_some_and(|addresses| addresses.contains('|')) && !multi_address {
        let fault = format!(
            "Multiple address feature is disabled, but multiple addresses were specified \
             for sid {id}"
        );
        typed.fault(setting, key, fault, "add multiAddress.enabled=true");
        return None;
    }
    if parts.nth(1).is_some_and(|secure| !secure.trim().is_empty()) {
        let fault = "TLS is not supported yet, so a secure client port cannot be offered";
        typed.fault(setting, key, fault, "take out what follows the second semicolon");
        return None;
    }
    if id.trim().parse::<i64>().is_err() {
        let fault = format!("\"{id}\" is not a number");
        typed.fault(setting, key, fault, "a server is named by the number in its myid, 1 to 255");
    }
    match Member::parse(&setting.value) {
        Ok(member) => Some(member.role),
        Err(error) => {
            let hint = "write host:port:port[:role][;[host:]clientPort]";
            typed.fault(setting, key, error.to_string(), hint);
            None
        }
    }
}

/// What ZooKeeper says about the number of voters (`QuorumPeerConfig.parseDynamicConfig`).
fn check_roles(typed: &mut Typed<'_>, voters: usize, observers: usize, standalone_allowed: bool) {
    let place = Place::whole(&typed.raw.file);
    match voters {
        0 if !standalone_allowed => typed.missing(
            "standaloneEnabled",
            "standaloneEnabled = false then number of participants should be >0",
            "make at least one server a participant",
        ),
        0 if observers > 0 => typed.missing(
            "server",
            "Observers w/o participants is an invalid configuration",
            "make at least two servers participants",
        ),
        0 => {}
        1 if standalone_allowed && observers > 0 => typed.missing(
            "server",
            "Observers w/o quorum is an invalid configuration",
            "one participant with observers needs standaloneEnabled=false",
        ),
        1 if standalone_allowed => {
            typed.warn(&place, "server", "only one server specified (ignoring): it is standalone");
        }
        1 | 2 => {
            let remark = "No server failure will be tolerated. You need at least 3 servers.";
            typed.warn(&place, "server", remark);
        }
        even if even % 2 == 0 => {
            let remark = "Non-optimal configuration, consider an odd number of servers.";
            typed.warn(&place, "server", remark);
        }
        _ => {}
    }
}

/// The client port of the server line goes before the static one; they may not contradict.
fn merge_client_port(
    typed: &mut Typed<'_>,
    given: Option<ClientPort>,
    member: &Member,
) -> Option<ClientPort> {
    let Some(client) = &member.client else { return given };
    if let Some(given) = &given {
        let differs = match given.host.as_deref() {
            None | Some("0.0.0.0" | "::") => given.port != client.port,
            Some(host) => given.port != client.port || host != client.host,
        };
        if let Some(setting) = typed.raw.file_setting("clientPort").filter(|_| differs) {
            let fault = format!(
                "client address for this server in static config file ({}) is different from \
                 client address found in its server line ({}:{})",
                given.port, client.host, client.port
            );
            typed.fault(setting, "clientPort", fault, "take one of the two out");
        }
    }
    let host = Some(client.host.clone()).filter(|_| !client.is_wildcard());
    let backlog = given.map_or(super::options::BACKLOG_DEFAULT, |given| given.backlog);
    Some(ClientPort { host, port: client.port, backlog })
}

fn quorum_options(typed: &mut Typed<'_>, member: Member, ensemble: Ensemble) -> QuorumOptions {
    let dial_timeout = ("cnxTimeout", Form::Property);
    let dial_timeout_ms = typed.lenient_number(dial_timeout, 5000, 1..=i64::MAX).unsigned_abs();
    let first = |addresses: &[Address]| addresses.first().cloned().expect("a line names one");
    QuorumOptions {
        role: member.role,
        quorum_address: first(&member.quorum),
        election_address: first(&member.election),
        listens_on_all_ips: typed.boolean("quorumListenOnAllIPs", false),
        dial_timeout_ms,
        tcp_keep_alive: typed.lenient_boolean("tcpKeepAlive", false),
        ensemble,
    }
}
