//! Names of servers and of the connections between them.

use std::fmt;

/// One member process of the ensemble: `myid`, ZooKeeper's sid.
///
/// Signed because ZooKeeper hands negative ids to observers that bring none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(pub i64);

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "server {}", self.0)
    }
}

/// One connection between two servers, dialled or accepted. Never used twice in the life of a
/// process, so that a late completion of a closed link cannot be taken for its successor's.
///
/// Links that the deterministic part dials are numbered by it (odd); links that the world accepted
/// are numbered by the world (even).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

impl fmt::Debug for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "link {}", self.0)
    }
}
