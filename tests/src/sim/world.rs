//! One run: events in order of time, each a step of one server or client.
//!
//! Not here: what goes wrong (`faults`), what must hold (`check`).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use ringkeeper::member::{Moment, Output, SnapshotDone, SnapshotOp};
use ringkeeper_engine::ids::{LinkId, ServerId};
use ringkeeper_engine::replica::{Event, Port};
use ringkeeper_engine::time::Millis;
use ringkeeper_engine::zab::packets::Kind;
use ringkeeper_engine::zxid::Zxid;

use super::check::{check_at_rest, check_snapshot};
use super::client::Client;
use super::network::{End, Network};
use super::options::Plan;
use super::random::Random;
use super::report::Report;
use super::server::Server;
use super::wires::Wire;
use super::witness::Witness;

/// How long everything may take to settle once all is healed.
const SETTLE_MS: u64 = 120_000;

/// Something that happens at a time.
#[derive(Debug)]
pub(super) enum Happening {
    Boot {
        server: usize,
    },
    Tick {
        server: usize,
        life: u32,
    },
    LinkUp {
        end: End,
        port: Port,
        dialed: Option<ServerId>,
    },
    LinkBytes {
        end: End,
        bytes: Vec<u8>,
    },
    LinkClosed {
        end: End,
    },
    LinkRefused {
        end: End,
    },
    Disk {
        server: usize,
        life: u32,
    },
    ClientBytes {
        client: usize,
        conn: u64,
        bytes: Vec<u8>,
    },
    ServerBytes {
        client: usize,
        conn: u64,
        bytes: Vec<u8>,
    },
    ClientClosed {
        client: usize,
        conn: u64,
    },
    ClientStep {
        client: usize,
    },
    /// A power cut inside the disk's verbs comes to its end.
    Cut {
        server: usize,
        life: u32,
    },
    Fault,
    Heal,
}

pub(super) struct World {
    pub plan: Plan,
    pub now: u64,
    pub servers: Vec<Server>,
    pub clients: Vec<Client>,
    pub wires: Vec<Option<Wire>>,
    pub network: Network,
    pub faults: Random,
    pub report: Report,
    pub is_healed: bool,
    delays: Random,
    disks: Random,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    order: u64,
    pub wires_made: u64,
    pub witness: Witness,
    /// The newest zxid of a write that was acknowledged to a client.
    pub acked: i64,
}

/// Runs one plan to its end.
///
/// # Errors
/// What did not hold, in words.
pub fn run(plan: &Plan) -> Result<Report, String> {
    let mut world = World::new(plan.clone());
    world.start();
    let end = plan.trouble_ms + SETTLE_MS;
    while let Some((time, happening)) = world.next() {
        world.now = time;
        world.report.steps += 1;
        world.happen(happening)?;
        world.check_recovery()?;
        if world.is_healed && world.is_at_rest() {
            break;
        }
        if world.now > end {
            return Err(format!(
                "not at rest {SETTLE_MS} ms after everything healed: {}",
                world.state()
            ));
        }
    }
    check_at_rest(&world.servers, &world.witness.model, &world.sessions_alive())?;
    let clients = &world.clients;
    Ok(Report {
        simulated_ms: world.now,
        reigns: world.witness.reigns(),
        acked: clients.iter().map(|client| client.acked).sum(),
        events: clients.iter().map(|client| client.events()).sum(),
        expired: clients.iter().map(|client| client.expired).sum(),
        ..world.report
    })
}

impl World {
    fn new(plan: Plan) -> Self {
        let seed = plan.seed;
        Self {
            now: 0,
            servers: (0..plan.shape.servers).map(|_| Server::new()).collect(),
            clients: (0..plan.clients).map(|n| Client::new(n, &plan)).collect(),
            wires: (0..plan.clients).map(|_| None).collect(),
            network: Network::default(),
            faults: Random::of(seed, 2),
            delays: Random::of(seed, 3),
            disks: Random::of(seed, 4),
            report: Report::default(),
            is_healed: false,
            queue: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            order: 0,
            wires_made: 0,
            witness: Witness::default(),
            acked: 0,
            plan,
        }
    }

    fn start(&mut self) {
        for server in 0..self.plan.shape.servers {
            let at = self.faults.below(2_000);
            self.at(at, Happening::Boot { server });
        }
        for client in 0..self.plan.clients {
            self.at(1_000, Happening::ClientStep { client });
        }
        self.at(3_000, Happening::Fault);
        self.at(self.plan.trouble_ms, Happening::Heal);
    }

    /// Has something happen at a time; things of one time happen in the order asked for.
    pub(super) fn at(&mut self, time: u64, happening: Happening) {
        self.order += 1;
        self.queue.push(Reverse((time.max(self.now), self.order)));
        self.happenings.insert(self.order, happening);
    }

    pub(super) fn after(&mut self, ms: u64, happening: Happening) {
        self.at(self.now + ms, happening);
    }

    fn next(&mut self) -> Option<(u64, Happening)> {
        let Reverse((time, order)) = self.queue.pop()?;
        Some((time, self.happenings.remove(&order)?))
    }

    fn moment(&self) -> Moment {
        Moment { now: Millis(self.now), wall_ms: 1_700_000_000_000 + self.now as i64 }
    }

    pub(super) fn delay(&mut self) -> u64 {
        let (low, high) = self.plan.delay_ms;
        self.delays.between(low, high)
    }

    fn happen(&mut self, happening: Happening) -> Result<(), String> {
        match happening {
            Happening::Boot { server } => self.boot(server)?,
            Happening::Tick { server, life } => self.tick(server, life)?,
            Happening::LinkUp { end, port, dialed } => {
                self.peer(end, |link| Event::LinkUp { link, port, dialed })?;
            }
            Happening::LinkBytes { end, bytes } => self.link_bytes(end, &bytes)?,
            Happening::LinkClosed { end } => {
                self.network.close_end(end);
                self.peer(end, |link| Event::Closed { link })?;
            }
            Happening::LinkRefused { end } => self.peer(end, |link| Event::Refused { link })?,
            Happening::Disk { server, life } => self.disk(server, life)?,
            Happening::ClientBytes { client, conn, bytes } => {
                self.client_bytes(client, conn, &bytes)?;
            }
            Happening::ServerBytes { client, conn, bytes } => {
                self.server_bytes(client, conn, &bytes)?;
            }
            Happening::ClientClosed { client, conn } => {
                if self.wire(client, conn).is_some() {
                    self.wires[client] = None;
                    self.clients[client].disconnected();
                }
            }
            Happening::ClientStep { client } => self.client_step(client)?,
            Happening::Cut { server, life } => {
                if self.servers[server].life == life && self.servers[server].member.is_some() {
                    self.crash(server);
                }
            }
            Happening::Fault => self.fault()?,
            Happening::Heal => self.heal(),
        }
        Ok(())
    }

    /// Lets a member take something in, ends its turn and carries out what it asks for.
    pub(super) fn step(
        &mut self,
        server: usize,
        act: impl FnOnce(&mut Server, Moment),
    ) -> Result<(), String> {
        let at = self.moment();
        let one = &mut self.servers[server];
        if one.member.is_none() {
            return Ok(());
        }
        act(one, at);
        loop {
            let one = &mut self.servers[server];
            let Server { member, disk, outputs, .. } = one;
            let Some(member) = member else { return Ok(()) };
            member.end_turn(at, disk, outputs);
            let outputs = std::mem::take(outputs);
            // What a snapshot's end brings about is a part of the step.
            let goes_on = member.has_work()
                || outputs.iter().any(|output| matches!(output, Output::Snapshot(_)));
            if outputs.is_empty() && !goes_on {
                break;
            }
            for output in outputs {
                self.carry_out(server, output)?;
                if self.servers[server].member.is_none() {
                    // The power went; what else was asked for is lost with it.
                    return Ok(());
                }
            }
            if !goes_on {
                break;
            }
        }
        self.after_step(server)
    }

    fn after_step(&mut self, server: usize) -> Result<(), String> {
        self.witness.after_step(server, &mut self.servers, self.now)?;
        let one = &mut self.servers[server];
        let Some(member) = &one.member else { return Ok(()) };
        if std::mem::replace(&mut one.role, member.role()) != member.role() {
            self.lie_in_ambush(server);
        }
        let one = &mut self.servers[server];
        let Some(member) = &one.member else { return Ok(()) };
        if let Some(deadline) = member.deadline() {
            let time = deadline.0.max(self.now + 1);
            if one.tick_at.is_none_or(|at| time < at) {
                one.tick_at = Some(time);
                let life = one.life;
                self.at(time, Happening::Tick { server, life });
            }
        }
        Ok(())
    }

    fn boot(&mut self, server: usize) -> Result<(), String> {
        if self.servers[server].member.is_some() {
            return Ok(());
        }
        let plan = self.plan.clone();
        match self.servers[server].boot(server, &plan, &self.witness) {
            Ok(()) => {}
            Err(why) if self.servers[server].disk.is_cut() => {
                tracing::debug!(why, "the power went while starting");
                self.crash(server);
                return Ok(());
            }
            Err(why) => return Err(format!("server {} does not start: {why}", server + 1)),
        }
        self.step(server, |one, at| {
            if let Some(member) = &mut one.member {
                member.start(at, &mut one.disk);
            }
        })
    }

    fn tick(&mut self, server: usize, life: u32) -> Result<(), String> {
        if self.servers[server].life != life {
            return Ok(());
        }
        self.servers[server].tick_at = None;
        self.step(server, |one, at| {
            if let Some(member) = &mut one.member {
                member.tick(at, &mut one.disk);
            }
        })
    }

    fn peer<'a>(
        &mut self,
        end: End,
        event: impl FnOnce(LinkId) -> Event<'a>,
    ) -> Result<(), String> {
        if self.servers[end.server].life != end.life {
            return Ok(());
        }
        self.step(end.server, |one, at| {
            if let Some(member) = &mut one.member {
                member.peer(at, event(end.link), &mut one.disk);
            }
        })
    }

    fn disk(&mut self, server: usize, life: u32) -> Result<(), String> {
        let one = &mut self.servers[server];
        if one.life != life || one.member.is_none() || one.disk.pending() == 0 {
            return Ok(());
        }
        let at = self.disks.below(one.disk.pending() as u64) as usize;
        let done = one.disk.complete(at);
        self.step(server, |one, at| {
            if let Some(member) = &mut one.member {
                member.peer(at, Event::Disk(done), &mut one.disk);
            }
        })
    }

    fn client_bytes(&mut self, client: usize, conn: u64, bytes: &[u8]) -> Result<(), String> {
        let Some(wire) = self.wire(client, conn) else { return Ok(()) };
        let (server, life, id) = (wire.server, wire.life, wire.id);
        if self.servers[server].life != life {
            return Ok(());
        }
        self.note_heard(client, server);
        self.step(server, |one, at| {
            if let Some(member) = &mut one.member {
                member.received(at, id, bytes);
            }
        })
    }

    fn carry_out(&mut self, server: usize, output: Output) -> Result<(), String> {
        let life = self.servers[server].life;
        match output {
            Output::Send { conn, bytes } => self.send_down(server, conn, bytes),
            Output::Close { conn } | Output::CloseAfterSending { conn } => {
                self.close_client(server, conn);
            }
            Output::Pause { .. } | Output::Resume { .. } => {}
            Output::Disk(op) => {
                self.servers[server].disk.execute(op);
                let (low, high) = self.plan.disk_ms;
                let (factor, until) = self.servers[server].slow;
                let factor = if self.now < until { factor } else { 1 };
                let ms = self.disks.between(low, high) * factor;
                self.after(ms, Happening::Disk { server, life });
            }
            Output::Dial { link, to, port, .. } => self.dial(End { server, life, link }, to, port),
            Output::SendPeer { link, bytes } => self.send_peer(End { server, life, link }, bytes),
            Output::SendPeerShared { link, part } => {
                self.send_peer(End { server, life, link }, part.to_vec());
            }
            Output::ClosePeer { link } => self.close_link(End { server, life, link }),
            Output::Snapshot(op) => self.snapshot(server, op)?,
            Output::Fatal(reason) => {
                if !self.servers[server].disk.is_cut() {
                    return Err(format!("server {} ends: {reason}", server + 1));
                }
                self.crash(server);
            }
        }
        Ok(())
    }

    fn send_peer(&mut self, end: End, bytes: Vec<u8>) {
        let is_open = |_: &End| !self.network.is_stuck(end);
        let Some(other) = self.network.other(end).filter(is_open) else { return };
        let delay = self.delay() + self.lag(end.server) + self.lag(other.server);
        let at = self.network.arrival(end, self.now, delay);
        self.network.sent(end, bytes.len());
        if let Some((kind, _)) = first_packet(&bytes) {
            self.servers[end.server].pledge.says(kind);
        }
        self.at(at, Happening::LinkBytes { end: other, bytes });
    }

    fn lag(&self, server: usize) -> u64 {
        let (extra, until) = self.servers[server].lag;
        if self.now < until { extra } else { 0 }
    }

    fn link_bytes(&mut self, end: End, bytes: &[u8]) -> Result<(), String> {
        let Some(from) = self.network.other(end) else { return Ok(()) };
        self.note_plan(end, bytes);
        if let Some(unsent) = self.network.arrived(from, bytes.len()) {
            self.peer(from, |link| Event::Unsent { link, bytes: unsent })?;
        }
        self.peer(end, |link| Event::Received { link, bytes })
    }

    /// Looks at how a learner is to get level: the first packet of what a leader sends for it.
    fn note_plan(&mut self, end: End, bytes: &[u8]) {
        let Some((kind, zxid)) = first_packet(bytes) else { return };
        self.servers[end.server].pledge.hears(kind, zxid);
        match kind {
            Kind::Diff => self.report.diffs += 1,
            Kind::Trunc => self.report.truncs += 1,
            Kind::Snap => self.report.snaps += 1,
            _ => return,
        }
        self.lie_in_ambush(end.server);
    }

    fn dial(&mut self, from: End, to: ServerId, port: Port) {
        let server = to.0 as usize - 1;
        let delay = self.delay() + 1;
        let one = &self.servers[server];
        if !self.network.reaches(from.server, server) {
            return self.after(delay, Happening::LinkClosed { end: from });
        }
        if one.member.is_none() {
            return self.after(delay, Happening::LinkRefused { end: from });
        }
        let other = End { server, life: one.life, link: self.network.accepted_name() };
        self.network.connect(from, other);
        self.after(delay, Happening::LinkUp { end: from, port, dialed: Some(to) });
        let at = self.network.arrival(from, self.now, delay);
        self.network.arrival(other, self.now, delay);
        self.at(at, Happening::LinkUp { end: other, port, dialed: None });
    }

    /// What was sent before still arrives, then the other end hears of the close.
    fn close_link(&mut self, end: End) {
        let delay = self.delay();
        let at = self.network.arrival(end, self.now, delay);
        let is_stuck = self.network.is_stuck(end);
        let other = self.network.other(end).filter(|_| !is_stuck);
        self.network.close_end(end);
        let Some(other) = other else { return };
        self.at(at, Happening::LinkClosed { end: other });
    }

    fn snapshot(&mut self, server: usize, op: SnapshotOp) -> Result<(), String> {
        let Server { member, disk, task, .. } = &mut self.servers[server];
        let Some(done) = task.carry_out(op, disk) else { return Ok(()) };
        if let SnapshotDone::Finished { zxid, .. } = done {
            check_snapshot(disk, zxid)?;
        }
        if let Some(member) = member {
            member.snapshot_done(done, disk);
        }
        Ok(())
    }
}

/// What the first packet of a send on a quorum link is. An election's messages begin with lengths
/// that are no packet's type.
fn first_packet(bytes: &[u8]) -> Option<(Kind, Zxid)> {
    let kind = Kind::of(i32::from_be_bytes(*bytes.first_chunk()?))?;
    Some((kind, Zxid(i64::from_be_bytes(*bytes.get(4..)?.first_chunk()?))))
}
