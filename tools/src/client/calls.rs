//! The operations: a body out, an answer in.
//!
//! Paths are the caller's; the chroot is put before them on the way out and taken off on the way
//! back.
//!
//! Not here: sending and waiting (`shared`).

use ringkeeper::wire::{Acl, AuthId, ErrorCode, OpCode, Stat, is_valid_path, xid};
use ringkeeper_engine::jute::{Reader, WireError, Writer};

use super::error::ClientError;
use super::shared::Reply;
use super::watches::Watches;
use super::{Client, State};

/// How a znode is made (`CreateMode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreateMode {
    Persistent,
    Ephemeral,
    PersistentSequential,
    EphemeralSequential,
    Container,
    /// Goes when it has had no child and no change for so long.
    Ttl {
        ms: i64,
    },
    TtlSequential {
        ms: i64,
    },
}

impl CreateMode {
    fn op(self) -> OpCode {
        match self {
            Self::Container => OpCode::CreateContainer,
            Self::Ttl { .. } | Self::TtlSequential { .. } => OpCode::CreateTtl,
            _ => OpCode::Create,
        }
    }

    fn flags(self) -> i32 {
        match self {
            Self::Persistent => 0,
            Self::Ephemeral => 1,
            Self::PersistentSequential => 2,
            Self::EphemeralSequential => 3,
            Self::Container => 4,
            Self::Ttl { .. } => 5,
            Self::TtlSequential { .. } => 6,
        }
    }

    fn is_sequential(self) -> bool {
        matches!(
            self,
            Self::PersistentSequential | Self::EphemeralSequential | Self::TtlSequential { .. }
        )
    }
}

/// How an added watch behaves (`AddWatchMode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchMode {
    Persistent,
    PersistentRecursive,
}

/// Which watches to take away (`Watcher.WatcherType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchKind {
    Children = 1,
    Data = 2,
    Any = 3,
    Persistent = 4,
    PersistentRecursive = 5,
}

impl Client {
    /// Makes a znode; answers its path, which a sequential one learns only now.
    pub fn create(
        &self,
        path: &str,
        data: Option<&[u8]>,
        acl: &[Acl],
        mode: CreateMode,
    ) -> Result<String, ClientError> {
        // The server puts a number after it, so a path that ends in a slash may become a good one.
        let checked = if mode.is_sequential() { format!("{path}1") } else { path.to_owned() };
        let mut body = self.with_path(&checked)?;
        if mode.is_sequential() {
            body.clear();
            Writer(&mut body).ustring(&self.absolute(path));
        }
        Writer(&mut body).buffer(data);
        Acl::encode_list(acl, &mut body);
        Writer(&mut body).int(mode.flags());
        if let CreateMode::Ttl { ms } | CreateMode::TtlSequential { ms } = mode {
            Writer(&mut body).long(ms);
        }
        let reply = self.ask(mode.op(), &body, path)?;
        let created = required(Reader::new(&reply).ustring("path")?, "path")?;
        Ok(self.relative(&created))
    }

    /// `version` -1 is any.
    pub fn delete(&self, path: &str, version: i32) -> Result<(), ClientError> {
        let mut body = self.with_path(path)?;
        Writer(&mut body).int(version);
        self.ask(OpCode::Delete, &body, path).map(drop)
    }

    /// `None` where there is no such znode; a watch is set all the same.
    pub fn exists(&self, path: &str, watch: bool) -> Result<Option<Stat>, ClientError> {
        let mut body = self.with_path(path)?;
        Writer(&mut body).bool(watch);
        match self.ask(OpCode::Exists, &body, path) {
            Ok(reply) => {
                self.watched(path, watch, |watches| &mut watches.data);
                Ok(Some(Stat::decode(&mut Reader::new(&reply))?))
            }
            Err(error) if error.code() == Some(ErrorCode::NO_NODE) => {
                self.watched(path, watch, |watches| &mut watches.exist);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Data is `None` where it is null, which differs from empty.
    pub fn get(&self, path: &str, watch: bool) -> Result<(Option<Vec<u8>>, Stat), ClientError> {
        let mut body = self.with_path(path)?;
        Writer(&mut body).bool(watch);
        let reply = self.ask(OpCode::GetData, &body, path)?;
        self.watched(path, watch, |watches| &mut watches.data);
        let mut reader = Reader::new(&reply);
        let data = reader.buffer("data")?.map(<[u8]>::to_vec);
        Ok((data, Stat::decode(&mut reader)?))
    }

    pub fn set(&self, path: &str, data: &[u8], version: i32) -> Result<Stat, ClientError> {
        let mut body = self.with_path(path)?;
        Writer(&mut body).buffer(Some(data));
        Writer(&mut body).int(version);
        let reply = self.ask(OpCode::SetData, &body, path)?;
        Ok(Stat::decode(&mut Reader::new(&reply))?)
    }

    /// The children's names, in the server's order.
    pub fn children(&self, path: &str, watch: bool) -> Result<(Vec<String>, Stat), ClientError> {
        let mut body = self.with_path(path)?;
        Writer(&mut body).bool(watch);
        let reply = self.ask(OpCode::GetChildren2, &body, path)?;
        self.watched(path, watch, |watches| &mut watches.child);
        let mut reader = Reader::new(&reply);
        let children = strings(&mut reader, "children")?;
        Ok((children, Stat::decode(&mut reader)?))
    }

    pub fn acl(&self, path: &str) -> Result<(Vec<Acl>, Stat), ClientError> {
        let reply = self.ask(OpCode::GetAcl, &self.with_path(path)?, path)?;
        let mut reader = Reader::new(&reply);
        let acl = Acl::decode_list(&mut reader)?;
        Ok((acl, Stat::decode(&mut reader)?))
    }

    pub fn set_acl(&self, path: &str, acl: &[Acl], version: i32) -> Result<Stat, ClientError> {
        let mut body = self.with_path(path)?;
        Acl::encode_list(acl, &mut body);
        Writer(&mut body).int(version);
        let reply = self.ask(OpCode::SetAcl, &body, path)?;
        Ok(Stat::decode(&mut Reader::new(&reply))?)
    }

    /// Waits until this server has applied what the leader had decided.
    pub fn sync(&self, path: &str) -> Result<(), ClientError> {
        self.ask(OpCode::Sync, &self.with_path(path)?, path).map(drop)
    }

    /// Proves an identity to this server, and to every later one of the session.
    pub fn add_auth(&self, scheme: &str, auth: &[u8]) -> Result<(), ClientError> {
        let mut body = Vec::new();
        Writer(&mut body).int(0);
        Writer(&mut body).ustring(scheme);
        Writer(&mut body).buffer(Some(auth));
        good(self.shared.call_as(xid::AUTH, OpCode::Auth, &body)?, None)?;
        self.shared.lock().auths.push((scheme.to_owned(), auth.to_vec()));
        Ok(())
    }

    /// What this connection has proved.
    pub fn who_am_i(&self) -> Result<Vec<AuthId>, ClientError> {
        let reply = good(self.shared.call(OpCode::WhoAmI, &[])?, None)?;
        let mut reader = Reader::new(&reply);
        let count = reader.count("clientInfo")?.unwrap_or(0);
        let mut ids = Vec::new();
        for _ in 0..count {
            let scheme = reader.ustring("authScheme")?.unwrap_or_default().into_owned();
            let id = reader.ustring("user")?.unwrap_or_default().into_owned();
            ids.push(AuthId { scheme, id });
        }
        Ok(ids)
    }

    pub fn add_watch(&self, path: &str, mode: WatchMode) -> Result<(), ClientError> {
        let mut body = self.with_path(path)?;
        Writer(&mut body).int(i32::from(mode == WatchMode::PersistentRecursive));
        self.ask(OpCode::AddWatch, &body, path)?;
        self.watched(path, true, |watches| match mode {
            WatchMode::Persistent => &mut watches.persistent,
            WatchMode::PersistentRecursive => &mut watches.recursive,
        });
        Ok(())
    }

    pub fn remove_watches(&self, path: &str, kind: WatchKind) -> Result<(), ClientError> {
        let mut body = self.with_path(path)?;
        Writer(&mut body).int(kind as i32);
        self.ask(OpCode::RemoveWatches, &body, path)?;
        self.shared.lock().watches.forget(&self.absolute(path));
        Ok(())
    }

    /// This session's ephemerals whose path begins with `prefix`.
    pub fn ephemerals(&self, prefix: &str) -> Result<Vec<String>, ClientError> {
        let reply = self.ask(OpCode::GetEphemerals, &self.with_path(prefix)?, prefix)?;
        let paths = strings(&mut Reader::new(&reply), "ephemerals")?;
        Ok(paths.iter().map(|path| self.relative(path)).collect())
    }

    /// How many znodes are below `path`.
    pub fn descendants(&self, path: &str) -> Result<i32, ClientError> {
        let reply = self.ask(OpCode::GetAllChildrenNumber, &self.with_path(path)?, path)?;
        Ok(Reader::new(&reply).int("totalNumber")?)
    }

    pub(super) fn close_session(&self) {
        if self.shared.state() == State::Connected {
            self.shared.lock().is_closing = true;
            // The server closes the connection after its answer, or before: either is an end.
            let _ = self.shared.call(OpCode::CloseSession, &[]);
        }
    }

    fn ask(&self, op: OpCode, body: &[u8], path: &str) -> Result<Vec<u8>, ClientError> {
        good(self.shared.call(op, body)?, Some(path))
    }

    /// A body that begins with the path, as the server knows it.
    fn with_path(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        if !is_valid_path(path) {
            return Err(ClientError::BadPath(path.to_owned()));
        }
        let mut body = Vec::new();
        Writer(&mut body).ustring(&self.absolute(path));
        Ok(body)
    }

    fn absolute(&self, path: &str) -> String {
        match path {
            "/" if !self.chroot.is_empty() => self.chroot.clone(),
            _ => format!("{}{path}", self.chroot),
        }
    }

    fn relative(&self, path: &str) -> String {
        match path.strip_prefix(&self.chroot) {
            Some("") => "/".to_owned(),
            Some(rest) => rest.to_owned(),
            None => path.to_owned(),
        }
    }

    fn watched(
        &self,
        path: &str,
        watch: bool,
        set: impl Fn(&mut Watches) -> &mut std::collections::BTreeSet<String>,
    ) {
        if watch {
            set(&mut self.shared.lock().watches).insert(self.absolute(path));
        }
    }
}

fn good(reply: Reply, path: Option<&str>) -> Result<Vec<u8>, ClientError> {
    match reply.err {
        code if code.is_ok() => Ok(reply.body),
        ErrorCode::SESSION_EXPIRED => Err(ClientError::SessionExpired),
        code => Err(ClientError::Refused { code, path: path.map(str::to_owned) }),
    }
}

fn required<T>(value: Option<T>, field: &'static str) -> Result<T, WireError> {
    value.ok_or(WireError::Null { field })
}

fn strings(reader: &mut Reader<'_>, field: &'static str) -> Result<Vec<String>, WireError> {
    let count = reader.count(field)?.unwrap_or(0);
    let mut list = Vec::new();
    for _ in 0..count {
        list.push(required(reader.ustring(field)?, field)?.into_owned());
    }
    Ok(list)
}
