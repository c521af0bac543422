//! Cutting a client's bytes into frames: `int length`, then so many bytes.
//!
//! Before a connection has a session, its first four bytes may also be a four-letter word (they are
//! compared first, as in `NIOServerCnxn.readLength`, 3.9.5) or the beginning of a protocol that
//! does not belong here; afterwards they are always a length.
//!
//! Not here: what is inside a frame.

/// What stands at the head of a connection's unread bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A whole frame, and how many bytes it took with its length.
    Whole { body: &'a [u8], taken: usize },
    /// So many more bytes complete the frame, or its length where that is not there yet.
    Partial { missing: usize },
}

/// A length that no honest client sends. The connection ends without a reply.
#[derive(Debug, PartialEq, Eq)]
pub struct FrameError {
    pub length: i32,
}

/// The frame at the head of `bytes`.
///
/// A frame is refused by its length alone, before any of it is waited for, so that a hostile
/// length holds no memory.
pub fn split(bytes: &[u8], frame_bytes_max: usize) -> Result<Frame<'_>, FrameError> {
    let Some((head, rest)) = bytes.split_first_chunk::<4>() else {
        return Ok(Frame::Partial { missing: 4 - bytes.len() });
    };
    let length = i32::from_be_bytes(*head);
    match usize::try_from(length) {
        Ok(count) if count <= frame_bytes_max => Ok(match rest.get(..count) {
            Some(body) => Frame::Whole { body, taken: 4 + count },
            None => Frame::Partial { missing: count - rest.len() },
        }),
        _ => Err(FrameError { length }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_may_come_in_any_pieces() {
        let bytes = [0, 0, 0, 3, b'a', b'b', b'c', 0];
        for cut in 0..7 {
            let missing = if cut < 4 { 4 - cut } else { 7 - cut };
            assert_eq!(split(&bytes[..cut], 100), Ok(Frame::Partial { missing }), "cut at {cut}");
        }
        assert_eq!(split(&bytes, 100), Ok(Frame::Whole { body: b"abc", taken: 7 }));
    }

    #[test]
    fn hostile_lengths_are_refused_before_their_bytes_come() {
        for length in [-1, i32::MIN, 101, i32::MAX, 0x4745_5420] {
            assert_eq!(split(&length.to_be_bytes(), 100), Err(FrameError { length }));
        }
        assert_eq!(split(&100i32.to_be_bytes(), 100), Ok(Frame::Partial { missing: 100 }));
    }
}
