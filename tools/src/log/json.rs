//! One txn as JSON.
//!
//! Not here: which txns.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ringkeeper::txn::{CreateKind, Txn, TxnDigest, TxnHeader};
use ringkeeper::wire::Acls;
use serde_json::{Map, Value, json};

pub(super) fn of(header: &TxnHeader, txn: &Txn<'_>, digest: Option<&TxnDigest>) -> Value {
    let mut value = json!({
        "zxid": header.zxid.to_string(),
        "time": header.time,
        "session": header.session.to_string(),
        "cxid": header.cxid,
        "type": header.kind.name(),
    });
    if let Some(digest) = digest {
        value["digest"] = json!(digest.tree.0.to_string());
    }
    if let (Value::Object(fields), Value::Object(more)) = (&mut value, body(txn)) {
        fields.extend(more);
    }
    value
}

fn body(txn: &Txn<'_>) -> Value {
    match txn {
        Txn::Create(create) => {
            let mut value = json!({
                "path": create.path,
                "acl": acls(&create.acl),
                "ephemeral": create.kind == CreateKind::Ephemeral,
                "parentCVersion": create.parent_cversion,
            });
            if let CreateKind::Ttl(ms) = create.kind {
                value["ttl"] = json!(ms);
            }
            with_data(value, create.data)
        }
        Txn::Delete { path } => json!({ "path": path }),
        Txn::SetData { path, data, version } => {
            with_data(json!({ "path": path, "version": version }), *data)
        }
        Txn::SetAcl { path, acl, version } => {
            json!({ "path": path, "acl": acls(acl), "version": version })
        }
        Txn::Check { path, version } => json!({ "path": path, "version": version }),
        Txn::Multi(multi) => {
            let part = |kind: &str, txn: &Txn<'_>| {
                let mut fields = Map::from_iter([("type".to_owned(), json!(kind))]);
                if let Value::Object(more) = body(txn) {
                    fields.extend(more);
                }
                Value::Object(fields)
            };
            let parts: Vec<Value> =
                multi.iter().map(|sub| part(sub.kind.name(), &sub.txn)).collect();
            json!({ "failed": multi.is_failed(), "txns": parts })
        }
        Txn::CreateSession { timeout_ms } => json!({ "timeout": timeout_ms }),
        Txn::CloseSession { paths } => {
            let paths: Option<Vec<_>> =
                paths.as_ref().map(|paths| paths.iter().flatten().collect());
            json!({ "paths": paths })
        }
        Txn::Error { code } => json!({ "code": code.code() }),
    }
}

fn acls(acls: &Acls<'_>) -> Vec<Value> {
    let entry = |acl: ringkeeper::wire::AclRef<'_>| json!({ "perms": acl.perms, "scheme": acl.scheme, "id": acl.id });
    acls.iter().map(entry).collect()
}

/// Text where it is text, else base64; null where it is null.
fn with_data(mut value: Value, data: Option<&[u8]>) -> Value {
    match data.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
        None => value["data"] = Value::Null,
        Some((_, Ok(text))) => value["data"] = json!(text),
        Some((bytes, Err(_))) => value["data_base64"] = json!(BASE64.encode(bytes)),
    }
    value
}
