//! The files a configuration is spread over, read in order by a reader that is passed in.
//!
//! Not here: what they say (`raw`), what it means (`resolve`).

use std::io;
use std::path::Path;

use super::fault::{ConfigError, Place};
use super::options::Config;
use super::raw::{JvmFlag, RawConfig};

/// Reads `file`, the dynamic file it may name and `myid`, and resolves them.
///
/// `read` gives the bytes of a file. Only `myid` may be missing.
pub fn load(
    file: &str,
    flags: &[JvmFlag],
    read: &mut dyn FnMut(&Path) -> io::Result<Vec<u8>>,
) -> Result<Config, Vec<ConfigError>> {
    let bytes = read(Path::new(file)).map_err(|error| unreadable(file, &error))?;
    let mut raw = RawConfig::read(file, &bytes, flags)?;
    if let Some(path) = raw.dynamic_config_file().map(Path::to_path_buf) {
        let name = path.display().to_string();
        let bytes = read(&path).map_err(|error| unreadable(&name, &error))?;
        raw = raw.with_dynamic(&name, &bytes)?;
    }
    if let Some(path) = raw.myid_path() {
        match read(&path) {
            Ok(bytes) => raw = raw.with_myid(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(&path.display().to_string(), &error)),
        }
    }
    raw.resolve()
}

fn unreadable(file: &str, error: &io::Error) -> Vec<ConfigError> {
    vec![ConfigError {
        place: Place::whole(file),
        key: String::new(),
        fault: format!("Error processing {file}: {error}"),
        hint: None,
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_from(files: &[(&str, &str)]) -> Result<Config, Vec<ConfigError>> {
        load("zoo.cfg", &[], &mut |path| {
            let found = files.iter().find(|(name, _)| Path::new(name) == path);
            let missing = || io::Error::from(io::ErrorKind::NotFound);
            found.map(|(_, text)| text.as_bytes().to_vec()).ok_or_else(missing)
        })
    }

    #[test]
    fn a_missing_file_is_named() {
        let faults = load_from(&[]).expect_err("nothing to read");
        assert!(faults[0].to_string().starts_with("zoo.cfg: Error processing zoo.cfg: "));
        let faults = load_from(&[("zoo.cfg", "dataDir=/d\ndynamicConfigFile=/dyn\n")]);
        let faults = faults.expect_err("the dynamic file is missing");
        assert!(faults[0].to_string().starts_with("/dyn: Error processing /dyn: "));
    }

    #[test]
    fn members_come_from_the_dynamic_file_and_the_place_among_them_from_myid() {
        let config = load_from(&[
            ("zoo.cfg", "dataDir=/d\ninitLimit=5\nsyncLimit=2\ndynamicConfigFile=/dyn.100000000\n"),
            ("/dyn.100000000", "server.1=a:1:2;3\nserver.2=b:1:2;3\nserver.3=c:1:2;3\n"),
            ("/d/myid", "2\n"),
        ])
        .expect("a good configuration");
        assert_eq!(config.me.0, 2);
        let quorum = config.quorum.expect("three voters");
        assert_eq!(quorum.ensemble.version(), 0x1_0000_0000);
        assert_eq!(config.client_port.expect("of the server line").port, 3);
    }

    #[test]
    fn a_standalone_server_needs_no_myid() {
        let config = load_from(&[("zoo.cfg", "dataDir=/d\nclientPort=2181\n")]);
        let config = config.expect("a good configuration");
        assert!(config.quorum.is_none());
        assert_eq!(config.me.0, 1);
    }
}
