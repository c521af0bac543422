//! One connection: its handshake, its requests on their way, its answers.
//!
//! A server answers a session in the order it asked. Each answer is held against the oldest xid
//! without one, so what arrives out of turn is seen, and counts as a fault of the server.
//!
//! Not here: sockets and clocks (`lane`), what the requests say (`mix`).

use std::collections::{BTreeMap, VecDeque};

use ringkeeper::wire::{ConnectRequest, ConnectResponse, ReplyHeader, SessionId, xid};
use ringkeeper_engine::io::ConnId;
use ringkeeper_engine::jute::{Reader, Writer};

use super::frames::{BadLength, Frames};
use super::mix::{Mix, Requests};

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
    /// Events of watches that came and were not taken.
    events: usize,
}

impl Session {
    pub(super) fn new(conn: ConnId, requests: Requests) -> Self {
        Self {
            conn,
            stage: Stage::Opening,
            frames: Frames::default(),
            requests,
            xid_asked: 0,
            xid_answered: 0,
            sent: VecDeque::new(),
            outstanding: 0,
            events: 0,
        }
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

    /// Events of watches since the last call.
    pub(super) fn take_events(&mut self) -> usize {
        std::mem::take(&mut self.events)
    }

    /// Asks `count` requests of the measurement, meant for `since_us`.
    pub(super) fn ask(&mut self, count: usize, since_us: u64, out: &mut Vec<u8>) {
        for _ in 0..count {
            self.xid_asked = next_xid(self.xid_asked);
            self.requests.next(self.xid_asked, out);
        }
        self.note(count, since_us);
    }

    /// Asks up to `count` requests that clean up; how many there were.
    pub(super) fn clean(&mut self, count: usize, out: &mut Vec<u8>) -> usize {
        let mut asked = 0;
        while asked < count && self.requests.next_cleaning(next_xid(self.xid_asked), out) {
            self.xid_asked = next_xid(self.xid_asked);
            asked += 1;
        }
        self.note(asked, 0);
        asked
    }

    /// Asks for the end of the znode and of the session.
    pub(super) fn leave(&mut self, out: &mut Vec<u8>) {
        let first = next_xid(self.xid_asked);
        let second = next_xid(first);
        self.requests.leave([first, second], out);
        self.xid_asked = second;
        self.note(2, 0);
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

    /// Reads what came; how many requests it answers. Refused ones are counted by their code.
    pub(super) fn receive(
        &mut self,
        bytes: &[u8],
        refusals: &mut BTreeMap<i32, u64>,
        out: &mut Vec<u8>,
    ) -> Result<usize, Fault> {
        let mut frames = std::mem::take(&mut self.frames);
        let mut answers = 0;
        let mut fault = None;
        frames.receive(bytes, |body| {
            if fault.is_none() {
                match self.on_frame(body, refusals, out) {
                    Ok(counts) => answers += usize::from(counts),
                    Err(found) => fault = Some(found),
                }
            }
        })?;
        self.frames = frames;
        fault.map_or(Ok(answers), Err)
    }

    /// Whether the frame answers a request that was noted.
    fn on_frame(
        &mut self,
        body: &[u8],
        refusals: &mut BTreeMap<i32, u64>,
        out: &mut Vec<u8>,
    ) -> Result<bool, Fault> {
        if self.stage == Stage::Opening {
            let response = ConnectResponse::decode(body).map_err(|_| Fault::Unreadable)?;
            if response.session == SessionId::NONE {
                return Err(Fault::NoSession);
            }
            self.xid_asked = next_xid(self.xid_asked);
            self.requests.make(self.xid_asked, out);
            self.stage = Stage::Making;
            return Ok(false);
        }
        let header = ReplyHeader::decode(&mut Reader::new(body)).map_err(|_| Fault::Unreadable)?;
        if header.xid < 0 {
            self.events += usize::from(header.xid == xid::NOTIFICATION);
            return Ok(false);
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
            return Ok(false);
        }
        if !header.err.is_ok() {
            *refusals.entry(header.err.code()).or_default() += 1;
        } else if self.requests.mix() == Mix::Multi && self.stage == Stage::Ready {
            // A multi that was refused says so in its first part, not in the header.
            if let Some(code) = refused_part(body) {
                *refusals.entry(code).or_default() += 1;
            }
        }
        Ok(true)
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

/// The code of a multi's first part, where that part is an error: kind -1, behind the header of 16
/// bytes. The first part done before the failing one has code 0, which counts too.
fn refused_part(body: &[u8]) -> Option<i32> {
    let mut part = Reader::new(body.get(16..)?);
    let kind = part.int("kind").ok()?;
    part.bool("last").ok()?;
    let code = part.int("code").ok()?;
    (kind == -1).then_some(code)
}

fn next_xid(xid: i32) -> i32 {
    xid.checked_add(1).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use ringkeeper::wire::ErrorCode;
    use ringkeeper_engine::io;

    use super::*;

    /// An id of a connection that is never used.
    fn some_conn() -> ConnId {
        let mut reactor = io::start(io::Backend::Poll, &io::ReactorOptions::default(), None)
            .expect("epoll works everywhere");
        let nobody = "127.0.0.1:1".parse().expect("an address");
        reactor.io().connect(nobody, 0, std::time::Duration::from_secs(1))
    }

    fn ready() -> Session {
        let mut session = Session::new(some_conn(), Requests::new(Mix::Set, "/b/0", 10));
        let (mut refusals, mut out) = (BTreeMap::new(), Vec::new());
        let mut opened = vec![0, 0, 0, 36];
        let response = ConnectResponse {
            timeout_ms: 1,
            session: SessionId(7),
            password: [0; 16],
            read_only: None,
        };
        response.encode(&mut opened);
        assert_eq!(session.receive(&opened, &mut refusals, &mut out), Ok(0));
        assert_eq!(session.stage, Stage::Making);
        assert_eq!(session.receive(&answer(1, 0), &mut refusals, &mut out), Ok(0));
        assert_eq!(session.stage, Stage::Ready);
        session
    }

    fn answer(xid: i32, err: i32) -> Vec<u8> {
        let mut frame = vec![0, 0, 0, 16];
        ReplyHeader { xid, zxid: 9, err: ErrorCode(err) }.encode(&mut frame);
        frame
    }

    #[test]
    fn answers_settle_the_oldest_requests_first() {
        let mut session = ready();
        let mut out = Vec::new();
        session.ask(2, 10, &mut out);
        session.ask(3, 20, &mut out);
        let answers: Vec<u8> = (2..=5).flat_map(|xid| answer(xid, 0)).collect();
        let count = session.receive(&answers, &mut BTreeMap::new(), &mut out).unwrap();
        let mut settled = Vec::new();
        session.settle(count, |since, count| settled.push((since, count)));
        assert_eq!(settled, [(10, 2), (20, 2)]);
        assert_eq!(session.outstanding(), 1);
    }

    #[test]
    fn an_answer_out_of_turn_is_a_fault() {
        let mut session = ready();
        let mut out = Vec::new();
        session.ask(2, 10, &mut out);
        let answered = session.receive(&answer(3, 0), &mut BTreeMap::new(), &mut out);
        assert_eq!(answered, Err(Fault::OutOfTurn { expected: 2, got: 3 }));
    }

    #[test]
    fn refusals_are_counted_by_code_and_pings_not_at_all() {
        let mut session = ready();
        let (mut refusals, mut out) = (BTreeMap::new(), Vec::new());
        session.ask(1, 10, &mut out);
        let bytes = [answer(xid::PING, 0), answer(2, -101)].concat();
        assert_eq!(session.receive(&bytes, &mut refusals, &mut out), Ok(1));
        assert_eq!(refusals, BTreeMap::from([(-101, 1)]));
    }
}
