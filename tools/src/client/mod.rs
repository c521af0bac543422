//! A small ZooKeeper client: blocking calls over one connection, watches delivered as they fire.
//!
//! A thread keeps the connection: it opens the session, pings, reads answers and events, and when
//! the connection is lost goes to the next server with the same session. Calls wait until there is
//! a connection, send, and wait for their answer; what was on its way when the connection was lost
//! ends in `ConnectionLoss`, because nobody can say whether it happened.
//!
//! - `address`: the connect string, `host:port,host:port/chroot`.
//! - `link`: the thread and the frames.
//! - `calls`: the operations.
//! - `event`, `error`: what comes back.
//!
//! Not here: pipelining under load (`ringkeeper-bench`), TLS, SASL.

mod address;
mod calls;
mod error;
mod event;
mod frame;
mod link;
mod shared;
#[cfg(test)]
mod tests;
mod watches;

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ringkeeper::wire::SessionId;

pub use address::{ConnectString, ConnectStringError};
pub use calls::{CreateMode, WatchKind, WatchMode};
pub use error::ClientError;
pub use event::{Event, EventType, State};

use shared::Shared;

/// How a client connects.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    pub servers: ConnectString,
    /// Asked of the server, which keeps it within its own bounds.
    pub session_timeout_ms: i32,
    /// Take a server that has no quorum too.
    pub read_only: bool,
}

/// A session. Dropping it closes the connection without closing the session.
pub struct Client {
    shared: Arc<Shared>,
    chroot: String,
    link: Option<JoinHandle<()>>,
}

impl Client {
    /// Begins to connect; `on_event` is called from the connection's thread. Returns at once: the
    /// first call waits for the connection.
    pub fn start(
        options: &ClientOptions,
        on_event: impl Fn(Event) + Send + 'static,
    ) -> Result<Self, ClientError> {
        let timeout = Duration::from_millis(u64::try_from(options.session_timeout_ms).unwrap_or(0));
        let shared = Arc::new(Shared::new(timeout));
        let chroot = options.servers.chroot.clone();
        let stripped = {
            let chroot = chroot.clone();
            move |event: Event| on_event(event.below(&chroot))
        };
        let link = link::Link::new(options, Arc::clone(&shared), Box::new(stripped));
        let link = thread::Builder::new().name("client".into()).spawn(move || link.keep());
        let link = link.map_err(|error| ClientError::NoThread(error.to_string()))?;
        Ok(Self { shared, chroot, link: Some(link) })
    }

    /// As `start`, and waits for the session.
    pub fn connect(
        options: &ClientOptions,
        on_event: impl Fn(Event) + Send + 'static,
    ) -> Result<Self, ClientError> {
        let client = Self::start(options, on_event)?;
        client.shared.wait_connected()?;
        Ok(client)
    }

    pub fn state(&self) -> State {
        self.shared.state()
    }

    pub fn session(&self) -> SessionId {
        self.shared.session()
    }

    /// Closes the session, and with it its ephemerals and watches.
    pub fn close(mut self) {
        self.close_session();
        self.join();
    }

    fn join(&mut self) {
        self.shared.close();
        if let Some(link) = self.link.take() {
            // A thread that panicked has nothing left to close.
            let _ = link.join();
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.join();
    }
}
