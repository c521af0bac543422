//! ZooKeeper Atomic Broadcast: packets, leader and learner.
