//! The epoll backend, for where io_uring is not allowed.
//!
//! Readiness becomes completion here: what can be done at once is done at once, what cannot waits
//! for the kernel's word and is done then. Interest is level-triggered, and is taken back when
//! nothing waits for it, so that a connection nobody reads from does not end every wait.
//!
//! Invariant: P1. A descriptor is worked on only while something is under way for it, and `world`
//! keeps it open for that long.
//!
//! Not here: the log's writes (`disk`).

#![expect(unsafe_code, reason = "AI-5: works on descriptors that `world` owns")]

mod disk;
mod watched;

use std::collections::VecDeque;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, Timespec, epoll};
use rustix::io::{Errno as Failure, retry_on_intr};
use rustix::net::{RecvFlags, SendFlags, SocketAddrAny, SocketFlags};

use self::disk::DiskThreads;
use self::watched::{Kind, WatchList, Watched, parse_name};
use super::driver::{Driver, Inbox, Lent, Raw, ReceiveEnd, Write};
use super::outbox::Cargo;
use super::slots::Key;
use super::{Counters, Errno, ReactorError, ReactorOptions, Waker};
use crate::log::OpId;

/// What one reception takes at most.
const RECEIVE_BYTES: usize = 64 << 10;

/// What one wait tells at most.
const EVENTS: usize = 1024;

/// Connections accepted from one listener in one turn, so that the others have theirs.
const ACCEPTS: usize = 64;

pub(super) struct Poll {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
    /// How many of `events` are dealt with.
    dealt_with: usize,
    /// What is still to be looked at of the last of them.
    rest: Rest,
    conns: WatchList,
    listeners: WatchList,
    /// What ended without the kernel's word.
    ready: VecDeque<Raw>,
    disk: DiskThreads,
    waker: Waker,
    waits: u64,
}

/// An event may mean several completions: these are still to come.
struct Rest {
    kind: Kind,
    key: Key,
    may_write: bool,
    may_read: bool,
    accepts: usize,
}

/// One buffer is enough: a reception is over before the next begins.
pub(super) struct Scratch(Vec<u8>);

impl Inbox for Scratch {
    fn bytes(&self, lent: Lent) -> &[u8] {
        &self.0[..lent.bytes as usize]
    }

    fn give_back(&mut self, _: Lent) {}
}

impl Poll {
    fn next_of_rest(&mut self, inbox: &mut Scratch) -> Option<Raw> {
        let key = self.rest.key;
        match self.rest.kind {
            Kind::Bell => None,
            Kind::Listener => self.next_accepted(key),
            Kind::Conn => {
                if std::mem::take(&mut self.rest.may_write)
                    && let Some(raw) = self.writable(key)
                {
                    return Some(raw);
                }
                let may_read = std::mem::take(&mut self.rest.may_read);
                if may_read { self.readable(key, inbox) } else { None }
            }
        }
    }

    fn next_accepted(&mut self, key: Key) -> Option<Raw> {
        loop {
            let listener = self.listeners.get(key).filter(|listener| listener.is_receiving)?;
            if self.rest.accepts == 0 {
                return None;
            }
            self.rest.accepts -= 1;
            // Safety: P1: it accepts.
            let fd = unsafe { BorrowedFd::borrow_raw(listener.fd) };
            match rustix::net::accept_with(fd, Self::SOCKET_FLAGS) {
                Ok(fd) => return Some(Raw::Accepted { listener: key, fd }),
                Err(Failure::AGAIN) => return None,
                Err(Failure::INTR | Failure::CONNABORTED) => {}
                Err(errno) => {
                    self.listeners.end(&self.epoll, key, |listener| {
                        listener.is_receiving = false;
                    });
                    return Some(Raw::AcceptEnded { listener: key, errno: errno.into() });
                }
            }
        }
    }

    fn writable(&mut self, key: Key) -> Option<Raw> {
        let conn = self.conns.get_mut(key)?;
        if conn.is_connecting {
            // Safety: P1: it connects.
            let fd = unsafe { BorrowedFd::borrow_raw(conn.fd) };
            let result = match rustix::net::sockopt::socket_error(fd) {
                Ok(result) => result.map_err(Errno::from),
                Err(errno) => Err(errno.into()),
            };
            self.conns.end(&self.epoll, key, |conn| conn.is_connecting = false);
            return Some(Raw::Connected { conn: key, result });
        }
        let (cargo, from) = conn.sending.take()?;
        // Safety: P1: it sends.
        let fd = unsafe { BorrowedFd::borrow_raw(conn.fd) };
        match send(fd, &cargo, from) {
            Err(Failure::AGAIN) => {
                conn.sending = Some((cargo, from));
                None
            }
            sent => {
                self.conns.end(&self.epoll, key, |_| {});
                Some(Raw::Sent { conn: key, cargo, result: sent.map_err(Errno::from) })
            }
        }
    }

    fn readable(&mut self, key: Key, inbox: &mut Scratch) -> Option<Raw> {
        let conn = self.conns.get(key).filter(|conn| conn.is_receiving)?;
        // Safety: P1: it receives.
        let fd = unsafe { BorrowedFd::borrow_raw(conn.fd) };
        let received =
            retry_on_intr(|| rustix::net::recv(fd, inbox.0.as_mut_slice(), RecvFlags::empty()));
        let end = match received {
            Ok((count, _)) if count > 0 => {
                let lent = Lent { buffer: 0, bytes: count as u32 };
                return Some(Raw::Received { conn: key, lent });
            }
            Ok(_) => ReceiveEnd::Ended,
            Err(Failure::AGAIN) => return None,
            Err(errno) => ReceiveEnd::Failed(errno.into()),
        };
        self.conns.end(&self.epoll, key, |conn| conn.is_receiving = false);
        Some(Raw::ReceiveEnded { conn: key, end })
    }

    fn begin(&mut self, event: epoll::Event) {
        let (kind, key) = parse_name(event.data.u64());
        let flags = event.flags;
        let failed = flags.intersects(epoll::EventFlags::ERR | epoll::EventFlags::HUP);
        self.rest = Rest {
            kind,
            key,
            may_write: failed || flags.contains(epoll::EventFlags::OUT),
            may_read: failed || flags.contains(epoll::EventFlags::IN),
            accepts: ACCEPTS,
        };
        if kind == Kind::Bell {
            // What it counts does not matter, only that it is zero afterwards.
            let _ = rustix::io::read(self.waker.event(), &mut [0; 8]);
        }
    }
}

/// Sends the first piece, or some of it: what is left is asked for again at once.
fn send(fd: BorrowedFd<'_>, cargo: &Cargo, from: usize) -> Result<usize, Failure> {
    let bytes = cargo.pieces(from).next().unwrap_or_default();
    retry_on_intr(|| rustix::net::send(fd, bytes, SendFlags::NOSIGNAL))
}

const CANCELLED: Errno = Errno(libc::ECANCELED);

impl Driver for Poll {
    type Inbox = Scratch;

    const SOCKET_FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

    fn start(_: &ReactorOptions) -> Result<(Self, Scratch), ReactorError> {
        let failed = |errno: Failure| ReactorError { verb: "epoll", errno: errno.into() };
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(failed)?;
        let waker = Waker::new(EventfdFlags::NONBLOCK)?;
        let data = epoll::EventData::new_u64(watched::BELL);
        epoll::add(&epoll, waker.event(), data, epoll::EventFlags::IN).map_err(failed)?;
        let nobody = Key { slot: 0, generation: 0 };
        let poll = Self {
            epoll,
            events: Vec::with_capacity(EVENTS),
            dealt_with: 0,
            rest: Rest {
                kind: Kind::Bell,
                key: nobody,
                may_write: false,
                may_read: false,
                accepts: 0,
            },
            conns: WatchList::new(Kind::Conn),
            listeners: WatchList::new(Kind::Listener),
            ready: VecDeque::new(),
            disk: DiskThreads::new(&waker),
            waker,
            waits: 0,
        };
        Ok((poll, Scratch(vec![0; RECEIVE_BYTES])))
    }

    fn accept(&mut self, listener: Key, fd: BorrowedFd<'_>) {
        self.listeners.ensure(listener, fd);
        let update = |listener: &mut Watched| listener.is_receiving = true;
        if let Err(errno) = self.listeners.update(&self.epoll, listener, update) {
            self.listeners.end(&self.epoll, listener, |listener| listener.is_receiving = false);
            self.ready.push_back(Raw::AcceptEnded { listener, errno });
        }
    }

    fn connect(&mut self, conn: Key, fd: BorrowedFd<'_>, to: SocketAddrAny) {
        let result = match rustix::net::connect(fd, &to) {
            // An interrupted attempt goes on by itself.
            Err(Failure::INPROGRESS | Failure::INTR) => {
                self.conns.ensure(conn, fd);
                match self.conns.update(&self.epoll, conn, |conn| conn.is_connecting = true) {
                    Ok(()) => return,
                    Err(errno) => Err(errno),
                }
            }
            ended => ended.map_err(Errno::from),
        };
        self.conns.forget(conn);
        self.ready.push_back(Raw::Connected { conn, result });
    }

    fn receive(&mut self, conn: Key, fd: BorrowedFd<'_>) {
        self.conns.ensure(conn, fd);
        let update = |conn: &mut Watched| conn.is_receiving = true;
        if let Err(errno) = self.conns.update(&self.epoll, conn, update) {
            self.conns.end(&self.epoll, conn, |conn| conn.is_receiving = false);
            self.ready.push_back(Raw::ReceiveEnded { conn, end: ReceiveEnd::Failed(errno) });
        }
    }

    fn stop_receiving(&mut self, conn: Key, _: BorrowedFd<'_>) {
        let was_receiving = self.conns.get(conn).is_some_and(|conn| conn.is_receiving);
        if was_receiving {
            self.conns.end(&self.epoll, conn, |conn| conn.is_receiving = false);
            self.ready.push_back(Raw::ReceiveEnded { conn, end: ReceiveEnd::Stopped });
        }
    }

    fn send(
        &mut self,
        conn: Key,
        fd: BorrowedFd<'_>,
        cargo: Cargo,
        from: usize,
    ) -> Option<(Cargo, Result<usize, Errno>)> {
        match send(fd, &cargo, from) {
            Err(Failure::AGAIN) => {
                self.conns.ensure(conn, fd);
                let update = |conn: &mut Watched| conn.sending = Some((cargo, from));
                let errno = self.conns.update(&self.epoll, conn, update).err()?;
                let (cargo, _) = self.conns.get_mut(conn)?.sending.take()?;
                Some((cargo, Err(errno)))
            }
            ended => Some((cargo, ended.map_err(Errno::from))),
        }
    }

    fn cancel(&mut self, conn: Key, _: BorrowedFd<'_>) {
        let Some(watched) = self.conns.get_mut(conn) else { return };
        if std::mem::take(&mut watched.is_connecting) {
            self.ready.push_back(Raw::Connected { conn, result: Err(CANCELLED) });
        }
        if std::mem::take(&mut watched.is_receiving) {
            self.ready.push_back(Raw::ReceiveEnded { conn, end: ReceiveEnd::Stopped });
        }
        if let Some((cargo, _)) = watched.sending.take() {
            self.ready.push_back(Raw::Sent { conn, cargo, result: Err(CANCELLED) });
        }
        self.conns.end(&self.epoll, conn, |_| {});
    }

    fn cancel_accept(&mut self, listener: Key, _: BorrowedFd<'_>) {
        let was_accepting = self.listeners.get(listener).is_some_and(|it| it.is_receiving);
        if was_accepting {
            self.listeners.end(&self.epoll, listener, |it| it.is_receiving = false);
            self.ready.push_back(Raw::AcceptEnded { listener, errno: CANCELLED });
        }
    }

    fn close(&mut self, fd: OwnedFd) {
        drop(fd);
    }

    fn write(&mut self, file: Arc<OwnedFd>, write: Write) {
        self.ready.extend(self.disk.write(file, write).map(Raw::Disk));
    }

    fn flush(&mut self, file: Arc<OwnedFd>, op: OpId) {
        self.ready.extend(self.disk.flush(file, op).map(Raw::Disk));
    }

    fn wait(&mut self, _: &mut Scratch, timeout: Option<Duration>) -> Result<(), ReactorError> {
        self.waits += 1;
        self.events.clear();
        self.dealt_with = 0;
        let timeout = if self.ready.is_empty() { timeout } else { Some(Duration::ZERO) };
        let timespec = timeout.map(|timeout| Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(timeout.subsec_nanos()),
        });
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), timespec.as_ref()) {
            Ok(_) | Err(Failure::INTR) => {}
            Err(errno) => return Err(ReactorError { verb: "epoll_wait", errno: errno.into() }),
        }
        let ready = &mut self.ready;
        self.disk.collect(|done| ready.push_back(Raw::Disk(done)));
        Ok(())
    }

    fn next(&mut self, inbox: &mut Scratch) -> Option<Raw> {
        loop {
            if let Some(raw) = self.next_of_rest(inbox) {
                return Some(raw);
            }
            match self.events.get(self.dealt_with) {
                Some(&event) => {
                    self.dealt_with += 1;
                    self.begin(event);
                }
                None => return self.ready.pop_front(),
            }
        }
    }

    fn waker(&self) -> &Waker {
        &self.waker
    }

    fn counters(&self) -> Counters {
        Counters { enters: self.waits, ..Counters::default() }
    }

    fn describe(&self) -> String {
        "epoll, a thread for the log's writes and one for its flushes".into()
    }

    fn shut(&mut self, _: &mut Scratch) {}
}
