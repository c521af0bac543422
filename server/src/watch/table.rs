//! Registration, firing, removal.

use std::num::NonZeroU8;

use hashbrown::HashTable;

use super::slots::{By, List, Record, Slots, after};
use super::{ConnId, Mode, Table, WatcherType};
use crate::session::IdMap;

/// Watches of one connection at most. Beyond it a registration is refused.
pub const WATCHES_PER_CONNECTION_MAX: u32 = 1_000_000;

/// A path that somebody watches.
#[derive(Debug)]
struct Watched {
    path: Box<str>,
    hash: u64,
    records: List,
}

/// A connection that watches something.
#[derive(Debug)]
struct Watching {
    conn: ConnId,
    records: List,
    /// The last trigger it heard of (H2).
    heard: u64,
}

/// What `mntr` and `wchs` show.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WatchCounts {
    pub connections: usize,
    pub paths: usize,
    /// One a connection, path and table.
    pub watches: usize,
}

/// All watches of a server's connections.
#[derive(Debug)]
pub struct Watches {
    seed: u64,
    per_connection_max: u32,
    records: Slots<Record>,
    by_pair: HashTable<u32>,
    paths: Slots<Watched>,
    by_path: HashTable<u32>,
    conns: Slots<Watching>,
    by_conn: IdMap<ConnId, u32>,
    /// Records with the recursive mode: ancestors are looked at only while there are any.
    recursive: usize,
    /// Records with any mode in the data table, and in the child table.
    in_tables: [usize; 2],
    triggers: u64,
}

impl Watches {
    /// `seed` keeps those who choose paths from choosing where they fall in the table.
    pub fn new(seed: u64) -> Self {
        Self::with_limit(seed, WATCHES_PER_CONNECTION_MAX)
    }

    /// With another bound on what one connection may have.
    pub fn with_limit(seed: u64, per_connection_max: u32) -> Self {
        Self {
            seed,
            per_connection_max,
            records: Slots::default(),
            by_pair: HashTable::new(),
            paths: Slots::default(),
            by_path: HashTable::new(),
            conns: Slots::default(),
            by_conn: IdMap::default(),
            recursive: 0,
            in_tables: [0; 2],
            triggers: 0,
        }
    }

    /// Registers. False where the connection has all it may have.
    pub fn add(&mut self, conn: ConnId, path: &str, table: Table, mode: Mode) -> bool {
        let conn = self.conn_slot(conn);
        let path = self.path_slot(path);
        if let Some(record) = self.pair(conn, path) {
            let old = self.records.get(record).modes;
            self.set_or_drop(record, (old | bit(table, mode)).get());
            return true;
        }
        if self.conns.get(conn).records.count >= self.per_connection_max {
            self.forget_if_unused(conn, path);
            return false;
        }
        let modes = bit(table, mode);
        let record = self.records.insert(Record::new(conn, path, modes));
        self.count_modes(0, modes.get());
        self.paths.get_mut(path).records.push(&mut self.records, By::Path, record);
        self.conns.get_mut(conn).records.push(&mut self.records, By::Conn, record);
        let records = &self.records;
        self.by_pair.insert_unique(pair_hash(conn, path), record, |&other| {
            let other = records.get(other);
            pair_hash(other.conn, other.path)
        });
        true
    }

    /// What `addWatch` registers for a mode: persistent in both tables, recursive in the data
    /// table.
    pub fn add_mode(&mut self, conn: ConnId, path: &str, mode: Mode) -> bool {
        self.add(conn, path, Table::Data, mode)
            && (mode == Mode::Recursive || self.add(conn, path, Table::Child, mode))
    }

    /// Whether the connection holds a watch of this type on the path.
    pub fn has(&self, conn: ConnId, path: &str, kind: WatcherType) -> bool {
        let Some(record) = self.find(conn, path) else { return false };
        // Compat: a persistent watch is looked for in the data table only
        // (`DataTree.containsWatcher`, 3.9.5); `addWatch` puts it into both.
        let mask = match kind {
            WatcherType::Persistent => bit(Table::Data, Mode::Persistent).get(),
            _ => mask_of(kind),
        };
        self.records.get(record).modes.get() & mask != 0
    }

    /// Takes the watches of this type away. False where there were none.
    pub fn remove(&mut self, conn: ConnId, path: &str, kind: WatcherType) -> bool {
        let Some(record) = self.find(conn, path) else { return false };
        let old = self.records.get(record).modes.get();
        let new = old & !mask_of(kind);
        self.set_or_drop(record, new);
        new != old
    }

    /// The connection is gone.
    pub fn remove_connection(&mut self, conn: ConnId) {
        let Some(&slot) = self.by_conn.get(&conn) else { return };
        // The last removal takes the connection's entry with it.
        let mut next = self.conns.get(slot).records.first();
        while let Some(record) = next {
            next = after(&self.records, By::Conn, record);
            self.set_or_drop(record, 0);
        }
    }

    /// Something happened to the znode itself: it was created, or its data changed.
    pub fn fire_data(&mut self, path: &str, fire: &mut dyn FnMut(ConnId)) {
        self.triggers += 1;
        self.fire_data_table(path, fire);
    }

    /// The znode is gone: the data table hears, then those of the child table who have not.
    pub fn fire_deleted(&mut self, path: &str, fire: &mut dyn FnMut(ConnId)) {
        self.triggers += 1;
        self.fire_data_table(path, fire);
        self.fire_child_table(path, fire);
    }

    /// The children of `parent` changed ("/" for the root).
    pub fn fire_children(&mut self, parent: &str, fire: &mut dyn FnMut(ConnId)) {
        self.triggers += 1;
        self.fire_child_table(parent, fire);
    }

    pub fn counts(&self) -> WatchCounts {
        WatchCounts {
            connections: self.conns.len(),
            paths: self.paths.len(),
            watches: self.in_tables.iter().sum(),
        }
    }

    /// Every watched path with its connections, over both tables.
    pub fn by_path(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = ConnId>)> {
        self.paths.iter().map(|watched| {
            let records = self.walk(watched.records, By::Path);
            (&*watched.path, records.map(|record| self.conns.get(record.conn).conn))
        })
    }

    /// Every connection with the paths it watches in the data table, for `wchc` and its like.
    ///
    /// Compat: the child table is not reported (`DataTree.dumpWatches`, 3.9.5).
    pub fn data_by_connection(&self) -> impl Iterator<Item = (ConnId, impl Iterator<Item = &str>)> {
        self.conns.iter().map(|watching| {
            let records = self.walk(watching.records, By::Conn);
            let data = records.filter(|record| record.modes.get() & in_table(Table::Data) != 0);
            (watching.conn, data.map(|record| &*self.paths.get(record.path).path))
        })
    }

    fn walk(&self, list: List, by: By) -> impl Iterator<Item = &Record> {
        std::iter::successors(list.first(), move |&record| after(&self.records, by, record))
            .map(|record| self.records.get(record))
    }

    fn fire_data_table(&mut self, path: &str, fire: &mut dyn FnMut(ConnId)) {
        if self.in_tables[Table::Data as usize] == 0 {
            return;
        }
        let hash = if self.recursive == 0 {
            hash_of(self.seed, path)
        } else {
            self.fire_ancestors(path, fire)
        };
        self.fire_exact(path, hash, Table::Data, fire);
    }

    fn fire_child_table(&mut self, path: &str, fire: &mut dyn FnMut(ConnId)) {
        if self.in_tables[Table::Child as usize] > 0 {
            self.fire_exact(path, hash_of(self.seed, path), Table::Child, fire);
        }
    }

    /// Fires the recursive watches above `path`, in one pass over it; its hash.
    fn fire_ancestors(&mut self, path: &str, fire: &mut dyn FnMut(ConnId)) -> u64 {
        let mut state = self.seed;
        for (at, byte) in path.bytes().enumerate() {
            if byte == b'/' && path.len() > 1 {
                // The root's own path is its slash; every other prefix stops before it.
                if at == 0 {
                    self.fire_recursive("/", finish(step(state, b'/')), fire);
                } else {
                    self.fire_recursive(&path[..at], finish(state), fire);
                }
            }
            state = step(state, byte);
        }
        finish(state)
    }

    fn fire_recursive(&mut self, ancestor: &str, hash: u64, fire: &mut dyn FnMut(ConnId)) {
        let Some(path) = self.find_path(ancestor, hash) else { return };
        let mut next = self.paths.get(path).records.first();
        while let Some(slot) = next {
            next = after(&self.records, By::Path, slot);
            let record = self.records.get(slot);
            if record.modes.get() & RECURSIVE != 0 {
                self.tell(record.conn, fire);
            }
        }
    }

    /// Fires every watch of the table at exactly `path`; the standard ones are used up.
    fn fire_exact(&mut self, path: &str, hash: u64, table: Table, fire: &mut dyn FnMut(ConnId)) {
        let Some(path) = self.find_path(path, hash) else { return };
        let mut next = self.paths.get(path).records.first();
        while let Some(slot) = next {
            next = after(&self.records, By::Path, slot);
            let record = self.records.get(slot);
            let modes = record.modes.get();
            if modes & in_table(table) != 0 {
                self.tell(record.conn, fire);
                self.set_or_drop(slot, modes & !bit(table, Mode::Standard).get());
            }
        }
    }

    /// H2: unless the connection has heard of this trigger.
    fn tell(&mut self, conn: u32, fire: &mut dyn FnMut(ConnId)) {
        let triggers = self.triggers;
        let watching = self.conns.get_mut(conn);
        if watching.heard != triggers {
            watching.heard = triggers;
            fire(watching.conn);
        }
    }

    fn find(&self, conn: ConnId, path: &str) -> Option<u32> {
        let conn = *self.by_conn.get(&conn)?;
        let path = self.find_path(path, hash_of(self.seed, path))?;
        self.pair(conn, path)
    }

    fn pair(&self, conn: u32, path: u32) -> Option<u32> {
        let is_it = |&slot: &u32| {
            let record = self.records.get(slot);
            (record.conn, record.path) == (conn, path)
        };
        self.by_pair.find(pair_hash(conn, path), is_it).copied()
    }

    fn find_path(&self, path: &str, hash: u64) -> Option<u32> {
        self.by_path.find(hash, |&slot| *self.paths.get(slot).path == *path).copied()
    }

    fn path_slot(&mut self, path: &str) -> u32 {
        let hash = hash_of(self.seed, path);
        if let Some(slot) = self.find_path(path, hash) {
            return slot;
        }
        let watched = Watched { path: path.into(), hash, records: List::default() };
        let slot = self.paths.insert(watched);
        let paths = &self.paths;
        self.by_path.insert_unique(hash, slot, |&other| paths.get(other).hash);
        slot
    }

    fn conn_slot(&mut self, conn: ConnId) -> u32 {
        let conns = &mut self.conns;
        *self
            .by_conn
            .entry(conn)
            .or_insert_with(|| conns.insert(Watching { conn, records: List::default(), heard: 0 }))
    }

    fn set_or_drop(&mut self, slot: u32, modes: u8) {
        let record = self.records.get_mut(slot);
        let old = record.modes.get();
        if let Some(modes) = NonZeroU8::new(modes) {
            record.modes = modes;
            self.count_modes(old, modes.get());
            return;
        }
        let (conn, path) = (record.conn, record.path);
        self.count_modes(old, 0);
        let same = |&other: &u32| other == slot;
        if let Ok(entry) = self.by_pair.find_entry(pair_hash(conn, path), same) {
            entry.remove();
        }
        self.paths.get_mut(path).records.unlink(&mut self.records, By::Path, slot);
        self.conns.get_mut(conn).records.unlink(&mut self.records, By::Conn, slot);
        self.records.remove(slot);
        self.forget_if_unused(conn, path);
    }

    /// H1: neither outlives its last record.
    fn forget_if_unused(&mut self, conn: u32, path: u32) {
        if self.conns.get(conn).records.count == 0 {
            let watching = self.conns.remove(conn);
            self.by_conn.remove(&watching.conn);
        }
        if self.paths.get(path).records.count == 0 {
            let watched = self.paths.remove(path);
            if let Ok(entry) = self.by_path.find_entry(watched.hash, |&other| other == path) {
                entry.remove();
            }
        }
    }

    fn count_modes(&mut self, old: u8, new: u8) {
        let change = |count: &mut usize, mask: u8| {
            *count += usize::from(new & mask != 0);
            *count -= usize::from(old & mask != 0);
        };
        change(&mut self.recursive, RECURSIVE);
        change(&mut self.in_tables[Table::Data as usize], in_table(Table::Data));
        change(&mut self.in_tables[Table::Child as usize], in_table(Table::Child));
    }
}

const RECURSIVE: u8 = bit(Table::Data, Mode::Recursive).get();

/// The bit of one mode in one table.
const fn bit(table: Table, mode: Mode) -> NonZeroU8 {
    // Six bits: none is shifted out, so none is zero.
    match NonZeroU8::new(1 << (mode as u8 + 3 * table as u8)) {
        Some(bit) => bit,
        None => NonZeroU8::MIN,
    }
}

const fn in_table(table: Table) -> u8 {
    0b111 << (3 * table as u8)
}

/// The bits a type of `removeWatches` speaks of.
fn mask_of(kind: WatcherType) -> u8 {
    match kind {
        WatcherType::Children => bit(Table::Child, Mode::Standard).get(),
        WatcherType::Data => bit(Table::Data, Mode::Standard).get(),
        WatcherType::Any => u8::MAX,
        WatcherType::Persistent => {
            bit(Table::Data, Mode::Persistent).get() | bit(Table::Child, Mode::Persistent).get()
        }
        WatcherType::PersistentRecursive => RECURSIVE,
    }
}

fn pair_hash(conn: u32, path: u32) -> u64 {
    finish(u64::from(conn) << 32 | u64::from(path))
}

fn hash_of(seed: u64, path: &str) -> u64 {
    finish(path.bytes().fold(seed, step))
}

/// One byte more; the state after a prefix is the prefix's own, so ancestors cost nothing extra.
fn step(state: u64, byte: u8) -> u64 {
    (state.rotate_left(5) ^ u64::from(byte)).wrapping_mul(0x517c_c1b7_2722_0a95)
}

fn finish(state: u64) -> u64 {
    let product = u128::from(state ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
    product as u64 ^ (product >> 64) as u64
}
