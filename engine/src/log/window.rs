//! Reading segments: large reads, served in small slices.
//!
//! Not here: what the bytes mean beyond one batch (`recover`, `cursor`).

use super::batch::{self, ReadHeader};
use super::disk::{Disk, DiskError, FileName};
use crate::limits::BLOCK;

/// What is read ahead.
const WINDOW_BYTES: usize = 256 << 10;

#[derive(Debug, Default)]
pub(super) struct Window {
    file: Option<FileName>,
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    /// Nothing read before counts any more.
    pub(super) fn forget(&mut self) {
        self.file = None;
    }

    /// `len` bytes at `offset`, or `None` if they would end behind `limit` or the file.
    pub(super) fn fetch(
        &mut self,
        disk: &mut dyn Disk,
        file: FileName,
        offset: u64,
        len: usize,
        limit: u64,
    ) -> Result<Option<&[u8]>, DiskError> {
        if offset + len as u64 > limit {
            return Ok(None);
        }
        let held = self.start..self.start + self.bytes.len() as u64;
        let is_held =
            self.file == Some(file) && held.contains(&offset) && offset + len as u64 <= held.end;
        if !is_held {
            let ahead = len.max(WINDOW_BYTES).min((limit - offset) as usize);
            self.forget();
            self.bytes.resize(ahead, 0);
            let read = disk.read(file, offset, &mut self.bytes)?;
            self.bytes.truncate(read);
            self.file = Some(file);
            self.start = offset;
        }
        let at = (offset - self.start) as usize;
        Ok(self.bytes.get(at..at + len))
    }

    /// The header of the batch at `offset` that belongs to the life `incarnation` of the file.
    pub(super) fn header(
        &mut self,
        disk: &mut dyn Disk,
        file: FileName,
        offset: u64,
        limit: u64,
        incarnation: u64,
    ) -> Result<Option<ReadHeader>, DiskError> {
        let block = self.fetch(disk, file, offset, BLOCK, limit)?;
        let read = block.and_then(batch::decode);
        Ok(read.filter(|read| read.header.incarnation == incarnation))
    }

    /// The packets of the batch at `offset`, or `None` if it is not whole.
    pub(super) fn body(
        &mut self,
        disk: &mut dyn Disk,
        file: FileName,
        offset: u64,
        limit: u64,
        read: &ReadHeader,
    ) -> Result<Option<&[u8]>, DiskError> {
        let batch = self.fetch(disk, file, offset, read.header.len(), limit)?;
        Ok(batch.filter(|batch| read.body_is_whole(batch)).map(|batch| read.body(batch)))
    }
}

static ZEROS: [u8; BLOCK] = [0; BLOCK];

/// What is zeroed by one write.
const ZERO_BYTES: usize = WINDOW_BYTES;

/// Writes zeros wherever `from..to` is not zero, in runs; how many bytes that were. The caller
/// syncs.
pub(super) fn zero_out(
    disk: &mut dyn Disk,
    file: FileName,
    from: u64,
    to: u64,
) -> Result<u64, DiskError> {
    let mut window = Window::default();
    let mut zeroed = 0;
    let mut at = from;
    while at < to {
        let len = ZERO_BYTES.min((to - at) as usize);
        let Some(bytes) = window.fetch(disk, file, at, len, to)? else { break };
        let is_used = |block: &[u8]| *block != ZEROS[..block.len()];
        let first = bytes.chunks(BLOCK).position(is_used);
        let last = first.and_then(|_| bytes.chunks(BLOCK).rposition(is_used));
        if let (Some(first), Some(last)) = (first, last) {
            let count = (last + 1 - first) * BLOCK;
            disk.write(file, at + (first * BLOCK) as u64, &vec![0; count])?;
            window.forget();
            zeroed += count as u64;
        }
        at += len as u64;
    }
    Ok(zeroed)
}
