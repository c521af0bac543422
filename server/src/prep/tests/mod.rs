//! A leader to whose tree nothing is ever applied: all there is is outstanding.

mod pipeline;
mod refusals;

use super::*;
use crate::auth::digest_id;
use crate::tree::{AclId, CONTAINER, NewZnode, OwnerRules};
use crate::txn::{self, Create, CreateKind};
use crate::wire::{Acl, SessionId, bodies, multi_end, perms};

const ALICE: SessionId = SessionId(0x0100_0000_0000_0001);
const BOB: SessionId = SessionId(0x0100_0000_0000_0002);

/// One op of a multi, and what writes its body.
type Op<'a> = (OpCode, &'a dyn Fn(&mut Vec<u8>));

struct World {
    tree: Tree,
    acls: AclTable,
    quotas: Quotas,
    digest: TreeDigest,
    sessions: Tracker,
    prep: Prep,
    zxid: i64,
    ids: Vec<AuthId>,
    txn: Vec<u8>,
}

impl World {
    fn new() -> Self {
        Self::with(PrepOptions::default(), true)
    }

    fn with(options: PrepOptions, extended_types: bool) -> Self {
        let rules = OwnerRules { extended_types, emulate_353: false };
        let mut tree = Tree::new(rules);
        let digest = TreeDigest::of(&mut tree);
        let mut sessions = Tracker::new(2000, Millis(0));
        sessions.track(Millis(0), ALICE, 10_000);
        sessions.track(Millis(0), BOB, 10_000);
        Self {
            tree,
            acls: AclTable::new(),
            quotas: Quotas::new(),
            digest,
            sessions,
            prep: Prep::new(options),
            zxid: 0,
            ids: vec![AuthId::new("ip", "127.0.0.1")],
            txn: Vec::new(),
        }
    }

    fn ask_from(&mut self, session: SessionId, origin: Origin, op: OpCode, body: &[u8]) -> i32 {
        self.zxid += 1;
        self.txn.clear();
        let (tree, acls, quotas) = (&self.tree, &self.acls, &self.quotas);
        let view = View { tree, acls, quotas, digest: self.digest };
        let request = Request { session, cxid: 1, op, body, ids: &self.ids, origin };
        let at = Moment { zxid: Zxid(self.zxid), wall_ms: 1000 + self.zxid, now: Millis(0) };
        let code = self.prep.prepare(&view, &mut self.sessions, &request, at, &mut self.txn).code();
        let (header, txn, _) = txn::decode(&self.txn).expect("what prep writes can be read");
        assert_eq!(header.zxid, at.zxid);
        if let Txn::Error { code: logged } = txn {
            assert_eq!(logged.code(), code, "the log says what the client is told");
        }
        code
    }

    fn ask(&mut self, op: OpCode, write: impl FnOnce(&mut Vec<u8>)) -> i32 {
        let mut body = Vec::new();
        write(&mut body);
        self.ask_from(ALICE, Origin::Client(Owner::Local), op, &body)
    }

    fn create(&mut self, path: &str, flags: i32) -> i32 {
        self.ask(OpCode::Create, |out| bodies::create(path, None, &open(), flags, out))
    }

    fn created(&mut self, path: &str, flags: i32) -> String {
        assert_eq!(self.create(path, flags), 0, "{path}");
        match txn::decode(&self.txn).unwrap().1 {
            Txn::Create(create) => create.path.into_owned(),
            other => panic!("{other:?}"),
        }
    }

    fn delete(&mut self, path: &str, version: i32) -> i32 {
        self.ask(OpCode::Delete, |out| bodies::versioned(path, version, out))
    }

    fn set_data(&mut self, path: &str, version: i32) -> i32 {
        self.ask(OpCode::SetData, |out| bodies::set_data(path, Some(b"x"), version, out))
    }

    fn set_acl(&mut self, path: &str, acl: &[Acl], version: i32) -> i32 {
        self.ask(OpCode::SetAcl, |out| bodies::set_acl(path, acl, version, out))
    }

    fn multi(&mut self, ops: &[Op<'_>]) -> i32 {
        self.ask(OpCode::Multi, |out| {
            for (op, write) in ops {
                bodies::multi_op(*op, out);
                write(out);
            }
            multi_end(out);
        })
    }
}

fn open() -> [Acl; 1] {
    [Acl::new(perms::ALL, "world", "anyone")]
}

fn only(perms: i32) -> [Acl; 1] {
    [Acl::new(perms, "world", "anyone")]
}
