//! Sockets that the ring does not hold while it waits for them.
//!
//! An operation holds its file, and the kernel takes down the ring of a killed process some
//! milliseconds after the process itself: for that long a socket that is being received from stays
//! open, and a port that is being accepted from answers. Peers learn of a death by both. So where
//! that counts an epoll waits, which holds no file, the ring waits for the epoll, and an operation
//! begins when there is something for it to find.
//!
//! Invariant: LO1. A descriptor stands in `waiting` only while `world` takes it for received or
//! accepted from, and so keeps it open.
//!
//! Not here: which sockets these are (the owner of the reactor says so, by `Io::loosen`).

#![expect(unsafe_code, reason = "AI-5: works on descriptors that `world` owns")]

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use io_uring::types::Fd;
use io_uring::{opcode, squeue};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno as Failure;

use super::{Kind, NOBODY, Ring, name, parse_name, setup};
use crate::io::driver::{Raw, ReceiveEnd};
use crate::io::slots::Key;
use crate::io::{Errno, ReactorError};

/// What one look at the epoll tells at most; the rest it tells at the next.
const EVENTS: usize = 64;

pub(super) struct Loose {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
    /// What is waited for, by the name its operation will have.
    waiting: Vec<(u64, RawFd)>,
    /// Whether the ring waits for the epoll.
    is_watched: bool,
}

impl Loose {
    pub(super) fn new() -> Result<Self, ReactorError> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)
            .map_err(|errno| ReactorError { verb: "cannot make an epoll", errno: errno.into() })?;
        let events = Vec::with_capacity(EVENTS);
        Ok(Self { epoll, events, waiting: Vec::new(), is_watched: false })
    }

    fn wait(&mut self, name: u64, fd: BorrowedFd<'_>) -> Result<(), Failure> {
        let data = epoll::EventData::new_u64(name);
        let wants = epoll::EventFlags::IN | epoll::EventFlags::RDHUP | epoll::EventFlags::ONESHOT;
        match epoll::modify(&self.epoll, fd, data, wants) {
            Err(Failure::NOENT) => epoll::add(&self.epoll, fd, data, wants)?,
            armed => armed?,
        }
        self.waiting.push((name, fd.as_raw_fd()));
        Ok(())
    }

    /// Whether it was waited for; it is not any more.
    fn forget(&mut self, name: u64) -> Option<RawFd> {
        let at = self.waiting.iter().position(|(waiting, _)| *waiting == name)?;
        Some(self.waiting.swap_remove(at).1)
    }
}

impl Ring {
    /// Begins `kind` on `fd` as soon as there is something for it. False where the epoll has no
    /// room: then the ring must hold it.
    pub(super) fn wait_loosely(&mut self, kind: Kind, key: Key, fd: BorrowedFd<'_>) -> bool {
        let waits = self.loose.wait(name(kind, key), fd).is_ok();
        if waits {
            self.watch_loose();
        }
        waits
    }

    /// Ends a wait, if there is one; what was waiting says so.
    pub(super) fn end_loosely(&mut self, kind: Kind, key: Key, fd: BorrowedFd<'_>) {
        if self.loose.forget(name(kind, key)).is_some() {
            // It was told before, so that it cannot fail; a disarmed one does no harm either.
            let _ = epoll::delete(&self.loose.epoll, fd);
            self.ready.push_back(match kind {
                Kind::Accept => Raw::AcceptEnded { listener: key, errno: Errno(libc::ECANCELED) },
                _ => Raw::ReceiveEnded { conn: key, end: ReceiveEnd::Stopped },
            });
        }
    }

    fn watch_loose(&mut self) {
        if self.loose.is_watched || self.is_shutting {
            return;
        }
        self.loose.is_watched = true;
        let epoll = Fd(self.loose.epoll.as_raw_fd());
        let entry = opcode::PollAdd::new(epoll, libc::POLLIN as u32)
            .build()
            .user_data(name(Kind::Watch, NOBODY));
        // Safety: names no memory.
        unsafe { self.push(entry) }
    }

    /// Some of what is waited for has something: the operations on it begin.
    pub(super) fn watch_said(&mut self) {
        self.loose.is_watched = false;
        let mut events = std::mem::take(&mut self.loose.events);
        events.clear();
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        // A look that fails is made again: the epoll goes on being ready.
        let _ = epoll::wait(&self.loose.epoll, spare_capacity(&mut events), Some(&at_once));
        for event in &events {
            let name = event.data.u64();
            if let Some(fd) = self.loose.forget(name) {
                let entry = operation(parse_name(name).0, fd).user_data(name);
                // Safety: names no memory but the registered buffers.
                unsafe { self.push(entry) }
            }
        }
        self.loose.events = events;
        self.watch_loose();
    }
}

/// One reception or one acceptance. LO1 keeps `fd` open, and what names it in `world` goes on.
fn operation(kind: Kind, fd: RawFd) -> squeue::Entry {
    if kind == Kind::Accept {
        let nowhere = std::ptr::null_mut();
        return opcode::Accept::new(Fd(fd), nowhere, std::ptr::null_mut())
            .flags(libc::SOCK_CLOEXEC)
            .build();
    }
    opcode::Recv::new(Fd(fd), std::ptr::null_mut(), 0)
        .buf_group(setup::BUFFER_GROUP)
        .build()
        .flags(squeue::Flags::BUFFER_SELECT)
}
