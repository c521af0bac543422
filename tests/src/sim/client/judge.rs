//! Answers held against what was decided: the zxid they carry says what they must be.
//!
//! Not here: watches (`watching`).

use ringkeeper::wire::{ErrorCode, OpCode, ReplyHeader, Stat};
use ringkeeper_engine::jute::{Reader, WireError};
use ringkeeper_engine::zxid::Zxid;

use super::op::Op;
use super::watching::Kind;
use super::{Client, Moment};
use crate::sim::model::Origin;

impl Client {
    /// An answer to `op`, which was sent with `cxid` when a write of zxid `floor` had been
    /// acknowledged to somebody.
    pub(super) fn judge(
        &mut self,
        op: &Op,
        (cxid, floor): (i32, i64),
        header: &ReplyHeader,
        reader: &mut Reader<'_>,
        at: &mut Moment<'_>,
    ) -> Result<(), String> {
        let zxid = Zxid(header.zxid);
        if zxid > at.model.last() {
            return Err(format!("{op:?} is answered at {zxid:?}, before it is decided (P1)"));
        }
        if header.zxid < self.sync_floor {
            return Err(format!("{op:?} at {zxid:?} after a sync to {:#x} (P10)", self.sync_floor));
        }
        if op.is_write() {
            let origin = Origin { session: self.session, cxid };
            if at.model.origin(zxid) != Some(origin) {
                let found = at.model.origin(zxid);
                return Err(format!("{op:?} answered at {zxid:?}, which is {found:?}'s (P3)"));
            }
            if header.zxid <= floor {
                return Err(format!("{op:?} at {zxid:?}, asked for after {floor:#x} (P3)"));
            }
            *at.acked = header.zxid.max(*at.acked);
        }
        self.acked += u64::from(op.is_write() && header.err == ErrorCode::OK);
        let judged = self.judge_body(op, header, reader, at).map_err(|error| error.to_string())?;
        judged.map_err(|why| format!("{op:?} at {zxid:?}, {:?}: {why}", header.err))?;
        if let Op::Sync = op
            && at.is_current
        {
            if header.zxid < floor {
                return Err(format!("synced to {zxid:?}, {floor:#x} was acknowledged (P10)"));
            }
            self.sync_floor = self.sync_floor.max(floor);
        }
        Ok(())
    }

    /// A write, or a refusal.
    fn judge_body(
        &mut self,
        op: &Op,
        header: &ReplyHeader,
        reader: &mut Reader<'_>,
        at: &Moment<'_>,
    ) -> Result<Result<(), String>, WireError> {
        let (zxid, is_ok) = (Zxid(header.zxid), header.err == ErrorCode::OK);
        let data_of = |path: &str| at.model.at(path, zxid).map(|znode| znode.data.as_slice());
        let is_there = |path: &str| at.model.at(path, zxid).is_some();
        Ok(match op {
            Op::CreateBase { path } => {
                let is_known = is_ok || header.err == ErrorCode::NODE_EXISTS;
                holds(is_known && is_there(path), "made, or there")
            }
            Op::CreateEphemeral { path } if is_ok => holds(is_there(path), "made (P2)"),
            Op::CreateChild { data, .. } if is_ok => {
                let path = reader.ustring("path")?.unwrap_or_default().into_owned();
                let is_right = data_of(&path) == Some(data);
                self.children.push(path);
                holds(is_right, "made with this data (P2)")
            }
            Op::Lock if is_ok => {
                let path = reader.ustring("path")?.unwrap_or_default().into_owned();
                let is_right = is_there(&path);
                self.lock = Some(path);
                holds(is_right, "made (P2)")
            }
            Op::Set { path, data } if is_ok => {
                holds(data_of(path) == Some(data), "set to this data (P2)")
            }
            Op::Delete { path } if is_ok => holds(!is_there(path), "gone (P2)"),
            Op::Delete { path } if header.err == ErrorCode::NO_NODE => {
                holds(!is_there(path), "there no more (P5)")
            }
            Op::Multi { sets, create, data, is_doomed } if is_ok => {
                let is_granted = reader.int("type")? == OpCode::SetData.code();
                let has_all = data_of(create) == Some(data)
                    && sets.iter().all(|path| data_of(path) == Some(data));
                let is_right = if is_granted { has_all && !is_doomed } else { !is_there(create) };
                holds(is_right, "all of it, or nothing (P11)")
            }
            Op::Close => Ok(()),
            _ if is_ok => return self.judge_read(op, zxid, reader, at),
            // What is not there, was not there. Whatever else is refused says nothing.
            Op::Get { path, .. } | Op::Children { path, .. } => {
                holds(!is_there(path), "found (P5)")
            }
            _ => Ok(()),
        })
    }

    /// An answer that is not refused.
    fn judge_read(
        &mut self,
        op: &Op,
        zxid: Zxid,
        reader: &mut Reader<'_>,
        at: &Moment<'_>,
    ) -> Result<Result<(), String>, WireError> {
        Ok(match op {
            Op::Get { path, watch } => {
                let data = reader.buffer("data")?;
                let stat = Stat::decode(reader)?;
                let znode = at.model.at(path, zxid);
                let found = znode.map(|znode| (znode.data.as_slice(), znode.version));
                if *watch {
                    self.watching.add(path, Kind::Data, zxid, at.model);
                }
                holds(found == Some((data.unwrap_or_default(), stat.version)), "as it was (P5)")
            }
            Op::Children { path, watch } => {
                let count = reader.count("children")?.unwrap_or_default();
                let mut found = Vec::new();
                for _ in 0..count {
                    found.push(reader.ustring("child")?.unwrap_or_default().into_owned());
                }
                found.sort_unstable();
                let expected = at.model.children_at(path, zxid);
                if *watch {
                    self.watching.add(path, Kind::Child, zxid, at.model);
                }
                holds(found == expected, "the children it had (P5)")
            }
            Op::AddWatch { path, kind } => {
                self.watching.add(path, *kind, zxid, at.model);
                Ok(())
            }
            Op::SetWatches { .. } => self.watching.resumed(zxid, at.model),
            _ => Ok(()),
        })
    }
}

fn holds(condition: bool, what: &str) -> Result<(), String> {
    if condition { Ok(()) } else { Err(format!("should be {what}")) }
}
