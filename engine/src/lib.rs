//! The replicated log: opaque payloads in, agreed order out.
//!
//! A module uses only those before it in this line, which `tests/tidy` reads (AI-2).
//! Order: zxid ids time limits checksum jute quorum log election zab replica io
//!
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
