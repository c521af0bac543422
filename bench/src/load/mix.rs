//! What a connection asks, as frames made once and copied.
//!
//! Every connection works on a znode of its own, `<parent>/<number>`, and on that znode's children.
//! A frame differs from the next of its kind in the xid, and in ten digits of a child's name where
//! it names one; both are written over in place.
//!
//! Not here: when a request is sent, and what became of it (`session`).

use ringkeeper::wire::{Acl, OpCode, perms};
use ringkeeper_engine::jute::Writer;

/// Which operations, in which proportion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Mix {
    /// setData of the connection's znode.
    Set,
    /// Persistent znodes; deleted after the measurement.
    Create,
    /// Each znode made is deleted by the next request.
    CreateDelete,
    /// getData of the connection's znode.
    Get,
    /// Nine getData, one setData.
    Mixed,
    /// A multi of one check and four setData, all of the connection's znode; one operation,
    /// which carries --bytes four times.
    Multi,
    /// The first connection sets its znode, all others watch it and watch it again after each
    /// event. An operation is an event, its latency counts from the set. One set at a time, one
    /// thread, no --rate.
    FanOut,
    /// Each ephemeral znode made is deleted by the next request.
    Ephemeral,
}

/// Of so many requests of `Mix::Mixed` one writes.
const MIXED_CYCLE: u64 = 10;

/// The setData of a `Mix::Multi`.
const MULTI_SETS: usize = 4;

const EPHEMERAL: i32 = 1;

const NAME_DIGITS: usize = 10;
const XID_AT: usize = 4;

impl Mix {
    pub fn name(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Create => "create",
            Self::CreateDelete => "create-delete",
            Self::Get => "get",
            Self::Mixed => "mixed",
            Self::Multi => "multi",
            Self::FanOut => "fan-out",
            Self::Ephemeral => "ephemeral",
        }
    }
}

/// A frame whose xid, and child's name if it has one, are still to be written.
struct Template {
    frame: Vec<u8>,
    digits_at: Option<usize>,
}

impl Template {
    fn new(op: OpCode, body: &[u8], digits_at: Option<usize>) -> Self {
        let mut frame = Vec::with_capacity(body.len() + 12);
        let mut writer = Writer(&mut frame);
        writer.int(0);
        writer.int(0);
        writer.int(op.code());
        writer.bytes(body);
        let length = i32::try_from(frame.len() - 4).expect("`LoadOptions` bounds the data");
        Writer(&mut frame).patch_int(0, length);
        Self { frame, digits_at: digits_at.map(|at| at + 12) }
    }

    fn write(&self, xid: i32, number: u64, out: &mut Vec<u8>) {
        let at = out.len();
        out.extend_from_slice(&self.frame);
        Writer(out).patch_int(at + XID_AT, xid);
        if let Some(digits_at) = self.digits_at {
            let digits = &mut out[at + digits_at..][..NAME_DIGITS];
            let mut rest = number;
            for digit in digits.iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
    }
}

/// The requests of one connection.
pub(crate) struct Requests {
    mix: Mix,
    set: Template,
    get: Template,
    create: Template,
    delete: Template,
    multi: Template,
    watch: Option<Template>,
    make: Template,
    remove: Template,
    close: Template,
    asked: u64,
    created: u64,
    deleted: u64,
}

impl Requests {
    /// For the connection whose znode is `own`.
    pub(crate) fn new(mix: Mix, own: &str, bytes: usize) -> Self {
        let data = vec![b'x'; bytes];
        let child = format!("{own}/{:0width$}", 0, width = NAME_DIGITS);
        // The name ends the path, which is a length and its bytes.
        let digits_at = Some(4 + child.len() - NAME_DIGITS);
        let flags = if mix == Mix::Ephemeral { EPHEMERAL } else { 0 };
        let create = create_body(&child, &data, flags);
        Self {
            mix,
            set: Template::new(OpCode::SetData, &set_body(own, &data), None),
            get: Template::new(OpCode::GetData, &get_body(own, false), None),
            create: Template::new(OpCode::Create, &create, digits_at),
            delete: Template::new(OpCode::Delete, &delete_body(&child), digits_at),
            multi: Template::new(OpCode::Multi, &multi_body(own, &data), None),
            watch: None,
            make: Template::new(OpCode::Create, &create_body(own, &data, 0), None),
            remove: Template::new(OpCode::Delete, &delete_body(own), None),
            close: Template::new(OpCode::CloseSession, &[], None),
            asked: 0,
            created: 0,
            deleted: 0,
        }
    }

    /// For a connection of `Mix::FanOut` that watches `watched` instead of setting its own znode.
    pub(super) fn watching(mut self, watched: &str) -> Self {
        self.watch = Some(Template::new(OpCode::GetData, &get_body(watched, true), None));
        self
    }

    pub(super) fn mix(&self) -> Mix {
        self.mix
    }

    /// The next request of the measurement.
    pub(crate) fn next(&mut self, xid: i32, out: &mut Vec<u8>) {
        let turn = self.asked;
        self.asked += 1;
        match self.mix {
            Mix::Set => self.set.write(xid, 0, out),
            Mix::FanOut => self.watch.as_ref().unwrap_or(&self.set).write(xid, 0, out),
            Mix::Multi => self.multi.write(xid, 0, out),
            Mix::Get => self.get.write(xid, 0, out),
            Mix::Mixed if turn.is_multiple_of(MIXED_CYCLE) => self.set.write(xid, 0, out),
            Mix::Mixed => self.get.write(xid, 0, out),
            Mix::CreateDelete | Mix::Ephemeral if self.created > self.deleted => {
                self.delete_one(xid, out);
            }
            Mix::Create | Mix::CreateDelete | Mix::Ephemeral => {
                self.create.write(xid, self.created, out);
                self.created += 1;
            }
        }
    }

    /// The next request that cleans up; false where nothing is left.
    pub(crate) fn next_cleaning(&mut self, xid: i32, out: &mut Vec<u8>) -> bool {
        let is_dirty = self.deleted < self.created;
        if is_dirty {
            self.delete_one(xid, out);
        }
        is_dirty
    }

    fn delete_one(&mut self, xid: i32, out: &mut Vec<u8>) {
        self.delete.write(xid, self.deleted, out);
        self.deleted += 1;
    }

    /// Makes the connection's znode.
    pub(crate) fn make(&self, xid: i32, out: &mut Vec<u8>) {
        self.make.write(xid, 0, out);
    }

    /// Removes the connection's znode, whose children are gone, and ends the session.
    pub(crate) fn leave(&self, xids: [i32; 2], out: &mut Vec<u8>) {
        self.remove.write(xids[0], 0, out);
        self.close.write(xids[1], 0, out);
    }
}

fn set_body(path: &str, data: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    Writer(&mut body).ustring(path);
    Writer(&mut body).buffer(Some(data));
    Writer(&mut body).int(-1);
    body
}

fn get_body(path: &str, watches: bool) -> Vec<u8> {
    let mut body = Vec::new();
    Writer(&mut body).ustring(path);
    Writer(&mut body).bool(watches);
    body
}

fn create_body(path: &str, data: &[u8], flags: i32) -> Vec<u8> {
    let mut body = Vec::new();
    Writer(&mut body).ustring(path);
    Writer(&mut body).buffer(Some(data));
    Acl::encode_list(&[Acl::new(perms::ALL, "world", "anyone")], &mut body);
    Writer(&mut body).int(flags);
    body
}

fn delete_body(path: &str) -> Vec<u8> {
    let mut body = Vec::new();
    Writer(&mut body).ustring(path);
    Writer(&mut body).int(-1);
    body
}

/// Each part stands behind its kind, "not the last" and -1; the end is a last without a kind.
fn multi_body(path: &str, data: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    let head = |body: &mut Vec<u8>, kind: i32, is_last: bool| {
        Writer(body).int(kind);
        Writer(body).bool(is_last);
        Writer(body).int(-1);
    };
    head(&mut body, OpCode::Check.code(), false);
    body.extend_from_slice(&delete_body(path));
    for _ in 0..MULTI_SETS {
        head(&mut body, OpCode::SetData.code(), false);
        body.extend_from_slice(&set_body(path, data));
    }
    head(&mut body, -1, true);
    body
}

#[cfg(test)]
mod tests {
    use ringkeeper::wire::{CreateRequest, RequestHeader, VersionRequest};
    use ringkeeper_engine::jute::Reader;

    use super::*;

    fn parts(frame: &[u8]) -> (RequestHeader, Reader<'_>) {
        let mut reader = Reader::new(frame);
        assert_eq!(reader.int("length").unwrap() as usize, frame.len() - 4);
        (RequestHeader::decode(&mut reader).unwrap(), reader)
    }

    #[test]
    fn what_was_made_is_deleted_by_the_same_names() {
        let mut requests = Requests::new(Mix::Create, "/bench/3", 100);
        let mut names = Vec::new();
        for xid in 1..=12 {
            let mut out = Vec::new();
            requests.next(xid, &mut out);
            let (header, mut reader) = parts(&out);
            assert_eq!(header, RequestHeader { xid, op: OpCode::Create.code() });
            let request = CreateRequest::decode(OpCode::Create, &mut reader).unwrap();
            assert_eq!(request.data.map(<[u8]>::len), Some(100));
            names.push(request.path.unwrap().into_owned());
        }
        assert_eq!(names[11], "/bench/3/0000000011");
        for name in &names {
            let mut out = Vec::new();
            assert!(requests.next_cleaning(20, &mut out));
            let (_, mut reader) = parts(&out);
            assert_eq!(VersionRequest::decode(&mut reader).unwrap().path.unwrap(), *name);
        }
        assert!(!requests.next_cleaning(21, &mut Vec::new()));
    }

    #[test]
    fn one_of_ten_mixed_requests_writes() {
        let mut requests = Requests::new(Mix::Mixed, "/bench/0", 1);
        let ops: Vec<i32> = (0..20)
            .map(|xid| {
                let mut out = Vec::new();
                requests.next(xid, &mut out);
                parts(&out).0.op
            })
            .collect();
        let writes = ops.iter().filter(|op| **op == OpCode::SetData.code()).count();
        assert_eq!((writes, ops.len()), (2, 20));
    }

    #[test]
    fn create_and_delete_take_turns() {
        let mut requests = Requests::new(Mix::CreateDelete, "/bench/0", 1);
        let mut out = Vec::new();
        for xid in 0..3 {
            requests.next(xid, &mut out);
        }
        assert!(requests.next_cleaning(3, &mut out), "the third request made a znode");
        assert!(!requests.next_cleaning(4, &mut out));
    }

    #[test]
    fn the_setter_of_a_fan_out_sets_and_the_others_watch_its_znode() {
        let (mut set, mut watch) = (Vec::new(), Vec::new());
        Requests::new(Mix::FanOut, "/bench/0", 1).next(1, &mut set);
        Requests::new(Mix::FanOut, "/bench/1", 1).watching("/bench/0").next(1, &mut watch);
        assert_eq!(parts(&set).0.op, OpCode::SetData.code());
        let (header, mut reader) = parts(&watch);
        assert_eq!(header.op, OpCode::GetData.code());
        assert_eq!(reader.ustring("path").unwrap().unwrap(), "/bench/0");
        assert!(reader.bool("watch").unwrap());
    }

    #[test]
    fn a_multi_checks_once_sets_four_times_and_ends() {
        let mut out = Vec::new();
        Requests::new(Mix::Multi, "/bench/0", 3).next(1, &mut out);
        let (header, mut reader) = parts(&out);
        assert_eq!(header.op, OpCode::Multi.code());
        let mut kinds = Vec::new();
        loop {
            let kind = reader.int("kind").unwrap();
            let is_last = reader.bool("last").unwrap();
            assert_eq!(reader.int("code").unwrap(), -1);
            if is_last {
                break;
            }
            kinds.push(kind);
            assert_eq!(reader.ustring("path").unwrap().unwrap(), "/bench/0");
            if kind == OpCode::SetData.code() {
                assert_eq!(reader.buffer("data").unwrap(), Some(&b"xxx"[..]));
            }
            assert_eq!(reader.int("version").unwrap(), -1);
        }
        assert_eq!(
            kinds,
            [OpCode::Check, OpCode::SetData, OpCode::SetData, OpCode::SetData, OpCode::SetData]
                .map(OpCode::code)
        );
    }
}
