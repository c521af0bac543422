//! The leader is killed: how long until a client's next write is acknowledged?
//!
//! A client with its session on a follower sets one znode in a closed loop. Between two of its
//! writes the leader gets a `kill -9`. The client goes on: where its connection ends it takes its
//! session to the servers that are left, in turns, as fast as they refuse it. What counts is the
//! time from the kill to the first acknowledgement whose zxid is of a later epoch: no other shows
//! that a new leader decided it.
//!
//! Not here: how often, and on which system (`recovery`).

use std::net::SocketAddr;
use std::thread::sleep;
use std::time::Duration;

use ringkeeper::wire::ErrorCode;
use ringkeeper_engine::io::clock::now_micros;

use super::link::{Link, LinkError, Ticket};
use super::{BYTES, RecoveryError};
use crate::compare::Ensemble;
use crate::load::{Mix, Requests};

/// So long the client writes before the kill.
const BEFORE_US: u64 = 300_000;

/// Between two tries to connect.
const PAUSE: Duration = Duration::from_millis(1);

/// An ensemble that takes no write so long after the kill is lost.
const WAIT_US_MAX: u64 = 60_000_000;

/// A zxid is an epoch above a counter of so many bits.
const EPOCH_SHIFT: u32 = 32;

const ZNODE: &str = "/ringkeeper-bench-failover";

/// Microseconds from the kill to the next acknowledged write. Afterwards the killed server is back
/// and all are level.
pub fn leader_killed(ensemble: &mut Ensemble) -> Result<u64, RecoveryError> {
    ensemble.wait_level()?;
    let leader = ensemble.leader_index().ok_or(RecoveryError::NoLeader)?;
    let mut left = ensemble.clients_in_order();
    left.remove(leader);
    let mut client = Client::new(left)?;
    let until_us = now_micros() + BEFORE_US;
    let mut epoch = client.write_once()?;
    while now_micros() < until_us {
        epoch = client.write_once()?;
    }
    let killed_us = now_micros();
    ensemble.kill(leader);
    let acknowledged_us = client.write_again(epoch, killed_us + WAIT_US_MAX)?;
    client.leave();
    ensemble.restart(leader)?;
    ensemble.wait_level()?;
    Ok(acknowledged_us - killed_us)
}

struct Client {
    servers: Vec<SocketAddr>,
    /// Tried last.
    server: usize,
    requests: Requests,
    ticket: Ticket,
    link: Option<Link>,
}

impl Client {
    /// Opens a session on the first of `servers`, and makes the znode if it is not there.
    fn new(servers: Vec<SocketAddr>) -> Result<Self, RecoveryError> {
        let first = *servers.first().ok_or(RecoveryError::NoFollower)?;
        let mut requests = Requests::new(Mix::Set, ZNODE, BYTES);
        let mut link = Link::open(first, Ticket::NEW)?;
        let made = link.ask(&mut requests, |requests, xid, out| requests.make(xid, out))?;
        if !made.err.is_ok() && made.err != ErrorCode::NODE_EXISTS {
            return Err(RecoveryError::Refused(made.err.code()));
        }
        Ok(Self { servers, server: 0, requests, ticket: link.ticket(), link: Some(link) })
    }

    /// A write on a connection that stands; the epoch it was decided in.
    fn write_once(&mut self) -> Result<i64, LinkError> {
        let link = self.link.as_mut().ok_or(LinkError::Closed)?;
        let answer = link.ask(&mut self.requests, Requests::next)?;
        self.ticket = link.ticket();
        // Some refusals, as that of a lost leader, come before the connection ends.
        if answer.err.is_ok() { Ok(answer.zxid >> EPOCH_SHIFT) } else { Err(LinkError::Closed) }
    }

    /// Writes until one is acknowledged in a later epoch; when that was.
    fn write_again(&mut self, epoch: i64, deadline_us: u64) -> Result<u64, RecoveryError> {
        while now_micros() < deadline_us {
            match self.write_once() {
                Ok(later) if later > epoch => return Ok(now_micros()),
                // The killed leader's last word was still on its way.
                Ok(_) => (),
                Err(_) => {
                    self.link = None;
                    self.reconnect();
                }
            }
        }
        Err(RecoveryError::NoWrite)
    }

    /// One try, on the other server.
    fn reconnect(&mut self) {
        self.server = (self.server + 1) % self.servers.len();
        match Link::open(self.servers[self.server], self.ticket) {
            Ok(link) => self.link = Some(link),
            Err(LinkError::Expired) => self.ticket = Ticket::NEW,
            Err(_) => sleep(PAUSE),
        }
    }

    /// A session that cannot be closed expires by itself, and changes no figure.
    fn leave(self) {
        if let Some(link) = self.link {
            let _ = link.close();
        }
    }
}
