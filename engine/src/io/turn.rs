//! The turn itself, the same for every backend: gather, enter, deliver.

use std::sync::Arc;
use std::time::Duration;

use super::driver::{Driver, Inbox};
use super::files::Directory;
use super::world::{Told, World};
use super::{Completion, Counters, Handler, Io, Reactor, ReactorError, ReactorOptions, Waker};

pub(super) struct Turning<D: Driver> {
    world: World<D>,
    inbox: D::Inbox,
    turns: u64,
}

impl<D: Driver> Turning<D> {
    pub(super) fn start(
        options: &ReactorOptions,
        directory: Option<Arc<Directory>>,
    ) -> Result<Self, ReactorError> {
        let (driver, inbox) = D::start(options)?;
        Ok(Self::of(driver, inbox, directory))
    }

    pub(super) fn of(driver: D, inbox: D::Inbox, directory: Option<Arc<Directory>>) -> Self {
        Self { world: World::new(driver, directory), inbox, turns: 0 }
    }

    fn deliver(&mut self, told: Told, handler: &mut dyn Handler) {
        let world = &mut self.world;
        let completion = match told {
            Told::Received { conn, token, lent } => {
                let bytes = self.inbox.bytes(lent);
                handler.on(Completion::Received { conn, token, bytes }, world);
                return self.inbox.give_back(lent);
            }
            Told::Unwanted(lent) => return self.inbox.give_back(lent),
            Told::Accepted { listener, conn, peer } => {
                Completion::Accepted { listener, conn, peer }
            }
            Told::Handed { listener, socket } => Completion::Handed { listener, socket },
            Told::Connected { conn, token } => Completion::Connected { conn, token },
            Told::Room { conn, token } => Completion::Room { conn, token },
            Told::Closed { conn, token, why } => Completion::Closed { conn, token, why },
            Told::Disk(done) => Completion::Disk(done),
        };
        handler.on(completion, world);
    }

    /// How long this turn may wait.
    fn patience(&self, timeout: Option<Duration>) -> Option<Duration> {
        if self.world.told() > 0 {
            return Some(Duration::ZERO);
        }
        match (timeout, self.world.until_alarm()) {
            (Some(timeout), Some(alarm)) => Some(timeout.min(alarm)),
            (timeout, alarm) => timeout.or(alarm),
        }
    }
}

impl<D: Driver> Reactor for Turning<D> {
    fn io(&mut self) -> &mut dyn Io {
        &mut self.world
    }

    fn turn(
        &mut self,
        timeout: Option<Duration>,
        handler: &mut dyn Handler,
    ) -> Result<(), ReactorError> {
        self.turns += 1;
        self.world.gather();
        let mut patience = self.patience(timeout);
        if patience != Some(Duration::ZERO) && !self.world.driver.waker().may_sleep() {
            patience = Some(Duration::ZERO);
        }
        let waited = self.world.driver.wait(&mut self.inbox, patience);
        let is_woken = self.world.driver.waker().was_woken();
        waited?;

        self.world.ring_alarms();
        if is_woken {
            self.world.collect_chores();
        }
        // What the handler adds is the next turn's: it may add something each time it is told.
        for _ in 0..self.world.told() {
            if let Some(told) = self.world.next_told() {
                self.deliver(told, handler);
            }
        }
        while let Some(raw) = self.world.driver.next(&mut self.inbox) {
            if let Some(told) = self.world.ended(raw) {
                self.deliver(told, handler);
            }
        }
        if is_woken {
            handler.on(Completion::Woken, &mut self.world);
        }
        Ok(())
    }

    fn hand_over(&mut self) -> Result<(), ReactorError> {
        self.world.gather();
        self.world.driver.hand_over()
    }

    fn waker(&self) -> Waker {
        self.world.driver.waker().clone()
    }

    fn counters(&self) -> Counters {
        let accepts_failed = self.world.accepts_failed();
        Counters { turns: self.turns, accepts_failed, ..self.world.driver.counters() }
    }

    fn describe(&self) -> String {
        let driver = self.world.driver.describe();
        match self.world.describe_files() {
            Some(files) => format!("{driver}; log: {files}"),
            None => driver,
        }
    }
}

impl<D: Driver> Drop for Turning<D> {
    fn drop(&mut self) {
        self.world.driver.shut(&mut self.inbox);
        self.world.drop_all();
    }
}
