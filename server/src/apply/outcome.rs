//! What applying one txn came to, and the answer its client gets.

use ringkeeper_engine::jute::Writer;
use ringkeeper_engine::zxid::Zxid;

use crate::digest::TreeDigest;
use crate::txn::TxnHeader;
use crate::wire::{ErrorCode, OpCode, SessionId, Stat, multi_end, multi_error, multi_header};

/// The outcome of one txn. Made once and used again for every next one.
#[derive(Debug)]
pub struct Applied {
    pub header: TxnHeader,
    /// OK, or why the leader refused. A failed multi is OK here: its results say what failed.
    pub err: ErrorCode,
    pub session: Option<SessionChange>,
    pub digest: DigestCheck,
    /// One for a single change, one for each of a multi.
    pub(super) results: Vec<OpResult>,
    /// Created paths, one after another; of a `reconfig` the ensemble's new text.
    pub(super) paths: String,
}

/// What became of one change.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpResult {
    pub(super) op: OpCode,
    pub(super) err: ErrorCode,
    /// Where in `Applied::paths` the path (or text) stands.
    pub(super) path: (usize, usize),
    pub(super) stat: Option<Stat>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SessionChange {
    Created { session: SessionId, timeout_ms: i32 },
    Closed { session: SessionId },
}

/// Whether the tree is the one the leader foresaw.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DigestCheck {
    /// No digest came with the txn.
    Absent,
    /// One came, and cannot be compared yet, or is of another version.
    Unchecked,
    Equal,
    Differs {
        expected: TreeDigest,
        actual: TreeDigest,
    },
}

impl Default for Applied {
    fn default() -> Self {
        let header = TxnHeader {
            session: SessionId::NONE,
            cxid: 0,
            zxid: Zxid::ZERO,
            time: 0,
            kind: OpCode::Error,
        };
        Self {
            header,
            err: ErrorCode::OK,
            session: None,
            digest: DigestCheck::Absent,
            results: Vec::new(),
            paths: String::new(),
        }
    }
}

impl Applied {
    pub(super) fn begin(&mut self, header: TxnHeader) {
        self.header = header;
        self.err = ErrorCode::OK;
        self.session = None;
        self.digest = DigestCheck::Absent;
        self.results.clear();
        self.paths.clear();
    }

    pub(super) fn push(&mut self, op: OpCode, err: ErrorCode) {
        self.results.push(OpResult { op, err, path: (0, 0), stat: None });
    }

    /// A change that is answered with a path, or a text, and a stat.
    pub(super) fn push_text(&mut self, op: OpCode, text: &str, stat: Stat) {
        let start = self.paths.len();
        self.paths.push_str(text);
        let path = (start, self.paths.len());
        self.results.push(OpResult { op, err: ErrorCode::OK, path, stat: Some(stat) });
    }

    pub(super) fn push_stat(&mut self, op: OpCode, stat: Stat) {
        self.results.push(OpResult { op, err: ErrorCode::OK, path: (0, 0), stat: Some(stat) });
    }

    /// Whether the client was found to have moved: its connection is closed without an answer.
    ///
    /// Compat: also where only one op of a multi found it out (`FinalRequestProcessor`, 3.9.5).
    pub fn is_session_moved(&self) -> bool {
        self.err == ErrorCode::SESSION_MOVED
            || self.results.iter().any(|result| result.err == ErrorCode::SESSION_MOVED)
    }

    /// The path that was made, where the txn was a create.
    pub fn created_path(&self) -> Option<&str> {
        let result = self.results.first()?;
        (result.op.is_create() && result.err.is_ok()).then(|| self.path(result))
    }

    /// Appends the body of the answer to the request that became this txn; nothing where `err` is
    /// not OK.
    pub fn encode_reply(&self, request: OpCode, out: &mut Vec<u8>) {
        if !self.err.is_ok() {
            return;
        }
        if request == OpCode::Multi {
            return self.encode_multi(out);
        }
        let Some(result) = self.results.first() else { return };
        match request {
            OpCode::Create => Writer(out).ustring(self.path(result)),
            OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
                Writer(out).ustring(self.path(result));
                encode_stat(result, out);
            }
            OpCode::SetData | OpCode::SetAcl => encode_stat(result, out),
            // Only a leader that is not of our kind makes such a txn.
            OpCode::Reconfig => {
                Writer(out).buffer(Some(self.path(result).as_bytes()));
                encode_stat(result, out);
            }
            _ => {}
        }
    }

    fn encode_multi(&self, out: &mut Vec<u8>) {
        for result in &self.results {
            self.encode_result(result, out);
        }
        multi_end(out);
    }

    /// Compat: containers and TTL znodes answer as `create2` (`MultiResponse`, 3.9.5).
    fn encode_result(&self, result: &OpResult, out: &mut Vec<u8>) {
        match result.op {
            OpCode::Create => {
                multi_header(OpCode::Create.code(), out);
                Writer(out).ustring(self.path(result));
            }
            OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
                multi_header(OpCode::Create2.code(), out);
                Writer(out).ustring(self.path(result));
                encode_stat(result, out);
            }
            OpCode::SetData => {
                multi_header(OpCode::SetData.code(), out);
                encode_stat(result, out);
            }
            OpCode::Delete | OpCode::DeleteContainer => multi_header(OpCode::Delete.code(), out),
            OpCode::Check => multi_header(OpCode::Check.code(), out),
            _ => multi_error(result.err, out),
        }
    }

    fn path(&self, result: &OpResult) -> &str {
        &self.paths[result.path.0..result.path.1]
    }
}

fn encode_stat(result: &OpResult, out: &mut Vec<u8>) {
    result.stat.unwrap_or_default().encode(out);
}
