//! The clients' sockets as the core knows them: its own reactor's, or those of net threads.
//!
//! Without net threads a client's socket is one more of the core's. With them the core accepts, and
//! gives each new client to the thread that has the fewest.
//!
//! Not here: what happens on those threads (`net`), what clients say (`member`).

use hashbrown::HashMap;
use ringkeeper_engine::io::{self, Io, ReactorError, Socket};

use super::client_socket::{Given, give};
use super::net::{HeardBatch, Net, Order};
use crate::watch::ConnId;

/// Where a client's socket is.
#[derive(Clone, Copy)]
enum Place {
    Here(io::ConnId),
    /// With this net thread.
    There(usize),
}

/// All of them.
pub(super) struct Clients {
    places: HashMap<ConnId, Place, foldhash::fast::FixedState>,
    nets: Vec<Net>,
    /// Clients of each net thread.
    counts: Vec<usize>,
}

impl Clients {
    pub(super) fn new(nets: Vec<Net>) -> Self {
        Self { places: HashMap::default(), counts: vec![0; nets.len()], nets }
    }

    /// A client whose socket is the core's.
    pub(super) fn insert(&mut self, client: ConnId, conn: io::ConnId) {
        self.places.insert(client, Place::Here(conn));
    }

    /// A client whose socket is to be a net thread's.
    pub(super) fn hand_on(&mut self, client: ConnId, socket: Socket) {
        let fewest = (0..self.nets.len()).min_by_key(|net| self.counts[*net]);
        let net = fewest.expect("sockets are handed to us where there are net threads");
        self.counts[net] += 1;
        self.places.insert(client, Place::There(net));
        self.nets[net].orders().orders.push(Order::Adopt { client, socket });
    }

    /// Forgets a client whose socket is gone; `false`: it was forgotten before.
    pub(super) fn remove(&mut self, client: ConnId) -> bool {
        self.take(client).is_some()
    }

    fn take(&mut self, client: ConnId) -> Option<Place> {
        let place = self.places.remove(&client)?;
        if let Place::There(net) = place {
            self.counts[net] -= 1;
        }
        Some(place)
    }

    /// Sends after all that was sent before. What comes of it for a socket of a net thread is heard
    /// from that thread; `None`: nothing is known of the client, or not yet what came of it.
    pub(super) fn send(
        &mut self,
        client: ConnId,
        bytes: Vec<u8>,
        io: &mut dyn Io,
    ) -> Option<Given> {
        match *self.places.get(&client)? {
            Place::Here(conn) => Some(give(io, conn, bytes)),
            Place::There(net) => {
                self.nets[net].orders().orders.push(Order::Send { client, bytes });
                None
            }
        }
    }

    /// Ends the connection once what was sent has left.
    pub(super) fn close(&mut self, client: ConnId, io: &mut dyn Io) {
        let place = self.take(client);
        self.carry_out(place, io, |io, conn| io.close(conn), Order::Close { client });
    }

    /// Ends the connection at once.
    pub(super) fn abort(&mut self, client: ConnId, io: &mut dyn Io) {
        let place = self.take(client);
        self.carry_out(place, io, |io, conn| io.abort(conn), Order::Abort { client });
    }

    /// Stops receiving from the client; what it sent before may still come.
    pub(super) fn pause(&mut self, client: ConnId, io: &mut dyn Io) {
        let place = self.places.get(&client).copied();
        self.carry_out(place, io, |io, conn| io.pause(conn), Order::Pause { client });
    }

    /// Undoes `pause`.
    pub(super) fn resume(&mut self, client: ConnId, io: &mut dyn Io) {
        let place = self.places.get(&client).copied();
        self.carry_out(place, io, |io, conn| io.resume(conn), Order::Resume { client });
    }

    /// Does it here, or has it done there.
    fn carry_out(
        &mut self,
        place: Option<Place>,
        io: &mut dyn Io,
        here: fn(&mut dyn Io, io::ConnId),
        there: Order,
    ) {
        match place {
            Some(Place::Here(conn)) => here(io, conn),
            Some(Place::There(net)) => self.nets[net].orders().orders.push(there),
            None => {}
        }
    }

    /// Ends a turn: what the net threads are asked for goes to them. `spent` gets buffers back.
    ///
    /// # Errors
    /// A net thread's reactor cannot go on.
    pub(super) fn hand_over(&mut self, mut spent: impl FnMut(Vec<u8>)) -> Result<(), ReactorError> {
        for net in &mut self.nets {
            net.hand_over()?;
            net.orders().spent.drain(..).for_each(&mut spent);
        }
        Ok(())
    }

    /// Whether a net thread has not taken yet what it is asked for: it is to be tried again.
    pub(super) fn has_kept(&self) -> bool {
        self.nets.iter().any(Net::has_kept)
    }

    pub(super) fn nets(&self) -> usize {
        self.nets.len()
    }

    /// What a net thread has heard, a batch at a time.
    ///
    /// # Errors
    /// Its reactor cannot go on.
    pub(super) fn take_heard(&mut self, net: usize) -> Result<Option<HeardBatch>, ReactorError> {
        self.nets[net].take()
    }

    pub(super) fn give_back(&mut self, net: usize, batch: HeardBatch) {
        self.nets[net].give_back(batch);
    }
}
