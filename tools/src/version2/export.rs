//! `ringkeeper-tools export`: a `version-2` from which Apache ZooKeeper starts.
//!
//! The newest verified snapshot as it is, the txns after it as a log, so that a Java leader may
//! truncate them, and both epochs: what this server promised, the Java server keeps. All of it is
//! written aside, read back, and only then put in place.
//!
//! Invariants:
//! - EX1. No file of a former `version-2` is deleted, and none is left beside the new ones.
//! - EX2. A `version-2` that was put in place holds everything that this server acknowledged.
//!
//! Not here: the formats (`ringkeeper::version2`, `ringkeeper::snapshot`).

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ringkeeper::runtime::{DataFolders, FolderArchive};
use ringkeeper::snapshot::{Format, SnapshotWriter, open, verify};
use ringkeeper::version2::{
    EPOCH_FILES, FOLDER, TxnLogWriter, epoch_text, log_name, snapshot_name, standing, survey,
};
use ringkeeper_engine::io::files::{Directory, FileDisk};
use ringkeeper_engine::log::{Disk, FileName, MemoryDisk, Opened, packets, payload};
use ringkeeper_engine::zab::SnapshotFormat;
use ringkeeper_engine::zxid::{Epoch, Zxid};

use super::aside::{is_free, move_aside, sync_folder, sync_parent};
use super::place::Found;
use super::{PlaceOptions, Version2ToolError, at};

/// Bytes of log read at a time.
const STRETCH_BYTES: usize = 1 << 20;

/// A seal: checksum and terminator.
const SEAL_BYTES: u64 = 13;

#[derive(Debug, Clone, Default)]
pub struct ExportOptions {
    pub place: PlaceOptions,
    /// Instead of beside our own folder: a dataDir for everything, with its `myid`.
    pub to: Option<PathBuf>,
    /// Rename a `version-2` that is there.
    pub replace: bool,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exported {
    pub snapshot: Zxid,
    pub txns: u64,
    pub last: Zxid,
    pub accepted: Epoch,
    pub current: Epoch,
    pub folders: Vec<PathBuf>,
    /// What stood there before, under its new name.
    pub renamed: Vec<PathBuf>,
}

/// Where it goes: the same folder twice, unless logs lie apart.
struct Target {
    data: PathBuf,
    logs: PathBuf,
}

impl Target {
    fn of(folders: &DataFolders, to: Option<&PathBuf>) -> Self {
        let data = to.unwrap_or(&folders.data_dir).join(FOLDER);
        let logs = to.unwrap_or(&folders.data_log_dir).join(FOLDER);
        Self { data, logs }
    }

    /// Where it is made: beside, under a name that nobody starts from.
    fn aside(&self) -> Self {
        let name = format!("{FOLDER}.exporting");
        Self { data: self.data.with_file_name(&name), logs: self.logs.with_file_name(&name) }
    }

    /// The logs' folder first: without a snapshot Java refuses to start from logs.
    fn folders(&self) -> Vec<&Path> {
        let mut folders = vec![self.logs.as_path(), self.data.as_path()];
        folders.dedup();
        folders
    }
}

/// Writes a `version-2`. No server may run on either side; ours is kept out by its lock.
pub fn export(options: &ExportOptions) -> Result<Exported, Version2ToolError> {
    let Found { folders, digests } = options.place.find()?;
    if !folders.has_log() {
        return Err(Version2ToolError::NoLog(folders.data_dir.join("ringkeeper")));
    }
    let target = Target::of(&folders, options.to.as_ref());
    for folder in target.folders() {
        if !options.replace && !is_free(folder)? {
            return Err(Version2ToolError::NotEmpty(folder.to_owned()));
        }
    }
    let directory = Directory::open(&folders.data_dir, &folders.data_log_dir)?;
    let mut disk = FileDisk::new(Arc::clone(&directory));
    let opened = crate::log::open(&mut disk)?;
    if opened.log.damage().is_some() || !opened.log.may_vote() {
        return Err(Version2ToolError::Damaged);
    }
    let aside = target.aside();
    for folder in aside.folders() {
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(at(folder))?;
        }
        fs::create_dir_all(folder).map_err(at(folder))?;
    }
    let mut exported = write_all(&mut disk, &opened, &aside, digests)?;
    check(&folders, &aside, &exported)?;
    for (from, to) in aside.folders().into_iter().zip(target.folders()) {
        exported.renamed.extend(clear(to)?);
        fs::rename(from, to).map_err(at(to))?;
        sync_parent(to)?;
        exported.folders.push(to.to_owned());
    }
    match &options.to {
        Some(to) => copy_myid(&folders.data_dir, to)?,
        // A later start of ours compares with it.
        None => note(&mut disk, &folders)?,
    }
    Ok(exported)
}

/// EX1: an empty folder goes, any other is renamed.
fn clear(folder: &Path) -> Result<Option<PathBuf>, Version2ToolError> {
    if folder.exists() && is_free(folder)? {
        fs::remove_dir(folder).map_err(at(folder))?;
        return Ok(None);
    }
    move_aside(folder)
}

fn write_all(
    disk: &mut FileDisk,
    opened: &Opened,
    aside: &Target,
    digests: bool,
) -> Result<Exported, Version2ToolError> {
    let superblock = opened.log.superblock();
    let snapshot = superblock.snapshot.unwrap_or(Zxid::ZERO);
    let file = aside.data.join(snapshot_name(snapshot));
    match superblock.snapshot {
        Some(zxid) => write_snapshot(disk, zxid, &file, digests)?,
        None => write_file(&file, &empty_snapshot()?)?,
    }
    let (txns, last) = write_log(disk, opened, snapshot, &aside.logs)?;
    let (accepted, current) = (superblock.accepted_epoch, superblock.current_epoch);
    for (name, epoch) in EPOCH_FILES.iter().zip([accepted, current]) {
        write_file(&aside.data.join(name), epoch_text(epoch).as_bytes())?;
    }
    for folder in aside.folders() {
        sync_folder(folder)?;
    }
    Ok(Exported { snapshot, txns, last, accepted, current, ..Exported::default() })
}

/// Compat: a server with digests switched off does not skip a digest in a snapshot (`FileSnap`,
/// 3.9.5), so it is given the file up to the seal of its body, which every version takes.
fn write_snapshot(
    disk: &mut FileDisk,
    zxid: Zxid,
    file: &Path,
    digests: bool,
) -> Result<(), Version2ToolError> {
    verify(open(disk, zxid)).map_err(|error| Version2ToolError::Snapshot { zxid, error })?;
    let end = if digests { u64::MAX } else { Format.body(disk, zxid)?.end + SEAL_BYTES };
    let mut into = File::create(file).map_err(at(file))?;
    let copied = io::copy(&mut open(disk, zxid).take(end), &mut into);
    copied.and_then(|_| into.sync_all()).map_err(at(file))
}

/// Of a server that has never taken a snapshot: the tree that nobody has written to.
fn empty_snapshot() -> Result<Vec<u8>, Version2ToolError> {
    let mut disk = MemoryDisk::new();
    let mut writer = SnapshotWriter::new(Zxid::ZERO);
    writer.append(&mut disk, &Format.empty_body())?;
    writer.finish(&mut disk, None)?;
    let written = disk.content(FileName::Snapshot(Zxid::ZERO));
    Ok(written.expect("it has just been written").to_vec())
}

/// The txns after the snapshot, in one log; none if there are none. How many, and the last zxid.
fn write_log(
    disk: &mut FileDisk,
    opened: &Opened,
    after: Zxid,
    folder: &Path,
) -> Result<(u64, Zxid), Version2ToolError> {
    let mut cursor = opened.log.cursor(after);
    let mut stretch = Vec::new();
    let mut writing: Option<(PathBuf, TxnLogWriter<BufWriter<File>>)> = None;
    let mut txns = 0;
    loop {
        stretch.clear();
        if cursor.next(disk, &opened.log, &mut stretch, STRETCH_BYTES)? == 0 {
            break;
        }
        for (zxid, packet) in packets(&stretch) {
            if writing.is_none() {
                let path = folder.join(log_name(zxid));
                let file = File::create(&path).map(BufWriter::new);
                let log = file.and_then(TxnLogWriter::begin).map_err(at(&path))?;
                writing = Some((path, log));
            }
            let (path, log) = writing.as_mut().expect("it has just begun, or had before");
            log.append(payload(packet)).map_err(at(path))?;
            txns += 1;
        }
    }
    if let Some((path, log)) = writing {
        let file = log.finish().and_then(|file| file.into_inner().map_err(io::Error::from));
        file.and_then(|file| file.sync_all()).map_err(at(&path))?;
    }
    Ok((txns, cursor.position()))
}

/// EX2: reads everything back as an import would.
fn check(
    folders: &DataFolders,
    aside: &Target,
    exported: &Exported,
) -> Result<(), Version2ToolError> {
    let mut archive = FolderArchive::over(&aside.data, &aside.logs);
    let found = survey(&mut archive, folders.rules, &mut |_| {});
    let found = found.map_err(Version2ToolError::Unreadable)?;
    let is_same = (found.last, found.txns) == (exported.last, exported.txns)
        && (found.epochs.accepted, found.epochs.current) == (exported.accepted, exported.current);
    if is_same { Ok(()) } else { Err(Version2ToolError::Unlike(found.to_string())) }
}

fn note(disk: &mut FileDisk, folders: &DataFolders) -> Result<(), Version2ToolError> {
    let standing = standing(&mut folders.archive()).map_err(Version2ToolError::Unreadable)?;
    disk.write(FileName::Import, 0, &standing.to_note())?;
    disk.sync(FileName::Import)?;
    Ok(disk.sync_dir()?)
}

fn copy_myid(from: &Path, to: &Path) -> Result<(), Version2ToolError> {
    let (from, to) = (from.join("myid"), to.join("myid"));
    if from.exists() && from != to {
        fs::copy(&from, &to).map_err(at(&to))?;
        sync_parent(&to)?;
    }
    Ok(())
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Version2ToolError> {
    let mut file = File::create(path).map_err(at(path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(at(path))
}

impl Exported {
    /// For people, or as one JSON object.
    pub fn print(&self, json: bool, out: &mut dyn Write) -> io::Result<()> {
        let Self { snapshot, txns, last, accepted, current, folders, renamed } = self;
        let paths = |paths: &[PathBuf]| {
            paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>()
        };
        if json {
            let object = serde_json::json!({
                "snapshot": snapshot.to_string(),
                "txns": txns,
                "last": last.to_string(),
                "accepted_epoch": accepted.0,
                "current_epoch": current.0,
                "folders": paths(folders),
                "renamed": paths(renamed),
            });
            return writeln!(out, "{object}");
        }
        let (accepted, current) = (accepted.0, current.0);
        writeln!(
            out,
            "exported to {}: snapshot {snapshot} and {txns} txns after it; last zxid {last}; \
             epochs {accepted} accepted, {current} current.",
            paths(folders).join(" and ")
        )?;
        renamed.iter().try_for_each(|path| writeln!(out, "renamed to {}.", path.display()))
    }
}
