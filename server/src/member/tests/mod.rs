//! What a member promises, on one server alone. What several promise together: `tests/src/sim`.

mod harness;
mod snapshots;

use ringkeeper_engine::jute::Writer;
use ringkeeper_engine::replica::Event;

use crate::member::Output;
use crate::wire::{ErrorCode, OpCode, SessionId};
use harness::{Alone, PING, create, create_as, delete, get_data, request, set_data};

const CREATE: i32 = OpCode::Create as i32;
const SET: i32 = OpCode::SetData as i32;
const GET: i32 = OpCode::GetData as i32;
const CLOSE: i32 = OpCode::CloseSession as i32;

#[test]
fn m3_nobody_is_served_before_there_is_a_leader() {
    let mut alone = Alone::new("");
    let conn = alone.accept();
    assert_eq!(alone.connect(conn, SessionId::NONE, &[0; 16], 0), None);
    assert_eq!(alone.closed, [conn]);
}

#[test]
fn w2_a_client_that_comes_during_an_election_waits_for_its_end() {
    let mut alone = Alone::new("");
    alone.member.waiting.begin(alone.at().now);
    let (first, gone, second) = (alone.accept(), alone.accept(), alone.accept());
    for conn in [first, gone, second] {
        assert_eq!(alone.connect(conn, SessionId::NONE, &[0; 16], 0), None, "W2");
    }
    // What a client sends without waiting for its session waits too.
    alone.ask(second, 1, CREATE, &create("/a"));
    alone.member.disconnected(gone);
    let at = alone.at();
    alone.member.start(at, &mut alone.disk);
    alone.settle();
    alone.settle();
    assert_eq!((alone.frames(first).len(), alone.frames(second).len()), (1, 2), "W2");
    assert!(alone.closed.is_empty(), "{:?}", alone.closed);
    assert_eq!(alone.member.database().last_zxid().0, 3, "two sessions and a znode");
}

#[test]
fn w1_nobody_waits_for_long_or_with_much() {
    let mut alone = Alone::new("");
    alone.member.waiting.begin(alone.at().now);
    let (patient, huge) = (alone.accept(), alone.accept());
    assert_eq!(alone.connect(patient, SessionId::NONE, &[0; 16], 0), None);
    assert_eq!(alone.connect(huge, SessionId::NONE, &[0; 300], 0), None);
    assert_eq!(alone.closed, [huge], "W1");
    let until = alone.member.deadline().expect("somebody waits");
    alone.now = until.0;
    let (late, at) = (alone.accept(), alone.at());
    assert_eq!(alone.connect(late, SessionId::NONE, &[0; 16], 0), None);
    alone.member.tick(at, &mut alone.disk);
    alone.turn();
    assert_eq!(alone.closed, [huge, late, patient], "W1");
}

#[test]
fn m4_a_read_waits_behind_the_sessions_own_write_and_nothing_else() {
    let mut alone = Alone::serving("");
    let (writer, ..) = alone.client();
    let (reader, ..) = alone.client();
    alone.ask(writer, 1, CREATE, &create("/a"));
    alone.ask(writer, 2, GET, &get_data("/a", false));
    alone.ask(writer, PING.0, PING.1, b"");
    alone.ask(reader, 1, GET, &get_data("/", false));
    alone.turn();
    assert_eq!(alone.replies(writer), [], "M4: the disk has not answered");
    assert_eq!(alone.replies(reader), [(1, 0)], "M4: another connection's read goes on");
    alone.settle();
    assert_eq!(alone.replies(writer), [(1, 0), (2, 0), PING_REPLY], "M4");
}

#[test]
fn what_others_wait_for_leaves_before_much_is_applied() {
    for (asked, is_much) in [(3, false), (40, true)] {
        let mut alone = Alone::serving("");
        let (conn, ..) = alone.client();
        for n in 0..asked {
            alone.ask(conn, n, CREATE, &create(&format!("/{n}")));
        }
        alone.turn();
        // One more is proposed in the turn in which those are decided.
        alone.ask(conn, asked, CREATE, &create("/more"));
        let (at, done) = (alone.at(), alone.disk.complete(0));
        alone.member.peer(at, Event::Disk(done), &mut alone.disk);
        let before = alone.member.database().last_zxid();

        let (mut first, mut second) = (Vec::new(), Vec::new());
        let was_much = alone.member.hand_out(at, &mut alone.disk, &mut first);
        assert_eq!(was_much, is_much, "{asked} decided");
        assert_eq!(alone.member.database().last_zxid(), before);
        assert!(matches!(first[..], [Output::Disk(_)]), "{first:?}");
        alone.member.answer(at, &mut alone.disk, &mut second);
        assert_eq!(alone.member.database().last_zxid().0, before.0 + i64::from(asked));
        assert!(matches!(second[..], [Output::Send { .. }]), "{second:?}");
    }
}

/// Compat: a ping is answered with xid -2 whatever it was sent with.
const PING_REPLY: (i32, i32) = (-2, 0);

#[test]
fn an_id_is_not_the_id_of_two_connections() {
    let mut alone = Alone::serving("");
    let first = alone.accept();
    alone.member.disconnected(first);
    let second = alone.accept();
    assert_ne!(first, second, "two lives, two ids");
    alone.bytes(first, &[0, 0, 0, 0]);
    alone.turn();
    assert!(alone.closed.is_empty(), "what comes late for the first does nothing to the second");
}

#[test]
fn m2_the_event_leaves_before_the_reply_that_reflects_it() {
    let mut alone = Alone::serving("");
    let (conn, ..) = alone.client();
    alone.ask(conn, 1, CREATE, &create("/a"));
    alone.ask(conn, 2, GET, &get_data("/a", true));
    alone.ask(conn, 3, SET, &set_data("/a"));
    alone.settle();
    assert_eq!(alone.replies(conn), [(1, 0), (2, 0), (-1, 0), (3, 0)], "M2");
}

#[test]
fn m1_what_is_applied_is_applied_once_and_in_order() {
    let mut alone = Alone::serving("");
    let (conn, ..) = alone.client();
    for xid in 1..=20 {
        alone.ask(conn, xid, CREATE, &create(&format!("/n{xid}")));
    }
    alone.settle();
    let expected: Vec<(i32, i32)> = (1..=20).map(|xid| (xid, 0)).collect();
    assert_eq!(alone.replies(conn), expected, "M1");
    assert_eq!(alone.member.database().last_zxid().0, 21, "one zxid each, and the session's");
}

/// Compat: -6 with zxid -1, and the connection ends.
#[test]
fn an_op_no_client_may_send_is_refused_and_the_connection_ends() {
    for op in [0, 10, 13, 20, -10, 4711] {
        let mut alone = Alone::serving("");
        let (conn, ..) = alone.client();
        alone.ask(conn, 5, op, b"");
        alone.settle();
        assert_eq!(alone.replies(conn), [(5, ErrorCode::UNIMPLEMENTED.0)], "op {op}");
        assert_eq!(alone.closed, [conn], "op {op}");
    }
}

/// Compat: without a JAAS configuration the token is answered with none and all goes on.
#[test]
fn sasl_that_is_not_configured_is_answered_with_a_null_token() {
    let mut alone = Alone::serving("");
    let (conn, ..) = alone.client();
    let mut token = Vec::new();
    Writer(&mut token).buffer(Some(b"hello"));
    alone.ask(conn, 1, OpCode::Sasl as i32, &token);
    alone.turn();
    let frames = alone.frames(conn);
    assert_eq!(&frames[0][16..], (-1i32).to_be_bytes());
    assert!(alone.closed.is_empty());
}

#[test]
fn a_malformed_write_is_refused_here_and_takes_no_zxid() {
    let mut alone = Alone::serving("");
    let (conn, ..) = alone.client();
    let before = alone.member.database().last_zxid();
    for op in [1, 2, 5, 7, 15, 19, 21] {
        alone.ask(conn, op, op, &[0xff]);
        alone.settle();
        assert_eq!(alone.replies(conn), [(op, ErrorCode::MARSHALLING_ERROR.0)], "op {op}");
    }
    assert_eq!(alone.member.database().last_zxid(), before);
    assert!(alone.closed.is_empty(), "the connection stays");
}

/// Compat: the session's good connection is closed although the password is wrong.
#[test]
fn a_wrong_password_ends_the_sessions_other_connection_too() {
    let mut alone = Alone::serving("");
    let (good, session, _) = alone.client();
    let thief = alone.accept();
    let response = alone.connect(thief, session, &[1; 16], 0).expect("an answer");
    assert_eq!((response.session, response.timeout_ms), (SessionId::NONE, 0));
    assert_eq!(alone.closed, [good, thief]);
    let back = alone.accept();
    let (_, again) = (back, alone.connect(back, session, &crate::session::password(session), 0));
    assert_eq!(again.expect("the session lives").session, session);
}

#[test]
fn a_client_that_has_seen_more_is_sent_away() {
    let mut alone = Alone::serving("");
    let (_, session, password) = alone.client();
    let conn = alone.accept();
    assert_eq!(alone.connect(conn, session, &password, 1 << 40), None);
    assert_eq!(alone.closed, [conn], "its session's other connection stays");
}

#[test]
fn closing_a_session_answers_and_then_ends_the_connection() {
    let mut alone = Alone::serving("");
    let (conn, session, _) = alone.client();
    alone.ask(conn, 1, CLOSE, b"");
    alone.ask(conn, 2, GET, &get_data("/", false));
    alone.settle();
    assert_eq!(alone.replies(conn), [(1, 0)], "what came behind it is dropped");
    assert_eq!(alone.closed, [conn]);
    assert!(!alone.member.database().sessions().contains_key(&session));
}

#[test]
fn a_session_that_stays_silent_expires_once() {
    let mut alone = Alone::serving("");
    let (conn, session, _) = alone.client();
    for _ in 0..12 {
        alone.now += 1_000;
        let at = alone.at();
        alone.member.tick(at, &mut alone.disk);
        alone.settle();
    }
    assert!(!alone.member.database().sessions().contains_key(&session));
    assert_eq!(alone.closed, [conn]);
    assert_eq!(alone.member.database().last_zxid().0, 2, "created, closed, nothing else");
}

/// It reads nothing more, so that nobody can be heard.
#[test]
fn a_server_that_stops_ends_no_session() {
    let mut alone = Alone::serving("");
    let (_, session, _) = alone.client();
    alone.member.stop_reading();
    for _ in 0..60 {
        alone.now += 1_000;
        let at = alone.at();
        alone.member.tick(at, &mut alone.disk);
        alone.settle();
    }
    assert!(alone.member.database().sessions().contains_key(&session));
}

#[test]
fn containers_that_emptied_and_ttl_znodes_past_their_time_are_reaped() {
    let mut alone = Alone::serving("extendedTypesEnabled=true");
    let (conn, ..) = alone.client();
    let container = OpCode::CreateContainer as i32;
    alone.ask(conn, 1, container, &create_as("/emptied", 4));
    alone.ask(conn, 2, CREATE, &create("/emptied/child"));
    alone.ask(conn, 3, container, &create_as("/never-used", 4));
    let mut with_ttl = create_as("/short-lived", 5);
    Writer(&mut with_ttl).long(150_000);
    alone.ask(conn, 4, OpCode::CreateTtl as i32, &with_ttl);
    alone.settle();
    let exists = |alone: &Alone, path: &str| alone.member.database().tree.find(path).is_some();
    let pass_a_minute = |alone: &mut Alone| {
        for _ in 0..61 {
            alone.now += 1_000;
            alone.ask(conn, PING.0, PING.1, b"");
            let at = alone.at();
            alone.member.tick(at, &mut alone.disk);
            alone.settle();
        }
    };
    pass_a_minute(&mut alone);
    assert!(exists(&alone, "/emptied") && exists(&alone, "/short-lived"), "one has a child");
    alone.ask(conn, 5, OpCode::Delete as i32, &delete("/emptied/child"));
    alone.settle();
    pass_a_minute(&mut alone);
    assert!(!exists(&alone, "/emptied") && exists(&alone, "/short-lived"));
    pass_a_minute(&mut alone);
    assert!(!exists(&alone, "/short-lived"), "two and a half minutes after it was last changed");
    assert!(exists(&alone, "/never-used"), "a container that never had a child stays");
}

/// The mark that spares touches must not hide one that lets the session live longer.
#[test]
fn a_session_lives_its_timeout_from_the_last_request_of_a_tick() {
    for last in [100, 900, 1_900] {
        let mut alone = Alone::serving("tickTime=2000");
        alone.now = 10_000;
        let (conn, session, _) = alone.client();
        for at in [10_050, 10_000 + last] {
            alone.now = at;
            alone.ask(conn, PING.0, PING.1, b"");
            alone.turn();
        }
        for _ in 0..49 {
            alone.now += 100;
            let at = alone.at();
            alone.member.tick(at, &mut alone.disk);
            alone.settle();
        }
        let is_alive = alone.member.database().sessions().contains_key(&session);
        assert!(is_alive, "4.9 s after its last request at {last}, of 5 s");
    }
}

#[test]
fn a_frame_may_come_in_any_pieces() {
    let mut alone = Alone::serving("");
    let (conn, ..) = alone.client();
    let mut frame = vec![0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 4];
    frame.extend_from_slice(&get_data("/", false));
    frame[3] = (frame.len() - 4) as u8;
    for byte in &frame {
        alone.bytes(conn, &[*byte]);
    }
    alone.turn();
    assert_eq!(alone.replies(conn), [(9, 0)]);
}

#[test]
fn many_frames_may_be_cut_anywhere() {
    let mut frames = Vec::new();
    for xid in 1..=60 {
        frames.extend(match xid % 3 {
            0 => request(xid, CREATE, &create(&format!("/{xid}"))),
            _ => request(xid, GET, &get_data("/", false)),
        });
    }
    for size in (1..70).chain([100, 1_000, frames.len()]) {
        let mut alone = Alone::serving("");
        let (conn, ..) = alone.client();
        for piece in frames.chunks(size) {
            alone.bytes(conn, piece);
        }
        alone.settle();
        let expected: Vec<_> = (1..=60).map(|xid| (xid, 0)).collect();
        assert_eq!(alone.replies(conn), expected, "pieces of {size}");
    }
}

/// Of a tree that is worth looking ahead in, and with bytes on the way that lead nowhere.
#[test]
fn requests_that_come_together_are_answered_as_those_that_come_alone() {
    let serve = |come_together: bool| {
        let mut alone = Alone::serving("");
        let (conn, ..) = alone.client();
        let mut requests = Vec::new();
        for xid in 1..=9_000 {
            let path = format!("/{}", xid * 7919 % 5_000);
            let (op, record) = match xid {
                ..=5_000 => (CREATE, create(&path)),
                _ if xid % 5 == 0 => (SET, set_data(&path)),
                _ if xid % 7 == 0 => (CREATE, create(&path)),
                _ if xid % 11 == 0 => (GET, get_data("no path", false)),
                _ => (GET, get_data(&path, false)),
            };
            requests.extend_from_slice(&request(xid, op, &record));
            if !come_together || xid % 500 == 0 {
                alone.bytes(conn, &requests);
                requests.clear();
                alone.settle();
            }
        }
        assert!(alone.member.database().tree.looks_ahead());
        // The end of it: a frame with a length that its bytes do not have, and one without a header.
        let mut strange = request(9_001, GET, &[0x7f, 0xff, 0xff, 0xff, b'/']);
        strange.extend_from_slice(&[0, 0, 0, 3, 1, 2, 3]);
        alone.bytes(conn, &strange);
        alone.settle();
        (alone.frames(conn), alone.closed)
    };
    let (together, one_by_one) = (serve(true), serve(false));
    assert!(together.0.len() >= 9_000);
    assert!(together == one_by_one);
}

#[test]
fn a_four_letter_word_is_answered_and_ends_the_connection() {
    let mut alone = Alone::serving("4lw.commands.whitelist=ruok");
    let conn = alone.accept();
    alone.bytes(conn, b"ru");
    alone.bytes(conn, b"ok");
    alone.turn();
    assert_eq!(alone.sent.remove(&conn).as_deref(), Some(&b"imok"[..]));
    assert_eq!(alone.closed, [conn]);
}

#[test]
fn who_has_much_to_ask_does_not_keep_the_others_waiting() {
    let mut alone = Alone::serving("globalOutstandingLimit=40");
    let (greedy, ..) = alone.client();
    let (modest, ..) = alone.client();
    for xid in 1..=1000 {
        alone.ask(greedy, xid, CREATE, &create(&format!("/n{xid}")));
    }
    for xid in 1..=20 {
        alone.ask(modest, xid, CREATE, &create(&format!("/m{xid}")));
    }
    let (mut of_greedy, mut of_modest) = (Vec::new(), Vec::new());
    while of_modest.len() < 20 {
        alone.answer_one();
        of_greedy.extend(alone.replies(greedy));
        of_modest.extend(alone.replies(modest));
    }
    let before = of_greedy.len();
    assert!(before <= 4 * 40, "{before} of its requests went before twenty of another");
    alone.settle();
    of_greedy.extend(alone.replies(greedy));
    let all = |last| -> Vec<(i32, i32)> { (1..=last).map(|xid| (xid, 0)).collect() };
    assert_eq!(of_greedy, all(1000), "M4");
    assert_eq!(of_modest, all(20), "M4");
}
