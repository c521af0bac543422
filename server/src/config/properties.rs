//! Java's Properties format, which is what a `zoo.cfg` is written in.
//!
//! The rules are those of `java.util.Properties.load(InputStream)`: bytes are ISO 8859-1; a line
//! whose first visible character is `#` or `!` is a comment; a line that ends in an odd number of
//! backslashes goes on in the next; the key ends at the first unescaped `=`, `:` or blank;
//! `\t \n \r \f`, and `\u` with four digits, are characters; a backslash before anything else is dropped.
//! ZooKeeper then trims key and value.
//!
//! Every occurrence of a key is returned, in order and with its line: that the last one counts is
//! `raw`'s business, and so is saying so.
//!
//! Not here: what the keys mean.

/// One `key=value` of a file. `line` counts from 1 and is where the entry begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Property {
    pub(super) line: usize,
    pub(super) key: String,
    pub(super) value: String,
    /// The line held bytes beyond ASCII, which Java reads as ISO 8859-1 whatever the editor wrote.
    pub(super) beyond_ascii: bool,
}

/// `\u` was not followed by four hex digits, which Java refuses the whole file for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MalformedEscape {
    pub(super) line: usize,
}

/// Reads a file. On failure, every line that is malformed.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Property>, Vec<MalformedEscape>> {
    let mut properties = Vec::new();
    let mut malformed = Vec::new();
    for (line, logical) in logical_lines(bytes) {
        match property(line, &logical) {
            Ok(property) => properties.push(property),
            Err(error) => malformed.push(error),
        }
    }
    if malformed.is_empty() { Ok(properties) } else { Err(malformed) }
}

/// Lines with their continuations joined, escapes still in place; comments and blanks left out.
fn logical_lines(bytes: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let mut lines = Vec::new();
    let mut natural = natural_lines(bytes).enumerate();
    while let Some((index, line)) = natural.next() {
        let line = trim_blanks(line);
        if line.is_empty() || line[0] == b'#' || line[0] == b'!' {
            continue;
        }
        let mut logical = line.to_vec();
        while continues(&logical) {
            logical.pop();
            match natural.next() {
                Some((_, next)) => logical.extend_from_slice(trim_blanks(next)),
                None => break,
            }
        }
        lines.push((index + 1, logical));
    }
    lines
}

/// Splits at `\n`, `\r` and `\r\n`.
fn natural_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let bytes = rest?;
        let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
            rest = None;
            return Some(bytes);
        };
        let width = if bytes[end..].starts_with(b"\r\n") { 2 } else { 1 };
        rest = Some(&bytes[end + width..]);
        Some(&bytes[..end])
    })
}

/// Without the blanks at its head. Blanks at the end belong to the value, until ZooKeeper trims it.
fn trim_blanks(line: &[u8]) -> &[u8] {
    let head = line.iter().position(|&byte| !is_blank(byte)).unwrap_or(line.len());
    &line[head..]
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | 0x0c)
}

fn continues(line: &[u8]) -> bool {
    line.iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 1
}

fn property(line: usize, logical: &[u8]) -> Result<Property, MalformedEscape> {
    let (key_end, value_start) = split(logical);
    let text = |part: &[u8]| unescape(part).ok_or(MalformedEscape { line });
    Ok(Property {
        line,
        key: java_trim(&text(&logical[..key_end])?).to_owned(),
        value: java_trim(&text(&logical[value_start..])?).to_owned(),
        beyond_ascii: !logical.is_ascii(),
    })
}

/// Where the key ends and where the value starts.
fn split(logical: &[u8]) -> (usize, usize) {
    let mut escaped = false;
    let separates = |&byte: &u8| {
        let ends = !escaped && (is_blank(byte) || matches!(byte, b'=' | b':'));
        escaped = byte == b'\\' && !escaped;
        ends
    };
    let key_end = logical.iter().position(separates).unwrap_or(logical.len());
    let mut value_start = key_end + blanks(&logical[key_end..]);
    if matches!(logical.get(value_start), Some(b'=' | b':')) {
        value_start += 1;
        value_start += blanks(&logical[value_start..]);
    }
    (key_end, value_start)
}

fn blanks(bytes: &[u8]) -> usize {
    bytes.len() - trim_blanks(bytes).len()
}

/// `None` where `\u` lacks its four digits.
fn unescape(part: &[u8]) -> Option<String> {
    // UTF-16 units, because `\u` names units: two of them may make one character.
    let mut units = Vec::with_capacity(part.len());
    let mut rest = part.iter().copied();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            units.push(u16::from(byte));
            continue;
        }
        // A backslash that ends the file is dropped.
        let Some(escape) = rest.next() else { break };
        units.push(match escape {
            b't' => 0x09,
            b'n' => 0x0a,
            b'f' => 0x0c,
            b'r' => 0x0d,
            b'u' => unit(&mut rest)?,
            other => u16::from(other),
        });
    }
    Some(String::from_utf16_lossy(&units))
}

fn unit(rest: &mut impl Iterator<Item = u8>) -> Option<u16> {
    let mut unit = 0;
    for _ in 0..4 {
        let digit = char::from(rest.next()?).to_digit(16)?;
        unit = unit << 4 | digit as u16;
    }
    Some(unit)
}

/// `String.trim`: everything up to U+0020 counts as blank.
fn java_trim(text: &str) -> &str {
    text.trim_matches(|character| character <= ' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(file: &[u8], expected: &[(usize, &str, &str)]) {
        let read = parse(file).expect("well formed");
        let read: Vec<_> =
            read.iter().map(|p| (p.line, p.key.as_str(), p.value.as_str())).collect();
        assert_eq!(read, expected);
    }

    #[test]
    fn the_three_separators_are_equal_and_may_have_blanks_around_them() {
        check(
            b"a=1\nb: 2\nc 3\nd  =  4\n",
            &[(1, "a", "1"), (2, "b", "2"), (3, "c", "3"), (4, "d", "4")],
        );
        check(b"server.1=h:1:2\n", &[(1, "server.1", "h:1:2")]);
        check(b"a==b\n", &[(1, "a", "=b")]);
        check(b"alone\n", &[(1, "alone", "")]);
    }

    #[test]
    fn comments_and_blank_lines_count_as_lines_and_hold_nothing() {
        check(b"# a=1\n\n  ! b=2\n\x0c\nc=3 # not a comment\n", &[(5, "c", "3 # not a comment")]);
    }

    #[test]
    fn a_comment_does_not_continue() {
        check(b"# a \\\nb=2\n", &[(2, "b", "2")]);
    }

    #[test]
    fn an_odd_number_of_backslashes_joins_the_next_line_without_its_indent() {
        check(b"a=one,\\\n    two\nb=3", &[(1, "a", "one,two"), (3, "b", "3")]);
        check(b"a=one\\\\\nb=2", &[(1, "a", "one\\"), (2, "b", "2")]);
        check(b"a=one\\\n#two\n", &[(1, "a", "one#two")]);
        check(b"a=one\\", &[(1, "a", "one")]);
    }

    #[test]
    fn every_line_ending_is_one_line() {
        check(b"a=1\r\nb=2\rc=3\n", &[(1, "a", "1"), (2, "b", "2"), (3, "c", "3")]);
    }

    #[test]
    fn escapes_are_characters_and_other_backslashes_vanish() {
        check(b"a=x\\ty\\u0041\\q\\:z", &[(1, "a", "x\tyAq:z")]);
        check(b"a\\ b\\=c=d", &[(1, "a b=c", "d")]);
        check(b"a=\\ud83d\\ude00", &[(1, "a", "\u{1f600}")]);
    }

    #[test]
    fn all_malformed_escapes_are_reported_with_their_lines() {
        let error = parse(b"a=1\nb=\\u12\nc=\\uzzzz\n").expect_err("two are malformed");
        assert_eq!(error, [MalformedEscape { line: 2 }, MalformedEscape { line: 3 }]);
    }

    #[test]
    fn bytes_are_latin_1_and_said_to_be() {
        let read = parse("a=é".as_bytes()).expect("well formed");
        assert_eq!(read[0].value, "Ã©");
        assert!(read[0].beyond_ascii);
    }

    #[test]
    fn duplicates_are_all_returned_in_order() {
        check(b"a=1\na=2\n", &[(1, "a", "1"), (2, "a", "2")]);
    }
}
