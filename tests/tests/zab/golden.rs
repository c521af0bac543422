//! Golden transcripts: one leader or learner, peers that say what a script tells them to.
//!
//! A script (`tests/golden/zab/*.txt`) is commands, each followed by `----` and what came of it:
//! ```text
//! log 1:1..1:4                 what the replica holds, with its current epoch after a comma
//! lead | follow 2 | observe 2  begin
//! follow 2 from 200            the same; elected by those who look, it cannot lead before that time
//! 2 says PROPOSAL 4:1          the peer sends packets, several with `;` between them
//! 2 is reached                 a dial of ours has succeeded
//! 2 refuses                    nobody listens where we have dialled
//! doubt                        the leader's election link has ended
//! epochs                       says which are stored (D5)
//! propose 2                    two proposals
//! disk                         everything handed to the disk is durable
//! pass 100                     milliseconds
//! ```
//! With `UPDATE_GOLDEN=1` the expectations are written anew.

use std::collections::BTreeMap;
use std::path::Path;

use ringkeeper_engine::ids::{LinkId, LinkIds, ServerId};
use ringkeeper_engine::log::{Log, LogOptions, MemoryDisk};
use ringkeeper_engine::quorum::Ensemble;
use ringkeeper_engine::replica::{Effect, LearnerId, Port, Timing};
use ringkeeper_engine::time::Millis;
use ringkeeper_engine::zab::forwarded::write_request;
use ringkeeper_engine::zab::ground::{Buffers, Constants, Fault, Ground, Levellings};
use ringkeeper_engine::zab::leader::Leader;
use ringkeeper_engine::zab::learner::{Learner, Rank};
use ringkeeper_engine::zab::packets::{self, Kind, Packet};
use ringkeeper_engine::zab::records::LearnerInfo;
use ringkeeper_engine::zab::snapshot::SIGNATURE;
use ringkeeper_engine::zxid::{Epoch, Zxid};

use crate::model::{BareFormat, State};

const ME: i64 = 1;

enum Role {
    None,
    Leader(Leader),
    Learner(Learner),
}

pub(crate) struct Stage {
    now: Millis,
    constants: Constants,
    log: Log,
    disk: MemoryDisk,
    applied: Zxid,
    links: LinkIds,
    ports: BTreeMap<LinkId, Port>,
    buffers: Buffers,
    role: Role,
    /// The link that stands for a peer.
    peers: BTreeMap<i64, LinkId>,
    said: Vec<String>,
}

fn zxid(text: &str) -> Zxid {
    if text == "-1" {
        return Zxid(-1);
    }
    let (epoch, counter) = text.split_once(':').unwrap_or_else(|| panic!("no zxid: {text}"));
    Zxid::new(Epoch(epoch.parse().unwrap()), counter.parse().unwrap())
}

fn payload(zxid: Zxid, out: &mut Vec<u8>) {
    out.extend_from_slice(&[0; 12]);
    out.extend_from_slice(&zxid.0.to_be_bytes());
    out.extend_from_slice(&[0; 12]);
}

fn packet(zxid: Zxid) -> Vec<u8> {
    let mut packet = Vec::new();
    packets::write_filled(&mut packet, Kind::Proposal, zxid, |out| payload(zxid, out));
    packet
}

impl Stage {
    pub(crate) fn new() -> Self {
        let mut disk = MemoryDisk::new();
        let mut options = LogOptions::new(ServerId(ME), 7);
        options.segment_bytes = 64 << 10;
        options.batch_bytes_max = 16 << 10;
        let log = Log::open(&mut disk, options, 1).unwrap().log;
        let text = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\nserver.4=d:1:2:observer\n";
        Self {
            now: Millis(0),
            constants: Constants {
                me: ServerId(ME),
                ensemble: Ensemble::parse(text).unwrap(),
                timing: Timing { tick_ms: 100, init_limit: 10, sync_limit: 5 },
                snapshots: Box::new(BareFormat),
            },
            log,
            disk,
            applied: Zxid::ZERO,
            links: LinkIds::new(),
            ports: BTreeMap::new(),
            buffers: Buffers::default(),
            role: Role::None,
            peers: BTreeMap::new(),
            said: Vec::new(),
        }
    }

    /// `log 1:1..1:4 3:1..3:2, epoch 3`, `snapshot 1:2`.
    fn fill(&mut self, runs: &str) {
        let (runs, epoch) = runs.split_once(", epoch ").unwrap_or((runs, "0"));
        for run in runs.split_whitespace() {
            let (mut at, last) = run.split_once("..").map(|(a, b)| (zxid(a), zxid(b))).unwrap();
            while at <= last {
                self.log.append(at, &packet(at));
                at = at.next().unwrap();
            }
        }
        self.quiet_disk();
        let epoch = Epoch(epoch.parse().unwrap());
        self.log.store_epochs(&mut self.disk, epoch, epoch).unwrap();
        self.applied = self.log.appended();
        self.log.forget(self.applied, 0);
    }

    fn snapshot(&mut self, at: Zxid) {
        let state = State::load(&mut self.disk, &self.log, None, at);
        state.save(&mut self.disk, at).unwrap();
        self.log.store_snapshot(&mut self.disk, at).unwrap();
    }

    /// Carries out what the log asks for, until it rests.
    fn quiet_disk(&mut self) {
        let mut ops = Vec::new();
        loop {
            self.log.drain(&mut ops);
            ops.drain(..).for_each(|op| self.disk.execute(op));
            if self.disk.pending() == 0 {
                return;
            }
            let done = self.disk.complete(0);
            if let Some(durable) = self.log.on_done(done).unwrap() {
                self.act(|role, ground| match role {
                    Role::Leader(leader) => {
                        leader.on_durable(&durable);
                        Ok(())
                    }
                    Role::Learner(learner) => learner.on_durable(&durable, ground),
                    Role::None => Ok(()),
                });
            }
        }
    }

    fn act(&mut self, act: impl FnOnce(&mut Role, &mut Ground<'_>) -> Result<(), Fault>) {
        let mut out = Vec::new();
        let mut levellings = Levellings::default();
        let mut ground = Ground {
            now: self.now,
            constants: &self.constants,
            log: &mut self.log,
            applied: &mut self.applied,
            disk: &mut self.disk,
            links: &mut self.links,
            ports: &mut self.ports,
            buffers: &mut self.buffers,
            levellings: &mut levellings,
            out: &mut out,
        };
        let mut result = act(&mut self.role, &mut ground);
        if result.is_ok() {
            result = match &mut self.role {
                Role::Leader(leader) => leader.end_turn(&mut ground),
                Role::Learner(learner) => learner.end_turn(&mut ground),
                Role::None => Ok(()),
            };
        }
        out.into_iter().for_each(|effect| self.note(effect));
        match result {
            Ok(()) => {}
            Err(Fault::Leave(why)) => self.said.push(format!("{ME} leaves: {why}")),
            Err(Fault::Peer(error)) => self.said.push(format!("{ME} leaves its leader: {error}")),
            Err(Fault::Fatal(reason)) => self.said.push(format!("{ME} dies: {reason}")),
        }
    }

    fn peer_of(&self, link: LinkId) -> i64 {
        self.peers.iter().find(|(_, known)| **known == link).map_or(-1, |(peer, _)| *peer)
    }

    fn note(&mut self, effect: Effect) {
        let line = match effect {
            Effect::Send { link, bytes } => return self.note_packets(self.peer_of(link), &bytes),
            Effect::SendShared { link, part } => {
                return self.note_packets(self.peer_of(link), &part);
            }
            Effect::Dial { link, to, .. } => {
                self.peers.insert(to.0, link);
                format!("{ME} dials {to}")
            }
            Effect::Close { link } => format!("{ME} closes {}", self.peer_of(link)),
            Effect::Committed { upto } => {
                self.applied = upto;
                format!("{ME} applies up to {upto:?}")
            }
            Effect::Requests { learner, requests } => {
                let asked: Vec<_> = requests.iter().map(|r| (r.session, r.cxid, r.op)).collect();
                format!("{ME} is asked by {}: {asked:?}", learner.server)
            }
            Effect::Touched { learner, sessions } => {
                format!("{ME} hears from {}: sessions {sessions:?} live", learner.server)
            }
            Effect::Leading { epoch } => format!("{ME} leads epoch {epoch:?}"),
            Effect::Following { leader, .. } => format!("{ME} follows {leader}"),
            Effect::Observing { leader, .. } => format!("{ME} observes {leader}"),
            Effect::Reload { snapshot, upto } => {
                format!("{ME} reloads: snapshot {snapshot:?}, log up to {upto:?}")
            }
            Effect::LearnerGone { learner } => format!("{ME} misses {}", learner.server),
            Effect::PingDue => format!("{ME} must answer a PING"),
            Effect::Synced => format!("{ME} is in sync"),
            other => format!("{ME}: {other:?}"),
        };
        self.said.push(line);
    }

    fn note_packets(&mut self, to: i64, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let packet = Packet::read(rest).unwrap();
            rest = &rest[packet.bytes.len()..];
            let kind = packet.kind().unwrap();
            let mut line = format!("{ME} -> {to} {}", kind.name());
            if packet.zxid.0 != -1 {
                line += &format!(" {:?}", packet.zxid);
            }
            match kind {
                Kind::LeaderInfo | Kind::AckEpoch | Kind::FollowerInfo | Kind::ObserverInfo => {
                    let data = packet.data.unwrap_or_default();
                    let int = data.get(8..12).or(data.get(..4)).unwrap_or_default();
                    let int = int.iter().fold(0_u32, |int, byte| int << 8 | u32::from(*byte));
                    line += &format!(" {int:#x}");
                }
                Kind::Snap => {
                    // Cut short where the link ends before the snapshot does.
                    let end = rest.windows(14).position(|text| text == SIGNATURE);
                    line += &format!(" and {} bytes", end.unwrap_or(rest.len()));
                    rest = end.map_or(&[], |end| &rest[end + SIGNATURE.len()..]);
                }
                _ => {}
            }
            self.said.push(line);
        }
    }

    fn begin(&mut self, words: &[&str]) {
        let leader = words.get(1).map(|id| ServerId(id.parse().unwrap()));
        let mut begun = Role::None;
        self.act(|_, ground| {
            begun = match (words[0], leader) {
                ("lead", _) => Role::Leader(Leader::begin(ground)?),
                (rank, Some(leader)) => {
                    let rank = if rank == "follow" { Rank::Follower } else { Rank::Observer };
                    let report = ground.log.durable();
                    let leads_from = words.get(3).map_or(0, |ms| ms.parse().unwrap());
                    let leader = (leader, ground.now + leads_from);
                    Role::Learner(Learner::begin(leader, rank, (report, None), ground))
                }
                _ => panic!("{words:?}"),
            };
            Ok(())
        });
        self.role = begun;
        if let Some(leader) = leader {
            self.reach(leader.0);
        }
    }

    fn reach(&mut self, peer: i64) {
        let link = self.peers[&peer];
        self.act(|role, ground| {
            if let Role::Learner(learner) = role {
                learner.on_link_up(link, ground);
            }
            Ok(())
        });
    }

    fn says(&mut self, peer: i64, text: &str) {
        let mut bytes = Vec::new();
        for packet in text.split("; ") {
            let words: Vec<&str> = packet.split_whitespace().collect();
            write_packet(&mut bytes, peer, &words);
        }
        let is_info = text.contains("ERINFO") && matches!(self.role, Role::Leader(_));
        if is_info {
            let link = LinkId(2 * (self.said.len() as u64 + 10 * self.peers.len() as u64 + 2));
            self.peers.insert(peer, link);
        }
        let link = self.peers[&peer];
        self.act(|role, ground| match role {
            Role::Leader(leader) => {
                if is_info {
                    leader.on_link_up(link, ground);
                }
                leader.on_bytes(link, &bytes, ground)
            }
            Role::Learner(learner) => learner.on_bytes(&bytes, ground),
            Role::None => Ok(()),
        });
    }

    fn propose(&mut self, count: usize) {
        for _ in 0..count {
            let Role::Leader(leader) = &mut self.role else { panic!("only leaders propose") };
            let Some(zxid) = leader.next_zxid(self.log.proposals()) else { break };
            self.log.append(zxid, &packet(zxid));
        }
        self.act(|_, _| Ok(()));
    }

    fn pass(&mut self, ms: u64) {
        for _ in 0..ms / 10 {
            self.now = self.now + 10;
            self.act(|role, ground| match role {
                Role::Leader(leader) => leader.on_tick(ground),
                Role::Learner(learner) => learner.on_tick(ground),
                Role::None => Ok(()),
            });
        }
    }

    /// Whether a link stands for the peer.
    pub(crate) fn knows(&self, peer: i64) -> bool {
        self.peers.contains_key(&peer)
    }

    pub(crate) fn run(&mut self, command: &str) -> Vec<String> {
        self.said.clear();
        let words: Vec<&str> = command.split_whitespace().collect();
        match words[..] {
            ["log", ..] => self.fill(&command[4..]),
            ["snapshot", at] => self.snapshot(zxid(at)),
            ["lead" | "follow" | "observe", ..] => self.begin(&words),
            [peer, "says", ..] => {
                self.says(peer.parse().unwrap(), command.split_once(" says ").unwrap().1);
            }
            [peer, "is", "reached"] => self.reach(peer.parse().unwrap()),
            [peer, "goes"] => {
                let link = self.peers[&peer.parse().unwrap()];
                self.act(|role, ground| match role {
                    Role::Leader(leader) => {
                        leader.on_closed(link, ground);
                        Ok(())
                    }
                    Role::Learner(learner) => learner.on_closed(link, ground),
                    Role::None => Ok(()),
                });
            }
            [peer, "refuses"] => {
                let link = self.peers[&peer.parse().unwrap()];
                self.act(|role, ground| match role {
                    Role::Learner(learner) => {
                        learner.on_refused(link)?;
                        learner.on_closed(link, ground)
                    }
                    _ => Ok(()),
                });
            }
            ["doubt"] => self.act(|role, ground| {
                if let Role::Learner(learner) = role {
                    learner.doubt(ground);
                }
                Ok(())
            }),
            ["epochs"] => {
                let (accepted, current) =
                    (self.log.superblock().accepted_epoch, self.log.superblock().current_epoch);
                self.said.push(format!("{ME} has promised epoch {accepted}, follows {current}"));
            }
            ["propose", count] => self.propose(count.parse().unwrap()),
            ["sync", peer] => {
                let server: i64 = peer.parse().unwrap();
                let learner = LearnerId { link: self.peers[&server], server: ServerId(server) };
                if let Role::Leader(leader) = &mut self.role {
                    leader.sync_learner(learner, self.log.proposals());
                }
                self.act(|_, _| Ok(()));
            }
            ["disk"] => self.quiet_disk(),
            ["distrust", at] => self.act(|role, _| {
                if let Role::Learner(learner) = role {
                    learner.distrust(zxid(at));
                }
                Ok(())
            }),
            ["pass", ms] => self.pass(ms.parse().unwrap()),
            ["answer"] => self.act(|role, _| {
                if let Role::Learner(learner) = role {
                    learner.answer_ping([(7, 4000)].into_iter());
                }
                Ok(())
            }),
            _ => panic!("no such command: {command}"),
        }
        std::mem::take(&mut self.said)
    }
}

/// `FOLLOWERINFO 3:0 [java]`, `ACKEPOCH 3 3:2`, `PROPOSAL 4:1` and so on.
fn write_packet(out: &mut Vec<u8>, peer: i64, words: &[&str]) {
    let is_java = words.last() == Some(&"java");
    let protocol: i32 = if is_java { 0x10000 } else { 0x10100 };
    let at = words.get(1).filter(|text| text.contains(':')).map_or(Zxid(-1), |text| zxid(text));
    let kind = (1..=19).filter_map(Kind::of).find(|kind| kind.name() == words[0]);
    let kind = kind.unwrap_or_else(|| panic!("no such packet: {words:?}"));
    match kind {
        Kind::FollowerInfo | Kind::ObserverInfo => {
            let info = LearnerInfo { server: Some(ServerId(peer)), protocol, config_version: 0 };
            packets::write(out, kind, at, Some(&info.encode()));
        }
        Kind::LeaderInfo => packets::write(out, kind, at, Some(&protocol.to_be_bytes())),
        Kind::AckEpoch => {
            let current: i32 = words[1].parse().unwrap();
            packets::write(out, kind, zxid(words[2]), Some(&current.to_be_bytes()));
        }
        Kind::Proposal | Kind::Inform => {
            packets::write_filled(out, kind, at, |out| payload(at, out));
        }
        Kind::Snap => {
            packets::write_bare(out, kind, at);
            out.extend_from_slice(&0_i32.to_be_bytes());
            out.extend_from_slice(&SIGNATURE);
        }
        Kind::NewLeader | Kind::Ping => packets::write(out, kind, at, Some(b"")),
        Kind::Request => write_request(out, (7, 1, 5), b"body", [].into_iter()),
        _ => packets::write_bare(out, kind, at),
    }
}

#[expect(clippy::disallowed_methods, reason = "a test writes its own expectations")]
fn update(path: &Path, produced: &str) {
    std::fs::write(path, produced).unwrap();
}

fn check(path: &Path) {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let script = std::fs::read_to_string(path).unwrap();
    let mut stage = Stage::new();
    let mut produced = String::new();
    for block in script.split("\n\n") {
        let lines = block.lines().take_while(|line| *line != "----");
        let (comments, commands): (Vec<&str>, Vec<&str>) = lines.partition(|l| l.starts_with('#'));
        let mut said = Vec::new();
        for command in &commands {
            said.extend(stage.run(command));
        }
        if !produced.is_empty() {
            produced.push('\n');
        }
        for line in comments.iter().chain(&commands) {
            produced += &format!("{line}\n");
        }
        if !commands.is_empty() {
            produced += "----\n";
            produced +=
                &if said.is_empty() { "(nothing)\n".into() } else { said.join("\n") + "\n" };
        }
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        return update(path, &produced);
    }
    assert_eq!(produced, script.trim_end().to_owned() + "\n", "{name}");
}

/// D1, D2, D3, D4 of leaders and L1, L2, L3 of learners: each is named by the script that shows it.
#[test]
fn leaders_and_learners_say_what_the_transcripts_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/zab");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 10, "scripts are missing");
    for path in paths {
        println!("{}", path.display());
        check(&path);
    }
}

#[test]
fn a_leader_steps_down_when_the_counters_of_its_epoch_are_spent() {
    let mut stage = Stage::new();
    for command in ["lead", "2 says FOLLOWERINFO 0:0", "2 says ACKEPOCH 0 0:0", "2 says ACK 1:0"] {
        stage.run(command);
    }
    stage.log.reset(&mut stage.disk, Zxid::new(Epoch(1), u32::MAX - 1)).unwrap();
    let Role::Leader(leader) = &mut stage.role else { panic!("it leads") };
    assert_eq!(leader.next_zxid(stage.log.proposals()), Some(Zxid::new(Epoch(1), u32::MAX)));
    let last = Zxid::new(Epoch(1), u32::MAX);
    stage.log.append(last, &packet(last));
    assert_eq!(leader.next_zxid(stage.log.proposals()), None);
    stage.act(|_, _| Ok(()));
    assert_eq!(stage.said, ["1 leaves: the last zxid of the epoch is used"]);
}

#[test]
fn nobody_ends_a_reign_in_the_name_of_a_voter_that_is_level() {
    let mut stage = Stage::new();
    for command in ["lead", "2 says FOLLOWERINFO 0:0", "2 says ACKEPOCH 0 0:0", "2 says ACK 1:0"] {
        stage.run(command);
    }
    let level = stage.peers.remove(&2).unwrap();
    stage.peers.insert(9, level);
    assert_eq!(stage.run("2 says FOLLOWERINFO 3:0"), ["1 closes 2"]);
    assert_eq!(stage.run("9 says PING"), Vec::<String>::new());
    let Role::Leader(leader) = &stage.role else { panic!("it leads") };
    assert!(leader.is_reigning());
}
