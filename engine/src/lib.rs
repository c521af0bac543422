//! The replicated log: opaque payloads in, agreed order out.
//!
//! Modules stand in dependency order; a module uses only those above it (AI-2, `tests/tidy`).
//! Architecture, the road of a write and the byte maps: `engine/README.md`.

pub mod zxid;
pub mod ids;
pub mod time;
pub mod limits;
pub mod checksum;
pub mod jute;
pub mod quorum;
pub mod log;
pub mod election;
pub mod zab;
pub mod replica;
pub mod io;
