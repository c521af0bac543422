//! Writing jute: appends to a byte vector the caller owns and reuses.

/// Appends records to a buffer. Lengths are `i32` on the wire; nothing that large can reach here,
/// because frames, packets and txns are bounded (`limits`).
pub struct Writer<'a>(pub &'a mut Vec<u8>);

impl Writer<'_> {
    #[inline]
    pub fn byte(&mut self, value: u8) {
        self.0.push(value);
    }

    #[inline]
    pub fn bool(&mut self, value: bool) {
        self.0.push(value.into());
    }

    #[inline]
    pub fn int(&mut self, value: i32) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    #[inline]
    pub fn long(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// A buffer, null as length -1.
    #[inline]
    pub fn buffer(&mut self, value: Option<&[u8]>) {
        match value {
            Some(bytes) => {
                self.length(bytes.len());
                self.bytes(bytes);
            }
            None => self.int(-1),
        }
    }

    /// A string as Java writes it.
    ///
    /// Compat: characters beyond U+FFFF go out as two three-byte surrogates
    /// (`BinaryOutputArchive.stringToByteBuffer`, 3.9.5).
    #[inline]
    pub fn ustring(&mut self, text: &str) {
        // Four-byte sequences begin with 0xf0 and above; without one, UTF-8 and Java's form agree.
        if text.bytes().all(|byte| byte < 0xf0) {
            self.buffer(Some(text.as_bytes()));
        } else {
            self.surrogates(text);
        }
    }

    #[cold]
    fn surrogates(&mut self, text: &str) {
        let at = self.0.len();
        self.int(0);
        for unit in text.encode_utf16() {
            let unit = u32::from(unit);
            match unit {
                0..0x80 => self.0.push(unit as u8),
                0x80..0x800 => {
                    self.0
                        .extend_from_slice(&[0xc0 | (unit >> 6) as u8, 0x80 | (unit & 0x3f) as u8]);
                }
                _ => self.0.extend_from_slice(&[
                    0xe0 | (unit >> 12) as u8,
                    0x80 | (unit >> 6 & 0x3f) as u8,
                    0x80 | (unit & 0x3f) as u8,
                ]),
            }
        }
        let length = self.0.len() - at - 4;
        self.patch_int(at, i32::try_from(length).expect("strings are bounded by the frame"));
    }

    pub fn ustring_or_null(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.ustring(text),
            None => self.int(-1),
        }
    }

    /// A vector's count.
    #[inline]
    pub fn count(&mut self, count: usize) {
        self.length(count);
    }

    /// Overwrites the int at `at`, for lengths known only afterwards.
    #[inline]
    pub fn patch_int(&mut self, at: usize, value: i32) {
        self.0[at..at + 4].copy_from_slice(&value.to_be_bytes());
    }

    #[inline]
    fn length(&mut self, length: usize) {
        self.int(i32::try_from(length).expect("lengths are bounded by the frame, see `limits`"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_basic_plane_java_writes_surrogates() {
        let mut out = Vec::new();
        Writer(&mut out).ustring("a:\u{1f600}");
        assert_eq!(out, [0, 0, 0, 8, b'a', b':', 0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]);
    }

    #[test]
    fn the_rest_is_plain_utf8() {
        let mut out = Vec::new();
        Writer(&mut out).ustring("/é€");
        assert_eq!(&out[4..], "/é€".as_bytes());
    }
}
