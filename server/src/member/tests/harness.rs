//! One standalone member on a disk in memory, and clients that speak to it frame by frame.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

use ringkeeper_engine::ids::ServerId;
use ringkeeper_engine::jute::{Reader, Writer};
use ringkeeper_engine::log::{Log, LogOptions, MemoryDisk};
use ringkeeper_engine::quorum::Ensemble;
use ringkeeper_engine::replica::{Event, Replica, ReplicaOptions, Timing};
use ringkeeper_engine::time::Millis;

use crate::admin::Environment;
use crate::config;
use crate::member::{Member, MemberOptions, Moment, Output, SnapshotOp, SnapshotTask};
use crate::snapshot::Format;
use crate::watch::ConnId;
use crate::wire::{
    Acl, ConnectRequest, ConnectResponse, OpCode, ReplyHeader, SessionId, perms, xid,
};

pub(super) struct Alone {
    pub member: Member,
    pub disk: MemoryDisk,
    pub now: u64,
    /// What each connection was sent and has not been looked at.
    pub sent: BTreeMap<ConnId, Vec<u8>>,
    pub closed: Vec<ConnId>,
    pub snapshot_ops: Vec<SnapshotOp>,
    task: SnapshotTask,
    peers: u16,
}

impl Alone {
    pub(super) fn new(config_lines: &str) -> Self {
        let text = format!("dataDir=/none\nclientPort=2181\ntickTime=1000\n{config_lines}\n");
        let mut read = |path: &std::path::Path| {
            let missing = std::io::ErrorKind::NotFound;
            if path.ends_with("myid") { Err(missing.into()) } else { Ok(text.clone().into_bytes()) }
        };
        let config = config::load("test.cfg", &[], &mut read).expect("the test's configuration");
        let mut disk = MemoryDisk::new();
        let me = ServerId(1);
        let options = LogOptions {
            segment_bytes: 64 << 10,
            batch_bytes_max: 8 << 10,
            ..LogOptions::new(me, 0)
        };
        let log = Log::open(&mut disk, options, 7).expect("an empty disk opens").log;
        let timing = Timing { tick_ms: 1000, init_limit: 10, sync_limit: 5 };
        let replica = Replica::new(
            ReplicaOptions {
                me,
                ensemble: Ensemble::alone(me),
                timing,
                standalone: true,
                may_vote_empty: true,
                snapshots: Box::new(Format),
            },
            log,
        );
        let options = MemberOptions {
            config: Rc::new(config),
            environment: Rc::new(Environment::of(Vec::new())),
            entropy: 7,
        };
        Self {
            member: Member::new(options, replica),
            disk,
            now: 1_000,
            sent: BTreeMap::new(),
            closed: Vec::new(),
            snapshot_ops: Vec::new(),
            task: SnapshotTask::default(),
            peers: 0,
        }
    }

    /// One that serves.
    pub(super) fn serving(config_lines: &str) -> Self {
        let mut alone = Self::new(config_lines);
        let at = alone.at();
        alone.member.start(at, &mut alone.disk);
        alone.settle();
        alone
    }

    pub(super) fn at(&self) -> Moment {
        Moment { now: Millis(self.now), wall_ms: 1_700_000_000_000 + self.now as i64 }
    }

    pub(super) fn accept(&mut self) -> ConnId {
        self.peers += 1;
        let peer = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 10_000 + self.peers);
        let at = self.at();
        self.member.accept(at, peer).expect("there is room")
    }

    /// A connection with a session, its password, and its id.
    pub(super) fn client(&mut self) -> (ConnId, SessionId, [u8; 16]) {
        let conn = self.accept();
        let response = self.connect(conn, SessionId::NONE, &[0; 16], 0);
        let response = response.expect("a new session");
        (conn, response.session, response.password)
    }

    pub(super) fn connect(
        &mut self,
        conn: ConnId,
        session: SessionId,
        password: &[u8],
        last_zxid_seen: i64,
    ) -> Option<ConnectResponse> {
        let mut body = Vec::new();
        let password = Some(password);
        ConnectRequest {
            protocol_version: 0,
            last_zxid_seen,
            timeout_ms: 5_000,
            session,
            password,
            read_only: Some(false),
        }
        .encode(&mut body);
        self.bytes(conn, &framed(&body));
        self.settle();
        let frames = self.frames(conn);
        frames.first().map(|body| ConnectResponse::decode(body).expect("a ConnectResponse"))
    }

    pub(super) fn bytes(&mut self, conn: ConnId, bytes: &[u8]) {
        let at = self.at();
        self.member.received(at, conn, bytes);
    }

    /// Sends a request; nothing happens on the disk until `turn` or `settle`.
    pub(super) fn ask(&mut self, conn: ConnId, xid: i32, op: i32, record: &[u8]) {
        self.bytes(conn, &request(xid, op, record));
    }

    /// Ends a turn; the disk takes what it is given and answers nothing.
    pub(super) fn turn(&mut self) {
        let mut outputs = Vec::new();
        let at = self.at();
        self.member.end_turn(at, &mut self.disk, &mut outputs);
        for output in outputs {
            match output {
                Output::Send { conn, bytes } => {
                    self.sent.entry(conn).or_default().extend_from_slice(&bytes);
                    self.member.recycle(bytes);
                }
                Output::Close { conn } | Output::CloseAfterSending { conn } => {
                    self.closed.push(conn);
                }
                Output::Disk(op) => self.disk.execute(op),
                Output::Snapshot(op) => self.snapshot_ops.push(op),
                Output::Fatal(reason) => panic!("{reason}"),
                other => drop(other),
            }
        }
    }

    /// Turns until the disk has answered everything.
    pub(super) fn settle(&mut self) {
        self.turn();
        while self.disk.pending() > 0 || self.member.has_work() {
            self.answer_one();
        }
    }

    /// The disk answers what it was asked first, or nothing where it is asked for nothing.
    pub(super) fn answer_one(&mut self) {
        if self.disk.pending() > 0 {
            let done = self.disk.complete(0);
            let at = self.at();
            self.member.peer(at, Event::Disk(done), &mut self.disk);
        }
        self.turn();
    }

    /// Carries out what was asked for snapshots so far.
    pub(super) fn write_snapshots(&mut self) {
        while !self.snapshot_ops.is_empty() {
            let op = self.snapshot_ops.remove(0);
            if let Some(done) = self.task.carry_out(op, &mut self.disk) {
                self.member.snapshot_done(done, &mut self.disk);
            }
            self.settle();
        }
    }

    /// The frames a connection was sent since the last call.
    pub(super) fn frames(&mut self, conn: ConnId) -> Vec<Vec<u8>> {
        let bytes = self.sent.remove(&conn).unwrap_or_default();
        let mut frames = Vec::new();
        let mut reader = Reader::new(&bytes);
        while reader.remaining() > 0 {
            let body = reader.buffer("frame").expect("whole frames").expect("not null");
            frames.push(body.to_vec());
        }
        frames
    }

    /// `(xid, err)` of the replies and events a connection was sent since the last call.
    pub(super) fn replies(&mut self, conn: ConnId) -> Vec<(i32, i32)> {
        let header = |body: Vec<u8>| {
            let header = ReplyHeader::decode(&mut Reader::new(&body)).expect("a header");
            (header.xid, header.err.0)
        };
        self.frames(conn).into_iter().map(header).collect()
    }
}

pub(super) const PING: (i32, i32) = (xid::PING, OpCode::Ping as i32);

/// The frame of a request.
pub(super) fn request(xid: i32, op: i32, record: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    Writer(&mut body).int(xid);
    Writer(&mut body).int(op);
    body.extend_from_slice(record);
    framed(&body)
}

pub(super) fn create(path: &str) -> Vec<u8> {
    create_as(path, 0)
}

pub(super) fn delete(path: &str) -> Vec<u8> {
    let mut record = Vec::new();
    Writer(&mut record).ustring(path);
    Writer(&mut record).int(-1);
    record
}

pub(super) fn create_as(path: &str, flags: i32) -> Vec<u8> {
    let mut record = Vec::new();
    Writer(&mut record).ustring(path);
    Writer(&mut record).buffer(Some(b"data"));
    Acl::encode_list(&[Acl::new(perms::ALL, "world", "anyone")], &mut record);
    Writer(&mut record).int(flags);
    record
}

pub(super) fn set_data(path: &str) -> Vec<u8> {
    let mut record = Vec::new();
    Writer(&mut record).ustring(path);
    Writer(&mut record).buffer(Some(b"other"));
    Writer(&mut record).int(-1);
    record
}

pub(super) fn get_data(path: &str, watch: bool) -> Vec<u8> {
    let mut record = Vec::new();
    Writer(&mut record).ustring(path);
    Writer(&mut record).bool(watch);
    record
}

fn framed(body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    Writer(&mut frame).buffer(Some(body));
    frame
}
