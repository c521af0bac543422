//! The replicated log: opaque payloads in, agreed order out.
//!
//! Modules stand in dependency order; a module uses only those above it (AI-2, `tests/tidy`).
//! Architecture, the road of a write and the byte maps: `engine/README.md`.

pub mod checksum;
pub mod election;
pub mod ids;
pub mod io;
pub mod jute;
pub mod limits;
pub mod log;
pub mod quorum;
pub mod replica;
pub mod time;
pub mod zab;
pub mod zxid;
