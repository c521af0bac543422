//! Vectors inside requests: checked once when decoded, walked in place afterwards.

use std::borrow::Cow;

use ringkeeper_engine::jute::{Reader, WireError};

/// One entry of a request's access list. Nulls are kept: what they mean depends on the op.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AclRef<'a> {
    pub perms: i32,
    pub scheme: Option<Cow<'a, str>>,
    pub id: Option<Cow<'a, str>>,
}

impl<'a> AclRef<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            perms: reader.int("acl.perms")?,
            scheme: reader.ustring("acl.scheme")?,
            id: reader.ustring("acl.id")?,
        })
    }
}

/// An entry for `world`, `anyone` as it stands behind the permissions in most lists there are.
const ANYONE: [u8; 19] = *b"\0\0\0\x05world\0\0\0\x06anyone";

/// With its permissions.
const ANYONE_BYTES: usize = 4 + ANYONE.len();

/// A request's access list. Null and empty are one: ZooKeeper refuses both alike.
#[derive(Clone, Copy, Debug)]
pub struct Acls<'a> {
    bytes: &'a [u8],
    count: usize,
}

impl<'a> Acls<'a> {
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let count = reader.count("acl")?.unwrap_or(0);
        let rest = reader.rest();
        if count == 1 && is_for_anyone(rest) {
            return Ok(Self { bytes: reader.bytes(ANYONE_BYTES, "acl")?, count });
        }
        let start = reader.position();
        for _ in 0..count {
            reader.int("acl.perms")?;
            reader.buffer("acl.scheme")?;
            reader.buffer("acl.id")?;
        }
        Ok(Self { bytes: &rest[..reader.position() - start], count })
    }

    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether it is one entry, for `world`, `anyone`.
    pub fn is_for_anyone(&self) -> bool {
        self.count == 1 && is_for_anyone(self.bytes)
    }

    /// The entries as the client encoded them, without the count. Equal bytes are equal lists.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    pub fn iter(&self) -> impl Iterator<Item = AclRef<'a>> + use<'a> {
        let mut reader = Reader::new(self.bytes);
        (0..self.count).map(move |_| AclRef::decode(&mut reader).expect("W2: checked by `decode`"))
    }
}

/// Whether these bytes begin with an entry for `world`, `anyone`.
fn is_for_anyone(entries: &[u8]) -> bool {
    entries.first_chunk::<ANYONE_BYTES>().is_some_and(|entry| entry.ends_with(&ANYONE))
}

/// A vector of strings. `None` at decoding is a null vector.
#[derive(Clone, Copy, Debug)]
pub struct Strings<'a> {
    bytes: &'a [u8],
    count: usize,
}

impl<'a> Strings<'a> {
    pub fn decode(reader: &mut Reader<'a>, field: &'static str) -> Result<Option<Self>, WireError> {
        let Some(count) = reader.count(field)? else { return Ok(None) };
        let rest = reader.rest();
        let start = reader.position();
        for _ in 0..count {
            reader.buffer(field)?;
        }
        Ok(Some(Self { bytes: &rest[..reader.position() - start], count }))
    }

    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn iter(&self) -> impl Iterator<Item = Option<Cow<'a, str>>> + use<'a> {
        let mut reader = Reader::new(self.bytes);
        (0..self.count).map(move |_| reader.ustring("element").expect("W2: checked by `decode`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Acl;

    /// W2.
    #[test]
    fn a_list_is_walked_as_it_was_sent() {
        let sent = [Acl::new(31, "world", "anyone"), Acl::new(1, "ip", "10.0.0.0/8")];
        let mut bytes = Vec::new();
        Acl::encode_list(&sent, &mut bytes);
        bytes.push(7);
        let mut reader = Reader::new(&bytes);
        let list = Acls::decode(&mut reader).unwrap();
        assert_eq!(reader.rest(), [7]);
        let seen: Vec<_> = list
            .iter()
            .map(|acl| Acl::new(acl.perms, acl.scheme.unwrap(), acl.id.unwrap()))
            .collect();
        assert_eq!(seen, sent);
    }

    /// W1.
    #[test]
    fn a_count_the_bytes_cannot_hold_is_an_error_not_an_allocation() {
        let mut bytes = i32::MAX.to_be_bytes().to_vec();
        bytes.extend_from_slice(&[0; 6]);
        assert!(Acls::decode(&mut Reader::new(&bytes)).is_err());
        assert!(Strings::decode(&mut Reader::new(&bytes), "list").is_err());
    }

    /// Compat: a negative count other than -1 reads as an empty list (`BinaryInputArchive`, 3.9.5).
    #[test]
    fn negative_counts_are_empty_lists() {
        let bytes = (-5i32).to_be_bytes();
        assert!(Acls::decode(&mut Reader::new(&bytes)).unwrap().is_empty());
        let none = Strings::decode(&mut Reader::new(&[0xff; 4]), "list").unwrap();
        assert!(none.is_none());
    }
}
