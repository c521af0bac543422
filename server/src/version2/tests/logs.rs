//! The order of txns over several logs, and what Java writes that is odd.

use super::*;

fn over(files: &[(&str, Vec<u8>)]) -> Memory {
    let mut memory = Memory::default();
    memory.put("snapshot.100000002", snapshot(at(1, 2)));
    for (name, bytes) in files {
        memory.put(name, bytes.clone());
    }
    memory
}

fn found(memory: &mut Memory) -> (u64, Zxid) {
    let survey = memory.survey(ALONE).expect("it is whole");
    (survey.txns, survey.last)
}

/// The padding goes.
fn unpadded(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() - 300);
    bytes
}

#[test]
fn logs_older_than_the_snapshot_are_not_read() {
    let broken = b"no log at all, and longer than a header".to_vec();
    let mut memory = whole();
    memory.put("log.1", broken);
    let survey = memory.survey(MEMBER).expect("it is whole");
    assert_eq!(survey.txns, 6);
    assert_eq!(survey.skipped, [Skipped { name: "log.1".into(), why: Reason::Older }]);
    assert_eq!(survey.logs, ["log.100000001", "log.100000004", "log.200000001"]);
}

#[test]
fn strange_files_are_named_and_not_used() {
    let mut memory = whole();
    for name in ["log.x", "log.", "snapshot.1.bz2", "snapshot.-1", "notes.txt", "updatingEpoch"] {
        memory.put(name, "junk");
    }
    let survey = memory.survey(MEMBER).expect("it is whole");
    assert_eq!(survey.skipped.iter().filter(|file| file.why == Reason::Strange).count(), 6);
    assert!(survey.to_string().contains("; notes.txt not used: no file of ZooKeeper's data"));
}

/// Compat: `PrepRequestProcessor`, 3.9.5: a write that does not parse is logged under the zxid of
/// the txn before it.
#[test]
fn an_error_under_the_zxid_before_it_is_left_out() {
    let odd = [create(at(1, 3)), error_txn(at(1, 3)), create(at(1, 4)), error_txn(at(1, 4))];
    let mut memory = over(&[("log.100000003", log_of(&odd))]);
    let survey = memory.survey(ALONE).expect("it is whole");
    assert_eq!((survey.txns, survey.repeated, survey.last), (2, 2, at(1, 4)));
    let fine = [create(at(1, 3)), error_txn(at(1, 4)), create(at(1, 5))];
    assert_eq!(found(&mut over(&[("log.100000003", log_of(&fine))])), (3, at(1, 5)));
}

/// Compat: `Learner`, 3.8.0: a follower that comes back under load logs txns twice.
#[test]
fn txns_that_were_logged_twice_are_taken_once() {
    let counters = [2, 3, 4, 5, 2, 3, 4, 5, 6];
    let twice = log(counters.into_iter().map(|counter| at(1, counter)));
    let mut memory = over(&[("log.100000002", twice), ("log.100000007", log([at(1, 7)]))]);
    let survey = memory.survey(MEMBER).expect("it is whole");
    assert_eq!((survey.txns, survey.repeated, survey.last), (5, 3, at(1, 7)));
    let other = [create(at(1, 3)), create(at(1, 4)), error_txn(at(1, 3))];
    let (_, _, fault) = over(&[("log.100000003", log_of(&other))]).fault(MEMBER);
    assert!(matches!(fault, Fault::Order { .. }), "another txn under an old zxid: {fault:?}");
}

#[test]
fn a_hole_within_an_epoch_is_refused() {
    for (zxids, last, next) in [
        (vec![at(1, 4)], at(1, 2), at(1, 4)),
        (vec![at(1, 3), at(1, 5)], at(1, 3), at(1, 5)),
        (vec![at(1, 3), at(2, 2)], at(1, 3), at(2, 2)),
        (vec![at(2, 1), at(1, 3)], at(2, 1), at(1, 3)),
    ] {
        let mut memory = over(&[("log.100000003", log(zxids.clone()))]);
        let (path, offset, fault) = memory.fault(MEMBER);
        assert_eq!(path, "version-2/log.100000003");
        assert!(offset.is_some());
        assert!(
            matches!(fault, Fault::Order { last: l, next: n, .. } if (l, n) == (last, next)),
            "{zxids:?}: {fault:?}"
        );
    }
    let wrap = [at(1, u32::MAX), at(2, 0), at(2, 1)];
    let mut memory = Memory::default();
    memory.put("snapshot.1fffffffe", snapshot(at(1, u32::MAX - 1)));
    memory.put("log.1ffffffff", log(wrap));
    assert_eq!(found(&mut memory), (3, at(2, 1)), "a server alone counts on");
}

#[test]
fn a_snapshot_at_the_beginning_of_a_reign_is_followed_by_its_first_txn() {
    let mut memory = Memory::default();
    memory.put("snapshot.200000000", snapshot(at(2, 0)));
    memory.put("log.100000001", log([at(1, 1)]));
    memory.put("log.200000001", log([at(2, 1)]));
    assert_eq!(found(&mut memory), (1, at(2, 1)));
}

#[test]
fn the_last_log_may_be_empty_and_only_that_one() {
    for bytes in [vec![], b"ZKLG\0\0".to_vec(), unpadded(log([]))] {
        let mut memory = whole();
        memory.put("log.200000004", bytes.clone());
        assert_eq!(memory.survey(MEMBER).expect("it is whole").txns, 6);
        memory.put("log.200000001", bytes);
        memory.put("log.200000004", log([at(2, 4)]));
        assert!(memory.survey(MEMBER).is_err());
    }
}

/// Compat: `FileTxnLog.FileTxnIterator`, 3.9.5: a log that was cut goes on in the next one.
#[test]
fn a_torn_log_goes_on_in_the_next() {
    let mut first = unpadded(log([at(1, 3), at(1, 4)]));
    first.truncate(first.len() - 5);
    let mut memory =
        over(&[("log.100000003", first.clone()), ("log.100000004", log([at(1, 4), at(1, 5)]))]);
    let survey = memory.survey(ALONE).expect("it is whole");
    assert_eq!((survey.txns, survey.last, survey.torn.len()), (3, at(1, 5), 1));
    let mut memory = over(&[("log.100000003", first), ("log.100000005", log([at(1, 5)]))]);
    assert!(matches!(memory.fault(MEMBER).2, Fault::Order { .. }), "1:4 was acknowledged");
}

#[test]
fn logs_without_a_snapshot_are_the_history_only_if_somebody_says_so() {
    let mut memory = Memory::default();
    memory.put("log.1", log((1..4).map(Zxid)));
    assert!(matches!(memory.fault(ALONE).2, Fault::NoSnapshot));
    let trusting = Rules { trusts_empty: true, ..ALONE };
    let survey = memory.survey(trusting).expect("trusted");
    assert_eq!((survey.txns, survey.snapshot), (3, None));
    memory.put("log.1", log((2..4).map(Zxid)));
    assert!(matches!(memory.fault(trusting).2, Fault::Order { .. }), "the beginning is missing");
}

/// Compat: `SerializeUtils.deserializeTxn`, 3.9.5: creates of 3.3 and closeSessions of 3.5.
#[test]
fn old_records_are_read() {
    let mut v0 = create(at(1, 3));
    v0.truncate(v0.len() - 4);
    let mut close = Vec::new();
    let kind = OpCode::CloseSession;
    TxnHeader { session: SESSION, cxid: 1, zxid: at(1, 4), time: 5, kind }.encode(&mut close);
    assert_eq!(found(&mut over(&[("log.100000003", log_of(&[v0, close]))])), (2, at(1, 4)));
}

#[test]
fn what_could_not_be_applied_is_refused() {
    let mut unknown = create(at(1, 3));
    unknown[28..32].copy_from_slice(&99_i32.to_be_bytes());
    let (_, offset, fault) = over(&[("log.100000003", log_of(&[unknown]))]).fault(MEMBER);
    assert!(matches!(fault, Fault::Txn { .. }) && offset == Some(16), "{fault:?}");
    let mut large = create(at(1, 3));
    large.resize(5 << 20, 0);
    let (_, _, fault) = over(&[("log.100000003", log_of(&[large]))]).fault(MEMBER);
    assert!(matches!(fault, Fault::TooLarge { bytes: 5_242_880, .. }), "{fault:?}");
}

#[test]
fn names_and_epochs_are_written_as_java_reads_them() {
    assert_eq!(snapshot_name(at(1, 0xab)), "snapshot.1000000ab");
    assert_eq!(log_name(Zxid(0x10)), "log.10");
    assert_eq!(epoch_text(Epoch(12)), "12");
    assert!(EPOCH_FILES.iter().all(|name| name.ends_with("Epoch")));
}
