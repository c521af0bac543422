//! What a member asks the world to do.
//!
//! The contract with whoever runs a member:
//! - Outputs are carried out in the order given.
//! - Buffers of `Send` and `SendPeer` come back through `Member::recycle` and
//!   `Member::recycle_peer`.
//! - A connection that was closed by an output causes no `disconnected`.
//!
//! Not here: how it is carried out (`runtime`, the simulator).

use std::fmt;

use ringkeeper_engine::ids::{LinkId, ServerId};
use ringkeeper_engine::jute::WireError;
use ringkeeper_engine::log::{DiskOp, Part};
use ringkeeper_engine::quorum::Address;
use ringkeeper_engine::replica::{FatalReason, Port};
use ringkeeper_engine::zxid::Zxid;

use super::checkpoint::{SnapshotFailure, SnapshotOp};
use super::load::LoadError;
use crate::watch::ConnId;

#[derive(Debug)]
pub enum Output {
    /// Send this to a client, after everything sent to it before.
    Send {
        conn: ConnId,
        bytes: Vec<u8>,
    },
    /// End a client's connection at once.
    Close {
        conn: ConnId,
    },
    /// End a client's connection once it has what was sent to it.
    CloseAfterSending {
        conn: ConnId,
    },
    /// Stop reading a client's socket, until `Resume`.
    Pause {
        conn: ConnId,
    },
    Resume {
        conn: ConnId,
    },

    /// Hand this to the log's disk.
    Disk(DiskOp),
    /// Connect to a server.
    Dial {
        link: LinkId,
        to: ServerId,
        port: Port,
        addresses: Vec<Address>,
    },
    /// Send this to a server.
    SendPeer {
        link: LinkId,
        bytes: Vec<u8>,
    },
    /// Send this to a server, from where it lies.
    SendPeerShared {
        link: LinkId,
        part: Part,
    },
    /// End the link to a server once it has what was sent to it.
    ClosePeer {
        link: LinkId,
    },

    /// Hand this to whoever writes snapshots.
    Snapshot(SnapshotOp),
    /// End the process; nothing after this counts.
    Fatal(Fatal),
}

/// Why a server cannot go on. The ensemble can.
#[derive(Debug)]
pub enum Fatal {
    /// The log's disk failed (law 8).
    Log(FatalReason),
    /// The tree cannot be loaded.
    Load(LoadError),
    /// A snapshot cannot be written.
    Snapshot(SnapshotFailure),
    /// What the ensemble agreed on is no txn.
    Unreadable { zxid: Zxid, why: WireError },
}

impl fmt::Display for Fatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(reason) => reason.fmt(f),
            Self::Load(error) => error.fmt(f),
            Self::Snapshot(failure) => failure.fmt(f),
            Self::Unreadable { zxid, why } => {
                write!(f, "the txn {zxid}, which was agreed on, cannot be read: {why}")
            }
        }
    }
}
