//! What a client's socket is given, on whatever thread it is: with bounds for one who does not read.
//!
//! Not here: which thread that is (`clients`).

use ringkeeper_engine::io::{ConnId, Io};
use tracing::info;

/// Unsent bytes above which a client is not read until it has taken some of them.
const CLIENT_UNSENT_PAUSE: usize = 1 << 20;

/// Unsent bytes above which a client that does not read is dropped.
const CLIENT_UNSENT_MAX: usize = 16 << 20;

/// What came of it.
pub(super) struct Given {
    /// A buffer in exchange.
    pub(super) spare: Vec<u8>,
    /// The client does not read, and was dropped for it.
    pub(super) is_dropped: bool,
}

/// Sends `bytes` after all that was given before. Above one bound the client is not read until it
/// has read; the reactor says `Room` then.
pub(super) fn give(io: &mut dyn Io, conn: ConnId, bytes: Vec<u8>) -> Given {
    let spare = io.send_owned(conn, bytes);
    let unsent = io.unsent(conn);
    if unsent > CLIENT_UNSENT_MAX {
        info!(peer = ?io.peer(conn), unsent, "connection closed: the client does not read");
        io.abort(conn);
        return Given { spare, is_dropped: true };
    }
    if unsent > CLIENT_UNSENT_PAUSE {
        io.pause(conn);
        io.tell_room(conn, CLIENT_UNSENT_PAUSE / 2);
    }
    Given { spare, is_dropped: false }
}
