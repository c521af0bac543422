//! The mix of sessions that come and go.
//!
//! A visit is a TCP connection, a session, its ephemeral znodes, and the session's end, which
//! removes them: what a service does that registers itself, and what all of them do after a network
//! has failed. It takes three txns where there is one ephemeral, and as many round trips; like a
//! real client it asks for each step when the one before was answered.
//!
//! Not here: the other mixes (`state`).

use std::time::Duration;

use ringkeeper_engine::io::Io;

use super::session::Stage;
use super::state::{Phase, READY_US_MAX, State};

impl State<'_> {
    /// A visitor has heard: its session is there, its znodes are, or it is gone.
    pub(super) fn visitor_heard(
        &mut self,
        index: usize,
        answers: usize,
        now: u64,
        io: &mut dyn Io,
    ) {
        let session = &mut self.sessions[index];
        session.settle(answers, |_, _| ());
        if session.outstanding() > 0 {
            return;
        }
        match session.stage {
            Stage::Ready if self.phase == Phase::Preparing => {}
            Stage::Ready if answers == 0 => {
                self.ask(index, self.task.options.outstanding, now, io);
            }
            Stage::Ready => self.leave(index, io),
            Stage::Leaving => self.left(index, now, io),
            _ => {}
        }
    }

    fn left(&mut self, index: usize, now: u64, io: &mut dyn Io) {
        let session = &mut self.sessions[index];
        session.stage = Stage::Away;
        io.close(session.conn);
        // The first session of each connection only showed that there is a server.
        if let Some(since_us) = session.visit_us {
            self.record(since_us, 1, now);
        }
        if self.phase == Phase::Loading && self.pace.is_none() {
            self.visit(index, now, io);
        }
    }

    /// The next visit, meant to begin at `since_us`.
    pub(super) fn visit(&mut self, index: usize, since_us: u64, io: &mut dyn Io) {
        let (_, server) = self.task.connections[index];
        let conn = io.connect(server, index as u64, Duration::from_micros(READY_US_MAX));
        self.sessions[index].revisit(conn, since_us);
    }
}
