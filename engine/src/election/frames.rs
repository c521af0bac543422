//! Frames of an election connection: `int length (1..=524288) | payload`.
//!
//! Not here: what a payload says (`notification`), whose link it is (`links`).

use crate::ids::ServerId;
use crate::limits::ELECTION_MESSAGE_BYTES_MAX;

/// What a link brought: whole messages of one peer.
pub(super) struct Inbound {
    pub(super) peer: ServerId,
    /// The link has just opened: the peer has not heard anything of ours on it.
    pub(super) is_new: bool,
    /// Frames as `whole_frames` counted them.
    pub(super) frames: Vec<u8>,
}

impl Inbound {
    /// The payloads, without their lengths.
    pub(super) fn payloads(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.frames[..];
        std::iter::from_fn(move || {
            let (length, after) = rest.split_first_chunk::<4>()?;
            let (payload, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
            rest = after;
            Some(payload)
        })
    }
}

/// How many bytes whole frames take at the head of `inbox`, and whether what follows them may
/// become one. Where it may not, the link has to end.
pub(super) fn whole_frames(inbox: &[u8]) -> (usize, bool) {
    let mut at = 0;
    while let Some(length) = inbox[at..].first_chunk::<4>() {
        // A negative length is huge as unsigned and so refused.
        let length = u32::from_be_bytes(*length) as usize;
        if length == 0 || length > ELECTION_MESSAGE_BYTES_MAX {
            return (at, false);
        }
        if inbox.len() - at - 4 < length {
            break;
        }
        at += 4 + length;
    }
    (at, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(payload: &[u8]) -> Vec<u8> {
        [&(payload.len() as u32).to_be_bytes()[..], payload].concat()
    }

    #[test]
    fn only_whole_frames_are_taken() {
        let two = [frame(b"abc"), frame(b"d")].concat();
        let ends = [(0, 0), (6, 0), (7, 7), (11, 7), (12, 12)];
        for (cut, whole) in ends {
            assert_eq!(whole_frames(&two[..cut]), (whole, true), "{cut} bytes");
        }
        let inbound = Inbound { peer: ServerId(1), is_new: false, frames: two };
        assert_eq!(inbound.payloads().collect::<Vec<_>>(), [&b"abc"[..], b"d"]);
    }

    #[test]
    fn a_wild_length_ends_the_link_after_the_frames_before_it() {
        let check = |length: i32| {
            let bytes = [frame(b"abc"), length.to_be_bytes().to_vec()].concat();
            assert_eq!(whole_frames(&bytes), (7, false), "{length}");
        };
        for length in [0, -1, i32::MIN, i32::MAX, ELECTION_MESSAGE_BYTES_MAX as i32 + 1] {
            check(length);
        }
        check(i32::from_be_bytes(*b"GET "));
        let longest = (ELECTION_MESSAGE_BYTES_MAX as i32).to_be_bytes();
        assert_eq!(whole_frames(&longest), (0, true));
    }
}
