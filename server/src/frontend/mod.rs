//! The connections of clients: framing, order, replies. Pure; the sockets are the world's.
//!
//! A connection's bytes are cut into frames (`frames`), and its requests are answered in the order
//! they came (`held`): while one of its writes is on the way, whatever follows it waits here, and
//! nothing else does. Replies gather in the connection's `out` and leave once a turn.
//!
//! Invariants, asserted where they could break:
//! - F1. What a connection waits for comes back in the order it was asked for.
//! - F2. A connection id is never used for two connections: it carries a generation.
//!
//! Not here: what a request means (`member`), sockets (`runtime`), the records (`wire`).

mod connection;
mod frames;
mod held;
mod table;
mod unread;

pub use connection::{Connection, Counters, Phase};
pub use frames::{Frame, FrameError, split};
pub use held::{Held, Waiting};
pub use table::Frontend;
pub use unread::Unread;
