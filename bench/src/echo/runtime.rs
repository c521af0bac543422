//! The runtimes that are held against each other.

use std::fmt;

use ringkeeper_engine::io::{self, Backend};

/// What turns sockets and files into bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Runtime {
    /// The engine's reactor on io_uring.
    Uring,
    /// The engine's reactor on epoll.
    Poll,
    /// A loop around epoll that does nothing else: what the reactor adds is seen against it.
    Bare,
    /// tokio-uring 0.5.
    TokioUring,
}

impl Runtime {
    const ALL: [Self; 4] = [Self::Uring, Self::Poll, Self::Bare, Self::TokioUring];

    /// Those that this kernel, and whoever confines this process, allow; the first is what the
    /// others are held against.
    pub(super) fn that_work() -> Vec<Self> {
        let has_ring = io::probe(Some("uring")).is_ok();
        Self::ALL.into_iter().filter(|it| has_ring || !it.needs_ring()).collect()
    }

    fn needs_ring(self) -> bool {
        matches!(self, Self::Uring | Self::TokioUring)
    }

    /// The engine's own backend; `None` where another's code is measured.
    pub(super) fn backend(self) -> Option<Backend> {
        match self {
            Self::Uring => Some(Backend::Uring),
            Self::Poll => Some(Backend::Poll),
            Self::Bare | Self::TokioUring => None,
        }
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uring => "reactor, io_uring",
            Self::Poll => "reactor, epoll",
            Self::Bare => "bare epoll loop",
            Self::TokioUring => "tokio-uring 0.5",
        })
    }
}
