//! Many znodes: how much memory they take, and how long a start with them is.
//!
//! Servers are filled by one client, stopped as an operator stops them (SIGTERM), and started all
//! at once. What counts is the time from the first start to the first read that any of them
//! answers, of a znode that was written last.
//!
//! Not here: the figures as a table (`recovery::report`).

use std::net::SocketAddr;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use ringkeeper::wire::ReplyHeader;
use ringkeeper_engine::io::clock::now_micros;

use super::link::{Link, LinkError, Ticket};
use super::{BYTES, RecoveryError};
use crate::compare::{Ensemble, System};
use crate::load::{Mix, Requests};

const ROOT: &str = "/ringkeeper-bench-znodes";

/// Of each parent.
const CHILDREN: u32 = 1000;

/// Creates on their way.
const OUTSTANDING: u32 = 2 * CHILDREN;

/// Between two tries to read.
const PAUSE: Duration = Duration::from_millis(1);

const WAIT_US_MAX: u64 = 120_000_000;

/// What one start with many znodes took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restart {
    /// Of each server, once they were filled.
    pub resident_bytes: Vec<u64>,
    /// Of each server, once they had started again and served.
    pub resident_bytes_restarted: Vec<u64>,
    pub first_read_us: u64,
    /// How long the filling took, which is no measurement of creates.
    pub filled_us: u64,
}

/// Starts `count` servers with their data below `folder`, fills them, and starts them again.
pub fn restart(
    system: &System,
    count: usize,
    znodes: u32,
    folder: &Path,
) -> Result<Restart, RecoveryError> {
    let mut ensemble = Ensemble::start(system, count, folder)?;
    let began_us = now_micros();
    let server = *ensemble.clients().first().ok_or(RecoveryError::NoLeader)?;
    let last = fill(server, znodes)?;
    let filled_us = now_micros() - began_us;
    ensemble.wait_level()?;
    let resident_bytes = ensemble.resident_by_server();
    ensemble.stop_all()?;
    let servers = ensemble.clients_in_order();
    let started_us = now_micros();
    ensemble.start_all()?;
    let read_us = first_read(&servers, &last, started_us + WAIT_US_MAX)?;
    ensemble.wait_level()?;
    let resident_bytes_restarted = ensemble.resident_by_server();
    let first_read_us = read_us - started_us;
    Ok(Restart { resident_bytes, resident_bytes_restarted, first_read_us, filled_us })
}

/// Makes `znodes` znodes below parents of a thousand each; the parent made last.
fn fill(server: SocketAddr, znodes: u32) -> Result<String, RecoveryError> {
    let mut link = Link::open(server, Ticket::NEW)?;
    let mut root = Requests::new(Mix::Create, ROOT, BYTES);
    accepted(link.ask(&mut root, |root, xid, out| root.make(xid, out))?)?;
    let (mut outstanding, mut left, mut parents) = (0, znodes, 0_u32);
    let mut last = String::new();
    while left > 0 {
        let children = left.min(CHILDREN);
        last = format!("{ROOT}/{parents:05}");
        let requests = family(&mut || link.next_xid(), &last, children);
        link.send(&requests)?;
        outstanding += children + 1;
        (left, parents) = (left - children, parents + 1);
        while outstanding > if left > 0 { OUTSTANDING } else { 0 } {
            accepted(link.answer()?)?;
            outstanding -= 1;
        }
    }
    link.close()?;
    Ok(last)
}

/// A parent and its children, as requests.
fn family(next_xid: &mut impl FnMut() -> i32, parent: &str, children: u32) -> Vec<u8> {
    let mut requests = Requests::new(Mix::Create, parent, BYTES);
    let mut frames = Vec::new();
    requests.make(next_xid(), &mut frames);
    for _ in 0..children {
        requests.next(next_xid(), &mut frames);
    }
    frames
}

fn accepted(answer: ReplyHeader) -> Result<(), RecoveryError> {
    if answer.err.is_ok() { Ok(()) } else { Err(RecoveryError::Refused(answer.err.code())) }
}

/// When a server first answered a read.
fn first_read(servers: &[SocketAddr], path: &str, deadline_us: u64) -> Result<u64, RecoveryError> {
    for server in servers.iter().cycle() {
        if read(*server, path).is_ok() {
            return Ok(now_micros());
        }
        if now_micros() > deadline_us {
            break;
        }
        sleep(PAUSE);
    }
    Err(RecoveryError::NoRead)
}

fn read(server: SocketAddr, path: &str) -> Result<(), LinkError> {
    let mut link = Link::open(server, Ticket::NEW)?;
    let answer = link.ask(&mut Requests::new(Mix::Get, path, BYTES), Requests::next)?;
    if answer.err.is_ok() { Ok(()) } else { Err(LinkError::Closed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_a_parent_and_its_children() {
        let mut xid = 0;
        let mut next_xid = || {
            xid += 1;
            xid
        };
        let frames = family(&mut next_xid, "/p", 3);
        let (mut rest, mut xids) = (&frames[..], Vec::new());
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let length = u32::from_be_bytes(*length) as usize;
            xids.push(i32::from_be_bytes(*after.first_chunk().unwrap()));
            rest = &after[length..];
        }
        assert_eq!(xids, [1, 2, 3, 4]);
        assert!(frames.windows(13).any(|bytes| bytes == b"/p/0000000002"));
    }
}
