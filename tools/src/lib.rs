//! Looks at logs, snapshots and servers from outside; the small client.
