//! A client of the simulated ensemble: it keeps a session over reconnects, writes, reads and
//! watches, and judges each answer as it comes.
//!
//! Each client owns one znode, `/c<n>`, with children; all contend for `/lock` and write `/shared`;
//! each watches its own znode, its neighbour's and the lock. Now and then one falls silent for
//! longer than its session lasts.
//!
//! Not here: how its bytes travel (`wires`), what was decided (`model`).

mod judge;
mod op;
mod watching;

use std::collections::VecDeque;

use ringkeeper::wire::{ConnectRequest, ConnectResponse, ReplyHeader, SessionId};
use ringkeeper_engine::jute::{Reader, Writer};
use ringkeeper_engine::zxid::Zxid;

use super::model::Model;
use super::options::Plan;
use super::random::Random;
use op::{LOCK, Op, SHARED};
use watching::{Kind, Watching};

/// Requests a client has under way at most.
const PIPELINE: usize = 8;

/// Beyond its timeout, a silent session is over after this: a tick, a ping, a decision.
const SILENCE_MS: u64 = 3_000;

/// What a client is told with.
pub(super) struct Moment<'a> {
    pub now: u64,
    pub model: &'a Model,
    /// The newest zxid of a write that was acknowledged to anybody.
    pub acked: &'a mut i64,
    /// The server that answers follows the newest leader there has been.
    pub is_current: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Off,
    Connecting,
    On,
}

/// A request that is under way.
#[derive(Debug)]
struct Asked {
    cxid: i32,
    op: Op,
    /// What had been acknowledged to anybody when it was sent.
    floor: i64,
    sent_ms: u64,
}

pub(super) struct Client {
    pub number: usize,
    pub acked: u64,
    /// Sessions the ensemble ended.
    pub expired: u64,
    /// When the newest acknowledged write was asked for.
    pub acked_asked_ms: u64,
    neighbour: usize,
    random: Random,
    phase: Phase,
    session: SessionId,
    password: Vec<u8>,
    pub timeout_ms: u64,
    gap_ms: u64,
    data_bytes: u64,
    is_calm: bool,
    last_zxid: i64,
    sync_floor: i64,
    connection_zxid: i64,
    cxid: i32,
    under_way: VecDeque<Asked>,
    unread: Vec<u8>,
    /// How many of the znodes that everybody needs are known to be there.
    based: usize,
    watching: Watching,
    children: Vec<String>,
    lock: Option<String>,
    value: u32,
    last_sent_ms: u64,
    next_op_ms: u64,
    silent_until: Option<u64>,
    /// It was silent since it last heard of its session; true: so long that it must be over.
    was_silent: Option<bool>,
}

impl Client {
    pub(super) fn new(number: usize, plan: &Plan) -> Self {
        let mut random = Random::of(plan.seed, 100 + number as u64);
        Self {
            number,
            acked: 0,
            expired: 0,
            acked_asked_ms: 0,
            neighbour: (number + 1) % plan.clients,
            timeout_ms: random.between(2_000, 6_000),
            random,
            phase: Phase::Off,
            session: SessionId::NONE,
            password: vec![0; 16],
            gap_ms: plan.gap_ms,
            data_bytes: plan.data_bytes,
            is_calm: plan.is_calm,
            last_zxid: 0,
            sync_floor: 0,
            connection_zxid: 0,
            cxid: 0,
            under_way: VecDeque::new(),
            unread: Vec::new(),
            based: 0,
            watching: Watching::default(),
            children: Vec::new(),
            lock: None,
            value: 0,
            last_sent_ms: 0,
            next_op_ms: 0,
            silent_until: None,
            was_silent: None,
        }
    }

    fn home(&self) -> String {
        format!("/c{}", self.number)
    }

    pub(super) fn is_off(&self) -> bool {
        self.phase == Phase::Off
    }

    pub(super) fn is_on(&self) -> bool {
        self.phase == Phase::On
    }

    pub(super) fn is_idle(&self) -> bool {
        self.phase == Phase::On && self.under_way.is_empty()
    }

    pub(super) fn session(&self) -> SessionId {
        self.session
    }

    pub(super) fn events(&self) -> u64 {
        self.watching.told
    }

    /// Whether it keeps away from everybody; it ends that when `is_healed`.
    pub(super) fn is_silent(&mut self, now: u64, is_healed: bool) -> bool {
        let is_over = |until: &mut u64| *until <= now || is_healed;
        if self.silent_until.take_if(is_over).is_some() {
            self.was_silent = Some(!is_healed);
        }
        self.silent_until.is_some()
    }

    /// The first frame on a new connection.
    pub(super) fn connect(&mut self, now: u64) -> Vec<u8> {
        self.phase = Phase::Connecting;
        self.last_sent_ms = now;
        self.unread.clear();
        let mut body = Vec::new();
        ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: self.last_zxid,
            timeout_ms: self.timeout_ms as i32,
            session: self.session,
            password: Some(&self.password),
            read_only: Some(false),
        }
        .encode(&mut body);
        framed(&body)
    }

    /// The connection is gone: what was under way has an unknown outcome.
    pub(super) fn disconnected(&mut self) {
        self.phase = Phase::Off;
        self.unread.clear();
        let is_closing = self.under_way.iter().any(|asked| matches!(asked.op, Op::Close));
        self.under_way.clear();
        if is_closing {
            self.end_session();
        }
    }

    fn end_session(&mut self) {
        self.session = SessionId::NONE;
        self.password = vec![0; 16];
        self.watching.clear();
        self.lock = None;
    }

    /// What this client sends next, if anything.
    pub(super) fn next(&mut self, now: u64, acked: i64, may_write: bool) -> Option<Vec<u8>> {
        if self.phase != Phase::On || self.under_way.len() >= PIPELINE {
            return None;
        }
        let op = if self.based < 3 {
            let base = [self.home(), LOCK.to_owned(), SHARED.to_owned()];
            let path = base[self.based].clone();
            if !self.under_way.is_empty() {
                return None;
            }
            Op::CreateBase { path }
        } else if may_write && now >= self.next_op_ms {
            // Several at once, then a pause.
            if self.random.chance(300) {
                self.next_op_ms = now + self.random.below(2 * self.gap_ms + 1);
            }
            self.draw()
        } else if now.saturating_sub(self.last_sent_ms) > self.timeout_ms / 3 {
            Op::Ping
        } else {
            return None;
        };
        if may_write && self.based == 3 && self.random.chance(3) {
            self.silent_until = Some(now + self.timeout_ms + SILENCE_MS);
            return None;
        }
        self.last_sent_ms = now;
        Some(self.send(op, now, acked))
    }

    /// A write for its own sake, to see whether the ensemble takes any.
    pub(super) fn probe(&mut self, now: u64, acked: i64) -> Option<Vec<u8>> {
        let is_ready = self.is_idle() && self.based == 3;
        let op = Op::Set { path: self.home(), data: b"probe".to_vec() };
        is_ready.then(|| self.send(op, now, acked))
    }

    fn data(&mut self) -> Vec<u8> {
        self.value += 1;
        let length = self.random.below(self.data_bytes) as usize;
        let mut data = self.value.to_be_bytes().to_vec();
        data.resize(4 + length, self.number as u8);
        data
    }

    fn draw(&mut self) -> Op {
        let home = self.home();
        let neighbour = format!("/c{}", self.neighbour);
        match self.random.below(100) {
            0..22 => Op::Set { path: home, data: self.data() },
            22..26 => Op::Set { path: SHARED.to_owned(), data: self.data() },
            26..36 => Op::CreateChild { above: home, data: self.data() },
            36..41 => {
                self.value += 1;
                Op::CreateEphemeral { path: format!("{home}/e{}", self.value) }
            }
            41..49 => {
                let data = self.data();
                let create = format!("{home}/m{}", self.value);
                let sets = vec![home, SHARED.to_owned()];
                Op::Multi { sets, create, data, is_doomed: self.random.chance(200) }
            }
            49..56 => match self.children.pop() {
                Some(path) => Op::Delete { path },
                None => Op::Set { path: home, data: self.data() },
            },
            56..66 => Op::Get { path: home, watch: self.random.chance(500) },
            66..70 => Op::Get { path: SHARED.to_owned(), watch: false },
            70..75 => self.watch_neighbour(neighbour),
            75..79 => Op::Children { path: home, watch: false },
            79..83 => Op::Children { path: LOCK.to_owned(), watch: true },
            83..89 => match self.lock.take() {
                Some(path) => Op::Delete { path },
                None => Op::Lock,
            },
            89..97 => Op::Sync,
            97..99 => Op::Ping,
            _ => Op::Close,
        }
    }

    /// One way of watching for each client, so that no change fires twice in one table.
    fn watch_neighbour(&mut self, path: String) -> Op {
        let kind = match self.number % 3 {
            _ if self.neighbour == self.number => return Op::Get { path, watch: false },
            0 => Kind::Persistent,
            1 => Kind::Recursive,
            _ => return Op::Get { path, watch: true },
        };
        if self.watching.has(&path, kind) {
            Op::Children { path, watch: false }
        } else {
            Op::AddWatch { path, kind }
        }
    }

    fn send(&mut self, op: Op, now: u64, floor: i64) -> Vec<u8> {
        self.cxid += 1;
        let mut body = Vec::new();
        Writer(&mut body).int(op.xid(self.cxid));
        Writer(&mut body).int(op.code().code());
        op.write(&self.watching, &mut body);
        self.under_way.push_back(Asked { cxid: self.cxid, op, floor, sent_ms: now });
        framed(&body)
    }

    /// Bytes came from the server; what is to be sent at once in answer.
    pub(super) fn received(&mut self, bytes: &[u8], mut at: Moment<'_>) -> Result<Vec<u8>, String> {
        self.unread.extend_from_slice(bytes);
        let mut unread = std::mem::take(&mut self.unread);
        let mut out = Vec::new();
        let mut place = 0;
        while let Some(head) = unread[place..].first_chunk::<4>() {
            let length = i32::from_be_bytes(*head) as usize;
            let Some(body) = unread[place + 4..].get(..length) else { break };
            let answer = match self.phase {
                Phase::Off => Ok(()),
                Phase::Connecting => self.connected(body, &at, &mut out),
                Phase::On => self.frame(body, &mut at),
            };
            answer.map_err(|why| format!("client {}: {why}", self.number))?;
            place += 4 + length;
        }
        unread.drain(..place);
        self.unread = unread;
        Ok(out)
    }

    fn connected(&mut self, body: &[u8], at: &Moment<'_>, out: &mut Vec<u8>) -> Result<(), String> {
        let response = ConnectResponse::decode(body).map_err(|error| error.to_string())?;
        let was_silent = std::mem::take(&mut self.was_silent);
        if response.session == SessionId::NONE {
            if self.is_calm && was_silent.is_none() {
                return Err(format!("{:?} ended, though it spoke in time (P9)", self.session));
            }
            self.expired += 1;
            self.end_session();
            self.phase = Phase::Off;
            return Ok(());
        }
        let is_resumed = self.session != SessionId::NONE;
        if is_resumed && response.session != self.session {
            return Err(format!("session {} became {}", self.session, response.session));
        }
        if is_resumed && was_silent == Some(true) && self.is_calm {
            return Err(format!("{:?} outlived its silence (P9)", self.session));
        }
        self.session = response.session;
        self.password = response.password.to_vec();
        self.phase = Phase::On;
        self.connection_zxid = self.last_zxid;
        self.sync_floor = 0;
        if !self.watching.is_empty() {
            let since = self.last_zxid;
            self.watching.resume(Zxid(since));
            out.extend(self.send(Op::SetWatches { since }, at.now, 0));
        }
        Ok(())
    }

    fn frame(&mut self, body: &[u8], at: &mut Moment<'_>) -> Result<(), String> {
        let mut reader = Reader::new(body);
        let header = ReplyHeader::decode(&mut reader).map_err(|error| error.to_string())?;
        if header.xid == -1 {
            return self.event(&header, &mut reader, at);
        }
        let asked = self.under_way.pop_front().ok_or("a reply to nothing")?;
        let expected = asked.op.xid(asked.cxid);
        if header.xid != expected {
            return Err(format!("reply {} where {expected} was due (F1)", header.xid));
        }
        if header.zxid < self.connection_zxid {
            let last = self.connection_zxid;
            return Err(format!("reply zxid {:#x} after {last:#x} (P5)", header.zxid));
        }
        self.connection_zxid = header.zxid;
        self.last_zxid = self.last_zxid.max(header.zxid);
        tracing::debug!(client = self.number, ?asked.op, ?header, "answered");
        self.watching.check_told(Zxid(header.zxid), at.model)?;
        let acked = self.acked;
        self.judge(&asked.op, (asked.cxid, asked.floor), &header, &mut reader, at)?;
        if self.acked > acked {
            self.acked_asked_ms = self.acked_asked_ms.max(asked.sent_ms);
        }
        match asked.op {
            Op::CreateBase { .. } => self.based += 1,
            Op::Close => {
                self.end_session();
                self.phase = Phase::Off;
            }
            _ => {}
        }
        Ok(())
    }

    fn event(
        &mut self,
        header: &ReplyHeader,
        reader: &mut Reader<'_>,
        at: &Moment<'_>,
    ) -> Result<(), String> {
        let zxid = header.zxid;
        if zxid != -1 && zxid <= self.connection_zxid {
            let last = self.connection_zxid;
            return Err(format!("event of {zxid:#x} after a reply of {last:#x} (P6)"));
        }
        let read = |reader: &mut Reader<'_>| {
            let kind = reader.int("type")?;
            reader.int("state")?;
            Ok((kind, reader.ustring("path")?.unwrap_or_default().into_owned()))
        };
        let event: Result<_, ringkeeper_engine::jute::WireError> = read(reader);
        let (kind, path) = event.map_err(|error| error.to_string())?;
        tracing::debug!(client = self.number, kind, path, zxid, "event");
        self.watching.event((kind, &path, zxid), at.model)
    }
}

fn framed(body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(4 + body.len());
    Writer(&mut frame).buffer(Some(body));
    frame
}
