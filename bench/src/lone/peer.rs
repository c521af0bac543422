//! A process that answers: at once, or when a majority has what was asked on its disk.
//!
//! With neither a disk nor followers it is an echo. With a disk it is a follower: it writes a block
//! durably, then answers. With followers too it is a leader: it sends them what it is asked, writes
//! it itself, and answers when two of three have it. It serves one connection, to its end.
//!
//! Invariants:
//! - LP1. A request is answered once, and not before enough have voted for it; a late vote for an
//!   earlier one counts for that one.
//!
//! Not here: the one who asks (`echo::Asking`).

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ringkeeper_engine::io::clock::now_micros;
use ringkeeper_engine::io::{self, Completion, ConnId, Handler, Io, ReactorOptions};
use ringkeeper_engine::limits::{BLOCK, SEGMENT_BYTES};
use ringkeeper_engine::log::{DiskDone, DiskOp, OpId, Slab};

use super::LoneError;
use crate::disk::{Device, DiskBenchError, SEGMENT};
use crate::echo::EchoError;

/// Nobody has connected for so long: nobody will.
const PATIENCE: Duration = Duration::from_secs(30);

/// The token of the one who asks; followers have those above it.
const ASKER: u64 = 0;

/// What a process is told on its command line.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct PeerOptions {
    /// Bytes of a request, and of its answer.
    #[arg(long)]
    pub bytes: usize,
    /// Where it writes before it answers.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Whom it asks before it answers.
    #[arg(long, value_delimiter = ',')]
    pub followers: Vec<SocketAddr>,
}

struct Peer {
    bytes: usize,
    /// Bytes received of a request, or of a follower's answer, by token.
    partial: Vec<usize>,
    asker: Option<ConnId>,
    has_ended: bool,
    followers: Vec<ConnId>,
    connected: usize,
    slabs: Vec<Arc<Slab>>,
    has_disk: bool,
    written_offset: u64,
    asked: u64,
    answered: u64,
    /// Requests that each has on its disk: the followers', then our own.
    votes: Vec<u64>,
    failure: Option<i32>,
}

/// Serves one connection. `ready` is told where.
pub fn serve(options: &PeerOptions, ready: impl FnOnce(SocketAddr)) -> Result<(), LoneError> {
    let backend = io::probe(None).map_err(EchoError::from)?;
    let device = match &options.data {
        Some(data) => Some(Device::open(data, "peer")?),
        None => None,
    };
    let mut reactor = match &device {
        Some(device) => device.reactor(backend)?,
        None => io::start(backend, &ReactorOptions::default(), None).map_err(EchoError::from)?,
    };
    if let Some(device) = &device {
        device.prepare(&mut *reactor)?;
    }
    let mut peer = Peer::new(options);
    for (number, follower) in options.followers.iter().enumerate() {
        let token = ASKER + 1 + number as u64;
        peer.followers.push(reactor.io().connect(*follower, token, PATIENCE));
    }
    while peer.connected < peer.followers.len() && !peer.has_ended {
        reactor.turn(None, &mut peer).map_err(EchoError::from)?;
    }
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listening = reactor.io().listen(at, 1);
    let (_, at) = listening.map_err(|error| EchoError::Lost(error.to_string()))?;
    ready(at);
    let give_up_us = now_micros() + PATIENCE.as_micros() as u64;
    while !peer.has_ended && (peer.asker.is_some() || now_micros() < give_up_us) {
        let patience = peer.asker.is_none().then_some(PATIENCE);
        reactor.turn(patience, &mut peer).map_err(EchoError::from)?;
        if let Some(errno) = peer.failure {
            return Err(DiskBenchError::Failed(errno).into());
        }
    }
    Ok(())
}

impl Peer {
    fn new(options: &PeerOptions) -> Self {
        let has_disk = options.data.is_some();
        let voters = options.followers.len() + usize::from(has_disk);
        Self {
            bytes: options.bytes,
            partial: vec![0; options.followers.len() + 1],
            asker: None,
            has_ended: false,
            followers: Vec::new(),
            connected: 0,
            slabs: Vec::new(),
            has_disk,
            written_offset: 0,
            asked: 0,
            answered: 0,
            votes: vec![0; voters],
            failure: None,
        }
    }

    fn request(&mut self, io: &mut dyn Io) {
        self.asked += 1;
        let message = vec![b'x'; self.bytes];
        self.followers.iter().for_each(|follower| io.send(*follower, &message));
        if self.has_disk {
            let slab = self.slabs.pop().unwrap_or_else(|| Arc::new(Slab::new(BLOCK)));
            let (op, offset) = (OpId(self.asked), self.written_offset);
            self.written_offset = (offset + BLOCK as u64) % SEGMENT_BYTES;
            let (segment, len, durable) = (SEGMENT, BLOCK, true);
            io.disk(DiskOp::Write { op, segment, offset, slab, len, durable });
        }
        self.answer(io);
    }

    /// Answers what enough have voted for (LP1).
    fn answer(&mut self, io: &mut dyn Io) {
        let decided = decided(&self.votes).unwrap_or(self.asked);
        while let Some(asker) = self.asker.filter(|_| self.answered < decided) {
            self.answered += 1;
            io.send(asker, &vec![b'y'; self.bytes]);
        }
    }

    /// `count` bytes have come from `token`: how many messages are whole with them.
    fn messages(&mut self, token: usize, count: usize) -> usize {
        let bytes = self.partial[token] + count;
        self.partial[token] = bytes % self.bytes;
        bytes / self.bytes
    }
}

/// Up to which request more than half have voted; `None` without voters.
fn decided(votes: &[u64]) -> Option<u64> {
    let mut sorted = votes.to_vec();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    sorted.get(sorted.len() / 2).copied()
}

impl Handler for Peer {
    fn on(&mut self, completion: Completion<'_>, io: &mut dyn Io) {
        match completion {
            Completion::Accepted { conn, .. } => self.asker = Some(conn),
            Completion::Connected { .. } => self.connected += 1,
            Completion::Received { token, bytes, .. } => {
                let messages = self.messages(token as usize, bytes.len());
                if token == ASKER {
                    (0..messages).for_each(|_| self.request(io));
                } else {
                    self.votes[token as usize - 1] += messages as u64;
                    self.answer(io);
                }
            }
            Completion::Disk(DiskDone::Written { slab, result, .. }) => {
                self.failure = result.err();
                self.slabs.push(slab);
                if let Some(own) = self.votes.last_mut() {
                    *own += 1;
                }
                self.answer(io);
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
    fn lp1_a_late_vote_counts_for_its_own_request() {
        assert_eq!(decided(&[]), None, "an echo waits for nobody");
        assert_eq!(decided(&[3]), Some(3), "a follower waits for its disk");
        assert_eq!(decided(&[1, 0, 0]), Some(0));
        assert_eq!(decided(&[1, 0, 1]), Some(1));
        assert_eq!(decided(&[2, 1, 0]), Some(1), "a second vote for the first one");
    }
}
