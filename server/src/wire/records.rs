//! Records that several requests and replies share.

use std::fmt;

use ringkeeper_engine::jute::{Reader, WireError, Writer};

/// Permission bits of an ACL (`ZooDefs.Perms`).
pub mod perms {
    pub const READ: i32 = 1;
    pub const WRITE: i32 = 2;
    pub const CREATE: i32 = 4;
    pub const DELETE: i32 = 8;
    pub const ADMIN: i32 = 16;
    pub const ALL: i32 = 31;
}

/// A client's session. Its top byte names the server that gave it out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SessionId(pub i64);

impl SessionId {
    /// No session: what a new client brings, and what the server's own txns carry.
    pub const NONE: Self = Self(0);
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {:#x}", self.0)
    }
}

/// What a client sees of a znode, 68 bytes.
///
/// ```text
///  0 czxid   8 mzxid  16 ctime  24 mtime  32 version  36 cversion  40 aversion
/// 44 ephemeralOwner  52 dataLength  56 numChildren  60 pzxid
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stat {
    pub czxid: i64,
    pub mzxid: i64,
    pub ctime: i64,
    pub mtime: i64,
    pub version: i32,
    /// As clients count it: twice the stored one less the children (creates and deletes alike).
    pub cversion: i32,
    pub aversion: i32,
    /// Zero for containers and TTL znodes.
    pub ephemeral_owner: i64,
    pub data_length: i32,
    pub num_children: i32,
    pub pzxid: i64,
}

impl Stat {
    pub const BYTES: usize = 68;

    pub fn encode(&self, out: &mut Vec<u8>) {
        // One record, one bound: it stands in every answer to a write, and to most reads.
        let mut bytes = [0; Self::BYTES];
        bytes[0..8].copy_from_slice(&self.czxid.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.mzxid.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.ctime.to_be_bytes());
        bytes[24..32].copy_from_slice(&self.mtime.to_be_bytes());
        bytes[32..36].copy_from_slice(&self.version.to_be_bytes());
        bytes[36..40].copy_from_slice(&self.cversion.to_be_bytes());
        bytes[40..44].copy_from_slice(&self.aversion.to_be_bytes());
        bytes[44..52].copy_from_slice(&self.ephemeral_owner.to_be_bytes());
        bytes[52..56].copy_from_slice(&self.data_length.to_be_bytes());
        bytes[56..60].copy_from_slice(&self.num_children.to_be_bytes());
        bytes[60..68].copy_from_slice(&self.pzxid.to_be_bytes());
        out.extend_from_slice(&bytes);
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
            ephemeral_owner: reader.long("ephemeralOwner")?,
            data_length: reader.int("dataLength")?,
            num_children: reader.int("numChildren")?,
            pzxid: reader.long("pzxid")?,
        })
    }
}

/// One entry of an access list: who (`scheme`, `id`) may do what (`perms`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Acl {
    pub perms: i32,
    pub scheme: String,
    pub id: String,
}

impl Acl {
    pub fn new(perms: i32, scheme: impl Into<String>, id: impl Into<String>) -> Self {
        Self { perms, scheme: scheme.into(), id: id.into() }
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer(out);
        writer.int(self.perms);
        writer.ustring(&self.scheme);
        writer.ustring(&self.id);
    }

    /// An owned entry; nulls, which no stored list holds, read as empty.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            perms: reader.int("acl.perms")?,
            scheme: reader.ustring("acl.scheme")?.unwrap_or_default().into_owned(),
            id: reader.ustring("acl.id")?.unwrap_or_default().into_owned(),
        })
    }

    /// A whole list, count first; null reads as empty.
    pub fn decode_list(reader: &mut Reader<'_>) -> Result<Vec<Self>, WireError> {
        let count = reader.count("acl")?.unwrap_or(0);
        let mut list = Vec::new();
        for _ in 0..count {
            list.push(Self::decode(reader)?);
        }
        Ok(list)
    }

    /// A whole list, count first.
    pub fn encode_list(list: &[Self], out: &mut Vec<u8>) {
        Writer(out).count(list.len());
        for acl in list {
            acl.encode(out);
        }
    }
}

/// Something a connection has proved about itself (ZooKeeper's `Id`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AuthId {
    pub scheme: String,
    pub id: String,
}

impl AuthId {
    pub fn new(scheme: impl Into<String>, id: impl Into<String>) -> Self {
        Self { scheme: scheme.into(), id: id.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_is_68_bytes_and_reads_back() {
        let stat = Stat {
            czxid: 1,
            mzxid: 2,
            ctime: 3,
            mtime: 4,
            version: 5,
            cversion: 6,
            aversion: 7,
            ephemeral_owner: 8,
            data_length: 9,
            num_children: 10,
            pzxid: 11,
        };
        let mut out = Vec::new();
        stat.encode(&mut out);
        assert_eq!(out.len(), Stat::BYTES);
        assert_eq!(Stat::decode(&mut Reader::new(&out)), Ok(stat));
        assert_eq!(out[52..56], 9i32.to_be_bytes());
    }
}
