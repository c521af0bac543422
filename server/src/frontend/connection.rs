//! One client connection.
//!
//! Not here: what is done with it.

use std::net::SocketAddr;
use std::rc::Rc;

use ringkeeper_engine::time::Millis;

use super::held::Held;
use super::unread::Unread;
use crate::auth::Identity;
use crate::wire::SessionId;

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing but a four-letter word or a ConnectRequest may come.
    Fresh,
    /// A session is being made or revalidated; bytes wait until it is.
    Connecting { session: SessionId, timeout_ms: i32, with_read_only: bool },
    /// Requests come.
    Open,
    /// The session is being closed: its answer is still due, whatever else comes is dropped.
    Leaving,
    /// The last reply is on its way; whatever still comes is dropped.
    Closing,
}

/// What `cons`, `stat` and `mntr` tell of a connection (`ServerCnxn`, 3.9.5).
#[derive(Clone, Debug)]
pub struct Counters {
    pub received: u64,
    pub sent: u64,
    pub established_wall_ms: i64,
    pub last_op: &'static str,
    pub last_cxid: i64,
    pub last_zxid: i64,
    pub last_response_ms: u64,
    pub last_latency_ms: u64,
    pub latency_ms_min: u64,
    pub latency_ms_max: u64,
    pub latency_ms_sum: u64,
    pub latencies: u64,
}

impl Counters {
    pub fn new(wall_ms: i64) -> Self {
        Self {
            received: 0,
            sent: 0,
            established_wall_ms: wall_ms,
            last_op: "NA",
            last_cxid: -1,
            last_zxid: -1,
            last_response_ms: 0,
            last_latency_ms: 0,
            latency_ms_min: u64::MAX,
            latency_ms_max: 0,
            latency_ms_sum: 0,
            latencies: 0,
        }
    }

    /// What `crst` forgets.
    pub fn reset(&mut self) {
        *self = Self::new(self.established_wall_ms);
    }

    /// Notes one answered request.
    pub fn answered(&mut self, now: Millis, since_ms: u64, zxid: i64) {
        let latency_ms = now.0.saturating_sub(since_ms);
        self.sent += 1;
        self.last_zxid = zxid;
        self.last_response_ms = now.0;
        self.last_latency_ms = latency_ms;
        self.latency_ms_min = self.latency_ms_min.min(latency_ms);
        self.latency_ms_max = self.latency_ms_max.max(latency_ms);
        self.latency_ms_sum += latency_ms;
        self.latencies += 1;
    }
}

pub struct Connection {
    pub peer: SocketAddr,
    pub phase: Phase,
    /// The session, once there is one (also while it is being revalidated).
    pub session: Option<SessionId>,
    pub timeout_ms: i32,
    /// What this connection has proved; shared with the requests that carry it.
    pub auth: Rc<Identity>,
    /// Bytes that came but could not be cut into frames, or may not be looked at yet.
    pub unread: Unread,
    /// Requests that wait for their turn.
    pub held: Held,
    /// Replies and events of this turn.
    pub out: Vec<u8>,
    /// Whether the connection stands in the list of those with something to send.
    pub is_dirty: bool,
    /// Whether reading stopped because too many requests are under way.
    pub is_throttled: bool,
    /// Whether the socket itself is not read.
    pub is_paused: bool,
    /// The deadline that counts, if later than the one it is queued under.
    pub idle_deadline: Millis,
    /// The mark of the last touch of the session for this connection: another touch with the same
    /// mark would change nothing.
    pub touched: Option<(bool, u64)>,
    pub counters: Counters,
}

impl Connection {
    /// A connection that has just been accepted and has `handshake_ms` to bring a session.
    pub fn new(peer: SocketAddr, now: Millis, wall_ms: i64, handshake_ms: u64) -> Self {
        Self {
            peer,
            phase: Phase::Fresh,
            session: None,
            timeout_ms: 0,
            auth: Rc::new(Identity::of_address(&peer.ip().to_canonical().to_string())),
            unread: Unread::default(),
            held: Held::default(),
            out: Vec::new(),
            is_dirty: false,
            is_throttled: false,
            is_paused: false,
            idle_deadline: now + handshake_ms,
            touched: None,
            counters: Counters::new(wall_ms),
        }
    }

    /// Something came: the connection is alive for another timeout of its session.
    pub fn heard(&mut self, now: Millis) {
        if let Ok(timeout_ms @ 1..) = u64::try_from(self.timeout_ms) {
            self.idle_deadline = self.idle_deadline.max(now + timeout_ms);
        }
    }
}
