//! What must hold: after every step, and at rest.
//!
//! The zxid is the witness: a tree's digest at a zxid is the same on every server, in every life,
//! or two histories have been agreed on.
//!
//! Not here: what a single client can see for itself (`client`).

use std::collections::BTreeMap;

use ringkeeper::apply::Database;
use ringkeeper_engine::zxid::Zxid;

use super::client::Client;
use super::server::Server;

/// What has been seen of the order so far.
#[derive(Default)]
pub(super) struct Seen {
    /// The digest every tree has at a zxid.
    digests: BTreeMap<Zxid, i64>,
}

impl Seen {
    /// Agreement: this server's tree is the one every other has, or had, at this zxid.
    pub(super) fn check_agreement(&mut self, number: usize, db: &Database) -> Result<(), String> {
        let (zxid, digest) = (db.last_zxid(), db.digest().0);
        let known = *self.digests.entry(zxid).or_insert(digest);
        if known != digest {
            return Err(format!(
                "server {}: digest {digest} at {zxid:?}, where another had {known} (P1, P14)",
                number + 1
            ));
        }
        if db.digest_mismatches() > 0 {
            return Err(format!("server {}: a txn's digest did not match", number + 1));
        }
        Ok(())
    }
}

/// Everything healed and quiet: the trees are one, and hold what was promised.
pub(super) fn check_at_rest(servers: &[Server], clients: &[Client]) -> Result<(), String> {
    let trees: Vec<&Database> =
        servers.iter().filter_map(|server| server.member.as_ref()).map(|m| m.database()).collect();
    if trees.len() != servers.len() {
        return Err("a server is down at rest".into());
    }
    for (number, db) in trees.iter().enumerate() {
        if db.last_zxid() != trees[0].last_zxid() || db.digest() != trees[0].digest() {
            return Err(format!(
                "at rest server {} is at {:?}, server 1 at {:?}, digests {} and {}",
                number + 1,
                db.last_zxid(),
                trees[0].last_zxid(),
                db.digest().0,
                trees[0].digest().0
            ));
        }
        for client in clients {
            check_ledger(db, client).map_err(|why| format!("server {}: {why}", number + 1))?;
        }
    }
    Ok(())
}

/// Durability of every acknowledged write of one client.
fn check_ledger(db: &Database, client: &Client) -> Result<(), String> {
    let ledger = &client.ledger;
    for (path, value) in &ledger.present {
        let found = db.tree.find(path).and_then(|id| db.tree.data(id));
        if found != Some(&value.to_be_bytes()[..]) {
            return Err(format!("{path} was acknowledged with {value}, found {found:?} (P2)"));
        }
    }
    for path in &ledger.deleted {
        if db.tree.find(path).is_some() {
            return Err(format!("{path} was deleted and is there (P2)"));
        }
    }
    if let Some(acked) = ledger.counter_acked {
        let data = db.tree.find(&client.home()).and_then(|id| db.tree.data(id));
        let found = data.and_then(|data| data.first_chunk()).map(|b| u32::from_be_bytes(*b));
        let is_known = found == Some(acked)
            || found.is_some_and(|found| ledger.counter_unknown.contains_key(&found));
        if !is_known {
            let home = client.home();
            return Err(format!("{home} was acknowledged with {acked}, found {found:?} (P2)"));
        }
    }
    for (path, session) in &ledger.ephemerals {
        let is_there = db.tree.find(path).is_some();
        let has_session = db.sessions().contains_key(session);
        if is_there && !has_session {
            return Err(format!("{path} outlived {session:?} (P8)"));
        }
        if !is_there && has_session {
            return Err(format!("{path} is gone, {session:?} lives (P8)"));
        }
    }
    Ok(())
}
