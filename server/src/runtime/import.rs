//! The data of Apache ZooKeeper, where a server starts or an operator asks: found, brought in, and
//! told apart from what has become stale.
//!
//! Not here: the formats and the order (`version2`), what makes it whole or nothing
//! (`engine::log::Founding`).

use std::fmt;
use std::fs::{self, File};
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use ringkeeper_engine::ids::ServerId;
use ringkeeper_engine::io::entropy;
use ringkeeper_engine::io::files::{Directory, DirectoryError, FileDisk};
use ringkeeper_engine::log::{Disk, DiskError, FileName, LogOptions, Superblock};
use ringkeeper_engine::zxid::Zxid;
use tracing::info;

use crate::config::Config;
use crate::version2::{
    Archive, FOLDER, Import, ImportError, Inventory, Place, Rules, Standing, Survey, Version2Error,
    import, noted, standing, survey,
};

/// Where a server's data lies, and which server it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFolders {
    pub data_dir: PathBuf,
    /// `data_dir`, unless configured apart.
    pub data_log_dir: PathBuf,
    pub me: ServerId,
    pub rules: Rules,
}

impl DataFolders {
    pub fn of(config: &Config) -> Self {
        let data = &config.data;
        let rules = Rules { trusts_empty: data.trusts_empty, is_member: config.quorum.is_some() };
        let (data_dir, data_log_dir) = (data.data_dir.clone(), data.data_log_dir.clone());
        Self { data_dir, data_log_dir, me: config.me, rules }
    }

    /// The `version-2` there.
    pub fn archive(&self) -> FolderArchive {
        FolderArchive::over(&self.data_dir.join(FOLDER), &self.data_log_dir.join(FOLDER))
    }

    /// Whether a log of ours is here, whole.
    pub fn has_log(&self) -> bool {
        let folder = self.data_dir.join("ringkeeper");
        let has = |file: FileName| folder.join(file.path()).exists();
        has(FileName::Superblock) && !has(FileName::ImportAside)
    }
}

/// `version2::Archive` over two folders, or one.
#[derive(Debug, Clone)]
pub struct FolderArchive {
    data: PathBuf,
    logs: PathBuf,
}

impl FolderArchive {
    /// Over folders of any name; the same one twice where snapshots and logs lie together.
    pub fn over(data: &Path, logs: &Path) -> Self {
        Self { data: data.to_owned(), logs: logs.to_owned() }
    }

    fn folder(&self, place: Place) -> &Path {
        match place {
            Place::Data => &self.data,
            Place::Logs => &self.logs,
        }
    }
}

impl Archive for FolderArchive {
    fn is_apart(&self) -> bool {
        self.data != self.logs
    }

    fn list(&mut self, place: Place) -> io::Result<Vec<(String, u64)>> {
        let entries = match fs::read_dir(self.folder(place)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry?;
            let metadata = fs::metadata(entry.path())?;
            if metadata.is_file() {
                files.push((entry.file_name().to_string_lossy().into_owned(), metadata.len()));
            }
        }
        Ok(files)
    }

    fn open(&mut self, place: Place, name: &str) -> io::Result<Box<dyn Read>> {
        Ok(Box::new(open(&self.folder(place).join(name))?))
    }

    fn path(&self, place: Place, name: &str) -> String {
        self.folder(place).join(name).display().to_string()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "files of another program, read before ours is there"
)]
fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Why nothing was brought in.
#[derive(Debug)]
pub enum ImportRefusal {
    /// What is to be brought in cannot be.
    Source(Version2Error),
    Directory(DirectoryError),
    Import(ImportError),
    /// There is nothing to bring in.
    Nothing {
        folder: PathBuf,
    },
}

impl fmt::Display for ImportRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(error) => error.fmt(f),
            Self::Directory(error) => error.fmt(f),
            Self::Import(error) => error.fmt(f),
            Self::Nothing { folder } => {
                write!(f, "{}: there is no data of ZooKeeper's", folder.display())
            }
        }
    }
}

impl std::error::Error for ImportRefusal {}

/// What an import brought in, and how long it took.
#[derive(Debug)]
pub struct Imported {
    pub survey: Survey,
    pub seconds: f64,
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:.1} s.", self.survey, self.seconds)
    }
}

/// Reads and checks everything in `version-2`, and changes nothing.
pub fn check_version2(folders: &DataFolders) -> Result<Imported, ImportRefusal> {
    let begun = begin();
    let mut archive = folders.archive();
    let bytes = total_bytes(&mut archive).map_err(ImportRefusal::Source)?;
    let Some(bytes) = bytes else {
        return Err(ImportRefusal::Nothing { folder: folders.data_dir.join(FOLDER) });
    };
    let mut bar = Bar::new("checking", bytes);
    let survey = survey(&mut archive, folders.rules, &mut |read| bar.add(read));
    bar.finish();
    let survey = survey.map_err(ImportRefusal::Source)?;
    Ok(Imported { survey, seconds: begun.elapsed().as_secs_f64() })
}

/// Brings `version-2` in; our own folder is made where it does not exist.
///
/// # Errors
/// Nothing counts as brought in then. Where `version-2` is to blame, nothing was written at all.
pub fn import_version2(folders: &DataFolders) -> Result<(Imported, Arc<Directory>), ImportRefusal> {
    let begun = begin();
    let Imported { survey, .. } = check_version2(folders)?;
    let directory = Directory::open(&folders.data_dir, &folders.data_log_dir)
        .map_err(ImportRefusal::Directory)?;
    let mut disk = FileDisk::new(Arc::clone(&directory));
    let mut archive = folders.archive();
    let bytes = total_bytes(&mut archive).map_err(ImportRefusal::Source)?.unwrap_or(0);
    let mut bar = Bar::new("importing", bytes);
    let log = LogOptions { spares: 1, ..LogOptions::new(folders.me, 0) };
    let what = Import { survey: &survey, log, entropy: entropy::random_u64() };
    let done = import(&mut archive, &mut disk, what, &mut |read| bar.add(read));
    bar.finish();
    done.map_err(ImportRefusal::Import)?;
    Ok((Imported { survey, seconds: begun.elapsed().as_secs_f64() }, directory))
}

/// `None` where there is no data.
fn total_bytes(archive: &mut FolderArchive) -> Result<Option<u64>, Version2Error> {
    let inventory = Inventory::take(archive)?;
    let snapshot = inventory.snapshots.first();
    let after = snapshot.map_or(Zxid::ZERO, |snapshot| snapshot.zxid);
    let first = inventory.logs.partition_point(|log| log.zxid <= after).saturating_sub(1);
    let logs: u64 = inventory.logs[first..].iter().map(|log| log.size).sum();
    let bytes = logs + snapshot.map_or(0, |snapshot| snapshot.size);
    Ok(inventory.has_data().then_some(bytes))
}

/// How `version-2` stands beside a log of ours.
#[derive(Debug)]
pub enum Beside {
    /// Nothing there that we do not have.
    Known,
    /// A server has gone on there since we last knew.
    Beyond { theirs: Standing, known: Option<Standing> },
}

/// Compares `version-2` with what an import or an export noted, or, without a note, with what the
/// log here holds.
pub fn beside(
    folders: &DataFolders,
    disk: &mut dyn Disk,
    appended: Zxid,
    superblock: &Superblock,
) -> Result<Beside, ImportRefusal> {
    let mut archive = folders.archive();
    let inventory = Inventory::take(&mut archive).map_err(ImportRefusal::Source)?;
    if !inventory.has_data() {
        return Ok(Beside::Known);
    }
    let theirs = standing(&mut archive).map_err(ImportRefusal::Source)?;
    let disk_failed = |error: DiskError| ImportRefusal::Import(error.into());
    let known = noted(disk).map_err(disk_failed)?;
    let (accepted, current) = (superblock.accepted_epoch, superblock.current_epoch);
    let ours = Standing { last: appended, accepted, current };
    let is_beyond = theirs.is_beyond(&known.unwrap_or(ours));
    Ok(if is_beyond { Beside::Beyond { theirs, known } } else { Beside::Known })
}

#[expect(clippy::disallowed_methods, reason = "how long an import took is told to people alone")]
fn begin() -> Instant {
    Instant::now()
}

/// A bar on a terminal; elsewhere a line every few seconds.
struct Bar {
    bar: ProgressBar,
    what: &'static str,
    done: u64,
    total: u64,
    told: Instant,
}

const BETWEEN_LINES: Duration = Duration::from_secs(5);

impl Bar {
    fn new(what: &'static str, total: u64) -> Self {
        let bar = if io::stderr().is_terminal() {
            ProgressBar::new(total)
        } else {
            ProgressBar::hidden()
        };
        let style = ProgressStyle::with_template("{msg} [{bar:40}] {bytes}/{total_bytes} {eta}");
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(what);
        Self { bar, what, done: 0, total, told: begin() }
    }

    fn add(&mut self, bytes: u64) {
        self.done += bytes;
        self.bar.inc(bytes);
        if self.bar.is_hidden() && self.told.elapsed() >= BETWEEN_LINES {
            self.told = begin();
            let percent = 100 * self.done / self.total.max(1);
            info!(percent = percent.min(100), bytes = self.done, "{} version-2", self.what);
        }
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
