//! A server without connections, a log or peers: requests go in, answers and events come out.

mod changes;
mod random;
mod reads;
mod replay;

use std::collections::BTreeMap;

use ringkeeper_engine::jute::Reader;
use ringkeeper_engine::time::Millis;

use super::*;
use crate::auth::AuthOptions;
use crate::prep::{Moment, Origin, Prep, PrepOptions, Request};
use crate::session::{Owner, Tracker};
use crate::wire::{Acl, OpCode, Stat, bodies};

const SESSION: SessionId = SessionId(0x0100_0000_0000_0001);

/// What was told, and to whom; who may hear what.
#[derive(Default)]
struct Ears {
    heard: Vec<String>,
    ids: BTreeMap<ConnId, Vec<AuthId>>,
    rules: AclRules,
}

impl Listener for Ears {
    fn on_event(&mut self, conn: ConnId, event: &WatcherEvent<'_>, guard: &Guard<'_>) {
        let ids = self.ids.get(&conn).map_or(&[][..], Vec::as_slice);
        if guard.permits(ids, &self.rules) {
            let ConnId(conn) = conn;
            self.heard.push(format!("{conn} {:?} {} @{}", event.kind, event.path, event.zxid));
        }
    }
}

struct Server {
    db: Database,
    prep: Prep,
    sessions: Tracker,
    watches: Watches,
    ears: Ears,
    ids: Vec<AuthId>,
    zxid: i64,
    applied: Applied,
    rules: AclRules,
    auth: AuthOptions,
}

/// An answer: code and body.
type Answer = (i32, Vec<u8>);

impl Server {
    fn new() -> Self {
        let rules = OwnerRules { extended_types: true, emulate_353: false };
        let mut server = Self {
            db: Database::new(rules, true),
            prep: Prep::new(PrepOptions::default()),
            sessions: Tracker::new(2000, Millis(0)),
            watches: Watches::new(1),
            ears: Ears::default(),
            ids: vec![AuthId::new("ip", "127.0.0.1")],
            zxid: 0,
            applied: Applied::default(),
            rules: AclRules::default(),
            auth: AuthOptions::default(),
        };
        let (code, _) = server.write(SESSION, OpCode::CreateSession, &10_000i32.to_be_bytes());
        assert_eq!(code, 0);
        server
    }

    fn prepare(&mut self, session: SessionId, op: OpCode, body: &[u8]) -> (ErrorCode, Vec<u8>) {
        self.zxid += 1;
        let origin = Origin::Client(Owner::Local);
        let request = Request { session, cxid: 1, op, body, ids: &self.ids, origin };
        let wall_ms = 1_000_000 + self.zxid;
        let at = Moment { zxid: Zxid(self.zxid), wall_ms, now: Millis(0) };
        let mut txn = Vec::new();
        let view = self.db.view();
        let refusal = self.prep.prepare(&view, &mut self.sessions, &request, at, &mut txn);
        (refusal, txn)
    }

    fn apply(&mut self, txn: &[u8]) {
        let mut hearing = Hearing { watches: &mut self.watches, listener: &mut self.ears };
        self.db.apply(txn, Some(&mut hearing), &mut self.applied).unwrap();
        self.prep.retire(self.applied.header.zxid);
        if let Some(SessionChange::Closed { session }) = self.applied.session {
            self.sessions.remove(session);
        }
    }

    fn write(&mut self, session: SessionId, op: OpCode, body: &[u8]) -> Answer {
        let (_, txn) = self.prepare(session, op, body);
        self.apply(&txn);
        let mut out = Vec::new();
        self.applied.encode_reply(op, &mut out);
        (self.applied.err.code(), out)
    }

    fn ask(&mut self, op: OpCode, write: impl FnOnce(&mut Vec<u8>)) -> Answer {
        let mut body = Vec::new();
        write(&mut body);
        self.write(SESSION, op, &body)
    }

    /// Makes a znode that is open to all.
    fn create(&mut self, path: &str, data: &str, flags: i32) -> String {
        let data = Some(data.as_bytes());
        let (code, body) =
            self.ask(OpCode::Create, |out| bodies::create(path, data, &open(), flags, out));
        assert_eq!(code, 0, "{path}");
        Reader::new(&body).ustring("path").unwrap().unwrap().into_owned()
    }

    fn delete(&mut self, path: &str) {
        assert_eq!(self.ask(OpCode::Delete, |out| bodies::versioned(path, -1, out)), (0, vec![]));
    }

    fn set_data(&mut self, path: &str, data: &str) -> Stat {
        let data = Some(data.as_bytes());
        let (code, body) = self.ask(OpCode::SetData, |out| bodies::set_data(path, data, -1, out));
        assert_eq!(code, 0, "{path}");
        Stat::decode(&mut Reader::new(&body)).unwrap()
    }

    fn set_acl(&mut self, path: &str, acl: &[Acl]) -> Stat {
        let (code, body) = self.ask(OpCode::SetAcl, |out| bodies::set_acl(path, acl, -1, out));
        assert_eq!(code, 0, "{path}");
        Stat::decode(&mut Reader::new(&body)).unwrap()
    }

    fn stat(&self, path: &str) -> Stat {
        self.db.tree.stat(self.db.tree.find(path).unwrap())
    }

    fn read_from(&mut self, conn: u64, op: OpCode, write: impl FnOnce(&mut Vec<u8>)) -> Answer {
        let mut body = Vec::new();
        write(&mut body);
        let (rules, auth) = (&self.rules, &self.auth);
        let asker = Asker { conn: ConnId(conn), session: SESSION, ids: &self.ids, rules, auth };
        let mut out = Vec::new();
        let code = self.db.read(&mut self.watches, &asker, op, &body, &mut out);
        (code.code(), out)
    }

    fn read(&mut self, op: OpCode, write: impl FnOnce(&mut Vec<u8>)) -> Answer {
        self.read_from(1, op, write)
    }

    fn heard(&mut self) -> Vec<String> {
        std::mem::take(&mut self.ears.heard)
    }
}

fn open() -> [Acl; 1] {
    [Acl::new(perms::ALL, "world", "anyone")]
}
