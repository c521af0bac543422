//! Committed txns are applied, and watches fire.
//!
//! Each stretch begins with a fresh database and as many prepared txns as it will apply, so that
//! every txn meets the tree that its leader foresaw, digest included.

use std::hint::black_box;

use ringkeeper::apply::{Applied, Database, DigestCheck, Guard, Hearing, Listener};
use ringkeeper::prep::{Moment, Origin, Prep, PrepOptions, Request};
use ringkeeper::session::{Owner, Tracker};
use ringkeeper::tree::OwnerRules;
use ringkeeper::watch::{ConnId, Mode, Table, Watches};
use ringkeeper::wire::{Acl, AuthId, OpCode, SessionId, WatcherEvent, bodies, multi_end, perms};
use ringkeeper_engine::time::Millis;
use ringkeeper_engine::zxid::Zxid;

use super::{Station, Workload};

const SESSION: SessionId = SessionId(0x0100_0000_0000_0001);
const STRETCH: u64 = 1000;
/// Watches are many: 100 of each of so many znodes.
const WATCHED: u64 = 100;
const DATA: [u8; 100] = [b'x'; 100];
pub(super) const RULES: OwnerRules = OwnerRules { extended_types: true, emulate_353: false };

pub(super) const STATIONS: [Station; 7] = [
    station("apply", "apply/create", STRETCH, || applying(Change::Create)),
    station("apply", "apply/set", STRETCH, || applying(Change::Set)),
    station("apply", "apply/delete", STRETCH, || applying(Change::Delete)),
    station("apply", "apply/multi of 10 sets", STRETCH, || applying(Change::Multi)),
    station("watch", "watch/0 watchers", WATCHED, || watched(0)),
    station("watch", "watch/1 watcher", WATCHED, || watched(1)),
    station("watch", "watch/100 watchers", WATCHED, || watched(100)),
];

const fn station(
    group: &'static str,
    name: &'static str,
    stretch: u64,
    prepare: fn() -> Box<dyn Workload>,
) -> Station {
    Station { group, name, stretch, counted: Some(2000), prepare }
}

/// The znodes of a world, all below the root.
pub(super) fn child(number: usize) -> String {
    format!("/station-{number:010}")
}

/// A server without connections, log or peers.
pub(super) struct World {
    db: Database,
    pub(super) prep: Prep,
    sessions: Tracker,
    ids: Vec<AuthId>,
    acl: [Acl; 1],
    zxid: i64,
    /// Prepared and still to be applied.
    txns: Vec<Vec<u8>>,
    applied_count: usize,
    pub(super) applied: Applied,
}

impl World {
    pub(super) fn with_znodes(count: usize) -> Self {
        let mut sessions = Tracker::new(2000, Millis(0));
        sessions.track(Millis(0), SESSION, 10_000);
        let mut world = Self {
            db: Database::new(RULES, true),
            prep: Prep::new(PrepOptions::default()),
            sessions,
            ids: vec![AuthId::new("ip", "127.0.0.1")],
            acl: [Acl::new(perms::ALL, "world", "anyone")],
            zxid: 1 << 32,
            txns: Vec::new(),
            applied_count: 0,
            applied: Applied::default(),
        };
        for number in 0..count {
            world.prepare_create(number);
            world.apply_next();
            world.prep.retire(Zxid(world.zxid));
        }
        world
    }

    pub(super) fn create_body(&self, path: &str) -> Vec<u8> {
        let mut body = Vec::new();
        bodies::create(path, Some(&DATA), &self.acl, 0, &mut body);
        body
    }

    pub(super) fn set_body(&self, path: &str) -> Vec<u8> {
        let mut body = Vec::new();
        bodies::set_data(path, Some(&DATA), -1, &mut body);
        body
    }

    /// Appends the txn that the request becomes; its zxid.
    pub(super) fn prepare_into(&mut self, op: OpCode, body: &[u8], out: &mut Vec<u8>) -> Zxid {
        self.zxid += 1;
        let origin = Origin::Client(Owner::Local);
        let request = Request { session: SESSION, cxid: 1, op, body, ids: &self.ids, origin };
        let at = Moment { zxid: Zxid(self.zxid), wall_ms: self.zxid, now: Millis(0) };
        let view = self.db.view();
        let refusal = self.prep.prepare(&view, &mut self.sessions, &request, at, out);
        assert!(refusal.is_ok(), "a station asks for nothing that is refused");
        at.zxid
    }

    fn prepare_next(&mut self, op: OpCode, body: &[u8]) {
        let mut txn = Vec::new();
        self.prepare_into(op, body, &mut txn);
        self.txns.push(txn);
    }

    pub(super) fn prepare_create(&mut self, number: usize) {
        self.prepare_next(OpCode::Create, &self.create_body(&child(number)));
    }

    pub(super) fn prepare_set(&mut self, number: usize) {
        self.prepare_next(OpCode::SetData, &self.set_body(&child(number)));
    }

    fn prepare_delete(&mut self, number: usize) {
        let mut body = Vec::new();
        bodies::versioned(&child(number), -1, &mut body);
        self.prepare_next(OpCode::Delete, &body);
    }

    fn prepare_multi(&mut self, numbers: std::ops::Range<usize>) {
        let mut body = Vec::new();
        for number in numbers {
            bodies::multi_op(OpCode::SetData, &mut body);
            body.extend_from_slice(&self.set_body(&child(number)));
        }
        multi_end(&mut body);
        self.prepare_next(OpCode::Multi, &body);
    }

    pub(super) fn apply_next(&mut self) {
        self.apply_heard(None);
    }

    fn apply_heard(&mut self, hearing: Option<&mut Hearing<'_>>) {
        let txn = black_box(&self.txns[self.applied_count]);
        self.applied_count += 1;
        self.db.apply(txn, hearing, &mut self.applied).expect("prepared by `prep`");
        assert_eq!(self.applied.digest, DigestCheck::Equal);
    }
}

#[derive(Clone, Copy)]
enum Change {
    Create,
    Set,
    Delete,
    Multi,
}

struct Applying {
    change: Change,
    world: World,
}

fn applying(change: Change) -> Box<dyn Workload> {
    Box::new(Applying { change, world: World::with_znodes(0) })
}

impl Workload for Applying {
    fn renew(&mut self) {
        let count = STRETCH as usize;
        let existing = match self.change {
            Change::Create => 0,
            _ => count,
        };
        self.world = World::with_znodes(existing);
        for number in 0..count {
            match self.change {
                Change::Create => self.world.prepare_create(number),
                Change::Set => self.world.prepare_set(number),
                Change::Delete => self.world.prepare_delete(number),
                Change::Multi => {
                    let first = number % (count - 10);
                    self.world.prepare_multi(first..first + 10);
                }
            }
        }
    }

    fn once(&mut self) {
        self.world.apply_next();
    }
}

/// Writes down the events as a connection's buffer would.
#[derive(Default)]
struct Ears(Vec<u8>);

impl Listener for Ears {
    fn on_event(&mut self, _: ConnId, event: &WatcherEvent<'_>, _: &Guard<'_>) {
        event.encode(&mut self.0);
    }
}

/// A set that is applied, with so many who wait for it.
struct Watched {
    watchers: u64,
    world: World,
    watches: Watches,
    ears: Ears,
}

fn watched(watchers: u64) -> Box<dyn Workload> {
    let (world, watches) = (World::with_znodes(0), Watches::new(1));
    Box::new(Watched { watchers, world, watches, ears: Ears::default() })
}

impl Workload for Watched {
    fn renew(&mut self) {
        let count = WATCHED as usize;
        self.world = World::with_znodes(count);
        self.watches = Watches::new(1);
        for number in 0..count {
            self.world.prepare_set(number);
            for conn in 0..self.watchers {
                self.watches.add(ConnId(conn), &child(number), Table::Data, Mode::Standard);
            }
        }
    }

    fn once(&mut self) {
        self.ears.0.clear();
        let Self { world, watches, ears, .. } = self;
        world.apply_heard(Some(&mut Hearing { watches, listener: ears }));
        black_box(&self.ears.0);
    }
}
