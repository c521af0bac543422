//! Which sessions a learner has heard from since its leader last asked.

use ringkeeper_engine::jute::Writer;

use super::map::IdMap;
use crate::wire::SessionId;

/// A learner's answer to the next ping: `repeat { long session | int timeout ms }`.
#[derive(Debug, Default)]
pub struct Touches {
    heard: IdMap<SessionId, i32>,
}

impl Touches {
    pub fn touch(&mut self, session: SessionId, timeout_ms: i32) {
        self.heard.insert(session, timeout_ms);
    }

    /// A session that has ended must not be reported: the leader has forgotten it.
    pub fn forget(&mut self, session: SessionId) {
        self.heard.remove(&session);
    }

    /// Appends the answer and starts afresh.
    pub fn drain(&mut self, out: &mut Vec<u8>) {
        for (session, timeout_ms) in self.heard.drain() {
            let mut writer = Writer(out);
            writer.long(session.0);
            writer.int(timeout_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_reported_once_with_its_last_timeout() {
        let mut touches = Touches::default();
        touches.touch(SessionId(1), 4000);
        touches.touch(SessionId(1), 5000);
        touches.touch(SessionId(2), 5000);
        touches.forget(SessionId(2));
        let mut out = Vec::new();
        touches.drain(&mut out);
        assert_eq!(out, [&1i64.to_be_bytes()[..], &5000i32.to_be_bytes()].concat());
        out.clear();
        touches.drain(&mut out);
        assert!(out.is_empty());
    }
}
