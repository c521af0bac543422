//! Load over any ZooKeeper server, comparison with Apache ZooKeeper, the bare device below both.

pub mod compare;
pub mod disk;
pub mod host;
pub mod load;
pub mod road;
