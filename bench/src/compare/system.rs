//! The two systems: which program each is, and where it is found.
//!
//! Not here: what they are told to do (`ensemble`).

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What `zkServer.sh` gives Apache ZooKeeper where nothing else is said.
const JVM_FLAGS: [&str; 2] = ["-Xmx1000m", "-Dzookeeper.admin.enableServer=false"];

const ZOOKEEPER_MAIN: &str = "org.apache.zookeeper.server.quorum.QuorumPeerMain";

/// Where `tests/interop/fetch-3.9.5` puts the jars.
const FETCHED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/.cache/zookeeper-3.9.5");

/// Debian's package.
const DEBIAN_JARS: &str = "/usr/share/java";
const DEBIAN_CONF: &str = "/etc/zookeeper/conf";

/// A program that serves what a `zoo.cfg` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum System {
    Ringkeeper { program: PathBuf },
    ZooKeeper { class_path: OsString, version: String },
}

/// Why a system cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Missing {
    #[error("{0} is not there: build it with `cargo build --release -p ringkeeper`")]
    Ringkeeper(PathBuf),
    #[error("no zookeeper-*.jar in {0}")]
    Jar(PathBuf),
    #[error(
        "no Apache ZooKeeper: name its jars with --zookeeper DIR, run tests/interop/fetch-3.9.5, \
         or install the package `zookeeper`"
    )]
    ZooKeeper,
}

impl System {
    /// The server that was built beside this program, or `named`.
    pub fn ringkeeper(named: Option<&Path>) -> Result<Self, Missing> {
        let beside = || {
            let own = std::env::current_exe().unwrap_or_default();
            // A test runs one folder further down.
            let folder = own.parent().unwrap_or(Path::new("."));
            let folder = if folder.ends_with("deps") { folder.join("..") } else { folder.into() };
            folder.join("ringkeeper")
        };
        let program = absolute(&named.map_or_else(beside, Path::to_path_buf));
        if program.exists() {
            Ok(Self::Ringkeeper { program })
        } else {
            Err(Missing::Ringkeeper(program))
        }
    }

    /// The jars in `named`, a folder of jars or an unpacked release; else those fetched for the
    /// tests; else Debian's.
    pub fn zookeeper(named: Option<&Path>) -> Result<Self, Missing> {
        if let Some(folder) = named {
            return Self::in_folder(folder).ok_or_else(|| Missing::Jar(folder.into()));
        }
        Self::in_folder(Path::new(FETCHED)).or_else(Self::of_debian).ok_or(Missing::ZooKeeper)
    }

    fn in_folder(folder: &Path) -> Option<Self> {
        let folder = absolute(folder);
        let lib = folder.join("lib");
        let (jars, version) = [&folder, &lib].into_iter().find_map(|jars| {
            let names = fs::read_dir(jars).ok()?.flatten();
            let mut names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
            Some((jars, names.find_map(|name| version_of(&name))?))
        })?;
        Some(Self::ZooKeeper { class_path: jars.join("*").into_os_string(), version })
    }

    fn of_debian() -> Option<Self> {
        let jar = fs::canonicalize(Path::new(DEBIAN_JARS).join("zookeeper.jar")).ok()?;
        let version = version_of(&jar.file_name()?.to_string_lossy())?;
        let class_path = format!("{DEBIAN_CONF}:{DEBIAN_JARS}/zookeeper.jar").into();
        Some(Self::ZooKeeper { class_path, version })
    }

    /// Serves in the foreground.
    pub(super) fn command(&self, zoo_cfg: &Path) -> Command {
        match self {
            Self::Ringkeeper { program } => {
                let mut command = Command::new(program);
                command.arg("serve").arg(zoo_cfg);
                command
            }
            Self::ZooKeeper { class_path, .. } => {
                let mut command = Command::new("java");
                command.args(JVM_FLAGS).arg("-cp").arg(class_path);
                command.arg(ZOOKEEPER_MAIN).arg(zoo_cfg);
                command
            }
        }
    }

    /// For the names of folders and files.
    pub fn short_name(&self) -> &'static str {
        match self {
            Self::Ringkeeper { .. } => "ringkeeper",
            Self::ZooKeeper { .. } => "zookeeper",
        }
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ringkeeper { .. } => write!(f, "Ringkeeper {}", env!("CARGO_PKG_VERSION")),
            Self::ZooKeeper { version, .. } => write!(f, "Apache ZooKeeper {version}"),
        }
    }
}

/// Servers run in folders of their own: a relative path would mean another file there.
pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

/// `3.9.5` of `zookeeper-3.9.5.jar`, and nothing of `zookeeper-jute-3.9.5.jar`.
fn version_of(jar: &str) -> Option<String> {
    let version = jar.strip_prefix("zookeeper-")?.strip_suffix(".jar")?;
    version.starts_with(|c: char| c.is_ascii_digit()).then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_stands_in_the_name_of_the_main_jar() {
        assert_eq!(version_of("zookeeper-3.9.5.jar").as_deref(), Some("3.9.5"));
        assert_eq!(version_of("zookeeper-jute-3.9.5.jar"), None);
        assert_eq!(version_of("netty-all-4.2.13.Final.jar"), None);
    }

    #[test]
    fn a_folder_without_jars_is_named() {
        let folder = std::env::temp_dir();
        let missing = System::zookeeper(Some(&folder)).unwrap_err().to_string();
        assert!(missing.contains(&folder.display().to_string()), "{missing}");
    }
}
