//! What must hold at rest, when everything has healed and is quiet.
//!
//! Not here: what must hold after every step (`witness`), what a client can see (`client`).

use std::collections::BTreeSet;
use std::io::ErrorKind;

use ringkeeper::apply::Database;
use ringkeeper::snapshot::{self, SnapshotError};
use ringkeeper::wire::SessionId;
use ringkeeper_engine::log::Disk;
use ringkeeper_engine::zxid::Zxid;

use super::model::Model;
use super::server::Server;

/// The trees are one, and they are what was decided: no more, no less.
pub(super) fn check_at_rest(
    servers: &[Server],
    model: &Model,
    alive: &BTreeSet<SessionId>,
) -> Result<(), String> {
    for (number, server) in servers.iter().enumerate() {
        let Some(member) = &server.member else { return Err("a server is down at rest".into()) };
        check_tree(member.database(), model, alive)
            .map_err(|why| format!("at rest, server {}: {why}", number + 1))?;
    }
    Ok(())
}

fn check_tree(db: &Database, model: &Model, alive: &BTreeSet<SessionId>) -> Result<(), String> {
    let last: Zxid = model.last();
    if db.last_zxid() != last {
        return Err(format!("is at {:?}, decided is {last:?}", db.last_zxid()));
    }
    let mut count = 0;
    for (path, znode) in model.living() {
        let found = db.tree.find(path).ok_or_else(|| format!("{path} is not there (P2)"))?;
        if db.tree.data(found).unwrap_or_default() != znode.data {
            return Err(format!("{path} has not the data that was decided (P2)"));
        }
        let owner = SessionId(db.tree.stat(found).ephemeral_owner);
        if owner != znode.owner.unwrap_or_default() {
            return Err(format!("{path} is owned by {owner:?}, not {:?} (P8)", znode.owner));
        }
        count += 1;
    }
    // The root, as itself and as the empty path; /zookeeper, its config and its quota.
    let born = 5;
    if db.tree.count() != count + born {
        return Err(format!("{} znodes, {} were decided", db.tree.count(), count + born));
    }
    let sessions: BTreeSet<SessionId> = db.sessions().keys().copied().collect();
    if sessions != *alive || sessions != *model.sessions() {
        return Err(format!("sessions {sessions:?}, alive are {alive:?} (P9)"));
    }
    Ok(())
}

/// What a server compares by checksum alone is parsed in full: our encoder is right.
pub(super) fn check_snapshot(disk: &mut dyn Disk, zxid: Zxid) -> Result<(), String> {
    let summary = match snapshot::verify(snapshot::open(disk, zxid)) {
        Ok(summary) => summary,
        // The power has just gone.
        Err(SnapshotError::Read(error)) if error.kind() != ErrorKind::UnexpectedEof => {
            return Ok(());
        }
        Err(error) => return Err(format!("the snapshot {zxid} does not parse: {error}")),
    };
    let recorded = summary.sections.digest.filter(|recorded| recorded.zxid == zxid);
    if recorded.is_some_and(|recorded| recorded.tree != summary.digest) {
        return Err(format!("the snapshot {zxid} is not of the digest it records"));
    }
    Ok(())
}
