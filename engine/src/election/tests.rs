//! One server's part in elections, message by message. Whole ensembles are in the project's `tests`.

use super::elector::{Election, ElectionEffect, ElectionOptions, FINALIZE_MS};
use super::greeting::Greeting;
use super::notification::Notification;
use super::{ServerState, Vote};
use crate::ids::{LinkId, LinkIds, ServerId};
use crate::quorum::Ensemble;
use crate::time::Millis;
use crate::zxid::{Epoch, Zxid};

const NOW: Millis = Millis(1_000);

/// Server 2 of three, looking, with an open link to server 3 (link 2).
fn election() -> Election {
    let text: String = (1..=3).map(|sid| format!("server.{sid}=h{sid}:1:2\n")).collect();
    let ensemble = Ensemble::parse(&text).unwrap();
    let options = ElectionOptions::new(ServerId(2), ensemble, LinkIds::new());
    let mut election = Election::new(options);
    election.look(NOW, (Zxid(10), Epoch(1)), &mut Vec::new());
    assert_eq!(greet(&mut election, 2, 3).len(), 1, "our vote");
    election
}

fn greet(election: &mut Election, link: u64, from: i64) -> Vec<ElectionEffect> {
    let mut out = Vec::new();
    let greeting = Greeting::encode(ServerId(from), &[], false);
    election.on_link_up(NOW, LinkId(link), None, &mut out);
    election.on_received(NOW, LinkId(link), &greeting, &mut out);
    out.retain(|effect| !matches!(effect, ElectionEffect::Close { .. }));
    out
}

fn frame(state: ServerState, leader: i64, round: i64, config: &str) -> Vec<u8> {
    let vote = Vote { leader: ServerId(leader), zxid: Zxid(10), epoch: Epoch(1), round };
    let mut bytes = Vec::new();
    Notification::new(state, vote, config.as_bytes()).encode(&mut bytes);
    bytes
}

fn hear(election: &mut Election, link: u64, bytes: &[u8]) -> Vec<ElectionEffect> {
    let mut out = Vec::new();
    election.on_received(NOW, LinkId(link), bytes, &mut out);
    out
}

fn sends(effects: &[ElectionEffect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, ElectionEffect::Send { .. })).count()
}

const LOOKING: ServerState = ServerState::Looking;

#[test]
fn v2_our_vote_leaves_before_the_decision() {
    let mut election = election();
    // Server 1 is still being dialled: the quorum waits for it.
    let out = hear(&mut election, 2, &frame(LOOKING, 3, 1, ""));
    assert_eq!((out.len(), sends(&out)), (1, 1));
    assert_eq!(election.deadline(), Some(NOW + FINALIZE_MS));
    let mut out = Vec::new();
    election.on_closed(NOW, LinkId(1), &mut out);
    let (leader, zxid, state) = (ServerId(3), Zxid(10), ServerState::Following);
    assert_eq!(out, [ElectionEffect::Decided { leader, zxid, state, leads: false }]);
}

#[test]
fn a_leader_whose_voters_go_over_to_another_knows_it_is_deserted() {
    let text: String = (1..=3).map(|sid| format!("server.{sid}=h{sid}:1:2\n")).collect();
    let ensemble = Ensemble::parse(&text).unwrap();
    let options = ElectionOptions::new(ServerId(3), ensemble, LinkIds::new());
    let mut election = Election::new(options);
    let mut out = Vec::new();
    election.look(NOW, (Zxid(10), Epoch(1)), &mut out);
    let dialed: Vec<LinkId> = (out.iter())
        .filter_map(|effect| match effect {
            ElectionEffect::Dial { link, .. } => Some(*link),
            _ => None,
        })
        .collect();
    let [one, two] = dialed[..] else { panic!("{out:?}") };
    election.on_link_up(NOW, two, Some(ServerId(2)), &mut Vec::new());
    election.on_closed(NOW, one, &mut Vec::new());
    hear(&mut election, two.0, &frame(LOOKING, 3, 1, ""));
    assert_eq!(election.state(), ServerState::Leading);
    assert!(!election.is_deserted());
    hear(&mut election, two.0, &frame(LOOKING, 1, 1, ""));
    assert!(election.is_deserted());
    hear(&mut election, two.0, &frame(ServerState::Following, 3, 1, ""));
    assert!(!election.is_deserted(), "it came back");
}

#[test]
fn v1_a_settled_server_shows_the_epoch_it_serves() {
    let mut election = election();
    hear(&mut election, 2, &frame(LOOKING, 3, 1, ""));
    election.on_closed(NOW, LinkId(1), &mut Vec::new());
    election.settled(ServerState::Following, Epoch(2));
    let out = hear(&mut election, 2, &frame(LOOKING, 3, 5, ""));
    let [ElectionEffect::Send { bytes, .. }] = &out[..] else { panic!("{out:?}") };
    let answer = Notification::decode(&bytes[4..]).unwrap();
    assert_eq!((answer.state, answer.vote.epoch), (ServerState::Following, Epoch(2)));
    assert_eq!(answer.vote.round, 1, "round and zxid stay as elected");
    assert!(hear(&mut election, 2, &frame(ServerState::Leading, 3, 5, "")).is_empty(), "V3");
}

/// It was told while it still followed, and did not count that.
#[test]
fn a_server_that_followed_and_looks_hears_our_vote_again_and_once() {
    let mut election = election();
    assert!(hear(&mut election, 2, &frame(ServerState::Following, 1, 7, "")).is_empty());
    let looks = frame(LOOKING, 1, 1, "");
    assert_eq!(sends(&hear(&mut election, 2, &looks)), 1);
    assert_eq!(sends(&hear(&mut election, 2, &looks)), 0, "V3");
    let out = hear(&mut election, 2, &frame(LOOKING, 2, 1, ""));
    assert_eq!((sends(&out), election.deadline()), (0, Some(NOW + FINALIZE_MS)), "it agrees");
}

#[test]
fn questions_in_one_segment_get_one_answer() {
    let mut election = election();
    hear(&mut election, 2, &frame(LOOKING, 2, 9, ""));
    let five = frame(LOOKING, 3, 1, "").repeat(5);
    assert_eq!(sends(&hear(&mut election, 2, &five)), 1);
}

#[test]
fn v3_strangers_hear_of_the_leader_once_there_is_one() {
    let mut election = election();
    assert!(greet(&mut election, 4, 9).is_empty(), "nobody told it anything");
    assert!(hear(&mut election, 4, &frame(LOOKING, 9, 1, "")).is_empty());
    hear(&mut election, 2, &frame(LOOKING, 3, 1, ""));
    let mut out = Vec::new();
    election.on_closed(NOW, LinkId(1), &mut out);
    assert!(matches!(out[1], ElectionEffect::Send { link: LinkId(4), .. }), "{out:?}");
    assert_eq!(sends(&hear(&mut election, 4, &frame(LOOKING, 9, 1, ""))), 1);
    assert_eq!(election.vote().leader, ServerId(3), "its votes count for nothing");
}

#[test]
fn v4_same_calls_give_the_same_effects() {
    let play = || {
        let mut election = election();
        let mut out = hear(&mut election, 2, &frame(LOOKING, 1, 7, ""));
        election.tick(NOW + 200, &mut out);
        election.tick(NOW + 2_000, &mut out);
        format!("{out:?}")
    };
    assert_eq!(play(), play());
}

#[test]
fn a_newer_ensemble_is_reported_and_changes_nothing_by_itself() {
    let mut election = election();
    let newer = "server.3=h3:1:2\nserver.4=h4:1:2\nversion=5";
    let out = hear(&mut election, 2, &frame(LOOKING, 2, 1, newer));
    let ensemble = Ensemble::parse(newer).unwrap();
    let from = ServerId(3);
    let seen = ElectionEffect::NewerEnsemble { from, ensemble: ensemble.clone() };
    assert_eq!(out, [seen]);
    for text in ["version=9", "gibberish", "server.3=h3:1:2\nversion=0"] {
        assert!(hear(&mut election, 2, &frame(LOOKING, 2, 1, text)).is_empty(), "{text}");
    }
    let mut out = Vec::new();
    election.set_ensembles(NOW, ensemble, None, &mut out);
    assert!(matches!(out[0], ElectionEffect::Dial { to: ServerId(4), .. }), "{out:?}");
    assert_eq!(election.vote().round, 2, "it starts over");
}

#[test]
fn a_single_voter_leads_at_once() {
    let ensemble = Ensemble::parse("server.1=h1:1:2").unwrap();
    let options = ElectionOptions::new(ServerId(1), ensemble, LinkIds::new());
    let mut election = Election::new(options);
    let mut out = Vec::new();
    election.look(NOW, (Zxid(10), Epoch(1)), &mut out);
    let (leader, zxid, state) = (ServerId(1), Zxid(10), ServerState::Leading);
    assert_eq!(out, [ElectionEffect::Decided { leader, zxid, state, leads: false }]);
    assert_eq!(election.deadline(), None);
}

#[test]
fn what_cannot_be_read_is_dropped_and_the_link_stays() {
    let mut election = election();
    let mut cut = frame(LOOKING, 3, 1, "version=0");
    cut[3] -= 1;
    cut.pop();
    assert!(hear(&mut election, 2, &cut).is_empty());
    assert_eq!(election.counters().messages_refused, 1);
    assert_eq!(sends(&hear(&mut election, 2, &frame(LOOKING, 3, 1, ""))), 1);
}
