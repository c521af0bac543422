//! A client's frame is decoded; its answer is encoded.
//!
//! Decoding is what the server does before it knows where a request goes: the frame is cut out, its
//! header read, and its body read as far as the connection's own server must.

use std::hint::black_box;

use ringkeeper::frontend::{Frame, split};
use ringkeeper::wire::{
    ErrorCode, EventKind, OpCode, ReplyHeader, RequestHeader, WatchableRequest, WatcherEvent,
    check_write_body,
};
use ringkeeper_engine::jute::{Reader, Writer};

use super::database::World;
use super::{Station, Workload};
use crate::load::{Mix, Requests};

const FRAME_BYTES_MAX: usize = 1 << 20;

pub(super) const STATIONS: [Station; 6] = [
    Station::lasting("decode", "decode/set", || decode(Mix::Set)),
    Station::lasting("decode", "decode/create", || decode(Mix::Create)),
    Station::lasting("decode", "decode/get", || decode(Mix::Get)),
    Station::lasting("reply", "reply/set", || reply(OpCode::SetData)),
    Station::lasting("reply", "reply/create", || reply(OpCode::Create)),
    Station::lasting("reply", "reply/event", event),
];

fn decode(mix: Mix) -> Box<dyn Workload> {
    let mut bytes = Vec::new();
    Requests::new(mix, "/stations", 100).next(7, &mut bytes);
    Box::new(move || {
        let Ok(Frame::Whole { body, .. }) = split(black_box(&bytes), FRAME_BYTES_MAX) else {
            unreachable!("the frame is whole");
        };
        let mut reader = Reader::new(body);
        let header = RequestHeader::decode(&mut reader).expect("made by `Requests`");
        if mix == Mix::Get {
            black_box(WatchableRequest::decode(&mut reader).expect("made by `Requests`").watch);
        } else {
            let op = if mix == Mix::Set { OpCode::SetData } else { OpCode::Create };
            black_box(check_write_body(op, reader.rest())).expect("made by `Requests`");
        }
        black_box(header);
    })
}

/// A whole frame: length, header, and the body that the applied txn comes to.
fn reply(op: OpCode) -> Box<dyn Workload> {
    let mut world = World::with_znodes(1);
    if op == OpCode::Create {
        world.prepare_create(1);
    } else {
        world.prepare_set(0);
    }
    world.apply_next();
    let mut out = Vec::new();
    Box::new(move || {
        out.clear();
        let mut writer = Writer(&mut out);
        writer.int(0);
        let applied = black_box(&world.applied);
        let zxid = applied.header.zxid.0;
        ReplyHeader { xid: 7, zxid, err: applied.err }.encode(&mut out);
        applied.encode_reply(op, &mut out);
        let length = i32::try_from(out.len() - 4).expect("an answer is short");
        Writer(&mut out).patch_int(0, length);
        assert_eq!(applied.err, ErrorCode::OK);
        black_box(&out);
    })
}

fn event() -> Box<dyn Workload> {
    let mut out = Vec::new();
    Box::new(move || {
        out.clear();
        let path = black_box("/stations/0000000001");
        WatcherEvent { kind: EventKind::DataChanged, path, zxid: 7 }.encode(&mut out);
        black_box(&out);
    })
}
