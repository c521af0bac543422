//! A server of the bare ensemble: it receives, forwards, sends, writes and answers.
//!
//! The leader proposes what its own clients and the followers ask: to both followers, one send each
//! a turn, and to its own disk. A follower sends its clients' requests to the leader, writes what is
//! proposed, tells how much of it its disk has, and answers its own clients when told how far all is
//! decided. Messages have the real ones' sizes; nothing of a request is looked at. Marks, of what
//! is durable and of what is decided, cover all before them and go once a turn, where the real
//! servers send a packet each.
//!
//! It serves until one of its connections ends.
//!
//! Invariants:
//! - BP1. A request is answered once, in its connection's order, and not before two of three
//!   servers have it on their disks.
//!
//! Not here: the bytes (`messages`), the disk (`journal`), the one who asks (`echo::Asking`).

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ringkeeper_engine::io::clock::now_micros;
use ringkeeper_engine::io::{self, Completion, ConnId, Handler, Io, Reactor};
use ringkeeper_engine::log::DiskOp;

use super::BareError;
use super::journal::Journal;
use super::messages::{
    ANSWER_BYTES, Cut, FORWARD_HEADER_BYTES, MARK_BYTES, Message, Origin, PROPOSAL_HEADER_BYTES,
    is_mark, mark, request_bytes,
};
use crate::disk::{Device, DiskBenchError};
use crate::echo::EchoError;

/// Nobody has connected for so long: nobody will.
const PATIENCE: Duration = Duration::from_secs(30);

/// The leader's number; followers have those above it.
const LEADER: u8 = 0;

/// In the token of a connection to another server; those of clients have their number alone.
const LINK: u64 = 1 << 32;

const BACKLOG: u16 = 1024;

/// What a process is told on its command line.
#[derive(Clone, Debug, clap::Args)]
pub struct PeerOptions {
    /// Its number: the leader is 0, the followers are 1 and 2.
    #[arg(long)]
    pub server: u8,
    /// Bytes of data that a request carries.
    #[arg(long)]
    pub bytes: usize,
    /// Where it writes.
    #[arg(long)]
    pub data: PathBuf,
    /// Of the leader: whom it sends to.
    #[arg(long, value_delimiter = ',')]
    pub followers: Vec<SocketAddr>,
}

/// A connection with what has come of its next message.
struct Line {
    conn: ConnId,
    cut: Cut,
    /// Of a leader's link: up to where the other side has all on its disk.
    durable: u64,
}

impl Line {
    fn new(conn: ConnId) -> Self {
        Self { conn, cut: Cut::default(), durable: 0 }
    }
}

/// A proposal of a client of this server.
struct Waiting {
    number: u64,
    client: u32,
}

struct Peer {
    server: u8,
    request_bytes: usize,
    /// The leader's to its followers, or the follower's one to its leader.
    links: Vec<Line>,
    connected: usize,
    clients: Vec<Line>,
    /// Of the leader: what this turn proposes.
    run: Vec<u8>,
    proposed: u64,
    journal: Journal,
    ops: Vec<DiskOp>,
    /// Of a follower: what it has told the leader of its disk.
    told: u64,
    decided: u64,
    waiting: VecDeque<Waiting>,
    has_ended: bool,
    failure: Option<i32>,
}

/// Serves. `ready` is told where.
pub fn serve(options: &PeerOptions, ready: impl FnOnce(SocketAddr)) -> Result<(), BareError> {
    let backend = io::probe(None).map_err(EchoError::from)?;
    let device = Device::open(&options.data, "peer")?;
    let mut reactor = device.reactor(backend)?;
    device.prepare(&mut *reactor)?;
    let mut peer = Peer::new(options);
    for (place, follower) in options.followers.iter().enumerate() {
        let conn = reactor.io().connect(*follower, LINK | place as u64, PATIENCE);
        peer.links.push(Line::new(conn));
    }
    while peer.connected < options.followers.len() && !peer.has_ended {
        peer.turn(&mut *reactor, None)?;
    }
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listening = reactor.io().listen(at, BACKLOG);
    let (_, at) = listening.map_err(|error| EchoError::Lost(error.to_string()))?;
    ready(at);
    let give_up_us = now_micros() + PATIENCE.as_micros() as u64;
    while !peer.has_ended && (peer.has_company() || now_micros() < give_up_us) {
        let patience = (!peer.has_company()).then_some(PATIENCE);
        peer.turn(&mut *reactor, patience)?;
    }
    Ok(())
}

impl Peer {
    fn new(options: &PeerOptions) -> Self {
        let request_bytes = request_bytes(options.bytes);
        Self {
            server: options.server,
            request_bytes,
            links: Vec::new(),
            connected: 0,
            clients: Vec::new(),
            run: Vec::new(),
            proposed: 0,
            journal: Journal::new(PROPOSAL_HEADER_BYTES + request_bytes),
            ops: Vec::new(),
            told: 0,
            decided: 0,
            waiting: VecDeque::new(),
            has_ended: false,
            failure: None,
        }
    }

    fn leads(&self) -> bool {
        self.server == LEADER
    }

    /// Whether somebody came whose going would end this process: of a leader, a client.
    fn has_company(&self) -> bool {
        !self.clients.is_empty() || !self.leads() && !self.links.is_empty()
    }

    fn turn(
        &mut self,
        reactor: &mut dyn Reactor,
        patience: Option<Duration>,
    ) -> Result<(), BareError> {
        reactor.turn(patience, self).map_err(EchoError::from)?;
        if let Some(errno) = self.failure {
            return Err(DiskBenchError::Failed(errno).into());
        }
        self.end_turn(reactor.io());
        Ok(())
    }

    fn accepted(&mut self, conn: ConnId, io: &mut dyn Io) {
        // The leader connects before anybody else is told where to.
        let (token, lines) = if !self.leads() && self.links.is_empty() {
            (LINK, &mut self.links)
        } else {
            (self.clients.len() as u64, &mut self.clients)
        };
        io.set_token(conn, token);
        lines.push(Line::new(conn));
    }

    /// Clients' requests: proposed here, or sent to the leader.
    fn requested(&mut self, client: usize, bytes: &[u8], io: &mut dyn Io) {
        let origin = Origin { server: self.server, client: client as u32 };
        let mut cut = std::mem::take(&mut self.clients[client].cut);
        let size = self.request_bytes;
        if self.leads() {
            cut.each(bytes, |_| size, |request| self.propose(origin, request));
        } else if let Some(out) = io.outbox(self.links[0].conn) {
            let header = origin.header::<FORWARD_HEADER_BYTES>();
            let forward = |request: &[u8]| {
                out.extend_from_slice(&header);
                out.extend_from_slice(request);
            };
            cut.each(bytes, |_| size, forward);
        }
        self.clients[client].cut = cut;
    }

    fn propose(&mut self, origin: Origin, request: &[u8]) {
        self.run.extend_from_slice(&origin.header::<PROPOSAL_HEADER_BYTES>());
        self.run.extend_from_slice(request);
        self.proposed += 1;
        self.expect(origin, self.proposed);
    }

    fn expect(&mut self, Origin { server, client }: Origin, number: u64) {
        if server == self.server {
            self.waiting.push_back(Waiting { number, client });
        }
    }

    /// What another server sent.
    fn linked(&mut self, place: usize, bytes: &[u8]) {
        let mut cut = std::mem::take(&mut self.links[place].cut);
        let header = if self.leads() { FORWARD_HEADER_BYTES } else { PROPOSAL_HEADER_BYTES };
        let carried = header + self.request_bytes;
        let size_of = |first| if is_mark(first) { MARK_BYTES } else { carried };
        cut.each(bytes, size_of, |message| match Message::read(message) {
            Message::Carried(origin) if self.leads() => {
                let origin = Origin { server: place as u8 + 1, ..origin };
                self.propose(origin, &message[header..]);
            }
            Message::Carried(origin) => {
                self.journal.append(message);
                self.expect(origin, self.journal.appended());
            }
            Message::Mark(durable) if self.leads() => self.links[place].durable = durable,
            Message::Mark(decided) => self.decided = decided,
        });
        self.links[place].cut = cut;
    }

    /// All that gathered in a turn leaves together.
    fn end_turn(&mut self, io: &mut dyn Io) {
        // A leader's own proposals; a follower has written what came already.
        self.journal.append(&self.run);
        assert!(!self.leads() || self.journal.appended() == self.proposed, "a run is whole");
        self.journal.drain(&mut self.ops);
        self.ops.drain(..).for_each(|op| io.disk(op));
        let durable = self.journal.durable();
        if self.leads() {
            self.decide(durable);
            self.send_run(io);
        } else if durable > self.told {
            self.told = durable;
            io.send(self.links[0].conn, &mark(durable));
        }
        self.answer(io);
    }

    fn decide(&mut self, durable: u64) {
        let [first, second] = self.links.as_slice() else { return };
        let decided = decided([durable, first.durable, second.durable]);
        if decided > self.decided {
            self.decided = decided;
            self.run.extend_from_slice(&mark(decided));
        }
    }

    /// Proposals and mark to every follower; the last one gets the buffer itself.
    fn send_run(&mut self, io: &mut dyn Io) {
        let [first, last] = self.links.as_slice() else { return };
        if !self.run.is_empty() {
            io.send(first.conn, &self.run);
            self.run = io.send_owned(last.conn, std::mem::take(&mut self.run));
        }
    }

    /// Answers what is decided (BP1), all of a connection's in a row at once.
    fn answer(&mut self, io: &mut dyn Io) {
        let decided = self.decided;
        while let Some(first) = self.waiting.pop_front_if(|it| it.number <= decided) {
            let is_next = |it: &mut Waiting| it.number <= decided && it.client == first.client;
            let mut count = 1;
            while self.waiting.pop_front_if(is_next).is_some() {
                count += 1;
            }
            if let Some(out) = io.outbox(self.clients[first.client as usize].conn) {
                out.resize(out.len() + count * ANSWER_BYTES, b'y');
            }
        }
    }
}

/// Up to where two of three have it.
fn decided(mut durable: [u64; 3]) -> u64 {
    durable.sort_unstable();
    durable[1]
}

impl Handler for Peer {
    fn on(&mut self, completion: Completion<'_>, io: &mut dyn Io) {
        match completion {
            Completion::Accepted { conn, .. } => self.accepted(conn, io),
            Completion::Connected { .. } => self.connected += 1,
            Completion::Received { token, bytes, .. } => match token.checked_sub(LINK) {
                Some(place) => self.linked(place as usize, bytes),
                None => self.requested(token as usize, bytes, io),
            },
            Completion::Disk(done) => {
                if let Err(errno) = self.journal.on_done(done) {
                    self.failure = Some(errno);
                }
            }
            Completion::Closed { .. } => self.has_ended = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bp1_two_of_three_decide_whoever_they_are() {
        assert_eq!(decided([7, 0, 0]), 0, "the leader alone");
        assert_eq!(decided([7, 5, 0]), 5);
        assert_eq!(decided([0, 5, 6]), 5, "both followers before the leader");
        assert_eq!(decided([7, 7, 9]), 7);
    }
}
