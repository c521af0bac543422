//! Load over any ZooKeeper server, comparison with Apache ZooKeeper, the bare device below both.

pub mod host;
pub mod load;
pub mod compare;
