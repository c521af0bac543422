//! Making sockets: addresses, options, the calls that never wait.

use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno as Failure;
use rustix::net::{AddressFamily, SocketAddrAny, SocketFlags, SocketType, ipproto, sockopt};

use super::Errno;

fn make(at: SocketAddr, flags: SocketFlags) -> Result<OwnedFd, Failure> {
    let family = if at.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    rustix::net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))
}

/// A socket that listens. What it accepts inherits TCP_NODELAY from it.
pub(super) fn listening(
    at: SocketAddr,
    backlog: u16,
    flags: SocketFlags,
) -> Result<(OwnedFd, SocketAddr), Failure> {
    let fd = make(at, flags)?;
    sockopt::set_socket_reuseaddr(&fd, true)?;
    sockopt::set_tcp_nodelay(&fd, true)?;
    if at.is_ipv6() {
        // The wildcard listens for both families, as Java's does.
        sockopt::set_ipv6_v6only(&fd, false)?;
    }
    rustix::net::bind(&fd, &at)?;
    rustix::net::listen(&fd, i32::from(backlog))?;
    let bound = SocketAddr::try_from(rustix::net::getsockname(&fd)?)?;
    Ok((fd, bound))
}

/// A socket to dial with.
pub(super) fn dialling(to: SocketAddr, flags: SocketFlags) -> Result<OwnedFd, Failure> {
    let fd = make(to, flags)?;
    sockopt::set_tcp_nodelay(&fd, true)?;
    Ok(fd)
}

/// Who is at the other end; an IPv4 address as such, also on a socket of both families.
pub(super) fn peer(fd: &OwnedFd) -> Option<SocketAddr> {
    let peer: SocketAddrAny = rustix::net::getpeername(fd).ok()??;
    let peer = SocketAddr::try_from(peer).ok()?;
    Some(SocketAddr::new(peer.ip().to_canonical(), peer.port()))
}

/// As `Io::set_keepalive`. A connection that cannot be probed lives on, and the log says so.
pub(super) fn set_keepalive(fd: &OwnedFd, peer: SocketAddr, idle: Duration, unacked: Duration) {
    if let Err(errno) = keep_alive(fd, idle, unacked) {
        tracing::warn!(%peer, %errno, "keepalive cannot be set");
    }
}

fn keep_alive(fd: impl AsFd, idle: Duration, unacked: Duration) -> Result<(), Errno> {
    let fd = fd.as_fd();
    let second = Duration::from_secs(1);
    sockopt::set_tcp_keepidle(fd, idle.max(second))?;
    sockopt::set_tcp_keepintvl(fd, (idle / 3).max(second))?;
    let unacked_ms = u32::try_from(unacked.as_millis()).unwrap_or(u32::MAX);
    sockopt::set_tcp_user_timeout(fd, unacked_ms)?;
    sockopt::set_socket_keepalive(fd, true)?;
    Ok(())
}

/// Says that we send no more. A connection that is gone already needs no telling.
pub(super) fn say_end(fd: impl AsFd) {
    let _ = rustix::net::shutdown(fd, rustix::net::Shutdown::Write);
}
