//! Taking up watches after a reconnect: what was missed is told, the rest is watched again.

use ringkeeper_engine::jute::Reader;

use super::Database;
use super::read::malformed;
use crate::watch::{ConnId, Mode, Table, Watches};
use crate::wire::{ErrorCode, EventKind, OpCode, SetWatches, WatcherEvent};

impl Database {
    /// `setWatches` and `setWatches2`. Events go to `tell` in the order of the lists, all before
    /// the answer, which has no body.
    ///
    /// Compat: a null path ends it with -5 where it stands; the events before it have gone out. All
    /// carry the zxid -1 and are not checked against access lists
    /// (`DataTree.setWatches`, 3.9.5).
    pub fn set_watches(
        &self,
        watches: &mut Watches,
        conn: ConnId,
        op: OpCode,
        body: &[u8],
        tell: &mut dyn FnMut(&WatcherEvent<'_>),
    ) -> ErrorCode {
        let asked = SetWatches::decode(op, &mut Reader::new(body)).map_err(malformed);
        let asked = match asked {
            Ok(asked) => asked,
            Err(refusal) => return refusal,
        };
        let since = asked.relative_zxid;
        let mut all_taken = true;
        let mut take = |path: &str, table: Table, missed: Option<EventKind>| match missed {
            Some(kind) => tell(&WatcherEvent { kind, path, zxid: -1 }),
            None => all_taken &= watches.add(conn, path, table, Mode::Standard),
        };
        for path in asked.data.iter() {
            let Some(path) = path else { return ErrorCode::MARSHALLING_ERROR };
            take(&path, Table::Data, self.missed_data(&path, since));
        }
        for path in asked.exist.iter() {
            let Some(path) = path else { return ErrorCode::MARSHALLING_ERROR };
            let missed = self.tree.find(&path).map(|_| EventKind::Created);
            take(&path, Table::Data, missed);
        }
        for path in asked.child.iter() {
            let Some(path) = path else { return ErrorCode::MARSHALLING_ERROR };
            take(&path, Table::Child, self.missed_children(&path, since));
        }
        let modes = [(asked.persistent, Mode::Persistent), (asked.recursive, Mode::Recursive)];
        for (list, mode) in modes {
            for path in list.into_iter().flat_map(|list| list.iter()) {
                let Some(path) = path else { return ErrorCode::MARSHALLING_ERROR };
                all_taken &= watches.add_mode(conn, &path, mode);
            }
        }
        if all_taken { ErrorCode::OK } else { ErrorCode::THROTTLED_OP }
    }

    fn missed_data(&self, path: &str, since: i64) -> Option<EventKind> {
        match self.tree.find(path) {
            None => Some(EventKind::Deleted),
            Some(id) => (self.tree.get(id).mzxid > since).then_some(EventKind::DataChanged),
        }
    }

    fn missed_children(&self, path: &str, since: i64) -> Option<EventKind> {
        match self.tree.find(path) {
            None => Some(EventKind::Deleted),
            Some(id) => (self.tree.get(id).pzxid > since).then_some(EventKind::ChildrenChanged),
        }
    }
}
