//! Connections, from accept to the end, on both backends.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Bench, Event, LOCAL, is_alone, on_both_backends};
use crate::io::{
    Backend, CloseReason, Completion, ConnId, Errno, Handler, Io, ReactorOptions, Socket,
};

on_both_backends! {
    what_is_sent_comes_back_however_it_is_cut
    a_dial_and_its_acceptance_know_each_other
    a_refused_dial_ends_in_closed
    a_dial_that_nobody_answers_times_out
    bytes_given_before_a_half_close_are_answered
    a_closed_connection_has_sent_everything
    an_aborted_connection_tells_nothing_more
    a_paused_connection_receives_when_resumed
    a_thousand_connections_echo
    more_receptions_than_buffers_lose_nothing
    a_token_comes_with_what_follows
    an_ended_id_is_answered_with_nothing
    a_listener_closed_accepts_no_more
    what_is_accepted_for_others_is_served_by_the_reactor_that_adopts_it
    a_socket_that_nobody_adopts_is_closed
    a_port_in_use_is_said
    a_listener_without_descriptors_accepts_when_there_are_some
    a_waker_ends_a_wait_from_another_thread
    many_wakes_are_told_once
    a_reactor_dropped_with_everything_under_way_lets_go
}

/// Sends back what it receives.
#[derive(Default)]
pub(super) struct Echo {
    accepted: usize,
    pub(super) closed: Vec<(ConnId, CloseReason)>,
}

impl Handler for Echo {
    fn on(&mut self, completion: Completion<'_>, io: &mut dyn Io) {
        match completion {
            Completion::Accepted { .. } => self.accepted += 1,
            Completion::Received { conn, bytes, .. } => io.send(conn, bytes),
            Completion::Closed { conn, why, .. } => self.closed.push((conn, why)),
            _ => {}
        }
    }
}

/// Bytes that are wrong anywhere but in their place.
pub(super) fn pattern(seed: usize, count: usize) -> Vec<u8> {
    (0..count).map(|i| ((i * 31 + seed * 7) ^ (i >> 8)) as u8).collect()
}

/// What the other side does, in its own time.
#[expect(clippy::disallowed_methods, reason = "the other side of a test may have a thread")]
pub(super) fn other_side<T: Send + 'static>(
    act: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    std::thread::spawn(act)
}

fn echo_until(bench: &mut Bench, echo: &mut Echo, mut is_enough: impl FnMut(&Echo) -> bool) {
    for _ in 0..100_000 {
        if is_enough(echo) {
            return;
        }
        bench.reactor.turn(Some(Duration::from_millis(20)), echo).unwrap();
    }
    panic!("not enough has happened");
}

fn what_is_sent_comes_back_however_it_is_cut(backend: Backend) {
    let mut bench = Bench::new(backend);
    let (_, at) = bench.listen();
    let sent = pattern(1, 300_000);
    let client = std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            let mut stream = TcpStream::connect(at).unwrap();
            stream.set_nodelay(true).unwrap();
            let mut reader = stream.try_clone().unwrap();
            let mut back = vec![0; sent.len()];
            std::thread::scope(|inner| {
                inner.spawn(|| {
                    let (mut from, mut cut) = (0, 1);
                    while from < sent.len() {
                        let to = (from + cut).min(sent.len());
                        stream.write_all(&sent[from..to]).unwrap();
                        from = to;
                        cut = cut * 3 % 9973 + 1;
                    }
                });
                reader.read_exact(&mut back).unwrap();
            });
            back
        });
        let mut echo = Echo::default();
        echo_until(&mut bench, &mut echo, |echo| !echo.closed.is_empty());
        assert_eq!(echo.closed[0].1, CloseReason::Ended);
        client.join().unwrap()
    });
    assert!(client == sent);
    assert_eq!(bench.io().connections(), 0);
}

fn a_dial_and_its_acceptance_know_each_other(backend: Backend) {
    let mut bench = Bench::new(backend);
    let (_, at) = bench.listen();
    let dialled = bench.io().connect(at, 77, Duration::from_secs(5));
    bench.io().send(dialled, b"hello before the connection stands");
    assert_eq!(bench.io().peer(dialled), Some(at));
    let mut ends = (None, None);
    let accepted = bench.until(|event| {
        match event {
            Event::Accepted(conn, peer) => ends.0 = Some((conn, peer)),
            Event::Connected(conn, token) => ends.1 = Some((conn, token)),
            Event::Received(..) => panic!("nothing can have been received yet"),
            _ => {}
        }
        ends.1.and(ends.0)
    });
    assert_eq!(ends.1, Some((dialled, 77)));
    assert_eq!(accepted.1.ip(), at.ip());
    assert_eq!(bench.received(accepted.0, 34), b"hello before the connection stands");
    bench.io().send_owned(accepted.0, b"and back".to_vec());
    assert_eq!(bench.received(dialled, 8), b"and back");
    bench.io().set_keepalive(dialled, Duration::from_secs(10), Duration::from_secs(30));
}

fn a_refused_dial_ends_in_closed(backend: Backend) {
    let mut bench = Bench::new(backend);
    // Bound and closed again: nobody listens there.
    let at = TcpListener::bind(LOCAL).unwrap().local_addr().unwrap();
    let conn = bench.io().connect(at, 1, Duration::from_secs(5));
    assert_eq!(bench.closed(conn), CloseReason::Refused(Errno(libc::ECONNREFUSED)));
    assert_eq!(bench.io().connections(), 0);
    // An address that cannot be dialled at all is told the same way.
    let conn = bench.io().connect("255.255.255.255:1".parse().unwrap(), 2, Duration::from_secs(5));
    assert!(matches!(bench.closed(conn), CloseReason::Refused(_)));
}

fn a_dial_that_nobody_answers_times_out(backend: Backend) {
    let mut bench = Bench::new(backend);
    // A full backlog: the kernel drops further attempts.
    let socket = rustix::net::socket(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::STREAM,
        None,
    )
    .unwrap();
    rustix::net::bind(&socket, &"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap()).unwrap();
    rustix::net::listen(&socket, 0).unwrap();
    let at = std::net::SocketAddr::try_from(rustix::net::getsockname(&socket).unwrap()).unwrap();
    let _fills_the_backlog = TcpStream::connect(at).unwrap();
    let conns: Vec<_> =
        (0..3).map(|i| bench.io().connect(at, i, Duration::from_millis(50))).collect();
    assert_eq!(bench.closed(conns[2]), CloseReason::ConnectTimeout);
}

fn bytes_given_before_a_half_close_are_answered(backend: Backend) {
    let mut bench = Bench::new(backend);
    let (_, at) = bench.listen();
    let client = other_side(move || {
        let mut stream = TcpStream::connect(at).unwrap();
        stream.write_all(b"ruok").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut all = String::new();
        stream.read_to_string(&mut all).unwrap();
        all
    });
    let mut echo = Echo::default();
    echo_until(&mut bench, &mut echo, |echo| !echo.closed.is_empty());
    echo_until(&mut bench, &mut echo, |_| client.is_finished());
    assert_eq!(client.join().unwrap(), "ruok");
    while bench.io().connections() > 0 {
        bench.after(1);
    }
}

fn a_closed_connection_has_sent_everything(backend: Backend) {
    let mut bench = Bench::new(backend);
    let (_, at) = bench.listen();
    let mut stream = TcpStream::connect(at).unwrap();
    let (conn, _) = bench.accepted();
    // Unread bytes would make the kernel answer a plain close with a reset.
    stream.write_all(&pattern(3, 100_000)).unwrap();
    let sent = pattern(4, 5 << 20);
    bench.io().pause(conn);
    bench.io().send(conn, &sent);
    bench.io().close(conn);
    assert_eq!(bench.io().peer(conn), None, "the id is ended");
    let reader = other_side(move || {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        all
    });
    while bench.io().connections() > 0 {
        let told = bench.after(1);
        assert!(told.is_empty(), "IO1: {told:?}");
    }
    assert!(reader.join().unwrap() == sent);
}

fn an_aborted_connection_tells_nothing_more(backend: Backend) {
    let mut bench = Bench::new(backend);
    let (_, at) = bench.listen();
    let mut stream = TcpStream::connect(at).unwrap();
    let (conn, _) = bench.accepted();
    bench.io().send_owned(conn, vec![5; 64 << 20]);
    bench.after(2);
    stream.write_all(b"too late").unwrap();
    bench.io().abort(conn);
    let told = bench.after(5);
    assert!(told.is_empty(), "IO1: {told:?}");
    assert_eq!(bench.io().connections(), 0);
    // A dial that is given up is as quiet.
    let conn = bench.io().connect(at, 0, Duration::from_secs(1));
    bench.io().abort(conn);
    let told = bench.after(5);
    assert!(told.iter().all(|event| !matches!(event, Event::Connected(..))), "IO1: {told:?}");
}

fn a_paused_connection_receives_when_resumed(backend: Backend) {
    let mut bench = Bench::new(backend);
    let (_, at) = bench.listen();
    let mut stream = TcpStream::connect(at).unwrap();
    let (conn, _) = bench.accepted();
    bench.io().pause(conn);
    bench.after(2);
    let sent = pattern(6, 50_000);
    stream.write_all(&sent).unwrap();
    let told = bench.after(5);
    assert!(told.is_empty(), "nothing is received while paused: {told:?}");
    bench.io().resume(conn);
    bench.io().pause(conn);
    bench.io().resume(conn);
    assert!(bench.received(conn, sent.len()) == sent);
}

fn a_thousand_connections_echo(backend: Backend) {
    const COUNT: usize = 1000;
    let mut bench = Bench::new(backend);
    let (_, at) = bench.listen();
    let client = other_side(move || {
        let mut streams: Vec<_> = (0..COUNT).map(|_| TcpStream::connect(at).unwrap()).collect();
        for round in 0..3 {
            for (i, stream) in streams.iter_mut().enumerate() {
                stream.write_all(&pattern(i + round, 100 + i)).unwrap();
            }
            for (i, stream) in streams.iter_mut().enumerate() {
                let mut back = vec![0; 100 + i];
                stream.read_exact(&mut back).unwrap();
                assert!(back == pattern(i + round, 100 + i), "connection {i}, round {round}");
            }
        }
    });
    let mut echo = Echo::default();
    echo_until(&mut bench, &mut echo, |echo| echo.closed.len() == COUNT);
    assert_eq!(echo.accepted, COUNT);
    let counters = bench.reactor.counters();
    assert_eq!(counters.enters, counters.turns, "one call a turn, however many have something");
    client.join().unwrap();
}

fn more_receptions_than_buffers_lose_nothing(backend: Backend) {
    let options = ReactorOptions {
        receive_buffers: 2,
        receive_buffer_bytes: 64,
        submissions: 4,
        completions: 8,
    };
    let mut bench = Bench::with(backend, &options, None);
    let (_, at) = bench.listen();
    let clients: Vec<_> = (0..20)
        .map(|i| {
            other_side(move || {
                let mut stream = TcpStream::connect(at).unwrap();
                let sent = pattern(i, 20_000);
                stream.write_all(&sent).unwrap();
                let mut back = vec![0; sent.len()];
                stream.read_exact(&mut back).unwrap();
                assert!(back == sent);
            })
        })
        .collect();
    let mut echo = Echo::default();
    echo_until(&mut bench, &mut echo, |echo| echo.closed.len() == 20);
    if backend == Backend::Uring {
        let counters = bench.reactor.counters();
        assert!(counters.out_of_buffers > 0 && counters.carried > 0, "AI-6: {counters:?}");
    }
    clients.into_iter().for_each(|client| client.join().unwrap());
}

fn a_token_comes_with_what_follows(backend: Backend) {
    let mut bench = Bench::new(backend);
    let (_, at) = bench.listen();
    let mut stream = TcpStream::connect(at).unwrap();
    let (conn, peer) = bench.accepted();
    assert_eq!(peer, stream.local_addr().unwrap());
    bench.io().set_token(conn, 99);
    stream.write_all(b"x").unwrap();
    let token = bench.until(|event| match event {
        Event::Received(_, token, _) => Some(token),
        _ => None,
    });
    assert_eq!(token, 99);
}

fn an_ended_id_is_answered_with_nothing(backend: Backend) {
    let mut bench = Bench::new(backend);
    let (_, at) = bench.listen();
    drop(TcpStream::connect(at).unwrap());
    let (old, _) = bench.accepted();
    assert_eq!(bench.closed(old), CloseReason::Ended);
    let mut stream = TcpStream::connect(at).unwrap();
    let (new, _) = bench.accepted();
    assert_ne!(old, new);
    bench.io().send(old, b"to nobody");
    bench.io().send_owned(old, b"to nobody".to_vec());
    bench.io().close(old);
    bench.io().abort(old);
    bench.io().pause(old);
    bench.io().tell_room(old, 0);
    assert!(bench.io().outbox(old).is_none());
    bench.io().send(new, b"to somebody");
    bench.after(2);
    let mut back = [0; 11];
    stream.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"to somebody");
}

fn handed(bench: &mut Bench) -> Socket {
    bench.until(|event| match event {
        Event::Handed(socket) => Some(socket),
        Event::Accepted(..) | Event::Received(..) => panic!("it is for others"),
        _ => None,
    })
}

fn what_is_accepted_for_others_is_served_by_the_reactor_that_adopts_it(backend: Backend) {
    let mut accepting = Bench::new(backend);
    let (listener, at) = accepting.listen();
    accepting.io().accept_for_others(listener);
    let client = other_side(move || {
        let mut stream = TcpStream::connect(at).unwrap();
        stream.write_all(b"said before anybody looks").unwrap();
        let mut heard = [0; 6];
        stream.read_exact(&mut heard).unwrap();
        (stream.local_addr().unwrap(), heard)
    });
    let socket = handed(&mut accepting);
    let peer = socket.peer();
    socket.set_keepalive(Duration::from_secs(10), Duration::from_secs(30));
    assert!(rustix::net::sockopt::socket_keepalive(&socket.fd).unwrap());
    let mut serving = Bench::new(backend);
    let conn = serving.io().adopt(socket, 7);
    let first = serving.until(|event| match event {
        Event::Received(on, token, bytes) => Some((on, token, bytes)),
        _ => None,
    });
    let (on, token, mut bytes) = first;
    assert_eq!((on, token), (conn, 7), "its token is there from the first byte on");
    if bytes.len() < 25 {
        bytes.extend(serving.received(conn, 25 - bytes.len()));
    }
    assert_eq!(bytes, b"said before anybody looks");
    serving.io().send(conn, b"heard!");
    assert_eq!(serving.closed(conn), CloseReason::Ended);
    assert_eq!(client.join().unwrap(), (peer, *b"heard!"));
    assert_eq!(accepting.io().connections(), 0);
}

fn a_socket_that_nobody_adopts_is_closed(backend: Backend) {
    let mut accepting = Bench::new(backend);
    let (listener, at) = accepting.listen();
    accepting.io().accept_for_others(listener);
    let client = other_side(move || {
        let mut stream = TcpStream::connect(at).unwrap();
        stream.read(&mut [0; 1]).unwrap_or(0)
    });
    drop(handed(&mut accepting));
    assert_eq!(client.join().unwrap(), 0);
}

fn a_listener_closed_accepts_no_more(backend: Backend) {
    let mut bench = Bench::new(backend);
    let (listener, at) = bench.listen();
    let mut stream = TcpStream::connect(at).unwrap();
    let (conn, _) = bench.accepted();
    bench.io().close_listener(listener);
    bench.after(3);
    assert!(TcpStream::connect(at).is_err());
    stream.write_all(b"still here").unwrap();
    assert_eq!(bench.received(conn, 10), b"still here");
    bench.io().listen(at, 10).expect("the port is free again");
}

fn a_port_in_use_is_said(backend: Backend) {
    let mut bench = Bench::new(backend);
    let (_, at) = bench.listen();
    let error = bench.io().listen(at, 10).unwrap_err();
    assert_eq!(error.errno, Errno(libc::EADDRINUSE));
    assert!(error.to_string().starts_with(&format!("cannot listen on {at}: Address already")));
}

fn a_listener_without_descriptors_accepts_when_there_are_some(backend: Backend) {
    let name = "io::tests::sockets::{}::a_listener_without_descriptors_accepts_when_there_are_some";
    if !is_alone(backend, name) {
        return;
    }
    let mut bench = Bench::new(backend);
    let (_, at) = bench.listen();
    let _stream = TcpStream::connect(at).unwrap();
    let files = rustix::process::Resource::Nofile;
    let maximum = rustix::process::getrlimit(files).maximum;
    let limit = |current| rustix::process::Rlimit { current: Some(current), maximum };
    rustix::process::setrlimit(files, limit(3)).unwrap();
    let told = bench.after(5);
    assert!(told.is_empty(), "{told:?}");
    assert!(bench.reactor.counters().accepts_failed > 0, "AI-6");
    rustix::process::setrlimit(files, limit(100)).unwrap();
    bench.accepted();
}

fn a_waker_ends_a_wait_from_another_thread(backend: Backend) {
    let mut bench = Bench::new(backend);
    for _ in 0..3 {
        let waker = bench.reactor.waker();
        let thread = other_side(move || {
            std::thread::sleep(Duration::from_millis(20));
            waker.wake();
        });
        // Without a timeout: only the waker can end it.
        while bench.record.0.pop_front().is_none() {
            bench.reactor.turn(None, &mut bench.record).unwrap();
        }
        thread.join().unwrap();
    }
}

fn many_wakes_are_told_once(backend: Backend) {
    let mut bench = Bench::new(backend);
    let waker = bench.reactor.waker();
    for _ in 0..100 {
        waker.wake();
    }
    let told = bench.after(3);
    assert!(matches!(told[..], [Event::Woken]), "{told:?}");
}

fn a_reactor_dropped_with_everything_under_way_lets_go(backend: Backend) {
    let mut bench = Bench::new(backend);
    let (_, at) = bench.listen();
    let mut stream = TcpStream::connect(at).unwrap();
    let (conn, _) = bench.accepted();
    bench.io().send_owned(conn, vec![5; 64 << 20]);
    bench.after(2);
    bench.io().connect("192.0.2.1:1".parse().unwrap(), 0, Duration::from_secs(60));
    bench.after(1);
    // IO3, R2: the send's buffer is freed only after the kernel has said that it is done with it.
    drop(bench);
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all);
    assert!(TcpStream::connect(at).is_err(), "the listener is gone");
}
