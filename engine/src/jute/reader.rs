//! Reading jute from bytes somebody else wrote.
//!
//! Nothing here allocates from a length that was read: a string or buffer is a slice of the input,
//! a count is checked against the bytes that remain before anybody reserves room for it.

use std::borrow::Cow;
use std::fmt;

use bstr::ByteSlice;

/// A peer or client sent something we cannot read. The connection ends, or the request is refused;
/// the server goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WireError {
    /// The bytes ended before the field did.
    Short { field: &'static str, missing: usize },
    /// A length below -1, or above what the bytes could hold.
    BadLength { field: &'static str, length: i32 },
    /// A code outside the protocol's table.
    UnknownCode { field: &'static str, code: i32 },
    /// A null where the protocol has none.
    Null { field: &'static str },
    /// Readable, but at odds with what came before it.
    Contradiction { field: &'static str },
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { field, missing } => {
                write!(f, "the bytes end {missing} short of the end of `{field}`")
            }
            Self::BadLength { field, length } => {
                write!(f, "`{field}` claims a length of {length}, which cannot be")
            }
            Self::UnknownCode { field, code } => write!(f, "`{field}` has no code {code}"),
            Self::Null { field } => write!(f, "`{field}` is null, which it may not be"),
            Self::Contradiction { field } => write!(f, "`{field}` contradicts what came before"),
        }
    }
}

impl std::error::Error for WireError {}

/// A place in a run of bytes. Copying it is how one looks ahead.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes have been read.
    #[inline]
    pub fn position(&self) -> usize {
        self.at
    }

    #[inline]
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// All that has not been read.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    #[inline]
    pub fn bytes(&mut self, count: usize, field: &'static str) -> Result<&'a [u8], WireError> {
        if count > self.remaining() {
            return Err(WireError::Short { field, missing: count - self.remaining() });
        }
        let taken = &self.bytes[self.at..self.at + count];
        self.at += count;
        Ok(taken)
    }

    /// A record of so many bytes that are read together, or `None` where fewer are left.
    #[inline]
    pub fn record<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (taken, _) = self.bytes[self.at..].split_first_chunk::<N>()?;
        self.at += N;
        Some(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], WireError> {
        let taken = self.bytes(N, field)?;
        Ok(taken.try_into().expect("`bytes` returns as many as it was asked for"))
    }

    #[inline]
    pub fn byte(&mut self, field: &'static str) -> Result<u8, WireError> {
        Ok(self.array::<1>(field)?[0])
    }

    /// Compat: any byte but zero is true (`BinaryInputArchive.readBool`, 3.9.5).
    #[inline]
    pub fn bool(&mut self, field: &'static str) -> Result<bool, WireError> {
        Ok(self.byte(field)? != 0)
    }

    #[inline]
    pub fn int(&mut self, field: &'static str) -> Result<i32, WireError> {
        Ok(i32::from_be_bytes(self.array(field)?))
    }

    #[inline]
    pub fn long(&mut self, field: &'static str) -> Result<i64, WireError> {
        Ok(i64::from_be_bytes(self.array(field)?))
    }

    /// A buffer; `None` is null (length -1), which differs from empty.
    #[inline]
    pub fn buffer(&mut self, field: &'static str) -> Result<Option<&'a [u8]>, WireError> {
        let length = self.int(field)?;
        match usize::try_from(length) {
            Ok(count) if count <= self.remaining() => self.bytes(count, field).map(Some),
            Ok(count) => Err(WireError::Short { field, missing: count - self.remaining() }),
            Err(_) if length == -1 => Ok(None),
            Err(_) => Err(WireError::BadLength { field, length }),
        }
    }

    /// A string as Java would read it: what is not UTF-8 becomes U+FFFD, never an error.
    ///
    /// Compat: Java's decoder gives one U+FFFD for each three-byte surrogate, where Rust's gives
    /// three (`BinaryInputArchive.readString`, 3.9.5).
    #[inline]
    pub fn ustring(&mut self, field: &'static str) -> Result<Option<Cow<'a, str>>, WireError> {
        Ok(self.buffer(field)?.map(java_utf8))
    }

    /// A vector's count; `None` is null (-1).
    ///
    /// Every element of every vector in the protocol takes at least one byte, so a count above the
    /// remaining bytes cannot be honest and is refused before anybody allocates for it.
    /// Compat: other negative counts read as an empty vector (`BinaryInputArchive.startVector`).
    #[inline]
    pub fn count(&mut self, field: &'static str) -> Result<Option<usize>, WireError> {
        let count = self.int(field)?;
        match usize::try_from(count) {
            Ok(n) if n <= self.remaining() => Ok(Some(n)),
            Ok(n) => Err(WireError::Short { field, missing: n - self.remaining() }),
            Err(_) if count == -1 => Ok(None),
            Err(_) => Ok(Some(0)),
        }
    }
}

/// UTF-8 as Java decodes it. Borrowed where the bytes are good UTF-8, which is nearly always.
fn java_utf8(bytes: &[u8]) -> Cow<'_, str> {
    match bytes.to_str() {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(java_utf8_lossy(bytes)),
    }
}

fn java_utf8_lossy(mut bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    while !bytes.is_empty() {
        match std::str::from_utf8(bytes) {
            Ok(good) => {
                text.push_str(good);
                break;
            }
            Err(error) => {
                let (good, bad) = bytes.split_at(error.valid_up_to());
                text.push_str(std::str::from_utf8(good).expect("checked by `valid_up_to`"));
                text.push('\u{fffd}');
                bytes = &bad[malformed_length(bad, error.error_len())..];
            }
        }
    }
    text
}

/// How many bytes Java replaces by one U+FFFD at the head of `bad`.
fn malformed_length(bad: &[u8], rust: Option<usize>) -> usize {
    let continues = |at: usize| bad.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    let surrogate = bad[0] == 0xed && bad.get(1).is_some_and(|byte| byte & 0xe0 == 0xa0);
    if surrogate && continues(2) { 3 } else { rust.unwrap_or(bad.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        java_utf8(bytes).into_owned()
    }

    #[test]
    fn a_surrogate_becomes_one_replacement_as_in_java() {
        assert_eq!(text(&[b'a', 0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]), "a\u{fffd}\u{fffd}");
        assert_eq!(text(&[0xff, 0xfe]), "\u{fffd}\u{fffd}");
        assert_eq!(text(&[0xc0, 0x80]), "\u{fffd}\u{fffd}");
        assert_eq!(text(&[0xe2, 0x82]), "\u{fffd}");
    }

    #[test]
    fn hostile_lengths_are_refused_without_allocating() {
        let huge = i32::MAX.to_be_bytes();
        assert!(matches!(Reader::new(&huge).buffer("data"), Err(WireError::Short { .. })));
        assert!(matches!(Reader::new(&huge).count("acl"), Err(WireError::Short { .. })));
        let below = (-2i32).to_be_bytes();
        let error = Reader::new(&below).buffer("data");
        assert_eq!(error, Err(WireError::BadLength { field: "data", length: -2 }));
        assert_eq!(Reader::new(&below).count("acl"), Ok(Some(0)));
    }

    #[test]
    fn null_differs_from_empty() {
        assert_eq!(Reader::new(&[0xff; 4]).buffer("data"), Ok(None));
        assert_eq!(Reader::new(&[0; 4]).buffer("data"), Ok(Some(&[][..])));
    }
}
