//! Group commit: many packets, one write; many writes, one flush.
//!
//! Greedy, without a timer. While the disk is busy packets gather, and when it is free everything
//! gathered goes. With nothing on its way a batch goes as one durable write, the shortest way;
//! behind others it goes as a plain write, several at once, and one flush at a time makes durable
//! what was answered before it, while the next ones are being written. A small batch waits for the
//! write under way, because a write costs the disk and the machine a request however small it is.
//!
//! Invariants:
//! - G1. Zxids enter in order (law 4) and become durable in order.
//! - G2. A segment is left only when everything in it is durable; so that a later segment exists
//!   proves that nothing before it may be missing.
//!
//! Not here: the queue of batches (`proposals`), what is durable (`flight`).

use std::sync::Arc;

use super::batch::{self, BatchHeader, padded};
use super::disk::{DiskDone, DiskError, DiskOp, DiskVerb, FileName};
use super::flight::Reach;
use super::proposals::Batch;
use super::segment::{Segment, SegmentHeader};
use super::{Durable, Log, LogFailure};
use crate::limits::BLOCK;
use crate::zxid::Zxid;

/// Past this many times the bound on gathered bytes somebody ignores `has_room`.
const OVERFLOW: usize = 4;

impl Log {
    /// Takes a packet: PROPOSAL bytes, framed and numbered `zxid`, the next of its epoch or the
    /// first of a later one. In an empty log any zxid above the base will do.
    pub fn append(&mut self, zxid: Zxid, packet: &[u8]) {
        assert!(self.failed.is_none(), "law 8: nothing is appended after a failure");
        assert!(self.damage.is_none(), "law 9: nothing is appended to a damaged log");
        let appended = self.history.last();
        assert!(
            zxid.follows(appended) || (self.history.is_empty() && zxid > appended),
            "law 4: {zxid:?} after {appended:?}"
        );
        assert_eq!(batch::packet(packet), Some((zxid, packet.len())), "a packet is framed");
        assert!(
            (padded(packet.len()) + BLOCK) as u64 <= self.options.segment_bytes,
            "law 11: a packet of {} bytes was admitted",
            packet.len()
        );
        assert!(
            self.proposals.gathered_bytes() <= OVERFLOW * self.options.gathered_bytes_max,
            "AI-6: the log was fed without room"
        );
        self.proposals.append(zxid, packet);
        self.history.push(zxid);
    }

    /// What may go to the disk now. Call it at the end of every turn that appended or completed
    /// anything.
    pub fn drain(&mut self, out: &mut Vec<DiskOp>) {
        if self.failed.is_some() || self.damage.is_some() {
            return;
        }
        self.spares.ask(out);
        while self.flight.writing() < self.options.writes_in_flight {
            let Some(len) = self.proposals.front().map(Batch::len) else { break };
            let is_small = len < self.options.small_batch_bytes && self.proposals.gathering() == 1;
            if is_small && self.flight.writing() > 0 {
                break;
            }
            if self.active_has_room(len) {
                self.write_batch(out);
            } else if !self.roll(out) {
                break;
            }
        }
        out.extend(self.flight.flush());
    }

    fn active_has_room(&self, len: usize) -> bool {
        self.segments.back().is_some_and(|segment| segment.has_room(len))
    }

    fn write_batch(&mut self, out: &mut Vec<DiskOp>) {
        // Alone on an idle disk a durable write is the shortest way; in company a flush serves all.
        let is_alone = self.flight.is_empty() && self.proposals.gathering() == 1;
        let durable = is_alone || self.options.every_write_durable;
        let batch = self.proposals.front().expect("a batch has gathered");
        let segment = self.segments.back_mut().expect("a segment with room is active");
        let header = BatchHeader {
            before: self.chain,
            incarnation: segment.header.incarnation,
            sequence: self.next_sequence,
            first: batch.first,
            last: batch.last,
            count: batch.count,
            bytes: batch.bytes as u32,
            known_durable: self.durable.sequence,
        };
        let (slab, (len, crc)) = self.proposals.hand_out(|slab| batch::seal(slab, &header));
        let offset = segment.end;
        segment.push(header.first, header.last, len);
        let number = segment.header.number;
        let reaches = Reach {
            zxid: header.last,
            sequence: header.sequence,
            segment: number,
            end: segment.end,
        };
        self.chain = crc;
        self.next_sequence += 1;
        let op = self.flight.depart(offset, reaches, durable);
        out.push(DiskOp::Write { op, segment: number, offset, slab, len, durable });
    }

    /// Begins the next segment with its header block; false if that has to wait (G2).
    fn roll(&mut self, out: &mut Vec<DiskOp>) -> bool {
        if !self.flight.is_empty() {
            return false;
        }
        let above = self.segments.back().map_or(0, |segment| segment.header.number);
        let Some((number, size)) = self.spares.take(above) else {
            self.spares.hurry(out);
            return false;
        };
        self.spares.ask(out);
        let first = self.proposals.front().expect("a roll makes room for a batch").first;
        let header = self.next_header(number, first);
        let mut slab = self.header_slab.take().expect("one header is written at a time");
        header.encode(Arc::get_mut(&mut slab).expect("the disk has given it back"));
        self.segments.push_back(Segment::new(header, size));
        let reaches = Reach { segment: number, end: BLOCK as u64, ..self.durable };
        let durable = self.options.every_write_durable;
        let op = self.flight.depart(0, reaches, durable);
        out.push(DiskOp::Write { op, segment: number, offset: 0, slab, len: BLOCK, durable });
        true
    }

    /// The header of a segment that begins with the next batch.
    pub(super) fn next_header(&mut self, number: u64, first: Zxid) -> SegmentHeader {
        SegmentHeader {
            before: self.chain,
            cluster_id: self.options.cluster_id,
            number,
            incarnation: self.dice.next(),
            first_sequence: self.next_sequence,
            base: self.segments.back().map_or(self.history.base(), |segment| segment.last),
            first,
        }
    }

    /// The disk answered. `Some` when more is durable than before; an error is the end of the
    /// process.
    pub fn on_done(&mut self, done: DiskDone) -> Result<Option<Durable>, LogFailure> {
        self.guard()?;
        let result = self.take_answer(done);
        self.settle(result)
    }

    fn take_answer(&mut self, done: DiskDone) -> Result<Option<Durable>, LogFailure> {
        match done {
            DiskDone::Written { op, slab, result } => {
                if self.flight.written(op, result)? {
                    self.header_slab = Some(slab);
                }
            }
            DiskDone::Flushed { op, result } => self.flight.flushed(op, result)?,
            DiskDone::Prepared { segment, result } => {
                self.spares.prepared(segment, result.is_ok());
                let is_waited_for = self.is_roll_due() && !self.spares.has_ready();
                if let Err(errno) = result
                    && is_waited_for
                {
                    return Err(failed(FileName::Spare(segment), DiskVerb::Prepare, errno));
                }
            }
            DiskDone::Removed { segment, result } => {
                let file = FileName::Segment(segment);
                result.map_err(|errno| failed(file, DiskVerb::Remove, errno))?;
            }
        }
        let Some(reached) = self.flight.arrive() else { return Ok(None) };
        let before = std::mem::replace(&mut self.durable, reached).zxid;
        assert!(before <= reached.zxid && reached.zxid <= self.appended(), "G1: {reached:?}");
        Ok((reached.zxid > before).then_some(Durable(reached.zxid)))
    }

    fn is_roll_due(&self) -> bool {
        self.proposals.front().is_some_and(|batch| !self.active_has_room(batch.len()))
    }
}

fn failed(file: FileName, verb: DiskVerb, errno: i32) -> LogFailure {
    LogFailure::Disk(DiskError { file: Some(file), verb, offset: 0, errno })
}
