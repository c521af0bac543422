//! Load over any ZooKeeper server, comparison with Apache ZooKeeper, the bare device and the bare
//! network below both.

pub mod bare;
pub mod compare;
pub mod disk;
pub mod echo;
pub mod flame;
pub mod host;
pub mod load;
pub mod lone;
mod process;
pub mod road;
pub mod scale;
pub mod stations;
pub mod turns;
