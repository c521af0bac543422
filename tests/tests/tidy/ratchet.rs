//! Numbers that may only fall.
//!
//! `ratchet.txt` holds one line a debt: `<kind> <where> <number>`. A measured number above its line
//! is a new debt, one below it is a debt partly paid: both fail, the second so that the line falls.
//!
//! Not here: what is measured.

use std::collections::BTreeMap;

use crate::source::Workspace;

const PATH: &str = "tests/tests/tidy/ratchet.txt";

/// One debt: its kind and place, and how large it is.
pub(crate) type Debts = BTreeMap<(String, String), usize>;

/// What differs between the debts measured and those written down, of these kinds.
pub(crate) fn held(workspace: &Workspace, kinds: &[&str], measured: Debts) -> Vec<String> {
    let text = workspace.file(PATH).map_or("", |f| f.text.as_str());
    let listed = parse(text).into_iter().filter(|((k, _), _)| kinds.contains(&k.as_str()));
    compare(&listed.collect(), &measured)
}

fn parse(text: &str) -> Debts {
    let lines = text.lines().filter(|l| !l.starts_with('#') && !l.trim().is_empty());
    lines.map(debt).collect()
}

fn debt(line: &str) -> ((String, String), usize) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [kind, place, number] = words[..] else { panic!("{PATH}: `{line}` is not three words") };
    let number = number.parse().unwrap_or_else(|_| panic!("{PATH}: `{line}` ends in no number"));
    ((kind.into(), place.into()), number)
}

fn compare(listed: &Debts, measured: &Debts) -> Vec<String> {
    let mut findings = Vec::new();
    for (debt @ (kind, place), &now) in measured {
        let before = listed.get(debt).copied().unwrap_or(0);
        if now > before {
            findings.push(format!("{kind} {place} {now}    (too much; allowed: {before})"));
        } else if now < before {
            findings.push(format!("{kind} {place} {now}    (fell from {before}: write it down)"));
        }
    }
    let paid = listed.keys().filter(|debt| !measured.contains_key(*debt));
    findings.extend(paid.map(|(kind, place)| format!("{kind} {place}    (paid: remove the line)")));
    findings
}

#[test]
fn a_debt_may_neither_grow_nor_fall_unnoticed() {
    let listed = parse("# a remark\nfile a.rs 700\nfn b.rs::f 80\n");
    assert!(compare(&listed, &listed).is_empty());
    let grown = parse("file a.rs 701\nfn b.rs::f 79\n");
    assert_eq!(compare(&listed, &grown).len(), 2);
    assert_eq!(compare(&listed, &Debts::new()).len(), 2);
}
