//! A server without an ensemble: it leads at once, and its own disk decides.
//!
//! Compat: it goes on in the epoch of its last txn instead of opening one; the first txn of a fresh
//! directory is 0x1 (`ZooKeeperServer`, 3.9.5).

use super::Effect;
use super::ground::{Fault, Ground};
use crate::log::{Durable, Proposals};
use crate::zxid::{Epoch, Zxid};

pub struct Standalone {
    epoch: Epoch,
    durable: Zxid,
    announced: Zxid,
}

impl Standalone {
    /// Everything in the log is decided: nobody else can know otherwise.
    pub fn begin(ground: &mut Ground<'_>) -> Result<Self, Fault> {
        assert!(ground.log.is_quiet(), "law 3: the log still moves");
        let last = ground.log.appended();
        let superblock = ground.log.superblock();
        let epoch = last.epoch().max(superblock.current_epoch);
        if epoch > superblock.current_epoch {
            // Should it become a member of an ensemble, its vote says how far it was.
            let accepted = superblock.accepted_epoch.max(epoch);
            ground.store_epochs(accepted, epoch)?;
        }
        let mut announced = *ground.applied;
        ground.commit(&mut announced, last);
        let epoch = last.epoch();
        ground.out.push(Effect::Leading { epoch });
        Ok(Self { epoch, durable: last, announced })
    }

    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub fn decided(&self) -> Zxid {
        self.durable
    }

    /// Nobody elects a successor here, so when the counters are used up the next epoch begins.
    pub fn next_zxid(&self, proposals: &Proposals) -> Zxid {
        let last = proposals.last();
        last.next().unwrap_or(Zxid::new(Epoch(last.epoch().0 + 1), 1))
    }

    pub fn on_durable(&mut self, durable: &Durable) {
        self.durable = durable.zxid();
    }

    pub fn end_turn(&mut self, ground: &mut Ground<'_>) {
        self.epoch = ground.log.proposals().last().epoch();
        ground.commit(&mut self.announced, self.durable);
    }
}
