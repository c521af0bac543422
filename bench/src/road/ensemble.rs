//! Three members in one thread, with links and disks of memory.
//!
//! Everything a member asks for happens at once and is seen in the other's next turn, so that
//! batches form as they do between processes: what came during a turn goes together.
//!
//! Not here: what the clients ask (`client`), what is measured (`road`).

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::rc::Rc;

use ringkeeper::admin::Environment;
use ringkeeper::config::{Config, load};
use ringkeeper::member::{Member, MemberOptions, Moment, Output, SnapshotTask};
use ringkeeper::snapshot::Format;
use ringkeeper::watch::ConnId;
use ringkeeper_engine::ids::{LinkId, ServerId};
use ringkeeper_engine::log::{Log, LogOptions, MemoryDisk, Part};
use ringkeeper_engine::replica::{Event, Port, Replica, ReplicaOptions, Timing};
use ringkeeper_engine::time::Millis;
use stats_alloc::INSTRUMENTED_SYSTEM;

use crate::host::ThreadTime;

pub(super) const SERVERS: usize = 3;
const TICK_MS: u64 = 2000;
const SEGMENT_BYTES: u64 = 16 << 20;
/// So many turns an election takes at most, each a tick further.
const ELECTION_TURNS_MAX: u32 = 1000;

/// What has come for a member and waits for its turn.
enum Coming {
    Up { link: LinkId, port: Port, dialed: Option<ServerId> },
    Bytes { link: LinkId, bytes: Vec<u8> },
    Sent { link: LinkId, buffer: Vec<u8> },
    Closed { link: LinkId },
    Client { conn: ConnId, bytes: Vec<u8> },
}

struct Place {
    member: Member,
    disk: MemoryDisk,
    coming: VecDeque<Coming>,
    outputs: Vec<Output>,
    task: SnapshotTask,
    spent: Spent,
}

/// What a member's turns took.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    pub(super) cpu_us: u64,
    /// Of heap memory, growing a range included.
    pub(super) allocations: u64,
}

/// The ensemble, and the bytes its servers have sent to clients.
pub(super) struct Ensemble {
    places: Vec<Place>,
    /// The other end of each link.
    others: BTreeMap<(usize, LinkId), (usize, LinkId)>,
    accepted: u64,
    now_ms: u64,
    is_timed: bool,
    pub(super) answers: Vec<(usize, ConnId, Vec<u8>)>,
}

impl Ensemble {
    /// Three fresh servers with a leader.
    ///
    /// # Errors
    /// In words: a configuration that is refused, or no leader.
    pub(super) fn start(snap_count: u32, is_timed: bool) -> Result<Self, String> {
        let places = (0..SERVERS).map(|number| place(number, snap_count)).collect::<Result<_, _>>();
        let mut ensemble = Self {
            places: places?,
            others: BTreeMap::new(),
            accepted: 0,
            now_ms: 1000,
            is_timed,
            answers: Vec::new(),
        };
        let at = ensemble.moment();
        for place in &mut ensemble.places {
            place.member.start(at, &mut place.disk);
        }
        for _ in 0..ELECTION_TURNS_MAX {
            ensemble.now_ms += 20;
            let at = ensemble.moment();
            for place in &mut ensemble.places {
                place.member.tick(at, &mut place.disk);
            }
            ensemble.turn_all();
            if ensemble.places.iter().all(|place| place.member.role().serves()) {
                return Ok(ensemble);
            }
        }
        Err("no leader was elected".to_owned())
    }

    pub(super) fn leader(&self) -> usize {
        let leads = |place: &Place| place.member.role().leads();
        self.places.iter().position(leads).expect("`start` waited for one")
    }

    /// What a member took since the last call.
    pub(super) fn take_spent(&mut self, server: usize) -> Spent {
        std::mem::take(&mut self.places[server].spent)
    }

    pub(super) fn connect(&mut self, server: usize, client: u16) -> Option<ConnId> {
        let at = self.moment();
        let peer = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), client);
        self.places[server].member.accept(at, peer)
    }

    pub(super) fn send(&mut self, server: usize, conn: ConnId, bytes: Vec<u8>) {
        self.places[server].coming.push_back(Coming::Client { conn, bytes });
    }

    /// One turn of each server, the leader last: it finds what its followers have said.
    pub(super) fn turn_all(&mut self) {
        let leads = |place: &Place| place.member.role().leads();
        let leader = self.places.iter().position(leads);
        for server in (0..SERVERS).filter(|server| Some(*server) != leader) {
            self.turn(server);
        }
        if let Some(leader) = leader {
            self.turn(leader);
        }
    }

    /// A millisecond passes.
    pub(super) fn pass_time(&mut self) {
        self.now_ms += 1;
    }

    fn moment(&self) -> Moment {
        let wall_ms = 1_700_000_000_000 + i64::try_from(self.now_ms).unwrap_or(i64::MAX);
        Moment { now: Millis(self.now_ms), wall_ms }
    }

    fn turn(&mut self, server: usize) {
        let at = self.moment();
        let place = &mut self.places[server];
        let coming = std::mem::take(&mut place.coming);
        let mut done = Vec::new();
        while place.disk.pending() > 0 {
            done.push(place.disk.complete(0));
        }
        let begun = self.is_timed.then(|| (ThreadTime::now(), allocations()));
        if place.member.role().leads() {
            leaders_turn(place, at, coming, done);
        } else {
            learners_turn(place, at, coming, done);
        }
        if let Some((begun, allocated)) = begun {
            place.spent.cpu_us += ThreadTime::now().since(begun).cpu_us;
            place.spent.allocations += allocations() - allocated;
        }
        // The buffer stays the same, lest it count as the member's.
        let mut outputs = std::mem::take(&mut place.outputs);
        outputs.drain(..).for_each(|output| self.carry_out(server, output));
        self.places[server].outputs = outputs;
    }

    fn carry_out(&mut self, server: usize, output: Output) {
        match output {
            Output::Send { conn, bytes } => self.answers.push((server, conn, bytes)),
            Output::Disk(op) => self.places[server].disk.execute(op),
            Output::Dial { link, to, port, .. } => self.dial(server, link, to, port),
            Output::SendPeer { link, bytes } => self.send_peer(server, link, bytes),
            Output::SendPeerShared { link, part } => self.send_peer_shared(server, link, &part),
            Output::ClosePeer { link } => {
                if let Some((other, theirs)) = self.others.remove(&(server, link)) {
                    self.others.remove(&(other, theirs));
                    self.places[other].coming.push_back(Coming::Closed { link: theirs });
                }
            }
            Output::Snapshot(op) => {
                let Place { member, disk, task, .. } = &mut self.places[server];
                if let Some(done) = task.carry_out(op, disk) {
                    member.snapshot_done(done, disk);
                }
            }
            Output::Close { .. }
            | Output::CloseAfterSending { .. }
            | Output::Pause { .. }
            | Output::Resume { .. } => {}
            Output::Fatal(reason) => panic!("server {} ends: {reason}", server + 1),
        }
    }

    fn dial(&mut self, server: usize, link: LinkId, to: ServerId, port: Port) {
        let other = usize::try_from(to.0 - 1).expect("servers have the ids 1 to 3");
        self.accepted += 2;
        let theirs = LinkId(self.accepted);
        self.others.insert((server, link), (other, theirs));
        self.others.insert((other, theirs), (server, link));
        let dialed = Some(to);
        self.places[server].coming.push_back(Coming::Up { link, port, dialed });
        self.places[other].coming.push_back(Coming::Up { link: theirs, port, dialed: None });
    }

    fn send_peer(&mut self, server: usize, link: LinkId, buffer: Vec<u8>) {
        if let Some(&(other, theirs)) = self.others.get(&(server, link)) {
            let bytes = buffer.clone();
            self.places[other].coming.push_back(Coming::Bytes { link: theirs, bytes });
        }
        self.places[server].coming.push_back(Coming::Sent { link, buffer });
    }

    fn send_peer_shared(&mut self, server: usize, link: LinkId, part: &Part) {
        if let Some(&(other, theirs)) = self.others.get(&(server, link)) {
            let bytes = part.to_vec();
            self.places[other].coming.push_back(Coming::Bytes { link: theirs, bytes });
        }
    }

    pub(super) fn recycle(&mut self, server: usize, buffer: Vec<u8>) {
        self.places[server].member.recycle(buffer);
    }
}

fn place(number: usize, snap_count: u32) -> Result<Place, String> {
    let mut disk = MemoryDisk::new();
    let me = ServerId(i64::try_from(number).unwrap_or(i64::MAX) + 1);
    let options = LogOptions { segment_bytes: SEGMENT_BYTES, ..LogOptions::new(me, 0) };
    let opened = Log::open(&mut disk, options, me.0.unsigned_abs()).map_err(|e| e.to_string())?;
    let config = config(me, snap_count)?;
    let quorum = config.quorum.as_ref().ok_or("the road's own configuration names servers")?;
    let options = ReplicaOptions {
        me,
        ensemble: quorum.ensemble.clone(),
        timing: Timing { tick_ms: TICK_MS, init_limit: 10, sync_limit: 5 },
        standalone: false,
        may_vote_empty: true,
        snapshots: Box::new(Format),
    };
    let replica = Replica::new(options, opened.log);
    let options = MemberOptions {
        config: Rc::new(config),
        environment: Rc::new(Environment::of(Vec::new())),
        entropy: me.0.unsigned_abs(),
    };
    Ok(Place {
        member: Member::new(options, replica),
        disk,
        coming: VecDeque::new(),
        outputs: Vec::new(),
        task: SnapshotTask::default(),
        spent: Spent::default(),
    })
}

fn config(me: ServerId, snap_count: u32) -> Result<Config, String> {
    let servers: String = (1..=SERVERS)
        .map(|id| format!("server.{id}=127.0.0.1:{}:{}\n", 2000 + id, 3000 + id))
        .collect();
    let text = format!(
        "dataDir=/nowhere\ntickTime={TICK_MS}\ninitLimit=10\nsyncLimit=5\nclientPort=2181\n\
         snapCount={snap_count}\nmaxClientCnxns=0\n{servers}"
    );
    let mut read = |path: &Path| {
        let is_myid = path.ends_with("myid");
        Ok(if is_myid { me.0.to_string().into_bytes() } else { text.clone().into_bytes() })
    };
    load("road.cfg", &[], &mut read).map_err(|faults| format!("{faults:?}"))
}

/// Of the process, which has one thread here; zero where the program does not count.
fn allocations() -> u64 {
    let stats = INSTRUMENTED_SYSTEM.stats();
    (stats.allocations + stats.reallocations) as u64
}

/// Apart from `learners_turn`, so that a profiler tells the two roles from each other.
#[inline(never)]
fn leaders_turn(
    place: &mut Place,
    at: Moment,
    coming: VecDeque<Coming>,
    done: Vec<ringkeeper_engine::log::DiskDone>,
) {
    take_turn(place, at, coming, done);
}

#[inline(never)]
fn learners_turn(
    place: &mut Place,
    at: Moment,
    coming: VecDeque<Coming>,
    done: Vec<ringkeeper_engine::log::DiskDone>,
) {
    take_turn(place, at, coming, done);
}

#[inline(always)]
fn take_turn(
    place: &mut Place,
    at: Moment,
    coming: VecDeque<Coming>,
    done: Vec<ringkeeper_engine::log::DiskDone>,
) {
    let Place { member, disk, outputs, .. } = place;
    for done in done {
        member.peer(at, Event::Disk(done), disk);
    }
    for one in coming {
        match one {
            Coming::Up { link, port, dialed } => {
                member.peer(at, Event::LinkUp { link, port, dialed }, disk);
            }
            Coming::Bytes { link, bytes } => {
                member.peer(at, Event::Received { link, bytes: &bytes }, disk);
            }
            Coming::Sent { link, buffer } => {
                member.peer(at, Event::Unsent { link, bytes: 0 }, disk);
                member.recycle_peer(buffer);
            }
            Coming::Closed { link } => member.peer(at, Event::Closed { link }, disk),
            Coming::Client { conn, bytes } => member.received(at, conn, &bytes),
        }
    }
    member.end_turn(at, disk, outputs);
}
