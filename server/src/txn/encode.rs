//! Writing txns, as ZooKeeper would to the byte.

use ringkeeper_engine::jute::Writer;

use super::{Create, CreateKind, Txn, TxnDigest, TxnHeader};
use crate::wire::{Acls, OpCode};

impl TxnHeader {
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut bytes = [0; Self::BYTES];
        bytes[0..8].copy_from_slice(&self.session.0.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.cxid.to_be_bytes());
        bytes[12..20].copy_from_slice(&self.zxid.0.to_be_bytes());
        bytes[20..28].copy_from_slice(&self.time.to_be_bytes());
        bytes[28..32].copy_from_slice(&self.kind.code().to_be_bytes());
        out.extend_from_slice(&bytes);
    }
}

impl TxnDigest {
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut bytes = [0; Self::BYTES];
        bytes[0..4].copy_from_slice(&self.version.to_be_bytes());
        bytes[4..12].copy_from_slice(&self.tree.0.to_be_bytes());
        out.extend_from_slice(&bytes);
    }
}

impl Txn<'_> {
    /// Appends the record; its type stands in the header, or before it in a multi.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer(out);
        match self {
            Self::Create(create) => create.encode(out),
            Self::Delete { path } => writer.ustring(path),
            Self::SetData { path, data, version } => {
                writer.ustring(path);
                writer.buffer(*data);
                writer.int(*version);
            }
            Self::SetAcl { path, acl, version } => {
                writer.ustring(path);
                acls(acl, &mut writer);
                writer.int(*version);
            }
            Self::Check { path, version } => {
                writer.ustring(path);
                writer.int(*version);
            }
            Self::Multi(multi) => {
                writer.count(multi.len());
                writer.bytes(multi.bytes());
            }
            Self::CreateSession { timeout_ms } => writer.int(*timeout_ms),
            Self::CloseSession { paths: None } => {}
            Self::CloseSession { paths: Some(paths) } => {
                writer.count(paths.len());
                for path in paths.iter() {
                    writer.ustring_or_null(path.as_deref());
                }
            }
            Self::Error { code } => writer.int(code.code()),
        }
    }
}

impl Create<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer(out);
        writer.ustring(&self.path);
        writer.buffer(self.data);
        acls(&self.acl, &mut writer);
        match self.kind {
            CreateKind::Persistent => writer.bool(false),
            CreateKind::Ephemeral => writer.bool(true),
            CreateKind::Container | CreateKind::Ttl(_) => {}
        }
        writer.int(self.parent_cversion);
        if let CreateKind::Ttl(ms) = self.kind {
            writer.long(ms);
        }
    }
}

fn acls(acls: &Acls<'_>, writer: &mut Writer<'_>) {
    writer.count(acls.len());
    writer.bytes(acls.bytes());
}

/// Writes a multi piece by piece, for a leader that prepares one op after another.
pub struct MultiWriter {
    at: usize,
    count: i32,
}

impl MultiWriter {
    /// Appends the vector's count, to be known at the end.
    pub fn begin(out: &mut Vec<u8>) -> Self {
        let at = out.len();
        Writer(out).int(0);
        Self { at, count: 0 }
    }

    /// Appends one change, whose record `body` writes.
    pub fn push(&mut self, kind: OpCode, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
        let mut writer = Writer(out);
        writer.int(kind.code());
        writer.int(0);
        let start = out.len();
        body(out);
        let length = i32::try_from(out.len() - start).expect("bounded by TXN_BYTES_MAX");
        Writer(out).patch_int(start - 4, length);
        self.count += 1;
    }

    pub fn finish(self, out: &mut Vec<u8>) {
        Writer(out).patch_int(self.at, self.count);
    }
}
