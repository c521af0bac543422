//! What a simulated client asks for, and the bytes of it.
//!
//! Not here: when it asks (`client`), what must come of it (`judge`).

use ringkeeper::wire::{Acl, OpCode, perms};
use ringkeeper_engine::jute::Writer;

use super::watching::{Kind, Watching};

/// Where clients contend for a lock, and what they write to in turn.
pub(super) const LOCK: &str = "/lock";
pub(super) const SHARED: &str = "/shared";

/// The xid of `setWatches`, of every client library.
const SET_WATCHES_XID: i32 = -8;

const EPHEMERAL: i32 = 1;
const SEQUENTIAL: i32 = 2;

#[derive(Clone, Debug)]
pub(super) enum Op {
    /// Makes what everybody needs, or finds it made.
    CreateBase {
        path: String,
    },
    CreateChild {
        above: String,
        data: Vec<u8>,
    },
    CreateEphemeral {
        path: String,
    },
    Set {
        path: String,
        data: Vec<u8>,
    },
    Delete {
        path: String,
    },
    /// Several znodes at once. With a check of a version that no znode has, none of it.
    Multi {
        sets: Vec<String>,
        create: String,
        data: Vec<u8>,
        is_doomed: bool,
    },
    Get {
        path: String,
        watch: bool,
    },
    Children {
        path: String,
        watch: bool,
    },
    Sync,
    Ping,
    Lock,
    AddWatch {
        path: String,
        kind: Kind,
    },
    SetWatches {
        since: i64,
    },
    Close,
}

impl Op {
    pub(super) fn code(&self) -> OpCode {
        match self {
            Self::CreateBase { .. }
            | Self::CreateChild { .. }
            | Self::CreateEphemeral { .. }
            | Self::Lock => OpCode::Create,
            Self::Set { .. } => OpCode::SetData,
            Self::Delete { .. } => OpCode::Delete,
            Self::Multi { .. } => OpCode::Multi,
            Self::Get { .. } => OpCode::GetData,
            Self::Sync => OpCode::Sync,
            Self::Children { .. } => OpCode::GetChildren,
            Self::Ping => OpCode::Ping,
            Self::AddWatch { .. } => OpCode::AddWatch,
            Self::SetWatches { .. } => OpCode::SetWatches2,
            Self::Close => OpCode::CloseSession,
        }
    }

    pub(super) fn is_write(&self) -> bool {
        use OpCode::{CloseSession, Create, Delete, Multi, SetData};
        matches!(self.code(), Create | SetData | Delete | Multi | CloseSession)
    }

    /// The xid it travels under, where `next` is due.
    pub(super) fn xid(&self, next: i32) -> i32 {
        match self {
            Self::Ping => -2,
            Self::SetWatches { .. } => SET_WATCHES_XID,
            _ => next,
        }
    }

    /// The request record.
    pub(super) fn write(&self, watching: &Watching, body: &mut Vec<u8>) {
        match self {
            Self::CreateBase { path } => write_create(body, path, b"", 0),
            Self::CreateChild { above, data } => {
                write_create(body, &format!("{above}/n"), data, SEQUENTIAL);
            }
            Self::CreateEphemeral { path } => write_create(body, path, b"e", EPHEMERAL),
            Self::Lock => write_create(body, &format!("{LOCK}/n"), b"", EPHEMERAL | SEQUENTIAL),
            Self::Set { path, data } => write_set(body, path, data),
            Self::Delete { path } => write_path_and_int(body, path, -1),
            Self::Multi { sets, create, data, is_doomed } => {
                write_multi(body, sets, create, data, *is_doomed);
            }
            Self::Get { path, watch } | Self::Children { path, watch } => {
                Writer(body).ustring(path);
                Writer(body).bool(*watch);
            }
            Self::Sync => Writer(body).ustring(SHARED),
            Self::AddWatch { path, kind } => {
                write_path_and_int(body, path, i32::from(*kind == Kind::Recursive));
            }
            Self::SetWatches { since } => {
                Writer(body).long(*since);
                // There is no znode whose mere existence is watched.
                let lists = [Some(Kind::Data), None, Some(Kind::Child)];
                let modes = [Some(Kind::Persistent), Some(Kind::Recursive)];
                for kind in lists.into_iter().chain(modes) {
                    let paths: Vec<&str> = watching.paths(kind).collect();
                    Writer(body).count(paths.len());
                    paths.iter().for_each(|path| Writer(body).ustring(path));
                }
            }
            Self::Ping | Self::Close => {}
        }
    }
}

fn write_create(body: &mut Vec<u8>, path: &str, data: &[u8], flags: i32) {
    Writer(body).ustring(path);
    Writer(body).buffer(Some(data));
    Acl::encode_list(&[Acl::new(perms::ALL, "world", "anyone")], body);
    Writer(body).int(flags);
}

fn write_set(body: &mut Vec<u8>, path: &str, data: &[u8]) {
    let mut writer = Writer(body);
    writer.ustring(path);
    writer.buffer(Some(data));
    writer.int(-1);
}

fn write_path_and_int(body: &mut Vec<u8>, path: &str, int: i32) {
    Writer(body).ustring(path);
    Writer(body).int(int);
}

fn write_multi(body: &mut Vec<u8>, sets: &[String], create: &str, data: &[u8], is_doomed: bool) {
    let head = |body: &mut Vec<u8>, code: i32, is_last: bool| {
        let mut writer = Writer(body);
        writer.int(code);
        writer.bool(is_last);
        writer.int(-1);
    };
    for path in sets {
        head(body, OpCode::SetData.code(), false);
        write_set(body, path, data);
    }
    head(body, OpCode::Create.code(), false);
    write_create(body, create, data, 0);
    if is_doomed {
        head(body, OpCode::Check.code(), false);
        write_path_and_int(body, SHARED, i32::MAX);
    }
    head(body, -1, true);
}
