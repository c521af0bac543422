//! Random lives of small ensembles. The checks are the world's.

use ringkeeper_engine::limits::PROPOSALS_BYTES_KEPT;
use ringkeeper_engine::log::FileName;
use ringkeeper_engine::zxid::Zxid;

use crate::world::{Dice, TICK_MS, World};

/// Servers started, level, and in agreement after writes.
fn served(voters: i64, observers: i64, seed: u64) -> World {
    let mut world = World::new(voters, observers, seed);
    for id in 1..=voters + observers {
        world.start(id);
    }
    world.pass_until_served(3000);
    world
}

fn all_agree(world: &World) {
    for server in world.servers.values().filter(|server| server.replica.is_some()) {
        assert_eq!(server.state, world.decided, "server {}", server.id);
    }
}

#[test]
fn a_standalone_server_begins_at_zxid_one_and_goes_on_after_a_crash() {
    let mut world = served(1, 0, 1);
    for counter in 1..=10 {
        assert_eq!(world.propose(1, 100).unwrap().0, counter);
        world.settle();
    }
    assert_eq!(world.decided.0.len(), 10);
    world.crash(1);
    world.start(1);
    world.pass_until_served(100);
    assert_eq!(world.propose(1, 100).unwrap().0, 11);
    world.settle();
    assert_eq!(world.decided.0.len(), 11);
}

#[test]
fn no_server_keeps_more_proposals_than_it_should_an_observer_neither() {
    let mut world = served(3, 1, 3);
    let leader = world.leader().unwrap();
    let bytes_max = PROPOSALS_BYTES_KEPT + (1 << 20);
    for _ in 0..3 * bytes_max / 20_000 {
        world.propose(leader, 20_000).unwrap();
        world.pass(2);
    }
    world.pass(2 * TICK_MS);
    for id in 1..=4 {
        let bytes = world.replica(id).proposals().bytes();
        assert!(bytes < bytes_max, "server {id} keeps {bytes}");
    }
    assert!(world.shared > 0, "what is large is sent without a copy");
    all_agree(&world);
}

#[test]
fn an_ensemble_elects_writes_and_outlives_its_leader() {
    let mut world = served(3, 1, 2);
    let first = world.leader().unwrap();
    for _ in 0..100 {
        world.propose(first, 300).unwrap();
    }
    world.pass(5);
    assert_eq!(world.decided.0.len(), 100);
    all_agree(&world);
    world.crash(first);
    world.pass_until_served(3000);
    let second = world.leader().unwrap();
    assert_ne!(first, second);
    world.propose(second, 10).unwrap();
    world.start(first);
    world.pass_until_served(3000);
    world.pass(2 * TICK_MS);
    assert_eq!(world.decided.0.len(), 101);
    all_agree(&world);
}

#[test]
fn a_leader_without_a_quorum_steps_down_within_a_tick() {
    let mut world = served(3, 0, 3);
    let leader = world.leader().unwrap();
    for id in (1..=3).filter(|id| *id != leader) {
        world.crash(id);
    }
    world.pass(TICK_MS + 1);
    assert_eq!(world.leader(), None);
}

#[test]
fn a_silent_leader_is_left_and_a_silent_follower_dropped() {
    let mut world = served(3, 0, 4);
    let leader = world.leader().unwrap();
    // Nothing arrives any more, no link ends: frozen replicas get no events.
    let frozen = world.server(leader).replica.take();
    world.pass(7 * TICK_MS);
    assert!(world.leader().is_none_or(|id| id != leader));
    world.server(leader).replica = frozen;
    world.pass_until_served(3000);
}

#[test]
fn a_far_follower_is_brought_level_from_the_log_or_a_snapshot() {
    for takes_snapshot in [false, true] {
        let mut world = served(3, 0, 5);
        let leader = world.leader().unwrap();
        let away = if leader == 1 { 2 } else { 1 };
        world.crash(away);
        for _ in 0..40 {
            for _ in 0..10 {
                world.propose(leader, 30_000).unwrap();
            }
            world.pass(1);
        }
        if takes_snapshot {
            for id in [1, 2, 3].into_iter().filter(|id| *id != away) {
                snapshot(&mut world, id, Zxid(i64::MAX));
            }
        }
        world.start(away);
        world.pass_until_served(5000);
        world.pass(2 * TICK_MS);
        all_agree(&world);
        let snapped = world.transcript.iter().any(|line| line.contains("SNAP"));
        assert_eq!(snapped, takes_snapshot);
    }
}

#[test]
fn a_damaged_server_does_not_vote_and_is_mended_by_a_snapshot() {
    let mut world = served(3, 0, 6);
    let leader = world.leader().unwrap();
    for _ in 0..30 {
        world.propose(leader, 2000).unwrap();
        world.pass(1);
    }
    let hurt = if leader == 3 { 1 } else { 3 };
    world.crash(hurt);
    world.server(hurt).disk.flip(FileName::Segment(1), 5 * 4096 + 100);
    world.start(hurt);
    assert!(world.replica(hurt).status().is_damaged);
    world.pass_until_served(3000);
    world.pass(2 * TICK_MS);
    assert!(!world.replica(hurt).status().is_damaged);
    assert!(world.transcript.iter().any(|line| line.contains(&format!("-> {hurt} SNAP"))));
    all_agree(&world);
}

/// A start looks at no segment that lies behind the snapshot: what is damaged there shows when a
/// learner needs it, and then the snapshot serves.
#[test]
fn who_needs_what_the_log_cannot_be_read_for_is_sent_a_snapshot() {
    let mut world = served(3, 0, 7);
    let leader = world.leader().unwrap();
    let away = if leader == 1 { 2 } else { 1 };
    let stay: Vec<i64> = (1..=3).filter(|id| *id != away).collect();
    world.propose(leader, 100).unwrap();
    world.settle();
    world.crash(away);
    for _ in 0..20 {
        world.propose(leader, 30_000).unwrap();
        world.pass(1);
    }
    for &id in &stay {
        snapshot(&mut world, id, Zxid::ZERO);
    }
    world.settle();
    for &id in &stay {
        world.crash(id);
        world.server(id).disk.flip(FileName::Segment(3), 5 * 4096 + 100);
        world.start(id);
        assert!(!world.replica(id).status().is_damaged);
    }
    world.pass_until_served(3000);
    world.transcript.clear();
    world.start(away);
    world.pass_until_served(5000);
    world.pass(2 * TICK_MS);
    all_agree(&world);
    let told = |what: &str| {
        let line = format!("-> {away} {what}");
        world.transcript.iter().position(|said| said.contains(&line))
    };
    let (diff, snap) = (told("DIFF").unwrap(), told("SNAP").unwrap());
    assert!(diff < snap, "the log was tried first");
    // The log goes on behind it: whoever comes back once more needs no other snapshot.
    world.crash(away);
    let leader = world.leader().unwrap();
    world.propose(leader, 100).unwrap();
    world.settle();
    world.transcript.clear();
    world.start(away);
    world.pass_until_served(5000);
    world.pass(2 * TICK_MS);
    all_agree(&world);
    assert!(!world.transcript.iter().any(|said| said.contains("SNAP")));
}

/// Takes a snapshot of what a server has applied and purges its log behind `oldest`.
fn snapshot(world: &mut World, id: i64, oldest: Zxid) {
    let server = world.server(id);
    let Some(zxid) = server.state.0.last().map(|entry| entry.0) else { return };
    let Some(replica) = server.replica.as_mut().filter(|_| server.is_serving) else { return };
    server.state.save(&mut server.disk, zxid).unwrap();
    let mut out = Vec::new();
    replica.on_snapshot(zxid, oldest, &mut server.disk, &mut out);
    for effect in out {
        if let ringkeeper_engine::replica::Effect::Disk(op) = effect {
            server.disk.execute(op);
        }
    }
}

/// One random life: writes, crashes, cuts, slow disks, snapshots; then peace, and agreement.
fn life(seed: u64, voters: i64, observers: i64, steps: u64) {
    println!("seed {seed}, {voters} voters, {observers} observers");
    let mut world = World::new(voters, observers, seed);
    let mut dice = Dice(seed ^ 0x9e37_79b9_7f4a_7c15);
    let all = voters + observers;
    world.piece = [usize::MAX, 1000, 33][dice.below(3) as usize];
    world.delay_ms = dice.below(3);
    world.disks_lag = dice.below(2) == 0;
    for id in 1..=all {
        world.start(id);
    }
    for _ in 0..steps {
        disturb(&mut world, &mut dice, all);
        let calm = if dice.below(2) == 0 { 5 } else { 2 * TICK_MS };
        world.pass(dice.below(calm));
    }
    world.cut.clear();
    for id in 1..=all {
        world.server(id).holds_disk = false;
        if world.server(id).replica.is_none() {
            world.start(id);
        }
    }
    world.pass(20 * TICK_MS);
    world.pass_until_served(20_000);
    let leader = world.leader().unwrap();
    world.propose(leader, 1).unwrap();
    world.pass(4 * TICK_MS);
    all_agree(&world);
}

fn disturb(world: &mut World, dice: &mut Dice, all: i64) {
    let id = 1 + dice.below(all as u64) as i64;
    let other = 1 + dice.below(all as u64) as i64;
    match dice.below(20) {
        0 if world.server(id).replica.is_some() => world.crash(id),
        1..4 if world.server(id).replica.is_none() => world.start(id),
        4 if id != other => world.cut_off(id, other),
        5..8 => world.cut.clear(),
        8 => world.server(id).holds_disk = true,
        9..12 => (1..=all).for_each(|id| world.server(id).holds_disk = false),
        12 => snapshot(world, id, Zxid(i64::MAX)),
        13 => {
            let links = world.open_links();
            if !links.is_empty() {
                world.sever(links[dice.below(links.len() as u64) as usize]);
            }
        }
        14 => (1..=all).for_each(|id| {
            if world.server(id).replica.is_some() {
                world.crash(id);
            }
        }),
        _ => {
            let leaders: Vec<i64> = (1..=all)
                .filter(|id| world.servers[id].replica.is_some() && world.servers[id].is_serving)
                .collect();
            for leader in leaders {
                for _ in 0..dice.below(8) {
                    world.propose(leader, dice.below(3000) as usize);
                }
            }
        }
    }
}

/// `ZAB_LIVES` asks for more lives than the usual ones.
#[test]
fn nothing_decided_is_ever_lost_or_reordered() {
    let more = std::env::var("ZAB_LIVES").ok().and_then(|count| count.parse().ok()).unwrap_or(0);
    for seed in 1000..1000 + more {
        life(seed, 3 + 2 * (seed as i64 % 2), seed as i64 % 3, 120);
    }
    for seed in 0..12 {
        life(seed, 3, 0, 120);
    }
    for seed in 12..16 {
        life(seed, 3, 1, 120);
    }
    for seed in 16..18 {
        life(seed, 5, 0, 120);
    }
}
