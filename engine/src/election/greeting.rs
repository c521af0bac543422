//! The first message on an election connection, from the server that dialled.
//!
//! ```text
//! V1      long -65536 | long sid | int length (1..=2048) | host:port
//! V2      long -65535 | long sid | int length (1..=2048) | host:port|host:port…
//! legacy  long sid (not negative)
//! ```
//!
//! The address is where the dialler can be dialled back. Java reads it with a single `read()`, so
//! the whole greeting must leave in one write. Frames may follow in the same segment.
//!
//! Not here: what the greeting leads to (`links`).

use crate::ids::ServerId;
use crate::jute::{Reader, Writer};
use crate::limits::ELECTION_ADDRESS_BYTES_MAX;
use crate::quorum::{Address, AddressError};

const V1: i64 = -65536;
const V2: i64 = -65535;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Greeting {
    pub(super) from: ServerId,
    /// Where to dial back; wildcards are left out, so it may be empty.
    pub(super) addresses: Vec<Address>,
}

/// The dialler is no ZooKeeper server of ours; the connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum GreetingError {
    #[error("no protocol version {0}")]
    Version(i64),
    #[error("an address of {0} bytes")]
    Length(i32),
    #[error("the address: {0}")]
    Address(#[from] AddressError),
}

impl Greeting {
    /// Reads a greeting and how many bytes it took; `None` while bytes are missing. Reserves
    /// nothing from the length it reads.
    pub(super) fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, GreetingError> {
        let mut reader = Reader::new(bytes);
        let Ok(version) = reader.long("protocolVersion") else { return Ok(None) };
        if version >= 0 {
            let greeting = Self { from: ServerId(version), addresses: Vec::new() };
            return Ok(Some((greeting, reader.position())));
        }
        if version != V1 && version != V2 {
            return Err(GreetingError::Version(version));
        }
        let Ok(from) = reader.long("sid") else { return Ok(None) };
        let Ok(length) = reader.int("addressLength") else { return Ok(None) };
        let count = usize::try_from(length).unwrap_or(0);
        if !(1..=ELECTION_ADDRESS_BYTES_MAX).contains(&count) {
            return Err(GreetingError::Length(length));
        }
        let Ok(text) = reader.bytes(count, "address") else { return Ok(None) };
        let text = String::from_utf8_lossy(text);
        let mut addresses = Vec::new();
        for part in text.split('|') {
            let address = Address::parse(part)?;
            if !address.is_wildcard() {
                addresses.push(address);
            }
        }
        Ok(Some((Self { from: ServerId(from), addresses }, reader.position())))
    }

    /// What `me` says when it dials: V2 with all its addresses where several are in use, else V1
    /// with the first. Without an address of its own it names a wildcard, which peers ignore.
    pub(super) fn encode(me: ServerId, addresses: &[Address], all: bool) -> Vec<u8> {
        let (version, used) = if all { (V2, addresses.len()) } else { (V1, 1) };
        let mut text = String::new();
        for address in addresses.iter().take(used) {
            let part = address.to_string();
            if text.len() + 1 + part.len() > ELECTION_ADDRESS_BYTES_MAX {
                break;
            }
            if !text.is_empty() {
                text.push('|');
            }
            text.push_str(&part);
        }
        if text.is_empty() {
            text.push_str("0.0.0.0:0");
        }
        let mut out = Vec::new();
        let mut writer = Writer(&mut out);
        writer.long(version);
        writer.long(me.0);
        writer.buffer(Some(text.as_bytes()));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPTURED: &[u8] = b"\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\
                              \x00\x00\x00\x0f127.0.0.1:22042";

    fn raw(version: i64, length: i32, text: &[u8]) -> Vec<u8> {
        [&version.to_be_bytes()[..], &7_i64.to_be_bytes(), &length.to_be_bytes(), text].concat()
    }

    fn whole(version: i64, text: &str) -> Vec<u8> {
        raw(version, text.len() as i32, text.as_bytes())
    }

    #[test]
    fn a_captured_greeting_reads_and_writes_back() {
        let address = Address::new("127.0.0.1", 22042);
        let (greeting, used) = Greeting::decode(CAPTURED).unwrap().unwrap();
        assert_eq!(greeting, Greeting { from: ServerId(2), addresses: vec![address.clone()] });
        assert_eq!(used, CAPTURED.len());
        assert_eq!(Greeting::encode(ServerId(2), &[address], false), CAPTURED);
    }

    #[test]
    fn all_addresses_go_out_as_version_two() {
        let both = [Address::new("::1", 1), Address::new("b", 2)];
        let bytes = Greeting::encode(ServerId(7), &both, true);
        assert_eq!(bytes, whole(V2, "[::1]:1|b:2"));
        assert_eq!(Greeting::decode(&bytes).unwrap().unwrap().0.addresses, both);
        assert_eq!(Greeting::encode(ServerId(7), &[], false), whole(V1, "0.0.0.0:0"));
    }

    #[test]
    fn a_greeting_in_pieces_waits_for_its_end_and_leaves_the_rest() {
        for cut in 0..CAPTURED.len() {
            assert_eq!(Greeting::decode(&CAPTURED[..cut]), Ok(None), "{cut} bytes");
        }
        let mut longer = CAPTURED.to_vec();
        longer.extend_from_slice(&[0, 0, 0, 44]);
        assert_eq!(Greeting::decode(&longer).unwrap().unwrap().1, CAPTURED.len());
    }

    #[test]
    fn a_legacy_greeting_is_the_sid_alone() {
        let (greeting, used) = Greeting::decode(&5_i64.to_be_bytes()).unwrap().unwrap();
        assert_eq!((greeting.from, greeting.addresses.len(), used), (ServerId(5), 0, 8));
    }

    #[test]
    fn wildcards_are_left_out_and_names_need_not_resolve() {
        let bytes = whole(V2, "0.0.0.0:1|no.such.host.invalid:2|[::]:3");
        let (greeting, _) = Greeting::decode(&bytes).unwrap().unwrap();
        assert_eq!(greeting.addresses, [Address::new("no.such.host.invalid", 2)]);
    }

    #[test]
    fn what_is_no_greeting_ends_the_connection_before_its_length_is_believed() {
        let check = |bytes: &[u8], error| assert_eq!(Greeting::decode(bytes), Err(error));
        check(&raw(-65534, 1, b""), GreetingError::Version(-65534));
        check(&raw(V1, 0, b""), GreetingError::Length(0));
        check(&raw(V1, -1, b""), GreetingError::Length(-1));
        check(&raw(V1, i32::MAX, b""), GreetingError::Length(i32::MAX));
        check(&raw(V2, 2049, b""), GreetingError::Length(2049));
        check(&whole(V1, "host"), GreetingError::Address(AddressError::Port));
        check(&whole(V1, "a:1|"), GreetingError::Address(AddressError::Host));
        check(&raw(V1, 2, b"\xff:"), GreetingError::Address(AddressError::Host));
    }
}
