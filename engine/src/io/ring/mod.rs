//! The io_uring backend.
//!
//! Every operation carries a name, `kind:8 | slot:24 | generation:32`, from which its completion
//! finds back. Operations are gathered in the submission queue, those that do not fit in `carried`,
//! and leave with the next enter. A turn has one, which always asks for completions, because that is
//! when they are made (`setup`); what is handed over between turns has one of its own, which does not.
//!
//! Invariants:
//! - R1. Memory named in an operation stays where it is and unchanged until the operation's last
//!   completion: cargoes and their messages in `sending`, slabs in `disk`, addresses in `dialled`, the bell's count in
//!   `bell`. All are on the heap and owned here (IO3).
//! - R2. `under_way` counts operations without a last completion; the ring is dropped at zero.
//!
//! No registered buffers: a slab belongs to the log, which may free it, and a page registered under
//! an address that has since become another page would be written in its stead.
//!
//! Not here: flags and features (`setup`), receive buffers (`buffers`).

#![expect(unsafe_code, reason = "AI-5: operations name memory for the kernel to work on")]

mod buffers;
mod completions;
mod loose;
mod message;
mod setup;

use std::collections::VecDeque;
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use io_uring::squeue::Entry;
use io_uring::types::{CancelBuilder, Fd, FsyncFlags, SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, cqueue, opcode};
use rustix::event::EventfdFlags;
use rustix::net::{SocketAddrAny, SocketFlags};

use self::buffers::BufferRing;
use self::loose::Loose;
use self::message::Message;
#[cfg(test)]
pub(super) use self::setup::FLAVOURS;
use self::setup::Flavour;
use super::driver::{Driver, Raw, Write};
use super::outbox::Cargo;
use super::slots::{Key, Slots};
use super::{Counters, Errno, ReactorError, ReactorOptions, Waker};
use crate::log::OpId;

/// One send hands over at most this: its result is an `i32`.
const SEND_BYTES_MAX: usize = 1 << 30;

/// How long dropping a ring may wait for the kernel to let go.
const SHUT_PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Accept,
    Connect,
    Receive,
    Send,
    Disk,
    Bell,
    /// Something has come for one of those in `loose`.
    Watch,
    /// Its end says nothing: a cancellation, a close.
    Aside,
}

const KINDS: [Kind; 8] = [
    Kind::Accept,
    Kind::Connect,
    Kind::Receive,
    Kind::Send,
    Kind::Disk,
    Kind::Bell,
    Kind::Watch,
    Kind::Aside,
];

fn name(kind: Kind, key: Key) -> u64 {
    u64::from(kind as u8) << 56 | u64::from(key.slot) << 32 | u64::from(key.generation)
}

fn parse_name(name: u64) -> (Kind, Key) {
    let kind = KINDS[(name >> 56) as usize];
    let key = Key { slot: (name >> 32) as u32 & 0xff_ffff, generation: name as u32 };
    (kind, key)
}

const NOBODY: Key = Key { slot: 0, generation: 0 };

/// A write or a flush under way, and the file it is on.
struct DiskOperation {
    _file: Arc<OwnedFd>,
    what: DiskWork,
}

enum DiskWork {
    Write(Write),
    Flush(OpId),
}

/// A send under way: what it carries, and how several pieces are told to the kernel.
struct Sending {
    cargo: Cargo,
    message: Option<Message>,
}

pub(super) struct Ring {
    ring: IoUring,
    flavour: &'static str,
    flags: EnterFlags,
    /// Operations that found the submission queue full.
    carried: VecDeque<Entry>,
    /// Completions of this turn, and how many of them are dealt with.
    completions: Vec<cqueue::Entry>,
    dealt_with: usize,
    /// What a completion said beside its first meaning.
    also: Option<Raw>,
    /// What ended without an operation.
    ready: VecDeque<Raw>,
    under_way: usize,
    is_shutting: bool,
    /// By slot of the connection: at most one send each (IO2).
    sending: Vec<Option<Sending>>,
    /// For those to come.
    messages: Vec<Message>,
    dialled: Vec<(Key, Box<SocketAddrAny>)>,
    disk: Slots<DiskOperation>,
    bell: Box<[u8; 8]>,
    waker: Waker,
    loose: Loose,
    counters: Counters,
}

impl Ring {
    /// A ring of the first of these flavours that the kernel knows.
    pub(super) fn with_flavours(
        options: &ReactorOptions,
        flavours: &[Flavour],
    ) -> Result<(Self, BufferRing), ReactorError> {
        let made = setup::make(options, flavours)?;
        let mut flags = EnterFlags::GETEVENTS | EnterFlags::EXT_ARG;
        if made.ring.params().is_feature_no_iowait() {
            // An idle server is not a machine that waits for its disk.
            flags |= EnterFlags::NO_IOWAIT;
        }
        let mut ring = Self {
            ring: made.ring,
            flavour: made.flavour,
            flags,
            carried: VecDeque::new(),
            completions: Vec::with_capacity(options.submissions as usize),
            dealt_with: 0,
            also: None,
            ready: VecDeque::new(),
            under_way: 0,
            is_shutting: false,
            sending: Vec::new(),
            messages: Vec::new(),
            dialled: Vec::new(),
            disk: Slots::new(),
            bell: Box::new([0; 8]),
            waker: Waker::new(EventfdFlags::empty())?,
            loose: Loose::new()?,
            counters: Counters::default(),
        };
        ring.listen_to_bell();
        Ok((ring, made.buffers))
    }

    /// Queues one operation.
    ///
    /// # Safety
    /// What the entry names in memory must hold R1.
    unsafe fn push(&mut self, entry: Entry) {
        self.under_way += 1;
        if self.carried.is_empty() {
            // Safety: the caller's promise is that of the queue.
            if unsafe { self.ring.submission().push(&entry) }.is_ok() {
                return;
            }
        }
        self.counters.carried += 1;
        self.carried.push_back(entry);
    }

    /// Moves what was carried into the submission queue; false if not all of it fits.
    fn unload(&mut self) -> bool {
        let mut queue = self.ring.submission();
        while let Some(entry) = self.carried.front() {
            // Safety: R1, promised to `push` when the entry came.
            if unsafe { queue.push(entry) }.is_err() {
                return false;
            }
            self.carried.pop_front();
        }
        true
    }

    /// The one kind of system call. Interruptions, a timeout and a kernel short of room all mean
    /// the same: see what has come, and go on with the next turn.
    fn enter(
        &mut self,
        flags: EnterFlags,
        want: u32,
        timeout: Option<Duration>,
    ) -> Result<(), ReactorError> {
        self.counters.enters += 1;
        let submit = self.ring.submission().len() as u32;
        let timespec = timeout.map(Timespec::from);
        let mut args = SubmitArgs::new();
        if let Some(timespec) = &timespec {
            args = args.timespec(timespec);
        }
        // Safety: EXT_ARG is among the flags and `SubmitArgs` is the kernel's structure for it; it
        // and the timespec it points to live until the call returns. Entries hold R1.
        let entered =
            unsafe { self.ring.submitter().enter(submit, want, flags.bits(), Some(&args)) };
        match entered {
            Ok(_) => Ok(()),
            Err(error) => match error.raw_os_error() {
                Some(libc::ETIME | libc::EINTR | libc::EAGAIN | libc::EBUSY) => Ok(()),
                _ => Err(setup::failed("io_uring_enter", &error)),
            },
        }
    }

    fn take_completions(&mut self) {
        self.completions.extend(self.ring.completion());
    }

    fn listen_to_bell(&mut self) {
        if self.is_shutting {
            return;
        }
        let bell = self.bell.as_mut_ptr();
        let entry = opcode::Read::new(Fd(self.waker.event().as_raw_fd()), bell, 8)
            .build()
            .user_data(name(Kind::Bell, NOBODY));
        // Safety: R1: `bell` is on the heap, ours, and read again only after its completion.
        unsafe { self.push(entry) }
    }

    fn cancel(&mut self, what: CancelBuilder) {
        let entry = opcode::AsyncCancel2::new(what).build().user_data(name(Kind::Aside, NOBODY));
        // Safety: names no memory.
        unsafe { self.push(entry) }
    }
}

/// Whether this kernel, and whoever confines this process, lets us have what the ring needs.
pub(super) fn probe() -> Result<(), ReactorError> {
    let least = ReactorOptions {
        receive_buffers: 1,
        receive_buffer_bytes: 64,
        submissions: 1,
        completions: 2,
    };
    let (mut ring, mut inbox) = Ring::start(&least)?;
    ring.shut(&mut inbox);
    Ok(())
}

impl Driver for Ring {
    type Inbox = BufferRing;

    /// Blocking sockets: on others io_uring answers EAGAIN where it should wait.
    const SOCKET_FLAGS: SocketFlags = SocketFlags::CLOEXEC;

    fn start(options: &ReactorOptions) -> Result<(Self, BufferRing), ReactorError> {
        Self::with_flavours(options, &setup::FLAVOURS)
    }

    fn accept(&mut self, listener: Key, fd: BorrowedFd<'_>) {
        let entry = opcode::AcceptMulti::new(Fd(fd.as_raw_fd()))
            .flags(libc::SOCK_CLOEXEC)
            .build()
            .user_data(name(Kind::Accept, listener));
        // Safety: names no memory.
        unsafe { self.push(entry) }
    }

    fn connect(&mut self, conn: Key, fd: BorrowedFd<'_>, to: SocketAddrAny) {
        let to = Box::new(to);
        let entry = opcode::Connect::new(Fd(fd.as_raw_fd()), to.as_ptr().cast(), to.addr_len())
            .build()
            .user_data(name(Kind::Connect, conn));
        self.dialled.push((conn, to));
        // Safety: R1: the address is on the heap, in `dialled` until the completion.
        unsafe { self.push(entry) }
    }

    fn receive(&mut self, conn: Key, fd: BorrowedFd<'_>) {
        let entry = opcode::RecvMulti::new(Fd(fd.as_raw_fd()), setup::BUFFER_GROUP)
            .build()
            .user_data(name(Kind::Receive, conn));
        // Safety: names no memory but the registered buffers.
        unsafe { self.push(entry) }
    }

    fn accept_loosely(&mut self, listener: Key, fd: BorrowedFd<'_>) {
        if !self.wait_loosely(Kind::Accept, listener, fd) {
            self.accept(listener, fd);
        }
    }

    fn receive_loosely(&mut self, conn: Key, fd: BorrowedFd<'_>) {
        if !self.wait_loosely(Kind::Receive, conn, fd) {
            self.receive(conn, fd);
        }
    }

    fn stop_receiving(&mut self, conn: Key, fd: BorrowedFd<'_>) {
        self.end_loosely(Kind::Receive, conn, fd);
        let entry = opcode::AsyncCancel::new(name(Kind::Receive, conn))
            .build()
            .user_data(name(Kind::Aside, NOBODY));
        // Safety: names no memory.
        unsafe { self.push(entry) }
    }

    fn send(
        &mut self,
        conn: Key,
        fd: BorrowedFd<'_>,
        cargo: Cargo,
        from: usize,
    ) -> Option<(Cargo, Result<usize, Errno>)> {
        let slot = conn.slot as usize;
        if self.sending.len() <= slot {
            self.sending.resize_with(slot + 1, || None);
        }
        assert!(self.sending[slot].is_none(), "IO2: two sends of one connection at once");
        let fd = Fd(fd.as_raw_fd());
        let flags = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;
        let mut pieces = cargo.pieces(from);
        let first = pieces.next().unwrap_or_default();
        let (entry, message) = if pieces.next().is_none() {
            let len = first.len().min(SEND_BYTES_MAX) as u32;
            (opcode::Send::new(fd, first.as_ptr(), len).flags(flags).build(), None)
        } else {
            let mut message = self.messages.pop().unwrap_or_default();
            let header = message.name(cargo.pieces(from));
            (opcode::SendMsg::new(fd, header).flags(flags as u32).build(), Some(message))
        };
        drop(pieces);
        self.sending[slot] = Some(Sending { cargo, message });
        // Safety: R1: the bytes, and the message that names them, are on the heap and in `sending`
        // until the completion.
        unsafe { self.push(entry.user_data(name(Kind::Send, conn))) }
        None
    }

    fn cancel(&mut self, conn: Key, fd: BorrowedFd<'_>) {
        self.end_loosely(Kind::Receive, conn, fd);
        self.cancel(CancelBuilder::fd(Fd(fd.as_raw_fd())).all());
    }

    fn cancel_accept(&mut self, listener: Key, fd: BorrowedFd<'_>) {
        self.end_loosely(Kind::Accept, listener, fd);
        self.cancel(CancelBuilder::fd(Fd(fd.as_raw_fd())).all());
    }

    fn close(&mut self, fd: OwnedFd) {
        let entry =
            opcode::Close::new(Fd(fd.into_raw_fd())).build().user_data(name(Kind::Aside, NOBODY));
        // Safety: names no memory; the descriptor is ours and nobody else's from here on.
        unsafe { self.push(entry) }
    }

    fn write(&mut self, file: Arc<OwnedFd>, write: Write) {
        let bytes = &write.slab[..write.len];
        let entry = opcode::Write::new(Fd(file.as_raw_fd()), bytes.as_ptr(), write.len as u32)
            .offset(write.offset)
            .rw_flags(if write.durable { libc::RWF_DSYNC } else { 0 })
            .build();
        let key = self.disk.insert(DiskOperation { _file: file, what: DiskWork::Write(write) });
        // Safety: R1: a slab's bytes are on the heap, in `disk` until the completion.
        unsafe { self.push(entry.user_data(name(Kind::Disk, key))) }
    }

    fn flush(&mut self, file: Arc<OwnedFd>, op: OpId) {
        let entry = opcode::Fsync::new(Fd(file.as_raw_fd())).flags(FsyncFlags::DATASYNC).build();
        let key = self.disk.insert(DiskOperation { _file: file, what: DiskWork::Flush(op) });
        // Safety: names no memory.
        unsafe { self.push(entry.user_data(name(Kind::Disk, key))) }
    }

    fn hand_over(&mut self) -> Result<(), ReactorError> {
        self.unload();
        if self.ring.submission().is_empty() {
            return Ok(());
        }
        self.enter(self.flags.difference(EnterFlags::GETEVENTS), 0, None)
    }

    fn wait(
        &mut self,
        inbox: &mut BufferRing,
        timeout: Option<Duration>,
    ) -> Result<(), ReactorError> {
        inbox.publish();
        self.completions.clear();
        self.dealt_with = 0;
        // A queue too short for one turn's operations costs further calls; whether the kernel
        // takes them or not, completions are looked at in between.
        while !self.unload() {
            self.enter(self.flags, 0, Some(Duration::ZERO))?;
            self.take_completions();
        }
        let has_news = !self.completions.is_empty() || !self.ready.is_empty();
        let want = u32::from(timeout != Some(Duration::ZERO) && !has_news);
        self.enter(self.flags, want, timeout)?;
        self.take_completions();
        Ok(())
    }

    fn next(&mut self, inbox: &mut BufferRing) -> Option<Raw> {
        self.next_raw(inbox)
    }

    fn waker(&self) -> &Waker {
        &self.waker
    }

    fn counters(&self) -> Counters {
        self.counters
    }

    fn describe(&self) -> String {
        let (operations, completions) =
            (self.ring.params().sq_entries(), self.ring.params().cq_entries());
        format!("io_uring ({}), {operations} operations, {completions} completions", self.flavour)
    }

    fn shut(&mut self, inbox: &mut BufferRing) {
        self.shut_down(inbox);
    }
}
