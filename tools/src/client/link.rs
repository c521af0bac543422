//! The connection's thread: opens the session, pings, reads, and goes to the next server when the
//! connection is lost.
//!
//! Not here: what is asked (`calls`), who waits (`shared`).

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use ringkeeper::wire::{ConnectRequest, ConnectResponse, OpCode, ReplyHeader, SessionId, xid};
use ringkeeper_engine::jute::{Reader, Writer};
use ringkeeper_engine::quorum::Address;

use super::ClientOptions;
use super::event::{Event, State};
use super::frame::{self, Frames};
use super::shared::{Reply, Shared};

/// Between two rounds over all servers.
const ROUND_PAUSE: Duration = Duration::from_millis(200);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A session is pinged three times within its timeout, as a Java client does.
const PINGS_PER_TIMEOUT: u32 = 3;

pub(super) struct Link {
    servers: Vec<Address>,
    timeout_ms: i32,
    read_only: bool,
    shared: Arc<Shared>,
    on_event: Box<dyn Fn(Event) + Send>,
}

/// Why a connection could not be had.
enum Refusal {
    /// This server cannot be talked to; another may.
    Server(io::Error),
    /// The session is gone everywhere.
    Expired,
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Server(error)
    }
}

impl Link {
    pub(super) fn new(
        options: &ClientOptions,
        shared: Arc<Shared>,
        on_event: Box<dyn Fn(Event) + Send>,
    ) -> Self {
        Self {
            servers: options.servers.servers.clone(),
            timeout_ms: options.session_timeout_ms,
            read_only: options.read_only,
            shared,
            on_event,
        }
    }

    /// Keeps the session until it is closed or expired.
    pub(super) fn keep(self) {
        for server in self.servers.iter().cycle() {
            if self.shared.state() == State::Closed {
                return;
            }
            match self.open(server) {
                Ok((connection, frames, ping_every)) => {
                    (self.on_event)(Event::of_state(State::Connected));
                    let error = self.read(connection, frames, ping_every);
                    self.shared.lost(State::Connecting, format!("{server}: {error}"));
                    if self.shared.state() != State::Closed {
                        (self.on_event)(Event::of_state(State::Connecting));
                    }
                }
                Err(Refusal::Expired) => {
                    self.shared.lost(State::Expired, String::new());
                    (self.on_event)(Event::of_state(State::Expired));
                    return;
                }
                Err(Refusal::Server(error)) => {
                    self.shared.lost(State::Connecting, format!("{server}: {error}"));
                    self.shared.pause(ROUND_PAUSE / self.servers.len() as u32);
                }
            }
        }
    }

    fn open(&self, server: &Address) -> Result<(TcpStream, Frames, Duration), Refusal> {
        let mut connection = dial(server)?;
        connection.set_nodelay(true)?;
        connection.set_read_timeout(Some(CONNECT_TIMEOUT))?;
        let (request, resumes) = self.connect_request();
        frame::send(&mut connection, &request)?;
        let mut frames = Frames::default();
        let Some(body) = frames.next(&mut connection)? else {
            return Err(Refusal::Server(io::ErrorKind::TimedOut.into()));
        };
        let response = ConnectResponse::decode(&body).map_err(unreadable)?;
        if response.session == SessionId::NONE || response.timeout_ms <= 0 {
            return Err(if resumes {
                Refusal::Expired
            } else {
                Refusal::Server(io::Error::other("it gave no session"))
            });
        }
        let timeout = Duration::from_millis(response.timeout_ms.unsigned_abs().into());
        let ping_every = timeout / PINGS_PER_TIMEOUT;
        connection.set_read_timeout(Some(ping_every))?;
        self.say_again(&mut connection)?;
        self.shared.opened(connection.try_clone()?, response.session, response.password);
        Ok((connection, frames, ping_every))
    }

    /// The first frame, and whether it brings a session.
    fn connect_request(&self) -> (Vec<u8>, bool) {
        let inner = self.shared.lock();
        let mut request = Vec::new();
        let record = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: inner.last_zxid,
            timeout_ms: self.timeout_ms,
            session: inner.session,
            password: Some(&inner.password),
            read_only: Some(self.read_only),
        };
        record.encode(&mut request);
        (request, inner.session != SessionId::NONE)
    }

    /// Tells a new server what the last one knew: credentials and watches. Their answers are read
    /// with the others', and nobody waits for them.
    fn say_again(&self, connection: &mut TcpStream) -> io::Result<()> {
        let inner = self.shared.lock();
        for (scheme, auth) in &inner.auths {
            let mut body = Vec::new();
            Writer(&mut body).int(xid::AUTH);
            Writer(&mut body).int(OpCode::Auth.code());
            Writer(&mut body).int(0);
            Writer(&mut body).ustring(scheme);
            Writer(&mut body).buffer(Some(auth));
            frame::send(connection, &body)?;
        }
        if !inner.watches.is_empty() {
            let (op, watches) = inner.watches.encode(inner.last_zxid);
            let mut body = Vec::new();
            Writer(&mut body).int(xid::SET_WATCHES);
            Writer(&mut body).int(op.code());
            body.extend_from_slice(&watches);
            frame::send(connection, &body)?;
        }
        Ok(())
    }

    /// Reads until the connection ends; says why it did.
    fn read(
        &self,
        mut connection: TcpStream,
        mut frames: Frames,
        ping_every: Duration,
    ) -> io::Error {
        let mut unanswered_pings = 0;
        loop {
            match frames.next(&mut connection) {
                Ok(Some(body)) => {
                    unanswered_pings = 0;
                    if let Err(error) = self.take(&body) {
                        return error;
                    }
                }
                // Nothing was heard for a third of the timeout: ask, and give up after two asks.
                Ok(None) if unanswered_pings >= PINGS_PER_TIMEOUT - 1 => {
                    let silence = ping_every * PINGS_PER_TIMEOUT;
                    return io::Error::other(format!("nothing was heard for {silence:?}"));
                }
                Ok(None) => {
                    unanswered_pings += 1;
                    if let Err(error) = self.ping() {
                        return error;
                    }
                }
                Err(error) => return error,
            }
        }
    }

    fn ping(&self) -> io::Result<()> {
        let mut body = Vec::new();
        Writer(&mut body).int(xid::PING);
        Writer(&mut body).int(OpCode::Ping.code());
        self.shared.lock().write(&body)
    }

    fn take(&self, body: &[u8]) -> io::Result<()> {
        let mut reader = Reader::new(body);
        let header = ReplyHeader::decode(&mut reader).map_err(unreadable)?;
        if header.zxid > 0 {
            let mut inner = self.shared.lock();
            inner.last_zxid = inner.last_zxid.max(header.zxid);
        }
        if header.xid == xid::NOTIFICATION {
            let event = Event::decode(header.zxid, &mut reader).map_err(unreadable)?;
            self.shared.lock().watches.fired(&event);
            (self.on_event)(event);
        } else {
            let reply = Reply { err: header.err, body: reader.rest().to_vec() };
            self.shared.answered(header.xid, reply);
        }
        Ok(())
    }
}

fn dial(server: &Address) -> io::Result<TcpStream> {
    let mut trouble = io::Error::other("the name has no address");
    for address in (server.host.as_str(), server.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(connection) => return Ok(connection),
            Err(error) => trouble = error,
        }
    }
    Err(trouble)
}

fn unreadable(error: ringkeeper_engine::jute::WireError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}
