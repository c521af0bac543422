//! `get -x`: sixteen bytes a line, in hex and as characters.
//!
//! The frame is that of Netty's `ByteBufUtil.prettyHexDump`, which zkCli uses.
//!
//! Not here: where the bytes come from.

use std::fmt::Write as _;

const RULE: &str = "+--------+-------------------------------------------------+----------------+";

pub(super) fn hexdump(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return String::new();
    }
    let mut out = String::from("         +-------------------------------------------------+\n");
    out.push_str("         |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |\n");
    out.push_str(RULE);
    for (index, row) in bytes.chunks(16).enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(out, "\n|{:08x}|", index * 16);
        row.iter().for_each(|byte| drop_ok(write!(out, " {byte:02x}")));
        let printable =
            |byte: &u8| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '.' };
        let text: String = row.iter().map(printable).collect();
        let _ = write!(out, "{} |{text:<16}|", "   ".repeat(16 - row.len()));
    }
    out.push('\n');
    out.push_str(RULE);
    out
}

fn drop_ok(_: std::fmt::Result) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_has_the_frame_of_netty() {
        let expected = "         \
            +-------------------------------------------------+\n         \
            |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |\n\
            +--------+-------------------------------------------------+----------------+\n\
            |00000000| 61 00 ff                                        |a..             |\n\
            +--------+-------------------------------------------------+----------------+";
        assert_eq!(hexdump(&[b'a', 0, 0xff]), expected);
        assert_eq!(hexdump(&[]), "");
        assert_eq!(hexdump(&[0; 17]).lines().count(), 6);
    }
}
