//! Elections under random trouble: servers die and come back, connections break or fall silent,
//! bytes arrive in pieces. When the trouble ends, everybody is under one leader within a bounded
//! time, and that leader has every txn that a quorum ever had.
//!
//! What follows a decision is played by `Reigns`, a ZAB without packets: a leader that a quorum has
//! found opens an epoch, followers copy it, and whoever loses the other side looks again.
//!
//! `SEED=n cargo test -p ringkeeper-tests --test election_converges` repeats one run, `RUNS=n` makes
//! as many from the first seed on.

use std::collections::{BTreeMap, BTreeSet};

use ringkeeper_engine::election::ServerState;
use ringkeeper_engine::ids::ServerId;
use ringkeeper_engine::time::Millis;
use ringkeeper_engine::zxid::{Epoch, Zxid};
use ringkeeper_tests::chance::Chance;
use ringkeeper_tests::election_net::{Durable, Net, Trouble};

const RUNS: u64 = 100;

/// How often `Reigns` looks at everybody.
const STEP_MS: u64 = 10;

/// How long a leader waits for a quorum, and a follower for its leader.
const LEADER_PATIENCE_MS: u64 = 1_000;
const FOLLOWER_PATIENCE_MS: u64 = 400;

/// From the end of all trouble to one leader with everybody below it. The longest pause on the way
/// is a peer's redial (2 s); a failed reign or two come on top.
const CONVERGENCE_MS: u64 = 6_000;

#[test]
fn after_random_trouble_all_agree_on_a_leader_that_lost_nothing() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let runs = number("RUNS").unwrap_or(RUNS);
    let seeds = number("SEED").map_or(0..runs, |seed| seed..seed + 1);
    let slowest = seeds.map(run).max();
    println!("slowest convergence: {slowest:?} ms after the trouble");
}

fn run(seed: u64) -> u64 {
    println!("seed {seed}");
    let mut chance = Chance::new(seed, "faults");
    let voters = chance.between(3, 7) as i64;
    let observers = chance.between(0, 1) as i64;
    let ensemble = Net::ensemble_of(voters, observers);
    let everybody: Vec<ServerId> = ensemble.members().keys().copied().collect();
    let mut net = Net::new(ensemble, Some(Chance::new(seed, "network")));
    net.shows_links = true;
    let mut reigns = Reigns::default();
    for _ in 0..chance.between(20, 120) {
        disturb(&mut net, &mut chance, &everybody);
        for _ in 0..chance.between(1, 60) {
            reigns.step(&mut net);
        }
    }
    for &a in &everybody {
        everybody.iter().for_each(|&b| net.heal(a, b));
        if !net.servers.contains_key(&a) {
            net.start(a);
        }
    }
    let healed = net.now;
    while !reigns.is_settled(&net) {
        let ms = net.now.since(healed);
        let tail = net.lines.iter().rev().take(60).rev().cloned().collect::<Vec<_>>().join("\n");
        assert!(ms < CONVERGENCE_MS, "seed {seed}: no leader after {ms} ms\n{tail}");
        reigns.step(&mut net);
    }
    net.now.since(healed)
}

fn disturb(net: &mut Net, chance: &mut Chance, everybody: &[ServerId]) {
    let mut any = || everybody[chance.between(0, everybody.len() as u64 - 1) as usize];
    let (a, b) = (any(), any());
    let trouble = if chance.one_in(3) { Trouble::Silence } else { Trouble::Cut };
    match chance.between(0, 5) {
        0 => net.kill(a),
        1 | 2 if !net.servers.contains_key(&a) => net.start(a),
        3 if a != b => net.trouble(a, b, trouble),
        4 => net.heal(a, b),
        // The network falls apart in two.
        5 if chance.one_in(4) => {
            for &one in everybody {
                for &other in everybody.iter().filter(|&&other| one < a && other >= a) {
                    net.trouble(one, other, trouble);
                }
            }
        }
        _ => {}
    }
}

/// Who leads whom in which epoch.
#[derive(Default)]
struct Reigns {
    /// Since when a server has been as it is decided, and whether that has led anywhere.
    parts: BTreeMap<ServerId, Part>,
    /// The last zxid that a quorum has had.
    committed: Zxid,
    epochs: BTreeSet<Epoch>,
}

#[derive(Clone, Copy, PartialEq)]
struct Part {
    leader: ServerId,
    since: Millis,
    epoch: Option<Epoch>,
}

impl Reigns {
    fn step(&mut self, net: &mut Net) {
        net.wait(STEP_MS);
        self.parts.retain(|id, _| net.servers.contains_key(id));
        for (&id, server) in &net.servers {
            match server.decided {
                Some((leader, _)) => {
                    let part = Part { leader, since: net.now, epoch: None };
                    self.parts.entry(id).or_insert(part);
                }
                None => drop(self.parts.remove(&id)),
            }
        }
        let ids: Vec<ServerId> = self.parts.keys().copied().collect();
        for &id in &ids {
            if self.parts[&id].leader == id {
                self.lead(net, id);
            }
        }
        for &id in &ids {
            if self.parts.get(&id).is_some_and(|part| part.leader != id) {
                self.follow(net, id);
            }
        }
    }

    /// Whether `id` has found the leader it decided on, leading.
    fn is_with(&self, net: &Net, id: ServerId, leader: ServerId) -> bool {
        let leads = self.parts.get(&leader).is_some_and(|part| part.leader == leader);
        leads && self.parts[&id].leader == leader && !net.is_troubled(id, leader)
    }

    fn lead(&mut self, net: &mut Net, id: ServerId) {
        let part = self.parts[&id];
        let with: BTreeSet<ServerId> =
            self.parts.keys().copied().filter(|&other| self.is_with(net, other, id)).collect();
        // Who is in the reign already, or could enter it.
        let is_fit = |other: &ServerId| match (part.epoch, self.parts[other].epoch) {
            (Some(ours), Some(theirs)) => ours == theirs,
            (_, theirs) => theirs.is_none(),
        };
        let with: BTreeSet<ServerId> = with.into_iter().filter(is_fit).collect();
        if !net.ensemble.is_quorum(|voter| with.contains(&voter)) {
            if part.epoch.is_some() {
                // It had proposed one txn more, which nobody else has.
                let disk = net.disks.entry(id).or_default();
                disk.zxid = disk.zxid.next().expect("runs are short");
                self.leave(net, id);
            } else if net.now.since(part.since) > LEADER_PATIENCE_MS {
                self.leave(net, id);
            }
            return;
        }
        let disk = |id: ServerId| net.disks.get(&id).copied().unwrap_or_default();
        let epoch = part.epoch.unwrap_or_else(|| {
            let highest = with.iter().map(|&id| disk(id).epoch).max().unwrap_or_default();
            Epoch(highest.0 + 1)
        });
        let zxid = match part.epoch {
            Some(_) => disk(id).zxid.next().expect("runs are short"),
            None => {
                assert!(self.epochs.insert(epoch), "two reigns in epoch {epoch:?}");
                let has = disk(id).zxid;
                assert!(has >= self.committed, "{id:?} leads with {has:?} of {:?}", self.committed);
                Zxid::new(epoch, 0)
            }
        };
        self.committed = zxid;
        for id in with {
            net.disks.insert(id, Durable { zxid, epoch });
            let part = self.parts.get_mut(&id).expect("who is with the leader has a part");
            if part.epoch.replace(epoch).is_none() {
                let election = &mut net.servers.get_mut(&id).expect("alive").election;
                election.settled(election.state(), epoch);
            }
        }
    }

    fn follow(&mut self, net: &mut Net, id: ServerId) {
        let part = self.parts[&id];
        let reign = self.parts.get(&part.leader).and_then(|leader| leader.epoch);
        let is_with = self.is_with(net, id, part.leader);
        let is_lost = match part.epoch {
            Some(epoch) => !is_with || reign != Some(epoch),
            None => net.now.since(part.since) > FOLLOWER_PATIENCE_MS,
        };
        if is_lost {
            self.leave(net, id);
        }
    }

    fn leave(&mut self, net: &mut Net, id: ServerId) {
        self.parts.remove(&id);
        net.look(id);
    }

    fn is_settled(&self, net: &Net) -> bool {
        let mut reigns = self.parts.values().map(|part| (part.leader, part.epoch));
        let first = reigns.next();
        let is_whole = self.parts.len() == net.ensemble.members().len();
        let is_one = first.is_some_and(|(_, epoch)| epoch.is_some());
        is_whole && is_one && reigns.all(|reign| Some(reign) == first) && {
            let is_looking = |s: &ServerState| *s == ServerState::Looking;
            net.servers.values().all(|server| !is_looking(&server.election.state()))
        }
    }
}
