//! The road of a request through a whole ensemble, in one thread and without a kernel.
//!
//! Three members with disks and links of memory answer a closed loop of requests. What is left is
//! what a request costs in the servers' own code: the figure to look at while that code changes,
//! because it does not depend on what else the machine does, least of all when counted in
//! instructions (`perf/instructions`).
//!
//! Not here: sockets and disks, which `load` and `compare` measure.

mod ensemble;

use std::collections::BTreeMap;
use std::fmt;

use ringkeeper::watch::ConnId;
use ringkeeper::wire::ReplyHeader;
use ringkeeper_engine::jute::Reader;

use crate::load::{Frames, Mix, Requests, Session};
use ensemble::{Ensemble, SERVERS, Spent};

/// A run.
#[derive(Clone, Debug, clap::Args)]
pub struct RoadOptions {
    /// What is asked.
    #[arg(long, value_enum, default_value_t = Mix::Set)]
    pub mix: Mix,
    #[arg(long, default_value_t = 30)]
    pub connections: u16,
    /// Requests on their way on each connection.
    #[arg(long, default_value_t = 100)]
    pub outstanding: u32,
    /// Data of a znode.
    #[arg(long, default_value_t = 100)]
    pub bytes: usize,
    /// How many requests, about.
    #[arg(long, default_value_t = 300_000)]
    pub requests: u64,
    /// All connections at the leader, instead of spread over the servers.
    #[arg(long)]
    pub leader_only: bool,
    /// As in a zoo.cfg: a snapshot after so many txns.
    #[arg(long, default_value_t = 1_000_000_000)]
    pub snap_count: u32,
    /// Look at no clock: for a run under callgrind, which counts instead.
    #[arg(long)]
    pub untimed: bool,
}

/// What came out.
#[derive(Clone, Copy, Debug)]
pub struct RoadReport {
    pub requests: u64,
    pub leader_ns: f64,
    /// The mean of the two.
    pub follower_ns: f64,
    /// Heap allocations a request; only in a program whose allocator counts.
    pub leader_allocations: f64,
    /// The mean of the two.
    pub follower_allocations: f64,
}

impl fmt::Display for RoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.leader_ns + 2.0 * self.follower_ns;
        write!(
            f,
            "{} requests: {:.0} ns of the leader, {:.0} ns of a follower, {all:.0} ns in all; \
             {:.4} allocations a request of the leader, {:.4} of a follower",
            self.requests,
            self.leader_ns,
            self.follower_ns,
            self.leader_allocations,
            self.follower_allocations
        )
    }
}

struct Client {
    server: usize,
    conn: ConnId,
    frames: Frames,
    requests: Requests,
    xid: i32,
    answered: u64,
}

/// Runs the loop.
///
/// # Errors
/// In words: no ensemble, a refused connection or request.
pub fn run(options: &RoadOptions) -> Result<RoadReport, String> {
    let mut ensemble = Ensemble::start(options.snap_count, !options.untimed)?;
    let leader = ensemble.leader();
    let mut clients = connect(&mut ensemble, options, leader)?;
    if !options.untimed {
        // Where instructions are counted, all requests but those reported would count too.
        round(&mut ensemble, &mut clients, options, options.requests / 5)?;
    }
    for server in 0..SERVERS {
        ensemble.take_spent(server);
    }
    let requests = round(&mut ensemble, &mut clients, options, options.requests)?;
    let (mut leader_spent, mut others_spent) = (Spent::default(), Spent::default());
    for server in 0..SERVERS {
        let spent = ensemble.take_spent(server);
        let of = if server == leader { &mut leader_spent } else { &mut others_spent };
        of.cpu_us += spent.cpu_us;
        of.allocations += spent.allocations;
    }
    let of_leader = |count: u64| count as f64 / requests as f64;
    let of_follower = |count: u64| of_leader(count) / (SERVERS - 1) as f64;
    Ok(RoadReport {
        requests,
        leader_ns: of_leader(leader_spent.cpu_us) * 1000.0,
        follower_ns: of_follower(others_spent.cpu_us) * 1000.0,
        leader_allocations: of_leader(leader_spent.allocations),
        follower_allocations: of_follower(others_spent.allocations),
    })
}

fn connect(
    ensemble: &mut Ensemble,
    options: &RoadOptions,
    leader: usize,
) -> Result<BTreeMap<(usize, u64), Client>, String> {
    let mut clients = BTreeMap::new();
    for number in 0..options.connections {
        let server = if options.leader_only { leader } else { usize::from(number) % SERVERS };
        let conn = ensemble.connect(server, number).ok_or("a connection was refused")?;
        let mut opening = Vec::new();
        Session::open(&mut opening);
        ensemble.send(server, conn, opening);
        let requests = Requests::new(options.mix, &format!("/road-{number}"), options.bytes);
        let client =
            Client { server, conn, frames: Frames::default(), requests, xid: 1, answered: 0 };
        clients.insert((server, conn.0), client);
    }
    settle(ensemble, &mut clients, |_| true)?;
    for client in clients.values_mut() {
        let mut out = Vec::new();
        client.requests.make(client.xid, &mut out);
        ensemble.send(client.server, client.conn, out);
    }
    settle(ensemble, &mut clients, |client| client.answered == 2)?;
    Ok(clients)
}

/// Turns until every client has got its answers.
fn settle(
    ensemble: &mut Ensemble,
    clients: &mut BTreeMap<(usize, u64), Client>,
    is_done: impl Fn(&Client) -> bool,
) -> Result<(), String> {
    for _ in 0..100 {
        ensemble.pass_time();
        ensemble.turn_all();
        hear(ensemble, clients, false)?;
        if clients.values().all(|client| client.answered > 0 && is_done(client)) {
            return Ok(());
        }
    }
    Err("the clients were not answered".to_owned())
}

/// The closed loop, until `upto` requests have been answered; how many that are.
fn round(
    ensemble: &mut Ensemble,
    clients: &mut BTreeMap<(usize, u64), Client>,
    options: &RoadOptions,
    upto: u64,
) -> Result<u64, String> {
    let before: u64 = clients.values().map(|client| client.answered).sum();
    let mut idle = 0;
    for client in clients.values_mut() {
        let mut out = Vec::new();
        for _ in 0..options.outstanding {
            client.xid += 1;
            client.requests.next(client.xid, &mut out);
        }
        ensemble.send(client.server, client.conn, out);
    }
    let mut answered = 0;
    let mut turns = 0u64;
    while answered < upto {
        turns += 1;
        if turns.is_multiple_of(8) {
            ensemble.pass_time();
        }
        ensemble.turn_all();
        let news = hear(ensemble, clients, true)?;
        answered += news;
        idle = if news == 0 { idle + 1 } else { 0 };
        if idle > 1000 {
            return Err(format!("no answer in 1000 turns, after {answered} requests"));
        }
    }
    // What is still due is answered and not followed by another.
    for _ in 0..50 {
        ensemble.pass_time();
        ensemble.turn_all();
        hear(ensemble, clients, false)?;
    }
    let after: u64 = clients.values().map(|client| client.answered).sum();
    Ok(after - before)
}

/// Reads the answers; each asks for another request where `goes_on`.
fn hear(
    ensemble: &mut Ensemble,
    clients: &mut BTreeMap<(usize, u64), Client>,
    goes_on: bool,
) -> Result<u64, String> {
    let mut news = 0;
    for (server, conn, bytes) in std::mem::take(&mut ensemble.answers) {
        let Some(client) = clients.get_mut(&(server, conn.0)) else { continue };
        let (mut answers, mut refused) = (0, None);
        let is_open = client.answered > 0;
        let heard = client.frames.receive(&bytes, |body| {
            answers += 1;
            if is_open || answers > 1 {
                let header = ReplyHeader::decode(&mut Reader::new(body));
                refused = header.map_or(Some(-1), |h| (!h.err.is_ok()).then_some(h.err.code()));
            }
        });
        heard.map_err(|bad| format!("a frame of {} bytes", bad.0))?;
        if let Some(code) = refused {
            return Err(format!("a request was refused: {code}"));
        }
        client.answered += answers;
        news += answers;
        ensemble.recycle(server, bytes);
        if goes_on {
            let mut out = Vec::new();
            for _ in 0..answers {
                client.xid += 1;
                client.requests.next(client.xid, &mut out);
            }
            ensemble.send(server, client.conn, out);
        }
    }
    Ok(news)
}
