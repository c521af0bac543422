//! The text of an ensemble, both ways.
//!
//! ```text
//! server.<sid>=<host>:<quorumPort>:<electionPort>[:<role>][|<host>:…]*[;[<clientHost>:]<clientPort>]
//! group.<gid>=<sid>:<sid>…
//! weight.<sid>=<n>
//! version=<hex>                                  (written last, without a newline)
//! ```
//!
//! It arrives from peers as well as from the operator: it allocates in proportion to its length,
//! and what is wrong is said by entry, not by echoing the text.
//!
//! Compat: what `QuorumPeer.QuorumServer` and `QuorumPeerConfig.parseDynamicConfig` (3.9.5) accept
//! is accepted, but for a key given twice (there the last one wins silently) and hosts that are
//! no hosts. Order has no meaning there (Java's hash order); here entries stand in ascending order.
//!
//! Not here: comments, files, other keys of zoo.cfg (`server::config`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::ids::ServerId;
use crate::limits::{ENSEMBLE_SERVERS_MAX, WEIGHT_MAX};
use crate::quorum::address::{Host, parse_port, split_host};
use crate::quorum::{Address, AddressError, Ensemble, Member, Role};

/// Why a text is no ensemble. `entry` counts the entries from 0, in the order given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnsembleError {
    #[error("a line has no `=`")]
    NoValue { entry: usize },
    #[error("neither server.N, group.N, weight.N nor version")]
    UnknownKey { entry: usize },
    #[error("what follows the dot, or is listed, is no number")]
    BadNumber { entry: usize },
    #[error("the same key stands twice")]
    Twice { entry: usize },
    #[error("{why}")]
    BadMember { entry: usize, why: MemberError },
    #[error("a weight lies outside 0 to {WEIGHT_MAX}")]
    BadWeight { entry: usize },
    #[error("{server:?} is in two groups")]
    InTwoGroups { server: ServerId },
    #[error("{server:?} is in no group, while others are")]
    InNoGroup { server: ServerId },
    #[error("{server:?} is in a group or has a weight, but is no member that could vote")]
    NotAVoter { server: ServerId },
    #[error("more than {ENSEMBLE_SERVERS_MAX} servers")]
    TooMany,
    #[error("no server is a participant")]
    NoVoters,
}

/// Why the value of a `server.N` entry cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error("not of the form host:port:port[:role][;[host:]port]")]
    Form,
    #[error("quorum port and election port are the same")]
    SamePorts,
    #[error("the role is neither participant nor observer")]
    UnknownRole,
    #[error("the addresses of one server differ in role")]
    RolesDiffer,
}

impl Member {
    /// The value of a `server.N` entry.
    pub fn parse(value: &str) -> Result<Self, MemberError> {
        let mut parts = value.trim().split(';');
        let addresses = parts.next().unwrap_or_default();
        let client = match parts.next() {
            Some(text) => Some(parse_client(text.trim())?),
            None => None,
        };
        if parts.next().is_some() {
            return Err(MemberError::Form);
        }
        let mut member = Self { quorum: vec![], election: vec![], role: Role::Participant, client };
        let mut said: Option<Role> = None;
        for text in addresses.split('|') {
            let (quorum, election, role) = parse_ports(text.trim())?;
            if role.is_some() && said.is_some() && role != said {
                return Err(MemberError::RolesDiffer);
            }
            said = role.or(said);
            member.quorum.push(quorum);
            member.election.push(election);
        }
        member.role = said.unwrap_or(Role::Participant);
        Ok(member)
    }

    fn write(&self, out: &mut String) {
        for (at, (quorum, election)) in self.quorum.iter().zip(&self.election).enumerate() {
            let bar = if at == 0 { "" } else { "|" };
            // Writing to a String cannot fail, here and below.
            let _ = write!(out, "{bar}{}:{}:{}", Host(&quorum.host), quorum.port, election.port);
        }
        out.push_str(match self.role {
            Role::Participant => ":participant",
            Role::Observer => ":observer",
        });
        if let Some(client) = &self.client {
            let _ = write!(out, ";{client}");
        }
    }
}

/// `host:port:port[:role]`.
fn parse_ports(text: &str) -> Result<(Address, Address, Option<Role>), MemberError> {
    let (host, rest) = split_host(text)?;
    let mut parts = rest.ok_or(MemberError::Form)?.split(':');
    let quorum = parse_port(parts.next().ok_or(MemberError::Form)?)?;
    let election = parse_port(parts.next().ok_or(MemberError::Form)?)?;
    let role = parts.next().map(parse_role).transpose()?;
    if parts.next().is_some() {
        return Err(MemberError::Form);
    }
    if quorum == election {
        return Err(MemberError::SamePorts);
    }
    Ok((Address::new(host, quorum), Address::new(host, election), role))
}

fn parse_role(text: &str) -> Result<Role, MemberError> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("participant") {
        Ok(Role::Participant)
    } else if text.eq_ignore_ascii_case("observer") {
        Ok(Role::Observer)
    } else {
        Err(MemberError::UnknownRole)
    }
}

/// `[host:]port`; without a host, every address of the machine.
fn parse_client(text: &str) -> Result<Address, MemberError> {
    match parse_port(text) {
        Ok(port) => Ok(Address::new("0.0.0.0", port)),
        Err(_) => Ok(Address::parse(text)?),
    }
}

impl Ensemble {
    /// Reads a whole text, as peers send it. Blank lines and lines that begin with `#` are skipped.
    pub fn parse(text: &str) -> Result<Self, EnsembleError> {
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut reading = Reading::default();
        for (entry, line) in lines.enumerate() {
            let (key, value) = line.split_once('=').ok_or(EnsembleError::NoValue { entry })?;
            reading.entry(entry, key.trim(), value.trim())?;
        }
        reading.finish()
    }

    /// Reads entries that somebody else has split into keys and values (zoo.cfg).
    pub fn from_entries<'a>(
        entries: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, EnsembleError> {
        let mut reading = Reading::default();
        for (entry, (key, value)) in entries.into_iter().enumerate() {
            reading.entry(entry, key.trim(), value.trim())?;
        }
        reading.finish()
    }

    /// The text as ZooKeeper writes it: every role, every weight, the version last.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        for (server, member) in &self.members {
            let _ = write!(out, "server.{server}=");
            member.write(&mut out);
            out.push('\n');
        }
        for (group, servers) in &self.groups {
            let _ = write!(out, "group.{group}=");
            for (at, server) in servers.iter().enumerate() {
                let _ = write!(out, "{}{server}", if at == 0 { "" } else { ":" });
            }
            out.push('\n');
        }
        for (server, weight) in &self.weights {
            let _ = writeln!(out, "weight.{server}={weight}");
        }
        let _ = write!(out, "version={:x}", self.version);
        out
    }
}

/// An ensemble that is being read.
#[derive(Default)]
struct Reading {
    members: BTreeMap<ServerId, Member>,
    groups: BTreeMap<i64, BTreeSet<ServerId>>,
    /// Everybody in `groups`, so that a long hostile text costs no more than its length.
    grouped: BTreeSet<ServerId>,
    weights: BTreeMap<ServerId, i64>,
    version: Option<i64>,
}

impl Reading {
    fn entry(&mut self, entry: usize, key: &str, value: &str) -> Result<(), EnsembleError> {
        if key == "version" {
            // Compat: `Long.parseLong(value, 16)`, so a sign is allowed.
            let version = i64::from_str_radix(value, 16);
            let version = version.map_err(|_| EnsembleError::BadNumber { entry })?;
            return first(self.version.replace(version), entry);
        }
        let (kind, number) = key.split_once('.').ok_or(EnsembleError::UnknownKey { entry })?;
        let parse = |text: &str| text.trim().parse::<i64>();
        let bad_number = |_| EnsembleError::BadNumber { entry };
        match kind {
            "server" => {
                let server = ServerId(parse(number).map_err(bad_number)?);
                let member =
                    Member::parse(value).map_err(|why| EnsembleError::BadMember { entry, why })?;
                first(self.members.insert(server, member), entry)?;
                if self.members.len() > ENSEMBLE_SERVERS_MAX {
                    return Err(EnsembleError::TooMany);
                }
                Ok(())
            }
            "group" => {
                let group = parse(number).map_err(bad_number)?;
                let mut servers = BTreeSet::new();
                for server in value.split(':') {
                    let server = ServerId(parse(server).map_err(bad_number)?);
                    if !self.grouped.insert(server) {
                        return Err(EnsembleError::InTwoGroups { server });
                    }
                    servers.insert(server);
                }
                first(self.groups.insert(group, servers), entry)
            }
            "weight" => {
                let server = ServerId(parse(number).map_err(bad_number)?);
                let weight = parse(value).map_err(bad_number)?;
                if !(0..=WEIGHT_MAX).contains(&weight) {
                    return Err(EnsembleError::BadWeight { entry });
                }
                first(self.weights.insert(server, weight), entry)
            }
            _ => Err(EnsembleError::UnknownKey { entry }),
        }
    }

    fn finish(mut self) -> Result<Ensemble, EnsembleError> {
        let is_voter = |member: &Member| member.role == Role::Participant;
        if !self.members.values().any(is_voter) {
            return Err(EnsembleError::NoVoters);
        }
        if !self.groups.is_empty() || !self.weights.is_empty() {
            self.complete_groups()?;
        }
        let version = self.version.unwrap_or(0);
        let Self { members, groups, weights, .. } = self;
        Ok(Ensemble { members, groups, weights, version })
    }

    /// E2. Participants without a weight weigh 1.
    fn complete_groups(&mut self) -> Result<(), EnsembleError> {
        for (&server, member) in &self.members {
            if member.role == Role::Participant {
                if !self.grouped.contains(&server) {
                    return Err(EnsembleError::InNoGroup { server });
                }
                self.weights.entry(server).or_insert(1);
            }
        }
        let mut grouped = self.grouped.iter().copied();
        let unweighed = grouped.find(|server| !self.weights.contains_key(server));
        let stranger = self.weights.keys().copied().find(|s| !self.members.contains_key(s));
        match unweighed.or(stranger) {
            Some(server) => Err(EnsembleError::NotAVoter { server }),
            None => Ok(()),
        }
    }
}

fn first<T>(before: Option<T>, entry: usize) -> Result<(), EnsembleError> {
    if before.is_some() { Err(EnsembleError::Twice { entry }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE: &str = "server.1=127.0.0.1:22021:22041:participant\n\
                         server.2=127.0.0.1:22022:22042:participant\n\
                         server.3=127.0.0.1:22023:22043:participant\n\
                         version=0";

    #[test]
    fn the_text_of_a_running_ensemble_reads_back_byte_for_byte() {
        assert_eq!(THREE.len(), 138, "the length captured of Java 3.9.5");
        assert_eq!(Ensemble::parse(THREE).unwrap().to_text(), THREE);
        let rich = "server.1=[2001:db8::1]:2888:3888|10.0.0.1:2889:3889:participant;[::]:2181\n\
                    server.2=zk2:2888:3888:participant;0.0.0.0:2181\n\
                    server.10=zk10:2888:3888:observer\n\
                    group.1=1\ngroup.2=2\nweight.1=1\nweight.2=0\nversion=100000000";
        let ensemble = Ensemble::parse(rich).unwrap();
        assert_eq!(ensemble.to_text(), rich);
        assert_eq!(ensemble.version(), 1 << 32);
        assert_eq!(ensemble.member(ServerId(1)).unwrap().election[1].to_string(), "10.0.0.1:3889");
    }

    #[test]
    fn what_a_server_line_leaves_out_is_filled_in() {
        let check = |value: &str, text: &str| {
            let ensemble = Ensemble::from_entries([("server.1", value)]).unwrap();
            assert_eq!(ensemble.to_text(), format!("server.1={text}\nversion=0"));
        };
        check("h:2888:3888", "h:2888:3888:participant");
        check(" h:2888:3888:PARTICIPANT ; 2181 ", "h:2888:3888:participant;0.0.0.0:2181");
        check("a:1:2|[::1]:3:4:participant", "a:1:2|[::1]:3:4:participant");
    }

    #[test]
    fn a_bad_server_line_is_refused() {
        let check = |value: &str, why: MemberError| assert_eq!(Member::parse(value), Err(why));
        check("h", MemberError::Form);
        check("h:1", MemberError::Form);
        check("h:1:2:participant:x", MemberError::Form);
        check("h:1:2;3;4", MemberError::Form);
        check("h:1:1", MemberError::SamePorts);
        check("h:1:2:leader", MemberError::UnknownRole);
        check("a:1:2:observer|b:1:2:participant", MemberError::RolesDiffer);
        check("", MemberError::Address(AddressError::Host));
        check("h:1:99999", MemberError::Address(AddressError::Port));
        check("h:1:2;", MemberError::Address(AddressError::Host));
        check("::1:2888:3888", MemberError::Address(AddressError::Host));
    }

    #[test]
    fn a_text_that_breaks_an_invariant_is_refused() {
        let check = |text: &str, error| assert_eq!(Ensemble::parse(text), Err(error), "{text}");
        let one = "server.1=h:1:2\n";
        let with = |rest: &str| format!("{one}{rest}");
        // E1.
        check("", EnsembleError::NoVoters);
        check("server.1=h:1:2:observer", EnsembleError::NoVoters);
        check("server.1", EnsembleError::NoValue { entry: 0 });
        check(&with("tickTime=5"), EnsembleError::UnknownKey { entry: 1 });
        check(&with("table.1=5"), EnsembleError::UnknownKey { entry: 1 });
        check(&with("server.x=h:1:2"), EnsembleError::BadNumber { entry: 1 });
        check(&with("version=xyz"), EnsembleError::BadNumber { entry: 1 });
        check(&with(one), EnsembleError::Twice { entry: 1 });
        check(&with("version=0\nversion=0"), EnsembleError::Twice { entry: 2 });
        // E2, E3.
        check(&with("group.1=1\nweight.1=-1"), EnsembleError::BadWeight { entry: 2 });
        check(&with("group.1=1:1"), EnsembleError::InTwoGroups { server: ServerId(1) });
        check(&with("group.1=1\ngroup.2=1"), EnsembleError::InTwoGroups { server: ServerId(1) });
        check(&with("weight.1=1"), EnsembleError::InNoGroup { server: ServerId(1) });
        check(&with("group.1=1:7"), EnsembleError::NotAVoter { server: ServerId(7) });
        check(&with("group.1=1\nweight.7=1"), EnsembleError::NotAVoter { server: ServerId(7) });
        let many = (0..=ENSEMBLE_SERVERS_MAX).map(|sid| format!("server.{sid}=h:1:2\n"));
        check(&many.collect::<String>(), EnsembleError::TooMany);
    }
}
