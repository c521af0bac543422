//! Every byte lost or changed, one at a time: refused, or nothing that counts is missing.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

const LAST: &str = "log.200000001";
const MIDDLE: &str = "log.100000004";
const SNAPSHOT: &str = "snapshot.100000002";

/// Where the entries of `LAST` end.
fn ends() -> Vec<usize> {
    (0..=3).map(|count| log((1..=count).map(|counter| at(2, counter))).len() - 300).collect()
}

#[test]
fn v3_a_last_log_cut_anywhere_ends_with_its_last_whole_txn() {
    let ends = ends();
    for cut in 0..whole().bytes(LAST).len() {
        let mut memory = whole();
        memory.bytes(LAST).truncate(cut);
        let survey = memory.survey(MEMBER).expect("a torn tail");
        let kept = ends.iter().filter(|end| **end <= cut).count().saturating_sub(1) as u64;
        assert_eq!(survey.txns, 3 + kept, "cut at {cut}");
        let torn: u64 = survey.torn.iter().map(|torn| torn.bytes).sum();
        assert!(torn <= cut as u64);
    }
}

#[test]
fn v3_a_log_in_the_middle_cut_anywhere_is_refused() {
    let whole_bytes = log((4..6).map(|counter| at(1, counter))).len() - 300;
    for cut in 0..whole_bytes {
        let mut memory = whole();
        memory.bytes(MIDDLE).truncate(cut);
        // The reign ended: whether the last one of its log was acknowledged, the cut file alone
        // cannot say, so only a cut between two txns or at a torn one of them may pass.
        if let Ok(survey) = memory.survey(MEMBER) {
            assert!(survey.txns >= 4, "cut at {cut}: {survey}");
            assert!(cut >= 16, "cut at {cut}");
        }
    }
}

#[test]
fn v3_a_flipped_bit_in_a_log_is_refused_or_costs_the_last_txn_alone() {
    for (name, entries) in [(LAST, 3), (MIDDLE, 2)] {
        let length = whole().bytes(name).len();
        let entry = create(at(2, 1)).len() + 13;
        for place in 0..length {
            // A length is all that can make the last entry of a log look torn.
            let is_last_length =
                (8..12).contains(&(place.wrapping_sub(16 + (entries - 1) * entry)));
            for bit in [0, 5] {
                let mut memory = whole();
                memory.bytes(name)[place] ^= 1 << bit;
                let Ok(survey) = memory.survey(MEMBER) else { continue };
                let least = 6 - u64::from(is_last_length);
                assert!(survey.txns >= least, "{name}: bit {bit} of {place}: {survey}");
            }
        }
    }
}

#[test]
fn a_broken_end_before_whole_txns_is_named_with_both_places() {
    let mut memory = whole();
    let end = ends()[1];
    memory.bytes(LAST)[end - 1] = 0;
    let (path, offset, fault) = memory.fault(MEMBER);
    assert_eq!((path.as_str(), offset), ("version-2/log.200000001", Some(16)));
    let Fault::Hidden { zxid, at: hidden } = fault else { panic!("{fault:?}") };
    assert_eq!((zxid, hidden), (at(2, 2), end as u64));
    let mut memory = whole();
    memory.bytes(LAST)[end - 1] = b'X';
    assert!(matches!(memory.fault(MEMBER).2, Fault::Terminator { found: b'X', .. }));
    let mut memory = whole();
    memory.bytes(LAST)[16..28].fill(0);
    assert!(matches!(memory.fault(MEMBER).2, Fault::Hidden { .. }), "a lost sector");
    // An epoch that follows proves nothing about the one before.
    let mut memory = whole();
    let first = log([at(1, 4)]).len() - 300;
    memory.bytes(MIDDLE)[first - 1] = 0;
    let (path, offset, fault) = memory.fault(MEMBER);
    assert!(matches!(fault, Fault::Hidden { .. }), "{fault:?}");
    assert_eq!((path.as_str(), offset), ("version-2/log.100000004", Some(16)));
}

#[test]
fn a_lying_length_is_refused_or_a_torn_end() {
    for length in [i32::MIN, -2, i32::MAX, 65 << 20] {
        let mut memory = whole();
        memory.bytes(LAST)[24..28].copy_from_slice(&length.to_be_bytes());
        let (_, offset, fault) = memory.fault(MEMBER);
        assert!(matches!(fault, Fault::Length(found) if found == length), "{fault:?}");
        assert_eq!(offset, Some(16));
    }
    for length in [-1, 0, 1, 300, 60 << 20] {
        let mut memory = whole();
        memory.bytes(LAST)[24..28].copy_from_slice(&i32::to_be_bytes(length));
        assert!(matches!(memory.fault(MEMBER).2, Fault::Hidden { .. }), "{length}");
    }
}

#[test]
fn a_wrong_checksum_is_named_with_its_txn() {
    let mut memory = whole();
    let end = ends()[1];
    memory.bytes(LAST)[end - 3] ^= 1;
    let (path, offset, fault) = memory.fault(ALONE);
    assert_eq!((path.as_str(), offset), ("version-2/log.200000001", Some(16)));
    assert!(matches!(fault, Fault::Checksum { zxid, .. } if zxid == at(2, 1)), "{fault:?}");
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("in memory");
    encoder.finish().expect("in memory")
}

#[test]
fn v3_a_snapshot_cut_or_changed_anywhere_is_not_believed() {
    let plain = snapshot(at(1, 2));
    let expected = whole().survey(MEMBER).expect("it is whole");
    for (bytes, name) in [(plain.clone(), SNAPSHOT), (zipped(&plain), "snapshot.100000002.gz")] {
        let check = |changed: Vec<u8>, what: String| {
            let mut memory = whole();
            memory.files.remove(&(Place::Data, SNAPSHOT.to_owned()));
            memory.put(name, changed);
            match memory.survey(MEMBER) {
                Err(error) => assert!(matches!(error.fault, Fault::NoneWhole { .. }), "{error}"),
                // What a wrapping holds beside its content does not matter, nor a section that
                // is missing to its end.
                Ok(found) => {
                    let (ours, theirs) = (found.snapshot.unwrap(), expected.snapshot.clone());
                    let theirs = theirs.unwrap();
                    assert_eq!(ours.summary.digest, theirs.summary.digest, "{name}: {what}");
                    assert_eq!(ours.summary.sessions, theirs.summary.sessions, "{name}: {what}");
                }
            }
        };
        for place in 0..bytes.len() {
            check(bytes[..place].to_vec(), format!("cut at {place}"));
            let mut flipped = bytes.clone();
            flipped[place] ^= 0x10;
            check(flipped, format!("flipped at {place}"));
        }
    }
}

#[test]
fn an_older_snapshot_serves_if_the_logs_reach_further_than_the_damaged_one() {
    let mut memory = whole();
    memory.put("snapshot.200000001", b"cut".to_vec());
    let survey = memory.survey(MEMBER).expect("nothing is lost");
    assert_eq!(survey.snapshot.as_ref().expect("the older").name, SNAPSHOT);
    assert!(survey.to_string().contains("snapshot.200000001 not used: "), "{survey}");
    memory.put("snapshot.200000009", b"cut".to_vec());
    let (path, _, fault) = memory.fault(MEMBER);
    assert_eq!(path, "version-2/snapshot.200000009");
    assert!(matches!(fault, Fault::Ahead { .. }), "{fault:?}");
    // Where the logs since the older one are gone, it says why it began there.
    let mut memory = whole();
    memory.put("snapshot.200000001", b"cut".to_vec());
    memory.files.remove(&(Place::Logs, MIDDLE.to_owned()));
    let error = memory.survey(MEMBER).expect("2:1 begins a reign").to_string();
    assert!(error.contains("snapshot.200000001"), "{error}");
    memory.files.remove(&(Place::Logs, "log.100000001".to_owned()));
    memory.put("log.100000005", log([at(1, 5)]));
    let error = memory.survey(MEMBER).expect_err("a hole").to_string();
    assert!(error.contains("passed over: snapshot.200000001: "), "{error}");
}
