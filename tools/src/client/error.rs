//! Why a call has no answer, or a bad one.
//!
//! Not here: the codes (`ringkeeper::wire`).

use ringkeeper::wire::ErrorCode;
use ringkeeper_engine::jute::WireError;

/// A call that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The server answered with this code.
    #[error("{}", keeper_text(*code, path.as_deref()))]
    Refused { code: ErrorCode, path: Option<String> },
    /// The connection was lost before the answer came, or none could be had in time. What was asked
    /// may have happened. Says why, where that is known.
    #[error("KeeperErrorCode = ConnectionLoss{}", because(why))]
    ConnectionLoss { why: String },
    #[error("KeeperErrorCode = Session expired")]
    SessionExpired,
    /// A path the server need not be asked about.
    #[error("Invalid path string \"{0}\"")]
    BadPath(String),
    #[error("the server's answer cannot be read: {0}")]
    Unreadable(#[from] WireError),
    #[error("no thread could be started: {0}")]
    NoThread(String),
}

impl ClientError {
    /// The server's code, where it answered with one.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }
}

/// As `KeeperException.getMessage` has it.
fn keeper_text(code: ErrorCode, path: Option<&str>) -> String {
    let name = match code.name() {
        Some(name) => name.to_owned(),
        None => format!("Unknown error {}", code.code()),
    };
    match path {
        Some(path) => format!("KeeperErrorCode = {name} for {path}"),
        None => format!("KeeperErrorCode = {name}"),
    }
}

fn because(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(" ({why})") }
}
