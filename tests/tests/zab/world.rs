//! An ensemble: replicas, their disks, the links between them, and the checks.
//!
//! Checked after every step:
//! - what one server applies as decided at a place, every server applies there (agreement);
//! - whoever begins to lead has all that was ever decided (durability).
//!
//! Not here: what goes wrong and when (`chaos`), scripts (`golden`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ringkeeper_engine::ids::{LinkId, ServerId};
use ringkeeper_engine::log::{DiskDone, Log, LogOptions, MemoryDisk};
use ringkeeper_engine::quorum::Ensemble;
use ringkeeper_engine::replica::{
    Effect, Event, Port, Replica, ReplicaOptions, State as RoleState, Timing,
};
use ringkeeper_engine::time::Millis;
use ringkeeper_engine::zab::packets::{Kind, Packet, PacketReader};
use ringkeeper_engine::zxid::{Epoch, Zxid};

use crate::model::{BareFormat, State};

pub(crate) const TICK_MS: u64 = 50;

/// One end of a link: whose, and what it calls it.
type End = (i64, LinkId);

pub(crate) struct Server {
    pub(crate) id: i64,
    pub(crate) disk: MemoryDisk,
    pub(crate) replica: Option<Replica>,
    pub(crate) state: State,
    pub(crate) is_serving: bool,
    /// Its disk answers nothing for now.
    pub(crate) holds_disk: bool,
    starts: u64,
}

/// Bytes on their way, or the end of a link.
enum Parcel {
    Bytes(Vec<u8>),
    Up { dialed: Option<i64>, port: Port },
    Closed,
}

pub(crate) struct World {
    pub(crate) now: Millis,
    pub(crate) servers: BTreeMap<i64, Server>,
    ensemble: Ensemble,
    standalone: bool,
    /// The other end of each open link.
    links: BTreeMap<End, End>,
    ports: BTreeMap<End, Port>,
    parcels: VecDeque<(Millis, End, Parcel)>,
    next_link: u64,
    /// How many runs of proposals learners were sent from where they lay.
    pub(crate) shared: usize,
    /// Pairs that cannot reach each other.
    pub(crate) cut: BTreeSet<(i64, i64)>,
    /// Everything decided so far, as the servers applied it.
    pub(crate) decided: State,
    pub(crate) transcript: Vec<String>,
    readers: BTreeMap<End, (PacketReader, bool)>,
    /// Cuts what is sent into pieces of at most so many bytes.
    pub(crate) piece: usize,
    pub(crate) delay_ms: u64,
    /// Disks answer late and in any order.
    pub(crate) disks_lag: bool,
    pub(crate) dice: Dice,
    pub(crate) segment_bytes: u64,
}

/// A small generator, so that a failing seed repeats.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) % bound.max(1)
    }
}

impl World {
    /// Servers `1..=voters`, then observers, none of them started.
    pub(crate) fn new(voters: i64, observers: i64, seed: u64) -> Self {
        let line = |id| {
            let role = if id > voters { "observer" } else { "participant" };
            format!("server.{id}=h{id}:2888:3888:{role}\n")
        };
        let text: String = (1..=voters + observers).map(line).collect();
        let servers = (1..=voters + observers).map(|id| {
            let server = Server {
                id,
                disk: MemoryDisk::new(),
                replica: None,
                state: State::default(),
                is_serving: false,
                holds_disk: false,
                starts: 0,
            };
            (id, server)
        });
        Self {
            now: Millis(1000),
            servers: servers.collect(),
            ensemble: Ensemble::parse(&text).unwrap(),
            standalone: voters == 1 && observers == 0,
            links: BTreeMap::new(),
            ports: BTreeMap::new(),
            parcels: VecDeque::new(),
            next_link: 2,
            shared: 0,
            cut: BTreeSet::new(),
            decided: State::default(),
            transcript: Vec::new(),
            readers: BTreeMap::new(),
            piece: usize::MAX,
            delay_ms: 0,
            disks_lag: false,
            dice: Dice(seed),
            segment_bytes: 64 << 10,
        }
    }

    pub(crate) fn server(&mut self, id: i64) -> &mut Server {
        self.servers.get_mut(&id).unwrap()
    }

    pub(crate) fn replica(&mut self, id: i64) -> &mut Replica {
        self.server(id).replica.as_mut().unwrap()
    }

    pub(crate) fn start(&mut self, id: i64) {
        let (ensemble, segment_bytes) = (self.ensemble.clone(), self.segment_bytes);
        let standalone = self.standalone;
        let entropy = self.dice.below(u64::MAX);
        let server = self.server(id);
        server.starts += 1;
        let mut options = LogOptions::new(ServerId(id), 7);
        options.segment_bytes = segment_bytes;
        options.batch_bytes_max = 16 << 10;
        options.passes_over = true;
        let log = Log::open(&mut server.disk, options, entropy).unwrap().log;
        server.replica = Some(Replica::new(
            ReplicaOptions {
                me: ServerId(id),
                ensemble,
                timing: Timing { tick_ms: TICK_MS, init_limit: 10, sync_limit: 5 },
                standalone,
                may_vote_empty: true,
                snapshots: Box::new(BareFormat),
            },
            log,
        ));
        let now = self.now;
        let mut out = Vec::new();
        let server = self.server(id);
        let replica = server.replica.as_mut().unwrap();
        replica.start(now, &mut server.disk, &mut out);
        self.carry_out(id, out);
        self.end_turn(id);
    }

    /// The process ends and the power fails.
    pub(crate) fn crash(&mut self, id: i64) {
        let seed = self.dice.below(u64::MAX);
        let server = self.server(id);
        server.replica = None;
        server.is_serving = false;
        server.holds_disk = false;
        server.disk.crash(seed);
        let ends: Vec<End> = self.links.keys().filter(|end| end.0 == id).copied().collect();
        for end in ends {
            self.close(end);
        }
        self.parcels.retain(|(_, to, _)| to.0 != id);
    }

    /// Takes both ends of a link away; the other end hears of it after what is on its way.
    pub(crate) fn close(&mut self, end: End) {
        if let Some(other) = self.links.remove(&end) {
            self.links.remove(&other);
            self.readers.remove(&end);
            self.parcels.push_back((self.now + self.delay_ms, other, Parcel::Closed));
        }
    }

    /// A link breaks: both ends hear of it.
    pub(crate) fn sever(&mut self, end: End) {
        self.parcels.push_back((self.now + self.delay_ms, end, Parcel::Closed));
        self.close(end);
    }

    pub(crate) fn open_links(&self) -> Vec<End> {
        self.links.keys().copied().collect()
    }

    fn is_cut(&self, a: i64, b: i64) -> bool {
        self.cut.contains(&(a.min(b), a.max(b)))
    }

    /// Breaks what links there are between two servers and refuses new ones.
    pub(crate) fn cut_off(&mut self, a: i64, b: i64) {
        self.cut.insert((a.min(b), a.max(b)));
        let between: Vec<(End, End)> =
            self.links.iter().filter(|l| l.0.0 == a && l.1.0 == b).map(|l| (*l.0, *l.1)).collect();
        for (end, other) in between {
            self.sever(end);
            self.parcels.retain(|p| (p.1 != end && p.1 != other) || matches!(p.2, Parcel::Closed));
        }
    }

    pub(crate) fn step(&mut self, id: i64, event: Event<'_>) {
        let now = self.now;
        let server = self.server(id);
        let Some(replica) = &mut server.replica else { return };
        let mut out = Vec::new();
        replica.step(now, event, &mut server.disk, &mut out);
        self.carry_out(id, out);
    }

    pub(crate) fn end_turn(&mut self, id: i64) {
        let now = self.now;
        let server = self.server(id);
        let Some(replica) = &mut server.replica else { return };
        let mut out = Vec::new();
        replica.end_turn(now, &mut server.disk, &mut out);
        self.carry_out(id, out);
    }

    fn carry_out(&mut self, id: i64, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Disk(op) => self.server(id).disk.execute(op),
                Effect::Dial { link, to, port, .. } => self.dial((id, link), to.0, port),
                Effect::Send { link, bytes } => self.send((id, link), bytes),
                Effect::SendShared { link, part } => {
                    self.shared += 1;
                    self.send((id, link), part.to_vec());
                }
                Effect::Close { link } => self.close((id, link)),
                Effect::Fatal(reason) => panic!("server {id}: {reason}"),
                effect => self.serve(id, effect),
            }
        }
    }

    fn dial(&mut self, from: End, to: i64, port: Port) {
        let accepted = (to, LinkId(self.next_link));
        self.next_link += 2;
        let at = self.now + self.delay_ms;
        let is_up = self.servers.get(&to).is_some_and(|server| server.replica.is_some());
        if !is_up || self.is_cut(from.0, to) {
            self.parcels.push_back((at, from, Parcel::Closed));
            return;
        }
        self.links.insert(from, accepted);
        self.links.insert(accepted, from);
        self.ports.insert(from, port);
        self.ports.insert(accepted, port);
        self.parcels.push_back((at, from, Parcel::Up { dialed: Some(to), port }));
        self.parcels.push_back((at, accepted, Parcel::Up { dialed: None, port }));
    }

    fn send(&mut self, from: End, bytes: Vec<u8>) {
        let Some(&to) = self.links.get(&from) else { return };
        if self.ports.get(&from) == Some(&Port::Quorum) {
            self.note_packets(from, to, &bytes);
        }
        for piece in bytes.chunks(self.piece) {
            self.parcels.push_back((self.now + self.delay_ms, to, Parcel::Bytes(piece.to_vec())));
        }
        self.parcels.push_back((self.now, from, Parcel::Bytes(Vec::new())));
        if let Some(replica) = &mut self.server(from.0).replica {
            replica.recycle(bytes);
        }
    }

    /// One line a packet, `1 -> 2 PROPOSAL 1:1`. PINGs are left out.
    fn note_packets(&mut self, from: End, to: End, bytes: &[u8]) {
        let (reader, in_snapshot) = self.readers.entry(from).or_default();
        let mut input = bytes;
        if *in_snapshot {
            // The body is skipped up to its signature.
            match input.windows(10).position(|text| text == b"BenWasHere") {
                Some(at) => input = &input[at + 10..],
                None => return,
            }
            *in_snapshot = false;
        }
        let mut lines = Vec::new();
        while let Ok(Some(packet)) = reader.next(&mut input) {
            lines.extend(describe(&packet));
            if packet.kind() == Some(Kind::Snap) {
                let text = b"BenWasHere";
                let end = input.windows(10).position(|window| window == text);
                *in_snapshot = end.is_none();
                input = end.map_or(&[], |at| &input[at + 10..]);
            }
        }
        let (from, to) = (from.0, to.0);
        self.transcript.extend(lines.into_iter().map(|line| format!("{from} -> {to} {line}")));
    }

    /// The member's part.
    fn serve(&mut self, id: i64, effect: Effect) {
        match effect {
            Effect::Reload { snapshot, upto } => {
                let server = self.servers.get_mut(&id).unwrap();
                let replica = server.replica.as_ref().unwrap();
                server.state = State::load(&mut server.disk, replica.log(), snapshot, upto);
                if server.starts > 1 || upto > Zxid::ZERO {
                    self.transcript.push(format!("{id} reloads up to {upto:?}"));
                }
            }
            Effect::Committed { upto } => {
                let server = self.servers.get_mut(&id).unwrap();
                let replica = server.replica.as_mut().unwrap();
                let from = server.state.0.last().map_or(Zxid::ZERO, |entry| entry.0);
                let base = replica.proposals().base();
                for (zxid, payload) in replica.proposals().payloads(from.max(base), upto) {
                    server.state.0.push((zxid, payload.to_vec()));
                }
                assert_eq!(server.state.0.last().map(|entry| entry.0), Some(upto), "server {id}");
                replica.applied(upto);
                self.check_agreement(id);
                self.transcript.push(format!("{id} applies up to {upto:?}"));
            }
            Effect::Looking { why } => {
                self.server(id).is_serving = false;
                self.transcript.push(format!("{id} looks: {why}"));
            }
            Effect::Leading { epoch } => {
                self.server(id).is_serving = true;
                self.check_agreement(id);
                let has = self.servers[&id].state.0.len();
                assert!(has >= self.decided.0.len(), "server {id} leads without what was decided");
                self.transcript.push(format!("{id} leads epoch {epoch:?}"));
            }
            Effect::Following { leader, epoch } | Effect::Observing { leader, epoch } => {
                self.server(id).is_serving = true;
                self.check_agreement(id);
                self.transcript.push(format!("{id} serves under {leader}, epoch {epoch:?}"));
            }
            Effect::Requests { learner, requests } => {
                for request in requests.iter() {
                    let text = format!("{id} is asked by {}: {:?}", learner.server, request.op);
                    self.transcript.push(text);
                }
                self.replica(id).recycle(requests.into_bytes());
            }
            Effect::Revalidate { learner, session, .. } => {
                self.replica(id).revalidated(learner, session, session % 2 == 0);
            }
            Effect::PingDue => {
                self.replica(id).answer_ping(std::iter::empty());
            }
            Effect::Synced => self.transcript.push(format!("{id} is in sync")),
            Effect::Revalidated { session, valid } => {
                self.transcript.push(format!("{id} hears: session {session}, valid {valid}"));
            }
            Effect::Touched { .. } | Effect::LearnerGone { .. } => {}
            effect => unreachable!("{effect:?} is carried out elsewhere"),
        }
    }

    /// What this server has applied is what everybody applied.
    fn check_agreement(&mut self, id: i64) {
        let state = &self.servers[&id].state.0;
        let decided = &mut self.decided.0;
        let common = state.len().min(decided.len());
        let from = common.saturating_sub(200);
        let differs = (from..common).find(|&at| state[at] != decided[at]);
        assert_eq!(differs.map(|at| (state[at].0, decided[at].0)), None, "server {id} disagrees");
        decided.extend_from_slice(&state[common..]);
    }

    /// Delivers the oldest parcel that is due. Whether there was one.
    pub(crate) fn deliver(&mut self) -> bool {
        let Some(at) = self.parcels.iter().position(|parcel| parcel.0 <= self.now) else {
            return false;
        };
        let Some((_, to, parcel)) = self.parcels.remove(at) else { return false };
        let (id, link) = to;
        match parcel {
            Parcel::Up { dialed, port } => {
                let dialed = dialed.map(ServerId);
                self.step(id, Event::LinkUp { link, port, dialed });
            }
            Parcel::Bytes(bytes) if bytes.is_empty() => {
                self.step(id, Event::Unsent { link, bytes: 0 });
            }
            Parcel::Bytes(bytes) => self.step(id, Event::Received { link, bytes: &bytes }),
            Parcel::Closed => self.step(id, Event::Closed { link }),
        }
        self.end_turn(id);
        true
    }

    /// Answers a disk operation of a server: the oldest, or any where disks lag. Whether there was
    /// one.
    pub(crate) fn answer_disk(&mut self, id: i64) -> bool {
        let server = self.server(id);
        if server.replica.is_none() || server.holds_disk || server.disk.pending() == 0 {
            return false;
        }
        let pending = server.disk.pending() as u64;
        let at = if self.disks_lag { self.dice.below(pending) as usize } else { 0 };
        let done: DiskDone = self.server(id).disk.complete(at);
        self.step(id, Event::Disk(done));
        self.end_turn(id);
        true
    }

    /// Everything that can happen without time passing.
    pub(crate) fn settle(&mut self) {
        let ids: Vec<i64> = self.servers.keys().copied().collect();
        for _ in 0..1_000_000 {
            if self.deliver() {
                continue;
            }
            let lags = self.disks_lag;
            let mut answered = false;
            for &id in &ids {
                answered |= (!lags || self.dice.below(3) == 0) && self.answer_disk(id);
            }
            if !answered {
                return;
            }
        }
        panic!("the ensemble never comes to rest");
    }

    pub(crate) fn pass(&mut self, ms: u64) {
        let until = self.now + ms;
        while self.now < until {
            self.now = self.now + 1;
            self.tick();
            self.settle();
        }
    }

    /// Ticks whoever is due.
    pub(crate) fn tick(&mut self) {
        let now = self.now;
        let ids: Vec<i64> = self.servers.keys().copied().collect();
        for id in ids {
            let replica = self.servers[&id].replica.as_ref();
            if replica.and_then(Replica::deadline).is_some_and(|at| at <= now) {
                self.step(id, Event::Tick);
                self.end_turn(id);
            }
        }
    }

    /// The server that leads and serves, if there is one.
    pub(crate) fn leader(&self) -> Option<i64> {
        let leads = |server: &&Server| {
            let status = server.replica.as_ref().map(Replica::status);
            server.is_serving
                && status
                    .is_some_and(|s| matches!(s.state, RoleState::Leading | RoleState::Standalone))
        };
        self.servers.values().filter(leads).map(|server| server.id).next_back()
    }

    /// Passes time until every running server serves; at most `ms`.
    pub(crate) fn pass_until_served(&mut self, ms: u64) {
        for _ in 0..ms {
            let all = self.servers.values().all(|s| s.replica.is_none() || s.is_serving);
            if all && self.leader().is_some() {
                return;
            }
            self.pass(1);
        }
        let states: Vec<_> =
            self.servers.values().map(|s| s.replica.as_ref().map(Replica::status)).collect();
        panic!("not served within {ms} ms: {states:#?}\n{:#?}", self.transcript);
    }

    /// Proposes one payload of `bytes` on a leader.
    pub(crate) fn propose(&mut self, id: i64, bytes: usize) -> Option<Zxid> {
        let zxid = self.replica(id).propose(|zxid, out| {
            // A TxnHeader: session, cxid, zxid, time, type; then filling.
            out.extend_from_slice(&[0; 12]);
            out.extend_from_slice(&zxid.0.to_be_bytes());
            out.extend_from_slice(&[0; 12]);
            out.resize(out.len() + bytes, zxid.0 as u8);
        });
        self.end_turn(id);
        zxid
    }
}

fn describe(packet: &Packet<'_>) -> Option<String> {
    let kind = packet.kind()?;
    let at = match kind {
        Kind::Ping => return None,
        Kind::UpToDate | Kind::Sync | Kind::Revalidate | Kind::Request => String::new(),
        Kind::FollowerInfo | Kind::ObserverInfo | Kind::LeaderInfo | Kind::NewLeader => {
            format!(" epoch {:?}", Epoch(packet.zxid.0 >> 32))
        }
        _ => format!(" {:?}", packet.zxid),
    };
    Some(format!("{}{at}", kind.name()))
}
