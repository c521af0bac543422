//! The body, record by record, from whatever bytes are there.
//!
//! One parser for a file that is read in windows and for a stream that arrives in pieces: it looks
//! at a run of bytes and says what record begins it, or that more bytes are needed.
//!
//! Not here: where bytes come from (`scan`, `travel`), what the znodes make together (`restore`).

use std::borrow::Cow;

use ringkeeper_engine::jute::{Reader, WireError};

use super::RECORD_BYTES_MAX;
use crate::tree::StatPersisted;
use crate::wire::{Acls, SessionId};

/// One record of the body.
#[derive(Clone, Debug)]
pub enum Item<'a> {
    /// The count of sessions, or of lists: how many such records follow.
    Count,
    Session {
        session: SessionId,
        timeout_ms: i32,
    },
    Acl {
        id: i64,
        list: Acls<'a>,
    },
    Znode {
        path: Cow<'a, str>,
        data: Option<&'a [u8]>,
        acl: i64,
        stat: StatPersisted,
    },
    /// The body is over.
    End,
}

/// What a run of bytes begins with.
#[derive(Clone, Debug)]
pub enum Parsed<'a> {
    Item {
        item: Item<'a>,
        length: usize,
    },
    /// No whole record; at least so many bytes are needed from its beginning.
    NeedBytes(usize),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    SessionCount,
    Sessions(i32),
    AclCount,
    Acls(i32),
    Znodes,
    Ended,
}

/// Where in a body we are.
#[derive(Debug)]
pub struct BodyParser {
    place: Place,
}

impl BodyParser {
    pub fn new() -> Self {
        Self { place: Place::SessionCount }
    }

    /// The record at the beginning of `bytes`. To be called with what follows it next, or with the
    /// same and more bytes; not after the end.
    pub fn next<'a>(&mut self, bytes: &'a [u8]) -> Result<Parsed<'a>, WireError> {
        let mut reader = Reader::new(bytes);
        match self.record(&mut reader) {
            Ok((item, place)) => {
                self.place = place;
                Ok(Parsed::Item { item, length: reader.position() })
            }
            Err(WireError::Short { field, missing }) => {
                let needed = bytes.len().saturating_add(missing);
                if needed > RECORD_BYTES_MAX {
                    return Err(WireError::Short { field, missing });
                }
                Ok(Parsed::NeedBytes(needed))
            }
            Err(error) => Err(error),
        }
    }

    fn record<'a>(&self, reader: &mut Reader<'a>) -> Result<(Item<'a>, Place), WireError> {
        match self.place {
            Place::SessionCount => {
                let count = reader.int("sessions")?;
                let next = if count > 0 { Place::Sessions(count) } else { Place::AclCount };
                Ok((Item::Count, next))
            }
            Place::Sessions(left) => {
                let session = SessionId(reader.long("session.id")?);
                let timeout_ms = reader.int("session.timeout")?;
                let next = if left > 1 { Place::Sessions(left - 1) } else { Place::AclCount };
                Ok((Item::Session { session, timeout_ms }, next))
            }
            Place::AclCount => {
                let count = reader.int("acls")?;
                let next = if count > 0 { Place::Acls(count) } else { Place::Znodes };
                Ok((Item::Count, next))
            }
            Place::Acls(left) => {
                let (id, list) = (reader.long("acl.id")?, Acls::decode(reader)?);
                let next = if left > 1 { Place::Acls(left - 1) } else { Place::Znodes };
                Ok((Item::Acl { id, list }, next))
            }
            Place::Znodes => {
                let path = reader.ustring("path")?.ok_or(WireError::Null { field: "path" })?;
                if path == "/" {
                    return Ok((Item::End, Place::Ended));
                }
                let (data, acl) = (reader.buffer("data")?, reader.long("acl")?);
                let stat = StatPersisted::decode(reader)?;
                Ok((Item::Znode { path, data, acl, stat }, Place::Znodes))
            }
            Place::Ended => Err(WireError::Contradiction { field: "a record after the end" }),
        }
    }
}

impl Default for BodyParser {
    fn default() -> Self {
        Self::new()
    }
}
