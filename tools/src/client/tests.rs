//! The client against a server that a test plays.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{Builder, JoinHandle};

use ringkeeper::wire::{
    ConnectRequest, ConnectResponse, ErrorCode, EventKind, OpCode, ReplyHeader, SessionId, Stat,
    WatcherEvent, xid,
};
use ringkeeper_engine::jute::{Reader, Writer};

use super::*;

const SESSION: SessionId = SessionId(0x10_0000_0001);

/// The server's end of one connection.
struct Peer(TcpStream);

impl Peer {
    fn read(&mut self) -> Vec<u8> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length).expect("a frame");
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut body).expect("a whole frame");
        body
    }

    fn write(&mut self, body: &[u8]) {
        let length = u32::try_from(body.len()).expect("small").to_be_bytes();
        self.0.write_all(&[&length[..], body].concat()).expect("a client that reads");
    }

    /// Gives the session out, or again; answers with what the client brought.
    fn open(&mut self, session: SessionId) -> (SessionId, [u8; 16]) {
        let body = self.read();
        let request = ConnectRequest::decode(&body).expect("a connect request");
        let password = request.password.expect("a password").try_into().expect("16 bytes");
        let response = match session {
            SessionId::NONE => ConnectResponse::refusal(Some(false)),
            session => ConnectResponse {
                timeout_ms: 30_000,
                session,
                password: [7; 16],
                read_only: Some(false),
            },
        };
        let mut out = Vec::new();
        response.encode(&mut out);
        self.write(&out);
        (request.session, password)
    }

    /// The next request: xid, op, and what follows.
    fn request(&mut self) -> (i32, OpCode, Vec<u8>) {
        let body = self.read();
        let mut reader = Reader::new(&body);
        let xid = reader.int("xid").expect("an xid");
        let op = OpCode::from_code(reader.int("op").expect("an op")).expect("a known op");
        (xid, op, reader.rest().to_vec())
    }

    fn reply(&mut self, xid: i32, err: ErrorCode, body: &[u8]) {
        let mut out = Vec::new();
        ReplyHeader { xid, zxid: 9, err }.encode(&mut out);
        out.extend_from_slice(body);
        self.write(&out);
    }
}

/// Plays one server for each script, in order, and a client of them all.
fn play(
    scripts: Vec<fn(Peer)>,
    chroot: &str,
) -> (Result<Client, ClientError>, Receiver<Event>, Vec<JoinHandle<()>>) {
    let mut servers = Vec::new();
    let mut threads = Vec::new();
    for script in scripts {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        servers.push(listener.local_addr().expect("a bound port").to_string());
        let serve = move || script(Peer(listener.accept().expect("a client").0));
        threads.push(Builder::new().spawn(serve).expect("a thread"));
    }
    let options = ClientOptions {
        servers: format!("{}{chroot}", servers.join(",")).parse().expect("good"),
        session_timeout_ms: 5000,
        read_only: false,
    };
    let (sender, events) = channel();
    let client = Client::connect(&options, move |event| drop(sender.send(event)));
    (client, events, threads)
}

fn text(bytes: &[u8]) -> String {
    Reader::new(bytes).ustring("path").expect("a path").expect("not null").into_owned()
}

fn encoded(path: &str, stat: bool) -> Vec<u8> {
    let mut out = Vec::new();
    if stat {
        Writer(&mut out).buffer(Some(path.as_bytes()));
        Stat { version: 3, ..Stat::default() }.encode(&mut out);
    } else {
        Writer(&mut out).ustring(path);
    }
    out
}

#[test]
fn a_call_gets_its_answer_and_a_refusal_its_code() {
    let (client, events, threads) = play(
        vec![|mut peer| {
            assert_eq!(peer.open(SESSION), (SessionId::NONE, [0; 16]));
            let (xid, op, body) = peer.request();
            assert_eq!((xid, op, text(&body).as_str()), (1, OpCode::Create, "/a"));
            peer.reply(xid, ErrorCode::OK, &encoded("/a", false));
            let (xid, op, _) = peer.request();
            assert_eq!(op, OpCode::GetData);
            peer.reply(xid, ErrorCode::NO_NODE, &[]);
            let (xid, op, _) = peer.request();
            assert_eq!(op, OpCode::CloseSession);
            peer.reply(xid, ErrorCode::OK, &[]);
        }],
        "",
    );
    let client = client.expect("a session");
    assert_eq!(client.session(), SESSION);
    assert_eq!(client.create("/a", None, &[], CreateMode::Persistent), Ok("/a".to_owned()));
    let error = client.get("/b", false).expect_err("no such znode");
    assert_eq!(error.code(), Some(ErrorCode::NO_NODE));
    assert_eq!(client.delete("/b/", -1), Err(ClientError::BadPath("/b/".to_owned())));
    client.close();
    let states: Vec<State> = events.iter().map(|event| event.state).collect();
    assert_eq!(states, [State::Connected], "who closes is not told that the connection ended");
    threads.into_iter().for_each(|thread| thread.join().expect("the script held"));
}

#[test]
fn events_come_without_the_chroot_and_requests_go_with_it() {
    let (client, events, threads) = play(
        vec![|mut peer| {
            peer.open(SESSION);
            let (xid, _, body) = peer.request();
            assert_eq!(text(&body), "/app/a");
            peer.reply(xid, ErrorCode::OK, &encoded("data", true));
            let mut event = Vec::new();
            WatcherEvent { kind: EventKind::DataChanged, path: "/app/a", zxid: 12 }
                .encode(&mut event);
            peer.write(&event);
            let (xid, _, body) = peer.request();
            assert_eq!(text(&body), "/app");
            peer.reply(xid, ErrorCode::OK, &encoded("", true));
        }],
        "/app",
    );
    let client = client.expect("a session");
    let (data, stat) = client.get("/a", true).expect("an answer");
    assert_eq!((data.as_deref(), stat.version), (Some(&b"data"[..]), 3));
    client.get("/", false).expect("an answer");
    assert_eq!(events.recv().expect("an event").kind, EventType::None);
    let event = events.recv().expect("an event");
    assert_eq!((event.path.as_deref(), event.zxid), (Some("/a"), 12));
    threads.into_iter().for_each(|thread| thread.join().expect("the script held"));
}

#[test]
fn a_lost_connection_goes_on_at_the_next_server_with_session_and_watches() {
    let (client, events, threads) = play(
        vec![
            |mut peer| {
                peer.open(SESSION);
                let (xid, ..) = peer.request();
                peer.reply(xid, ErrorCode::OK, &encoded("data", true));
                peer.request();
            },
            |mut peer| {
                assert_eq!(peer.open(SESSION), (SESSION, [7; 16]), "as the first one gave them");
                let (xid, op, body) = peer.request();
                assert_eq!((xid, op), (xid::SET_WATCHES, OpCode::SetWatches2));
                let mut reader = Reader::new(&body);
                assert_eq!(reader.long("zxid"), Ok(9), "the last zxid seen");
                assert_eq!(reader.int("data"), Ok(1));
                assert_eq!(text(reader.rest()), "/a");
                peer.reply(xid, ErrorCode::OK, &[]);
                let (xid, ..) = peer.request();
                peer.reply(xid, ErrorCode::OK, &encoded("again", true));
            },
        ],
        "",
    );
    let client = client.expect("a session");
    client.get("/a", true).expect("an answer");
    let lost = client.get("/a", false);
    assert!(matches!(lost, Err(ClientError::ConnectionLoss { .. })), "{lost:?}");
    let (data, _) = client.get("/a", false).expect("an answer of the second server");
    assert_eq!(data.as_deref(), Some(&b"again"[..]));
    let states: Vec<State> = events.iter().take(3).map(|event| event.state).collect();
    assert_eq!(states, [State::Connected, State::Connecting, State::Connected]);
    threads.into_iter().for_each(|thread| thread.join().expect("the script held"));
}

#[test]
fn a_session_that_no_server_knows_is_expired() {
    let (client, events, threads) = play(
        vec![
            |mut peer| {
                peer.open(SESSION);
                peer.request();
            },
            |mut peer| {
                peer.open(SessionId::NONE);
            },
        ],
        "",
    );
    let client = client.expect("a session");
    client.get("/a", false).expect_err("the connection is lost");
    let last = events.iter().last().expect("the thread ends, and with it the events");
    assert_eq!(last.state, State::Expired);
    assert_eq!(client.get("/a", false), Err(ClientError::SessionExpired));
    threads.into_iter().for_each(|thread| thread.join().expect("the script held"));
}
