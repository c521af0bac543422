//! A folder on the disk that is measured, with one segment prepared as the log's are.
//!
//! Not here: what is written to it (`cycle`).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ringkeeper_engine::io::files::Directory;
use ringkeeper_engine::io::{self, Backend, Completion, Io, Reactor, ReactorOptions};
use ringkeeper_engine::limits::SEGMENT_BYTES;
use ringkeeper_engine::log::{DiskDone, DiskOp, FileName};

use super::DiskBenchError;
use crate::host::DeviceCounts;

/// The only segment there is.
pub(crate) const SEGMENT: u64 = 1;

pub(super) const TURN: Duration = Duration::from_millis(100);

/// Gone with its owner, however the run ends.
pub(crate) struct Device {
    folder: PathBuf,
    directory: Arc<Directory>,
}

impl Drop for Device {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            eprintln!("{} stays behind: {error}", self.folder.display());
        }
    }
}

impl Device {
    /// A fresh folder below `data`.
    pub(crate) fn open(data: &Path, name: &str) -> Result<Self, DiskBenchError> {
        let folder = data.join(format!("ringkeeper-bench-{}-{name}", std::process::id()));
        let directory = Directory::open(&folder, &folder)?;
        Ok(Self { folder, directory })
    }

    pub(super) fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// All below it goes with it.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the device below has done; `None` where the kernel does not count it.
    pub(crate) fn counts(&self) -> Option<DeviceCounts> {
        DeviceCounts::of(&self.folder)
    }

    /// The prepared segment, for who writes to it by other means.
    pub(crate) fn segment_path(&self) -> PathBuf {
        self.folder.join("ringkeeper").join(FileName::Segment(SEGMENT).path())
    }

    pub(crate) fn reactor(&self, backend: Backend) -> Result<Box<dyn Reactor>, DiskBenchError> {
        let directory = Some(Arc::clone(&self.directory));
        Ok(io::start(backend, &ReactorOptions::default(), directory)?)
    }

    /// Makes the segment, once.
    pub(crate) fn prepare(&self, reactor: &mut dyn Reactor) -> Result<(), DiskBenchError> {
        struct Waiting(Option<Result<(), i32>>);
        impl io::Handler for Waiting {
            fn on(&mut self, completion: Completion<'_>, _: &mut dyn Io) {
                if let Completion::Disk(DiskDone::Prepared { result, .. }) = completion {
                    self.0 = Some(result);
                }
            }
        }
        let (segment, bytes) = (SEGMENT, SEGMENT_BYTES);
        reactor.io().disk(DiskOp::Prepare { segment, bytes, recycle: None });
        let mut waiting = Waiting(None);
        loop {
            reactor.turn(Some(TURN), &mut waiting)?;
            if let Some(result) = waiting.0 {
                return result.map_err(DiskBenchError::Failed);
            }
        }
    }
}
