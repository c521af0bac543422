//! `zoo.cfg` to a typed `Config`.
//!
//! Two steps. A `RawConfig` is what file, flags and `myid` say: every key as text, with its line.
//! A `Config` is what the server does: typed, in named units, every default filled in, every
//! relation checked. Nothing past this module sees a string to parse, a default or an absent value.
//!
//! A `zoo.cfg` that ZooKeeper starts with starts here, except where going on would be unsafe
//! because a promise cannot be kept (TLS, SASL): then the start is refused with the reason. A key
//! that changes nothing here is named in a warning with its line; so is one nobody knows, with the
//! known key it is nearest to. The process that gets faults exits with [`EXIT_CODE`].
//!
//! Not here: reading files (the caller's, see [`load`]), printing, acting.

mod fault;
mod keys;
mod load;
mod members;
mod options;
mod properties;
mod raw;
mod resolve;
#[cfg(test)]
mod resolve_tests;
mod typed;

pub use fault::{ConfigError, Place, Warning};
pub use load::load;
pub use options::*;
pub use raw::{JvmFlag, RawConfig};

/// ZooKeeper's `ExitCode.INVALID_INVOCATION`: bad arguments or configuration.
pub const EXIT_CODE: u8 = 2;

/// ZooKeeper's last words on a bad configuration, on standard error.
pub const LAST_WORDS: &str = "Invalid config, exiting abnormally";
