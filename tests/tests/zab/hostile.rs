//! Peers that say anything at any time: links may end, roles may end, nothing panics.

use crate::golden::Stage;
use crate::world::Dice;

const KINDS: [&str; 19] = [
    "REQUEST",
    "PROPOSAL",
    "ACK",
    "COMMIT",
    "PING",
    "REVALIDATE",
    "SYNC",
    "INFORM",
    "COMMITANDACTIVATE",
    "NEWLEADER",
    "FOLLOWERINFO",
    "UPTODATE",
    "DIFF",
    "TRUNC",
    "SNAP",
    "OBSERVERINFO",
    "LEADERINFO",
    "ACKEPOCH",
    "INFORMANDACTIVATE",
];

/// A packet with a zxid near those that make sense, or far from all.
fn packet(dice: &mut Dice) -> String {
    let kind = KINDS[dice.below(19) as usize];
    let zxid = match dice.below(12) {
        0 => "-1".to_owned(),
        1 => "2147483647:4294967295".to_owned(),
        _ => format!("{}:{}", dice.below(4), dice.below(6)),
    };
    let java = if dice.below(2) == 0 { " java" } else { "" };
    match kind {
        "ACKEPOCH" => format!("{kind} {} {zxid}", dice.below(4) as i64 - 1),
        _ => format!("{kind} {zxid}{java}"),
    }
}

fn life(begin: &str, good: &[&str], seed: u64) {
    let mut dice = Dice(seed);
    let mut stage = Stage::new();
    stage.run("log 1:1..1:4, epoch 1");
    stage.run(begin);
    for command in &good[..dice.below(good.len() as u64 + 1) as usize] {
        stage.run(command);
    }
    for _ in 0..12 {
        let said = match dice.below(6) {
            0 => stage.run("disk"),
            1 => stage.run("pass 50"),
            _ if stage.knows(2) => {
                let packets: Vec<String> =
                    (0..1 + dice.below(3)).map(|_| packet(&mut dice)).collect();
                stage.run(&format!("2 says {}", packets.join("; ")))
            }
            _ => stage.run("2 says FOLLOWERINFO 1:0"),
        };
        if said.iter().any(|line| line.contains("leaves")) {
            return;
        }
    }
}

#[test]
fn no_peer_can_make_a_leader_or_a_learner_panic() {
    let good_learner = ["2 says FOLLOWERINFO 1:0", "2 says ACKEPOCH 1 1:4", "2 says ACK 2:0"];
    let good_leader =
        ["2 says LEADERINFO 2:0", "2 says DIFF 1:4", "2 says NEWLEADER 2:0", "2 says UPTODATE"];
    for seed in 0..3000 {
        life("lead", &good_learner, seed);
        life("follow 2", &good_leader, seed);
        life("observe 2", &good_leader, seed);
    }
}
