//! What a server has promised, and what it follows.
//!
//! Not here: what the log makes of it (`engine::log`, the superblock).

use std::io::Read;

use ringkeeper_engine::zxid::{Epoch, Zxid};

use super::{Archive, Fault, Inventory, Place, Rules, Version2Error};

/// A long in decimal, with room for a careless editor's blanks.
const TEXT_BYTES_MAX: u64 = 64;

/// More cannot be the upper half of a zxid.
const EPOCH_MAX: i64 = i32::MAX as i64;

/// Both epochs; the current one is never above the accepted one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Epochs {
    pub accepted: Epoch,
    pub current: Epoch,
}

impl Epochs {
    /// What the files say for a server whose last zxid is `last`.
    ///
    /// Compat: a missing file counts as the epoch of the last zxid. A current epoch below that is
    /// believed only if the next one was on its way, in `currentEpoch.tmp`
    /// (`QuorumPeer.loadDataBase`, 3.9.5). A server without an ensemble never looks at them there;
    /// here they are then raised to what the data says.
    pub(super) fn read(
        archive: &mut dyn Archive,
        inventory: &Inventory,
        last: Zxid,
        rules: Rules,
    ) -> Result<Self, Version2Error> {
        let mut read = |name: &str| match inventory.epochs.iter().any(|found| found == name) {
            true => read_epoch(archive, name).map(Some),
            false => Ok(None),
        };
        let of_last = last.epoch().max(Epoch(0));
        let mut current = read("currentEpoch")?.unwrap_or(of_last);
        if of_last > current {
            match read("currentEpoch.tmp")? {
                Some(next) if next >= of_last => current = next,
                _ if !rules.is_member => current = of_last,
                _ => {
                    let path = archive.path(Place::Data, "currentEpoch");
                    let fault = Fault::EpochOld { current, last };
                    return Err(Version2Error { path, offset: None, fault });
                }
            }
        }
        let mut accepted = read("acceptedEpoch")?.unwrap_or(of_last);
        if accepted < current {
            if rules.is_member {
                let path = archive.path(Place::Data, "acceptedEpoch");
                let fault = Fault::EpochsCrossed { accepted, current };
                return Err(Version2Error { path, offset: None, fault });
            }
            accepted = current;
        }
        Ok(Self { accepted, current })
    }
}

/// One file.
pub(super) fn read_epoch(archive: &mut dyn Archive, name: &str) -> Result<Epoch, Version2Error> {
    let mut text = Vec::new();
    let read = archive.open(Place::Data, name);
    let read = read.and_then(|file| file.take(TEXT_BYTES_MAX).read_to_end(&mut text));
    let failed =
        |fault| Err(Version2Error { path: archive.path(Place::Data, name), offset: None, fault });
    if let Err(error) = read {
        return failed(Fault::Read(error));
    }
    let text = String::from_utf8_lossy(&text);
    match text.trim().parse::<i64>() {
        Ok(epoch) if (0..=EPOCH_MAX).contains(&epoch) => Ok(Epoch(epoch)),
        _ => failed(Fault::EpochText(text.into_owned())),
    }
}
