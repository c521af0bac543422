//! One txn as zkTxnLogToolkit prints it.
//!
//! Compat: fields of jute records stand as their `toString` has them, with its apostrophes and
//! braces (`TxnLogToolkit.getFormattedTxnStr`, 3.9.5). The parts of a multi are spelled out, as in
//! versions after that one.
//!
//! Not here: which txns.

use std::fmt::Write as _;

use ringkeeper::admin::JavaShortDate;
use ringkeeper::txn::{Create, CreateKind, Txn, TxnHeader};
use ringkeeper::wire::Acls;

pub(super) fn of(header: &TxnHeader, txn: &Txn<'_>) -> String {
    format!(
        "{} session {} cxid {:#x} zxid {} {} {}",
        JavaShortDate(header.time),
        header.session,
        header.cxid,
        header.zxid,
        header.kind.name(),
        body(txn)
    )
}

fn body(txn: &Txn<'_>) -> String {
    match txn {
        Txn::Create(created) => create(created),
        Txn::Delete { path } => format!("'{path}"),
        Txn::SetData { path, data, version } => format!("{path},{},{version}", text(*data)),
        Txn::SetAcl { path, acl, version } => format!("'{path},v{{{}}},{version}", acls(acl, "")),
        Txn::Check { path, version } => format!("{path},{version}"),
        Txn::Multi(multi) => {
            let parts = multi.iter().map(|sub| format!("{}:{}", sub.kind.name(), body(&sub.txn)));
            parts.collect::<Vec<_>>().join(";")
        }
        Txn::CreateSession { timeout_ms } => timeout_ms.to_string(),
        Txn::CloseSession { paths: None } => String::new(),
        Txn::CloseSession { paths: Some(paths) } => {
            let paths = paths.iter().flatten().map(|path| format!("'{path}"));
            format!("v{{{}}}", paths.collect::<Vec<_>>().join(","))
        }
        Txn::Error { code } => code.code().to_string(),
    }
}

fn create(create: &Create<'_>) -> String {
    let (path, data, version) = (&create.path, text(create.data), create.parent_cversion);
    let acl = format!("[{}]", acls(&create.acl, "\n"));
    match create.kind {
        CreateKind::Persistent => format!("{path},{data},{acl},false,{version}"),
        CreateKind::Ephemeral => format!("{path},{data},{acl},true,{version}"),
        CreateKind::Container => format!("{path},{data},{acl},{version}"),
        CreateKind::Ttl(ms) => format!("{path},{data},{acl},{version},{ms}"),
    }
}

/// Entries as `perms,s{'scheme,'id}`; in a create's list each ends its line, in a record's not.
fn acls(acls: &Acls<'_>, end: &str) -> String {
    let mut out = String::new();
    for (index, acl) in acls.iter().enumerate() {
        let (scheme, id) = (acl.scheme.unwrap_or_default(), acl.id.unwrap_or_default());
        let (before, open, close) = match end {
            "" => (if index > 0 { "," } else { "" }, "s{", "}"),
            _ => (if index > 0 { ", " } else { "" }, "", ""),
        };
        // Writing to a String cannot fail.
        let _ = write!(out, "{before}{open}{},s{{'{scheme},'{id}}}{end}{close}", acl.perms);
    }
    out
}

fn text(data: Option<&[u8]>) -> String {
    String::from_utf8_lossy(data.unwrap_or_default()).into_owned()
}
