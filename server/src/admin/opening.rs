//! What the first four bytes of a connection are.
//!
//! A client's first frame, a four-letter word, or somebody who meant another port. Java takes the
//! last for a frame of absurd length and closes without a word; here the trace says what it was,
//! and a browser is answered.
//!
//! Not here: later frames. Once a session is open, four bytes are a length and nothing else.

use std::fmt;

use super::Word;

/// The meaning of the first four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// A frame of so many bytes follows.
    Frame(usize),
    Word(Word),
    /// An HTTP request; `answer` has something for it.
    Http,
    /// The hello of a TLS client.
    TlsHello,
    /// A length that no frame may have.
    BadLength {
        length: i32,
        frame_bytes_max: usize,
    },
}

const METHODS: [&[u8; 4]; 10] =
    [b"GET ", b"HEAD", b"POST", b"PUT ", b"DELE", b"OPTI", b"PATC", b"TRAC", b"CONN", b"PRI "];

const HTTP_ANSWER: &str = "HTTP/1.1 400 Bad Request\r\n\
    Content-Type: text/plain\r\n\
    Content-Length: 90\r\n\
    Connection: close\r\n\r\n\
    This port speaks the ZooKeeper protocol, not HTTP. For figures send the word mntr to it.\n\n";

impl Opening {
    pub fn of(bytes: [u8; 4], frame_bytes_max: usize) -> Self {
        if let Some(word) = Word::of(bytes) {
            return Self::Word(word);
        }
        let length = i32::from_be_bytes(bytes);
        match usize::try_from(length) {
            Ok(length) if length <= frame_bytes_max => Self::Frame(length),
            _ if METHODS.contains(&&bytes) => Self::Http,
            // A handshake record of any version.
            _ if bytes[0] == 0x16 && bytes[1] == 0x03 && bytes[2] <= 0x04 => Self::TlsHello,
            _ => Self::BadLength { length, frame_bytes_max },
        }
    }

    /// What is sent before the connection is closed, where anything is.
    pub fn answer(self) -> Option<&'static [u8]> {
        (self == Self::Http).then_some(HTTP_ANSWER.as_bytes())
    }
}

impl fmt::Display for Opening {
    /// For the trace, where a connection ends because of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(length) => write!(f, "a frame of {length} bytes"),
            Self::Word(word) => write!(f, "the four-letter word {}", word.name()),
            Self::Http => f.write_str("an HTTP request on the client port"),
            Self::TlsHello => f.write_str(
                "a TLS hello on the client port, which speaks plain text: \
                 is zookeeper.client.secure set at the client?",
            ),
            Self::BadLength { length, frame_bytes_max } => write!(
                f,
                "Len error: a frame of {length} bytes was announced; \
                 0 to {frame_bytes_max} are allowed (jute.maxbuffer)"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 0xf_ffff;

    #[track_caller]
    fn check(bytes: [u8; 4], expected: Opening) {
        assert_eq!(Opening::of(bytes, MAX), expected);
    }

    #[test]
    fn a_frame_is_bounded_on_both_sides() {
        check([0, 0, 0, 45], Opening::Frame(45));
        check([0; 4], Opening::Frame(0));
        check(0xf_ffffi32.to_be_bytes(), Opening::Frame(MAX));
        for length in [0x10_0000, i32::MAX, -1, i32::MIN] {
            let bad = Opening::BadLength { length, frame_bytes_max: MAX };
            check(length.to_be_bytes(), bad);
        }
    }

    #[test]
    fn strangers_are_recognised() {
        check(*b"GET ", Opening::Http);
        check(*b"PRI ", Opening::Http);
        check([0x16, 0x03, 0x01, 0x02], Opening::TlsHello);
        check(
            [0x16, 0x03, 0x05, 0x02],
            Opening::BadLength { length: 0x1603_0502, frame_bytes_max: MAX },
        );
        check(*b"ruok", Opening::Word(Word::Ruok));
    }

    #[test]
    fn the_answer_to_http_is_as_long_as_it_says() {
        let (head, body) = HTTP_ANSWER.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.contains(&format!("Content-Length: {}", body.len())));
        assert_eq!(Opening::of(*b"POST", MAX).answer(), Some(HTTP_ANSWER.as_bytes()));
        assert_eq!(Opening::TlsHello.answer(), None);
    }

    #[test]
    fn a_word_is_recognised_even_where_frames_may_be_that_long() {
        assert_eq!(Opening::of(*b"mntr", usize::MAX), Opening::Word(Word::Mntr));
    }
}
