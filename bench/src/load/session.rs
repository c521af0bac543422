//! One connection: its handshake, its requests on their way, its answers.
//!
//! A server answers a session in the order it asked. Each answer is held against the oldest xid
//! without one, so what arrives out of turn is seen, and counts as a fault of the server.
//!
//! Not here: sockets and clocks (`lane`), what the requests say (`requests`).

use std::collections::{BTreeMap, VecDeque};

use ringkeeper::wire::{ConnectRequest, ConnectResponse, ReplyHeader, SessionId, Stat, xid};
use ringkeeper_engine::io::ConnId;
use ringkeeper_engine::jute::{Reader, WireError, Writer};

use super::frames::{BadLength, Frames};
use super::requests::{Requests, Role};

/// Asked of the server, which keeps it within its own bounds.
const SESSION_TIMEOUT_MS: i32 = 30_000;

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The session has been asked for.
    Opening,
    /// The session's own znode has been asked for.
    Making,
    Ready,
    /// The session's end has been asked for.
    Leaving,
    /// Of a visitor: it has left, and waits for its next visit.
    Away,
    Gone,
}

/// Why a connection is of no use any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("a frame of {0} bytes")]
    BadLength(i32),
    #[error("an answer that cannot be read")]
    Unreadable,
    #[error("no session was given")]
    NoSession,
    #[error("its znode cannot be made: code {0}")]
    NoZnode(i32),
    #[error("xid {got} was answered, {expected} was due")]
    OutOfTurn { expected: i32, got: i32 },
    #[error("an event of a watch that was not set")]
    UnaskedEvent,
}

impl From<BadLength> for Fault {
    fn from(BadLength(length): BadLength) -> Self {
        Self::BadLength(length)
    }
}

/// Requests that were sent, or should have been, at one moment.
struct Sent {
    since_us: u64,
    count: usize,
}

pub(crate) struct Session {
    pub(super) conn: ConnId,
    pub(super) stage: Stage,
    frames: Frames,
    requests: Requests,
    xid_asked: i32,
    xid_answered: i32,
    sent: VecDeque<Sent>,
    outstanding: usize,
    /// When something was last asked, so that a quiet session is kept alive.
    pub(super) asked_us: u64,
    /// When a visitor's life was meant to begin; `None` for the one that is not measured.
    pub(super) visit_us: Option<u64>,
    /// The version of the watched znode that the watch was set on.
    armed: Option<i32>,
}

/// What a watcher learns from a piece of the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// Requests answered.
    pub(super) answers: usize,
    /// The version that the watch was set on which has fired.
    pub(super) fired: Option<i32>,
}

impl Session {
    pub(super) fn new(conn: ConnId, requests: Requests) -> Self {
        Self {
            asked_us: 0,
            visit_us: None,
            armed: None,
            conn,
            stage: Stage::Opening,
            frames: Frames::default(),
            requests,
            xid_asked: 0,
            xid_answered: 0,
            sent: VecDeque::new(),
            outstanding: 0,
        }
    }

    /// The same connection's next session, over another TCP connection.
    pub(super) fn revisit(&mut self, conn: ConnId, visit_us: u64) {
        self.conn = conn;
        self.stage = Stage::Opening;
        self.frames = Frames::default();
        (self.xid_asked, self.xid_answered) = (0, 0);
        self.visit_us = Some(visit_us);
    }

    pub(super) fn role(&self) -> Role {
        self.requests.role()
    }

    /// Whether an answer is due, to a request or to the session's opening.
    pub(super) fn is_due(&self) -> bool {
        self.outstanding > 0 || matches!(self.stage, Stage::Opening | Stage::Making)
    }

    /// Requests without an answer.
    pub(super) fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// What goes first over the connection.
    pub(crate) fn open(out: &mut Vec<u8>) {
        let at = out.len();
        Writer(out).int(0);
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout_ms: SESSION_TIMEOUT_MS,
            session: SessionId::NONE,
            password: Some(&[0; 16]),
            read_only: Some(false),
        };
        request.encode(out);
        let length = i32::try_from(out.len() - at - 4).expect("a few dozen bytes");
        Writer(out).patch_int(at, length);
    }

    /// Asks `count` requests of the measurement, meant for `since_us`.
    pub(super) fn ask(&mut self, count: usize, since_us: u64, out: &mut Vec<u8>) {
        self.asked_us = since_us;
        for _ in 0..count {
            self.xid_asked = next_xid(self.xid_asked);
            self.requests.next(self.xid_asked, out);
        }
        self.note(count, since_us);
    }

    /// Asks up to `count` requests that make the connection's share of znodes; how many there were.
    pub(super) fn fill(&mut self, count: usize, out: &mut Vec<u8>) -> usize {
        self.ask_all(count, Requests::next_filling, out)
    }

    /// Asks up to `count` requests that clean up; how many there were.
    pub(super) fn clean(&mut self, count: usize, out: &mut Vec<u8>) -> usize {
        self.ask_all(count, Requests::next_cleaning, out)
    }

    fn ask_all(
        &mut self,
        count: usize,
        next: fn(&mut Requests, i32, &mut Vec<u8>) -> bool,
        out: &mut Vec<u8>,
    ) -> usize {
        let mut asked = 0;
        while asked < count && next(&mut self.requests, next_xid(self.xid_asked), out) {
            self.xid_asked = next_xid(self.xid_asked);
            asked += 1;
        }
        self.note(asked, 0);
        asked
    }

    /// Asks for the end of the session, and before it for that of its znode if `removes`.
    pub(super) fn leave(&mut self, removes: bool, out: &mut Vec<u8>) {
        if removes {
            self.xid_asked = next_xid(self.xid_asked);
            self.requests.remove(self.xid_asked, out);
            self.note(1, 0);
        }
        self.xid_asked = next_xid(self.xid_asked);
        self.requests.close(self.xid_asked, out);
        self.note(1, 0);
        self.stage = Stage::Leaving;
    }

    fn note(&mut self, count: usize, since_us: u64) {
        if count > 0 {
            self.sent.push_back(Sent { since_us, count });
            self.outstanding += count;
        }
    }

    /// Keeps the connection's session from expiring while nothing is asked.
    pub(super) fn ping(out: &mut Vec<u8>) {
        let mut writer = Writer(out);
        writer.int(8);
        writer.int(xid::PING);
        writer.int(ringkeeper::wire::OpCode::Ping.code());
    }

    /// Reads what came. Refused requests are counted by their code.
    pub(super) fn receive(
        &mut self,
        bytes: &[u8],
        refusals: &mut BTreeMap<i32, u64>,
        out: &mut Vec<u8>,
    ) -> Result<Heard, Fault> {
        let mut frames = std::mem::take(&mut self.frames);
        let mut heard = Heard::default();
        let mut fault = None;
        frames.receive(bytes, |body| {
            if fault.is_none() {
                fault = self.on_frame(body, refusals, out, &mut heard).err();
            }
        })?;
        self.frames = frames;
        fault.map_or(Ok(heard), Err)
    }

    fn on_frame(
        &mut self,
        body: &[u8],
        refusals: &mut BTreeMap<i32, u64>,
        out: &mut Vec<u8>,
        heard: &mut Heard,
    ) -> Result<(), Fault> {
        if self.stage == Stage::Opening {
            let response = ConnectResponse::decode(body).map_err(|_| Fault::Unreadable)?;
            if response.session == SessionId::NONE {
                return Err(Fault::NoSession);
            }
            self.opened(out);
            return Ok(());
        }
        let mut reader = Reader::new(body);
        let header = ReplyHeader::decode(&mut reader).map_err(|_| Fault::Unreadable)?;
        if header.xid == xid::NOTIFICATION {
            heard.fired = Some(self.armed.take().ok_or(Fault::UnaskedEvent)?);
            return Ok(());
        }
        if header.xid < 0 {
            return Ok(());
        }
        let expected = next_xid(self.xid_answered);
        if header.xid != expected {
            return Err(Fault::OutOfTurn { expected, got: header.xid });
        }
        self.xid_answered = expected;
        if self.stage == Stage::Making {
            if !header.err.is_ok() {
                return Err(Fault::NoZnode(header.err.code()));
            }
            self.stage = Stage::Ready;
            return Ok(());
        }
        heard.answers += 1;
        match self.refusal(header, reader)? {
            Some(code) => *refusals.entry(code).or_default() += 1,
            None if self.role() == Role::Watcher && self.stage == Stage::Ready => {
                self.armed = Some(version_read(reader).map_err(|_| Fault::Unreadable)?);
            }
            None => {}
        }
        Ok(())
    }

    /// The session is there; its znode is made next, if it is to have one.
    fn opened(&mut self, out: &mut Vec<u8>) {
        if self.role() == Role::Visitor {
            self.stage = Stage::Ready;
            return;
        }
        self.xid_asked = next_xid(self.xid_asked);
        self.requests.make(self.xid_asked, out);
        self.stage = Stage::Making;
    }

    /// The code of a refused request, whether its reply's header says so or its body.
    fn refusal(&self, header: ReplyHeader, mut body: Reader<'_>) -> Result<Option<i32>, Fault> {
        if !header.err.is_ok() {
            return Ok(Some(header.err.code()));
        }
        if self.stage == Stage::Leaving {
            return Ok(None);
        }
        self.requests.refusal_within(&mut body).map_err(|_| Fault::Unreadable)
    }

    /// Takes `answers` from the oldest requests; tells since when how many of them waited.
    pub(super) fn settle(&mut self, mut answers: usize, mut each: impl FnMut(u64, usize)) {
        self.outstanding -= answers;
        while answers > 0 {
            let oldest = self.sent.front_mut().expect("xids are answered once, in turn");
            let count = answers.min(oldest.count);
            each(oldest.since_us, count);
            oldest.count -= count;
            answers -= count;
            if oldest.count == 0 {
                self.sent.pop_front();
            }
        }
    }
}

/// The version in an answer to getData.
fn version_read(mut body: Reader<'_>) -> Result<i32, WireError> {
    body.buffer("data")?;
    Ok(Stat::decode(&mut body)?.version)
}

fn next_xid(xid: i32) -> i32 {
    xid.checked_add(1).unwrap_or(1)
}

#[cfg(test)]
mod tests;
