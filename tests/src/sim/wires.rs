//! The connections of clients to servers.
//!
//! Not here: what travels on them (`client`), the links between servers (`network`).

use std::net::{Ipv4Addr, SocketAddr};

use ringkeeper::member::Role;
use ringkeeper::watch::ConnId;
use ringkeeper_engine::zxid::Epoch;

use super::world::{Happening, World};

/// How often a client looks for something to do.
const STEP_MS: u64 = 15;

/// A client's connection: which server, in which life, by which id.
pub(super) struct Wire {
    pub server: usize,
    pub life: u32,
    pub id: ConnId,
    pub number: u64,
    /// When the last thing sent each way arrives, so that order is kept.
    up_until: u64,
    down_until: u64,
}

impl World {
    /// The connection of `client`, if it still is the one numbered `conn`.
    pub(super) fn wire(&self, client: usize, conn: u64) -> Option<&Wire> {
        self.wires[client].as_ref().filter(|wire| wire.number == conn)
    }

    /// A client does what it does next.
    pub(super) fn client_step(&mut self, client: usize) -> Result<(), String> {
        let pause = STEP_MS + self.delay();
        self.after(pause, Happening::ClientStep { client });
        let is_silent = self.clients[client].is_silent(self.now, self.is_healed);
        if is_silent || !self.is_healed && self.faults.chance(self.plan.hang_up_rate) {
            return self.hang_up(client);
        }
        if self.wires[client].is_none() {
            return self.connect(client);
        }
        let (now, may_write) = (self.now, !self.is_healed);
        if self.is_healed
            && self.clients[client].acked_asked_ms < self.plan.trouble_ms
            && let Some(bytes) = self.clients[client].probe(now, self.acked)
        {
            self.send_up(client, bytes);
        }
        while let Some(bytes) = self.clients[client].next(now, self.acked, may_write) {
            self.send_up(client, bytes);
        }
        Ok(())
    }

    fn connect(&mut self, client: usize) -> Result<(), String> {
        let server = self.faults.below(self.plan.shape.servers as u64) as usize;
        let mut accepted = None;
        let peer = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 10_000 + client as u16);
        self.step(server, |one, at| {
            if let Some(member) = &mut one.member {
                accepted = member.accept(at, peer);
            }
        })?;
        let is_up = self.servers[server].member.is_some();
        let Some(id) = accepted.filter(|_| is_up) else { return Ok(()) };
        self.wires_made += 1;
        let life = self.servers[server].life;
        let number = self.wires_made;
        self.wires[client] =
            Some(Wire { server, life, id, number, up_until: self.now, down_until: self.now });
        let bytes = self.clients[client].connect(self.now);
        self.send_up(client, bytes);
        Ok(())
    }

    /// Bytes of a server reach its client.
    pub(super) fn server_bytes(
        &mut self,
        client: usize,
        conn: u64,
        bytes: &[u8],
    ) -> Result<(), String> {
        let Some(wire) = self.wire(client, conn) else { return Ok(()) };
        let member = self.servers[wire.server].member.as_ref();
        let epoch = member.and_then(|member| epoch_of(member.role()));
        let at = super::client::Moment {
            now: self.now,
            model: &self.witness.model,
            acked: &mut self.acked,
            is_current: epoch.is_some() && epoch == self.witness.newest_reign(),
        };
        let answer = self.clients[client].received(bytes, at)?;
        if !answer.is_empty() {
            self.send_up(client, answer);
        }
        if self.clients[client].is_off() { self.hang_up(client) } else { Ok(()) }
    }

    /// What a client says to the leader itself keeps its session alive.
    pub(super) fn note_heard(&mut self, client: usize, server: usize) {
        let role = self.servers[server].member.as_ref().map(|member| member.role());
        let client = &self.clients[client];
        if let Some(Role::Leading { epoch }) = role
            && client.is_on()
        {
            self.witness.heard(client.session().0, epoch, self.now, client.timeout_ms);
        }
    }

    fn send_up(&mut self, client: usize, bytes: Vec<u8>) {
        let at = self.now + self.delay();
        let Some(wire) = &mut self.wires[client] else { return };
        wire.up_until = wire.up_until.max(at);
        let (at, conn) = (wire.up_until, wire.number);
        self.at(at, Happening::ClientBytes { client, conn, bytes });
    }

    /// What a server sends to the client behind one of its connections.
    pub(super) fn send_down(&mut self, server: usize, id: ConnId, bytes: Vec<u8>) {
        let at = self.now + self.delay();
        let Some((client, wire)) = self.wire_of(server, id) else { return };
        wire.down_until = wire.down_until.max(at);
        let (at, conn) = (wire.down_until, wire.number);
        self.at(at, Happening::ServerBytes { client, conn, bytes });
    }

    /// A server ends the connection; what it sent before still arrives.
    pub(super) fn close_client(&mut self, server: usize, id: ConnId) {
        let Some((client, wire)) = self.wire_of(server, id) else { return };
        let (at, conn) = (wire.down_until, wire.number);
        self.at(at, Happening::ClientClosed { client, conn });
    }

    fn wire_of(&mut self, server: usize, id: ConnId) -> Option<(usize, &mut Wire)> {
        let life = self.servers[server].life;
        self.wires.iter_mut().enumerate().find_map(|(client, wire)| {
            let wire = wire.as_mut()?;
            let is_it = wire.server == server && wire.life == life && wire.id == id;
            is_it.then_some((client, wire))
        })
    }

    /// The client ends its connection.
    pub(super) fn hang_up(&mut self, client: usize) -> Result<(), String> {
        let Some(wire) = self.wires[client].take() else { return Ok(()) };
        self.clients[client].disconnected();
        if self.servers[wire.server].life == wire.life {
            self.step(wire.server, |one, _| {
                if let Some(member) = &mut one.member {
                    member.disconnected(wire.id);
                }
            })?;
        }
        Ok(())
    }

    /// Every client connected to `server` loses its connection.
    pub(super) fn drop_clients_of(&mut self, server: usize) {
        for client in 0..self.wires.len() {
            if self.wires[client].as_ref().is_some_and(|wire| wire.server == server) {
                self.wires[client] = None;
                self.clients[client].disconnected();
            }
        }
    }
}

fn epoch_of(role: Role) -> Option<Epoch> {
    match role {
        Role::Leading { epoch } | Role::Following { epoch, .. } | Role::Observing { epoch, .. } => {
            Some(epoch)
        }
        Role::Looking | Role::Standalone => None,
    }
}
