//! Outstanding changes: what has been prepared and not yet applied.
//!
//! Records stand in the order of their zxids and go in that order. An index leads from a path to
//! its newest record; a record remembers which one it hid, for the case that its multi fails.
//!
//! Invariants:
//! - O1. The index holds, for each path with a record, the newest.
//! - O2. Records leave in the order they came, or, of a request that failed, in reverse.
//!
//! Not here: what the records mean (`prep`).

use std::collections::VecDeque;

use hashbrown::HashTable;
use ringkeeper_engine::zxid::Zxid;

use super::Seen;
use crate::acl::AclTable;
use crate::session::IdMap;
use crate::tree::{AclId, Owner, OwnerRules, StatPersisted, content_hash};
use crate::wire::{Acls, SessionId};

/// Path buffers kept for the next records: as many as are outstanding under a deep load.
const SPARE_PATHS: usize = 16 << 10;

/// Where a znode's access list is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ListRef {
    /// In the tree's table. It stays there, because the znode has it until a newer record says
    /// otherwise.
    Stored(AclId),
    /// In the overlay's own table.
    New(AclId),
}

/// A znode as a change will leave it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) stat: StatPersisted,
    pub(super) child_count: u32,
    pub(super) data_length: usize,
    /// `None`: the znode is gone.
    pub(super) list: Option<ListRef>,
    pub(super) digest: u32,
}

impl Record {
    /// The znode as it was, to be changed.
    pub(super) fn after(seen: &Seen) -> Self {
        Self {
            stat: seen.stat,
            child_count: seen.child_count,
            data_length: seen.data_length,
            list: Some(seen.list),
            ..Self::gone()
        }
    }

    pub(super) fn made(stat: StatPersisted, list: ListRef) -> Self {
        Self { stat, list: Some(list), ..Self::gone() }
    }

    pub(super) fn gone() -> Self {
        Self {
            stat: StatPersisted::default(),
            child_count: 0,
            data_length: 0,
            list: None,
            digest: 0,
        }
    }

    pub(super) fn is_alive(&self) -> bool {
        self.list.is_some()
    }

    pub(super) fn seen(&self) -> Option<Seen> {
        Some(Seen {
            stat: self.stat,
            child_count: self.child_count,
            data_length: self.data_length,
            list: self.list?,
            digest: self.digest,
        })
    }
}

/// A record with its place.
#[derive(Debug)]
struct Outstanding {
    zxid: Zxid,
    path: String,
    hash: u64,
    /// The number of the record this one hid.
    hidden: Option<u64>,
    /// Whose ephemeral it is.
    session: Option<SessionId>,
    record: Record,
}

/// All of them.
#[derive(Default)]
pub(super) struct Overlay {
    records: VecDeque<Outstanding>,
    /// The number of the oldest record; they are numbered one after another.
    first: u64,
    index: HashTable<u64>,
    /// The numbers of records of living ephemerals, by session, oldest first.
    ephemerals: IdMap<SessionId, VecDeque<u64>>,
    lists: Lists,
    spare: Vec<String>,
}

/// Access lists that the tree may not know yet.
struct Lists {
    table: AclTable,
    /// The last one made is kept although no record uses it: the next create is likely to have
    /// the same.
    held: Option<AclId>,
}

impl Default for Lists {
    fn default() -> Self {
        Self { table: AclTable::bare(), held: None }
    }
}

/// How far the overlay had come.
#[derive(Clone, Copy)]
pub(super) struct Mark(usize);

impl Overlay {
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn lists(&self) -> &AclTable {
        &self.lists.table
    }

    /// The newest record of a path.
    pub(super) fn find(&self, path: &str) -> Option<&Record> {
        if self.records.is_empty() {
            return None;
        }
        let path = one_name(path);
        let is_it = |&number: &u64| self.at(number).path == path;
        let number = *self.index.find(content_hash(path.as_bytes()), is_it)?;
        Some(&self.at(number).record)
    }

    /// The list with its id. It stays at least until the next one.
    pub(super) fn intern(&mut self, acls: &Acls<'_>) -> ListRef {
        let id = self.lists.table.intern(acls);
        if let Some(old) = self.lists.held.replace(id) {
            self.lists.table.release(old);
        }
        ListRef::New(id)
    }

    /// Adds a change.
    pub(super) fn push(&mut self, path: &str, zxid: Zxid, rules: OwnerRules, record: Record) {
        let path = one_name(path);
        let hash = content_hash(path.as_bytes());
        let number = self.first + self.records.len() as u64;
        if let Some(ListRef::New(id)) = record.list {
            self.lists.table.keep(id);
        }
        let session = match rules.classify(record.stat.owner) {
            Owner::Ephemeral(session) if record.is_alive() => Some(SessionId(session)),
            _ => None,
        };
        if let Some(session) = session {
            self.ephemerals.entry(session).or_default().push_back(number);
        }
        let (records, first) = (&self.records, self.first);
        let at = |number: u64| &records[(number - first) as usize];
        let hidden = match self.index.find_mut(hash, |&other| at(other).path == path) {
            Some(newest) => Some(std::mem::replace(newest, number)),
            None => {
                self.index.insert_unique(hash, number, |&other| at(other).hash);
                None
            }
        };
        let mut own = self.spare.pop().unwrap_or_default();
        own.push_str(path);
        let outstanding = Outstanding { zxid, path: own, hash, hidden, session, record };
        self.records.push_back(outstanding);
    }

    pub(super) fn retire(&mut self, zxid: Zxid) {
        while self.records.front().is_some_and(|oldest| oldest.zxid <= zxid) {
            let Some(oldest) = self.records.pop_front() else { return };
            let number = self.first;
            self.first += 1;
            if let Ok(entry) = self.index.find_entry(oldest.hash, |&newest| newest == number) {
                entry.remove();
            }
            if let Some(session) = oldest.session
                && let Some(numbers) = self.ephemerals.get_mut(&session)
            {
                numbers.pop_front();
                if numbers.is_empty() {
                    self.ephemerals.remove(&session);
                }
            }
            self.dispose(oldest);
        }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark(self.records.len())
    }

    /// Takes back everything since `mark` (O2).
    pub(super) fn roll_back(&mut self, mark: Mark) {
        while self.records.len() > mark.0 {
            let Some(newest) = self.records.pop_back() else { return };
            let number = self.first + self.records.len() as u64;
            let entry = self.index.find_entry(newest.hash, |&other| other == number);
            let entry = entry.expect("O1: nothing newer is left, so this is its path's newest");
            match newest.hidden {
                Some(hidden) if hidden >= self.first => *entry.into_mut() = hidden,
                // What it hid has been applied meanwhile: the tree shows it.
                Some(_) | None => drop(entry.remove()),
            }
            if let Some(session) = newest.session
                && let Some(numbers) = self.ephemerals.get_mut(&session)
            {
                numbers.pop_back();
                if numbers.is_empty() {
                    self.ephemerals.remove(&session);
                }
            }
            self.dispose(newest);
        }
    }

    pub(super) fn clear(&mut self) {
        self.roll_back(Mark(0));
    }

    /// The paths that will be a session's ephemerals and are not in the tree yet, oldest first.
    /// Those of which the tree has an older form are among them.
    pub(super) fn ephemerals(&self, session: SessionId) -> impl Iterator<Item = &str> {
        let numbers = self.ephemerals.get(&session).into_iter().flatten();
        numbers.filter_map(|&number| {
            let outstanding = self.at(number);
            let newest = self.index.find(outstanding.hash, |&newest| newest == number);
            newest.map(|_| outstanding.path.as_str())
        })
    }

    fn at(&self, number: u64) -> &Outstanding {
        &self.records[(number - self.first) as usize]
    }

    fn dispose(&mut self, outstanding: Outstanding) {
        if let Some(ListRef::New(id)) = outstanding.record.list {
            self.lists.table.release(id);
        }
        let mut path = outstanding.path;
        if self.spare.len() < SPARE_PATHS && path.capacity() <= 4096 {
            path.clear();
            self.spare.push(path);
        }
    }
}

/// The root is "" and "/"; here it is "".
fn one_name(path: &str) -> &str {
    if path == "/" { "" } else { path }
}

#[cfg(test)]
mod tests {
    use ringkeeper_engine::jute::Reader;

    use super::*;
    use crate::wire::Acl;

    fn version(overlay: &Overlay, path: &str) -> Option<i32> {
        overlay.find(path).filter(|record| record.is_alive()).map(|record| record.stat.version)
    }

    fn push(overlay: &mut Overlay, path: &str, zxid: i64, version: i32, owner: i64) {
        let stat = StatPersisted { version, owner, ..StatPersisted::default() };
        let record = Record::made(stat, ListRef::Stored(AclId::OPEN));
        overlay.push(path, Zxid(zxid), OwnerRules::default(), record);
    }

    #[test]
    fn the_newest_record_is_found_and_what_it_hid_comes_back() {
        let mut overlay = Overlay::default();
        push(&mut overlay, "/a", 1, 1, 0);
        push(&mut overlay, "/", 2, 7, 0);
        let mark = overlay.mark();
        push(&mut overlay, "/a", 3, 2, 0);
        push(&mut overlay, "/b", 3, 1, 5);
        overlay.push("/a", Zxid(3), OwnerRules::default(), Record::gone());
        assert_eq!(version(&overlay, "/a"), None, "O1: gone");
        assert_eq!(version(&overlay, ""), Some(7), "the root has one name here");
        assert_eq!(overlay.ephemerals(SessionId(5)).count(), 1);
        overlay.roll_back(mark);
        assert_eq!(version(&overlay, "/a"), Some(1), "O2");
        assert_eq!(version(&overlay, "/b"), None, "O2");
        assert_eq!(overlay.ephemerals(SessionId(5)).count(), 0);
        overlay.retire(Zxid(1));
        assert!(overlay.find("/a").is_none());
        overlay.retire(Zxid(9));
        assert!(overlay.is_empty() && overlay.index.is_empty());
    }

    #[test]
    fn what_was_applied_meanwhile_does_not_come_back() {
        let mut overlay = Overlay::default();
        push(&mut overlay, "/a", 1, 1, 0);
        push(&mut overlay, "/a", 2, 2, 0);
        overlay.retire(Zxid(1));
        overlay.clear();
        assert!(overlay.find("/a").is_none(), "O2");
        assert!(overlay.index.is_empty(), "O1: the index holds living records only");
        push(&mut overlay, "/a", 3, 3, 0);
        assert_eq!(version(&overlay, "/a"), Some(3));
    }

    #[test]
    fn lists_go_with_their_last_record() {
        let mut overlay = Overlay::default();
        for perms in 1..=3 {
            let mut encoded = Vec::new();
            Acl::encode_list(&[Acl::new(perms, "world", "anyone")], &mut encoded);
            let acls = Acls::decode(&mut Reader::new(&encoded)).unwrap();
            let list = overlay.intern(&acls);
            let record = Record::made(StatPersisted::default(), list);
            overlay.push("/a", Zxid(perms.into()), OwnerRules::default(), record);
        }
        assert_eq!(overlay.lists().len(), 3);
        overlay.retire(Zxid(2));
        assert_eq!(overlay.lists().len(), 1);
        overlay.clear();
        assert_eq!(overlay.lists().len(), 1, "the last is held for the next create");
    }
}
