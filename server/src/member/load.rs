//! The tree from the disk: the newest snapshot, then the log over it.
//!
//! Not here: the snapshot's format (`snapshot`), the log's (`engine::log`).

use std::fmt;

use ringkeeper_engine::jute::WireError;
use ringkeeper_engine::log::{CursorError, Disk, DiskError, FileName, Log, packets, payload};
use ringkeeper_engine::zxid::Zxid;

use super::Member;
use super::options::owner_rules;
use crate::apply::{Applied, Database};
use crate::config::{Config, TreeOptions};
use crate::snapshot::{SnapshotError, open, restore_into};
use crate::tree::{AHEAD, Stock, Tree};
use crate::txn;

/// Bytes of log read at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// Bytes of log that are touched before their turn.
///
/// Perf: where a packet begins is known once the one before it is there, so whoever only reads them
/// waits for memory once a packet (`perf/notebook.md`).
const NEAR_BYTES: usize = 32 << 10;

const CACHE_LINE: usize = 64;

/// The tree cannot be loaded: the server cannot go on.
#[derive(Debug)]
pub enum LoadError {
    Snapshot {
        zxid: Zxid,
        error: SnapshotError,
    },
    Disk(DiskError),
    Log(CursorError),
    /// A txn that was agreed on cannot be read.
    Txn {
        zxid: Zxid,
        why: WireError,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snapshot { zxid, error } => {
                write!(f, "{}: {error}", FileName::Snapshot(*zxid).path())
            }
            Self::Disk(error) => error.fmt(f),
            Self::Log(error) => error.fmt(f),
            Self::Txn { zxid, why } => write!(f, "the txn {zxid} in the log: {why}"),
        }
    }
}

impl std::error::Error for LoadError {}

/// The tree of the newest snapshot with the log over it, made while the log was opened.
pub struct EarlyTree {
    snapshot: Option<Zxid>,
    db: Database,
}

impl EarlyTree {
    /// Memory comes from `stock` first. `log` has the packets that recovery comes by, in order. Only if it ends well is the tree that
    /// of the log.
    ///
    /// `None` where something cannot be read: whoever needs it will meet the same, and say so.
    pub fn read(
        disk: &mut dyn Disk,
        snapshot: Option<Zxid>,
        config: &Config,
        stock: Option<Box<dyn Stock>>,
        log: impl Iterator<Item = impl AsRef<[u8]>>,
    ) -> Option<Self> {
        let mut db = begin(disk, snapshot, &config.tree, stock).ok()?;
        let mut applied = Applied::default();
        for packets in log {
            apply_all(&mut db, packets.as_ref(), Zxid(i64::MAX), &mut applied).ok()?;
        }
        db.tree.end_stock();
        Some(Self { snapshot, db })
    }
}

/// The tree of `snapshot` (`None`: of a server nobody has written to) with the log's txns up to
/// and with `upto` applied.
fn load(
    disk: &mut dyn Disk,
    log: &Log,
    options: &TreeOptions,
    early: Option<EarlyTree>,
    snapshot: Option<Zxid>,
    upto: Zxid,
) -> Result<Database, LoadError> {
    let is_it = |early: &EarlyTree| early.snapshot == snapshot && early.db.last_zxid() <= upto;
    let mut db = match early.filter(is_it) {
        Some(early) => early.db,
        None => begin(disk, snapshot, options, None)?,
    };
    replay(disk, log, &mut db, upto)?;
    Ok(db)
}

/// The tree before the log.
fn begin(
    disk: &mut dyn Disk,
    snapshot: Option<Zxid>,
    options: &TreeOptions,
    stock: Option<Box<dyn Stock>>,
) -> Result<Database, LoadError> {
    match snapshot {
        Some(zxid) => from_snapshot(disk, zxid, options, stock),
        None => {
            let mut db = Database::new(owner_rules(options), options.digests);
            if let Some(stock) = stock {
                db.tree.set_stock(stock);
            }
            Ok(db)
        }
    }
}

fn from_snapshot(
    disk: &mut dyn Disk,
    zxid: Zxid,
    options: &TreeOptions,
    stock: Option<Box<dyn Stock>>,
) -> Result<Database, LoadError> {
    let mut tree = Tree::bare(owner_rules(options));
    if let Some(stock) = stock {
        tree.set_stock(stock);
    }
    let restored = restore_into(tree, open(disk, zxid))
        .map_err(|error| LoadError::Snapshot { zxid, error })?;
    let digest = options.digests.then_some(restored.digest);
    let (tree, acls, sessions) = (restored.tree, restored.acls, restored.sessions);
    let mut db = Database::restored(tree, acls, sessions, zxid, digest);
    match restored.recorded {
        Some(recorded) if recorded.zxid > zxid => {
            db.suspend_digests(recorded.zxid, recorded.tree);
        }
        // Of one moment, as all that are written here.
        Some(recorded) if recorded.zxid == zxid => {}
        // One that a leader sent.
        _ => db.settle(),
    }
    Ok(db)
}

fn replay(disk: &mut dyn Disk, log: &Log, db: &mut Database, upto: Zxid) -> Result<(), LoadError> {
    let mut cursor = log.cursor(db.last_zxid());
    let mut chunk = Vec::with_capacity(CHUNK_BYTES);
    let mut applied = Applied::default();
    loop {
        chunk.clear();
        if cursor.next(disk, log, &mut chunk, CHUNK_BYTES).map_err(LoadError::Log)? == 0 {
            return Ok(());
        }
        if apply_all(db, &chunk, upto, &mut applied)? {
            return Ok(());
        }
    }
}

/// Applies those of the packets that the tree does not have yet; whether one stands above `upto`.
fn apply_all(
    db: &mut Database,
    run: &[u8],
    upto: Zxid,
    applied: &mut Applied,
) -> Result<bool, LoadError> {
    let after = db.last_zxid();
    let mut batch = Vec::with_capacity(AHEAD);
    let (mut at, mut near) = (0, 0);
    loop {
        let began = at;
        batch.clear();
        for (zxid, packet) in packets(&run[at..]).take(AHEAD) {
            at += packet.len();
            if zxid > after {
                batch.push((zxid, payload(packet)));
            }
        }
        if at == began {
            return Ok(false);
        }
        let nearer = run.len().min(at + NEAR_BYTES);
        touch(&run[near.max(at)..nearer]);
        near = nearer;
        if db.tree.looks_ahead() {
            db.tree.look_ahead(batch.iter().filter_map(|(_, payload)| txn::path_ahead(payload)));
        }
        for &(zxid, payload) in &batch {
            if zxid > upto {
                return Ok(true);
            }
            let apply = db.apply(payload, None, applied);
            apply.map_err(|why| LoadError::Txn { zxid, why })?;
        }
    }
}

/// Asks for all cache lines of `bytes` at once.
fn touch(bytes: &[u8]) {
    for line in bytes.chunks(CACHE_LINE) {
        std::hint::black_box(line[0]);
    }
}

impl Member {
    /// To be called before `start`, which then reads neither snapshot nor log again.
    pub fn has_read(&mut self, early: EarlyTree) {
        self.early = Some(early);
    }

    /// Forgets the tree and loads it from the disk.
    pub(super) fn reload(
        &mut self,
        wall_ms: i64,
        snapshot: Option<Zxid>,
        upto: Zxid,
        disk: &mut dyn Disk,
    ) -> Result<(), LoadError> {
        let (log, options) = (self.replica.log(), &self.options.config.tree);
        let loaded = load(disk, log, options, self.early.take(), snapshot, upto)?;
        let before = std::mem::replace(&mut self.db, loaded);
        self.note_reload(before);
        if let Some(quorum) = &self.options.config.quorum {
            let text = quorum.ensemble.to_text();
            self.db.set_config(text.as_bytes(), quorum.ensemble.version(), wall_ms);
        }
        self.checkpoint.reset(disk).map_err(LoadError::Disk)?;
        self.prep.clear();
        tracing::info!(
            ?snapshot, zxid = %self.db.last_zxid(), znodes = self.db.tree.count(),
            sessions = self.db.sessions().len(), "tree loaded"
        );
        self.replica.applied(self.db.last_zxid());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use ringkeeper_engine::log::write_packet;

    use super::*;
    use crate::tree::{CONFIG_PATH, OwnerRules};
    use crate::txn::{Txn, TxnHeader};
    use crate::wire::{OpCode, SessionId};

    const TXNS: i64 = 5 * AHEAD as i64 + 3;

    /// Data is set `TXNS` times, some of it larger than what is touched ahead; and where each packet
    /// ends.
    fn run() -> (Vec<u8>, Vec<usize>) {
        let (mut run, mut ends) = (Vec::new(), Vec::new());
        for zxid in 1..=TXNS {
            let kind = OpCode::SetData;
            let header =
                TxnHeader { session: SessionId(1), cxid: 0, zxid: Zxid(zxid), time: 0, kind };
            let data = vec![0; if zxid % 50 == 0 { 2 * NEAR_BYTES } else { 100 }];
            let path = Cow::Borrowed(CONFIG_PATH);
            let mut payload = Vec::new();
            header.encode(&mut payload);
            Txn::SetData { path, data: Some(&data), version: zxid as i32 }.encode(&mut payload);
            write_packet(Zxid(zxid), &payload, &mut run);
            ends.push(run.len());
        }
        (run, ends)
    }

    /// The last zxid applied, and the version it left.
    fn last(db: &Database) -> (i64, i32) {
        let id = db.tree.find(CONFIG_PATH).expect("every tree has it");
        (db.last_zxid().0, db.tree.stat(id).version)
    }

    #[test]
    fn a_replay_goes_on_where_the_tree_ends_and_ends_where_it_should() {
        let (run, _) = run();
        let (mut db, mut applied) =
            (Database::new(OwnerRules::default(), true), Applied::default());
        for upto in [1, AHEAD as i64, AHEAD as i64 + 1, 200, TXNS - 1] {
            assert!(apply_all(&mut db, &run, Zxid(upto), &mut applied).unwrap());
            assert_eq!(last(&db), (upto, upto as i32));
        }
        for _ in 0..2 {
            assert!(!apply_all(&mut db, &run, Zxid(i64::MAX), &mut applied).unwrap());
            assert_eq!(last(&db), (TXNS, TXNS as i32));
        }
    }

    #[test]
    fn what_ends_in_the_middle_of_a_packet_is_applied_up_to_there() {
        let (run, ends) = run();
        for (whole, end) in ends.iter().enumerate() {
            for cut in [end - 1, end - 30] {
                let mut db = Database::new(OwnerRules::default(), true);
                let mut applied = Applied::default();
                let all = apply_all(&mut db, &run[..cut], Zxid(i64::MAX), &mut applied);
                assert!(!all.unwrap());
                assert_eq!(db.last_zxid(), Zxid(whole as i64), "{cut}");
            }
        }
    }
}
