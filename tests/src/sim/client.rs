//! A client of the simulated ensemble: keeps a session over reconnects, writes what can be checked,
//! and checks what it is told as it is told it.
//!
//! Each client owns one znode, `/c<n>`, whose data counts its writes, and creates children below it.
//! What was acknowledged, and what has an unknown outcome because a connection ended, is remembered
//! (`Ledger`) for the check at rest.
//!
//! Not here: how its bytes travel (`world`), the checks at rest (`check`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ringkeeper::wire::{Acl, ConnectRequest, ConnectResponse, ErrorCode, OpCode, ReplyHeader};
use ringkeeper::wire::{SessionId, Stat, perms};
use ringkeeper_engine::jute::{Reader, Writer};

use super::random::Random;

/// What this client knows of its own writes.
#[derive(Default, Debug)]
pub(super) struct Ledger {
    /// Children acknowledged as created and never asked to be deleted, with their data.
    pub present: BTreeMap<String, u32>,
    /// Ephemerals acknowledged, by session.
    pub ephemerals: BTreeMap<String, SessionId>,
    /// Children whose deletion was acknowledged.
    pub deleted: BTreeSet<String>,
    /// The last write to the own znode that was acknowledged.
    pub counter_acked: Option<u32>,
    /// Writes to the own znode since then whose outcome is unknown.
    ///
    /// By session: what a session left behind may still come after another session's writes.
    pub counter_unknown: BTreeMap<u32, SessionId>,
    pub acked: u64,
    pub sessions_ended: BTreeSet<SessionId>,
    pub expired: u64,
}

#[derive(Clone, Debug)]
enum Op {
    CreateHome,
    CreateChild { value: u32 },
    CreateEphemeral { path: String },
    Set { value: u32 },
    Delete { path: String },
    MultiSet { value: u32 },
    Get { watch: bool },
    Sync,
    Children,
    Ping,
    Close,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Off,
    Connecting,
    On,
}

pub(super) struct Client {
    pub number: usize,
    pub ledger: Ledger,
    pub ops_left: u32,
    random: Random,
    phase: Phase,
    session: SessionId,
    password: Vec<u8>,
    timeout_ms: i32,
    last_zxid: i64,
    xid: i32,
    under_way: VecDeque<(i32, Op)>,
    unread: Vec<u8>,
    has_home: bool,
    /// The reply zxid under which the watch on the own znode was set on this connection.
    watch_since: Option<i64>,
    connection_zxid: i64,
    last_event_zxid: i64,
    value: u32,
    last_sent_ms: u64,
}

impl Client {
    pub(super) fn new(number: usize, seed: u64, ops: u32) -> Self {
        Self {
            number,
            ledger: Ledger::default(),
            ops_left: ops,
            random: Random::of(seed, 100 + number as u64),
            phase: Phase::Off,
            session: SessionId::NONE,
            password: vec![0; 16],
            timeout_ms: 4000,
            last_zxid: 0,
            xid: 0,
            under_way: VecDeque::new(),
            unread: Vec::new(),
            has_home: false,
            watch_since: None,
            connection_zxid: 0,
            last_event_zxid: 0,
            value: 0,
            last_sent_ms: 0,
        }
    }

    pub(super) fn home(&self) -> String {
        format!("/c{}", self.number)
    }

    pub(super) fn is_off(&self) -> bool {
        self.phase == Phase::Off
    }

    pub(super) fn is_idle(&self) -> bool {
        self.phase == Phase::On && self.under_way.is_empty()
    }

    pub(super) fn session(&self) -> SessionId {
        self.session
    }

    /// The first frame on a new connection.
    pub(super) fn connect(&mut self, now: u64) -> Vec<u8> {
        self.phase = Phase::Connecting;
        self.last_sent_ms = now;
        self.unread.clear();
        self.watch_since = None;
        let mut body = Vec::new();
        ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: self.last_zxid,
            timeout_ms: self.timeout_ms,
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
        for (_, op) in std::mem::take(&mut self.under_way) {
            match op {
                Op::Set { value } | Op::MultiSet { value } => {
                    self.ledger.counter_unknown.insert(value, self.session);
                }
                Op::Close => self.end_session(),
                _ => {}
            }
        }
    }

    fn end_session(&mut self) {
        self.ledger.sessions_ended.insert(self.session);
        self.session = SessionId::NONE;
        self.password = vec![0; 16];
    }

    /// What this client sends next, if anything.
    pub(super) fn next(&mut self, now: u64, may_write: bool) -> Option<Vec<u8>> {
        if self.phase != Phase::On || self.under_way.len() >= 8 {
            return None;
        }
        let op = if !self.has_home {
            if !self.under_way.is_empty() {
                return None;
            }
            Op::CreateHome
        } else if may_write && self.ops_left > 0 {
            self.ops_left -= 1;
            self.draw()
        } else if now.saturating_sub(self.last_sent_ms) > 1000 {
            Op::Ping
        } else {
            return None;
        };
        self.last_sent_ms = now;
        Some(self.send(op))
    }

    fn draw(&mut self) -> Op {
        self.value += 1;
        let value = self.value;
        match self.random.below(100) {
            0..30 => Op::Set { value },
            30..45 => Op::CreateChild { value },
            45..52 => Op::CreateEphemeral { path: format!("{}/e{value}", self.home()) },
            52..60 => Op::MultiSet { value },
            60..68 => match self.ledger.present.keys().next().cloned() {
                Some(path) => {
                    self.ledger.present.remove(&path);
                    Op::Delete { path }
                }
                None => Op::Set { value },
            },
            68..85 => Op::Get { watch: self.random.chance(500) },
            85..92 => Op::Sync,
            92..97 => Op::Children,
            97..99 => Op::Ping,
            _ => Op::Close,
        }
    }

    fn send(&mut self, op: Op) -> Vec<u8> {
        self.xid += 1;
        let mut body = Vec::new();
        let code = self.code(&op);
        Writer(&mut body).int(if matches!(op, Op::Ping) { -2 } else { self.xid });
        Writer(&mut body).int(code.code());
        self.write_record(&op, &mut body);
        self.under_way.push_back((self.xid, op));
        framed(&body)
    }

    fn code(&self, op: &Op) -> OpCode {
        match op {
            Op::CreateHome | Op::CreateChild { .. } | Op::CreateEphemeral { .. } => OpCode::Create,
            Op::Set { .. } => OpCode::SetData,
            Op::Delete { .. } => OpCode::Delete,
            Op::MultiSet { .. } => OpCode::Multi,
            Op::Get { .. } => OpCode::GetData,
            Op::Sync => OpCode::Sync,
            Op::Children => OpCode::GetChildren,
            Op::Ping => OpCode::Ping,
            Op::Close => OpCode::CloseSession,
        }
    }

    fn write_record(&self, op: &Op, body: &mut Vec<u8>) {
        let home = self.home();
        match op {
            Op::CreateHome => write_create(body, &home, 0, 0),
            Op::CreateChild { value } => write_create(body, &format!("{home}/n"), *value, 2),
            Op::CreateEphemeral { path } => write_create(body, path, 0, 1),
            Op::Set { value } => write_set(body, &home, *value),
            Op::Delete { path } => {
                Writer(body).ustring(path);
                Writer(body).int(-1);
            }
            Op::MultiSet { value } => {
                let mut writer = Writer(body);
                writer.int(OpCode::SetData.code());
                writer.bool(false);
                writer.int(-1);
                write_set(body, &home, *value);
                let mut writer = Writer(body);
                writer.int(-1);
                writer.bool(true);
                writer.int(-1);
            }
            Op::Get { watch } => {
                Writer(body).ustring(&home);
                Writer(body).bool(*watch);
            }
            Op::Sync => Writer(body).ustring(&home),
            Op::Children => {
                Writer(body).ustring(&home);
                Writer(body).bool(false);
            }
            Op::Ping | Op::Close => {}
        }
    }

    /// Bytes came from the server.
    pub(super) fn received(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.unread.extend_from_slice(bytes);
        let mut unread = std::mem::take(&mut self.unread);
        let mut at = 0;
        while let Some(head) = unread[at..].first_chunk::<4>() {
            let length = i32::from_be_bytes(*head) as usize;
            let Some(body) = unread[at + 4..].get(..length) else { break };
            self.frame(body).map_err(|why| format!("client {}: {why}", self.number))?;
            at += 4 + length;
        }
        unread.drain(..at);
        self.unread = unread;
        Ok(())
    }

    fn frame(&mut self, body: &[u8]) -> Result<(), String> {
        match self.phase {
            Phase::Off => Ok(()),
            Phase::Connecting => self.connected(body),
            Phase::On => self.reply(body),
        }
    }

    fn connected(&mut self, body: &[u8]) -> Result<(), String> {
        let response = ConnectResponse::decode(body).map_err(|error| error.to_string())?;
        if response.session == SessionId::NONE {
            self.ledger.expired += 1;
            self.end_session();
            self.phase = Phase::Off;
            return Ok(());
        }
        let is_resumed = self.session != SessionId::NONE;
        if is_resumed && response.session != self.session {
            return Err(format!("session {} became {}", self.session, response.session));
        }
        self.session = response.session;
        self.password = response.password.to_vec();
        self.phase = Phase::On;
        self.connection_zxid = self.last_zxid;
        self.last_event_zxid = 0;
        Ok(())
    }

    fn reply(&mut self, body: &[u8]) -> Result<(), String> {
        let mut reader = Reader::new(body);
        let header = ReplyHeader::decode(&mut reader).map_err(|error| error.to_string())?;
        if header.xid == -1 {
            return self.event(&header);
        }
        let (xid, op) = self.under_way.pop_front().ok_or("a reply to nothing")?;
        let expected = if matches!(op, Op::Ping) { -2 } else { xid };
        if header.xid != expected {
            return Err(format!("reply {} where {expected} was due (F1)", header.xid));
        }
        if header.zxid < self.connection_zxid {
            let last = self.connection_zxid;
            return Err(format!("reply zxid {:#x} after {last:#x} (P5)", header.zxid));
        }
        self.connection_zxid = header.zxid;
        self.last_zxid = self.last_zxid.max(header.zxid);
        tracing::debug!(client = self.number, ?op, ?header, "answered");
        self.answered(op, &header, &mut reader)
    }

    fn event(&mut self, header: &ReplyHeader) -> Result<(), String> {
        if header.zxid <= self.connection_zxid {
            return Err(format!(
                "event of {:#x} after a reply of {:#x} (P6)",
                header.zxid, self.connection_zxid
            ));
        }
        if self.watch_since.take().is_none() {
            return Err("a one-shot watch fired twice, or was never set (P7)".into());
        }
        self.last_event_zxid = header.zxid;
        Ok(())
    }

    fn answered(
        &mut self,
        op: Op,
        header: &ReplyHeader,
        reader: &mut Reader<'_>,
    ) -> Result<(), String> {
        let is_ok = header.err == ErrorCode::OK;
        match op {
            Op::CreateHome if is_ok || header.err == ErrorCode::NODE_EXISTS => self.has_home = true,
            Op::CreateChild { value } if is_ok => {
                let path = reader.ustring("path").map_err(|error| error.to_string())?;
                let path = path.ok_or("a created path is null")?.into_owned();
                self.ledger.acked += 1;
                if self.ledger.present.insert(path.clone(), value).is_some() {
                    return Err(format!("{path} was created twice (P12)"));
                }
            }
            Op::CreateEphemeral { path } if is_ok => {
                self.ledger.acked += 1;
                self.ledger.ephemerals.insert(path, self.session);
            }
            Op::Set { value } if is_ok => self.counted(value, header.zxid)?,
            Op::MultiSet { value } if is_ok => {
                let code = reader.int("type").map_err(|error| error.to_string())?;
                if code == OpCode::SetData.code() {
                    self.counted(value, header.zxid)?;
                }
            }
            Op::Delete { path } => {
                if header.err == ErrorCode::NO_NODE {
                    return Err(format!("{path} was created, not deleted, and is not there"));
                }
                if !is_ok {
                    return Ok(());
                }
                self.ledger.acked += 1;
                self.ledger.deleted.insert(path);
            }
            Op::Get { watch } if is_ok => self.check_counter(watch, header, reader)?,
            Op::Close => {
                self.end_session();
                self.phase = Phase::Off;
            }
            _ => {}
        }
        Ok(())
    }

    /// A write to the own znode was acknowledged at `zxid`.
    fn counted(&mut self, value: u32, zxid: i64) -> Result<(), String> {
        self.ledger.acked += 1;
        self.ledger.counter_acked = Some(value);
        let session = self.session;
        self.ledger.counter_unknown.retain(|_, of| *of != session);
        match self.watch_since {
            Some(since) if since < zxid => Err(format!(
                "no event before the reply of {zxid:#x}, watched since {since:#x} (P7)"
            )),
            _ => Ok(()),
        }
    }

    /// A client reads its own writes: the last acknowledged one, or one of unknown outcome.
    fn check_counter(
        &mut self,
        watch: bool,
        header: &ReplyHeader,
        reader: &mut Reader<'_>,
    ) -> Result<(), String> {
        let data = reader.buffer("data").map_err(|error| error.to_string())?;
        Stat::decode(reader).map_err(|error| error.to_string())?;
        let value = data.and_then(|data| data.first_chunk()).map_or(0, |b| u32::from_be_bytes(*b));
        let ledger = &self.ledger;
        let is_known = Some(value) == ledger.counter_acked
            || ledger.counter_unknown.contains_key(&value)
            || (value == 0 && ledger.counter_acked.is_none());
        if !is_known {
            let (acked, unknown) = (ledger.counter_acked, &ledger.counter_unknown);
            return Err(format!("read {value}; acked {acked:?}, unknown {unknown:?} (P5)"));
        }
        if watch && self.watch_since.is_none() {
            self.watch_since = Some(header.zxid);
        }
        Ok(())
    }
}

fn write_create(body: &mut Vec<u8>, path: &str, value: u32, flags: i32) {
    Writer(body).ustring(path);
    Writer(body).buffer(Some(&value.to_be_bytes()));
    Acl::encode_list(&[Acl::new(perms::ALL, "world", "anyone")], body);
    Writer(body).int(flags);
}

fn write_set(body: &mut Vec<u8>, path: &str, value: u32) {
    let mut writer = Writer(body);
    writer.ustring(path);
    writer.buffer(Some(&value.to_be_bytes()));
    writer.int(-1);
}

fn framed(body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(4 + body.len());
    Writer(&mut frame).buffer(Some(body));
    frame
}
