//! Where peers are: addresses that were looked up, and the look-ups under way.
//!
//! A literal address is used as it is. A name is looked up on the background thread, because a
//! resolver may take seconds; the dial that wanted it fails, and the next one finds the answer.
//! Answers are asked for anew after a while, so that a server may move.
//!
//! Not here: when to dial (`engine::election`, `engine::zab`).

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use ringkeeper_engine::quorum::Address;
use ringkeeper_engine::time::Millis;

/// How long an answer of the resolver is used.
const ANSWER_MS: u64 = 30_000;

/// What is known of one name.
#[derive(Default)]
struct Known {
    addresses: Vec<IpAddr>,
    answered_at: Option<Millis>,
    is_asked: bool,
    dials: usize,
}

/// Names looked up so far.
#[derive(Default)]
pub(super) struct Names {
    known: BTreeMap<String, Known>,
}

/// What a dial can go by.
pub(super) enum Found {
    At(SocketAddr),
    /// Nothing yet; ask the background for this name.
    Ask(String),
    /// Nothing yet, and the question is under way, or there is no address at all.
    Wait,
}

impl Names {
    /// Where to dial. Several addresses of one server, or of one name, are tried in turn.
    pub(super) fn find(&mut self, now: Millis, addresses: &[Address], attempt: usize) -> Found {
        let Some(address) = addresses.get(attempt % addresses.len().max(1)) else {
            return Found::Wait;
        };
        if let Ok(ip) = address.host.parse::<IpAddr>() {
            return Found::At(SocketAddr::new(ip, address.port));
        }
        let known = self.known.entry(address.host.clone()).or_default();
        let is_fresh = known.answered_at.is_some_and(|at| now.since(at) < ANSWER_MS);
        if !known.addresses.is_empty() && (is_fresh || known.is_asked) {
            known.dials += 1;
            let ip = known.addresses[known.dials % known.addresses.len()];
            return Found::At(SocketAddr::new(ip, address.port));
        }
        if known.is_asked {
            return Found::Wait;
        }
        known.is_asked = true;
        Found::Ask(address.host.clone())
    }

    /// The resolver's answer; nothing where it failed.
    pub(super) fn learned(&mut self, now: Millis, name: String, addresses: Vec<IpAddr>) {
        let known = self.known.entry(name).or_default();
        known.is_asked = false;
        if !addresses.is_empty() {
            known.addresses = addresses;
            known.answered_at = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(host: &str) -> Vec<Address> {
        vec![Address { host: host.into(), port: 2888 }]
    }

    #[test]
    fn a_literal_address_needs_no_look_up() {
        let mut names = Names::default();
        let found = names.find(Millis(0), &address("127.0.0.1"), 3);
        assert!(matches!(found, Found::At(at) if at == "127.0.0.1:2888".parse().unwrap()));
    }

    #[test]
    fn a_name_is_asked_for_once_and_its_answers_are_tried_in_turn() {
        let mut names = Names::default();
        assert!(
            matches!(names.find(Millis(0), &address("zoo"), 0), Found::Ask(name) if name == "zoo")
        );
        assert!(matches!(names.find(Millis(1), &address("zoo"), 1), Found::Wait));
        let answers = vec!["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
        names.learned(Millis(2), "zoo".into(), answers);
        let mut seen: Vec<String> = (0..2)
            .map(|dial| match names.find(Millis(3), &address("zoo"), dial) {
                Found::At(at) => at.to_string(),
                _ => String::new(),
            })
            .collect();
        seen.sort();
        assert_eq!(seen, ["10.0.0.1:2888", "10.0.0.2:2888"]);
        let later = Millis(3 + ANSWER_MS);
        assert!(matches!(names.find(later, &address("zoo"), 0), Found::Ask(_)));
    }
}
