//! One entry of the tree, and the names by which the rest of the server holds on to it.
//!
//! A million znodes are a million of these, so the size is asserted: less than two cache lines. There
//! is no stored path, no map of children, no pointer to a key.
//!
//! Not here: where znodes live (`arena`), how they are found (`index`), name and data (`contents`).

use ringkeeper_engine::jute::{Reader, WireError, Writer};

use super::contents::Place;
use super::index::ROOT_HASH;

/// No znode: the end of a list, the parent of the root.
pub(super) const NONE: u32 = u32::MAX;

/// The parent of a slot that holds no znode.
pub(super) const VACANT: u32 = u32::MAX - 1;

/// In `Znode::name_and_null`: the data is null, which differs from empty.
const NULL_DATA: u32 = 1 << 31;

/// A znode's place in the arena. Valid while the znode lives; its number is given to another later.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ZnodeId(pub(super) u32);

impl ZnodeId {
    pub const ROOT: Self = Self(0);
}

/// An interned ACL list; `acl::AclTable` knows what it says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AclId(pub u32);

impl AclId {
    /// No list at all, so everybody may do everything; -1 in snapshots.
    pub const OPEN: Self = Self(u32::MAX);

    /// The list of `/zookeeper/config` in a new tree, world:anyone READ: the first of every table.
    pub const CONFIG: Self = Self(1);

    /// The number snapshots carry.
    pub fn persisted(self) -> i64 {
        if self == Self::OPEN { -1 } else { i64::from(self.0) }
    }
}

/// What a snapshot and the digest keep of a znode beside its path, data and ACL.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StatPersisted {
    pub czxid: i64,
    pub mzxid: i64,
    pub ctime: i64,
    pub mtime: i64,
    pub version: i32,
    pub cversion: i32,
    pub aversion: i32,
    pub owner: i64,
    pub pzxid: i64,
}

/// What of a stat changes while the data stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StatBesideData {
    pub pzxid: i64,
    pub cversion: i32,
    pub aversion: i32,
}

impl StatPersisted {
    /// Bytes of the record.
    pub const LENGTH: usize = 60;

    pub fn beside_data(&self) -> StatBesideData {
        let Self { pzxid, cversion, aversion, .. } = *self;
        StatBesideData { pzxid, cversion, aversion }
    }

    pub fn encode(&self, writer: &mut Writer<'_>) {
        writer.long(self.czxid);
        writer.long(self.mzxid);
        writer.long(self.ctime);
        writer.long(self.mtime);
        writer.int(self.version);
        writer.int(self.cversion);
        writer.int(self.aversion);
        writer.long(self.owner);
        writer.long(self.pzxid);
    }

    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            czxid: reader.long("czxid")?,
            mzxid: reader.long("mzxid")?,
            ctime: reader.long("ctime")?,
            mtime: reader.long("mtime")?,
            version: reader.int("version")?,
            cversion: reader.int("cversion")?,
            aversion: reader.int("aversion")?,
            owner: reader.long("ephemeralOwner")?,
            pzxid: reader.long("pzxid")?,
        })
    }
}

/// An entry of the tree. The public fields are the stored values (`cversion` counts creations,
/// `owner` is the raw ephemeralOwner); what clients see of them is `Tree::stat`.
pub struct Znode {
    pub czxid: i64,
    pub mzxid: i64,
    pub pzxid: i64,
    pub ctime: i64,
    pub mtime: i64,
    pub owner: i64,
    pub version: i32,
    pub cversion: i32,
    pub aversion: i32,
    pub acl: AclId,
    /// The digest module's: what this znode adds to the tree's digest.
    pub digest: u32,
    pub child_count: u32,
    /// Of the whole path, composed of the parent's and the name (`index`).
    pub(super) hash: u64,
    pub(super) parent: u32,
    pub(super) first_child: u32,
    /// Siblings.
    pub(super) next: u32,
    pub(super) prev: u32,
    /// Znodes of the same owner, container or TTL kind (`kin`).
    pub(super) kin_next: u32,
    pub(super) kin_prev: u32,
    /// The number of the last checkpoint that has this znode behind it (`checkpoint`).
    pub(super) mark: u32,
    /// Where name and data are, one behind the other, and how long.
    pub(super) place: Place,
    name_and_null: u32,
    length: u32,
}

const _: () = assert!(size_of::<Znode>() <= 120, "less than two cache lines a znode");

impl Znode {
    /// Nameless, without data, and nowhere yet.
    pub(super) fn new(acl: AclId, stat: &StatPersisted) -> Self {
        let StatPersisted { czxid, mzxid, ctime, mtime, version, cversion, aversion, owner, pzxid } =
            *stat;
        Self {
            czxid,
            mzxid,
            pzxid,
            ctime,
            mtime,
            owner,
            version,
            cversion,
            aversion,
            acl,
            digest: 0,
            child_count: 0,
            hash: ROOT_HASH,
            parent: NONE,
            first_child: NONE,
            next: NONE,
            prev: NONE,
            kin_next: NONE,
            kin_prev: NONE,
            mark: 0,
            place: Place::NOWHERE,
            name_and_null: NULL_DATA,
            length: 0,
        }
    }

    pub fn beside_data(&self) -> StatBesideData {
        let Self { pzxid, cversion, aversion, .. } = *self;
        StatBesideData { pzxid, cversion, aversion }
    }

    /// What fills a slot between two znodes.
    pub(super) fn vacant() -> Self {
        let mut slot = Self::new(AclId::OPEN, &StatPersisted::default());
        slot.parent = VACANT;
        slot
    }

    pub(super) fn name_length(&self) -> usize {
        (self.name_and_null & !NULL_DATA) as usize
    }

    /// Null, which clients can tell from empty.
    pub fn is_null(&self) -> bool {
        self.name_and_null & NULL_DATA != 0
    }

    pub fn data_length(&self) -> usize {
        self.content_length() - self.name_length()
    }

    /// Of name and data.
    pub(super) fn content_length(&self) -> usize {
        self.length as usize
    }

    /// Says of name and data how long they are, and where.
    pub(super) fn set_content(&mut self, name: usize, data: Option<&[u8]>, place: Place) {
        let bytes = name + data.map_or(0, <[u8]>::len);
        self.length = u32::try_from(bytes).expect("name and data are shorter than their frame");
        assert!(self.length < NULL_DATA, "name and data are shorter than their frame");
        self.name_and_null = name as u32 | if data.is_none() { NULL_DATA } else { 0 };
        self.place = place;
    }

    pub fn persisted(&self) -> StatPersisted {
        StatPersisted {
            czxid: self.czxid,
            mzxid: self.mzxid,
            ctime: self.ctime,
            mtime: self.mtime,
            version: self.version,
            cversion: self.cversion,
            aversion: self.aversion,
            owner: self.owner,
            pzxid: self.pzxid,
        }
    }
}
