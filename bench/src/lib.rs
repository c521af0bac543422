//! Load, comparison with Apache ZooKeeper, disk baseline.
