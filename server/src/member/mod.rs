//! One server, whole and pure: events in, outputs out.
//!
//! A member is the frontend, the replica and the state machine of one server, without a socket, a
//! file or a clock. The runtime runs one over io_uring; the simulator runs several over a network
//! and disks of its own. Both see the same code.
//!
//! The stations of a write, each a file: `client` (bytes to requests) -> `request` (what a request
//! asks) -> `write` (prep and propose, or forward to the leader) -> the replica -> `commit`
//! (apply, watch events, reply). Beside the road: `connect` (sessions begin), `waiting` (clients that
//! come during an election), `ahead` (memory asked for before it is wanted), `role` (the replica changes sides), `learner` (what comes from, or goes to, another server), `expiry` (sessions and
//! containers that end by time), `checkpoint` (snapshots), `proof` (digests that differ), `status`
//! (what operators ask).
//!
//! Invariants, asserted where they could break:
//! - M1. What is applied is applied in zxid order, once, through one function (law 6).
//! - M2. A reply that reflects a change leaves after the watch events of that change.
//! - M3. No client is served before the replica says that this server may serve.
//! - M4. Replies of one connection leave in the order of its requests; a read waits only behind its
//!   own connection's writes and syncs.
//!
//! Not here: sockets, files, threads (`runtime`), agreement (`engine::replica`).

mod ahead;
mod checkpoint;
mod client;
mod commit;
mod connect;
mod expiry;
mod learner;
mod load;
mod options;
mod output;
mod proof;
mod request;
mod role;
mod status;
#[cfg(test)]
mod tests;
mod turn;
mod waiting;
mod words;
mod write;

pub use checkpoint::{SnapshotDone, SnapshotFailure, SnapshotOp, SnapshotTask};
pub use load::EarlyTree;
pub use load::LoadError;
pub use options::MemberOptions;
pub use output::{Fatal, Output};
pub use role::Role;

use std::collections::VecDeque;

use ringkeeper_engine::replica::{Effect, Replica};
use ringkeeper_engine::time::Millis;
use ringkeeper_engine::zxid::Zxid;

use crate::admin::Metrics;
use crate::apply::{Applied, Database};
use crate::frontend::Frontend;
use crate::prep::Prep;
use crate::proof::{Proof, Runs};
use crate::session::{SessionIds, Touches, Tracker};
use crate::watch::{ConnId, Watches};
use crate::wire::{AuthId, SessionId};
use options::Rules;

/// When something happens: monotonic time for every deadline, wall time for txn headers and the
/// like alone.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub now: Millis,
    pub wall_ms: i64,
}

/// ZooKeeper's trace mask at start (`ZooTrace`, 3.9.5): what `gtmk` answers.
const TRACE_MASK_DEFAULT: i64 = 0b1_0011_0010;

/// One server.
pub struct Member {
    options: MemberOptions,
    rules: Rules,
    replica: Replica,
    role: Role,
    serving_since: Millis,
    /// The last zxid proposed here when the last turn ended.
    proposed: Zxid,
    /// What the tree is to have; it has it at the end of the turn.
    decided: Zxid,

    front: Frontend,
    session_ids: SessionIds,
    /// Requests held over all connections.
    outstanding: usize,
    /// Connections whose syncs the leader has not answered yet, in the order forwarded.
    syncs: VecDeque<ConnId>,
    /// Connections to close once this turn's replies are handed over.
    closing: Vec<ConnId>,
    waiting: waiting::Waiting,
    is_stopping: bool,

    db: Database,
    /// Read before the first reload asks for it.
    early: Option<EarlyTree>,
    watches: Watches,
    prep: Prep,
    /// Where this server leads: every session's time.
    tracker: Option<Tracker>,
    /// Where it learns: the sessions heard from since the leader asked.
    touches: Touches,
    next_reap: Millis,

    checkpoint: checkpoint::Progress,
    runs: Runs,
    /// In proof mode.
    proof: Option<Proof>,
    metrics: Metrics,
    started: Millis,
    trace_mask: i64,

    effects: Vec<Effect>,
    outputs: Vec<Output>,
    /// What leaves behind the answers of the turn.
    after_answers: Vec<Output>,
    applied: Applied,
    expired: Vec<SessionId>,
    frame: Vec<u8>,
    event: Vec<u8>,
    /// Who asks, of the forwarded request at hand.
    forwarded_ids: Vec<AuthId>,
}

impl Member {
    /// A member on a replica that has not started. `start` sets it going.
    pub fn new(options: MemberOptions, replica: Replica) -> Self {
        let rules = options.rules();
        let config = &options.config;
        let prep = Prep::new(options.prep());
        let db = Database::new(options::owner_rules(&config.tree), config.tree.digests);
        // The entropy is as good a start as the clock: ids of two lives differ.
        let session_ids = SessionIds::new(config.me.0, options.entropy);
        let watches = Watches::new(options.entropy);
        Self {
            rules,
            replica,
            role: Role::Looking,
            serving_since: Millis(0),
            proposed: Zxid::ZERO,
            decided: Zxid::ZERO,
            front: Frontend::default(),
            session_ids,
            outstanding: 0,
            syncs: VecDeque::new(),
            closing: Vec::new(),
            waiting: waiting::Waiting::default(),
            is_stopping: false,
            db,
            early: None,
            watches,
            prep,
            tracker: None,
            touches: Touches::default(),
            next_reap: Millis(0),
            checkpoint: checkpoint::Progress::default(),
            runs: Runs::default(),
            proof: None,
            metrics: Metrics::default(),
            started: Millis(0),
            trace_mask: TRACE_MASK_DEFAULT,
            effects: Vec::new(),
            outputs: Vec::new(),
            after_answers: Vec::new(),
            applied: Applied::default(),
            expired: Vec::new(),
            frame: Vec::new(),
            event: Vec::new(),
            forwarded_ids: Vec::new(),
            options,
        }
    }

    /// What has been applied here.
    pub fn database(&self) -> &Database {
        &self.db
    }

    /// The share in the ensemble: what is appended, durable, decided.
    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    pub fn role(&self) -> Role {
        self.role
    }
}
