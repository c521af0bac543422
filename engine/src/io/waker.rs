//! Waking a reactor from another thread.
//!
//! The flag says whether the reactor sleeps, so that waking one that is awake costs one atomic
//! exchange and no system call, and many wake-ups of one turn are one `Woken`.
//!
//! Whoever wakes publishes first, then calls [`Waker::wake`]; the reactor's thread sees `Woken`,
//! then looks. Both exchanges are acquire-release, so what was published is visible.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use rustix::event::{EventfdFlags, eventfd};

use super::ReactorError;

const AWAKE: u8 = 0;
const ASLEEP: u8 = 1;
const WOKEN: u8 = 2;

#[expect(clippy::host_endian_bytes, reason = "an eventfd counts in the host's order")]
const RING_ONCE: [u8; 8] = 1u64.to_ne_bytes();

/// Ends a reactor's wait. Cheap to clone, for any thread.
#[derive(Clone)]
pub struct Waker {
    bell: Arc<Bell>,
}

struct Bell {
    state: AtomicU8,
    event: OwnedFd,
}

impl Waker {
    /// `flags`: whether reading the event must not block depends on who reads it.
    pub(super) fn new(flags: EventfdFlags) -> Result<Self, ReactorError> {
        let event = eventfd(0, flags | EventfdFlags::CLOEXEC).map_err(|errno| ReactorError {
            verb: "cannot make an eventfd",
            errno: errno.into(),
        })?;
        Ok(Self { bell: Arc::new(Bell { state: AtomicU8::new(AWAKE), event }) })
    }

    /// The reactor delivers `Woken` soon, once for any number of calls in between.
    pub fn wake(&self) {
        if self.bell.state.swap(WOKEN, Ordering::AcqRel) == ASLEEP {
            // An eventfd's write fails only where its count would overflow; then it has been rung.
            let _ = rustix::io::write(&self.bell.event, &RING_ONCE);
        }
    }

    pub(super) fn event(&self) -> BorrowedFd<'_> {
        self.bell.event.as_fd()
    }

    /// Before a wait; false if it must not be begun.
    pub(super) fn may_sleep(&self) -> bool {
        self.bell.state.compare_exchange(AWAKE, ASLEEP, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// After a wait (or instead of one); whether somebody called.
    pub(super) fn was_woken(&self) -> bool {
        self.bell.state.swap(AWAKE, Ordering::AcqRel) == WOKEN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_to_one_awake_is_found_before_it_sleeps() {
        let waker = Waker::new(EventfdFlags::empty()).unwrap();
        waker.wake();
        waker.wake();
        assert!(!waker.may_sleep());
        assert!(waker.was_woken());
        assert!(!waker.was_woken(), "told once");
        assert!(waker.may_sleep());
    }
}
