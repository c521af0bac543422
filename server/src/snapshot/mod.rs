//! Snapshots in ZooKeeper's format.
