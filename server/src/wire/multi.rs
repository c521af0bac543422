//! A multi: many ops in one request, each behind its own header.
//!
//! ```text
//! repeated { int type | bool done = 0 | int err | record }   then   int -1 | bool done = 1 | int -1
//! ```
//! All ops are writes, or all are reads. The whole is checked when decoded (W2).

use std::borrow::Cow;

use ringkeeper_engine::jute::{Reader, WireError};

use super::op::OpCode;
use super::request::{CreateRequest, SetDataRequest, VersionRequest, WatchableRequest};

/// One op of a multi or multiRead. No path in it is null, but a read's may be.
#[derive(Clone, Debug)]
pub enum MultiOp<'a> {
    Create(CreateRequest<'a>),
    Delete(VersionRequest<'a>),
    SetData(SetDataRequest<'a>),
    Check(VersionRequest<'a>),
    GetData(Option<Cow<'a, str>>),
    GetChildren(Option<Cow<'a, str>>),
}

/// What all ops of one multi are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MultiKind {
    Writes,
    Reads,
    /// No ops at all, which both forms allow.
    Empty,
}

/// A whole multi, checked.
#[derive(Clone, Copy, Debug)]
pub struct MultiOps<'a> {
    reader: Reader<'a>,
    count: usize,
    kind: MultiKind,
}

impl<'a> MultiOps<'a> {
    pub fn decode(body: &'a [u8]) -> Result<Self, WireError> {
        let whole = Reader::new(body);
        let mut reader = whole;
        let mut count = 0;
        let mut kind = MultiKind::Empty;
        while let Some(op) = next_op(&mut reader)? {
            if kind != MultiKind::Empty && kind != op.kind() {
                let code = op.op().code();
                return Err(WireError::UnknownCode { field: "multi.type, after the other", code });
            }
            kind = op.kind();
            count += 1;
        }
        Ok(Self { reader: whole, count, kind })
    }

    pub fn kind(&self) -> MultiKind {
        self.kind
    }

    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn iter(&self) -> impl Iterator<Item = MultiOp<'a>> + use<'a> {
        let mut reader = self.reader;
        (0..self.count).map(move |_| {
            next_op(&mut reader).ok().flatten().expect("W2: checked by `decode`, op for op")
        })
    }
}

impl MultiOp<'_> {
    /// The op after retyping: what the txn and the result are.
    pub fn op(&self) -> OpCode {
        match self {
            Self::Create(create) => create.op,
            Self::Delete(_) => OpCode::Delete,
            Self::SetData(_) => OpCode::SetData,
            Self::Check(_) => OpCode::Check,
            Self::GetData(_) => OpCode::GetData,
            Self::GetChildren(_) => OpCode::GetChildren,
        }
    }

    pub fn kind(&self) -> MultiKind {
        match self {
            Self::GetData(_) | Self::GetChildren(_) => MultiKind::Reads,
            _ => MultiKind::Writes,
        }
    }
}

/// The next op, `None` at the terminator: any header that says done, whatever its type.
fn next_op<'a>(reader: &mut Reader<'a>) -> Result<Option<MultiOp<'a>>, WireError> {
    let code = reader.int("multi.type")?;
    let done = reader.bool("multi.done")?;
    reader.int("multi.err")?;
    if done {
        return Ok(None);
    }
    let unknown = WireError::UnknownCode { field: "multi.type", code };
    let op = OpCode::from_code(code).ok_or(unknown.clone())?;
    Ok(Some(match op {
        OpCode::Create | OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
            let mut create = CreateRequest::decode(op, reader)?;
            not_null(&create.path)?;
            retype(&mut create)?;
            MultiOp::Create(create)
        }
        OpCode::Delete => MultiOp::Delete(versioned(reader)?),
        OpCode::Check => MultiOp::Check(versioned(reader)?),
        OpCode::SetData => {
            let set = SetDataRequest::decode(reader)?;
            not_null(&set.path)?;
            MultiOp::SetData(set)
        }
        OpCode::GetData => MultiOp::GetData(read_path(reader)?),
        OpCode::GetChildren => MultiOp::GetChildren(read_path(reader)?),
        _ => return Err(unknown),
    }))
}

/// What the flags make of a create.
///
/// Compat: container flags win over the header's type; TTL flags are refused where the record has
/// no ttl; a createTTL without TTL flags is a plain create (`MultiOperationRecord.deserialize` and
/// `Op.create`, 3.9.5).
fn retype(create: &mut CreateRequest<'_>) -> Result<(), WireError> {
    let flags = create.flags;
    create.op = match (create.op, flags) {
        (OpCode::CreateTtl, 5 | 6) => OpCode::CreateTtl,
        (_, 4) => OpCode::CreateContainer,
        (OpCode::CreateTtl, _) => OpCode::Create,
        (op, 0..=3) => op,
        _ => return Err(WireError::UnknownCode { field: "flags", code: flags }),
    };
    if create.op != OpCode::CreateTtl {
        create.ttl = -1;
    }
    Ok(())
}

fn versioned<'a>(reader: &mut Reader<'a>) -> Result<VersionRequest<'a>, WireError> {
    let request = VersionRequest::decode(reader)?;
    not_null(&request.path)?;
    Ok(request)
}

/// The watch flag is read and ignored: reads of a multi never leave watches.
fn read_path<'a>(reader: &mut Reader<'a>) -> Result<Option<Cow<'a, str>>, WireError> {
    let request = WatchableRequest::decode(reader)?;
    Ok(request.path)
}

fn not_null(path: &Option<Cow<'_, str>>) -> Result<(), WireError> {
    if path.is_some() { Ok(()) } else { Err(WireError::Null { field: "path" }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Acl;
    use ringkeeper_engine::jute::Writer;

    fn header(op: i32, done: bool, out: &mut Vec<u8>) {
        let mut writer = Writer(out);
        writer.int(op);
        writer.bool(done);
        writer.int(-1);
    }

    fn create(op: OpCode, flags: i32, ttl: i64, out: &mut Vec<u8>) {
        header(op.code(), false, out);
        Writer(out).ustring("/a");
        Writer(out).buffer(None);
        Acl::encode_list(&[Acl::new(31, "world", "anyone")], out);
        Writer(out).int(flags);
        if op == OpCode::CreateTtl {
            Writer(out).long(ttl);
        }
    }

    fn read(op: OpCode, out: &mut Vec<u8>) {
        header(op.code(), false, out);
        Writer(out).ustring("/a");
        Writer(out).bool(true);
    }

    /// The op a create of this header and these flags becomes, `None` where it is refused.
    fn check_retyping(op: OpCode, flags: i32, expected: Option<OpCode>) {
        let mut body = Vec::new();
        create(op, flags, 5, &mut body);
        header(-1, true, &mut body);
        let seen = MultiOps::decode(&body).ok().map(|ops| ops.iter().next().unwrap().op());
        assert_eq!(seen, expected, "{op} with flags {flags}");
    }

    /// Compat: `MultiOperationRecord`, 3.9.5.
    #[test]
    fn flags_decide_what_a_create_is() {
        use OpCode::{Create, Create2, CreateContainer, CreateTtl};
        for flags in 0..=3 {
            check_retyping(Create, flags, Some(Create));
            check_retyping(Create2, flags, Some(Create2));
            check_retyping(CreateContainer, flags, Some(CreateContainer));
            check_retyping(CreateTtl, flags, Some(Create));
        }
        for op in [Create, Create2, CreateContainer, CreateTtl] {
            check_retyping(op, 4, Some(CreateContainer));
        }
        for flags in [5, 6] {
            check_retyping(Create, flags, None);
            check_retyping(Create2, flags, None);
            check_retyping(CreateContainer, flags, None);
            check_retyping(CreateTtl, flags, Some(CreateTtl));
        }
        check_retyping(Create, 7, None);
        check_retyping(CreateTtl, 7, Some(Create));
    }

    #[test]
    fn reads_and_writes_do_not_mix() {
        let mut body = Vec::new();
        create(OpCode::Create, 0, 0, &mut body);
        read(OpCode::GetData, &mut body);
        header(-1, true, &mut body);
        assert!(MultiOps::decode(&body).is_err());
    }

    #[test]
    fn the_terminator_is_any_header_that_says_done() {
        for op in [-1, 1, 999] {
            let mut body = Vec::new();
            read(OpCode::GetChildren, &mut body);
            header(op, true, &mut body);
            let ops = MultiOps::decode(&body).unwrap();
            assert_eq!((ops.len(), ops.kind()), (1, MultiKind::Reads));
        }
        let mut body = Vec::new();
        read(OpCode::GetChildren, &mut body);
        assert!(MultiOps::decode(&body).is_err(), "a missing terminator");
    }

    #[test]
    fn an_empty_multi_is_legal_and_a_nested_one_is_not() {
        let mut body = Vec::new();
        header(-1, true, &mut body);
        assert_eq!(MultiOps::decode(&body).unwrap().kind(), MultiKind::Empty);
        for op in [OpCode::Multi, OpCode::SetAcl, OpCode::Sync, OpCode::CloseSession] {
            let mut body = Vec::new();
            header(op.code(), false, &mut body);
            header(-1, true, &mut body);
            assert!(MultiOps::decode(&body).is_err(), "{op}");
        }
    }
}
