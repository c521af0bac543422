//! `dump`, `wchs`, `wchc`, `wchp`: sessions, ephemerals and watches, by name.
//!
//! Not here: who keeps them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Display, Write as _};

use super::form::{JavaAddress, JavaDate};
use super::status::{SessionDump, SessionList, Status, WatchesOf};

/// `dump`.
pub(super) fn sessions(out: &mut String, dump: &SessionDump) {
    out.push_str("SessionTracker dump:\n");
    match &dump.sessions {
        SessionList::Tracked(moments) => {
            let count: usize = moments.iter().map(|moment| moment.sessions.len()).sum();
            let _ = writeln!(out, "Session Sets ({})/({count}):", moments.len());
            for moment in moments {
                let date = JavaDate(moment.at_ms);
                let _ = writeln!(out, "{} expire at {date}:", moment.sessions.len());
                for session in &moment.sessions {
                    let _ = writeln!(out, "\t{session:#x}");
                }
            }
        }
        SessionList::Known(sessions) => {
            let _ = writeln!(out, "Global Sessions({}):", sessions.len());
            for (session, timeout_ms) in sessions {
                let _ = writeln!(out, "{session:#x}\t{timeout_ms}ms");
            }
        }
    }
    out.push_str("ephemeral nodes dump:\n");
    let _ = writeln!(out, "Sessions with Ephemerals ({}):", dump.ephemerals.len());
    for of_session in &dump.ephemerals {
        let _ = writeln!(out, "{:#x}:", of_session.session);
        of_session.paths.iter().for_each(|path| indented(out, path));
    }
    connections(out, dump);
}

fn connections(out: &mut String, dump: &SessionDump) {
    let count = dump.connections.len();
    out.push_str("Connections dump:\n");
    let _ = writeln!(out, "Connections Sets ({})/({count}):", usize::from(count > 0));
    if count > 0 {
        let _ = writeln!(out, "{count} expire at {}:", JavaDate(dump.connections_expire_ms));
    }
    for &(remote, session) in &dump.connections {
        let _ = writeln!(out, "\tip: {} sessionId: {session:#x}", JavaAddress(remote));
    }
}

fn indented(out: &mut String, what: impl Display) {
    let _ = writeln!(out, "\t{what}");
}

/// `wchs`.
pub(super) fn watch_summary(out: &mut String, status: &dyn Status) {
    let watches = status.watches();
    let paths: BTreeSet<&str> = all_paths(&watches).collect();
    let total = all_paths(&watches).count();
    let _ = writeln!(out, "{} connections watching {} paths", watches.len(), paths.len());
    let _ = writeln!(out, "Total watches:{total}");
}

fn all_paths(watches: &[WatchesOf]) -> impl Iterator<Item = &str> {
    watches.iter().flat_map(|of_session| of_session.paths.iter().map(String::as_str))
}

/// `wchc`.
pub(super) fn watches_by_session(out: &mut String, status: &dyn Status) {
    for of_session in status.watches() {
        let _ = writeln!(out, "{:#x}", of_session.session);
        of_session.paths.iter().for_each(|path| indented(out, path));
    }
    out.push('\n');
}

/// `wchp`.
pub(super) fn watches_by_path(out: &mut String, status: &dyn Status) {
    let watches = status.watches();
    let mut by_path: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for of_session in &watches {
        for path in &of_session.paths {
            by_path.entry(path).or_default().push(of_session.session);
        }
    }
    for (path, sessions) in by_path {
        let _ = writeln!(out, "{path}");
        sessions.iter().for_each(|session| indented(out, format_args!("{session:#x}")));
    }
    out.push('\n');
}
