//! An echo server on a thread of its own.
//!
//! It serves as many connections as it was told, each to its end, and ends with the last.
//!
//! Not here: how a runtime echoes (`reactor`, `bare`, `tokio`).

use std::io::Error as OsError;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use super::{EchoError, Runtime, bare, reactor, tokio};
use crate::host;

pub(super) struct Server {
    runtime: Runtime,
    address: SocketAddr,
    /// The system's number of its thread.
    thread_id: u32,
    thread: JoinHandle<Result<(), EchoError>>,
}

/// Echoes until so many connections have come and ended. `ready` is told where it listens.
pub fn serve(
    runtime: Runtime,
    connections: usize,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), EchoError> {
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let failed = |error| EchoError::Server { runtime, error };
    match (runtime, runtime.backend()) {
        (_, Some(backend)) => reactor::serve(backend, at, connections, ready),
        (Runtime::TokioUring, None) => tokio::serve(at, connections, ready).map_err(failed),
        (_, None) => bare::serve(at, connections, ready).map_err(failed),
    }
}

impl Server {
    pub(super) fn start(runtime: Runtime, connections: usize) -> Result<Self, EchoError> {
        let (say, heard) = mpsc::channel();
        let work = move || {
            serve(runtime, connections, |address| {
                let thread_id = rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs();
                // Who started it waits for this.
                let _ = say.send((address, thread_id));
            })
        };
        let spawned = thread::Builder::new().name("echo".to_owned()).spawn(work);
        let thread = spawned.map_err(|error| EchoError::Server { runtime, error })?;
        match heard.recv() {
            Ok((address, thread_id)) => Ok(Self { runtime, address, thread_id, thread }),
            Err(_) => Err(joined(runtime, thread).err().unwrap_or(EchoError::NoServer(runtime))),
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// CPU that its thread has used.
    pub(super) fn cpu_us(&self) -> u64 {
        host::thread_cpu_us(self.thread_id).unwrap_or(0)
    }

    /// Waits for its end, which comes with that of its connections.
    pub(super) fn end(self) -> Result<(), EchoError> {
        joined(self.runtime, self.thread)
    }
}

fn joined(runtime: Runtime, thread: JoinHandle<Result<(), EchoError>>) -> Result<(), EchoError> {
    let panicked = || EchoError::Server { runtime, error: OsError::other("its thread panicked") };
    thread.join().unwrap_or_else(|_| Err(panicked()))
}
