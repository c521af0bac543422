//! One connection to one server, whose every step waits for the answer.
//!
//! What is measured here is a moment, not a rate: nothing stands between the answer and the clock.
//!
//! Not here: when it is opened again (`failover`, `restart`), load (`crate::load`).

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use ringkeeper::wire::{ConnectRequest, ConnectResponse, OpCode, ReplyHeader, SessionId};
use ringkeeper_engine::jute::{Reader, Writer};

use crate::load::{Frames, Requests};

/// Asked of the server: longer than any round.
const SESSION_TIMEOUT_MS: i32 = 40_000;

/// A server that does not open a session so soon is left for the next.
const OPEN_PATIENCE: Duration = Duration::from_millis(250);

/// An answer that takes longer is none.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);

const RECEIVE_BYTES: usize = 64 << 10;

/// Why a connection is of no use.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the server closed the connection")]
    Closed,
    #[error("the session has expired")]
    Expired,
    #[error("an answer that cannot be read")]
    Unreadable,
}

/// What a client keeps between connections.
#[derive(Clone, Copy)]
pub(super) struct Ticket {
    session: SessionId,
    password: [u8; 16],
    /// A server that is behind this may not serve the session.
    last_zxid: i64,
}

impl Ticket {
    /// Of a session that is still to be given.
    pub(super) const NEW: Self = Self { session: SessionId::NONE, password: [0; 16], last_zxid: 0 };
}

pub(super) struct Link {
    stream: TcpStream,
    frames: Frames,
    buffer: Vec<u8>,
    answers: VecDeque<ReplyHeader>,
    ticket: Ticket,
    xid: i32,
}

impl Link {
    /// Opens the ticket's session, or a new one.
    pub(super) fn open(address: SocketAddr, ticket: Ticket) -> Result<Self, LinkError> {
        let stream = TcpStream::connect_timeout(&address, OPEN_PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(OPEN_PATIENCE))?;
        stream.set_write_timeout(Some(ANSWER_PATIENCE))?;
        let (frames, buffer) = (Frames::default(), vec![0; RECEIVE_BYTES]);
        let mut link = Self { stream, frames, buffer, answers: VecDeque::new(), ticket, xid: 0 };
        link.stream.write_all(&opening(ticket))?;
        let mut response = None;
        while response.is_none() {
            link.receive(|body| response = ConnectResponse::decode(body).ok().or(response))?;
        }
        let response = response.ok_or(LinkError::Unreadable)?;
        if response.session == SessionId::NONE {
            return Err(LinkError::Expired);
        }
        link.ticket.session = response.session;
        link.ticket.password = response.password;
        link.stream.set_read_timeout(Some(ANSWER_PATIENCE))?;
        Ok(link)
    }

    /// To open the session again elsewhere.
    pub(super) fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// The xid of the next request.
    pub(super) fn next_xid(&mut self) -> i32 {
        self.xid += 1;
        self.xid
    }

    pub(super) fn send(&mut self, requests: &[u8]) -> Result<(), LinkError> {
        Ok(self.stream.write_all(requests)?)
    }

    /// The next answer, in the order asked.
    pub(super) fn answer(&mut self) -> Result<ReplyHeader, LinkError> {
        loop {
            if let Some(answer) = self.answers.pop_front() {
                self.ticket.last_zxid = self.ticket.last_zxid.max(answer.zxid);
                return Ok(answer);
            }
            let (mut answers, mut is_readable) = (std::mem::take(&mut self.answers), true);
            let received = self.receive(|body| match ReplyHeader::decode(&mut Reader::new(body)) {
                // Events and pings have no place in the order.
                Ok(header) if header.xid < 0 => (),
                Ok(header) => answers.push_back(header),
                Err(_) => is_readable = false,
            });
            self.answers = answers;
            received?;
            if !is_readable {
                return Err(LinkError::Unreadable);
            }
        }
    }

    /// One request of `requests`, as `write` has it, and its answer.
    pub(super) fn ask(
        &mut self,
        requests: &mut Requests,
        write: impl FnOnce(&mut Requests, i32, &mut Vec<u8>),
    ) -> Result<ReplyHeader, LinkError> {
        let mut frame = Vec::new();
        write(requests, self.next_xid(), &mut frame);
        self.send(&frame)?;
        self.answer()
    }

    /// Ends the session, so that it does not expire in the midst of what follows.
    pub(super) fn close(mut self) -> Result<(), LinkError> {
        let mut frame = Vec::new();
        let xid = self.next_xid();
        let mut writer = Writer(&mut frame);
        writer.int(8);
        writer.int(xid);
        writer.int(OpCode::CloseSession.code());
        self.send(&frame)?;
        self.answer().map(drop)
    }

    fn receive(&mut self, each: impl FnMut(&[u8])) -> Result<(), LinkError> {
        let count = self.stream.read(&mut self.buffer)?;
        if count == 0 {
            return Err(LinkError::Closed);
        }
        self.frames.receive(&self.buffer[..count], each).map_err(|_| LinkError::Unreadable)
    }
}

fn opening(ticket: Ticket) -> Vec<u8> {
    let mut frame = vec![0; 4];
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: ticket.last_zxid,
        timeout_ms: SESSION_TIMEOUT_MS,
        session: ticket.session,
        password: Some(&ticket.password),
        read_only: Some(false),
    };
    request.encode(&mut frame);
    let length = i32::try_from(frame.len() - 4).expect("a few dozen bytes");
    Writer(&mut frame).patch_int(0, length);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_opened_again_by_its_ticket() {
        let ticket = Ticket { session: SessionId(7), password: [5; 16], last_zxid: 9 };
        let frame = opening(ticket);
        let request = ConnectRequest::decode(&frame[4..]).unwrap();
        assert_eq!((request.session, request.last_zxid_seen), (SessionId(7), 9));
        assert_eq!(request.password, Some(&[5; 16][..]));
        assert_eq!(frame[..4], i32::try_from(frame.len() - 4).unwrap().to_be_bytes());
    }
}
