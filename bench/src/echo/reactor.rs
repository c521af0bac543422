//! The echo on the engine's reactor.

use std::net::SocketAddr;

use ringkeeper_engine::io::{self, Backend, Completion, Handler, Io, ReactorOptions};

use super::EchoError;

const BACKLOG: u16 = 1024;

/// Connections that have not ended.
struct Echo {
    left: usize,
}

impl Handler for Echo {
    fn on(&mut self, completion: Completion<'_>, io: &mut dyn Io) {
        match completion {
            Completion::Received { conn, bytes, .. } => io.send(conn, bytes),
            Completion::Closed { .. } => self.left -= 1,
            _ => {}
        }
    }
}

pub(super) fn serve(
    backend: Backend,
    at: SocketAddr,
    connections: usize,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), EchoError> {
    let mut reactor = io::start(backend, &ReactorOptions::default(), None)?;
    let listening = reactor.io().listen(at, BACKLOG);
    let (_, at) = listening.map_err(|error| EchoError::Lost(error.to_string()))?;
    ready(at);
    let mut echo = Echo { left: connections };
    while echo.left > 0 {
        reactor.turn(None, &mut echo)?;
    }
    Ok(())
}
