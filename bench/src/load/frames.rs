//! Answers out of a stream that is cut anywhere.
//!
//! Whole frames are read where they were received; only one that is cut is copied together.
//!
//! Not here: what an answer means (`session`).

/// The length of a frame stands before it.
const LENGTH_BYTES: usize = 4;

/// No answer here is near that long: a longer one is no ZooKeeper's.
const FRAME_BYTES_MAX: usize = 16 << 20;

/// A frame of impossible length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadLength(pub(crate) i32);

/// The frame that has not come whole.
#[derive(Default)]
pub(crate) struct Frames {
    cut: Vec<u8>,
}

impl Frames {
    /// Calls `each` with the body of every frame that is whole, in order.
    pub(crate) fn receive(
        &mut self,
        mut bytes: &[u8],
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), BadLength> {
        if !self.cut.is_empty() {
            bytes = self.complete(bytes)?;
            match whole(&self.cut)? {
                Some(body) => each(body),
                None => return Ok(()),
            }
            self.cut.clear();
        }
        while let Some(body) = whole(bytes)? {
            each(body);
            bytes = &bytes[LENGTH_BYTES + body.len()..];
        }
        self.cut.extend_from_slice(bytes);
        Ok(())
    }

    /// Takes from `bytes` what the cut frame lacks; answers what is left.
    fn complete<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], BadLength> {
        let (length, bytes) = self.take_until(LENGTH_BYTES, bytes);
        if !length {
            return Ok(bytes);
        }
        let body = length_of(&self.cut)?;
        let (_, bytes) = self.take_until(LENGTH_BYTES + body, bytes);
        Ok(bytes)
    }

    /// Whether the cut frame has `wanted` bytes now, and what is left of `bytes`.
    fn take_until<'a>(&mut self, wanted: usize, bytes: &'a [u8]) -> (bool, &'a [u8]) {
        let missing = wanted.saturating_sub(self.cut.len()).min(bytes.len());
        let (taken, left) = bytes.split_at(missing);
        self.cut.extend_from_slice(taken);
        (self.cut.len() >= wanted, left)
    }
}

/// What the first four bytes say.
fn length_of(bytes: &[u8]) -> Result<usize, BadLength> {
    let (length, _) = bytes.split_first_chunk::<LENGTH_BYTES>().expect("the callers looked");
    let length = i32::from_be_bytes(*length);
    usize::try_from(length).ok().filter(|n| *n <= FRAME_BYTES_MAX).ok_or(BadLength(length))
}

fn whole(bytes: &[u8]) -> Result<Option<&[u8]>, BadLength> {
    if bytes.len() < LENGTH_BYTES {
        return Ok(None);
    }
    let length = length_of(bytes)?;
    Ok(bytes[LENGTH_BYTES..].get(..length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(bodies: &[&[u8]]) -> Vec<u8> {
        let frames = bodies.iter().map(|body| {
            let length = i32::try_from(body.len()).unwrap().to_be_bytes();
            [&length[..], body].concat()
        });
        frames.collect::<Vec<_>>().concat()
    }

    #[test]
    fn frames_come_whole_however_the_stream_is_cut() {
        let bodies: [&[u8]; 4] = [b"one", b"", b"three", b"a longer body than the others"];
        let bytes = stream(&bodies);
        for size in 1..=bytes.len() {
            let (mut frames, mut seen) = (Frames::default(), Vec::new());
            for piece in bytes.chunks(size) {
                frames.receive(piece, |body| seen.push(body.to_vec())).unwrap();
            }
            assert_eq!(seen, bodies, "pieces of {size}");
            assert!(frames.cut.is_empty());
        }
    }

    #[test]
    fn impossible_lengths_are_refused() {
        let mut frames = Frames::default();
        assert_eq!(frames.receive(&[0xff; 4], |_| ()), Err(BadLength(-1)));
        let mut frames = Frames::default();
        frames.receive(&[0x7f, 0xff], |_| ()).unwrap();
        assert_eq!(frames.receive(&[0xff, 0xff], |_| ()), Err(BadLength(i32::MAX)));
    }
}
