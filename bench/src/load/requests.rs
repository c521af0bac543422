//! What a connection asks, request by request.
//!
//! Every connection works on a znode of its own, `<parent>/<number>`, and on that znode's children.
//!
//! Not here: the bytes (`template`), when a request is sent, and what became of it (`session`).

use ringkeeper::wire::{OpCode, bodies, multi_end};
use ringkeeper_engine::jute::{Reader, WireError};

use super::mix::Mix;
use super::template::{self, EPHEMERAL, PERSISTENT, Template, digits_of, numbered};

/// Of so many requests of `Mix::Mixed` one writes.
const MIXED_CYCLE: u64 = 10;

/// Spreads consecutive numbers over a range: 2^64 by the golden ratio.
const SCATTER: u64 = 0x9e37_79b9_7f4a_7c15;

/// The type of a result in a multi's answer that is an error.
const ERROR_RESULT: i32 = -1;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Asks, and what is answered counts.
    Asker,
    /// Sets what others watch.
    Writer,
    /// Watches; its events count.
    Watcher,
    /// Its whole life counts.
    Visitor,
}

/// The requests of one connection.
pub(crate) struct Requests {
    mix: Mix,
    role: Role,
    set: Template,
    get: Template,
    set_child: Template,
    get_child: Template,
    create: Template,
    delete: Template,
    first_multi: Template,
    multi: Template,
    make: Template,
    remove: Template,
    close: Template,
    asked: u64,
    /// Children made before the measurement, which set and get then go to.
    share: u64,
    created: u64,
    deleted: u64,
}

impl Requests {
    /// For the connection whose znode is `own`.
    pub(crate) fn new(mix: Mix, own: &str, bytes: usize) -> Self {
        let data = vec![b'x'; bytes];
        let (role, own_child, flags) = match mix {
            // No ephemeral may have children, and none is made below a connection's own znode:
            // a connection that only comes and goes has none.
            Mix::Ephemeral => (Role::Visitor, format!("{own}-"), EPHEMERAL),
            Mix::FanOut => (Role::Writer, format!("{own}/"), PERSISTENT),
            _ => (Role::Asker, format!("{own}/"), PERSISTENT),
        };
        let child = numbered(&own_child);
        let digits = [digits_of(&child)];
        let plain = |op, body: &[u8]| Template::new(op, body, &[]);
        let of_child = |op, body: &[u8]| Template::new(op, body, &digits);
        Self {
            mix,
            role,
            set: plain(OpCode::SetData, &template::set(own, &data)),
            get: plain(OpCode::GetData, &template::get(own, false)),
            set_child: of_child(OpCode::SetData, &template::set(&child, &data)),
            get_child: of_child(OpCode::GetData, &template::get(&child, false)),
            create: of_child(OpCode::Create, &template::create(&child, &data, flags)),
            delete: of_child(OpCode::Delete, &template::versioned(&child)),
            first_multi: multi(own, &child, &data, false),
            multi: multi(own, &child, &data, true),
            make: plain(OpCode::Create, &template::create(own, &data, PERSISTENT)),
            remove: plain(OpCode::Delete, &template::versioned(own)),
            close: plain(OpCode::CloseSession, &[]),
            asked: 0,
            share: 0,
            created: 0,
            deleted: 0,
        }
    }

    /// With `share` children that are made before the measurement.
    pub(super) fn with_share(self, share: u64) -> Self {
        Self { share, ..self }
    }

    /// For a connection that watches `watched` and asks nothing else.
    pub(super) fn watching(self, watched: &str) -> Self {
        let get = Template::new(OpCode::GetData, &template::get(watched, true), &[]);
        Self { role: Role::Watcher, get, ..self }
    }

    pub(super) fn role(&self) -> Role {
        self.role
    }

    /// The next request of the measurement.
    pub(crate) fn next(&mut self, xid: i32, out: &mut Vec<u8>) {
        let turn = self.asked;
        self.asked += 1;
        let is_read = match self.mix {
            Mix::Get => true,
            Mix::Mixed => !turn.is_multiple_of(MIXED_CYCLE),
            Mix::FanOut => self.role == Role::Watcher,
            Mix::Set => false,
            Mix::Multi => return self.next_multi(xid, out),
            Mix::CreateDelete if self.has_own_children() => return self.delete_one(xid, out),
            Mix::Create | Mix::CreateDelete | Mix::Ephemeral => return self.create_one(xid, out),
        };
        let (own, child) = match is_read {
            true => (&self.get, &self.get_child),
            false => (&self.set, &self.set_child),
        };
        if self.share == 0 {
            own.write(xid, &[], out);
        } else {
            child.write(xid, &[scattered(turn, self.share)], out);
        }
    }

    /// Whether there are children beside those made before the measurement.
    fn has_own_children(&self) -> bool {
        self.created - self.deleted > self.share
    }

    fn next_multi(&mut self, xid: i32, out: &mut Vec<u8>) {
        if self.has_own_children() {
            self.multi.write(xid, &[self.created, self.created - 1], out);
            self.deleted += 1;
        } else {
            self.first_multi.write(xid, &[self.created], out);
        }
        self.created += 1;
    }

    fn create_one(&mut self, xid: i32, out: &mut Vec<u8>) {
        self.create.write(xid, &[self.created], out);
        self.created += 1;
    }

    fn delete_one(&mut self, xid: i32, out: &mut Vec<u8>) {
        self.delete.write(xid, &[self.deleted], out);
        self.deleted += 1;
    }

    /// The next child to be made before the measurement; false where all are.
    pub(super) fn next_filling(&mut self, xid: i32, out: &mut Vec<u8>) -> bool {
        let is_short = self.created < self.share;
        if is_short {
            self.create_one(xid, out);
        }
        is_short
    }

    /// The next request that cleans up; false where nothing is left.
    pub(crate) fn next_cleaning(&mut self, xid: i32, out: &mut Vec<u8>) -> bool {
        // Ephemerals go with their session.
        let is_dirty = self.deleted < self.created && self.role != Role::Visitor;
        if is_dirty {
            self.delete_one(xid, out);
        }
        is_dirty
    }

    /// Makes the connection's znode.
    pub(crate) fn make(&self, xid: i32, out: &mut Vec<u8>) {
        self.make.write(xid, &[], out);
    }

    /// Removes the connection's znode, whose children are gone.
    pub(super) fn remove(&self, xid: i32, out: &mut Vec<u8>) {
        self.remove.write(xid, &[], out);
    }

    /// Ends the session.
    pub(super) fn close(&self, xid: i32, out: &mut Vec<u8>) {
        self.close.write(xid, &[], out);
    }

    /// The code that refused a request whose reply says it went well, as a multi's always does.
    pub(super) fn refusal_within(&self, body: &mut Reader<'_>) -> Result<Option<i32>, WireError> {
        if self.mix != Mix::Multi || body.remaining() == 0 {
            return Ok(None);
        }
        // A refused multi answers each of its ops with an error; those before the refused one, and
        // those it does not matter for, with "no error".
        while body.int("multi.type")? == ERROR_RESULT && !body.bool("multi.done")? {
            let err = body.int("multi.err")?;
            body.int("error.err")?;
            if err != 0 {
                return Ok(Some(err));
            }
        }
        Ok(None)
    }
}

/// check, setData and create; with `deletes`, delete of another child.
fn multi(own: &str, child: &str, data: &[u8], deletes: bool) -> Template {
    let mut body = Vec::new();
    let mut add = |op, part: &[u8]| {
        bodies::multi_op(op, &mut body);
        let at = body.len();
        body.extend_from_slice(part);
        at
    };
    add(OpCode::Check, &template::versioned(own));
    add(OpCode::SetData, &template::set(own, data));
    let create_at = add(OpCode::Create, &template::create(child, data, PERSISTENT));
    let mut digits = vec![create_at + digits_of(child)];
    if deletes {
        let delete_at = add(OpCode::Delete, &template::versioned(child));
        digits.push(delete_at + digits_of(child));
    }
    multi_end(&mut body);
    Template::new(OpCode::Multi, &body, &digits)
}

/// One of `0..count`, each as often as another.
fn scattered(turn: u64, count: u64) -> u64 {
    let high = turn.wrapping_mul(SCATTER) >> 32;
    (high * count) >> 32
}

#[cfg(test)]
mod tests {
    use ringkeeper::wire::{
        CreateRequest, ErrorCode, MultiOp, MultiOps, RequestHeader, SetDataRequest, VersionRequest,
        WatchableRequest, multi_error, multi_header,
    };

    use super::*;

    fn parts(frame: &[u8]) -> (RequestHeader, Reader<'_>) {
        let mut reader = Reader::new(frame);
        assert_eq!(reader.int("length").unwrap() as usize, frame.len() - 4);
        (RequestHeader::decode(&mut reader).unwrap(), reader)
    }

    fn next(requests: &mut Requests) -> Vec<u8> {
        let mut out = Vec::new();
        requests.next(7, &mut out);
        out
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
        let ops: Vec<i32> = (0..20).map(|_| parts(&next(&mut requests)).0.op).collect();
        let writes = ops.iter().filter(|op| **op == OpCode::SetData.code()).count();
        assert_eq!((writes, ops.len()), (2, 20));
    }

    #[test]
    fn create_and_delete_take_turns() {
        let mut requests = Requests::new(Mix::CreateDelete, "/bench/0", 1).with_share(5);
        while requests.next_filling(0, &mut Vec::new()) {}
        for _ in 0..3 {
            next(&mut requests);
        }
        let cleaned = (0..10).filter(|xid| requests.next_cleaning(*xid, &mut Vec::new())).count();
        assert_eq!(cleaned, 6, "the share, and what the third request made");
    }

    #[test]
    fn a_multi_deletes_what_the_one_before_made() {
        let mut requests = Requests::new(Mix::Multi, "/bench/0", 10);
        let mut made = None;
        for turn in 0..3 {
            let frame = next(&mut requests);
            let (header, reader) = parts(&frame);
            assert_eq!(header.op, OpCode::Multi.code());
            let ops = MultiOps::decode(reader.rest()).unwrap();
            assert_eq!(ops.len(), if turn == 0 { 3 } else { 4 });
            let (mut creates, mut deletes) = (None, None);
            for op in ops.iter() {
                match op {
                    MultiOp::Create(create) => creates = create.path.map(|p| p.into_owned()),
                    MultiOp::Delete(delete) => deletes = delete.path.map(|p| p.into_owned()),
                    _ => {}
                }
            }
            assert_eq!(deletes, made);
            made = creates;
        }
        assert!(requests.next_cleaning(1, &mut Vec::new()));
        assert!(!requests.next_cleaning(1, &mut Vec::new()));
    }

    #[test]
    fn a_refused_multi_is_seen_by_its_first_error() {
        let requests = Requests::new(Mix::Multi, "/bench/0", 10);
        let mut refused = Vec::new();
        for code in [0, -110, -2] {
            multi_error(ErrorCode(code), &mut refused);
        }
        multi_end(&mut refused);
        assert_eq!(requests.refusal_within(&mut Reader::new(&refused)), Ok(Some(-110)));
        let mut done = Vec::new();
        multi_header(OpCode::Check.code(), &mut done);
        assert_eq!(requests.refusal_within(&mut Reader::new(&done)), Ok(None));
    }

    #[test]
    fn a_share_is_gone_to_evenly() {
        let mut requests = Requests::new(Mix::Set, "/bench/0", 1).with_share(10);
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..1000 {
            let frame = next(&mut requests);
            let mut reader = parts(&frame).1;
            let path = SetDataRequest::decode(&mut reader).unwrap().path.unwrap().into_owned();
            *counts.entry(path).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 10);
        assert!(counts.values().all(|count| (90..=110).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_watcher_reads_with_a_watch_what_the_writer_sets() {
        let mut watcher = Requests::new(Mix::FanOut, "/bench/4", 1).watching("/bench/0");
        let frame = next(&mut watcher);
        let (header, mut reader) = parts(&frame);
        assert_eq!(header.op, OpCode::GetData.code());
        let request = WatchableRequest::decode(&mut reader).unwrap();
        assert_eq!((request.path.as_deref(), request.watch), (Some("/bench/0"), true));
    }
}
