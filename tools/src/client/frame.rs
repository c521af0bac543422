//! Frames on a socket: a length, then so many bytes.
//!
//! A read may end in the middle of a frame because it timed out; what has come so far is kept.
//!
//! Not here: what is in them.

use std::io::{self, Read, Write};
use std::net::TcpStream;

/// Larger answers are taken for damage. Servers do not bound their answers, Java clients do.
const FRAME_BYTES_MAX: usize = 64 << 20;

/// What has been read of a connection and not been used.
#[derive(Default)]
pub(super) struct Frames {
    received: Vec<u8>,
}

impl Frames {
    /// The next whole frame. `None` where the read timed out before it was whole.
    pub(super) fn next(&mut self, connection: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(body) = self.take()? {
                return Ok(Some(body));
            }
            let at = self.received.len();
            self.received.resize(at + (64 << 10), 0);
            let read = connection.read(&mut self.received[at..]);
            self.received.truncate(at + read.as_ref().copied().unwrap_or(0));
            match read {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if timed_out(&error) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    fn take(&mut self) -> io::Result<Option<Vec<u8>>> {
        let Some((length, rest)) = self.received.split_first_chunk::<4>() else { return Ok(None) };
        let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > FRAME_BYTES_MAX {
            return Err(io::Error::other("the server sent a frame of absurd length"));
        }
        let Some(body) = rest.get(..length).map(<[u8]>::to_vec) else { return Ok(None) };
        self.received.drain(..4 + length);
        Ok(Some(body))
    }
}

/// Writes `body` as one frame, in one call.
pub(super) fn send(connection: &mut TcpStream, body: &[u8]) -> io::Result<()> {
    let length = i32::try_from(body.len()).map_err(|_| io::Error::other("a frame above 2 GiB"))?;
    connection.write_all(&[&length.to_be_bytes()[..], body].concat())
}

fn timed_out(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_taken_when_it_is_whole() {
        let mut frames = Frames { received: vec![0, 0, 0, 2, b'a'] };
        assert_eq!(frames.take().expect("good"), None);
        frames.received.extend_from_slice(&[b'b', 0, 0]);
        assert_eq!(frames.take().expect("good"), Some(b"ab".to_vec()));
        assert_eq!(frames.received, [0, 0]);
        let mut hostile = Frames { received: vec![0x7f, 0xff, 0xff, 0xff] };
        assert!(hostile.take().is_err());
    }
}
