//! What the commands print: zkCli's text, or one JSON value.
//!
//! Not here: getting it (`command`).

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ringkeeper::admin::JavaDate;
use ringkeeper::wire::{Acl, AuthId, Stat};
use serde_json::{Value, json};

use super::acl;
use super::hexdump::hexdump;

/// How `get` shows data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DataForm {
    Plain,
    Base64,
    Hex,
}

/// The outcome of a command that succeeded. A `Stat` is there where it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Nothing,
    Text(String),
    Created(String),
    Children {
        names: Vec<String>,
        stat: Option<Stat>,
    },
    /// Of `ls -R`, one a line.
    Paths(Vec<String>),
    /// Of `getEphemerals`.
    List(Vec<String>),
    Data {
        data: Option<Vec<u8>>,
        form: DataForm,
        stat: Option<Stat>,
    },
    Stat(Option<Stat>),
    Acl {
        acl: Vec<Acl>,
        stat: Option<Stat>,
    },
    Number(i32),
    Identities(Vec<AuthId>),
}

impl Answer {
    /// For standard output, with its newline.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Nothing | Self::Created(_) | Self::Stat(None) => String::new(),
            Self::Text(text) => format!("{text}\n"),
            Self::Children { names, stat } => format!("{}\n{}", list(names), stat_text(stat)),
            Self::List(names) => format!("{}\n", list(names)),
            Self::Paths(paths) => paths.iter().map(|path| format!("{path}\n")).collect(),
            Self::Data { data, form, stat } => {
                format!("{}\n{}", data_text(data.as_deref(), *form), stat_text(stat))
            }
            Self::Stat(stat) => stat_text(stat),
            Self::Acl { acl, stat } => {
                let entry = |acl: &Acl| {
                    let letters = acl::letters(acl.perms);
                    // Compat: the id ends its own line (`Id.toString`, 3.9.5).
                    format!("'{},'{}\n: {letters}\n", acl.scheme, acl.id)
                };
                acl.iter().map(entry).collect::<String>() + &stat_text(stat)
            }
            Self::Number(number) => format!("{number}\n"),
            Self::Identities(ids) => {
                let lines = ids.iter().map(|id| format!("{}: {}\n", id.scheme, id.id));
                format!("Auth scheme: User\n{}", lines.collect::<String>())
            }
        }
    }

    /// For standard error, after the text.
    ///
    /// Compat: zkCli says there what it created (`CreateCommand.exec`, 3.9.5).
    pub(super) fn remark(&self) -> Option<String> {
        match self {
            Self::Created(path) => Some(format!("Created {path}")),
            _ => None,
        }
    }

    pub(super) fn json(&self) -> Value {
        match self {
            Self::Nothing => json!({}),
            Self::Text(text) => json!({ "text": text }),
            Self::Created(path) => json!({ "created": path }),
            Self::Children { names, stat } => with_stat(json!({ "children": names }), stat),
            Self::Paths(paths) | Self::List(paths) => json!({ "paths": paths }),
            Self::Data { data, stat, .. } => with_stat(data_json(data.as_deref()), stat),
            Self::Stat(stat) => with_stat(json!({}), stat),
            Self::Acl { acl, stat } => {
                let entry = |acl: &Acl| {
                    let perms = acl::letters(acl.perms);
                    json!({ "scheme": acl.scheme, "id": acl.id, "perms": perms })
                };
                with_stat(json!({ "acl": acl.iter().map(entry).collect::<Vec<_>>() }), stat)
            }
            Self::Number(number) => json!({ "number": number }),
            Self::Identities(ids) => {
                let entry = |id: &AuthId| json!({ "scheme": id.scheme, "user": id.id });
                json!({ "identities": ids.iter().map(entry).collect::<Vec<_>>() })
            }
        }
    }
}

fn list(names: &[String]) -> String {
    format!("[{}]", names.join(", "))
}

fn data_text(data: Option<&[u8]>, form: DataForm) -> String {
    // Compat: null data prints as the word, in any form (`GetCommand.exec`, 3.9.5).
    let data = data.unwrap_or(b"null");
    match form {
        DataForm::Plain => String::from_utf8_lossy(data).into_owned(),
        DataForm::Base64 => BASE64.encode(data),
        DataForm::Hex => hexdump(data),
    }
}

fn data_json(data: Option<&[u8]>) -> Value {
    match data.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
        None => json!({ "data": null }),
        Some((_, Ok(text))) => json!({ "data": text }),
        Some((bytes, Err(_))) => json!({ "data_base64": BASE64.encode(bytes) }),
    }
}

fn stat_text(stat: &Option<Stat>) -> String {
    let Some(stat) = stat else { return String::new() };
    let mut out = String::new();
    let mut put = |key: &str, value: &dyn std::fmt::Display| {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{key} = {value}");
    };
    put("cZxid", &format_args!("{:#x}", stat.czxid));
    put("ctime", &JavaDate(stat.ctime));
    put("mZxid", &format_args!("{:#x}", stat.mzxid));
    put("mtime", &JavaDate(stat.mtime));
    put("pZxid", &format_args!("{:#x}", stat.pzxid));
    put("cversion", &stat.cversion);
    put("dataVersion", &stat.version);
    put("aclVersion", &stat.aversion);
    put("ephemeralOwner", &format_args!("{:#x}", stat.ephemeral_owner));
    put("dataLength", &stat.data_length);
    put("numChildren", &stat.num_children);
    out
}

fn with_stat(mut value: Value, stat: &Option<Stat>) -> Value {
    if let Some(stat) = stat {
        value["stat"] = json!({
            "czxid": format!("{:#x}", stat.czxid),
            "mzxid": format!("{:#x}", stat.mzxid),
            "pzxid": format!("{:#x}", stat.pzxid),
            "ctime": stat.ctime,
            "mtime": stat.mtime,
            "version": stat.version,
            "cversion": stat.cversion,
            "aversion": stat.aversion,
            "ephemeralOwner": format!("{:#x}", stat.ephemeral_owner),
            "dataLength": stat.data_length,
            "numChildren": stat.num_children,
        });
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: Stat = Stat {
        czxid: 0x1_0000_0002,
        mzxid: 0x1_0000_0003,
        ctime: 1_795_188_646_000,
        mtime: 1_795_188_646_000,
        version: 1,
        cversion: 0,
        aversion: 0,
        ephemeral_owner: 0,
        data_length: 2,
        num_children: 0,
        pzxid: 0x1_0000_0002,
    };

    #[test]
    fn texts_are_zkclis() {
        let check = |answer: Answer, expected: &str| assert_eq!(answer.text(), expected);
        let names = vec!["a".to_owned(), "b".to_owned()];
        check(Answer::Children { names: names.clone(), stat: None }, "[a, b]\n");
        check(Answer::Paths(names), "a\nb\n");
        let data = |data: Option<&[u8]>, form| Answer::Data {
            data: data.map(<[u8]>::to_vec),
            form,
            stat: None,
        };
        check(data(None, DataForm::Plain), "null\n");
        check(data(Some(b"hi"), DataForm::Plain), "hi\n");
        check(data(Some(b"hi"), DataForm::Base64), "aGk=\n");
        let acl = vec![Acl::new(31, "world", "anyone")];
        check(Answer::Acl { acl, stat: None }, "'world,'anyone\n: cdrwa\n");
        let id = AuthId::new("ip", "127.0.0.1");
        check(Answer::Identities(vec![id]), "Auth scheme: User\nip: 127.0.0.1\n");
        assert_eq!(Answer::Created("/a".into()).remark().as_deref(), Some("Created /a"));
    }

    #[test]
    fn a_stat_is_printed_in_zkclis_order() {
        let expected = "cZxid = 0x100000002\n\
            ctime = Fri Nov 20 15:30:46 UTC 2026\n\
            mZxid = 0x100000003\n\
            mtime = Fri Nov 20 15:30:46 UTC 2026\n\
            pZxid = 0x100000002\n\
            cversion = 0\n\
            dataVersion = 1\n\
            aclVersion = 0\n\
            ephemeralOwner = 0x0\n\
            dataLength = 2\n\
            numChildren = 0\n";
        assert_eq!(Answer::Stat(Some(STAT)).text(), expected);
    }

    #[test]
    fn json_tells_null_text_and_bytes_apart() {
        let json = |data: Option<&[u8]>| {
            let data = data.map(<[u8]>::to_vec);
            Answer::Data { data, form: DataForm::Plain, stat: None }.json().to_string()
        };
        assert_eq!(json(None), r#"{"data":null}"#);
        assert_eq!(json(Some(b"hi")), r#"{"data":"hi"}"#);
        assert_eq!(json(Some(&[0xff])), r#"{"data_base64":"/w=="}"#);
        assert_eq!(Answer::Stat(Some(STAT)).json()["stat"]["czxid"], "0x100000002");
    }
}
