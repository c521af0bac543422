//! The log: what was proposed, on disk, in order.
