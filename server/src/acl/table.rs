//! Every list once: znodes carry a number, the table keeps what it stands for.
//!
//! Lists are told apart by their encoded bytes, so that a txn's list is found without decoding it.
//! Ids begin at 1, as in ZooKeeper's snapshots, and are given again when their last znode is gone.
//!
//! Not here: fixing what a client sent (`fixup`).

use hashbrown::HashTable;
use ringkeeper_engine::jute::{Reader, Writer};

use super::{AclRules, is_super, permits};
use crate::tree::{AclId, content_hash};
use crate::wire::{Acl, Acls, AuthId, perms};

/// The lists of all znodes of one tree.
pub struct AclTable {
    /// The list with id `n` is at `n - 1`.
    entries: Vec<Option<Entry>>,
    vacant: Vec<AclId>,
    index: HashTable<AclId>,
    /// The list that was asked for last: the next znode is likely to have it too. `AclId::OPEN`
    /// where there is none.
    recent: AclId,
    /// What an id that stands for no list shows.
    open: [Acl; 1],
}

struct Entry {
    hash: u64,
    /// As in a txn, without the count.
    encoded: Box<[u8]>,
    list: Box<[Acl]>,
    /// What the list grants to everybody.
    everyone: i32,
    uses: u64,
}

impl AclTable {
    /// The table of a new tree: the configuration's list has the first id.
    pub fn new() -> Self {
        let mut table = Self::bare();
        let id = table.intern_list(&[Acl::new(perms::READ, "world", "anyone")]);
        assert_eq!(id, AclId::CONFIG, "the first id of a table is 1");
        table
    }

    /// An empty table, for a snapshot to fill.
    pub fn bare() -> Self {
        Self {
            entries: Vec::new(),
            vacant: Vec::new(),
            index: HashTable::new(),
            recent: AclId::OPEN,
            open: [Acl::new(perms::ALL, "world", "anyone")],
        }
    }

    /// How many different lists there are.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The id of a txn's list, used once more. A null or empty list is open.
    pub fn intern(&mut self, acls: &Acls<'_>) -> AclId {
        let id = self.intern_unused(acls);
        self.keep(id);
        id
    }

    pub fn intern_list(&mut self, list: &[Acl]) -> AclId {
        let mut encoded = Vec::new();
        Acl::encode_list(list, &mut encoded);
        let acls = Acls::decode(&mut Reader::new(&encoded)).expect("encoded just now");
        self.intern(&acls)
    }

    /// The id of a snapshot's list, which its znodes will `keep`.
    pub fn intern_unused(&mut self, acls: &Acls<'_>) -> AclId {
        if acls.is_empty() {
            return AclId::OPEN;
        }
        let encoded = acls.bytes();
        if self.recent != AclId::OPEN && *self.entry(self.recent).encoded == *encoded {
            return self.recent;
        }
        let hash = content_hash(encoded);
        let entries = &self.entries;
        let known = self.index.find(hash, |id| *entry(entries, *id).encoded == *encoded);
        if let Some(&id) = known {
            self.recent = id;
            return id;
        }
        let list = owned(acls);
        let everyone = list
            .iter()
            .filter(|acl| acl.scheme == "world" && acl.id == "anyone")
            .fold(0, |granted, acl| granted | acl.perms);
        let new = Entry { hash, encoded: encoded.into(), list, everyone, uses: 0 };
        let id = self.vacant.pop().unwrap_or_else(|| {
            self.entries.push(None);
            AclId(u32::try_from(self.entries.len()).expect("fewer lists than znodes"))
        });
        self.entries[id.0 as usize - 1] = Some(new);
        let entries = &self.entries;
        self.index.insert_unique(hash, id, |id| entry(entries, *id).hash);
        self.recent = id;
        id
    }

    /// One more znode has this list.
    pub fn keep(&mut self, id: AclId) {
        if id != AclId::OPEN {
            self.entry_mut(id).uses += 1;
        }
    }

    /// One znode less has this list.
    pub fn release(&mut self, id: AclId) {
        if id == AclId::OPEN {
            return;
        }
        let entry = self.entry_mut(id);
        assert!(entry.uses > 0, "{id:?} was released more often than kept");
        entry.uses -= 1;
        if entry.uses == 0 {
            self.forget(id);
        }
    }

    /// Forgets the lists of a snapshot that no znode has.
    pub fn purge_unused(&mut self) {
        let unused: Vec<AclId> = self.ids().filter(|id| self.entry(*id).uses == 0).collect();
        for id in unused {
            self.forget(id);
        }
    }

    /// What an id stands for.
    ///
    /// Compat: an open id shows as world:anyone with all permissions
    /// (`ReferenceCountedACLCache.convertLong`, 3.9.5).
    pub fn list(&self, id: AclId) -> &[Acl] {
        if id == AclId::OPEN { &self.open } else { &self.entry(id).list }
    }

    /// Whether these ids have one of the wanted permissions on a znode with this list.
    pub fn permits(&self, id: AclId, wanted: i32, ids: &[AuthId], rules: &AclRules) -> bool {
        if id == AclId::OPEN || rules.skip {
            return true;
        }
        let entry = self.entry(id);
        entry.everyone & wanted != 0 || is_super(ids) || permits(&entry.list, wanted, ids, rules)
    }

    /// Appends the table as snapshots hold it: a count, then each id with its list.
    pub fn encode(&self, out: &mut Vec<u8>) {
        Writer(out).count(self.len());
        for id in self.ids() {
            let entry = self.entry(id);
            let mut writer = Writer(out);
            writer.long(id.persisted());
            writer.count(entry.list.len());
            writer.bytes(&entry.encoded);
        }
    }

    fn ids(&self) -> impl Iterator<Item = AclId> {
        let used = self.entries.iter().enumerate().filter(|(_, entry)| entry.is_some());
        used.map(|(at, _)| AclId(at as u32 + 1))
    }

    fn forget(&mut self, id: AclId) {
        let hash = self.entry(id).hash;
        if let Ok(found) = self.index.find_entry(hash, |other| *other == id) {
            found.remove();
        }
        if self.recent == id {
            self.recent = AclId::OPEN;
        }
        self.entries[id.0 as usize - 1] = None;
        self.vacant.push(id);
    }

    fn entry(&self, id: AclId) -> &Entry {
        entry(&self.entries, id)
    }

    fn entry_mut(&mut self, id: AclId) -> &mut Entry {
        self.entries[id.0 as usize - 1].as_mut().expect("a used id has a list")
    }
}

impl Default for AclTable {
    fn default() -> Self {
        Self::new()
    }
}

fn entry(entries: &[Option<Entry>], id: AclId) -> &Entry {
    entries[id.0 as usize - 1].as_ref().expect("a used id has a list")
}

fn owned(acls: &Acls<'_>) -> Box<[Acl]> {
    let text = |field: Option<std::borrow::Cow<'_, str>>| field.unwrap_or_default().into_owned();
    acls.iter().map(|acl| Acl::new(acl.perms, text(acl.scheme), text(acl.id))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_lists_share_an_id_until_the_last_is_gone() {
        let mut table = AclTable::new();
        let bob = [Acl::new(31, "digest", "bob:x")];
        let a = table.intern_list(&bob);
        assert_eq!(table.intern_list(&bob), a);
        assert_eq!(table.list(a), bob);
        table.release(a);
        assert_eq!(table.len(), 2);
        table.release(a);
        assert_eq!(table.len(), 1);
        let amy = table.intern_list(&[Acl::new(1, "digest", "amy:x")]);
        assert_eq!(amy, a, "a free id is given again");
        assert_eq!(table.list(AclId::CONFIG), [Acl::new(1, "world", "anyone")]);
    }

    #[test]
    fn an_open_znode_permits_all_and_says_so() {
        let mut table = AclTable::new();
        let none = AclRules::default();
        assert_eq!(table.intern_list(&[]), AclId::OPEN);
        table.release(AclId::OPEN);
        assert!(table.permits(AclId::OPEN, perms::ADMIN, &[], &none));
        assert_eq!(table.list(AclId::OPEN), [Acl::new(31, "world", "anyone")]);
        assert!(table.permits(AclId::CONFIG, perms::READ, &[], &none));
        assert!(!table.permits(AclId::CONFIG, perms::WRITE, &[], &none));
        assert!(table.permits(AclId::CONFIG, perms::WRITE, &[AuthId::new("super", "")], &none));
    }

    #[test]
    fn lists_no_znode_has_are_purged_after_a_snapshot() {
        let mut table = AclTable::bare();
        let mut encoded = Vec::new();
        Acl::encode_list(&[Acl::new(1, "ip", "10.0.0.1")], &mut encoded);
        let acls = Acls::decode(&mut Reader::new(&encoded)).unwrap();
        let id = table.intern_unused(&acls);
        assert_eq!(id, AclId(1));
        table.purge_unused();
        assert!(table.is_empty());
    }

    #[test]
    fn a_table_is_written_as_snapshots_hold_it() {
        let mut out = Vec::new();
        AclTable::new().encode(&mut out);
        let mut expected = vec![0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1];
        Acl::encode_list(&[Acl::new(1, "world", "anyone")], &mut expected);
        assert_eq!(out, expected);
    }
}
