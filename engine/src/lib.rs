//! The replicated log: opaque payloads in, agreed order out.
//!
//! A module uses only those before it in this line, which `tests/tidy` reads (AI-2).
//! Order: zxid ids time limits checksum jute quorum log election zab replica io
//!
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
