//! The text of limits and counts: `count=5,bytes=-1=;byteHardLimit=-1;countHardLimit=10`.
//!
//! Compat: the odd `=;` keeps older servers from reading what follows; all keys but two come sorted
//! after it; -1 is unset (`StatsTrack`, 3.9.5).

use std::collections::BTreeMap;
use std::io::Write;

/// What a quota znode says. A figure it does not mention is -1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Figures<'a> {
    pub(super) count: i64,
    pub(super) bytes: i64,
    pub(super) count_hard: i64,
    pub(super) bytes_hard: i64,
    /// Every key beside `count` and `bytes`, the hard limits among them.
    others: BTreeMap<&'a str, i64>,
}

impl Default for Figures<'_> {
    fn default() -> Self {
        Self { count: -1, bytes: -1, count_hard: -1, bytes_hard: -1, others: BTreeMap::new() }
    }
}

impl<'a> Figures<'a> {
    /// `None` where Java's parser throws.
    pub(super) fn parse(data: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(data).ok()?;
        let mut figures = Self::default();
        if text.is_empty() {
            return Some(figures);
        }
        // Java's `split` drops empty strings at the end alone; an empty pair elsewhere throws.
        let text = text.trim_end_matches([',', ';']);
        let mut pairs = text.split([',', ';']);
        let first = pairs.next()?;
        for pair in std::iter::once(first).chain(pairs.filter(|pair| !pair.is_empty())) {
            let (key, value) = key_value(pair)?;
            match key {
                "count" => figures.count = value,
                "bytes" => figures.bytes = value,
                _ => drop(figures.others.insert(key, value)),
            }
            match key {
                "countHardLimit" => figures.count_hard = value,
                "byteHardLimit" => figures.bytes_hard = value,
                _ => {}
            }
        }
        Some(figures)
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let infallible = "a vector takes all that is written";
        write!(out, "count={},bytes={}", self.count, self.bytes).expect(infallible);
        for (at, (key, value)) in self.others.iter().enumerate() {
            let before = if at == 0 { "=;" } else { ";" };
            write!(out, "{before}{key}={value}").expect(infallible);
        }
    }
}

/// `key=value`; an empty value is -1 if something follows it, as in `key==`'s neighbour `key==1`.
fn key_value(pair: &str) -> Option<(&str, i64)> {
    let mut parts = pair.trim_end_matches('=').split('=');
    let (key, value) = (parts.next()?, parts.next()?);
    let value = if value.is_empty() { -1 } else { value.parse().ok()? };
    Some((key, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(text: &str) -> Option<String> {
        let figures = Figures::parse(text.as_bytes())?;
        let mut out = Vec::new();
        figures.write(&mut out);
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn text_is_rewritten_as_java_would() {
        let cases = [
            ("count=5,bytes=-1", "count=5,bytes=-1"),
            ("bytes=3,count=2", "count=2,bytes=3"),
            ("", "count=-1,bytes=-1"),
            ("count=+5;;bytes=1,,", "count=5,bytes=1"),
            ("count==5", "count=-1,bytes=-1"),
            (
                "count=5,bytes=-1=;countHardLimit=7;byteHardLimit=-1",
                "count=5,bytes=-1=;byteHardLimit=-1;countHardLimit=7",
            ),
            ("count=1,bytes=2,other=3", "count=1,bytes=2=;other=3"),
        ];
        for (text, expected) in cases {
            assert_eq!(rewritten(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_java_throws_at_is_no_text() {
        for text in ["count", "count=", "count=x", ",count=1", "=", "count=99999999999999999999"] {
            assert_eq!(rewritten(text), None, "{text}");
        }
        assert_eq!(Figures::parse(&[0xff]), None);
    }

    #[test]
    fn hard_limits_are_told_from_soft_ones() {
        let figures = Figures::parse(b"count=1,bytes=2=;byteHardLimit=4;countHardLimit=3").unwrap();
        assert_eq!((figures.count_hard, figures.bytes_hard), (3, 4));
    }
}
