//! Addresses and address ranges of the `ip` scheme, as ZooKeeper reads them.
//!
//! Compat: not the standard library's parser, because Java's differs: leading zeros and signs are
//! taken, IPv4 parts within IPv6 are not (`IPAuthenticationProvider`, 3.9.5).

/// An address, IPv4 in the first four bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Address {
    bytes: [u8; 16],
    length: usize,
}

/// Whether `id` may stand in a list: an address, or an address, a slash and a number of bits.
pub(super) fn is_valid(id: &str) -> bool {
    range(id).is_some()
}

/// Whether a client at `id` is within the range `expression`.
pub(super) fn matches(id: &str, expression: &str) -> bool {
    let (Some((range, bits)), Some(client)) = (range(expression), address(id)) else {
        return false;
    };
    if range.length != client.length {
        return false;
    }
    (0..range.length).all(|at| {
        let mask = match bits.saturating_sub(at * 8) {
            0 => 0,
            left @ 1..8 => 0xffu8 << (8 - left),
            _ => 0xff,
        };
        (range.bytes[at] ^ client.bytes[at]) & mask == 0
    })
}

fn range(expression: &str) -> Option<(Address, usize)> {
    let (text, bits) = match expression.split_once('/') {
        Some((text, bits)) => (text, Some(bits)),
        None => (expression, None),
    };
    let address = address(text)?;
    let full = address.length * 8;
    let bits = match bits {
        Some(bits) => usize::try_from(bits.parse::<i32>().ok()?).ok().filter(|b| *b <= full)?,
        None => full,
    };
    Some((address, bits))
}

fn address(text: &str) -> Option<Address> {
    if text.contains(':') { ipv6(text) } else { ipv4(text) }
}

fn ipv4(text: &str) -> Option<Address> {
    let mut bytes = [0; 16];
    let mut parts = text.split('.');
    for byte in &mut bytes[..4] {
        *byte = u8::try_from(parts.next()?.parse::<i32>().ok()?).ok()?;
    }
    parts.next().is_none().then_some(Address { bytes, length: 4 })
}

fn ipv6(text: &str) -> Option<Address> {
    let mut bytes = [0; 16];
    let (head, tail) = match text.split_once("::") {
        Some((_, tail)) if tail.contains("::") => return None,
        Some((head, tail)) => (head, Some(tail)),
        None => (text, None),
    };
    let before = segments(head, tail.is_some())?;
    let after = segments(tail.unwrap_or(""), true)?;
    match tail {
        None if before.len() != 8 => return None,
        Some(_) if before.len() + after.len() >= 8 => return None,
        _ => {}
    }
    for (at, segment) in before.iter().enumerate() {
        bytes[at * 2..at * 2 + 2].copy_from_slice(&segment.to_be_bytes());
    }
    let start = 16 - after.len() * 2;
    for (at, segment) in after.iter().enumerate() {
        bytes[start + at * 2..start + at * 2 + 2].copy_from_slice(&segment.to_be_bytes());
    }
    Some(Address { bytes, length: 16 })
}

/// At most nine, so that no text makes it allocate more than one list.
fn segments(text: &str, may_be_empty: bool) -> Option<smallvec::SmallVec<[u16; 9]>> {
    if text.is_empty() && may_be_empty {
        return Some(smallvec::SmallVec::new());
    }
    let mut segments = smallvec::SmallVec::new();
    for part in text.split(':').take(9) {
        if part.is_empty() || part.len() > 4 {
            return None;
        }
        // Java's parser takes a sign: `-1` is 0xffff after the cast.
        segments.push(i32::from_str_radix(part, 16).ok()? as u16);
    }
    Some(segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_java_reads_them() {
        let good =
            ["1.2.3.4", "01.2.3.4", "1.2.3.4/0", "1.2.3.4/32", "::", "::1", "1::", "fe80::1/64"];
        let bad = [
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.256",
            "1.2.3.4/33",
            "1.2.3.4/8/8",
            "1.2.3.4/",
            "a.b.c.d",
            "",
            "1.2.3.4/-1",
            ":::",
            "1::2::3",
            "1:2:3:4:5:6:7",
            "12345::",
            "::/129",
            "1:",
            "::1.2.3.4",
            "1:2:3:4:5:6:7:8:9",
            "1:2:3:4::5:6:7:8",
            "::g",
        ];
        for text in good {
            assert!(is_valid(text), "{text}");
        }
        for text in bad {
            assert!(!is_valid(text), "{text}");
        }
        assert!(is_valid("1:2:3:4:5:6:7:8/128"));
    }

    #[test]
    fn a_client_is_within_a_range_of_its_own_family() {
        assert!(matches("10.1.2.3", "10.0.0.0/8"));
        assert!(matches("10.1.2.3", "10.1.2.3"));
        assert!(!matches("11.1.2.3", "10.0.0.0/8"));
        assert!(matches("10.1.2.3", "10.1.3.0/23"));
        assert!(!matches("10.1.4.3", "10.1.3.0/23"));
        assert!(matches("1.2.3.4", "9.9.9.9/0"));
        assert!(matches("2001:db8:0:0:0:0:0:1", "2001:db8::/32"));
        assert!(!matches("2001:db9:0:0:0:0:0:1", "2001:db8::/32"));
        assert!(!matches("::1", "0.0.0.0/0"));
        assert!(!matches("garbage", "0.0.0.0/0"));
    }
}
