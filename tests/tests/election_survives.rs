//! An election that hears anything from anybody: wild numbers in every field, cut and flipped bytes,
//! links that come and go. It never panics, never asks for more than it was told, and its round
//! stays within bounds.
//!
//! `SEED=n cargo test -p ringkeeper-tests --test election_survives` repeats one run.

use ringkeeper_engine::election::{Election, ElectionEffect, ElectionOptions, ServerState};
use ringkeeper_engine::ids::{LinkId, LinkIds, ServerId};
use ringkeeper_engine::time::Millis;
use ringkeeper_engine::zxid::{Epoch, Zxid};
use ringkeeper_tests::chance::Chance;
use ringkeeper_tests::election_net::Net;

const RUNS: u64 = 60;
const STEPS: u64 = 600;

/// Effects of one step at most: a dial, a close and a message for each server there could be.
const EFFECTS_MAX: usize = 64;

#[test]
fn nothing_that_is_said_breaks_an_election() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    for seed in seed.map_or(0..RUNS, |seed: u64| seed..seed + 1) {
        println!("seed {seed}");
        run(seed);
    }
}

fn run(seed: u64) {
    let mut chance = Chance::new(seed, "words");
    let options = ElectionOptions::new(ServerId(3), Net::ensemble_of(5, 1), LinkIds::new());
    let mut election = Election::new(options);
    let (mut now, mut out, mut links) = (Millis(0), Vec::new(), vec![]);
    election.look(now, (Zxid(0), Epoch(0)), &mut out);
    for step in 0..STEPS {
        now = now + chance.between(0, 400);
        let dials: Vec<_> = out.drain(..).filter_map(dialed).collect();
        for (link, to) in dials {
            if chance.one_in(2) {
                election.on_closed(now, link, &mut out);
            } else {
                election.on_link_up(now, link, Some(to), &mut out);
                links.push(link);
            }
        }
        out.retain(|effect| matches!(effect, ElectionEffect::Dial { .. }));
        match chance.between(0, 9) {
            0 => {
                let link = LinkId(step * 2);
                election.on_link_up(now, link, None, &mut out);
                election.on_received(now, link, &greeting(&mut chance), &mut out);
                links.push(link);
            }
            1 if !links.is_empty() => {
                let at = chance.between(0, links.len() as u64 - 1) as usize;
                election.on_closed(now, links.swap_remove(at), &mut out);
            }
            2 => election.tick(now, &mut out),
            3 if chance.one_in(8) => {
                election.look(now, (Zxid(wild(&mut chance)), Epoch(7)), &mut out);
            }
            _ if !links.is_empty() => {
                let at = chance.between(0, links.len() as u64 - 1) as usize;
                election.on_received(now, links[at], &frame(&mut chance), &mut out);
            }
            _ => {}
        }
        if election.state() != ServerState::Looking && chance.one_in(4) {
            election.settled(election.state(), Epoch(wild(&mut chance)));
        }
        assert!(out.len() < EFFECTS_MAX, "seed {seed} step {step}: {out:?}");
        assert!(election.deadline().is_none_or(|at| at.since(now) <= 60_000));
        assert!(election.vote().round >= 0, "seed {seed}: no wild round is taken over");
    }
}

fn dialed(effect: ElectionEffect) -> Option<(LinkId, ServerId)> {
    match effect {
        ElectionEffect::Dial { link, to, .. } => Some((link, to)),
        _ => None,
    }
}

/// A number that somebody who means harm would choose, or a plain one.
fn wild(chance: &mut Chance) -> i64 {
    let wilds = [i64::MIN, i64::MAX, -1, 1 << 20, 1 << 32, i64::from(i32::MAX), -65536];
    match chance.between(0, 12) as usize {
        n if n < wilds.len() => wilds[n],
        n => (n - wilds.len()) as i64,
    }
}

fn greeting(chance: &mut Chance) -> Vec<u8> {
    let address: &[u8] = if chance.one_in(4) { b"h:99999|" } else { b"h:2" };
    let sid = if chance.one_in(3) { wild(chance) } else { chance.between(0, 8) as i64 };
    let length = address.len() as u32;
    let head = [(-65536_i64).to_be_bytes(), sid.to_be_bytes()].concat();
    spoil(chance, [&head[..], &length.to_be_bytes(), address].concat())
}

fn frame(chance: &mut Chance) -> Vec<u8> {
    let config: &[u8] = if chance.one_in(3) { b"server.1=h:1:2\nversion=9" } else { b"version=" };
    let mut payload = (chance.between(0, 4) as i32).to_be_bytes().to_vec();
    let leader = if chance.one_in(4) { wild(chance) } else { chance.between(1, 5) as i64 };
    for number in [leader, wild(chance), wild(chance), wild(chance)] {
        payload.extend_from_slice(&number.to_be_bytes());
    }
    payload.extend_from_slice(&2_i32.to_be_bytes());
    payload.extend_from_slice(&(config.len() as i32).to_be_bytes());
    payload.extend_from_slice(config);
    let length = (payload.len() as i32).to_be_bytes();
    spoil(chance, [&length[..], &payload].concat())
}

/// Cuts the bytes or flips one, now and then.
fn spoil(chance: &mut Chance, mut bytes: Vec<u8>) -> Vec<u8> {
    let at = chance.between(0, bytes.len() as u64 - 1) as usize;
    match chance.between(0, 15) {
        0 => bytes.truncate(at),
        1 => bytes[at] ^= 1 << chance.between(0, 7),
        _ => {}
    }
    bytes
}
