//! Reading txns from a log or a peer, in place.

use std::borrow::Cow;

use ringkeeper_engine::jute::{Reader, WireError};
use ringkeeper_engine::zxid::Zxid;

use super::{Create, CreateKind, Txn, TxnDigest, TxnHeader};
use crate::digest::TreeDigest;
use crate::wire::{Acls, ErrorCode, OpCode, SessionId, Strings};

/// Reads one txn: header, record, and the digest wherever twelve bytes remain for it.
///
/// Perf: inlined, so that what is read stays in registers (`perf/notebook.md`).
#[inline(always)]
pub fn decode(payload: &[u8]) -> Result<(TxnHeader, Txn<'_>, Option<TxnDigest>), WireError> {
    decode_for(payload, |header, txn, digest| (header, txn.clone(), digest))
}

/// `decode`, for one who needs the record no longer than `then`.
///
/// Perf: a record that is moved is read in wide pieces right after it was written in narrow ones,
/// and a processor waits for that (`perf/notebook.md`).
#[inline(always)]
pub fn decode_for<'p, R>(
    payload: &'p [u8],
    then: impl FnOnce(TxnHeader, &Txn<'p>, Option<TxnDigest>) -> R,
) -> Result<R, WireError> {
    let mut reader = Reader::new(payload);
    let header = TxnHeader::decode(&mut reader)?;
    let record = record(header.kind, &mut reader);
    let txn = record.as_ref().map_err(WireError::clone)?;
    let digest = TxnDigest::decode(&mut reader)?;
    Ok(then(header, txn, digest))
}

/// The path that a txn's record begins with, unchecked: a hint, for whoever looks ahead. `None`
/// where none stands there.
pub fn path_ahead(payload: &[u8]) -> Option<&[u8]> {
    crate::wire::path_ahead(payload.get(TxnHeader::BYTES..)?)
}

impl TxnHeader {
    /// Bytes of the record.
    pub const BYTES: usize = 32;

    #[inline(always)]
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let missing = Self::BYTES.saturating_sub(reader.remaining());
        let Some(bytes) = reader.record::<{ Self::BYTES }>() else {
            return Err(WireError::Short { field: "header", missing });
        };
        let code = i32::from_be_bytes(part(bytes, 28));
        Ok(Self {
            session: SessionId(i64::from_be_bytes(part(bytes, 0))),
            cxid: i32::from_be_bytes(part(bytes, 8)),
            zxid: Zxid(i64::from_be_bytes(part(bytes, 12))),
            time: i64::from_be_bytes(part(bytes, 20)),
            kind: OpCode::from_code(code).ok_or(WireError::UnknownCode { field: "type", code })?,
        })
    }
}

/// A field of a record, at a place that lies within it.
#[inline]
fn part<const N: usize>(record: &[u8; TxnHeader::BYTES], at: usize) -> [u8; N] {
    *record[at..].first_chunk().expect("the fields of a header fill it")
}

impl TxnDigest {
    /// Bytes of the record.
    pub const BYTES: usize = 12;

    #[inline(always)]
    fn decode(reader: &mut Reader<'_>) -> Result<Option<Self>, WireError> {
        if reader.remaining() < Self::BYTES {
            return Ok(None);
        }
        let version = reader.int("digest.version")?;
        Ok(Some(Self { version, tree: TreeDigest(reader.long("digest.treeDigest")?) }))
    }
}

fn op(reader: &mut Reader<'_>) -> Result<OpCode, WireError> {
    let code = reader.int("type")?;
    OpCode::from_code(code).ok_or(WireError::UnknownCode { field: "type", code })
}

fn record<'a>(kind: OpCode, reader: &mut Reader<'a>) -> Result<Txn<'a>, WireError> {
    match kind {
        OpCode::Multi => MultiTxn::decode(reader).map(Txn::Multi),
        OpCode::SetAcl => Ok(Txn::SetAcl {
            path: path(reader)?,
            acl: Acls::decode(reader)?,
            version: reader.int("version")?,
        }),
        OpCode::Reconfig => set_data(reader),
        OpCode::CreateSession => Ok(Txn::CreateSession { timeout_ms: reader.int("timeOut")? }),
        OpCode::CloseSession => Ok(Txn::CloseSession { paths: closed_paths(reader) }),
        OpCode::Create => {
            let start = *reader;
            create(reader).or_else(|_| {
                *reader = start;
                create_v0(reader)
            })
        }
        OpCode::Check => Err(unknown(kind)),
        other => sub_record(other, reader),
    }
}

/// What may stand in a multi.
fn sub_record<'a>(kind: OpCode, reader: &mut Reader<'a>) -> Result<Txn<'a>, WireError> {
    match kind {
        OpCode::Create | OpCode::Create2 => create(reader),
        OpCode::CreateContainer => {
            znode(reader, |reader, parent| Ok((CreateKind::Container, parent(reader)?)))
        }
        OpCode::CreateTtl => znode(reader, |reader, parent| {
            let parent = parent(reader)?;
            Ok((CreateKind::Ttl(reader.long("ttl")?), parent))
        }),
        OpCode::Delete | OpCode::DeleteContainer => Ok(Txn::Delete { path: path(reader)? }),
        OpCode::SetData => set_data(reader),
        OpCode::Check => Ok(Txn::Check { path: path(reader)?, version: reader.int("version")? }),
        OpCode::Error => Ok(Txn::Error { code: ErrorCode(reader.int("err")?) }),
        other => Err(unknown(other)),
    }
}

fn unknown(kind: OpCode) -> WireError {
    WireError::UnknownCode { field: "type", code: kind.code() }
}

fn path<'a>(reader: &mut Reader<'a>) -> Result<Cow<'a, str>, WireError> {
    reader.ustring("path")?.ok_or(WireError::Null { field: "path" })
}

fn set_data<'a>(reader: &mut Reader<'a>) -> Result<Txn<'a>, WireError> {
    Ok(Txn::SetData {
        path: path(reader)?,
        data: reader.buffer("data")?,
        version: reader.int("version")?,
    })
}

type ParentCversion = fn(&mut Reader<'_>) -> Result<i32, WireError>;

/// The fields all creates begin with; `tail` reads what follows.
fn znode<'a>(
    reader: &mut Reader<'a>,
    tail: impl FnOnce(&mut Reader<'a>, ParentCversion) -> Result<(CreateKind, i32), WireError>,
) -> Result<Txn<'a>, WireError> {
    let (path, data, acl) = (path(reader)?, reader.buffer("data")?, Acls::decode(reader)?);
    let (kind, parent_cversion) = tail(reader, |reader| reader.int("parentCVersion"))?;
    Ok(Txn::Create(Create { path, data, acl, kind, parent_cversion }))
}

fn create<'a>(reader: &mut Reader<'a>) -> Result<Txn<'a>, WireError> {
    znode(reader, |reader, parent| Ok((ephemeral(reader)?, parent(reader)?)))
}

/// Compat: before 3.4 a create ended without the parent's cversion (`CreateTxnV0`).
fn create_v0<'a>(reader: &mut Reader<'a>) -> Result<Txn<'a>, WireError> {
    znode(reader, |reader, _| Ok((ephemeral(reader)?, -1)))
}

fn ephemeral(reader: &mut Reader<'_>) -> Result<CreateKind, WireError> {
    let ephemeral = reader.bool("ephemeral")?;
    Ok(if ephemeral { CreateKind::Ephemeral } else { CreateKind::Persistent })
}

/// Compat: older logs, and servers with `closeSessionTxn.enabled=false`, write no list
/// (`SerializeUtils.deserializeTxn`, 3.9.5). A digest may follow all the same: its version, 2,
/// cannot be the count of a list that ends with the payload, as two paths take ten bytes or more.
fn closed_paths<'a>(reader: &mut Reader<'a>) -> Option<Strings<'a>> {
    let mut ahead = *reader;
    let is_digest = reader.remaining() == TxnDigest::BYTES
        && ahead.int("digest.version") == Ok(crate::digest::VERSION);
    if is_digest {
        return None;
    }
    let mut ahead = *reader;
    let paths = Strings::decode(&mut ahead, "paths2Delete").ok()??;
    *reader = ahead;
    Some(paths)
}

/// Several changes under one zxid: all of them, or none.
#[derive(Clone, Copy, Debug)]
pub struct MultiTxn<'a> {
    bytes: &'a [u8],
    count: usize,
    failed: bool,
}

/// One change of a multi.
#[derive(Clone, Debug)]
pub struct SubTxn<'a> {
    pub kind: OpCode,
    pub txn: Txn<'a>,
}

impl<'a> MultiTxn<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let count = reader.count("txns")?.unwrap_or(0);
        let (rest, start) = (reader.rest(), reader.position());
        let mut failed = false;
        for _ in 0..count {
            failed |= SubTxn::decode(reader)?.kind == OpCode::Error;
        }
        Ok(Self { bytes: &rest[..reader.position() - start], count, failed })
    }

    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether one of them is an error, so that nothing of it is applied.
    ///
    /// Compat: those before the failing one keep their records all the same
    /// (`PrepRequestProcessor`, 3.9.5).
    pub fn is_failed(&self) -> bool {
        self.failed
    }

    pub fn iter(&self) -> impl Iterator<Item = SubTxn<'a>> + use<'a> {
        let mut reader = Reader::new(self.bytes);
        (0..self.count).map(move |_| SubTxn::decode(&mut reader).expect("X1: checked by `decode`"))
    }

    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl<'a> SubTxn<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let kind = op(reader)?;
        let body = reader.buffer("data")?.ok_or(WireError::Null { field: "data" })?;
        Ok(Self { kind, txn: sub_record(kind, &mut Reader::new(body))? })
    }
}
