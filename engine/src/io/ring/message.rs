//! How a send of several pieces is told to the kernel: `sendmsg(2)`'s header, and its vector of pieces.
//!
//! Not here: the pieces' bytes, which the cargo keeps (R1).

#![expect(unsafe_code, reason = "AI-5: the kernel's structures")]

use super::SEND_BYTES_MAX;

/// The kernel takes no more pieces at once (`UIO_MAXIOV`).
const PIECES_MAX: usize = 1024;

/// Both, on the heap, where they stay however this is moved.
pub(super) struct Message {
    header: Box<libc::msghdr>,
    pieces: Vec<libc::iovec>,
}

impl Default for Message {
    fn default() -> Self {
        // Safety: all zeroes are a header with nothing in it.
        Self { header: Box::new(unsafe { std::mem::zeroed() }), pieces: Vec::new() }
    }
}

impl Message {
    /// Names these pieces, as many of them as one send takes. The header is good until another call,
    /// and as long as they stay where they are.
    pub(super) fn name<'a>(
        &mut self,
        pieces: impl Iterator<Item = &'a [u8]>,
    ) -> *const libc::msghdr {
        self.pieces.clear();
        let mut room = SEND_BYTES_MAX;
        for piece in pieces.take(PIECES_MAX) {
            let length = piece.len().min(room);
            if length == 0 {
                break;
            }
            room -= length;
            // `sendmsg` reads what the pieces name, though its structure would let it write.
            let base = piece.as_ptr().cast_mut().cast();
            self.pieces.push(libc::iovec { iov_base: base, iov_len: length });
        }
        self.header.msg_iov = self.pieces.as_mut_ptr();
        self.header.msg_iovlen = self.pieces.len() as _;
        &raw const *self.header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_as_many_pieces_as_the_kernel_takes() {
        let bytes = [7; 3];
        let mut message = Message::default();
        let header = message.name(std::iter::repeat_n(&bytes[..], PIECES_MAX + 1));
        // Safety: `message` lives and is not changed.
        assert_eq!(unsafe { (*header).msg_iovlen }, PIECES_MAX);
        assert!(message.pieces.iter().all(|piece| piece.iov_len == 3));
        let header = message.name([&bytes[..2], &bytes].into_iter());
        // Safety: the same.
        let named = unsafe { std::slice::from_raw_parts((*header).msg_iov, 2) };
        assert_eq!(named[0].iov_base as usize, bytes.as_ptr() as usize);
        assert_eq!((named[0].iov_len, named[1].iov_len), (2, 3));
    }
}
