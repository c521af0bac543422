//! What the callers and the connection's thread share: the session, and who waits for an answer.
//!
//! Invariants:
//! - CS1. Whoever waits for an answer gets one or is told that the connection was lost: an entry
//!   of `waiting` leaves with its answer, with the connection, or with the session.
//!
//! Not here: reading and writing frames (`link`).

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ringkeeper::wire::{ErrorCode, OpCode, SessionId};
use ringkeeper_engine::jute::Writer;

use super::error::ClientError;
use super::event::State;
use super::frame;
use super::watches::Watches;

/// An answer: its header's code, and what follows the header.
pub(super) struct Reply {
    pub(super) err: ErrorCode,
    pub(super) body: Vec<u8>,
}

pub(super) struct Shared {
    /// How long a call waits for a connection, and for its answer.
    patience: Duration,
    inner: Mutex<Inner>,
    changed: Condvar,
}

pub(super) struct Inner {
    pub(super) state: State,
    pub(super) session: SessionId,
    pub(super) password: [u8; 16],
    pub(super) last_zxid: i64,
    pub(super) watches: Watches,
    /// Scheme and data of every `addauth`, to be said again to another server.
    pub(super) auths: Vec<(String, Vec<u8>)>,
    /// Why there is no connection.
    pub(super) trouble: String,
    /// The session is being closed: when the connection ends, none is sought again.
    pub(super) is_closing: bool,
    writer: Option<TcpStream>,
    waiting: BTreeMap<i32, Sender<Reply>>,
    last_xid: i32,
}

impl Shared {
    pub(super) fn new(patience: Duration) -> Self {
        let inner = Inner {
            state: State::Connecting,
            session: SessionId::NONE,
            password: [0; 16],
            last_zxid: 0,
            watches: Watches::default(),
            auths: Vec::new(),
            trouble: String::new(),
            is_closing: false,
            writer: None,
            waiting: BTreeMap::new(),
            last_xid: 0,
        };
        Self { patience, inner: Mutex::new(inner), changed: Condvar::new() }
    }

    /// What a thread that panicked left behind is whole: every change is one assignment.
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state(&self) -> State {
        self.lock().state
    }

    pub(super) fn session(&self) -> SessionId {
        self.lock().session
    }

    pub(super) fn wait_connected(&self) -> Result<(), ClientError> {
        self.connected().map(drop)
    }

    fn connected(&self) -> Result<MutexGuard<'_, Inner>, ClientError> {
        let connecting = |inner: &mut Inner| inner.state == State::Connecting;
        let waited = self.changed.wait_timeout_while(self.lock(), self.patience, connecting);
        let (inner, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match inner.state {
            State::Connected => Ok(inner),
            State::Expired => Err(ClientError::SessionExpired),
            State::Connecting | State::Closed => {
                Err(ClientError::ConnectionLoss { why: inner.trouble.clone() })
            }
        }
    }

    /// Sends a request and waits for its answer.
    pub(super) fn call(&self, op: OpCode, body: &[u8]) -> Result<Reply, ClientError> {
        let receiver = self.send(None, op, body)?;
        self.receive(&receiver)
    }

    /// As `call`, under an xid of the protocol's own (auth, setWatches).
    pub(super) fn call_as(&self, xid: i32, op: OpCode, body: &[u8]) -> Result<Reply, ClientError> {
        let receiver = self.send(Some(xid), op, body)?;
        self.receive(&receiver)
    }

    fn send(
        &self,
        xid: Option<i32>,
        op: OpCode,
        body: &[u8],
    ) -> Result<Receiver<Reply>, ClientError> {
        let mut inner = self.connected()?;
        let xid = xid.unwrap_or_else(|| inner.next_xid());
        let (sender, receiver) = channel();
        inner.waiting.insert(xid, sender);
        let mut frame = Vec::with_capacity(8 + body.len());
        Writer(&mut frame).int(xid);
        Writer(&mut frame).int(op.code());
        frame.extend_from_slice(body);
        match inner.write(&frame) {
            Ok(()) => Ok(receiver),
            Err(error) => {
                inner.waiting.remove(&xid);
                Err(ClientError::ConnectionLoss { why: error.to_string() })
            }
        }
    }

    fn receive(&self, receiver: &Receiver<Reply>) -> Result<Reply, ClientError> {
        receiver.recv_timeout(self.patience).map_err(|error| match error {
            RecvTimeoutError::Timeout => {
                ClientError::ConnectionLoss { why: "no answer in time".to_owned() }
            }
            RecvTimeoutError::Disconnected => {
                let inner = self.lock();
                match inner.state {
                    State::Expired => ClientError::SessionExpired,
                    _ => ClientError::ConnectionLoss { why: inner.trouble.clone() },
                }
            }
        })
    }

    pub(super) fn answered(&self, xid: i32, reply: Reply) {
        // Who stopped waiting no longer wants it.
        if let Some(sender) = self.lock().waiting.remove(&xid) {
            let _ = sender.send(reply);
        }
    }

    pub(super) fn opened(&self, writer: TcpStream, session: SessionId, password: [u8; 16]) {
        let mut inner = self.lock();
        inner.writer = Some(writer);
        inner.session = session;
        inner.password = password;
        inner.state = State::Connected;
        self.changed.notify_all();
    }

    /// The connection is gone: everybody who waits is told so (CS1).
    pub(super) fn lost(&self, state: State, trouble: String) {
        let mut inner = self.lock();
        inner.writer = None;
        inner.trouble = trouble;
        inner.state = match inner.state {
            State::Closed => State::Closed,
            _ if inner.is_closing => State::Closed,
            _ => state,
        };
        inner.waiting.clear();
        self.changed.notify_all();
    }

    /// Ends the thread: it finds its socket shut.
    pub(super) fn close(&self) {
        let mut inner = self.lock();
        if inner.state != State::Expired {
            inner.state = State::Closed;
        }
        if let Some(writer) = inner.writer.take() {
            // A socket that is gone already needs no shutting.
            let _ = writer.shutdown(std::net::Shutdown::Both);
        }
        inner.waiting.clear();
        self.changed.notify_all();
    }

    /// Sleeps, but wakes at once when the client is closed.
    pub(super) fn pause(&self, duration: Duration) {
        let open = |inner: &mut Inner| inner.state == State::Connecting;
        drop(self.changed.wait_timeout_while(self.lock(), duration, open));
    }
}

impl Inner {
    pub(super) fn write(&mut self, frame: &[u8]) -> std::io::Result<()> {
        match &mut self.writer {
            Some(writer) => frame::send(writer, frame),
            None => Err(std::io::ErrorKind::NotConnected.into()),
        }
    }

    fn next_xid(&mut self) -> i32 {
        self.last_xid = self.last_xid.checked_add(1).unwrap_or(1);
        self.last_xid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cs1_who_waits_is_told_when_the_connection_is_lost() {
        let shared = Shared::new(Duration::from_secs(10));
        let (sender, receiver) = channel();
        shared.lock().waiting.insert(1, sender);
        shared.lost(State::Connecting, "reset".to_owned());
        let error = shared.receive(&receiver).map(|_| ()).expect_err("nothing was answered");
        assert_eq!(error, ClientError::ConnectionLoss { why: "reset".to_owned() });
        shared.lost(State::Expired, String::new());
        assert_eq!(shared.wait_connected(), Err(ClientError::SessionExpired));
    }
}
