//! Elections as the textbook tells them: `tests/golden/election/*.txt`.
//!
//! A script is blocks of commands, a line `----`, and what must happen, line by line. After each
//! command everything under way arrives; time passes beyond that only in a `wait`.
//!
//! ```text
//! ensemble 5 [observers 2]      servers 1 to 5 vote, 6 and 7 observe
//! data 1 2 zxid 1:9 epoch 1     what these servers have on disk
//! start 1 2                     at the same moment
//! look 1 2                      again: they have lost their leader
//! kill 1 2
//! settled 1 2 epoch 3           they serve, or follow, in that epoch
//! cut 1 2 | silence 1 2 | heal 1 2
//! wait 200
//! show links                    dials, greetings and closes from here on
//! ```
//!
//! `BLESS=1 cargo test -p ringkeeper-tests --test golden_election` writes what happens into the
//! scripts; read the difference before believing it.

use std::fs;
use std::path::{Path, PathBuf};

use ringkeeper_engine::ids::ServerId;
use ringkeeper_engine::zxid::{Epoch, Zxid};
use ringkeeper_tests::election_net::{Net, Trouble};

#[test]
fn elections_go_as_the_scripts_say() {
    let mut wrong = Vec::new();
    let scripts = scripts();
    assert!(scripts.len() >= 8, "the scripts are where they belong");
    for path in scripts {
        let written = fs::read_to_string(&path).expect("a script that was just listed");
        let played = play(&written);
        if played == written {
            continue;
        }
        if std::env::var_os("BLESS").is_some() {
            bless(&path, &played);
        } else {
            wrong.push(format!("{}\n{}", path.display(), difference(&written, &played)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[expect(clippy::disallowed_methods, reason = "an author asked for it by BLESS=1")]
fn bless(path: &Path, played: &str) {
    fs::write(path, played).expect("scripts can be written where they can be blessed");
}

fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/election");
    let entries = fs::read_dir(folder).expect("the folder of the scripts");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "txt"));
    paths.sort();
    paths
}

/// The script again, with what really happens below each line of dashes.
fn play(script: &str) -> String {
    let mut played = String::new();
    let mut net: Option<Net> = None;
    let mut lines = script.lines();
    while let Some(line) = lines.next() {
        played.push_str(line);
        played.push('\n');
        if line == "----" {
            let net = net.as_mut().expect("the first command is `ensemble`");
            for happened in net.lines.drain(..) {
                played.push_str(&happened);
                played.push('\n');
            }
            // What the script expects is skipped; the blank line after it is kept.
            if lines.by_ref().find(|line| line.is_empty()).is_some() {
                played.push('\n');
            }
        } else if !line.is_empty() && !line.starts_with('#') {
            command(&mut net, line);
        }
    }
    played.truncate(played.trim_end().len());
    played.push('\n');
    played
}

fn command(net: &mut Option<Net>, line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let number = |word: &str| -> Option<i64> { word.parse().ok() };
    let after = |name: &str| words.iter().skip_while(|word| **word != name).nth(1).copied();
    let servers: Vec<ServerId> =
        words[1..].iter().map_while(|word| number(word)).map(ServerId).collect();
    if words[0] == "ensemble" {
        let observers = after("observers").and_then(number).unwrap_or(0);
        *net = Some(Net::new(Net::ensemble_of(servers[0].0, observers), None));
        return;
    }
    let net = net.as_mut().expect("the first command is `ensemble`");
    let epoch = after("epoch").and_then(number).map(Epoch);
    match words[0] {
        "data" => {
            let zxid = after("zxid").map(zxid);
            for &id in &servers {
                let disk = net.disks.entry(id).or_default();
                disk.zxid = zxid.unwrap_or(disk.zxid);
                disk.epoch = epoch.unwrap_or(disk.epoch);
            }
        }
        "start" => servers.into_iter().for_each(|id| net.start(id)),
        "look" => servers.into_iter().for_each(|id| net.look(id)),
        "kill" => servers.into_iter().for_each(|id| net.kill(id)),
        "settled" => {
            let epoch = epoch.expect("`settled` says in which epoch");
            for id in servers {
                let election = &mut net.servers.get_mut(&id).expect("a running server").election;
                election.settled(election.state(), epoch);
                net.disks.entry(id).or_default().epoch = epoch;
            }
        }
        "cut" => net.trouble(servers[0], servers[1], Trouble::Cut),
        "silence" => net.trouble(servers[0], servers[1], Trouble::Silence),
        "heal" => net.heal(servers[0], servers[1]),
        "wait" => net.wait(servers[0].0 as u64),
        "show" => net.shows_links = true,
        other => panic!("no command {other}"),
    }
    net.run_until_quiet();
}

/// `epoch:counter`, or -1 for a server that may not vote.
fn zxid(word: &str) -> Zxid {
    match word.split_once(':') {
        Some((epoch, counter)) => {
            let epoch = Epoch(epoch.parse().expect("an epoch"));
            Zxid::new(epoch, counter.parse().expect("a counter"))
        }
        None => Zxid(word.parse().expect("-1")),
    }
}

/// The first place where they part, with what both say there.
fn difference(written: &str, played: &str) -> String {
    let (written, played): (Vec<_>, Vec<_>) = (written.lines().collect(), played.lines().collect());
    let same = written.iter().zip(&played).take_while(|(a, b)| a == b).count();
    let show = |lines: &[&str], mark: &str| -> String {
        let lines = lines[same.min(lines.len())..].iter().take(12);
        lines.map(|line| format!("  {mark} {line}\n")).collect()
    };
    format!("  from line {}\n{}{}", same + 1, show(&written, "-"), show(&played, "+"))
}
