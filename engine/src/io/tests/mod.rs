//! Both backends, one test body each: what is promised of the one is promised of the other. Where
//! io_uring is not allowed its variants fail; they do not pass unseen.

mod allocations;
mod backends;
mod disk;
mod loose;
mod sending;
mod sockets;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::files::Directory;
use super::*;
use crate::log::DiskDone;

/// A test body for each backend.
macro_rules! on_both_backends {
    ($($name:ident)*) => {
        mod uring {
            $(#[test] fn $name() { super::$name(crate::io::Backend::Uring) })*
        }
        mod poll {
            $(#[test] fn $name() { super::$name(crate::io::Backend::Poll) })*
        }
    };
}
use on_both_backends;

/// A folder of its own, gone with the test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let base = std::env::temp_dir();
        let path = base.join(format!("ringkeeper-{:016x}", entropy::random_u64()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs the test of this name in a process of its own, for limits that hold for a whole one; says
/// whether this is that process already.
pub(super) fn is_alone(backend: Backend, name: &str) -> bool {
    const ALONE: &str = "RINGKEEPER_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let backend = if backend == Backend::Uring { "uring" } else { "poll" };
    let name = name.replace("{}", backend);
    // A write past the limit shall be an error, not a signal.
    let child = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" --exact \"$1\" --nocapture"])
        .arg(std::env::current_exe().unwrap())
        .arg(name)
        .env(ALONE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
    false
}

/// A completion, kept.
#[derive(Debug)]
pub(super) enum Event {
    Accepted(ConnId, SocketAddr),
    Handed(Socket),
    Connected(ConnId, u64),
    Received(ConnId, u64, Vec<u8>),
    Room(ConnId),
    Closed(ConnId, CloseReason),
    Disk(DiskDone),
    Woken,
}

/// Keeps everything; answers nothing.
#[derive(Default)]
pub(super) struct Record(VecDeque<Event>);

impl Handler for Record {
    fn on(&mut self, completion: Completion<'_>, _: &mut dyn Io) {
        self.0.push_back(match completion {
            Completion::Accepted { conn, peer, .. } => Event::Accepted(conn, peer),
            Completion::Handed { socket, .. } => Event::Handed(socket),
            Completion::Connected { conn, token } => Event::Connected(conn, token),
            Completion::Received { conn, token, bytes } => {
                assert!(!bytes.is_empty(), "a reception has bytes");
                Event::Received(conn, token, bytes.to_vec())
            }
            Completion::Room { conn, .. } => Event::Room(conn),
            Completion::Closed { conn, why, .. } => Event::Closed(conn, why),
            Completion::Disk(done) => Event::Disk(done),
            Completion::Woken => Event::Woken,
        });
    }
}

/// One reactor and what it has told.
pub(super) struct Bench {
    pub(super) reactor: Box<dyn Reactor>,
    record: Record,
}

pub(super) const LOCAL: &str = "127.0.0.1:0";

/// Longer than anything here takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

impl Bench {
    pub(super) fn new(backend: Backend) -> Self {
        Self::with(backend, &ReactorOptions::default(), None)
    }

    pub(super) fn with(
        backend: Backend,
        options: &ReactorOptions,
        directory: Option<Arc<Directory>>,
    ) -> Self {
        Self::of(start(backend, options, directory).expect("this machine has both backends"))
    }

    pub(super) fn of(reactor: Box<dyn Reactor>) -> Self {
        Self { reactor, record: Record::default() }
    }

    pub(super) fn io(&mut self) -> &mut dyn Io {
        self.reactor.io()
    }

    /// Turns until something is told that `pick` wants; the rest is thrown away.
    pub(super) fn until<T>(&mut self, mut pick: impl FnMut(Event) -> Option<T>) -> T {
        let deadline = clock::monotonic() + PATIENCE;
        loop {
            while let Some(event) = self.record.0.pop_front() {
                if let Some(picked) = pick(event) {
                    return picked;
                }
            }
            assert!(clock::monotonic() < deadline, "nothing of the kind has happened");
            self.reactor.turn(Some(Duration::from_millis(100)), &mut self.record).unwrap();
        }
    }

    /// What is told within `turns` turns of 10 ms.
    pub(super) fn after(&mut self, turns: usize) -> Vec<Event> {
        for _ in 0..turns {
            self.reactor.turn(Some(Duration::from_millis(10)), &mut self.record).unwrap();
        }
        self.record.0.drain(..).collect()
    }

    pub(super) fn listen(&mut self) -> (ListenerId, SocketAddr) {
        self.io().listen(LOCAL.parse().unwrap(), 1024).unwrap()
    }

    pub(super) fn accepted(&mut self) -> (ConnId, SocketAddr) {
        self.until(|event| match event {
            Event::Accepted(conn, peer) => Some((conn, peer)),
            _ => None,
        })
    }

    /// `count` bytes received on `conn`.
    pub(super) fn received(&mut self, conn: ConnId, count: usize) -> Vec<u8> {
        let mut all = Vec::new();
        self.until(|event| {
            if let Event::Received(on, _, bytes) = event
                && on == conn
            {
                all.extend_from_slice(&bytes);
            }
            (all.len() >= count).then_some(())
        });
        all
    }

    pub(super) fn disk_done(&mut self) -> DiskDone {
        self.until(|event| match event {
            Event::Disk(done) => Some(done),
            _ => None,
        })
    }

    pub(super) fn closed(&mut self, conn: ConnId) -> CloseReason {
        self.until(|event| match event {
            Event::Closed(on, why) if on == conn => Some(why),
            _ => None,
        })
    }
}
