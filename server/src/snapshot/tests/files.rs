//! A disk that never fails and forgets nothing: what is kept of a file is the test's question.

use std::collections::BTreeMap;

use ringkeeper_engine::log::{Disk, DiskError, DiskVerb, FileName};

#[derive(Default)]
pub(super) struct Files(BTreeMap<FileName, Vec<u8>>);

impl Files {
    pub(super) fn whole(&self, file: FileName) -> Vec<u8> {
        self.0[&file].clone()
    }

    pub(super) fn put(&mut self, file: FileName, bytes: &[u8]) {
        self.0.insert(file, bytes.to_vec());
    }

    fn existing(&mut self, file: FileName, verb: DiskVerb) -> Result<&mut Vec<u8>, DiskError> {
        let missing = DiskError { file: Some(file), verb, offset: 0, errno: 2 };
        self.0.get_mut(&file).ok_or(missing)
    }
}

impl Disk for Files {
    fn list(&mut self) -> Result<Vec<(FileName, u64)>, DiskError> {
        Ok(self.0.iter().map(|(file, bytes)| (*file, bytes.len() as u64)).collect())
    }

    fn read(&mut self, file: FileName, offset: u64, into: &mut [u8]) -> Result<usize, DiskError> {
        let bytes = self.existing(file, DiskVerb::Read)?;
        let from = (offset as usize).min(bytes.len());
        let count = into.len().min(bytes.len() - from);
        into[..count].copy_from_slice(&bytes[from..from + count]);
        Ok(count)
    }

    fn write(&mut self, file: FileName, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let whole = self.0.entry(file).or_default();
        let end = offset as usize + bytes.len();
        whole.resize(whole.len().max(end), 0);
        whole[offset as usize..end].copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self, file: FileName) -> Result<(), DiskError> {
        self.existing(file, DiskVerb::Sync).map(|_| ())
    }

    fn rename(&mut self, from: FileName, to: FileName) -> Result<(), DiskError> {
        let bytes = std::mem::take(self.existing(from, DiskVerb::Rename)?);
        self.0.remove(&from);
        self.0.insert(to, bytes);
        Ok(())
    }

    fn remove(&mut self, file: FileName) -> Result<(), DiskError> {
        self.existing(file, DiskVerb::Remove)?;
        self.0.remove(&file);
        Ok(())
    }

    fn sync_dir(&mut self) -> Result<(), DiskError> {
        Ok(())
    }
}
