//! Cursors: reading the log back, packet by packet, for replay and for learners.
//!
//! A cursor sees what is durable and nothing else, checks every batch's checksum, and survives
//! appends, purges and truncations of the log it reads.
//!
//! Not here: which range a learner needs (`zab`'s sync plan).

use super::batch::packets;
use super::disk::{Disk, DiskError, FileName};
use super::window::Window;
use super::{Log, LogFailure};
use crate::zxid::Zxid;

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CursorError {
    /// The disk failed, or what was durable does not read back: the end of the process.
    #[error(transparent)]
    Failure(LogFailure),
    /// The log begins above the place sought; a snapshot has to bridge that.
    #[error("the log begins after {base}")]
    Purged { base: Zxid },
}

impl From<DiskError> for CursorError {
    fn from(error: DiskError) -> Self {
        Self::Failure(LogFailure::Disk(error))
    }
}

#[derive(Debug)]
pub struct Cursor {
    after: Zxid,
    generation: u64,
    /// Segment number and offset of the batch to read next.
    place: Option<(u64, u64)>,
    /// The batch whose checksum was last found right.
    checked: Option<(u64, u64)>,
    window: Window,
}

impl Log {
    /// Reads what comes after `after`, from the first call of `next` on.
    pub fn cursor(&self, after: Zxid) -> Cursor {
        Cursor {
            after,
            generation: self.generation,
            place: None,
            checked: None,
            window: Window::default(),
        }
    }

    /// The segment numbered `number`: its index, if it is in use.
    fn index_of(&self, number: u64) -> Option<usize> {
        self.segments.binary_search_by_key(&number, |segment| segment.header.number).ok()
    }
}

impl Cursor {
    /// The last zxid handed out.
    pub fn position(&self) -> Zxid {
        self.after
    }

    /// Appends whole packets to `out`, in order, until `max_bytes` are exceeded with the next one;
    /// at least one if there is one. How many they were; 0 at the end of what is durable.
    pub fn next(
        &mut self,
        disk: &mut dyn Disk,
        log: &Log,
        out: &mut Vec<u8>,
        max_bytes: usize,
    ) -> Result<usize, CursorError> {
        if self.generation != log.generation {
            self.generation = log.generation;
            self.place = None;
            self.checked = None;
            self.window.forget();
        }
        let start = out.len();
        let mut count = 0;
        while self.after < log.durable() {
            let taken = self.next_of_batch(disk, log, out, start + max_bytes, count == 0)?;
            count += taken.0;
            if taken.1 {
                break;
            }
        }
        Ok(count)
    }

    /// Takes what fits from one batch: how many packets, and whether `bytes_max` is reached.
    fn next_of_batch(
        &mut self,
        disk: &mut dyn Disk,
        log: &Log,
        out: &mut Vec<u8>,
        bytes_max: usize,
        mut must_take: bool,
    ) -> Result<(usize, bool), CursorError> {
        let (number, offset) = self.seek(log)?;
        let index = log.index_of(number).expect("seek names a segment in use");
        let segment = &log.segments[index];
        let limit = if number == log.durable.segment { log.durable.end } else { segment.end };
        let file = FileName::Segment(number);
        let corrupt = CursorError::Failure(LogFailure::Corrupt { file, offset });
        let incarnation = segment.header.incarnation;
        let read = self.window.header(disk, file, offset, limit, incarnation)?.ok_or(corrupt)?;
        let after_it = offset + read.header.len() as u64;
        if after_it >= segment.end && read.header.last < segment.last {
            return Err(corrupt);
        }
        let next = Some((number, after_it));
        if read.header.last <= self.after {
            self.place = next;
            return Ok((0, false));
        }
        let run = if self.checked == self.place {
            let batch = self.window.fetch(disk, file, offset, read.header.len(), limit)?;
            batch.map(|batch| read.body(batch))
        } else {
            self.window.body(disk, file, offset, limit, &read)?
        };
        let run = run.ok_or(corrupt)?;
        self.checked = self.place;
        let mut count = 0;
        for (zxid, packet) in packets(run) {
            if zxid <= self.after {
                continue;
            }
            if !must_take && out.len() + packet.len() > bytes_max {
                return Ok((count, true));
            }
            must_take = false;
            out.extend_from_slice(packet);
            self.after = zxid;
            count += 1;
        }
        self.place = next;
        Ok((count, false))
    }

    /// Where to go on reading: the place kept, the segment after it, or the place sought anew.
    fn seek(&mut self, log: &Log) -> Result<(u64, u64), CursorError> {
        if let Some((number, offset)) = self.place
            && let Some(index) = log.index_of(number)
            && offset < log.segments[index].end
            && self.after < log.segments[index].last
        {
            return Ok((number, offset));
        }
        let base = log.history.base();
        if self.after < base {
            return Err(CursorError::Purged { base });
        }
        let index = log.segments.partition_point(|segment| segment.last <= self.after);
        let segment = log.segments.get(index).expect("what is durable stands in a segment");
        let place = (segment.header.number, segment.place_before(self.after));
        self.place = Some(place);
        Ok(place)
    }
}
