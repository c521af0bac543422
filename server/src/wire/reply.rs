//! What the server sends back: headers, events, the parts of a multi's answer.
//!
//! Bodies made of one or two fields (a path, a `Stat`) are written where they arise, in `apply`.

use ringkeeper_engine::jute::{Reader, WireError, Writer};

use super::error::ErrorCode;
use super::xid;

/// Stands before every frame to a client but the first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReplyHeader {
    pub xid: i32,
    /// What this server had applied when it answered.
    pub zxid: i64,
    pub err: ErrorCode,
}

impl ReplyHeader {
    pub const BYTES: usize = 16;

    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut bytes = [0; Self::BYTES];
        bytes[0..4].copy_from_slice(&self.xid.to_be_bytes());
        bytes[4..12].copy_from_slice(&self.zxid.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.err.code().to_be_bytes());
        out.extend_from_slice(&bytes);
    }

    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            xid: reader.int("xid")?,
            zxid: reader.long("zxid")?,
            err: ErrorCode(reader.int("err")?),
        })
    }
}

/// What happened to a znode, in the numbers of the wire (`Watcher.Event.EventType`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(i32)]
pub enum EventKind {
    Created = 1,
    Deleted = 2,
    DataChanged = 3,
    ChildrenChanged = 4,
}

/// A watch that fired.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WatcherEvent<'a> {
    pub kind: EventKind,
    pub path: &'a str,
    /// The txn that did it; -1 where `setWatches` found it out afterwards.
    pub zxid: i64,
}

/// The only state a server ever sends (`SyncConnected`).
const SYNC_CONNECTED: i32 = 3;

impl WatcherEvent<'_> {
    /// Header and event: a frame's whole body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let header = ReplyHeader { xid: xid::NOTIFICATION, zxid: self.zxid, err: ErrorCode::OK };
        header.encode(out);
        let mut writer = Writer(out);
        writer.int(self.kind as i32);
        writer.int(SYNC_CONNECTED);
        writer.ustring(self.path);
    }
}

/// The header of one result of a multi that went well; its record follows.
pub fn multi_header(op: i32, out: &mut Vec<u8>) {
    let mut writer = Writer(out);
    writer.int(op);
    writer.bool(false);
    writer.int(0);
}

/// One result of a multi that did not: header and record both carry the code.
pub fn multi_error(err: ErrorCode, out: &mut Vec<u8>) {
    let mut writer = Writer(out);
    writer.int(-1);
    writer.bool(false);
    writer.int(err.code());
    writer.int(err.code());
}

/// What ends a multi, asked or answered.
pub fn multi_end(out: &mut Vec<u8>) {
    let mut writer = Writer(out);
    writer.int(-1);
    writer.bool(true);
    writer.int(-1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_reply_with_xid_minus_one() {
        let mut out = Vec::new();
        WatcherEvent { kind: EventKind::Deleted, path: "/a", zxid: 7 }.encode(&mut out);
        let mut reader = Reader::new(&out);
        let header = ReplyHeader::decode(&mut reader).unwrap();
        assert_eq!(header, ReplyHeader { xid: -1, zxid: 7, err: ErrorCode::OK });
        assert_eq!(reader.rest(), [0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 2, b'/', b'a']);
    }

    #[test]
    fn an_error_result_says_its_code_twice() {
        let mut out = Vec::new();
        multi_error(ErrorCode::NO_NODE, &mut out);
        let code = (-101i32).to_be_bytes();
        assert_eq!(out, [&[0xff; 4][..], &[0], &code, &code].concat());
    }
}
