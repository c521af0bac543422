//! The links to the other servers: which connection each of them is, where it was dialled, and what
//! has been given to it and has not left.
//!
//! Not here: what is said on them (`member`), clients' connections (`clients`), when to dial
//! (`engine::election`, `engine::zab`).

use std::net::IpAddr;
use std::time::Duration;

use hashbrown::HashMap;
use ringkeeper_engine::ids::{LinkId, ServerId};
use ringkeeper_engine::io::{self, Io, clock};
use ringkeeper_engine::quorum::Address;
use ringkeeper_engine::replica::Port;
use ringkeeper_engine::time::Millis;
use tracing::debug;

use super::names::{Found, Names};

/// Clients and peers share the reactor's tokens; this bit tells a peer's.
const PEER: u64 = 1 << 63;

/// Of connections that the kernel is to probe (`tcpKeepAlive`, `clientTcpKeepAlive`): idle for so
/// long, and gone once they have acknowledged nothing for so long.
pub(super) const KEEP_ALIVE: (Duration, Duration) =
    (Duration::from_secs(30), Duration::from_secs(60));

/// Whose a token of the reactor is.
pub(super) enum Owner {
    /// A client, of this number.
    Client(u64),
    Peer(LinkId),
}

/// Whose this is.
pub(super) fn owner(token: u64) -> Owner {
    if token & PEER == 0 { Owner::Client(token) } else { Owner::Peer(LinkId(token & !PEER)) }
}

struct Link {
    conn: io::ConnId,
    port: Port,
    dialed: Option<ServerId>,
    /// Whether it stands in `sending`.
    is_sending: bool,
}

/// What became of a dial.
pub(super) enum Dial {
    /// It ends in a completion.
    UnderWay,
    /// Nobody knows where to yet. This name is to be looked up, if one is.
    Failed { ask: Option<String> },
}

/// All links of this server that stand or are being dialled.
pub(super) struct Links {
    links: HashMap<u64, Link, foldhash::fast::FixedState>,
    /// Links that were given something to send and may not have sent all of it.
    sending: Vec<LinkId>,
    accepted: u64,
    names: Names,
    dial_timeout: Duration,
    keep_alive: bool,
}

impl Links {
    /// None; dials give up after `dial_timeout`, and the kernel probes if `keep_alive`.
    pub(super) fn new(dial_timeout: Duration, keep_alive: bool) -> Self {
        Self {
            links: HashMap::default(),
            sending: Vec::new(),
            accepted: 0,
            names: Names::default(),
            dial_timeout,
            keep_alive,
        }
    }

    /// A server has connected to this port of ours.
    pub(super) fn accept(&mut self, port: Port, conn: io::ConnId, io: &mut dyn Io) -> LinkId {
        // The replica counts those it dials by odd numbers.
        self.accepted += 2;
        let link = LinkId(self.accepted);
        io.set_token(conn, link.0 | PEER);
        self.insert(link, conn, port, None, io);
        link
    }

    pub(super) fn dial(
        &mut self,
        link: LinkId,
        to: ServerId,
        port: Port,
        addresses: &[Address],
        io: &mut dyn Io,
    ) -> Dial {
        match self.names.find(clock::now(), addresses, link.0 as usize / 2) {
            Found::At(at) => {
                debug!(server = %to, %at, ?port, "dialling");
                let conn = io.connect(at, link.0 | PEER, self.dial_timeout);
                self.insert(link, conn, port, Some(to), io);
                Dial::UnderWay
            }
            Found::Ask(name) => Dial::Failed { ask: Some(name) },
            Found::Wait => Dial::Failed { ask: None },
        }
    }

    /// The resolver's answer, to what a failed dial asked.
    pub(super) fn learned(&mut self, now: Millis, name: String, addresses: Vec<IpAddr>) {
        self.names.learned(now, name, addresses);
    }

    /// Election links have nothing to carry but votes, and their end tells of a death: they are
    /// loose. The others carry every write.
    fn insert(
        &mut self,
        link: LinkId,
        conn: io::ConnId,
        port: Port,
        dialed: Option<ServerId>,
        io: &mut dyn Io,
    ) {
        if port == Port::Election {
            io.loosen(conn);
        }
        if self.keep_alive {
            io.set_keepalive(conn, KEEP_ALIVE.0, KEEP_ALIVE.1);
        }
        self.links.insert(link.0, Link { conn, port, dialed, is_sending: false });
    }

    /// Its port, and whom we dialled.
    pub(super) fn get(&self, link: LinkId) -> Option<(Port, Option<ServerId>)> {
        self.links.get(&link.0).map(|link| (link.port, link.dialed))
    }

    /// The link has ended; whether it was one.
    pub(super) fn remove(&mut self, link: LinkId) -> bool {
        self.links.remove(&link.0).is_some()
    }

    /// Ends the link, once what was given to it has left.
    pub(super) fn close(&mut self, link: LinkId, io: &mut dyn Io) {
        if let Some(link) = self.links.remove(&link.0) {
            io.close(link.conn);
        }
    }

    /// The connection of a link that is about to be given something to send.
    pub(super) fn given_to(&mut self, link: LinkId) -> Option<io::ConnId> {
        let peer = self.links.get_mut(&link.0)?;
        if !peer.is_sending {
            peer.is_sending = true;
            self.sending.push(link);
        }
        Some(peer.conn)
    }

    /// Tells how much each link of the quorum port has not sent yet, of those that had something.
    pub(super) fn tell_unsent(&mut self, io: &dyn Io, mut tell: impl FnMut(LinkId, usize)) {
        let links = &mut self.links;
        self.sending.retain(|link| {
            let Some(peer) = links.get_mut(&link.0) else { return false };
            let bytes = io.unsent(peer.conn);
            peer.is_sending = bytes > 0;
            if peer.port == Port::Quorum {
                tell(*link, bytes);
            }
            peer.is_sending
        });
    }
}
