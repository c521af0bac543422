//! Four-letter words, and others that are no client: answered on the connection, which then ends.
//!
//! Not here: the texts (`admin`), the figures (`status`).

use tracing::{debug, info};

use super::{Member, Moment};
use crate::admin::{self, Opening, Word};
use crate::watch::ConnId;

impl Member {
    /// Looks at the first bytes of a fresh connection. True where they were dealt with, or more of
    /// them are needed: they are not a frame to be read.
    pub(super) fn opening(&mut self, at: Moment, conn: ConnId, bytes: &[u8]) -> Verdict {
        let Some(head) = bytes.first_chunk::<4>() else { return Verdict::More };
        let Some(connection) = self.front.get(conn) else { return Verdict::Done };
        let peer = connection.peer;
        let opening = Opening::of(*head, self.options.config.connections.frame_bytes_max);
        match opening {
            Opening::Frame(_) => return Verdict::Frame,
            Opening::Word(word) => {
                let Some(argument) = bytes[4..].get(..word.argument_bytes()) else {
                    return Verdict::More;
                };
                debug!(%peer, word = word.name(), "four-letter word");
                self.word(at, conn, word, argument);
            }
            Opening::Http | Opening::TlsHello | Opening::BadLength { .. } => {
                info!(%peer, "connection closed: {opening}");
                if let (Some(answer), Some(out)) = (opening.answer(), self.front.out(conn)) {
                    out.extend_from_slice(answer);
                }
            }
        }
        self.close_after_replies(conn);
        Verdict::Done
    }

    fn word(&mut self, at: Moment, conn: ConnId, word: Word, argument: &[u8]) {
        let mut text = String::new();
        let whitelist = self.rules.whitelist.clone();
        let mut asked = super::status::Asked { member: self, at };
        admin::answer(word, argument, &whitelist, &mut asked, &mut text);
        if let Some(out) = self.front.out(conn) {
            out.extend_from_slice(text.as_bytes());
        }
    }
}

/// What the first bytes of a connection are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Frame,
    More,
    Done,
}
