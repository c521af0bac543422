//! Choosing a backend, and the forms it may take on kernels that know less.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::Bench;
use crate::io::ring::{FLAVOURS, Ring};
use crate::io::turn::Turning;
use crate::io::{Backend, Errno, ReactorOptions, probe, start};

#[test]
fn the_backend_forced_is_the_backend_used() {
    assert_eq!(probe(Some("uring")), Ok(Backend::Uring));
    assert_eq!(probe(Some("poll")), Ok(Backend::Poll));
    assert_eq!(probe(None), Ok(Backend::Uring), "io_uring where it works");
    let error = probe(Some("kqueue")).unwrap_err();
    assert!(error.to_string().starts_with("the backend is `uring` or `poll`"), "{error}");
}

#[test]
fn a_backend_describes_itself_in_one_line() {
    for (backend, begins) in [(Backend::Uring, "io_uring ("), (Backend::Poll, "epoll, ")] {
        let line = start(backend, &ReactorOptions::default(), None).unwrap().describe();
        assert!(line.starts_with(begins) && !line.contains('\n'), "{line}");
    }
}

#[test]
fn a_ring_that_cannot_be_made_says_why() {
    let options = ReactorOptions { submissions: 0, ..ReactorOptions::default() };
    let error = start(Backend::Uring, &options, None).err().unwrap();
    assert_eq!(error.errno, Errno(libc::EINVAL));
    assert!(error.to_string().starts_with("cannot make an io_uring: Invalid argument"), "{error}");
}

#[test]
fn every_flavour_of_the_ring_turns() {
    for flavour in 0..FLAVOURS.len() {
        let options = ReactorOptions::default();
        let (ring, buffers) = Ring::with_flavours(&options, &FLAVOURS[flavour..]).unwrap();
        let mut bench = Bench::of(Box::new(Turning::of(ring, buffers, None)));
        assert!(bench.reactor.describe().contains(FLAVOURS[flavour].0));
        let (_, at) = bench.listen();
        let mut stream = TcpStream::connect(at).unwrap();
        let (conn, _) = bench.accepted();
        stream.write_all(b"there").unwrap();
        assert_eq!(bench.received(conn, 5), b"there");
        bench.io().send(conn, b"and back");
        bench.after(1);
        let mut back = [0; 8];
        stream.read_exact(&mut back).unwrap();
        assert_eq!(&back, b"and back");
    }
}
