//! Requests that are answered from this server's tree alone.
//!
//! Not here: `setWatches`, which answers with events (`set_watches`); whether the request's turn
//! has come (`frontend`).

use ringkeeper_engine::jute::{Reader, WireError, Writer};

use super::Database;
use crate::acl::{AclRules, mask_digests};
use crate::auth::{AuthOptions, encode_client_infos};
use crate::tree::ZnodeId;
use crate::watch::{ConnId, Mode, Table, WatcherType, Watches};
use crate::wire::{
    Acl, AuthId, ErrorCode, MultiOp, MultiOps, OpCode, PathRequest, SessionId, WatchRequest,
    WatchableRequest, multi_end, multi_error, multi_header, perms,
};

/// Who asks.
#[derive(Clone, Copy)]
pub struct Asker<'a> {
    pub conn: ConnId,
    pub session: SessionId,
    pub ids: &'a [AuthId],
    pub rules: &'a AclRules,
    pub auth: &'a AuthOptions,
}

/// What one multiRead may answer in all. A frame of paths can name far more data than it has bytes.
const MULTI_READ_BYTES_MAX: usize = 16 << 20;

type Answer = Result<(), ErrorCode>;

impl Database {
    /// Answers one read: appends the body and says which code the header carries. A watch that the
    /// request asks for is left.
    ///
    /// A refusal has no body, but for a multiRead's.
    pub fn read(
        &self,
        watches: &mut Watches,
        asker: &Asker<'_>,
        op: OpCode,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> ErrorCode {
        let start = out.len();
        let mut reading = Reading { db: self, watches, asker, out };
        if op == OpCode::MultiRead {
            return reading.multi_read(body);
        }
        match reading.answer(op, body) {
            Ok(()) => ErrorCode::OK,
            Err(refusal) => {
                out.truncate(start);
                refusal
            }
        }
    }
}

/// One read being answered.
struct Reading<'a> {
    db: &'a Database,
    watches: &'a mut Watches,
    asker: &'a Asker<'a>,
    out: &'a mut Vec<u8>,
}

impl Reading<'_> {
    fn answer(&mut self, op: OpCode, body: &[u8]) -> Answer {
        let mut reader = Reader::new(body);
        match op {
            OpCode::Exists => self.exists(&mut reader),
            OpCode::GetData => {
                let (path, watch) = watchable(&mut reader)?;
                self.get_data(&path, watch)
            }
            OpCode::GetAcl => self.get_acl(&mut reader),
            OpCode::GetChildren => {
                let (path, watch) = watchable(&mut reader)?;
                self.get_children(&path, watch).map(drop)
            }
            OpCode::GetChildren2 => {
                let (path, watch) = watchable(&mut reader)?;
                let id = self.get_children(&path, watch)?;
                self.db.tree.stat(id).encode(self.out);
                Ok(())
            }
            OpCode::Sync => {
                let request = PathRequest::decode(&mut reader).map_err(malformed)?;
                Writer(self.out).ustring_or_null(request.path.as_deref());
                Ok(())
            }
            OpCode::GetEphemerals => self.get_ephemerals(&mut reader),
            OpCode::GetAllChildrenNumber => self.get_all_children_number(&mut reader),
            OpCode::WhoAmI => {
                encode_client_infos(self.asker.ids, self.asker.auth, self.out);
                Ok(())
            }
            OpCode::CheckWatches | OpCode::RemoveWatches => self.watches_of(op, &mut reader),
            OpCode::AddWatch => self.add_watch(&mut reader),
            OpCode::Ping => Ok(()),
            _ => Err(ErrorCode::UNIMPLEMENTED),
        }
    }

    /// Compat: an absent znode may be watched, and needs no permission; a NUL in the path is
    /// refused here alone (`FinalRequestProcessor`, 3.9.5).
    fn exists(&mut self, reader: &mut Reader<'_>) -> Answer {
        let (path, watch) = watchable(reader)?;
        if path.contains('\0') {
            return Err(ErrorCode::BAD_ARGUMENTS);
        }
        let id = self.db.tree.find(&path);
        if let Some(id) = id {
            self.permit(id, perms::READ)?;
        }
        self.leave_watch(&path, Table::Data, watch)?;
        let id = id.ok_or(ErrorCode::NO_NODE)?;
        self.db.tree.stat(id).encode(self.out);
        Ok(())
    }

    fn get_data(&mut self, path: &str, watch: bool) -> Answer {
        let id = self.readable(path)?;
        self.leave_watch(path, Table::Data, watch)?;
        Writer(self.out).buffer(self.db.tree.data(id));
        self.db.tree.stat(id).encode(self.out);
        Ok(())
    }

    fn get_children(&mut self, path: &str, watch: bool) -> Result<ZnodeId, ErrorCode> {
        let id = self.readable(path)?;
        self.leave_watch(path, Table::Child, watch)?;
        let names = self.db.tree.children(id);
        let mut writer = Writer(self.out);
        writer.count(names.len());
        names.for_each(|name| writer.ustring(name));
        Ok(id)
    }

    /// Who may not change the list sees it without the digests in it (CVE-2019-0201).
    fn get_acl(&mut self, reader: &mut Reader<'_>) -> Answer {
        let path = path(reader)?;
        let id = self.db.tree.find(&path).ok_or(ErrorCode::NO_NODE)?;
        self.permit(id, perms::READ | perms::ADMIN)?;
        let list = self.db.acls.list(self.db.tree.get(id).acl);
        if self.permit(id, perms::ADMIN).is_ok() {
            Acl::encode_list(list, self.out);
        } else {
            Acl::encode_list(&mask_digests(list), self.out);
        }
        self.db.tree.stat(id).encode(self.out);
        Ok(())
    }

    /// Compat: the prefix is compared as text, not component by component
    /// (`FinalRequestProcessor`, 3.9.5).
    fn get_ephemerals(&mut self, reader: &mut Reader<'_>) -> Answer {
        let request = PathRequest::decode(reader).map_err(malformed)?;
        let prefix = request.path.as_deref().unwrap_or_default();
        let trimmed = prefix.trim_matches(|c: char| c <= ' ');
        let takes_all = trimmed.is_empty() || trimmed == "/";
        let at = self.out.len();
        Writer(self.out).count(0);
        let mut count = 0;
        let mut path = String::new();
        for id in self.db.tree.ephemerals(self.asker.session.0) {
            path.clear();
            self.db.tree.path_into(id, &mut path);
            if takes_all || path.starts_with(prefix) {
                Writer(self.out).ustring(&path);
                count += 1;
            }
        }
        Writer(self.out).patch_int(at, count);
        Ok(())
    }

    /// Compat: "" also counts the root under its other name (`DataTree.getAllChildrenNumber`,
    /// 3.9.5).
    fn get_all_children_number(&mut self, reader: &mut Reader<'_>) -> Answer {
        let path = path(reader)?;
        let id = self.readable(&path)?;
        let number = self.db.tree.descendants(id) + u64::from(path.is_empty());
        Writer(self.out).int(i32::try_from(number).unwrap_or(i32::MAX));
        Ok(())
    }

    fn watches_of(&mut self, op: OpCode, reader: &mut Reader<'_>) -> Answer {
        let request = WatchRequest::decode(reader).map_err(malformed)?;
        let kind = WatcherType::from_code(request.kind).ok_or(ErrorCode::MARSHALLING_ERROR)?;
        let path = request.path.as_deref().unwrap_or_default();
        let is_there = if op == OpCode::CheckWatches {
            self.watches.has(self.asker.conn, path, kind)
        } else {
            self.watches.remove(self.asker.conn, path, kind)
        };
        if is_there { Ok(()) } else { Err(ErrorCode::NO_WATCHER) }
    }

    /// Compat: neither path nor permission is looked at, not even whether there is a path
    /// (`DataTree.addWatch`, 3.9.5).
    fn add_watch(&mut self, reader: &mut Reader<'_>) -> Answer {
        let request = WatchRequest::decode(reader).map_err(malformed)?;
        let mode = Mode::from_code(request.kind).ok_or(ErrorCode::MARSHALLING_ERROR)?;
        let path = request.path.as_deref().unwrap_or_default();
        if !self.watches.add_mode(self.asker.conn, path, mode) {
            return Err(ErrorCode::THROTTLED_OP);
        }
        Writer(self.out).int(ErrorCode::OK.code());
        Ok(())
    }

    /// Each op fails alone; none leaves a watch.
    /// Compat: a list of writes, and a null path, are answered -5, followed by the results so far
    /// (`FinalRequestProcessor`, 3.9.5).
    fn multi_read(&mut self, body: &[u8]) -> ErrorCode {
        let Ok(ops) = MultiOps::decode(body) else { return ErrorCode::MARSHALLING_ERROR };
        let begin = self.out.len();
        let mut code = ErrorCode::OK;
        for op in ops.iter() {
            let start = self.out.len();
            multi_header(op.op().code(), self.out);
            let answer = match &op {
                MultiOp::GetData(Some(path)) => self.get_data(path, false),
                MultiOp::GetChildren(Some(path)) => self.get_children(path, false).map(drop),
                _ => {
                    self.out.truncate(start);
                    code = ErrorCode::MARSHALLING_ERROR;
                    break;
                }
            };
            if let Err(refusal) = answer {
                self.out.truncate(start);
                multi_error(refusal, self.out);
            }
            if self.out.len() > begin + MULTI_READ_BYTES_MAX {
                self.out.truncate(begin);
                return ErrorCode::BAD_ARGUMENTS;
            }
        }
        multi_end(self.out);
        code
    }

    fn readable(&self, path: &str) -> Result<ZnodeId, ErrorCode> {
        let id = self.db.tree.find(path).ok_or(ErrorCode::NO_NODE)?;
        self.permit(id, perms::READ)?;
        Ok(id)
    }

    fn permit(&self, id: ZnodeId, wanted: i32) -> Answer {
        self.db.list_permits(self.db.tree.get(id).acl, wanted, self.asker)
    }

    fn leave_watch(&mut self, path: &str, table: Table, watch: bool) -> Answer {
        if !watch || self.watches.add(self.asker.conn, path, table, Mode::Standard) {
            Ok(())
        } else {
            Err(ErrorCode::THROTTLED_OP)
        }
    }
}

pub(super) fn malformed(_: WireError) -> ErrorCode {
    ErrorCode::MARSHALLING_ERROR
}

/// Compat: a null path is a malformed request to every read that looks for a znode (3.9.5).
fn path<'a>(reader: &mut Reader<'a>) -> Result<std::borrow::Cow<'a, str>, ErrorCode> {
    let request = PathRequest::decode(reader).map_err(malformed)?;
    request.path.ok_or(ErrorCode::MARSHALLING_ERROR)
}

fn watchable<'a>(reader: &mut Reader<'a>) -> Result<(std::borrow::Cow<'a, str>, bool), ErrorCode> {
    let request = WatchableRequest::decode(reader).map_err(malformed)?;
    Ok((request.path.ok_or(ErrorCode::MARSHALLING_ERROR)?, request.watch))
}
