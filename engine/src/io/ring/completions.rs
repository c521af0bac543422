//! What the ring's completions mean.

#![expect(unsafe_code, reason = "AI-5: completions hand over descriptors")]

use std::os::fd::{FromRawFd, OwnedFd};

use io_uring::cqueue;
use io_uring::types::CancelBuilder;

use super::buffers::BufferRing;
use super::{DiskWork, Kind, Ring, SHUT_PATIENCE, Sending, parse_name, setup};
use crate::io::driver::{Driver, Inbox, Raw, ReceiveEnd};
use crate::io::slots::{Key, Slots};
use crate::io::{Errno, clock};
use crate::log::DiskDone;

impl Ring {
    /// The next thing that happened this turn.
    pub(super) fn next_raw(&mut self, inbox: &mut BufferRing) -> Option<Raw> {
        if let Some(raw) = self.also.take() {
            return Some(raw);
        }
        while let Some(completion) = self.completions.get(self.dealt_with).cloned() {
            self.dealt_with += 1;
            let (kind, key) = parse_name(completion.user_data());
            let is_last = !cqueue::more(completion.flags());
            if is_last {
                self.under_way -= 1;
            }
            let raw = match kind {
                Kind::Accept => self.accept_said(key, completion.result(), is_last),
                Kind::Connect => Some(self.connect_said(key, completion.result())),
                Kind::Receive => self.receive_said(key, &completion, is_last, inbox),
                Kind::Send => Some(self.send_said(key, completion.result())),
                Kind::Disk => Some(Raw::Disk(self.disk_said(key, completion.result()))),
                Kind::Bell => {
                    self.listen_to_bell();
                    None
                }
                Kind::Watch => {
                    self.watch_said();
                    None
                }
                Kind::Aside => None,
            };
            if raw.is_some() {
                return raw;
            }
        }
        self.ready.pop_front()
    }

    fn accept_said(&mut self, listener: Key, result: i32, is_last: bool) -> Option<Raw> {
        let ended = |errno| Raw::AcceptEnded { listener, errno: Errno(errno) };
        if result < 0 {
            return is_last.then(|| ended(-result));
        }
        if is_last {
            self.also = Some(ended(0));
        }
        // Safety: a successful accept made this descriptor for us, and tells of it once.
        let fd = unsafe { OwnedFd::from_raw_fd(result) };
        Some(Raw::Accepted { listener, fd })
    }

    fn connect_said(&mut self, conn: Key, result: i32) -> Raw {
        self.dialled.retain(|(key, _)| *key != conn);
        let result = if result < 0 { Err(Errno(-result)) } else { Ok(()) };
        Raw::Connected { conn, result }
    }

    fn receive_said(
        &mut self,
        conn: Key,
        completion: &cqueue::Entry,
        is_last: bool,
        inbox: &mut BufferRing,
    ) -> Option<Raw> {
        let result = completion.result();
        if result == -libc::ENOBUFS {
            self.counters.out_of_buffers += 1;
            inbox.note_shortage();
        }
        let lent = cqueue::buffer_select(completion.flags())
            .map(|buffer| inbox.take(buffer, result.max(0) as u32));
        let ended = is_last.then(|| Raw::ReceiveEnded { conn, end: receive_end(result) });
        match lent {
            Some(lent) if result > 0 => {
                self.also = ended;
                Some(Raw::Received { conn, lent })
            }
            Some(empty) => {
                inbox.give_back(empty);
                ended
            }
            None => ended,
        }
    }

    fn send_said(&mut self, conn: Key, result: i32) -> Raw {
        let Sending { cargo, message } = self.sending[conn.slot as usize]
            .take()
            .expect("IO2: a send ends once, and its cargo stayed here until then");
        self.messages.extend(message);
        let result = usize::try_from(result).map_err(|_| Errno(-result));
        Raw::Sent { conn, cargo, result }
    }

    fn disk_said(&mut self, key: Key, result: i32) -> DiskDone {
        let operation = self.disk.remove(key).expect("R1: an operation on the disk ends once");
        let result = usize::try_from(result).map_err(|_| Errno(-result));
        match operation.what {
            DiskWork::Write(write) => write.done(result),
            DiskWork::Flush(op) => {
                DiskDone::Flushed { op, result: result.map(drop).map_err(|errno| errno.0) }
            }
        }
    }

    /// Cancels everything and waits until the kernel has let go of all of it (R2).
    pub(super) fn shut_down(&mut self, inbox: &mut BufferRing) {
        self.is_shutting = true;
        let deadline = clock::monotonic() + SHUT_PATIENCE;
        while self.under_way > 0 && clock::monotonic() < deadline {
            self.cancel(CancelBuilder::any());
            if self.wait(inbox, Some(SHUT_PATIENCE / 100)).is_err() {
                break;
            }
            while let Some(raw) = self.next_raw(inbox) {
                drop(raw);
            }
        }
        if self.under_way == 0 {
            let _ = self.ring.submitter().unregister_buf_ring(setup::BUFFER_GROUP);
            return;
        }
        tracing::warn!(operations = self.under_way, "io_uring has not let go of everything");
        inbox.leak();
        std::mem::forget(std::mem::take(&mut self.sending));
        std::mem::forget(std::mem::take(&mut self.dialled));
        std::mem::forget(std::mem::replace(&mut self.disk, Slots::new()));
        std::mem::forget(std::mem::take(&mut self.bell));
    }
}

fn receive_end(result: i32) -> ReceiveEnd {
    match -result {
        0 => ReceiveEnd::Ended,
        errno if errno < 0 => ReceiveEnd::Stopped,
        libc::ENOBUFS | libc::ECANCELED | libc::EINTR | libc::EAGAIN => ReceiveEnd::Stopped,
        errno => ReceiveEnd::Failed(Errno(errno)),
    }
}
