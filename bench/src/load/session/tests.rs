//! Answers, refusals and events of one connection, from bytes.

use ringkeeper::wire::{ErrorCode, EventKind, WatcherEvent};
use ringkeeper_engine::io;

use super::*;
use crate::load::Mix;

/// An id of a connection that is never used.
fn some_conn() -> ConnId {
    let mut reactor = io::start(io::Backend::Poll, &io::ReactorOptions::default(), None)
        .expect("epoll works everywhere");
    let nobody = "127.0.0.1:1".parse().expect("an address");
    reactor.io().connect(nobody, 0, std::time::Duration::from_secs(1))
}

fn ready(requests: Requests) -> Session {
    let mut session = Session::new(some_conn(), requests);
    let (mut refusals, mut out) = (BTreeMap::new(), Vec::new());
    let mut opened = vec![0, 0, 0, 36];
    let response = ConnectResponse {
        timeout_ms: 1,
        session: SessionId(7),
        password: [0; 16],
        read_only: None,
    };
    response.encode(&mut opened);
    assert_eq!(session.receive(&opened, &mut refusals, &mut out), Ok(answers(0)));
    assert_eq!(session.stage, Stage::Making);
    assert_eq!(session.receive(&answer(1, 0), &mut refusals, &mut out), Ok(answers(0)));
    assert_eq!(session.stage, Stage::Ready);
    session
}

fn setter() -> Session {
    ready(Requests::new(Mix::Set, "/b/0", 10))
}

fn answers(answers: usize) -> Heard {
    Heard { answers, fired: None }
}

fn answer(xid: i32, err: i32) -> Vec<u8> {
    let mut frame = vec![0, 0, 0, 16];
    ReplyHeader { xid, zxid: 9, err: ErrorCode(err) }.encode(&mut frame);
    frame
}

#[test]
fn answers_settle_the_oldest_requests_first() {
    let mut session = setter();
    let mut out = Vec::new();
    session.ask(2, 10, &mut out);
    session.ask(3, 20, &mut out);
    let bytes: Vec<u8> = (2..=5).flat_map(|xid| answer(xid, 0)).collect();
    let heard = session.receive(&bytes, &mut BTreeMap::new(), &mut out).unwrap();
    let mut settled = Vec::new();
    session.settle(heard.answers, |since, count| settled.push((since, count)));
    assert_eq!(settled, [(10, 2), (20, 2)]);
    assert_eq!(session.outstanding(), 1);
}

#[test]
fn an_answer_out_of_turn_is_a_fault() {
    let mut session = setter();
    let mut out = Vec::new();
    session.ask(2, 10, &mut out);
    let answered = session.receive(&answer(3, 0), &mut BTreeMap::new(), &mut out);
    assert_eq!(answered, Err(Fault::OutOfTurn { expected: 2, got: 3 }));
}

#[test]
fn refusals_are_counted_by_code_and_pings_not_at_all() {
    let mut session = setter();
    let (mut refusals, mut out) = (BTreeMap::new(), Vec::new());
    session.ask(1, 10, &mut out);
    let bytes = [answer(xid::PING, 0), answer(2, -101)].concat();
    assert_eq!(session.receive(&bytes, &mut refusals, &mut out), Ok(answers(1)));
    assert_eq!(refusals, BTreeMap::from([(-101, 1)]));
}

#[test]
fn an_event_tells_which_version_was_watched() {
    let requests = Requests::new(Mix::FanOut, "/b/1", 10).watching("/b/0");
    let (mut session, mut refusals, mut out) = (ready(requests), BTreeMap::new(), Vec::new());
    session.ask(1, 10, &mut out);
    let mut read = Vec::new();
    ReplyHeader { xid: 2, zxid: 9, err: ErrorCode::OK }.encode(&mut read);
    Writer(&mut read).buffer(Some(b"x"));
    Stat { version: 41, ..Stat::default() }.encode(&mut read);
    let mut event = Vec::new();
    let path = "/b/0";
    WatcherEvent { kind: EventKind::DataChanged, path, zxid: 10 }.encode(&mut event);
    let framed = |body: &[u8]| [&(body.len() as u32).to_be_bytes()[..], body].concat();
    let bytes = [framed(&read), framed(&event)].concat();
    let heard = session.receive(&bytes, &mut refusals, &mut out);
    assert_eq!(heard, Ok(Heard { answers: 1, fired: Some(41) }));
    let again = session.receive(&framed(&event), &mut refusals, &mut out);
    assert_eq!(again, Err(Fault::UnaskedEvent));
}

#[test]
fn a_visitor_makes_no_znode_of_its_own() {
    let requests = Requests::new(Mix::Ephemeral, "/b/1", 10);
    let mut session = Session::new(some_conn(), requests);
    let mut out = Vec::new();
    session.opened(&mut out);
    assert_eq!((session.stage, out.len()), (Stage::Ready, 0));
}
