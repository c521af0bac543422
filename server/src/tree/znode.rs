//! One entry of the tree, and the names by which the rest of the server holds on to it.
//!
//! A million znodes are a million of these, so the size is asserted: two cache lines. Name and data
//! share one allocation; there is no stored path, no map of children, no pointer to a key.
//!
//! Not here: where znodes live (`arena`), how they are found (`index`).

use ringkeeper_engine::jute::{Reader, WireError, Writer};

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

impl StatPersisted {
    /// Bytes of the record.
    pub const LENGTH: usize = 60;

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
    /// Siblings; in a vacant slot `next` is the free list.
    pub(super) next: u32,
    pub(super) prev: u32,
    /// Znodes of the same owner, container or TTL kind (`kin`).
    pub(super) kin_next: u32,
    pub(super) kin_prev: u32,
    /// The number of the last checkpoint that has this znode behind it (`checkpoint`).
    pub(super) mark: u32,
    name_and_null: u32,
    /// The name, then the data.
    content: Box<[u8]>,
}

const _: () = assert!(size_of::<Znode>() <= 128, "two cache lines a znode");

impl Znode {
    pub(super) fn new(name: &str, data: Option<&[u8]>, acl: AclId, stat: &StatPersisted) -> Self {
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
            name_and_null: name_and_null(name.len(), data),
            content: joined(name.as_bytes(), data),
        }
    }

    /// What fills a slot between two znodes.
    pub(super) fn vacant(next: u32) -> Self {
        let mut slot = Self::new("", None, AclId::OPEN, &StatPersisted::default());
        slot.parent = VACANT;
        slot.next = next;
        slot
    }

    /// The last component of the path; empty for the root alone.
    pub fn name(&self) -> &str {
        std::str::from_utf8(self.name_bytes()).expect("the name came in as a `str`")
    }

    pub(super) fn name_bytes(&self) -> &[u8] {
        &self.content[..self.name_length()]
    }

    fn name_length(&self) -> usize {
        (self.name_and_null & !NULL_DATA) as usize
    }

    /// `None` is null, which clients can tell from empty.
    pub fn data(&self) -> Option<&[u8]> {
        let data = &self.content[self.name_length()..];
        (self.name_and_null & NULL_DATA == 0).then_some(data)
    }

    pub fn data_length(&self) -> usize {
        self.content.len() - self.name_length()
    }

    /// In place where the length stays, which is the common write.
    pub(super) fn set_data(&mut self, data: Option<&[u8]>) {
        let name = self.name_length();
        let bytes = data.unwrap_or(&[]);
        if self.content.len() == name + bytes.len() {
            self.content[name..].copy_from_slice(bytes);
        } else {
            self.content = joined(&self.content[..name], data);
        }
        self.name_and_null = name_and_null(name, data);
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

fn name_and_null(name: usize, data: Option<&[u8]>) -> u32 {
    let length = u32::try_from(name).expect("a name is shorter than the frame it came in");
    assert!(length < NULL_DATA, "a name is shorter than the frame it came in");
    if data.is_none() { length | NULL_DATA } else { length }
}

fn joined(name: &[u8], data: Option<&[u8]>) -> Box<[u8]> {
    let data = data.unwrap_or(&[]);
    let mut content = Vec::with_capacity(name.len() + data.len());
    content.extend_from_slice(name);
    content.extend_from_slice(data);
    content.into_boxed_slice()
}
