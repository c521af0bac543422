//! The writes of `quickstart --bench`: a few connections, many requests on their way on each.
//!
//! Each connection is a thread with a blocking socket. It keeps a fixed number of `setData`
//! outstanding: as many answers as one read brings, so many requests the next write carries.
//! Latency is from the write that carried a request to the read that brought its answer.
//!
//! Not here: comparison with other servers, other mixes (`bench`).

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ringkeeper_engine::jute::{Reader, WireError, Writer};

use crate::wire::{Acl, ConnectRequest, ConnectResponse, OpCode, ReplyHeader, SessionId, perms};

use super::latencies::Latencies;

const CONNECTIONS: usize = 12;
const OUTSTANDING: usize = 100;
const VALUE_BYTES: usize = 100;
const TIMEOUT: Duration = Duration::from_secs(20);
const FRAME_BYTES_MAX: usize = 1 << 20;
const EPHEMERAL: i32 = 1;

/// What was measured.
pub(super) struct Figures {
    latencies: Latencies,
    elapsed: Duration,
}

impl Figures {
    pub(super) fn report(&self, servers: usize) -> String {
        let ms = |per_mille| self.latencies.percentile(per_mille).as_secs_f64() * 1000.0;
        let per_second = self.latencies.count as f64 / self.elapsed.as_secs_f64();
        format!(
            "\n  {} writes/s   setData of {VALUE_BYTES} bytes, {CONNECTIONS} connections with \
             {OUTSTANDING} outstanding each,\n  {:width$}            durable on {} of {servers} \
             before each answer\n  latency p50 {:.2} ms   p99 {:.2} ms   p99.9 {:.2} ms",
            grouped(per_second as u64),
            "",
            servers / 2 + 1,
            ms(500),
            ms(990),
            ms(999),
            width = grouped(per_second as u64).len(),
        )
    }
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Writes for `duration`, spread over all servers. Ends early when `stop` is raised.
pub(super) fn run(
    servers: &[SocketAddr],
    duration: Duration,
    stop: &AtomicBool,
) -> io::Result<Figures> {
    let clients = servers.iter().cycle().take(CONNECTIONS).enumerate();
    let clients = clients.map(|(index, server)| Client::connect(*server, index));
    let clients: Vec<Client> = clients.collect::<io::Result<_>>()?;
    let start = now();
    let deadline = start + duration;
    let outcomes: Vec<io::Result<Latencies>> = thread::scope(|scope| {
        let run = |client: Client| scope.spawn(move || client.write_until(deadline, stop));
        let threads: Vec<_> = clients.into_iter().map(run).collect();
        let lost = |_| Err(io::Error::other("a thread of the load client panicked"));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(lost)).collect()
    });
    let elapsed = now() - start;
    let mut latencies = Latencies::new();
    for outcome in outcomes {
        latencies.merge(&outcome?);
    }
    Ok(Figures { latencies, elapsed })
}

#[expect(clippy::disallowed_methods, reason = "a load client measures real time")]
fn now() -> Instant {
    Instant::now()
}

/// One session and its znode.
struct Client {
    connection: TcpStream,
    received: Vec<u8>,
    request: Vec<u8>,
    xid: i32,
}

impl Client {
    fn connect(server: SocketAddr, index: usize) -> io::Result<Self> {
        let connection = TcpStream::connect_timeout(&server, TIMEOUT)?;
        connection.set_nodelay(true)?;
        connection.set_read_timeout(Some(TIMEOUT))?;
        let mut client = Self { connection, received: Vec::new(), request: Vec::new(), xid: 0 };
        client.open_session()?;
        let path = format!("/ringkeeper-quickstart-{index}-{}", std::process::id());
        let mut body = Vec::new();
        Writer(&mut body).ustring(&path);
        Writer(&mut body).buffer(Some(&[]));
        Acl::encode_list(&[Acl::new(perms::ALL, "world", "anyone")], &mut body);
        Writer(&mut body).int(EPHEMERAL);
        client.send(OpCode::Create, &body, 1)?;
        client.expect_answers(1)?;
        client.request.clear();
        Writer(&mut client.request).ustring(&path);
        Writer(&mut client.request).buffer(Some(&[b'x'; VALUE_BYTES]));
        Writer(&mut client.request).int(-1);
        Ok(client)
    }

    fn open_session(&mut self) -> io::Result<()> {
        let mut frame = vec![0; 4];
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout_ms: 30_000,
            session: SessionId::NONE,
            password: Some(&[0; 16]),
            read_only: Some(false),
        };
        request.encode(&mut frame);
        seal(&mut frame, 0);
        self.connection.write_all(&frame)?;
        loop {
            if let Some(body) = take_frame(&mut self.received)? {
                let response = ConnectResponse::decode(&body).map_err(unreadable)?;
                return match response.session {
                    SessionId::NONE => Err(io::Error::other("no session was given")),
                    _ => Ok(()),
                };
            }
            self.receive()?;
        }
    }

    /// Sends `count` requests of the same body, in one write.
    fn send(&mut self, op: OpCode, body: &[u8], count: usize) -> io::Result<()> {
        let mut frames = Vec::with_capacity(count * (body.len() + 12));
        for _ in 0..count {
            let at = frames.len();
            self.xid = self.xid.wrapping_add(1).max(1);
            Writer(&mut frames).int(0);
            Writer(&mut frames).int(self.xid);
            Writer(&mut frames).int(op.code());
            frames.extend_from_slice(body);
            seal(&mut frames, at);
        }
        self.connection.write_all(&frames)
    }

    /// Reads until `count` answers have come; an error among them is an error.
    fn expect_answers(&mut self, count: usize) -> io::Result<()> {
        let mut seen = 0;
        while seen < count {
            self.receive()?;
            seen += self.take_answers()?;
        }
        Ok(())
    }

    fn receive(&mut self) -> io::Result<()> {
        let at = self.received.len();
        self.received.resize(at + (64 << 10), 0);
        let count = self.connection.read(&mut self.received[at..]);
        self.received.truncate(at + count.as_ref().copied().unwrap_or(0));
        match count {
            Ok(0) => Err(io::Error::other("the server closed the connection")),
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Takes every whole answer out of what was received.
    fn take_answers(&mut self) -> io::Result<usize> {
        let mut rest = &self.received[..];
        let mut count = 0;
        while let Some((body, after)) = split_frame(rest)? {
            let header = ReplyHeader::decode(&mut Reader::new(body)).map_err(unreadable)?;
            if !header.err.is_ok() {
                return Err(io::Error::other(format!("a write was refused: {:?}", header.err)));
            }
            count += usize::from(header.xid > 0);
            rest = after;
        }
        let left = rest.len();
        self.received.drain(..self.received.len() - left);
        Ok(count)
    }

    fn write_until(mut self, deadline: Instant, stop: &AtomicBool) -> io::Result<Latencies> {
        let mut latencies = Latencies::new();
        // When requests went out, and how many of them are without an answer.
        let mut sent: VecDeque<(Instant, usize)> = VecDeque::from([(now(), OUTSTANDING)]);
        let request = std::mem::take(&mut self.request);
        self.send(OpCode::SetData, &request, OUTSTANDING)?;
        while !sent.is_empty() {
            self.receive()?;
            let answers = self.take_answers()?;
            let moment = now();
            settle(&mut sent, answers, |at, count| latencies.add(moment - at, count as u64));
            if answers > 0 && moment < deadline && !stop.load(Ordering::Relaxed) {
                self.send(OpCode::SetData, &request, answers)?;
                sent.push_back((moment, answers));
            }
        }
        self.send(OpCode::CloseSession, &[], 1)?;
        Ok(latencies)
    }
}

/// Answers come in the order of their requests: takes `answers` from the front.
fn settle(
    sent: &mut VecDeque<(Instant, usize)>,
    mut answers: usize,
    mut each: impl FnMut(Instant, usize),
) {
    while answers > 0 {
        let Some((at, waiting)) = sent.front_mut() else { return };
        let count = answers.min(*waiting);
        each(*at, count);
        *waiting -= count;
        answers -= count;
        if *waiting == 0 {
            sent.pop_front();
        }
    }
}

/// Writes the length of the frame that begins at `at` and ends with the buffer.
fn seal(frames: &mut Vec<u8>, at: usize) {
    let length = i32::try_from(frames.len() - at - 4).expect("our own requests are small");
    Writer(frames).patch_int(at, length);
}

/// The body of the first whole frame, and what follows it.
fn split_frame(bytes: &[u8]) -> io::Result<Option<(&[u8], &[u8])>> {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
    let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    if length > FRAME_BYTES_MAX {
        return Err(io::Error::other("the server sent a frame of absurd length"));
    }
    Ok(rest.split_at_checked(length))
}

fn take_frame(received: &mut Vec<u8>) -> io::Result<Option<Vec<u8>>> {
    let Some((body, _)) = split_frame(received)? else { return Ok(None) };
    let body = body.to_vec();
    received.drain(..4 + body.len());
    Ok(Some(body))
}

fn unreadable(error: WireError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_split_whole_and_absurd_ones_refused() {
        let bytes = [0, 0, 0, 2, b'a', b'b', 0, 0, 0, 1];
        let (body, rest) = split_frame(&bytes).expect("good").expect("whole");
        assert_eq!(body, b"ab");
        assert_eq!(split_frame(rest).expect("good"), None);
        assert_eq!(split_frame(&bytes[..5]).expect("good"), None);
        assert!(split_frame(&[0x7f, 0xff, 0xff, 0xff]).is_err());
        assert!(split_frame(&[0xff; 4]).is_err());
    }

    #[test]
    fn answers_settle_the_oldest_requests_first() {
        let (first, second) = (now(), now() + Duration::from_secs(1));
        let mut sent = VecDeque::from([(first, 2), (second, 3)]);
        let mut settled = Vec::new();
        settle(&mut sent, 4, |at, count| settled.push((at, count)));
        assert_eq!(settled, [(first, 2), (second, 2)]);
        assert_eq!(sent, [(second, 1)]);
    }

    #[test]
    fn the_report_names_figures_and_conditions() {
        let mut latencies = Latencies::new();
        latencies.add(Duration::from_millis(12), 2_469_134);
        let figures = Figures { latencies, elapsed: Duration::from_secs(2) };
        let report = figures.report(3);
        assert!(report.contains("1,234,567 writes/s"), "{report}");
        assert!(report.contains("durable on 2 of 3"), "{report}");
        assert!(report.contains("p50 12.00 ms   p99 12.00 ms   p99.9 12.00 ms"), "{report}");
    }
}
