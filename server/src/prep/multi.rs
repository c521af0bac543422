//! `multi`: all of its ops, or none.

use super::{Outcome, PREPARED, Prepared, Preparing};
use crate::txn::{MultiWriter, Txn};
use crate::wire::{ErrorCode, MultiKind, MultiOp, MultiOps, OpCode};

impl Preparing<'_, '_> {
    /// Compat: a failed multi keeps the records before the op that failed, which is an error with
    /// its code, as are those after it with -2; readers see the errors and change nothing
    /// (`PrepRequestProcessor`, 3.9.5).
    pub(super) fn multi(&mut self, out: &mut Vec<u8>) -> Result<Prepared, ErrorCode> {
        let ops = MultiOps::decode(self.request.body).map_err(|_| ErrorCode::MARSHALLING_ERROR)?;
        if ops.kind() == MultiKind::Reads {
            return Err(ErrorCode::MARSHALLING_ERROR);
        }
        let mark = self.prep.overlay.mark();
        let before = self.prep.digest;
        let mut refusal = ErrorCode::OK;
        let mut writer = MultiWriter::begin(out);
        for op in ops.iter() {
            if refusal.is_ok() {
                refusal = self.sub_op(&op, &mut writer, out)?;
                if refusal.is_ok() {
                    continue;
                }
                // P2
                self.prep.overlay.roll_back(mark);
                self.prep.digest = before;
                push_error(refusal, &mut writer, out);
            } else {
                push_error(ErrorCode::RUNTIME_INCONSISTENCY, &mut writer, out);
            }
            self.check_size(out)?;
        }
        writer.finish(out);
        Ok(Prepared { refusal, ..PREPARED })
    }

    /// Appends one op's txn; where it is refused, appends nothing and says why.
    ///
    /// # Errors
    /// Refuses the whole request: what Java falls over (-5), and what grows beyond the limit.
    fn sub_op(
        &mut self,
        op: &MultiOp<'_>,
        writer: &mut MultiWriter,
        out: &mut Vec<u8>,
    ) -> Result<ErrorCode, ErrorCode> {
        let mut record = std::mem::take(&mut self.prep.scratch.record);
        record.clear();
        let made = self.sub_record(op, &mut record);
        if made.is_ok() {
            writer.push(op.op(), out, |out| out.extend_from_slice(&record));
        }
        self.prep.scratch.record = record;
        match made {
            Ok(()) => self.check_size(out).map(|()| ErrorCode::OK),
            Err(ErrorCode::MARSHALLING_ERROR) => Err(ErrorCode::MARSHALLING_ERROR),
            Err(refusal) => Ok(refusal),
        }
    }

    fn sub_record(&mut self, op: &MultiOp<'_>, out: &mut Vec<u8>) -> Outcome {
        match op {
            MultiOp::Create(create) => self.create(create, out),
            MultiOp::Delete(delete) => self.delete(delete, out),
            MultiOp::SetData(set) => self.set_data(set, out),
            MultiOp::Check(check) => self.check(check, out),
            MultiOp::GetData(_) | MultiOp::GetChildren(_) => Err(ErrorCode::MARSHALLING_ERROR),
        }
    }
}

fn push_error(code: ErrorCode, writer: &mut MultiWriter, out: &mut Vec<u8>) {
    writer.push(OpCode::Error, out, |out| Txn::Error { code }.encode(out));
}
