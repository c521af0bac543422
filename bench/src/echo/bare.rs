//! The echo in the fewest lines that epoll takes: read, write, wait.
//!
//! What does not fit into the socket is kept, and nothing more is read from that connection until
//! it has left.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};

const EVENTS: usize = 1024;
const RECEIVE_BYTES: usize = 64 << 10;

struct Connection {
    stream: TcpStream,
    unsent: Vec<u8>,
}

pub(super) fn serve(
    at: SocketAddr,
    connections: usize,
    ready: impl FnOnce(SocketAddr),
) -> io::Result<()> {
    let listener = TcpListener::bind(at)?;
    ready(listener.local_addr()?);
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut all = Vec::new();
    for number in 0..connections {
        let (stream, _) = listener.accept()?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let data = EventData::new_u64(number as u64);
        epoll::add(&epoll, &stream, data, EventFlags::IN)?;
        all.push(Some(Connection { stream, unsent: Vec::new() }));
    }
    let mut events: Vec<epoll::Event> = Vec::with_capacity(EVENTS);
    let mut scratch = vec![0; RECEIVE_BYTES];
    let mut left = connections;
    while left > 0 {
        events.clear();
        epoll::wait(&epoll, spare_capacity(&mut events), None)?;
        for event in &events {
            let number = event.data.u64() as usize;
            let Some(connection) = &mut all[number] else { continue };
            let was_stuck = !connection.unsent.is_empty();
            if !connection.echo(&mut scratch) {
                // Closing it takes it out of epoll.
                all[number] = None;
                left -= 1;
                continue;
            }
            let is_stuck = !connection.unsent.is_empty();
            if was_stuck != is_stuck {
                let wants = if is_stuck { EventFlags::OUT } else { EventFlags::IN };
                epoll::modify(&epoll, &connection.stream, event.data, wants)?;
            }
        }
    }
    Ok(())
}

impl Connection {
    /// One read and its write, or what is left of an earlier one; false when the connection ends.
    fn echo(&mut self, scratch: &mut [u8]) -> bool {
        if !self.unsent.is_empty() {
            let sent = send(&mut self.stream, &self.unsent);
            return sent.map(|count| drop(self.unsent.drain(..count))).is_ok();
        }
        match self.stream.read(scratch) {
            Ok(0) => false,
            Ok(count) => match send(&mut self.stream, &scratch[..count]) {
                Ok(sent) => {
                    self.unsent.extend_from_slice(&scratch[sent..count]);
                    true
                }
                Err(_) => false,
            },
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        }
    }
}

/// How much the socket took.
fn send(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    match stream.write(bytes) {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(0)
        }
        sent => sent,
    }
}
