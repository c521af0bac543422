//! A request becomes a txn, and the txn a proposal.
//!
//! As many changes are outstanding as on a busy leader: the oldest is retired when the next is
//! prepared, so that a path comes free again before it is asked for again.

use std::hint::black_box;

use ringkeeper::wire::OpCode;
use ringkeeper_engine::zab::packets::{self, Kind};
use ringkeeper_engine::zxid::Zxid;

use super::database::{World, child};
use super::{Station, Workload};

const OUTSTANDING: i64 = 100;

/// Different requests, more than are outstanding.
const BODIES: usize = 128;

pub(super) const STATIONS: [Station; 3] = [
    Station::lasting("prep", "prep/set", || prep(OpCode::SetData)),
    Station::lasting("prep", "prep/create", || prep(OpCode::Create)),
    Station::lasting("encode", "encode/proposal", encode),
];

fn prep(op: OpCode) -> Box<dyn Workload> {
    let existing = if op == OpCode::SetData { BODIES } else { 0 };
    let mut world = World::with_znodes(existing);
    let bodies: Vec<Vec<u8>> = (0..BODIES)
        .map(|number| match op {
            OpCode::SetData => world.set_body(&child(number)),
            _ => world.create_body(&child(number)),
        })
        .collect();
    let mut out = Vec::new();
    let mut at = 0;
    Box::new(move || {
        out.clear();
        at = (at + 1) % BODIES;
        let zxid = world.prepare_into(op, black_box(&bodies[at]), &mut out);
        world.prep.retire(Zxid(zxid.0 - OUTSTANDING));
        black_box(&out);
    })
}

/// A prepared txn of a set of 100 bytes, as the PROPOSAL packet for peers and disk.
fn encode() -> Box<dyn Workload> {
    let mut world = World::with_znodes(1);
    let body = world.set_body(&child(0));
    let mut payload = Vec::new();
    world.prepare_into(OpCode::SetData, &body, &mut payload);
    let mut draft = Vec::new();
    Box::new(move || {
        draft.clear();
        let fill = |out: &mut Vec<u8>| out.extend_from_slice(black_box(&payload));
        packets::write_filled(&mut draft, Kind::Proposal, Zxid(1 << 32), fill);
        black_box(&draft);
    })
}
