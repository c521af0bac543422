//! What operators ask on the client port: four-letter words, their answers, the figures in them.
//!
//! - `opening`: what the first four bytes of a connection are: a word, a frame, or a stranger.
//! - `word`: the words, and which of them are allowed.
//! - `status`: what a server tells about itself, as plain data that the member fills.
//! - `metrics`: counters and summaries that the member updates as it goes.
//! - `answer`, `brief`, `dump`, `monitor`: the texts, to the byte as ZooKeeper 3.9.5 writes them.
//! - `environment`: what the machine says about itself, read once at start.
//!
//! A text is made from data and nothing else, so that the simulator asks as an operator does.
//!
//! Not here: HTTP. A request for it on the client port is recognised and told so.

mod answer;
mod brief;
mod dump;
mod environment;
mod form;
mod metrics;
mod monitor;
mod opening;
mod status;
mod word;

pub use answer::answer;
pub use environment::{Environment, open_files};
pub use form::{JavaDate, JavaShortDate};
pub use metrics::{Distribution, LastMinMax, Metrics, Summary};
pub use opening::Opening;
pub use status::{
    ConnectionSession, ConnectionStatus, DirectorySizes, EphemeralsOf, ExpiringSessions,
    LeaderStatus, Mode, NamespaceQuota, OpenFiles, QuorumStatus, ServerStatus, SessionDump,
    SessionList, Status, WatchesOf, last_operation,
};
pub use word::{Whitelist, Word};

/// What this server says it is, where ZooKeeper gives its version.
///
/// Compat: clients and monitors read the number in front and decide by it what they may ask
/// (kazoo's `server_version`), so it is that of the ZooKeeper whose manners are kept.
pub const VERSION: &str = concat!(
    "3.9.5-ringkeeper-",
    env!("CARGO_PKG_VERSION"),
    ", built with Rust ",
    env!("CARGO_PKG_RUST_VERSION"),
);

#[cfg(test)]
mod sample;
