//! Messages of the sizes that the real ones have, with no more in them than it takes to answer the
//! right client.
//!
//! ```text
//! client  -> server    request   as it comes
//! follower -> leader   forward   header of 24 | request
//! leader  -> follower  proposal  header of 52 | request
//! both ways            mark      20: "all up to this number", durable here or committed
//!
//! header:  u8 CARRIED | u8 server | u16 0 | u32 client | zeros
//! mark:    u8 MARK | 7 zeros | u64 number | 4 zeros
//! ```
//!
//! Not here: who sends which (`peer`).

/// What a setData has beside its data: length, xid and op (12), a path of 40 letters as `load`
/// makes them and its length (44), the data's length (4), the version (4).
const REQUEST_OVERHEAD_BYTES: usize = 64;

/// An answer to a setData: length (4), header (16), stat (68).
pub(super) const ANSWER_BYTES: usize = 88;

/// What a REQUEST to the leader has beside the client's: the packet's frame (20), session, cxid and
/// op (16), less length, xid and op.
pub(super) const FORWARD_HEADER_BYTES: usize = 24;

/// What a PROPOSAL has beside the client's request: the packet's frame (20), the txn's header (32)
/// and its digest (12), less length, xid and op.
pub(super) const PROPOSAL_HEADER_BYTES: usize = 52;

/// An ACK or a COMMIT: a packet without data.
pub(super) const MARK_BYTES: usize = 20;

const CARRIED: u8 = 1;
const MARK: u8 = 2;

pub(super) fn request_bytes(data_bytes: usize) -> usize {
    data_bytes + REQUEST_OVERHEAD_BYTES
}

/// Whose request it is: which server's, and there which connection's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) server: u8,
    pub(super) client: u32,
}

impl Origin {
    /// The `BYTES` in front of its request.
    pub(super) fn header<const BYTES: usize>(self) -> [u8; BYTES] {
        let mut header = [0; BYTES];
        (header[0], header[1]) = (CARRIED, self.server);
        header[4..8].copy_from_slice(&self.client.to_be_bytes());
        header
    }
}

/// All up to `number`.
pub(super) fn mark(number: u64) -> [u8; MARK_BYTES] {
    let mut bytes = [0; MARK_BYTES];
    bytes[0] = MARK;
    bytes[8..16].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// What came from another server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Message {
    Carried(Origin),
    Mark(u64),
}

impl Message {
    /// Of a whole message.
    pub(super) fn read(bytes: &[u8]) -> Self {
        if is_mark(bytes[0]) {
            let number = bytes[8..16].try_into().expect("a range of eight bytes");
            return Self::Mark(u64::from_be_bytes(number));
        }
        let client = bytes[4..8].try_into().expect("a range of four bytes");
        Self::Carried(Origin { server: bytes[1], client: u32::from_be_bytes(client) })
    }
}

pub(super) fn is_mark(first: u8) -> bool {
    first == MARK
}

/// A stream cut into messages: what has come of one that is not whole.
#[derive(Default)]
pub(super) struct Cut {
    begun: Vec<u8>,
}

impl Cut {
    /// Gives each message that is whole with `bytes` to `each`, where it lies if it came in one
    /// piece. Its first byte tells its size.
    pub(super) fn each(
        &mut self,
        mut bytes: &[u8],
        size_of: impl Fn(u8) -> usize,
        mut each: impl FnMut(&[u8]),
    ) {
        if let Some(first) = self.begun.first() {
            let missing = size_of(*first) - self.begun.len();
            let (rest_of_it, rest) = bytes.split_at(missing.min(bytes.len()));
            self.begun.extend_from_slice(rest_of_it);
            if rest_of_it.len() < missing {
                return;
            }
            each(&self.begun);
            self.begun.clear();
            bytes = rest;
        }
        while let Some(first) = bytes.first() {
            let Some((message, rest)) = bytes.split_at_checked(size_of(*first)) else {
                return self.begun.extend_from_slice(bytes);
            };
            each(message);
            bytes = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_the_same_messages_wherever_it_is_cut() {
        let origin = Origin { server: 2, client: 70_000 };
        let mut stream = Vec::new();
        stream.extend_from_slice(&origin.header::<FORWARD_HEADER_BYTES>());
        stream.extend_from_slice(&[7; 10]);
        stream.extend_from_slice(&mark(1 << 40));
        stream.extend_from_slice(&origin.header::<FORWARD_HEADER_BYTES>());
        stream.extend_from_slice(&[8; 10]);
        let size_of = |first| if is_mark(first) { MARK_BYTES } else { FORWARD_HEADER_BYTES + 10 };
        for piece in 1..=stream.len() {
            let (mut cut, mut came) = (Cut::default(), Vec::new());
            for bytes in stream.chunks(piece) {
                cut.each(bytes, size_of, |message| {
                    came.push((Message::read(message), message[message.len() - 1]));
                });
            }
            let carried = Message::Carried(origin);
            assert_eq!(came, [(carried, 7), (Message::Mark(1 << 40), 0), (carried, 8)]);
        }
    }
}
