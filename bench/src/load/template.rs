//! A request as bytes made once and copied.
//!
//! A frame differs from the next of its kind in the xid, and in ten digits of a child's name where
//! it names one or two; they are written over in place.
//!
//! Not here: which requests there are (`requests`).

use ringkeeper::wire::{Acl, OpCode, bodies, perms};
use ringkeeper_engine::jute::Writer;

pub(super) const NAME_DIGITS: usize = 10;
const XID_AT: usize = 4;
/// Length, xid and op stand before the body.
const HEADER_BYTES: usize = 12;

pub(super) const PERSISTENT: i32 = 0;
pub(super) const EPHEMERAL: i32 = 1;

/// A frame whose xid, and children's digits if it names some, are still to be written.
pub(super) struct Template {
    frame: Vec<u8>,
    digits_at: Vec<usize>,
}

impl Template {
    /// `digits_at` counts from where the body begins.
    pub(super) fn new(op: OpCode, body: &[u8], digits_at: &[usize]) -> Self {
        let mut frame = Vec::with_capacity(body.len() + HEADER_BYTES);
        let mut writer = Writer(&mut frame);
        writer.int(0);
        writer.int(0);
        writer.int(op.code());
        writer.bytes(body);
        let length = i32::try_from(frame.len() - 4).expect("`LoadOptions` bounds the data");
        Writer(&mut frame).patch_int(0, length);
        Self { frame, digits_at: digits_at.iter().map(|at| at + HEADER_BYTES).collect() }
    }

    /// `numbers` are written into the digits, place by place.
    pub(super) fn write(&self, xid: i32, numbers: &[u64], out: &mut Vec<u8>) {
        let at = out.len();
        out.extend_from_slice(&self.frame);
        Writer(out).patch_int(at + XID_AT, xid);
        for (digits_at, number) in self.digits_at.iter().zip(numbers) {
            let digits = &mut out[at + digits_at..][..NAME_DIGITS];
            let mut rest = *number;
            for digit in digits.iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
    }
}

/// A path that ends in digits to be written over.
pub(super) fn numbered(before: &str) -> String {
    format!("{before}{:0width$}", 0, width = NAME_DIGITS)
}

/// Where the digits of a numbered path begin, if the path is what a body begins with: a path is a
/// length of four bytes and its letters.
pub(super) fn digits_of(path: &str) -> usize {
    4 + path.len() - NAME_DIGITS
}

pub(super) fn set(path: &str, data: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    bodies::set_data(path, Some(data), -1, &mut body);
    body
}

pub(super) fn get(path: &str, watches: bool) -> Vec<u8> {
    let mut body = Vec::new();
    bodies::watchable(path, watches, &mut body);
    body
}

pub(super) fn create(path: &str, data: &[u8], flags: i32) -> Vec<u8> {
    let acl = [Acl::new(perms::ALL, "world", "anyone")];
    let mut body = Vec::new();
    bodies::create(path, Some(data), &acl, flags, &mut body);
    body
}

/// `delete`, and `check`: any version.
pub(super) fn versioned(path: &str) -> Vec<u8> {
    let mut body = Vec::new();
    bodies::versioned(path, -1, &mut body);
    body
}
