//! Torn or damaged? Where the chain of batches ends, something must have been lost if anything
//! proves that the next batch was durable.
//!
//! The proofs, each of them written before a batch could be acknowledged or after it was durable:
//! - E1. A batch behind the break knew of a durable sequence at or above the missing one.
//! - E2. A later segment is in use: a segment is left only when all of it is durable.
//! - E3. The superblock knew of that sequence, or names a truncation to a zxid above the end.
//! - E4. The log begins above what the newest snapshot, or the base of an empty log, needs.
//!
//! Without a proof the break is a torn tail: writes that no flush covered when the power failed.
//! A later batch that is whole proves nothing by itself, because several are on their way at once.
//!
//! Not here: following the chain (`recover`).

use super::batch;
use super::disk::{Disk, DiskError, FileName};
use super::segment::FirstBlock;
use super::window::Window;
use crate::limits::BLOCK;

/// E1 in one file: whether any batch header in `from..size` knew `expected` to be durable. Of any
/// life of the file where `incarnation` is `None`: sequences never repeat, so what an older life
/// left behind knows only of lower ones.
pub(super) fn proves_durable(
    disk: &mut dyn Disk,
    file: FileName,
    from: u64,
    size: u64,
    expected: u64,
    incarnation: Option<u64>,
) -> Result<bool, DiskError> {
    let mut window = Window::default();
    let mut at = from;
    while let Some(block) = window.fetch(disk, file, at, BLOCK, size)? {
        at += BLOCK as u64;
        let Some(read) = batch::decode(block) else { continue };
        let is_ours = incarnation.is_none_or(|own| read.header.incarnation == own);
        if is_ours && read.header.known_durable >= expected {
            return Ok(true);
        }
    }
    Ok(false)
}

/// E1 in a file whose first block names no life. One that is all zeros is a ready segment, unless a
/// batch with a sequence to come stands right behind it; only then the rest is worth reading.
pub(super) fn headless_proves_durable(
    disk: &mut dyn Disk,
    file: FileName,
    size: u64,
    first_block: FirstBlock,
    expected: u64,
) -> Result<bool, DiskError> {
    let start = BLOCK as u64;
    if first_block == FirstBlock::Zero {
        let mut window = Window::default();
        let block = window.fetch(disk, file, start, BLOCK, size.min(2 * start))?;
        let is_unused =
            block.and_then(batch::decode).is_none_or(|read| read.header.sequence < expected);
        if is_unused {
            return Ok(false);
        }
    }
    proves_durable(disk, file, start, size, expected, None)
}
