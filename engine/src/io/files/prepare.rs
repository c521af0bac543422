//! Making segments ready: written through before their first use.
//!
//! A file that was only allocated, or is sparse, makes its first durable writes pay for the
//! filesystem's bookkeeping inside the commit; one whose every block has been written with zeros,
//! synced, and named durably, does not. `log::disk` has the order in which names and blocks change.

use rustix::fs::{FallocateFlags, OFlags, fallocate, fdatasync};
use rustix::io::{Errno as Failure, retry_on_intr};

use super::directory::Directory;
use super::pace::Pace;
use crate::limits::BLOCK;
use crate::log::{FileName, Slab};

/// One write of zeros once somebody waits for the segment: half a millisecond of a quick disk.
///
/// Perf: after each write this thread waits until no other wants its core. In smaller ones a busy log
/// is not kept up with, and waits for its segments (`perf/notebook.md`).
const STRETCH: usize = 1 << 20;

/// One write of zeros before that: a commit that comes meanwhile waits behind less.
const STRETCH_AT_PACE: usize = 256 << 10;

/// Ends with `Segment(segment)` of `bytes`, its first block zero, all of it written, at `pace`, and
/// durable.
pub(super) fn prepare(
    directory: &Directory,
    segment: u64,
    bytes: u64,
    recycle: Option<u64>,
    pace: &mut Pace,
) -> Result<(), Failure> {
    assert!(bytes.is_multiple_of(BLOCK as u64), "a segment is whole blocks");
    let spare = FileName::Spare(segment);
    match recycle {
        Some(old) => {
            directory.rename(FileName::Segment(old), spare)?;
            directory.sync_names()?;
            let file = directory.open_with(spare, OFlags::RDWR)?;
            let length = rustix::fs::fstat(&file)?.st_size;
            if u64::try_from(length).is_ok_and(|length| length == bytes) {
                zero(&file, 0..BLOCK as u64, pace)?;
            } else {
                zero(&file, 0..bytes, pace)?;
                rustix::fs::ftruncate(&file, bytes)?;
            }
            retry_on_intr(|| fdatasync(&file))?;
        }
        None => {
            let how = OFlags::RDWR | OFlags::CREATE | OFlags::TRUNC;
            let file = directory.open_with(spare, how)?;
            match directory.with_room(|| fallocate(&file, FallocateFlags::empty(), 0, bytes)) {
                // One stretch of disk if there is one; the zeros below are what counts.
                Ok(()) | Err(Failure::OPNOTSUPP | Failure::NOSYS) => {}
                Err(errno) => return Err(errno),
            }
            zero(&file, 0..bytes, pace)?;
            retry_on_intr(|| rustix::fs::fsync(&file))?;
        }
    }
    directory.rename(spare, FileName::Segment(segment))?;
    directory.sync_names()
}

/// Removes a segment for good.
pub(super) fn remove(directory: &Directory, segment: u64) -> Result<(), Failure> {
    directory.remove(FileName::Segment(segment))?;
    directory.sync_names()
}

fn zero(
    file: &rustix::fd::OwnedFd,
    range: std::ops::Range<u64>,
    pace: &mut Pace,
) -> Result<(), Failure> {
    let zeros = Slab::new(STRETCH);
    let mut at = range.start;
    while at < range.end {
        let stretch = if pace.is_hurried() { STRETCH } else { STRETCH_AT_PACE };
        let count = stretch.min((range.end - at) as usize);
        let written = retry_on_intr(|| rustix::io::pwrite(file, &zeros[..count], at))?;
        if written == 0 || !written.is_multiple_of(BLOCK) {
            return Err(Failure::NOSPC);
        }
        at += written as u64;
        pace.keep(written);
    }
    Ok(())
}
