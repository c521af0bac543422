//! What Apache ZooKeeper reads: names, epochs and logs as it writes them.
//!
//! Not here: where they go (the tools).

use std::io::{self, Write};

use ringkeeper_engine::zxid::{Epoch, Zxid};
use simd_adler32::adler32;

use super::txn_log::{END_OF_ENTRY, MAGIC, VERSION};

/// The files of epochs: the accepted and the current one.
pub const EPOCH_FILES: [&str; 2] = ["acceptedEpoch", "currentEpoch"];

pub fn snapshot_name(zxid: Zxid) -> String {
    format!("snapshot.{:x}", zxid.0)
}

/// By the zxid of its first txn.
pub fn log_name(first: Zxid) -> String {
    format!("log.{:x}", first.0)
}

/// Decimal, and no line end.
pub fn epoch_text(epoch: Epoch) -> String {
    epoch.0.to_string()
}

/// A log in the making; what comes of `finish` is whole.
pub struct TxnLogWriter<W> {
    sink: W,
}

impl<W: Write> TxnLogWriter<W> {
    pub fn begin(mut sink: W) -> io::Result<Self> {
        sink.write_all(&MAGIC.to_be_bytes())?;
        sink.write_all(&VERSION.to_be_bytes())?;
        sink.write_all(&[0; 8])?;
        Ok(Self { sink })
    }

    /// `payload` is a txn: header, record, digest. Not empty, which would end the log.
    pub fn append(&mut self, payload: &[u8]) -> io::Result<()> {
        let length = i32::try_from(payload.len()).map_err(io::Error::other)?;
        self.sink.write_all(&u64::from(adler32(&payload)).to_be_bytes())?;
        self.sink.write_all(&length.to_be_bytes())?;
        self.sink.write_all(payload)?;
        self.sink.write_all(&[END_OF_ENTRY])
    }

    /// No padding follows: Java takes the end of the file for the end of the log.
    pub fn finish(mut self) -> io::Result<W> {
        self.sink.flush()?;
        Ok(self.sink)
    }
}
