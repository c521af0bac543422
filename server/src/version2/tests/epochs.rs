//! What was promised, as the files say it.

use super::*;

/// `accepted, current, tmp` as text, against a last zxid of epoch 2.
fn read(rules: Rules, files: [Option<&str>; 3]) -> Result<(i64, i64), Fault> {
    let mut memory = whole();
    for (name, text) in ["acceptedEpoch", "currentEpoch", "currentEpoch.tmp"].iter().zip(files) {
        memory.files.remove(&(Place::Data, (*name).to_owned()));
        if let Some(text) = text {
            memory.put(name, text);
        }
    }
    let survey = memory.survey(rules).map_err(|error| error.fault)?;
    Ok((survey.epochs.accepted.0, survey.epochs.current.0))
}

/// Compat: `QuorumPeer.loadDataBase`, 3.9.5.
#[test]
fn epochs_are_read_as_a_member_of_an_ensemble_reads_them() {
    let good = [
        ([Some("3"), Some("2"), None], (3, 2)),
        ([Some(" 7\n"), Some("7"), None], (7, 7)),
        ([None, None, None], (2, 2)),
        ([Some("5"), None, None], (5, 2)),
        ([Some("2"), Some("1"), Some("2")], (2, 2)),
    ];
    for (files, expected) in good {
        assert_eq!(read(MEMBER, files).ok(), Some(expected), "{files:?}");
    }
    let bad = |files| read(MEMBER, files).expect_err("it makes no sense");
    assert!(matches!(bad([Some("2"), Some("1"), None]), Fault::EpochOld { .. }));
    assert!(matches!(bad([Some("2"), Some("0"), Some("1")]), Fault::EpochOld { .. }));
    assert!(matches!(bad([Some("2"), Some("3"), None]), Fault::EpochsCrossed { .. }));
    for text in ["", "x", "-1", "99999999999", "2 3"] {
        assert!(matches!(bad([Some(text), Some("2"), None]), Fault::EpochText(_)), "{text}");
    }
}

#[test]
fn a_server_alone_has_no_use_for_them() {
    assert_eq!(read(ALONE, [Some("0"), Some("0"), None]).ok(), Some((2, 2)));
    assert_eq!(read(ALONE, [Some("1"), Some("4"), None]).ok(), Some((4, 4)));
}

#[test]
fn a_promise_without_data_is_brought_in_too() {
    let mut memory = Memory::default();
    memory.put("acceptedEpoch", "9");
    memory.put("currentEpoch", "4");
    let survey = memory.survey(MEMBER).expect("nothing is wrong");
    assert_eq!((survey.last, survey.epochs.accepted), (Zxid::ZERO, Epoch(9)));
    assert!(Inventory::take(&mut memory).expect("in memory").has_data());
    assert!(!Inventory::take(&mut Memory::default()).expect("in memory").has_data());
}

#[test]
fn a_note_tells_what_went_on_since() {
    let standing = Standing { last: at(2, 3), accepted: Epoch(3), current: Epoch(-1) };
    assert_eq!(Standing::from_note(&standing.to_note()), Some(standing));
    assert_eq!(Standing::from_note(b"version-2 last=0x"), None);
    assert!(!standing.is_beyond(&standing));
    let later = Standing { last: at(2, 4), ..standing };
    assert!(later.is_beyond(&standing) && !standing.is_beyond(&later));
    assert!(Standing { accepted: Epoch(4), ..standing }.is_beyond(&standing), "a new promise");
    assert!(Standing { current: Epoch(0), ..standing }.is_beyond(&standing));
}
