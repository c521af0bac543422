//! Sockets that are loose: all goes as with others, and a killed process takes them with it.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use super::sockets::{other_side, pattern};
use super::{Bench, PATIENCE, on_both_backends};
use crate::io::{Backend, CloseReason, Completion, Handler, Io};

on_both_backends! {
    what_is_loose_accepts_and_receives
    what_is_loosened_while_it_is_used_loses_nothing
    what_is_loose_pauses_and_ends_as_others_do
    a_loose_listener_closed_accepts_no_more
    a_reactor_dropped_with_loose_sockets_lets_go
    a_killed_process_takes_what_is_loose_with_it
}

fn loose_listener(bench: &mut Bench) -> SocketAddr {
    let (listener, at) = bench.listen();
    bench.io().loosen_listener(listener);
    at
}

/// Loosens what it accepts, and sends back what it receives.
#[derive(Default)]
struct LooseEcho {
    closed: usize,
}

impl Handler for LooseEcho {
    fn on(&mut self, completion: Completion<'_>, io: &mut dyn Io) {
        match completion {
            Completion::Accepted { conn, .. } => io.loosen(conn),
            Completion::Received { conn, bytes, .. } => io.send(conn, bytes),
            Completion::Closed { .. } => self.closed += 1,
            _ => {}
        }
    }
}

fn what_is_loose_accepts_and_receives(backend: Backend) {
    const CLIENTS: usize = 100;
    let mut bench = Bench::new(backend);
    let at = loose_listener(&mut bench);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            other_side(move || {
                let mut stream = TcpStream::connect(at).unwrap();
                for round in 0..5 {
                    let said = pattern(client + round, 1 + 5_000 * round);
                    stream.write_all(&said).unwrap();
                    let mut heard = vec![0; said.len()];
                    stream.read_exact(&mut heard).unwrap();
                    assert!(heard == said, "client {client}, round {round}");
                }
            })
        })
        .collect();
    let mut echo = LooseEcho::default();
    while echo.closed < CLIENTS {
        bench.reactor.turn(Some(PATIENCE), &mut echo).unwrap();
    }
    clients.into_iter().for_each(|client| client.join().unwrap());
}

fn what_is_loosened_while_it_is_used_loses_nothing(backend: Backend) {
    let mut bench = Bench::new(backend);
    let (listener, at) = bench.listen();
    let mut first = TcpStream::connect(at).unwrap();
    let (conn, _) = bench.accepted();
    first.write_all(b"before ").unwrap();
    bench.io().loosen(conn);
    bench.io().loosen_listener(listener);
    first.write_all(b"after").unwrap();
    assert_eq!(bench.received(conn, 12), b"before after");
    bench.io().loosen(conn);
    bench.io().loosen_listener(listener);
    first.write_all(b"again").unwrap();
    assert_eq!(bench.received(conn, 5), b"again", "told twice is told once");
    let mut second = TcpStream::connect(at).unwrap();
    let (other, _) = bench.accepted();
    second.write_all(b"second").unwrap();
    assert_eq!(bench.received(other, 6), b"second");
}

fn what_is_loose_pauses_and_ends_as_others_do(backend: Backend) {
    let mut bench = Bench::new(backend);
    let at = loose_listener(&mut bench);
    let mut stream = TcpStream::connect(at).unwrap();
    let (conn, _) = bench.accepted();
    bench.io().loosen(conn);
    bench.io().pause(conn);
    bench.after(2);
    stream.write_all(b"later").unwrap();
    let told = bench.after(3);
    assert!(told.is_empty(), "it is paused: {told:?}");
    bench.io().resume(conn);
    assert_eq!(bench.received(conn, 5), b"later");
    drop(stream);
    assert_eq!(bench.closed(conn), CloseReason::Ended);
}

fn a_loose_listener_closed_accepts_no_more(backend: Backend) {
    let mut bench = Bench::new(backend);
    let (listener, at) = bench.listen();
    bench.io().loosen_listener(listener);
    bench.after(2);
    bench.io().close_listener(listener);
    bench.after(3);
    assert_eq!(TcpStream::connect(at).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

fn a_reactor_dropped_with_loose_sockets_lets_go(backend: Backend) {
    let mut bench = Bench::new(backend);
    let at = loose_listener(&mut bench);
    let mut stream = TcpStream::connect(at).unwrap();
    let (conn, _) = bench.accepted();
    bench.io().loosen(conn);
    bench.after(2);
    drop(bench);
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    assert_eq!(TcpStream::connect(at).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

/// Set in the process that is going to be killed.
const VICTIM: &str = "RINGKEEPER_TEST_VICTIM";

fn a_killed_process_takes_what_is_loose_with_it(backend: Backend) {
    if std::env::var_os(VICTIM).is_some() {
        serve_until_killed(backend);
    }
    let (mut victim, at) = victim(backend);
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"?").unwrap();
    stream.read_exact(&mut [0]).unwrap();
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert_eq!(TcpStream::connect(at).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    match stream.read(&mut [0]) {
        Ok(count) => assert_eq!(count, 0, "nobody is there to say more"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

/// A process that runs the same test, and where it listens.
fn victim(backend: Backend) -> (Child, SocketAddr) {
    let backend = if backend == Backend::Uring { "uring" } else { "poll" };
    let name = format!("io::tests::loose::{backend}::a_killed_process_takes_what_is_loose_with_it");
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture"])
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(victim.stdout.take().expect("it was asked for"));
    let at = said.lines().map_while(Result::ok).find_map(|line| {
        line.split_once("victim at ").map(|(_, at)| at.parse().expect("an address"))
    });
    (victim, at.expect("it says where it listens"))
}

/// Answers each byte, on sockets that are loose, and never ends.
fn serve_until_killed(backend: Backend) -> ! {
    let mut bench = Bench::new(backend);
    let at = loose_listener(&mut bench);
    println!("victim at {at}");
    let mut echo = LooseEcho::default();
    loop {
        bench.reactor.turn(None, &mut echo).unwrap();
    }
}
