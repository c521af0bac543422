//! What stands in for the server: a state that is a list of payloads, and its snapshots.

use std::fmt;
use std::ops::Range;

use ringkeeper_engine::jute::{Reader, WireError};
use ringkeeper_engine::log::{Disk, DiskError, FileName, Log};
use ringkeeper_engine::replica::{Intake, IntakeError, SnapshotFormat};
use ringkeeper_engine::zxid::Zxid;

/// Everything applied, in order. A snapshot is all of it.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct State(pub(crate) Vec<(Zxid, Vec<u8>)>);

impl fmt::Debug for State {
    /// Places alone: payloads fill screens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(zxid, payload)| (zxid, payload.len()))).finish()
    }
}

impl State {
    fn encode(&self) -> Vec<u8> {
        let mut out = (self.0.len() as i32).to_be_bytes().to_vec();
        for (zxid, payload) in &self.0 {
            out.extend_from_slice(&zxid.0.to_be_bytes());
            out.extend_from_slice(&(payload.len() as i32).to_be_bytes());
            out.extend_from_slice(payload);
        }
        out
    }

    fn decode(bytes: &[u8]) -> Result<(Self, usize), WireError> {
        let mut reader = Reader::new(bytes);
        let mut state = Self::default();
        for _ in 0..reader.int("count")? {
            let zxid = Zxid(reader.long("zxid")?);
            state.0.push((zxid, reader.buffer("payload")?.unwrap_or_default().to_vec()));
        }
        Ok((state, reader.position()))
    }

    /// What `Effect::Reload` asks for.
    pub(crate) fn load(disk: &mut dyn Disk, log: &Log, snapshot: Option<Zxid>, upto: Zxid) -> Self {
        let mut state = Self::default();
        if let Some(zxid) = snapshot {
            state = Self::decode(&read_all(disk, FileName::Snapshot(zxid)).unwrap()).unwrap().0;
        }
        let from = snapshot.unwrap_or(log.history().base()).max(log.history().base());
        let mut cursor = log.cursor(from);
        let mut run = Vec::new();
        while cursor.next(disk, log, &mut run, 1 << 16).unwrap() > 0 {}
        for (zxid, packet) in ringkeeper_engine::log::packets(&run) {
            if zxid <= upto {
                state.0.push((zxid, ringkeeper_engine::log::payload(packet).to_vec()));
            }
        }
        state
    }

    /// Writes `Snapshot(zxid)`, whole and durable.
    pub(crate) fn save(&self, disk: &mut dyn Disk, zxid: Zxid) -> Result<(), DiskError> {
        let aside = FileName::SnapshotAside(zxid);
        disk.write(aside, 0, &self.encode())?;
        disk.sync(aside)?;
        disk.rename(aside, FileName::Snapshot(zxid))?;
        disk.sync_dir()
    }
}

fn read_all(disk: &mut dyn Disk, file: FileName) -> Result<Vec<u8>, DiskError> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let read = disk.read(file, bytes.len() as u64, &mut chunk)?;
        if read == 0 {
            return Ok(bytes);
        }
        bytes.extend_from_slice(&chunk[..read]);
    }
}

/// Snapshots that are their body and nothing else.
pub(crate) struct BareFormat;

impl SnapshotFormat for BareFormat {
    fn body(&self, disk: &mut dyn Disk, zxid: Zxid) -> Result<Range<u64>, DiskError> {
        Ok(0..read_all(disk, FileName::Snapshot(zxid))?.len() as u64)
    }

    fn empty_body(&self) -> Vec<u8> {
        State::default().encode()
    }

    fn intake(&self, zxid: Zxid) -> Box<dyn Intake> {
        Box::new(BareIntake { zxid, bytes: Vec::new(), state: None })
    }
}

struct BareIntake {
    zxid: Zxid,
    bytes: Vec<u8>,
    state: Option<State>,
}

impl Intake for BareIntake {
    fn feed(&mut self, bytes: &[u8], _: &mut dyn Disk) -> Result<Option<usize>, IntakeError> {
        let before = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        match State::decode(&self.bytes) {
            Ok((state, length)) => {
                self.state = Some(state);
                Ok(Some(length - before))
            }
            Err(WireError::Short { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn finish(self: Box<Self>, disk: &mut dyn Disk) -> Result<(), DiskError> {
        self.state.expect("finished after the end of the body").save(disk, self.zxid)
    }
}
