//! Elections on a simulated network: servers that are nothing but their `Election`, connections
//! that take a millisecond, time that passes only when told.
//!
//! What travels is written down as one line a message, read from the bytes by a decoder of its own.
//! With a `Chance` connections take their time and cut what they carry into pieces.
//!
//! Not here: what follows a decision (the callers say when a leader serves); disks, clients.

use std::collections::{BTreeMap, BTreeSet};

use ringkeeper_engine::election::{Election, ElectionEffect, ElectionOptions, ServerState};
use ringkeeper_engine::ids::{LinkId, LinkIds, ServerId};
use ringkeeper_engine::quorum::Ensemble;
use ringkeeper_engine::time::Millis;
use ringkeeper_engine::zxid::{Epoch, Zxid};

use crate::chance::Chance;

/// How long a dial into silence takes to fail.
const DIAL_MS: u64 = 5_000;

/// What a server has on its disk, which outlives it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Durable {
    pub zxid: Zxid,
    pub epoch: Epoch,
}

pub struct Server {
    pub election: Election,
    /// The leader of the last decision and whether it still stands.
    pub decided: Option<(ServerId, ServerState)>,
    looked_at: Millis,
}

/// One end of a connection, of one life of a server.
type End = (ServerId, u64, LinkId);

enum Event {
    Arrive { dialer: End, to: ServerId },
    Up { end: End, dialed: ServerId },
    Bytes { end: End, bytes: Vec<u8> },
    Closed { end: End },
}

/// What happens between two servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Connections break and dials are refused.
    Cut,
    /// What is sent disappears, and nobody is told.
    Silence,
}

pub struct Net {
    pub now: Millis,
    pub ensemble: Ensemble,
    pub servers: BTreeMap<ServerId, Server>,
    pub disks: BTreeMap<ServerId, Durable>,
    /// One line for each message, decision and (with `shows_links`) connection.
    pub lines: Vec<String>,
    pub shows_links: bool,
    lives: BTreeMap<ServerId, u64>,
    wires: BTreeMap<End, End>,
    dials: BTreeSet<End>,
    /// When the last that was sent from an end arrives: nothing overtakes.
    arrivals: BTreeMap<End, Millis>,
    troubles: BTreeMap<(ServerId, ServerId), Trouble>,
    events: BTreeMap<(Millis, u64), Event>,
    counter: u64,
    chance: Option<Chance>,
}

fn pair(a: ServerId, b: ServerId) -> (ServerId, ServerId) {
    (a.min(b), a.max(b))
}

impl Net {
    pub fn new(ensemble: Ensemble, chance: Option<Chance>) -> Self {
        Self {
            now: Millis(0),
            ensemble,
            servers: BTreeMap::new(),
            disks: BTreeMap::new(),
            lines: Vec::new(),
            shows_links: false,
            lives: BTreeMap::new(),
            wires: BTreeMap::new(),
            dials: BTreeSet::new(),
            arrivals: BTreeMap::new(),
            troubles: BTreeMap::new(),
            events: BTreeMap::new(),
            counter: 0,
            chance,
        }
    }

    /// Servers 1 to `voters` vote, the next `observers` watch.
    pub fn ensemble_of(voters: i64, observers: i64) -> Ensemble {
        let line = |sid: i64| {
            let role = if sid > voters { "observer" } else { "participant" };
            format!("server.{sid}=h{sid}:2888:3888:{role}\n")
        };
        let text: String = (1..=voters + observers).map(line).collect();
        Ensemble::parse(&text).expect("every line is of the form that ensembles have")
    }

    pub fn start(&mut self, id: ServerId) {
        *self.lives.entry(id).or_default() += 1;
        let options = ElectionOptions::new(id, self.ensemble.clone(), LinkIds::new());
        let election = Election::new(options);
        self.servers.insert(id, Server { election, decided: None, looked_at: self.now });
        self.look(id);
    }

    /// The server looks for a leader with what is on its disk.
    pub fn look(&mut self, id: ServerId) {
        let Durable { zxid, epoch } = self.disks.get(&id).copied().unwrap_or_default();
        let now = self.now;
        self.with(id, |server, out| {
            server.decided = None;
            server.looked_at = now;
            server.election.look(now, (zxid, epoch), out);
        });
    }

    pub fn kill(&mut self, id: ServerId) {
        self.servers.remove(&id);
        let ends: Vec<End> = self.wires.keys().copied().filter(|end| end.0 == id).collect();
        for end in ends {
            self.close(end);
        }
    }

    pub fn trouble(&mut self, a: ServerId, b: ServerId, trouble: Trouble) {
        self.troubles.insert(pair(a, b), trouble);
        if trouble == Trouble::Cut {
            self.break_between(a, b);
        }
    }

    pub fn heal(&mut self, a: ServerId, b: ServerId) {
        if self.troubles.remove(&pair(a, b)) == Some(Trouble::Silence) {
            self.break_between(a, b);
        }
    }

    pub fn is_troubled(&self, a: ServerId, b: ServerId) -> bool {
        self.troubles.contains_key(&pair(a, b))
    }

    /// Both sides see their connections end.
    fn break_between(&mut self, a: ServerId, b: ServerId) {
        let is_between = |(one, other): &(&End, &End)| one.0 == a && other.0 == b;
        let wires: Vec<(End, End)> =
            self.wires.iter().filter(is_between).map(|(&one, &other)| (one, other)).collect();
        for end in wires.into_iter().flat_map(|(one, other)| [one, other]) {
            self.schedule(self.now, Event::Closed { end });
        }
    }

    /// Until nothing is under way. Timers that fall due meanwhile go off; later ones do not.
    pub fn run_until_quiet(&mut self) {
        while let Some(at) = self.events.keys().next().map(|key| key.0) {
            self.pass_until(at);
        }
    }

    pub fn wait(&mut self, ms: u64) {
        self.pass_until(self.now + ms);
    }

    /// What is left in flight when nothing may run any more is still there afterwards.
    fn pass_until(&mut self, until: Millis) {
        loop {
            let event = self.events.keys().next().map(|key| key.0);
            let timer =
                self.servers.iter().filter_map(|(&id, s)| Some((s.election.deadline()?, id)));
            let timer = timer.min();
            match (event, timer) {
                (Some(at), timer) if at <= until && timer.is_none_or(|timer| at <= timer.0) => {
                    let (_, event) = self.events.pop_first().expect("its key was just seen");
                    self.now = self.now.max(at);
                    self.happen(event);
                }
                (_, Some((at, id))) if at <= until => {
                    self.now = self.now.max(at);
                    let now = self.now;
                    self.with(id, |server, out| server.election.tick(now, out));
                }
                _ => break,
            }
        }
        self.now = self.now.max(until);
    }

    fn happen(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::Arrive { dialer, to } => self.arrive(dialer, to),
            Event::Up { end, dialed } if self.wires.contains_key(&end) => {
                self.with(end.0, |server, out| {
                    server.election.on_link_up(now, end.2, Some(dialed), out);
                });
            }
            Event::Bytes { end, bytes } if self.wires.contains_key(&end) => {
                self.with(end.0, |s, out| s.election.on_received(now, end.2, &bytes, out));
            }
            Event::Closed { end } => {
                let was_wire = self.wires.remove(&end).is_some();
                if (self.dials.remove(&end) || was_wire) && self.is_alive(end) {
                    self.with(end.0, |s, out| {
                        s.election.on_closed(now, end.2, out);
                    });
                }
            }
            Event::Up { .. } | Event::Bytes { .. } => {}
        }
    }

    fn is_alive(&self, end: End) -> bool {
        self.servers.contains_key(&end.0) && self.lives.get(&end.0) == Some(&end.1)
    }

    /// A dial reaches the other machine.
    fn arrive(&mut self, dialer: End, to: ServerId) {
        let trouble = self.troubles.get(&pair(dialer.0, to)).copied();
        if trouble == Some(Trouble::Silence) {
            self.schedule(self.now + DIAL_MS, Event::Closed { end: dialer });
            return;
        }
        if trouble.is_some() || !self.servers.contains_key(&to) || !self.dials.contains(&dialer) {
            let at = self.now + self.delay();
            self.schedule(at, Event::Closed { end: dialer });
            return;
        }
        self.dials.remove(&dialer);
        self.counter += 1;
        let accepted = (to, self.lives[&to], LinkId(self.counter * 2));
        self.wires.insert(dialer, accepted);
        self.wires.insert(accepted, dialer);
        let at = self.arrival(accepted);
        self.schedule(at, Event::Up { end: dialer, dialed: to });
        let now = self.now;
        self.with(to, |s, out| s.election.on_link_up(now, accepted.2, None, out));
    }

    fn with(&mut self, id: ServerId, act: impl FnOnce(&mut Server, &mut Vec<ElectionEffect>)) {
        let mut effects = Vec::new();
        let Some(server) = self.servers.get_mut(&id) else { return };
        act(server, &mut effects);
        for effect in effects {
            self.carry_out(id, effect);
        }
    }

    fn carry_out(&mut self, id: ServerId, effect: ElectionEffect) {
        let end = |link| (id, self.lives[&id], link);
        match effect {
            ElectionEffect::Dial { link, to, .. } => {
                let dialer = end(link);
                self.dials.insert(dialer);
                self.show_link(format!("{id} dials {to}"));
                let at = self.now + self.delay();
                self.schedule(at, Event::Arrive { dialer, to });
            }
            ElectionEffect::Send { link, bytes } => self.send(end(link), bytes),
            ElectionEffect::Close { link } => self.close(end(link)),
            ElectionEffect::Decided { leader, state, .. } => {
                let server = self.servers.get_mut(&id).expect("who has effects is alive");
                server.decided = Some((leader, state));
                let after = self.now.since(server.looked_at);
                let state = format!("{state:?}").to_uppercase();
                self.lines.push(format!("{id} {state} {leader} after {after} ms"));
            }
            ElectionEffect::NewerEnsemble { from, ensemble } => {
                self.lines.push(format!("{id} sees version {:x} of {from}", ensemble.version()));
            }
        }
    }

    fn send(&mut self, from: End, bytes: Vec<u8>) {
        let Some(&end) = self.wires.get(&from) else { return };
        match describe(&bytes) {
            Some(text) => self.lines.push(format!("{} -> {} {text}", from.0, end.0)),
            None => self.show_link(format!("{} -> {} greeting", from.0, end.0)),
        }
        if self.troubles.get(&pair(from.0, end.0)) == Some(&Trouble::Silence) {
            return;
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let piece = match &mut self.chance {
                Some(chance) => chance.between(1, rest.len() as u64) as usize,
                None => rest.len(),
            };
            let at = self.arrival(from);
            self.schedule(at, Event::Bytes { end, bytes: rest[..piece].to_vec() });
            rest = &rest[piece..];
        }
    }

    fn close(&mut self, end: End) {
        if self.dials.remove(&end) {
            return;
        }
        if let Some(other) = self.wires.remove(&end) {
            self.show_link(format!("{} closes to {}", end.0, other.0));
            let at = self.arrival(end);
            self.schedule(at, Event::Closed { end: other });
        }
    }

    fn show_link(&mut self, line: String) {
        if self.shows_links {
            self.lines.push(line);
        }
    }

    fn delay(&mut self) -> u64 {
        self.chance.as_mut().map_or(1, |chance| chance.between(0, 5))
    }

    fn arrival(&mut self, from: End) -> Millis {
        let at = self.now + self.delay();
        let at = self.arrivals.get(&from).map_or(at, |&last| last.max(at));
        self.arrivals.insert(from, at);
        at
    }

    fn schedule(&mut self, at: Millis, event: Event) {
        self.counter += 1;
        self.events.insert((at, self.counter), event);
    }
}

/// A notification in words, read by hand from the frame; `None` for a greeting.
fn describe(bytes: &[u8]) -> Option<String> {
    let int = |at: usize| Some(i32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let long = |at: usize| Some(i64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    if int(0)? < 0 {
        return None;
    }
    let state = ["LOOKING", "FOLLOWING", "LEADING", "OBSERVING"].get(int(4)? as usize)?;
    let (leader, zxid, round, epoch) = (long(8)?, long(16)?, long(24)?, long(32)?);
    if leader == i64::MIN {
        return Some(format!("{state} for nobody, round {round}"));
    }
    let zxid = if zxid == -1 { "no zxid".to_owned() } else { format!("{:?}", Zxid(zxid)) };
    Some(format!("{state} for {leader}, {zxid}, epoch {epoch}, round {round}"))
}
