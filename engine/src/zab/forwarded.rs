//! Requests on their way from a learner to the leader.
//!
//! ```text
//! REQUEST data: long session | int cxid | int op | the client's request record
//! ```
//! Requests that came in one piece are handed on in one piece: a buffer of whole REQUEST packets,
//! checked once, read in place.
//!
//! Not here: what the ops mean (the server).

use std::fmt;

use super::PeerError;
use super::packets::{self, AuthIds, Kind, Packet};
use crate::jute::{WireError, Writer};
use crate::zxid::Zxid;

/// Session, cxid and op.
const REQUEST_HEAD: usize = 16;

/// One forwarded request.
#[derive(Clone, Copy, Debug)]
pub struct Forwarded<'a> {
    pub session: i64,
    pub cxid: i32,
    pub op: i32,
    /// The request record as the client sent it.
    pub body: &'a [u8],
    /// Who the client is.
    pub auth: AuthIds<'a>,
}

impl<'a> Forwarded<'a> {
    /// Reads the data of a REQUEST packet.
    #[inline(always)]
    pub fn read(packet: &Packet<'a>) -> Result<Self, WireError> {
        let data = packet.data("request")?;
        let Some((head, body)) = data.split_first_chunk::<REQUEST_HEAD>() else {
            return Err(WireError::Short { field: "request", missing: REQUEST_HEAD - data.len() });
        };
        let (session, rest) = head.split_first_chunk().expect("eight of sixteen bytes");
        let (cxid, op) = rest.split_first_chunk().expect("four of eight bytes");
        Ok(Self {
            session: i64::from_be_bytes(*session),
            cxid: i32::from_be_bytes(*cxid),
            op: i32::from_be_bytes(*op.first_chunk().expect("the other four")),
            body,
            auth: packet.auth,
        })
    }
}

/// Appends a REQUEST packet.
pub fn write_request<'s>(
    out: &mut Vec<u8>,
    (session, cxid, op): (i64, i32, i32),
    body: &[u8],
    auth: impl ExactSizeIterator<Item = (&'s str, &'s str)>,
) {
    packets::write_filled(out, Kind::Request, Zxid(-1), |out| {
        let mut writer = Writer(out);
        writer.long(session);
        writer.int(cxid);
        writer.int(op);
        writer.bytes(body);
    });
    if auth.len() > 0 {
        out.truncate(out.len() - 4);
        let mut writer = Writer(out);
        writer.count(auth.len());
        for (scheme, id) in auth {
            writer.ustring(scheme);
            writer.ustring(id);
        }
    }
}

/// Whole REQUEST packets, one after another, all of which `Forwarded::read` accepts.
#[derive(Default)]
pub struct Requests {
    bytes: Vec<u8>,
    count: usize,
}

impl Requests {
    /// An empty run that fills `buffer`.
    pub fn new(mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        Self { bytes: buffer, count: 0 }
    }

    /// Copies a REQUEST packet in.
    pub fn push(&mut self, packet: &Packet<'_>) -> Result<(), PeerError> {
        Forwarded::read(packet)?;
        self.bytes.extend_from_slice(packet.bytes);
        self.count += 1;
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// In the order the learner sent them.
    pub fn iter(&self) -> impl Iterator<Item = Forwarded<'_>> {
        let mut rest = &self.bytes[..];
        std::iter::from_fn(move || {
            let packet = Packet::read(rest).ok().filter(|_| !rest.is_empty())?;
            rest = &rest[packet.bytes.len()..];
            Forwarded::read(&packet).ok()
        })
    }

    /// The buffer, for `Replica::recycle`.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|r| (r.session, r.cxid, r.op))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_requests_reads_back_in_order() {
        let mut wire = Vec::new();
        let ids = [("ip", "127.0.0.1"), ("digest", "super:x")];
        write_request(&mut wire, (7, 1, 5), b"record", ids.into_iter());
        write_request(&mut wire, (-8, 2, -10), b"", [].into_iter());
        let mut requests = Requests::default();
        let mut rest = &wire[..];
        while !rest.is_empty() {
            let packet = Packet::read(rest).unwrap();
            requests.push(&packet).unwrap();
            rest = &rest[packet.bytes.len()..];
        }
        let read: Vec<_> = requests.iter().collect();
        assert_eq!(read.len(), 2);
        assert_eq!((read[0].session, read[0].cxid, read[0].op), (7, 1, 5));
        assert_eq!(read[0].body, b"record");
        let auth: Vec<_> = read[0].auth.iter().collect();
        assert_eq!(auth, ids.map(|(scheme, id)| (scheme.into(), id.into())));
        assert_eq!((read[1].session, read[1].op, read[1].body.len()), (-8, -10, 0));
        assert!(read[1].auth.is_empty());
    }

    #[test]
    fn a_request_too_short_for_its_header_is_refused() {
        let mut wire = Vec::new();
        packets::write(&mut wire, Kind::Request, Zxid(-1), Some(&[0; 15]));
        assert!(Requests::default().push(&Packet::read(&wire).unwrap()).is_err());
    }
}
