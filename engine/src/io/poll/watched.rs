//! What epoll watches, for whom, and for what.

#![expect(unsafe_code, reason = "AI-5: works on descriptors that `world` owns")]

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::event::epoll::{self, EventData, EventFlags};

use crate::io::Errno;
use crate::io::outbox::Cargo;
use crate::io::slots::Key;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bell,
    Listener,
    Conn,
}

/// An event of the bell.
pub(super) const BELL: u64 = 0;

/// `kind:8 | slot:24 | generation:32`.
fn name(kind: Kind, key: Key) -> u64 {
    let kind = match kind {
        Kind::Bell => 0,
        Kind::Listener => 1,
        Kind::Conn => 2,
    };
    kind << 56 | u64::from(key.slot) << 32 | u64::from(key.generation)
}

pub(super) fn parse_name(name: u64) -> (Kind, Key) {
    let kind = match name >> 56 {
        0 => Kind::Bell,
        1 => Kind::Listener,
        _ => Kind::Conn,
    };
    (kind, Key { slot: (name >> 32) as u32 & 0xff_ffff, generation: name as u32 })
}

/// One socket, and what is under way for it.
pub(super) struct Watched {
    generation: u32,
    pub(super) fd: RawFd,
    /// What epoll has been told; empty: it does not know the socket.
    told: EventFlags,
    pub(super) is_connecting: bool,
    /// Receives, or accepts.
    pub(super) is_receiving: bool,
    /// A cargo that waits for room, and from where on.
    pub(super) sending: Option<(Cargo, usize)>,
}

impl Watched {
    fn wants(&self) -> EventFlags {
        let mut wants = EventFlags::empty();
        wants.set(EventFlags::IN, self.is_receiving);
        wants.set(EventFlags::OUT, self.is_connecting || self.sending.is_some());
        wants
    }
}

/// By slot; `world` hands out the keys.
pub(super) struct WatchList {
    kind: Kind,
    watched: Vec<Option<Watched>>,
}

impl WatchList {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, watched: Vec::new() }
    }

    pub(super) fn get(&self, key: Key) -> Option<&Watched> {
        let watched = self.watched.get(key.slot as usize)?.as_ref()?;
        (watched.generation == key.generation).then_some(watched)
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Watched> {
        let watched = self.watched.get_mut(key.slot as usize)?.as_mut()?;
        (watched.generation == key.generation).then_some(watched)
    }

    /// Knows the socket from here on. Its slot's last holder is gone, and its descriptor closed.
    pub(super) fn ensure(&mut self, key: Key, fd: BorrowedFd<'_>) {
        if self.get(key).is_some() {
            return;
        }
        let slot = key.slot as usize;
        if self.watched.len() <= slot {
            self.watched.resize_with(slot + 1, || None);
        }
        self.watched[slot] = Some(Watched {
            generation: key.generation,
            fd: fd.as_raw_fd(),
            told: EventFlags::empty(),
            is_connecting: false,
            is_receiving: false,
            sending: None,
        });
    }

    pub(super) fn forget(&mut self, key: Key) {
        if self.get(key).is_some() {
            self.watched[key.slot as usize] = None;
        }
    }

    /// Takes back what `change` ends, which needs nothing of the kernel and so cannot fail.
    pub(super) fn end(&mut self, epoll: &OwnedFd, key: Key, change: impl FnOnce(&mut Watched)) {
        let ended = self.update(epoll, key, change);
        assert!(ended.is_ok(), "P1: epoll does not know what it was told: {ended:?}");
    }

    /// Changes what is under way, and tells epoll if it must know.
    ///
    /// # Errors
    /// The kernel has no room to watch another socket. What `change` did stands.
    pub(super) fn update(
        &mut self,
        epoll: &OwnedFd,
        key: Key,
        change: impl FnOnce(&mut Watched),
    ) -> Result<(), Errno> {
        let kind = self.kind;
        let Some(watched) = self.get_mut(key) else { return Ok(()) };
        change(watched);
        let (told, wants) = (watched.told, watched.wants());
        if told == wants {
            return Ok(());
        }
        // Safety: P1: something is under way for it, or has just ended.
        let fd = unsafe { BorrowedFd::borrow_raw(watched.fd) };
        let data = EventData::new_u64(name(kind, key));
        if wants.is_empty() {
            epoll::delete(epoll, fd)?;
        } else if told.is_empty() {
            epoll::add(epoll, fd, data, wants)?;
        } else {
            epoll::modify(epoll, fd, data, wants)?;
        }
        watched.told = wants;
        Ok(())
    }
}
