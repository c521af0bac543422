//! Which sessions a learner has heard from since its leader last asked.

use super::map::IdMap;
use crate::wire::SessionId;

/// A learner's answer to the next ping: `repeat { long session | int timeout ms }`.
#[derive(Debug, Default)]
pub struct Touches {
    heard: IdMap<SessionId, i32>,
    reports: u64,
}

impl Touches {
    pub fn touch(&mut self, session: SessionId, timeout_ms: i32) {
        self.heard.insert(session, timeout_ms);
    }

    /// How often it has started afresh: a session touched once since then is touched.
    pub fn reports(&self) -> u64 {
        self.reports
    }

    /// A session that has ended must not be reported: the leader has forgotten it.
    pub fn forget(&mut self, session: SessionId) {
        self.heard.remove(&session);
    }

    /// What was heard, with its timeout in milliseconds; starts afresh.
    pub fn drain(&mut self) -> impl Iterator<Item = (SessionId, i32)> + '_ {
        self.reports += 1;
        self.heard.drain()
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
        assert_eq!(touches.drain().collect::<Vec<_>>(), [(SessionId(1), 5000)]);
        assert_eq!(touches.drain().count(), 0);
    }
}
