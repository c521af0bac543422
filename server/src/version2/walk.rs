//! The txns after a snapshot, in order, from as many logs as it takes.
//!
//! Not here: one file (`txn_log`), what is done with them (`survey`, `import`).

use std::collections::VecDeque;

use ringkeeper_engine::limits::PACKET_BYTES_MAX;
use ringkeeper_engine::log::PACKET_FRAME_BYTES;
use ringkeeper_engine::zxid::Zxid;

use super::txn_log::{End, Step, TxnLog};
use super::{Archive, Fault, Inventory, LogName, Place, Reason, Skipped, Version2Error};
use crate::wire::OpCode;

/// Txns that are known again when they come a second time.
const TAKEN_KEPT: usize = 1 << 20;

/// Where in a txn its type stands.
const TYPE_AT: usize = 28;

/// What becomes of a txn.
pub(super) type Visit<'v, E> = dyn FnMut(Found<'_>) -> Result<(), E> + 'v;

/// One txn that follows.
pub(super) struct Found<'a> {
    pub path: &'a str,
    pub offset: u64,
    pub zxid: Zxid,
    pub payload: &'a [u8],
}

/// The unacknowledged end of the last log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Torn {
    pub name: String,
    pub offset: u64,
    pub bytes: u64,
}

/// What was walked over.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Walked {
    pub last: Zxid,
    pub txns: u64,
    /// Txns that came a second time, and errors under the zxid of the txn before: left out.
    pub repeated: u64,
    pub logs: Vec<String>,
    pub torn: Vec<Torn>,
    pub skipped: Vec<Skipped>,
}

/// Hands out every txn above `after`, each the successor of the one before, and reports the bytes
/// of every file as it is done with it.
///
/// Compat: the logs looked at are those whose name is above `after`, and the newest at or below it
/// (`FileTxnLog.getLogFiles`, 3.9.5).
pub(super) fn walk<E: From<Version2Error>>(
    archive: &mut dyn Archive,
    inventory: &Inventory,
    after: Zxid,
    progress: &mut dyn FnMut(u64),
    visit: &mut Visit<'_, E>,
) -> Result<Walked, E> {
    let logs = &inventory.logs;
    let first = logs.partition_point(|log| log.zxid <= after).saturating_sub(1);
    let mut walk = Walk {
        after,
        taken: VecDeque::new(),
        broken: None,
        walked: Walked { last: after, ..Walked::default() },
    };
    for (at, log) in logs.iter().enumerate() {
        if at < first {
            walk.skip(log, Reason::Older);
            continue;
        }
        let is_last = at + 1 == logs.len();
        walk.file(archive, log, is_last, visit)?;
        progress(log.size);
    }
    match walk.broken {
        Some(broken) => Err(broken.error().into()),
        None => Ok(walk.walked),
    }
}

struct Walk {
    after: Zxid,
    /// What was handed out last, in order, with a checksum of each.
    taken: VecDeque<(Zxid, u32)>,
    /// The file before ended while a txn that belongs here stood behind its end.
    broken: Option<Broken>,
    walked: Walked,
}

struct Broken {
    path: String,
    offset: u64,
    hidden: (Zxid, u64),
}

impl Broken {
    fn error(self) -> Version2Error {
        let (zxid, at) = self.hidden;
        let fault = Fault::Hidden { zxid, at };
        Version2Error { path: self.path, offset: Some(self.offset), fault }
    }
}

impl Walk {
    fn skip(&mut self, log: &LogName, why: Reason) {
        self.walked.skipped.push(Skipped { name: log.name.clone(), why });
    }

    fn file<E: From<Version2Error>>(
        &mut self,
        archive: &mut dyn Archive,
        log: &LogName,
        is_last: bool,
        visit: &mut Visit<'_, E>,
    ) -> Result<(), E> {
        let path = archive.path(Place::Logs, &log.name);
        let fail = |(offset, fault): (u64, Fault)| {
            let path = path.clone();
            E::from(Version2Error { path, offset: Some(offset), fault })
        };
        let source = archive.open(Place::Logs, &log.name);
        let source = source.map_err(|error| fail((0, Fault::Read(error))))?;
        let Some(mut file) = TxnLog::open(source).map_err(fail)? else {
            if !is_last {
                return Err(fail((0, Fault::Empty)));
            }
            self.skip(log, Reason::Empty);
            return Ok(());
        };
        self.walked.logs.push(log.name.clone());
        loop {
            match file.next().map_err(fail)? {
                Step::Entry { zxid, .. } if zxid <= self.after => {}
                Step::Entry { offset, zxid, payload } => {
                    if self.take(&path, offset, zxid, payload)? {
                        visit(Found { path: &path, offset, zxid, payload })?;
                    }
                }
                Step::End(end) => {
                    self.ended(&log.name, path, end);
                    return Ok(());
                }
            }
        }
    }

    fn ended(&mut self, name: &str, path: String, end: End) {
        let offset = end.offset;
        if end.torn_bytes > 0 {
            let name = name.to_owned();
            self.walked.torn.push(Torn { name, offset, bytes: end.torn_bytes });
        }
        let hidden = end.hidden.filter(|(zxid, _)| *zxid > self.walked.last);
        self.broken = hidden.map(|hidden| Broken { path, offset, hidden });
    }

    /// Whether this txn counts; an error where it cannot stand here.
    fn take(
        &mut self,
        path: &str,
        offset: u64,
        zxid: Zxid,
        payload: &[u8],
    ) -> Result<bool, Version2Error> {
        let fail =
            |fault| Err(Version2Error { path: path.to_owned(), offset: Some(offset), fault });
        let last = self.walked.last;
        // Compat: a write that Java could not parse is logged as an error under the zxid of the
        // txn before it (`PrepRequestProcessor`, 3.9.5). It changed nothing then, and does not now.
        // A follower that came back under load has logged some txns twice (`Learner`, 3.8.0).
        let is_again = self.checksum_of(zxid) == Some(crc32fast::hash(payload));
        if is_again || (zxid == last && is_error(payload)) {
            self.walked.repeated += 1;
            return Ok(false);
        }
        let is_next = last.next() == Some(zxid);
        let begins = zxid.epoch() > last.epoch() && zxid.counter() <= 1;
        if !is_next && !begins {
            let (next, passed_over) = (zxid, Vec::new());
            return match self.broken.take() {
                Some(broken) => Err(broken.error()),
                None => fail(Fault::Order { last, next, passed_over }),
            };
        }
        // An epoch that begins proves nothing about the end of the one before.
        if let Some(broken) = self.broken.take()
            && !is_next
        {
            return Err(broken.error());
        }
        let bytes = payload.len();
        if bytes + PACKET_FRAME_BYTES > PACKET_BYTES_MAX {
            return fail(Fault::TooLarge { zxid, bytes });
        }
        self.walked.last = zxid;
        self.walked.txns += 1;
        if self.taken.len() == TAKEN_KEPT {
            self.taken.pop_front();
        }
        self.taken.push_back((zxid, crc32fast::hash(payload)));
        Ok(true)
    }

    /// Of the txn handed out under this zxid, if that was not too long ago.
    fn checksum_of(&self, zxid: Zxid) -> Option<u32> {
        let at = self.taken.binary_search_by_key(&zxid, |taken| taken.0).ok()?;
        Some(self.taken[at].1)
    }
}

fn is_error(payload: &[u8]) -> bool {
    payload.get(TYPE_AT..TYPE_AT + 4) == Some(&OpCode::Error.code().to_be_bytes()[..])
}
