//! The echo on tokio-uring: a task a connection.

use std::io;
use std::net::SocketAddr;

use tokio_uring::buf::BoundedBuf as _;
use tokio_uring::net::{TcpListener, TcpStream};

/// As large as the reactor's.
const RECEIVE_BYTES: usize = 16 << 10;
const OPERATIONS: u32 = 1024;

/// A runtime with as much room as the reactor has, and what helps of the ring's flags: completions
/// are made when the thread enters, and not by interrupting it.
pub(super) fn runtime() -> io::Result<tokio_uring::Runtime> {
    let mut ring = tokio_uring::uring_builder();
    ring.setup_single_issuer().setup_coop_taskrun();
    tokio_uring::Runtime::new(tokio_uring::builder().entries(OPERATIONS).uring_builder(&ring))
}

pub(super) fn serve(
    at: SocketAddr,
    connections: usize,
    ready: impl FnOnce(SocketAddr),
) -> io::Result<()> {
    runtime()?.block_on(async {
        let listener = TcpListener::bind(at)?;
        ready(listener.local_addr()?);
        let mut tasks = Vec::new();
        for _ in 0..connections {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tasks.push(tokio_uring::spawn(echo(stream)));
        }
        for task in tasks {
            task.await.map_err(io::Error::other)?;
        }
        Ok(())
    })
}

/// Until the connection ends, in whatever way: the one who asks says if that was too early.
async fn echo(stream: TcpStream) {
    let mut buffer = vec![0; RECEIVE_BYTES];
    loop {
        let (received, back) = stream.read(buffer).await;
        let count = match received {
            Ok(count) if count > 0 => count,
            _ => return,
        };
        let (sent, back) = stream.write_all(back.slice(..count)).await;
        if sent.is_err() {
            return;
        }
        buffer = back.into_inner();
    }
}
