//! What is given to send: in which order it leaves, what waits, who shares it; on both backends.

use std::io::Read;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use super::sockets::{Echo, other_side, pattern};
use super::{Bench, Event, PATIENCE, on_both_backends};
use crate::io::Backend;
use crate::log::{Part, Slab};

on_both_backends! {
    what_is_handed_over_leaves_without_a_turn
    large_buffers_leave_with_nothing_else_happening
    what_connections_share_comes_to_each_in_its_place
    a_peer_that_does_not_read_shows_in_the_unsent_count
    a_peer_that_resets_in_the_middle_of_a_send_ends_in_closed_once
}

fn what_is_handed_over_leaves_without_a_turn(backend: Backend) {
    let mut bench = Bench::new(backend);
    let (_, at) = bench.listen();
    let mut client = TcpStream::connect(at).unwrap();
    let conn = bench.until(|event| match event {
        Event::Accepted(conn, _) => Some(conn),
        _ => None,
    });
    let sent = pattern(2, 1_000);
    bench.io().send(conn, &sent);
    bench.reactor.hand_over().unwrap();
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut got = vec![0; sent.len()];
    client.read_exact(&mut got).unwrap();
    assert!(got == sent);
}

fn large_buffers_leave_with_nothing_else_happening(backend: Backend) {
    let mut bench = Bench::new(backend);
    let (_, at) = bench.listen();
    let mut client = TcpStream::connect(at).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let (conn, _) = bench.accepted();
    let pieces = [pattern(1, 100), pattern(2, 40_000), pattern(3, 20_000), pattern(4, 30_000)];
    let expected = pieces.concat();
    let mut read = vec![0; expected.len()];
    let reader = other_side(move || client.read_exact(&mut read).map(|()| (client, read)));
    for piece in pieces {
        bench.io().send_owned(conn, piece);
    }
    bench.reactor.hand_over().unwrap();
    // Who forgets the next buffer sleeps longer than the other side waits for it.
    while bench.io().unsent(conn) > 0 {
        bench.reactor.turn(Some(2 * PATIENCE), &mut Echo::default()).unwrap();
    }
    let (_client, read) = reader.join().unwrap().expect("all of it comes");
    assert!(read == expected);
}

/// Parts of one slab between bytes of each connection's own, more than sockets hold.
fn what_connections_share_comes_to_each_in_its_place(backend: Backend) {
    const PARTS: usize = 48;
    const PART: usize = 256 << 10;
    let mut bench = Bench::new(backend);
    let (_, at) = bench.listen();
    let mut slab = Slab::new(PARTS * PART);
    slab.copy_from_slice(&pattern(7, PARTS * PART));
    let slab = Arc::new(slab);
    let readers: Vec<_> = (0..3)
        .map(|own| {
            let mut client = TcpStream::connect(at).unwrap();
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            let (conn, _) = bench.accepted();
            let mut expected = Vec::new();
            for part in 0..PARTS {
                let head = pattern(own, 1 + part * 500);
                bench.io().send(conn, &head);
                let part = Part::new(Arc::clone(&slab), part * PART..(part + 1) * PART - part);
                expected.extend_from_slice(&head);
                expected.extend_from_slice(&part);
                bench.io().send_shared(conn, part);
            }
            bench.io().send_owned(conn, pattern(own, 20_000));
            expected.extend_from_slice(&pattern(own, 20_000));
            assert_eq!(bench.io().unsent(conn), expected.len());
            let mut read = vec![0; expected.len()];
            let reader = other_side(move || client.read_exact(&mut read).map(|()| (client, read)));
            (conn, expected, reader)
        })
        .collect();
    while readers.iter().any(|(conn, ..)| bench.io().unsent(*conn) > 0) {
        bench.reactor.turn(Some(2 * PATIENCE), &mut Echo::default()).unwrap();
    }
    for (_, expected, reader) in readers {
        let (_client, read) = reader.join().unwrap().expect("all of it comes");
        assert!(read == expected);
    }
    assert_eq!(Arc::strong_count(&slab), 1, "nobody holds what has left");
}

fn a_peer_that_does_not_read_shows_in_the_unsent_count(backend: Backend) {
    let mut bench = Bench::new(backend);
    let (_, at) = bench.listen();
    let mut stream = TcpStream::connect(at).unwrap();
    let (conn, _) = bench.accepted();
    let chunk = pattern(2, 1 << 20);
    let mut given = 0;
    // The kernel takes some megabytes; then it takes nothing more.
    while bench.io().unsent(conn) < 4 << 20 {
        bench.io().send(conn, &chunk);
        given += chunk.len();
        bench.after(2);
        assert!(given < 64 << 20, "the count must show what a peer does not take");
    }
    bench.io().tell_room(conn, 1 << 20);
    assert!(bench.after(3).is_empty(), "there is no room yet");
    let reader = other_side(move || {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        all
    });
    bench.until(|event| matches!(event, Event::Room(on) if on == conn).then_some(()));
    assert!(bench.io().unsent(conn) <= 1 << 20);
    bench.io().close(conn);
    while bench.io().connections() > 0 {
        bench.after(1);
    }
    let all = reader.join().unwrap();
    assert_eq!(all.len(), given);
    assert!(all.chunks(chunk.len()).all(|got| got == chunk));
}

fn a_peer_that_resets_in_the_middle_of_a_send_ends_in_closed_once(backend: Backend) {
    let mut bench = Bench::new(backend);
    let (_, at) = bench.listen();
    let stream = TcpStream::connect(at).unwrap();
    let (conn, _) = bench.accepted();
    bench.io().send_owned(conn, vec![1; 32 << 20]);
    bench.after(3);
    assert!(bench.io().unsent(conn) > 0);
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    drop(stream);
    // Whether the send, the reception or only the end is seen first is the kernel's choice.
    bench.closed(conn);
    let more = bench.after(5);
    assert!(more.is_empty(), "IO1: {more:?}");
    assert_eq!(bench.io().connections(), 0);
    assert_eq!(bench.io().unsent(conn), 0);
}
