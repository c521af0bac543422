//! The core thread: one reactor, one member, one turn after another.
//!
//! A turn hands the member whatever came in, then lets it end the turn, then carries its outputs
//! out; the sends and writes they cause leave together in the next turn's one system call. Where
//! much is to be applied, what the others and the log wait for leaves before, in one of its own.
//!
//! Not here: what any of it means (`member`), how the kernel is reached (`engine::io`).

use std::sync::mpsc::Receiver;
use std::time::Duration;

use ringkeeper_engine::ids::LinkId;
use ringkeeper_engine::io::files::FileDisk;
use ringkeeper_engine::io::{
    self, Completion, Handler, Io, ListenerId, Reactor, ReactorError, Socket, clock,
};
use ringkeeper_engine::log::Part;
use ringkeeper_engine::replica::{Event, Port};
use tracing::{debug, info};

use super::background::{Background, Done, Job};
use super::client_socket::Given;
use super::clients::Clients;
use super::links::{self, Dial, KEEP_ALIVE, Links, Owner};
use super::net::{Heard, HeardBatch};
use crate::member::{Fatal, Member, Moment, Output};
use crate::watch::ConnId;

/// How soon a net thread that had no room for the core's orders is asked again.
const KEPT_ORDERS_RETRY_MS: u64 = 1;

/// How long a stopping server goes on answering what is under way.
const DRAIN_MS: u64 = 3_000;

/// Why the core cannot go on.
#[derive(Debug)]
pub(super) enum Failure {
    Member(Fatal),
    Reactor(ReactorError),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Member(reason) => reason.fmt(f),
            Self::Reactor(error) => error.fmt(f),
        }
    }
}

/// Turns after which what was answered has been sent.
const QUIET_TURNS: u32 = 2;

/// The sockets this server listens on.
#[derive(Clone, Copy, Default)]
pub(super) struct Listeners {
    pub client: Option<ListenerId>,
    pub quorum: Option<ListenerId>,
    pub election: Option<ListenerId>,
}

/// Whose connections the kernel probes.
#[derive(Clone, Copy)]
pub(super) struct KeepAlive {
    pub peers: bool,
    pub clients: bool,
}

/// Everything the core thread owns but the reactor itself.
pub(super) struct Core {
    member: Member,
    disk: FileDisk,
    background: Background,
    done: Receiver<Done>,
    listeners: Listeners,
    clients: Clients,
    keep_alive_clients: bool,
    links: Links,
    outputs: Vec<Output>,
    fatal: Option<Fatal>,
    failed_net: Option<ReactorError>,
    stopping_since: Option<u64>,
    quiet_turns: u32,
}

/// What the core is made of, before its first turn.
pub(super) struct Parts {
    pub member: Member,
    pub disk: FileDisk,
    pub background: Background,
    pub done: Receiver<Done>,
    pub listeners: Listeners,
    pub clients: Clients,
    pub dial_timeout: Duration,
    pub keep_alive: KeepAlive,
}

impl Core {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { member, disk, background, done, listeners, clients, .. } = parts;
        Self {
            member,
            disk,
            background,
            done,
            listeners,
            clients,
            keep_alive_clients: parts.keep_alive.clients,
            links: Links::new(parts.dial_timeout, parts.keep_alive.peers),
            outputs: Vec::new(),
            fatal: None,
            failed_net: None,
            stopping_since: None,
            quiet_turns: 0,
        }
    }

    /// Turns until the server is told to stop (`Ok`) or cannot go on.
    pub(super) fn run(mut self, reactor: &mut dyn Reactor) -> Result<(), Failure> {
        self.member.start(moment(), &mut self.disk);
        self.disk.end_read_ahead();
        loop {
            self.end_turn(reactor)?;
            if let Some(reason) = self.fatal.take() {
                return Err(Failure::Member(reason));
            }
            if self.has_drained() {
                self.member.close(&mut self.disk);
                return Ok(());
            }
            let timeout = self.timeout();
            reactor.turn(timeout, &mut self).map_err(Failure::Reactor)?;
            if let Some(error) = self.failed_net {
                return Err(Failure::Reactor(error));
            }
            self.report_unsent(reactor.io());
            let at = moment();
            if self.member.deadline().is_some_and(|deadline| deadline <= at.now) {
                self.member.tick(at, &mut self.disk);
            }
        }
    }

    fn timeout(&self) -> Option<Duration> {
        if self.member.has_work() {
            return Some(Duration::ZERO);
        }
        let now = clock::now();
        let drain = self.stopping_since.map(|_| 20);
        let deadline = self.member.deadline().map(|deadline| deadline.since(now));
        let kept = self.clients.has_kept().then_some(KEPT_ORDERS_RETRY_MS);
        [drain, deadline, kept].into_iter().flatten().min().map(Duration::from_millis)
    }

    /// Lets the member end its turn and carries out what it asks for.
    fn end_turn(&mut self, reactor: &mut dyn Reactor) -> Result<(), Failure> {
        let at = moment();
        let mut outputs = std::mem::take(&mut self.outputs);
        let is_much_left = self.member.hand_out(at, &mut self.disk, &mut outputs);
        self.carry_all_out(&mut outputs, reactor.io());
        // Law 8: after a failure nothing leaves and nobody is answered.
        if self.fatal.is_some() {
            return Ok(());
        }
        if is_much_left {
            reactor.hand_over().map_err(Failure::Reactor)?;
        }
        self.member.answer(at, &mut self.disk, &mut outputs);
        self.carry_all_out(&mut outputs, reactor.io());
        self.outputs = outputs;
        let member = &mut self.member;
        self.clients.hand_over(|spent| member.recycle(spent)).map_err(Failure::Reactor)
    }

    fn carry_all_out(&mut self, outputs: &mut Vec<Output>, io: &mut dyn Io) {
        for output in outputs.drain(..) {
            self.carry_out(output, io);
        }
    }

    fn carry_out(&mut self, output: Output, io: &mut dyn Io) {
        match output {
            Output::Send { conn, bytes } => self.send_client(conn, bytes, io),
            Output::Close { conn } => self.clients.abort(conn, io),
            Output::CloseAfterSending { conn } => self.clients.close(conn, io),
            Output::Pause { conn } => self.clients.pause(conn, io),
            Output::Resume { conn } => self.clients.resume(conn, io),
            Output::Disk(op) => io.disk(op),
            Output::Dial { link, to, port, addresses } => {
                let dial = self.links.dial(link, to, port, &addresses, io);
                self.dialled(link, dial);
            }
            Output::SendPeer { link, bytes } => self.send_peer(link, bytes, io),
            Output::SendPeerShared { link, part } => self.send_peer_shared(link, part, io),
            Output::ClosePeer { link } => self.links.close(link, io),
            Output::Snapshot(op) => self.background.ask(Job::Snapshot(op)),
            Output::Fatal(reason) => self.fatal = Some(reason),
        }
    }

    fn send_client(&mut self, id: ConnId, bytes: Vec<u8>, io: &mut dyn Io) {
        let Some(Given { spare, is_dropped }) = self.clients.send(id, bytes, io) else { return };
        self.member.recycle(spare);
        if is_dropped {
            self.client_gone(id);
        }
    }

    fn send_peer(&mut self, link: LinkId, mut bytes: Vec<u8>, io: &mut dyn Io) {
        if let Some(conn) = self.links.given_to(link) {
            bytes = io.send_owned(conn, bytes);
        }
        self.member.recycle_peer(bytes);
    }

    fn send_peer_shared(&mut self, link: LinkId, part: Part, io: &mut dyn Io) {
        if let Some(conn) = self.links.given_to(link) {
            io.send_shared(conn, part);
        }
    }

    /// Tells the member how much each link has not sent yet.
    fn report_unsent(&mut self, io: &dyn Io) {
        let (member, disk) = (&mut self.member, &mut self.disk);
        self.links.tell_unsent(io, |link, bytes| {
            member.peer(moment(), Event::Unsent { link, bytes }, disk);
        });
    }

    fn dialled(&mut self, link: LinkId, dial: Dial) {
        if let Dial::Failed { ask } = dial {
            if let Some(name) = ask {
                self.background.ask(Job::Resolve { name });
            }
            // A later attempt finds what was asked for.
            self.peer_event(Event::Closed { link });
        }
    }

    fn peer_event(&mut self, event: Event<'_>) {
        self.member.peer(moment(), event, &mut self.disk);
    }

    fn accepted(&mut self, listener: ListenerId, conn: io::ConnId, io: &mut dyn Io) {
        let Some(peer) = io.peer(conn) else { return };
        if Some(listener) == self.listeners.client {
            match self.member.accept(moment(), peer) {
                Some(id) => {
                    io.set_token(conn, id.0);
                    if self.keep_alive_clients {
                        io.set_keepalive(conn, KEEP_ALIVE.0, KEEP_ALIVE.1);
                    }
                    self.clients.insert(id, conn);
                }
                None => io.abort(conn),
            }
            return;
        }
        let port =
            if Some(listener) == self.listeners.quorum { Port::Quorum } else { Port::Election };
        let link = self.links.accept(port, conn, io);
        debug!(%peer, ?port, ?link, "a server connected");
        self.peer_event(Event::LinkUp { link, port, dialed: None });
    }

    /// A client whose socket a net thread is to have. One that is refused is closed by its drop.
    fn handed(&mut self, socket: Socket) {
        if let Some(id) = self.member.accept(moment(), socket.peer()) {
            if self.keep_alive_clients {
                socket.set_keepalive(KEEP_ALIVE.0, KEEP_ALIVE.1);
            }
            self.clients.hand_on(id, socket);
        }
    }

    fn client_gone(&mut self, id: ConnId) {
        if self.clients.remove(id) {
            self.member.disconnected(id);
        }
    }

    /// What the net threads have heard.
    fn hear_nets(&mut self) {
        for net in 0..self.clients.nets() {
            loop {
                match self.clients.take_heard(net) {
                    Ok(Some(batch)) => {
                        self.hear(&batch);
                        self.clients.give_back(net, batch);
                    }
                    Ok(None) => break,
                    Err(error) => {
                        self.failed_net = Some(error);
                        return;
                    }
                }
            }
        }
    }

    fn hear(&mut self, batch: &HeardBatch) {
        let mut rest = &batch.bytes[..];
        for heard in &batch.heard {
            match *heard {
                Heard::Received { client, count } => {
                    let (bytes, after) = rest.split_at(count);
                    rest = after;
                    self.member.received(moment(), client, bytes);
                }
                Heard::Ended { client } => self.client_gone(client),
            }
        }
    }

    fn closed(&mut self, token: u64, why: io::CloseReason) {
        match links::owner(token) {
            Owner::Client(id) => {
                debug!(id, %why, "client connection ended");
                self.client_gone(ConnId(id));
            }
            Owner::Peer(link) if self.links.remove(link) => {
                debug!(?link, %why, "link to a server ended");
                let refused = why.is_nobody_there();
                self.peer_event(if refused {
                    Event::Refused { link }
                } else {
                    Event::Closed { link }
                });
            }
            Owner::Peer(_) => {}
        }
    }

    /// What net threads have heard, what the background has finished, and what the operator wants.
    fn woken(&mut self, io: &mut dyn Io) {
        self.hear_nets();
        while let Ok(done) = self.done.try_recv() {
            match done {
                Done::Snapshot(done) => self.member.snapshot_done(done, &mut self.disk),
                Done::Resolved { name, addresses } => {
                    self.links.learned(clock::now(), name, addresses);
                }
                Done::Stop => self.begin_stop(io),
            }
        }
    }

    fn begin_stop(&mut self, io: &mut dyn Io) {
        if self.stopping_since.is_some() {
            return;
        }
        info!("stopping: no new connections; what is under way is answered first");
        self.stopping_since = Some(clock::now().0);
        let Listeners { client, quorum, election } = self.listeners;
        for listener in [client, quorum, election].into_iter().flatten() {
            io.close_listener(listener);
        }
        self.member.stop_reading();
    }

    /// Whether everything is answered and the answers have left: they do in the turn after.
    fn has_drained(&mut self) -> bool {
        let Some(since) = self.stopping_since else { return false };
        self.quiet_turns = if self.member.is_quiet() { self.quiet_turns + 1 } else { 0 };
        self.quiet_turns > QUIET_TURNS || clock::now().0.saturating_sub(since) > DRAIN_MS
    }
}

impl Handler for Core {
    fn on(&mut self, completion: Completion<'_>, io: &mut dyn Io) {
        match completion {
            Completion::Accepted { listener, conn, .. } => self.accepted(listener, conn, io),
            Completion::Handed { socket, .. } => self.handed(socket),
            Completion::Connected { token, .. } => {
                if let Owner::Peer(link) = links::owner(token)
                    && let Some((port, dialed)) = self.links.get(link)
                {
                    self.peer_event(Event::LinkUp { link, port, dialed });
                }
            }
            Completion::Received { token, bytes, .. } => match links::owner(token) {
                Owner::Client(id) => self.member.received(moment(), ConnId(id), bytes),
                Owner::Peer(link) => self.peer_event(Event::Received { link, bytes }),
            },
            Completion::Room { conn, .. } => io.resume(conn),
            Completion::Closed { token, why, .. } => self.closed(token, why),
            Completion::Disk(done) => self.peer_event(Event::Disk(done)),
            Completion::Woken => self.woken(io),
        }
    }
}

/// The moment, both clocks: monotonic for every deadline, wall time for the txn header alone.
fn moment() -> Moment {
    Moment { now: clock::now(), wall_ms: clock::wall_ms() }
}
