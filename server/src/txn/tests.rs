//! Txns read back, old forms, and bytes that are none.

use ringkeeper_engine::jute::{Reader, Writer};
use ringkeeper_engine::zxid::Zxid;

use super::*;
use crate::wire::Acl;

fn header(kind: OpCode) -> TxnHeader {
    TxnHeader { session: SessionId(0x51), cxid: 3, zxid: Zxid(0x1_0000_0004), time: 99, kind }
}

fn open_acl() -> Vec<u8> {
    let mut encoded = Vec::new();
    Acl::encode_list(&[Acl::new(31, "world", "anyone")], &mut encoded);
    encoded
}

fn acls(encoded: &[u8]) -> Acls<'_> {
    Acls::decode(&mut Reader::new(encoded)).unwrap()
}

fn create<'a>(path: &'a str, acl: &'a [u8], kind: CreateKind) -> Txn<'a> {
    let data = Some(&b"data"[..]);
    Txn::Create(Create { path: path.into(), data, acl: acls(acl), kind, parent_cversion: 7 })
}

/// Encodes, decodes, encodes again: the same bytes, the same text.
fn round_trip(kind: OpCode, txn: &Txn<'_>, digest: Option<TxnDigest>) -> Vec<u8> {
    let mut bytes = Vec::new();
    header(kind).encode(&mut bytes);
    txn.encode(&mut bytes);
    if let Some(digest) = digest {
        digest.encode(&mut bytes);
    }
    let (head, read, found) = decode(&bytes).unwrap();
    assert_eq!((head, found), (header(kind), digest));
    let mut again = Vec::new();
    head.encode(&mut again);
    read.encode(&mut again);
    assert_eq!(again, bytes[..again.len()]);
    assert_eq!(bytes.len() - again.len(), digest.map_or(0, |_| TxnDigest::BYTES));
    bytes
}

fn samples(acl: &[u8]) -> Vec<(OpCode, Txn<'_>)> {
    vec![
        (OpCode::Create, create("/a", acl, CreateKind::Persistent)),
        (OpCode::Create2, create("/a", acl, CreateKind::Ephemeral)),
        (OpCode::CreateContainer, create("/a", acl, CreateKind::Container)),
        (OpCode::CreateTtl, create("/a", acl, CreateKind::Ttl(5))),
        (OpCode::Delete, Txn::Delete { path: "/a".into() }),
        (OpCode::DeleteContainer, Txn::Delete { path: "/a".into() }),
        (OpCode::SetData, Txn::SetData { path: "/a".into(), data: None, version: 2 }),
        (OpCode::Reconfig, Txn::SetData { path: "/a".into(), data: Some(b""), version: -1 }),
        (OpCode::SetAcl, Txn::SetAcl { path: "/a".into(), acl: acls(acl), version: 1 }),
        (OpCode::CreateSession, Txn::CreateSession { timeout_ms: 30_000 }),
        (OpCode::CloseSession, Txn::CloseSession { paths: None }),
        (OpCode::Error, Txn::Error { code: ErrorCode::NO_NODE }),
    ]
}

#[test]
fn every_txn_reads_back_with_and_without_a_digest() {
    let acl = open_acl();
    let digest = TxnDigest { version: 2, tree: TreeDigest(-5) };
    for (kind, txn) in samples(&acl) {
        round_trip(kind, &txn, None);
        round_trip(kind, &txn, Some(digest));
    }
}

#[test]
fn a_session_txn_has_the_bytes_java_sends() {
    let mut bytes = Vec::new();
    let header = TxnHeader {
        session: SessionId(0x0200_002f_fc26_0001),
        cxid: 0,
        zxid: Zxid(0x1_0000_0004),
        time: 0x01a1_f989_efaa,
        kind: OpCode::CreateSession,
    };
    header.encode(&mut bytes);
    Txn::CreateSession { timeout_ms: 30_000 }.encode(&mut bytes);
    TxnDigest { version: 2, tree: TreeDigest(0x2_3d35_a2fd) }.encode(&mut bytes);
    let expected = "0200002ffc260001000000000000000100000004000001a1f989efaafffffff6\
                    0000753000000002000000023d35a2fd";
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, expected);
}

/// Compat: `CreateTxnV0`, before 3.4.
#[test]
fn the_oldest_create_says_nothing_of_its_parent() {
    let acl = open_acl();
    let mut bytes = Vec::new();
    header(OpCode::Create).encode(&mut bytes);
    create("/a", &acl, CreateKind::Ephemeral).encode(&mut bytes);
    bytes.truncate(bytes.len() - 4);
    let (_, txn, digest) = decode(&bytes).unwrap();
    let Txn::Create(create) = txn else { panic!("{txn:?}") };
    assert_eq!((create.parent_cversion, create.kind), (-1, CreateKind::Ephemeral));
    assert_eq!(digest, None);
}

/// Compat: `SerializeUtils.deserializeTxn`, 3.9.5.
#[test]
fn a_closed_session_lists_its_ephemerals_or_does_not() {
    let mut list = Vec::new();
    Writer(&mut list).count(2);
    Writer(&mut list).ustring("/a");
    Writer(&mut list).ustring("/b");
    let paths = Strings::decode(&mut Reader::new(&list), "paths").unwrap();
    let digest = TxnDigest { version: 2, tree: TreeDigest(1) };
    for digest in [None, Some(digest)] {
        let bytes = round_trip(OpCode::CloseSession, &Txn::CloseSession { paths }, digest);
        let Txn::CloseSession { paths: Some(read) } = decode(&bytes).unwrap().1 else { panic!() };
        let read: Vec<_> = read.iter().map(|path| path.unwrap().into_owned()).collect();
        assert_eq!(read, ["/a", "/b"]);
    }
}

fn multi(failing: bool) -> Vec<u8> {
    let acl = open_acl();
    let mut bytes = Vec::new();
    header(OpCode::Multi).encode(&mut bytes);
    let mut writer = MultiWriter::begin(&mut bytes);
    let create = create("/a", &acl, CreateKind::Persistent);
    writer.push(OpCode::Create, &mut bytes, |out| create.encode(out));
    let check = Txn::Check { path: "/b".into(), version: 1 };
    writer.push(OpCode::Check, &mut bytes, |out| check.encode(out));
    if failing {
        let error = Txn::Error { code: ErrorCode::BAD_VERSION };
        writer.push(OpCode::Error, &mut bytes, |out| error.encode(out));
    }
    writer.finish(&mut bytes);
    bytes
}

#[test]
fn a_multi_with_one_error_is_failed_as_a_whole() {
    for failing in [false, true] {
        let bytes = multi(failing);
        let (_, Txn::Multi(multi), _) = decode(&bytes).unwrap() else { panic!() };
        assert_eq!((multi.len(), multi.is_failed()), (2 + usize::from(failing), failing));
        let kinds: Vec<_> = multi.iter().map(|sub| sub.kind).collect();
        assert_eq!(kinds[..2], [OpCode::Create, OpCode::Check]);
        assert!(matches!(multi.iter().next().unwrap().txn, Txn::Create(_)));
    }
}

#[test]
fn a_multi_within_a_multi_is_none() {
    let mut bytes = Vec::new();
    header(OpCode::Multi).encode(&mut bytes);
    let mut writer = MultiWriter::begin(&mut bytes);
    writer.push(OpCode::Multi, &mut bytes, |out| Writer(out).int(0));
    writer.finish(&mut bytes);
    assert!(decode(&bytes).is_err());
}

#[test]
fn a_check_stands_in_a_multi_alone() {
    let mut bytes = Vec::new();
    header(OpCode::Check).encode(&mut bytes);
    Txn::Check { path: "/a".into(), version: 1 }.encode(&mut bytes);
    assert!(decode(&bytes).is_err());
}

/// X1 and X2.
#[test]
fn cut_and_bent_bytes_never_panic_and_what_is_accepted_can_be_walked() {
    let acl = open_acl();
    let mut whole: Vec<Vec<u8>> =
        samples(&acl).iter().map(|(kind, txn)| round_trip(*kind, txn, None)).collect();
    whole.push(multi(true));
    for bytes in whole {
        for at in 0..bytes.len() {
            walk(&bytes[..at]);
            for bent in [0x00, 0x7f, 0x80, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] = bent;
                walk(&bytes);
            }
        }
    }
}

fn walk(bytes: &[u8]) {
    match decode(bytes) {
        Ok((_, Txn::Multi(multi), _)) => assert_eq!(multi.iter().count(), multi.len()),
        Ok((_, Txn::CloseSession { paths: Some(paths) }, _)) => {
            assert_eq!(paths.iter().count(), paths.len());
        }
        Ok(_) | Err(_) => {}
    }
}

#[test]
fn the_path_ahead_is_a_hint_and_no_more() {
    let acl = open_acl();
    for (kind, txn) in samples(&acl) {
        let mut bytes = Vec::new();
        header(kind).encode(&mut bytes);
        txn.encode(&mut bytes);
        let is_of_a_path = matches!(
            txn,
            Txn::Create(_) | Txn::Delete { .. } | Txn::SetData { .. } | Txn::SetAcl { .. }
        );
        assert_eq!(path_ahead(&bytes), is_of_a_path.then_some(&b"/a"[..]), "{kind}");
        for cut in 0..bytes.len() {
            let _hint = path_ahead(&bytes[..cut]);
        }
    }
    for length in [-1, i32::MIN, i32::MAX, 3] {
        let mut bytes = vec![0; TxnHeader::BYTES];
        Writer(&mut bytes).int(length);
        bytes.extend_from_slice(b"/a");
        assert_eq!(path_ahead(&bytes), None);
    }
}
