//! Who is alive: the leader's view of every session.
//!
//! A session that has been silent for its timeout is ended at the next boundary of a tick, so an
//! end comes between one timeout and one timeout and a tick after the last sign of life.
//!
//! A touch costs one lookup: it only moves the session's deadline. The session stays queued at the
//! boundary it was put at, and is put forward when that boundary comes and finds it alive.
//!
//! Invariants:
//! - S1. A session that is not closing is queued at one boundary, never after its deadline.
//! - S2. A stall of this process is not silence of its clients: the sessions' clock stands still
//!   while nobody looks at it.
//!
//! Not here: whether the log knows the session (`apply::Database`).

use std::collections::BTreeMap;

use ringkeeper_engine::time::Millis;

use super::map::IdMap;
use crate::wire::{ErrorCode, SessionId};

/// Through which server a session's requests come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    /// The server that tracks it.
    Local,
    /// A learner, by the number of its connection to the leader.
    Learner(u64),
}

#[derive(Debug)]
struct Tracked {
    timeout_ms: i32,
    /// When it ends, on the sessions' clock.
    deadline: u64,
    /// The boundary it is queued at.
    queued: u64,
    owner: Option<Owner>,
    is_closing: bool,
}

/// All sessions of an ensemble, in its leader; of a lone server, in itself.
#[derive(Debug)]
pub struct Tracker {
    tick_ms: u64,
    sessions: IdMap<SessionId, Tracked>,
    queue: BTreeMap<u64, Vec<SessionId>>,
    /// The next boundary to look at, on the sessions' clock.
    next: u64,
    /// How far the sessions' clock is behind the process's (S2).
    stalled_ms: u64,
}

impl Tracker {
    pub fn new(tick_ms: u64, now: Millis) -> Self {
        let tick_ms = tick_ms.max(1);
        Self {
            tick_ms,
            sessions: IdMap::default(),
            queue: BTreeMap::new(),
            next: boundary_after(now.0, tick_ms),
            stalled_ms: 0,
        }
    }

    /// Tracks a session, with a full timeout from now. False where it was tracked already; that is
    /// then a touch.
    pub fn track(&mut self, now: Millis, session: SessionId, timeout_ms: i32) -> bool {
        if self.sessions.contains_key(&session) {
            self.touch_for(now, session, timeout_ms);
            return false;
        }
        let deadline = self.deadline_from(now, timeout_ms);
        let tracked =
            Tracked { timeout_ms, deadline, queued: deadline, owner: None, is_closing: false };
        self.sessions.insert(session, tracked);
        self.queue.entry(deadline).or_default().push(session);
        true
    }

    /// A sign of life. False where the session is unknown or on its way out.
    pub fn touch(&mut self, now: Millis, session: SessionId) -> bool {
        match self.sessions.get(&session) {
            Some(tracked) => self.touch_for(now, session, tracked.timeout_ms),
            None => false,
        }
    }

    /// A sign of life that may change the timeout: a reconnect, or a learner's report.
    pub fn touch_for(&mut self, now: Millis, session: SessionId, timeout_ms: i32) -> bool {
        let deadline = self.deadline_from(now, timeout_ms);
        let Some(tracked) = self.sessions.get_mut(&session) else { return false };
        if tracked.is_closing {
            return false;
        }
        tracked.timeout_ms = timeout_ms;
        tracked.deadline = deadline;
        if deadline < tracked.queued {
            tracked.queued = deadline;
            self.queue.entry(deadline).or_default().push(session);
        }
        true
    }

    /// Whether `owner` may speak for the session; the first who does owns it.
    ///
    /// # Errors
    /// `SESSION_EXPIRED` for one that is unknown or closing, `SESSION_MOVED` where another server
    /// has it: the connection it came from is out of date.
    pub fn check(&mut self, session: SessionId, owner: Owner) -> Result<(), ErrorCode> {
        let Some(tracked) = self.sessions.get_mut(&session) else {
            return Err(ErrorCode::SESSION_EXPIRED);
        };
        if tracked.is_closing {
            return Err(ErrorCode::SESSION_EXPIRED);
        }
        if *tracked.owner.get_or_insert(owner) == owner {
            Ok(())
        } else {
            Err(ErrorCode::SESSION_MOVED)
        }
    }

    /// The session has come (back) through `owner`. False where it is unknown or closing.
    pub fn set_owner(&mut self, session: SessionId, owner: Owner) -> bool {
        match self.sessions.get_mut(&session) {
            Some(tracked) if !tracked.is_closing => {
                tracked.owner = Some(owner);
                true
            }
            _ => false,
        }
    }

    /// Its closeSession is on the way: nothing more is taken from it, and it cannot be revived.
    pub fn set_closing(&mut self, session: SessionId) {
        if let Some(tracked) = self.sessions.get_mut(&session) {
            tracked.is_closing = true;
        }
    }

    /// Its closeSession has been applied.
    pub fn remove(&mut self, session: SessionId) {
        // What is queued for it is passed over when its boundary comes.
        self.sessions.remove(&session);
    }

    /// Ends what has been silent too long: marks it closing and names it. Whoever asks proposes a
    /// closeSession for each.
    pub fn expire(&mut self, now: Millis, out: &mut Vec<SessionId>) {
        let late = self.clock(now).saturating_sub(self.next);
        if late > self.tick_ms {
            // S2: nobody looked for longer than a tick, so nobody was heard for as long either.
            // The tick on top is for what the clients said meanwhile and nobody has read yet.
            self.stalled_ms += late + self.tick_ms;
        }
        while self.next <= self.clock(now) {
            let boundary = self.next;
            self.next += self.tick_ms;
            if let Some(due) = self.queue.remove(&boundary) {
                due.into_iter().for_each(|session| self.come_due(session, boundary, out));
            }
        }
    }

    fn come_due(&mut self, session: SessionId, boundary: u64, out: &mut Vec<SessionId>) {
        let Some(tracked) = self.sessions.get_mut(&session) else { return };
        if tracked.is_closing || tracked.queued != boundary {
            return;
        }
        if tracked.deadline > boundary {
            tracked.queued = tracked.deadline;
            self.queue.entry(tracked.deadline).or_default().push(session);
        } else {
            tracked.is_closing = true;
            out.push(session);
        }
    }

    /// When `expire` must be called next, whether or not anybody is tracked: a boundary nobody
    /// looked at would be taken for a stall.
    pub fn deadline(&self) -> Millis {
        Millis(self.next + self.stalled_ms)
    }

    pub fn contains(&self, session: SessionId) -> bool {
        self.sessions.contains_key(&session)
    }

    pub fn is_closing(&self, session: SessionId) -> bool {
        self.sessions.get(&session).is_some_and(|tracked| tracked.is_closing)
    }

    pub fn timeout_ms(&self, session: SessionId) -> Option<i32> {
        self.sessions.get(&session).map(|tracked| tracked.timeout_ms)
    }

    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Every session with the moment it ends unless it is heard from, in no order that means
    /// anything. For `dump` and its like.
    pub fn iter(&self) -> impl Iterator<Item = (SessionId, Millis)> {
        self.sessions
            .iter()
            .map(|(&session, tracked)| (session, Millis(tracked.deadline + self.stalled_ms)))
    }

    fn clock(&self, now: Millis) -> u64 {
        now.0.saturating_sub(self.stalled_ms)
    }

    /// Compat: `ExpiryQueue.roundToNextInterval`, 3.9.5; never a boundary that has passed (S1).
    fn deadline_from(&self, now: Millis, timeout_ms: i32) -> u64 {
        let silent_until = self.clock(now) + u64::try_from(timeout_ms).unwrap_or(0);
        boundary_after(silent_until, self.tick_ms).max(self.next)
    }
}

fn boundary_after(moment: u64, tick_ms: u64) -> u64 {
    (moment / tick_ms + 1) * tick_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: SessionId = SessionId(1);
    const B: SessionId = SessionId(2);

    /// Runs the clock in steps of 500 ms from `from` to `to`; who ended, and when.
    fn run(tracker: &mut Tracker, from: u64, to: u64) -> Vec<(u64, SessionId)> {
        let mut ended = Vec::new();
        for now in (from..=to).step_by(500) {
            let mut out = Vec::new();
            tracker.expire(Millis(now), &mut out);
            ended.extend(out.into_iter().map(|session| (now, session)));
        }
        ended
    }

    #[test]
    fn a_silent_session_ends_between_its_timeout_and_a_tick_later() {
        for start in [0, 500, 1999, 2000] {
            let mut tracker = Tracker::new(2000, Millis(start));
            assert!(tracker.track(Millis(start), A, 4000));
            let ended = run(&mut tracker, start, 20_000);
            assert_eq!(ended.len(), 1, "once");
            let after = ended[0].0 - start;
            assert!((4000..=6500).contains(&after), "{after} ms after {start}");
        }
    }

    #[test]
    fn a_touch_puts_the_end_off() {
        let mut tracker = Tracker::new(2000, Millis(0));
        tracker.track(Millis(0), A, 4000);
        tracker.track(Millis(0), B, 4000);
        for now in (0..30_000).step_by(500) {
            assert!(tracker.touch(Millis(now), A));
            let mut out = Vec::new();
            tracker.expire(Millis(now), &mut out);
            assert!(!out.contains(&A));
        }
        assert!(tracker.is_closing(B));
        assert!(!tracker.touch(Millis(30_000), B), "what is closing cannot be revived");
    }

    #[test]
    fn a_shorter_timeout_brings_the_end_forward() {
        let mut tracker = Tracker::new(1000, Millis(0));
        tracker.track(Millis(0), A, 20_000);
        assert!(tracker.touch_for(Millis(500), A, 2000));
        assert_eq!(run(&mut tracker, 500, 30_000), [(3000, A)]);
    }

    #[test]
    fn a_stall_of_the_process_ends_nobody() {
        let mut tracker = Tracker::new(2000, Millis(0));
        tracker.track(Millis(0), A, 4000);
        run(&mut tracker, 0, 2000);
        let mut out = Vec::new();
        tracker.expire(Millis(60_000), &mut out);
        assert!(out.is_empty(), "S2");
        let ended = run(&mut tracker, 60_000, 80_000);
        assert!(ended.len() == 1 && ended[0].0 <= 66_000, "{ended:?}");
    }

    #[test]
    fn only_the_owner_speaks_for_a_session() {
        let mut tracker = Tracker::new(2000, Millis(0));
        assert_eq!(tracker.check(A, Owner::Local), Err(ErrorCode::SESSION_EXPIRED));
        tracker.track(Millis(0), A, 4000);
        assert_eq!(tracker.check(A, Owner::Learner(7)), Ok(()), "the first is the owner");
        assert_eq!(tracker.check(A, Owner::Local), Err(ErrorCode::SESSION_MOVED));
        assert!(tracker.set_owner(A, Owner::Local));
        assert_eq!(tracker.check(A, Owner::Learner(7)), Err(ErrorCode::SESSION_MOVED));
        tracker.set_closing(A);
        assert_eq!(tracker.check(A, Owner::Local), Err(ErrorCode::SESSION_EXPIRED));
        assert!(!tracker.set_owner(A, Owner::Local));
        tracker.remove(A);
        assert!(tracker.is_empty());
        assert_eq!(run(&mut tracker, 0, 10_000), []);
    }

    #[test]
    fn a_session_that_comes_back_under_its_id_ends_once() {
        let mut tracker = Tracker::new(2000, Millis(0));
        tracker.track(Millis(0), A, 4000);
        tracker.remove(A);
        tracker.track(Millis(0), A, 4000);
        assert_eq!(run(&mut tracker, 0, 20_000).len(), 1);
    }
}
