//! `createSession` and `closeSession`.

use ringkeeper_engine::jute::{Reader, Writer};

use super::{Origin, Outcome, PREPARED, Prepared, Preparing};
use crate::session::Owner;
use crate::txn::Txn;
use crate::wire::{ErrorCode, parent_of};

impl Preparing<'_, '_> {
    /// The leader tracks the session from here on, before the txn is decided, so that one whose
    /// server dies meanwhile expires too.
    pub(super) fn create_session(&mut self, reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Outcome {
        let timeout_ms = reader.int("timeOut").map_err(|_| ErrorCode::MARSHALLING_ERROR)?;
        let owner = match self.request.origin {
            Origin::Client(owner) => owner,
            Origin::Server => Owner::Local,
        };
        self.sessions.track(self.at.now, self.request.session, timeout_ms);
        if !self.sessions.set_owner(self.request.session, owner) {
            return Err(ErrorCode::SESSION_EXPIRED);
        }
        Txn::CreateSession { timeout_ms }.encode(out);
        Ok(())
    }

    /// Compat: whoever asks may close a session, its owner or not: that is how they expire
    /// (`PrepRequestProcessor`, 3.9.5).
    pub(super) fn close_session(&mut self, out: &mut Vec<u8>) -> Result<Prepared, ErrorCode> {
        self.sessions.set_closing(self.request.session);
        let list = out.len();
        Writer(out).count(0);
        let paths = self.owned_paths();
        for path in &paths {
            let above = parent_of(path).expect("every path but the root's has a slash");
            let znode = self.look(path).expect("listed as living, and each once");
            let parent = self.look(above).expect("what lives has a parent that does");
            self.record_lost_child(above, &parent);
            self.record_end(path, znode.digest);
            Writer(out).ustring(path);
        }
        let count = i32::try_from(paths.len()).expect("fewer than znodes");
        Writer(out).patch_int(list, count);
        if self.prep.options.lists_closed_paths && self.check_size(out).is_ok() {
            return Ok(PREPARED);
        }
        // P4: a session must always end. Without a list every server removes what the session
        // owns in its own tree, which is the same; but a digest in the list's place would be read
        // as one (`SerializeUtils.deserializeTxn`, 3.9.5).
        out.truncate(list);
        Ok(Prepared { takes_digest: false, ..PREPARED })
    }

    /// What the session will own when everything outstanding has been applied.
    fn owned_paths(&self) -> Vec<String> {
        let (tree, session) = (self.view.tree, self.request.session);
        let mut paths = Vec::new();
        let mut path = String::new();
        for id in tree.ephemerals(session.0) {
            path.clear();
            tree.path_into(id, &mut path);
            if self.prep.overlay.find(&path).is_none() {
                paths.push(path.clone());
            }
        }
        paths.extend(self.prep.overlay.ephemerals(session).map(str::to_owned));
        paths
    }
}
