//! All connections of one core: found by id, by session, and by the moment they have idled too long.
//!
//! Not here: one connection's state (`connection`).

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use ringkeeper_engine::time::Millis;

use super::connection::Connection;
use crate::watch::ConnId;
use crate::wire::SessionId;

/// Idle connections are looked for in buckets of this width, never by a scan over all.
const IDLE_BUCKET_MS: u64 = 1_000;

#[derive(Default)]
struct Slot {
    generation: u32,
    connection: Option<Box<Connection>>,
}

/// The connections of one core.
#[derive(Default)]
pub struct Frontend {
    slots: Vec<Slot>,
    free: Vec<u32>,
    count: usize,
    per_ip: BTreeMap<IpAddr, u32>,
    sessions: hashbrown::HashMap<SessionId, ConnId, foldhash::fast::FixedState>,
    idle: BTreeMap<u64, Vec<ConnId>>,
    dirty: Vec<ConnId>,
    throttled: VecDeque<ConnId>,
    buffers: Vec<Vec<u8>>,
}

/// Send buffers kept for reuse; more than this many at once are a burst, not a steady state.
const BUFFERS_KEPT: usize = 256;

/// A send buffer larger than this is not kept.
const BUFFER_BYTES_KEPT: usize = 256 << 10;

/// F2: a generation fits into 31 bits, which leaves the top bit of an id to the runtime.
const GENERATION_MAX: u32 = u32::MAX >> 1;

fn id_of(slot: u32, generation: u32) -> ConnId {
    ConnId(u64::from(generation) << 32 | u64::from(slot))
}

fn parts_of(id: ConnId) -> (u32, u32) {
    (id.0 as u32, (id.0 >> 32) as u32)
}

impl Frontend {
    /// Notes a new connection, which has `handshake_ms` to bring a session.
    pub fn open(
        &mut self,
        peer: SocketAddr,
        now: Millis,
        wall_ms: i64,
        handshake_ms: u64,
    ) -> ConnId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).expect("connections are bounded by descriptors")
        });
        let entry = &mut self.slots[slot as usize];
        entry.generation = (entry.generation + 1) & GENERATION_MAX;
        let connection = Connection::new(peer, now, wall_ms, handshake_ms);
        let deadline = connection.idle_deadline;
        entry.connection = Some(Box::new(connection));
        let id = id_of(slot, entry.generation);
        self.count += 1;
        *self.per_ip.entry(peer.ip()).or_default() += 1;
        self.queue_idle(id, deadline);
        id
    }

    /// Forgets a connection. `None` where it is gone already.
    pub fn close(&mut self, id: ConnId) -> Option<Box<Connection>> {
        let (slot, generation) = parts_of(id);
        let entry = self.slots.get_mut(slot as usize)?;
        if entry.generation != generation {
            return None;
        }
        let connection = entry.connection.take()?;
        self.free.push(slot);
        self.count -= 1;
        let ip = connection.peer.ip();
        if let Some(held) = self.per_ip.get_mut(&ip) {
            *held -= 1;
            if *held == 0 {
                self.per_ip.remove(&ip);
            }
        }
        if let Some(session) = connection.session
            && self.sessions.get(&session) == Some(&id)
        {
            self.sessions.remove(&session);
        }
        Some(connection)
    }

    pub fn get(&self, id: ConnId) -> Option<&Connection> {
        let (slot, generation) = parts_of(id);
        let entry = self.slots.get(slot as usize)?;
        if entry.generation == generation { entry.connection.as_deref() } else { None }
    }

    pub fn get_mut(&mut self, id: ConnId) -> Option<&mut Connection> {
        let (slot, generation) = parts_of(id);
        let entry = self.slots.get_mut(slot as usize)?;
        if entry.generation == generation { entry.connection.as_deref_mut() } else { None }
    }

    /// The connection that holds `session` here.
    pub fn of_session(&self, session: SessionId) -> Option<ConnId> {
        self.sessions.get(&session).copied()
    }

    /// Gives `session` to `id`; returns the connection that held it before.
    pub fn bind(&mut self, session: SessionId, id: ConnId) -> Option<ConnId> {
        if let Some(connection) = self.get_mut(id) {
            connection.session = Some(session);
        }
        self.sessions.insert(session, id).filter(|before| *before != id)
    }

    pub fn count(&self) -> usize {
        self.count
    }

    pub fn count_from(&self, ip: IpAddr) -> usize {
        self.per_ip.get(&ip).map_or(0, |held| *held as usize)
    }

    pub fn ids(&self) -> impl Iterator<Item = ConnId> + '_ {
        self.slots.iter().enumerate().filter_map(|(slot, entry)| {
            entry.connection.as_ref().map(|_| id_of(slot as u32, entry.generation))
        })
    }

    /// The buffer that replies to `id` are appended to, marking the connection for this turn's
    /// sending. `None` where the connection is gone.
    pub fn out(&mut self, id: ConnId) -> Option<&mut Vec<u8>> {
        self.speak(id).map(|connection| &mut connection.out)
    }

    /// The connection, whose `out` is about to be appended to.
    pub fn speak(&mut self, id: ConnId) -> Option<&mut Connection> {
        let (slot, generation) = parts_of(id);
        let entry = self.slots.get_mut(slot as usize)?;
        if entry.generation != generation {
            return None;
        }
        let connection = entry.connection.as_deref_mut()?;
        if !connection.is_dirty {
            connection.is_dirty = true;
            self.dirty.push(id);
            if let Some(buffer) = self.buffers.pop() {
                connection.out = buffer;
            }
        }
        Some(connection)
    }

    /// What each connection has gathered to send since the last call.
    pub fn drain_out(&mut self, mut send: impl FnMut(ConnId, Vec<u8>)) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for id in dirty.drain(..) {
            if let Some(connection) = self.get_mut(id) {
                connection.is_dirty = false;
                let bytes = std::mem::take(&mut connection.out);
                if !bytes.is_empty() {
                    send(id, bytes);
                }
            }
        }
        self.dirty = dirty;
    }

    /// Takes back a send buffer for reuse.
    pub fn recycle(&mut self, mut buffer: Vec<u8>) {
        if self.buffers.len() < BUFFERS_KEPT && buffer.capacity() <= BUFFER_BYTES_KEPT {
            buffer.clear();
            self.buffers.push(buffer);
        }
    }

    /// Notes that `id` may not be read until too much is no longer under way, and it is its turn.
    pub fn throttle(&mut self, id: ConnId) {
        if let Some(connection) = self.get_mut(id)
            && !connection.is_throttled
        {
            connection.is_throttled = true;
            self.throttled.push_back(id);
        }
    }

    pub fn has_throttled(&self) -> bool {
        !self.throttled.is_empty()
    }

    /// The one whose reading has been stopped the longest; it may be read again.
    pub fn unthrottle_next(&mut self) -> Option<ConnId> {
        loop {
            let id = self.throttled.pop_front()?;
            if let Some(connection) = self.get_mut(id)
                && std::mem::replace(&mut connection.is_throttled, false)
            {
                return Some(id);
            }
        }
    }

    fn queue_idle(&mut self, id: ConnId, deadline: Millis) {
        self.idle.entry(deadline.0 / IDLE_BUCKET_MS + 1).or_default().push(id);
    }

    /// The connections that have been silent past their deadline.
    ///
    /// A connection that spoke since it was queued is queued again under its later deadline, so
    /// the cost is one visit a timeout, whatever the traffic.
    pub fn idle_too_long(&mut self, now: Millis) -> Vec<ConnId> {
        let mut silent = Vec::new();
        while let Some(bucket) = self.idle.first_entry() {
            if *bucket.key() * IDLE_BUCKET_MS > now.0 {
                break;
            }
            for id in bucket.remove() {
                match self.get(id).map(|connection| connection.idle_deadline) {
                    Some(deadline) if deadline > now => self.queue_idle(id, deadline),
                    Some(_) => silent.push(id),
                    None => {}
                }
            }
        }
        silent
    }

    /// When `idle_too_long` is worth asking again.
    pub fn idle_deadline(&self) -> Option<Millis> {
        self.idle.first_key_value().map(|(bucket, _)| Millis(bucket * IDLE_BUCKET_MS))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn open(front: &mut Frontend, now: u64) -> ConnId {
        let peer = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 1);
        front.open(peer, Millis(now), 0, 10_000)
    }

    #[test]
    fn f2_a_place_is_used_again_under_another_id() {
        let mut front = Frontend::default();
        let first = open(&mut front, 0);
        assert!(front.close(first).is_some());
        let second = open(&mut front, 0);
        assert_ne!(first, second);
        assert!(front.get(first).is_none() && front.close(first).is_none());
        assert_eq!(front.count(), 1);
        assert!(second.0 >> 63 == 0, "F2: the top bit is the runtime's");
    }

    #[test]
    fn a_session_is_with_the_connection_that_took_it_last() {
        let mut front = Frontend::default();
        let (first, second) = (open(&mut front, 0), open(&mut front, 0));
        let session = SessionId(7);
        assert_eq!(front.bind(session, first), None);
        assert_eq!(front.bind(session, second), Some(first));
        front.close(first);
        assert_eq!(front.of_session(session), Some(second), "its former holder takes nothing away");
        front.close(second);
        assert_eq!(front.of_session(session), None);
    }

    #[test]
    fn a_connection_that_speaks_is_not_idle() {
        let mut front = Frontend::default();
        let (silent, lively) = (open(&mut front, 0), open(&mut front, 0));
        if let Some(connection) = front.get_mut(lively) {
            connection.timeout_ms = 8_000;
            connection.heard(Millis(9_000));
        }
        assert_eq!(front.idle_too_long(Millis(9_000)), []);
        assert_eq!(front.idle_too_long(Millis(12_000)), [silent]);
        assert_eq!(front.idle_too_long(Millis(20_000)), [lively]);
    }

    #[test]
    fn connections_are_counted_by_address() {
        let mut front = Frontend::default();
        let id = open(&mut front, 0);
        open(&mut front, 0);
        assert_eq!(front.count_from(Ipv4Addr::LOCALHOST.into()), 2);
        front.close(id);
        assert_eq!(front.count_from(Ipv4Addr::LOCALHOST.into()), 1);
    }
}
