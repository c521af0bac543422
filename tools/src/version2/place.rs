//! Which folders are meant: those of a `zoo.cfg`, or a data directory itself.

use std::io;
use std::path::{Path, PathBuf};

use ringkeeper::config::{self, JvmFlag};
use ringkeeper::runtime::DataFolders;
use ringkeeper::version2::Rules;
use ringkeeper_engine::ids::ServerId;

use super::{Version2ToolError, at};

/// As the command line says it.
#[derive(Debug, Clone, Default)]
pub struct PlaceOptions {
    /// A `zoo.cfg`, or a dataDir.
    pub place: PathBuf,
    /// With a dataDir: where the logs lie, if elsewhere.
    pub data_log_dir: Option<PathBuf>,
    /// As JVM flags: `snapshot.trust.empty=true` and the like.
    pub flags: Vec<JvmFlag>,
}

/// The folders, and whether snapshots carry digests there.
pub(super) struct Found {
    pub folders: DataFolders,
    pub digests: bool,
}

impl PlaceOptions {
    pub(super) fn find(&self) -> Result<Found, Version2ToolError> {
        if self.place.is_dir() { self.of_folder() } else { self.of_config() }
    }

    fn of_config(&self) -> Result<Found, Version2ToolError> {
        let file = self.place.display().to_string();
        let config = config::load(&file, &self.flags, &mut read).map_err(|faults| {
            let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
            Version2ToolError::Config(lines.join("\n"))
        })?;
        Ok(Found { folders: DataFolders::of(&config), digests: config.tree.digests })
    }

    /// Compat: a server without `myid` is alone, and counts as 1.
    fn of_folder(&self) -> Result<Found, Version2ToolError> {
        let data_dir = self.place.clone();
        let myid = data_dir.join("myid");
        let me = match read(&myid) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            text => {
                let text = String::from_utf8_lossy(&text.map_err(at(&myid))?).into_owned();
                let id = text.trim().parse().map_err(|_| {
                    Version2ToolError::Config(format!("{}: {text:?} is no id", myid.display()))
                })?;
                Some(ServerId(id))
            }
        };
        let data_log_dir = self.data_log_dir.clone().unwrap_or_else(|| data_dir.clone());
        let says = |key: &str, value: &str| {
            let bare = |flag: &JvmFlag| flag.key.trim_start_matches("zookeeper.") == key;
            self.flags.iter().any(|flag| bare(flag) && flag.value.eq_ignore_ascii_case(value))
        };
        let trusts_empty = says("snapshot.trust.empty", "true");
        let rules = Rules { trusts_empty, is_member: me.is_some() };
        let me = me.unwrap_or(ServerId(1));
        let digests = !says("digest.enabled", "false");
        Ok(Found { folders: DataFolders { data_dir, data_log_dir, me, rules }, digests })
    }
}

#[expect(clippy::disallowed_methods, reason = "tools look at files from outside")]
fn read(path: &Path) -> io::Result<Vec<u8>> {
    std::fs::read(path)
}
