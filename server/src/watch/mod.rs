//! Watches: who wants to hear of what, and who hears of it when it happens.
//!
//! Two tables, as in ZooKeeper: *data* (the znode appears, changes, goes) and *child* (its children
//! do). A connection may hold on one path any of three modes in either table: standard (fires
//! once), persistent, and recursive (data table only; hears of the whole subtree).
//!
//! Memory: one record a connection and path, for both tables and all modes, in an arena, linked to
//! the path's others and the connection's others; nothing is scanned but those lists.
//!
//! Invariants:
//! - H1. A record exists exactly while it holds a mode; a path or connection is known exactly while
//!   it has records.
//! - H2. One event a connection, trigger and table, however many of its watches match.
//! - H3. Who hears first depends on nothing but the order of registration.
//!
//! Not here: whether a connection may read what it would hear of (the callback's business, with
//! the access list the trigger captured), catching up after a reconnect (`apply::read`).

mod slots;
mod table;
#[cfg(test)]
mod tests;

pub use table::{WATCHES_PER_CONNECTION_MAX, WatchCounts, Watches};

/// A client connection. Never used twice in the life of a process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnId(pub u64);

/// Which events a watch waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Table {
    Data,
    Child,
}

/// How a watch behaves when it fires.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    Standard,
    Persistent,
    Recursive,
}

impl Mode {
    /// The modes that `addWatch` knows (`ZooDefs.AddWatchModes`).
    pub fn from_code(code: i32) -> Option<Self> {
        match code {
            0 => Some(Self::Persistent),
            1 => Some(Self::Recursive),
            _ => None,
        }
    }
}

/// What `checkWatches` and `removeWatches` mean (`Watcher.WatcherType`, 3.9.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WatcherType {
    Children,
    Data,
    Any,
    Persistent,
    PersistentRecursive,
}

impl WatcherType {
    pub fn from_code(code: i32) -> Option<Self> {
        match code {
            1 => Some(Self::Children),
            2 => Some(Self::Data),
            3 => Some(Self::Any),
            4 => Some(Self::Persistent),
            5 => Some(Self::PersistentRecursive),
            _ => None,
        }
    }
}
