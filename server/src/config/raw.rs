//! What file, flags and `myid` say: text with its place, nothing interpreted.
//!
//! A `RawConfig` is gathered without touching the disk: the caller reads the files that
//! [`RawConfig::dynamic_config_file`] and [`RawConfig::myid_path`] name, or leaves it to
//! [`super::load`].
//!
//! Not here: defaults, types, relations (`resolve` and its parts).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::fault::{ConfigError, Place, Warning};
use super::keys::{self, Form, Treatment};
use super::properties;

/// What the command line gave with `-D key=value`, as a JVM would take it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JvmFlag {
    pub key: String,
    pub value: String,
}

impl FromStr for JvmFlag {
    type Err = String;

    /// Compat: `-Dkey` alone sets the empty text, as in Java.
    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').unwrap_or((text, ""));
        match key {
            "" => Err("it has no key; write key=value".to_owned()),
            _ => Ok(Self { key: key.to_owned(), value: value.to_owned() }),
        }
    }
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) value: String,
    pub(super) place: Place,
}

type Settings = BTreeMap<String, Setting>;

/// The text of a configuration. Made by [`RawConfig::read`], finished by the `with_` functions.
#[derive(Debug, Clone)]
pub struct RawConfig {
    pub(super) file: String,
    settings: Settings,
    flags: Settings,
    dynamic: Option<(String, Settings)>,
    myid: Option<String>,
    remarks: Vec<Warning>,
}

impl RawConfig {
    /// Reads the text of `file`, which is the name to use in messages.
    pub fn read(file: &str, bytes: &[u8], flags: &[JvmFlag]) -> Result<Self, Vec<ConfigError>> {
        let mut remarks = Vec::new();
        let settings = read_settings(file, bytes, &mut remarks)?;
        let flags = flags
            .iter()
            .map(|JvmFlag { key, value }| {
                let setting = Setting { value: value.clone(), place: Place::whole("-D") };
                (key.clone(), setting)
            })
            .collect();
        Ok(Self { file: file.to_owned(), settings, flags, dynamic: None, myid: None, remarks })
    }

    /// The file that holds the members, where the configuration names one.
    pub fn dynamic_config_file(&self) -> Option<&Path> {
        self.file_setting("dynamicConfigFile").map(|setting| Path::new(&setting.value))
    }

    /// Adds the text of that file.
    pub fn with_dynamic(mut self, file: &str, bytes: &[u8]) -> Result<Self, Vec<ConfigError>> {
        let settings = read_settings(file, bytes, &mut self.remarks)?;
        self.dynamic = Some((file.to_owned(), settings));
        Ok(self)
    }

    /// Where `myid` lies; `None` where the configuration names no data directory.
    pub fn myid_path(&self) -> Option<PathBuf> {
        self.file_setting("dataDir").map(|setting| Path::new(&setting.value).join("myid"))
    }

    /// Adds the text of `myid`, `None` where there is no such file.
    pub fn with_myid(mut self, text: Option<String>) -> Self {
        self.myid = text;
        self
    }

    /// The first line of `myid`.
    pub(super) fn myid(&self) -> Option<&str> {
        self.myid.as_deref().map(|text| text.lines().next().unwrap_or_default())
    }

    /// A key that stands in the file or nowhere.
    pub(super) fn file_setting(&self, key: &str) -> Option<&Setting> {
        self.settings.get(key)
    }

    /// The setting of a known key, wherever it may stand for its form.
    pub(super) fn setting(&self, key: &str, form: Form) -> Option<&Setting> {
        match form {
            Form::File => self.settings.get(key),
            Form::Flag => self.flags.get(key),
            Form::Own => self.settings.get(key).or_else(|| self.flags.get(key)),
            Form::Property => {
                let property = || self.flags.get(&format!("zookeeper.{key}"));
                self.settings.get(key).or_else(property)
            }
        }
    }

    /// Every property that begins with `prefix`; one that is given both ways, as the file says.
    pub(super) fn properties_of(&self, prefix: &str) -> Vec<(&str, &Setting)> {
        let mut found = BTreeMap::new();
        for (key, setting) in &self.flags {
            if let Some(key) = key.strip_prefix("zookeeper.").filter(|key| key.starts_with(prefix))
            {
                found.insert(key, setting);
            }
        }
        let of_file = self.settings.iter().filter(|(key, _)| key.starts_with(prefix));
        found.extend(of_file.map(|(key, setting)| (key.as_str(), setting)));
        found.into_iter().collect()
    }

    /// All members' lines, from the dynamic file where there is one. Sorted by key.
    pub(super) fn member_settings(&self) -> impl Iterator<Item = (&str, &Setting)> {
        let settings = self.dynamic.as_ref().map_or(&self.settings, |(_, settings)| settings);
        let members = settings.iter().filter(|(key, _)| is_member_key(key));
        members.map(|(key, setting)| (key.as_str(), setting))
    }

    /// The dynamic file's name and the settings it holds that are no members.
    pub(super) fn dynamic_strangers(&self) -> Vec<(&str, &Setting)> {
        let Some((_, settings)) = &self.dynamic else { return Vec::new() };
        let strangers = settings.iter().filter(|(key, _)| !is_member_key(key));
        strangers.map(|(key, setting)| (key.as_str(), setting)).collect()
    }

    pub(super) fn dynamic_file(&self) -> Option<&str> {
        self.dynamic.as_ref().map(|(file, _)| file.as_str())
    }

    /// Members' lines of the static file, which may not stand beside a dynamic one.
    pub(super) fn static_members(&self) -> impl Iterator<Item = (&str, &Setting)> {
        let members = self.settings.iter().filter(|(key, _)| is_member_key(key));
        members.map(|(key, setting)| (key.as_str(), setting))
    }

    /// What is worth a remark about the keys themselves: given twice, not acted on, not known.
    /// In the order of the lines, flags last.
    pub(super) fn remarks(&self) -> Vec<Warning> {
        let mut remarks = self.remarks.clone();
        let mut remark = |key: &str, place: &Place, text: Option<String>| {
            if let Some(remark) = text {
                remarks.push(Warning { place: place.clone(), key: key.to_owned(), remark });
            }
        };
        for (key, setting) in &self.settings {
            remark(key, &setting.place, file_remark(key));
        }
        for (key, setting) in &self.flags {
            remark(key, &setting.place, flag_remark(key));
        }
        // Flags have no line and go last.
        let line = |warning: &Warning| warning.place.line.unwrap_or(usize::MAX);
        remarks.sort_by_key(line);
        remarks
    }

    /// Settings of keys that may not be ignored, with the reason, except where they say `false`.
    pub(super) fn refused(&self) -> Vec<(&str, &Setting, &'static str)> {
        let of_file = self.settings.iter().map(|(key, setting)| (key.as_str(), setting, true));
        let of_flags = self.flags.iter().map(|(key, setting)| (key.as_str(), setting, false));
        of_file
            .chain(of_flags)
            .filter_map(|(key, setting, in_file)| match known(key, in_file)?.treatment {
                Treatment::Refused(reason) => Some((key, setting, reason)),
                _ => None,
            })
            .filter(|(_, setting, _)| !setting.value.eq_ignore_ascii_case("false"))
            .collect()
    }
}

/// Compat: what begins so is taken for a member's line (`QuorumPeerConfig.parseDynamicConfig`).
fn is_member_key(key: &str) -> bool {
    key.starts_with("server.") || key.starts_with("group") || key.starts_with("weight")
}

/// The known key behind what a file or a flag calls `key`.
fn known(key: &str, in_file: bool) -> Option<&'static keys::Key> {
    if in_file {
        let forms = [Form::File, Form::Own, Form::Property];
        return forms.into_iter().find_map(|form| keys::find(key, form));
    }
    let flag = keys::find(key, Form::Flag).or_else(|| keys::find(key, Form::Own));
    flag.or_else(|| keys::find(key.strip_prefix("zookeeper.")?, Form::Property))
}

fn file_remark(key: &str) -> Option<String> {
    if let Some(known) = known(key, true) {
        return treatment_remark(known.treatment);
    }
    if keys::find(key, Form::Flag).is_some() {
        // Compat: in a file it becomes `zookeeper.<key>`, which nobody reads (3.9.5).
        return Some(format!("has no effect in a file, as in ZooKeeper; give `-D {key}=...`"));
    }
    if let Some(bare) = key.strip_prefix("zookeeper.").filter(|bare| known(bare, true).is_some()) {
        return Some(format!("has no effect in a file, as in ZooKeeper; write `{bare}`"));
    }
    Some(unknown_remark(key))
}

fn flag_remark(key: &str) -> Option<String> {
    if let Some(known) = known(key, false) {
        return treatment_remark(known.treatment);
    }
    let bare = key.strip_prefix("zookeeper.").unwrap_or(key);
    match known(bare, true) {
        Some(known) if known.form == Form::File => {
            Some("has no effect as a flag, as in ZooKeeper; it belongs into the file".to_owned())
        }
        Some(_) => Some(format!("has no effect, as in ZooKeeper; give `-D zookeeper.{bare}=...`")),
        None => Some(unknown_remark(bare)),
    }
}

fn treatment_remark(treatment: Treatment) -> Option<String> {
    match treatment {
        Treatment::Acted | Treatment::Refused(_) => None,
        Treatment::Moot(reason) => Some(format!("is not acted on: {reason}")),
        Treatment::Absent(instead) => Some(format!("is not supported: {instead}")),
    }
}

fn unknown_remark(key: &str) -> String {
    match keys::nearest(key) {
        Some(nearest) => format!("is not a key of ZooKeeper's; is `{nearest}` meant?"),
        None => "is not a key of ZooKeeper's and has no effect".to_owned(),
    }
}

fn read_settings(
    file: &str,
    bytes: &[u8],
    remarks: &mut Vec<Warning>,
) -> Result<Settings, Vec<ConfigError>> {
    let read = properties::parse(bytes).map_err(|malformed| {
        let error = |escape: properties::MalformedEscape| ConfigError {
            place: Place::line(file, escape.line),
            key: String::new(),
            fault: "Malformed \\uxxxx encoding.".to_owned(),
            hint: Some("four hex digits follow \\u; a backslash itself is written \\\\".to_owned()),
        };
        malformed.into_iter().map(error).collect::<Vec<_>>()
    })?;
    let mut settings = Settings::new();
    for property in read {
        let place = Place::line(file, property.line);
        let mut remark = |remark: &str| {
            let (key, place) = (property.key.clone(), place.clone());
            remarks.push(Warning { place, key, remark: remark.to_owned() });
        };
        if property.beyond_ascii {
            remark(
                "is read as ISO 8859-1, as in ZooKeeper; write \\u and four hex digits for others",
            );
        }
        let setting = Setting { value: property.value, place: place.clone() };
        if let Some(earlier) = settings.insert(property.key.clone(), setting) {
            remark(&format!("stands here again; {} no longer counts", earlier.place));
        }
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(file: &str, flags: &[&str]) -> RawConfig {
        let flags: Vec<JvmFlag> = flags.iter().map(|flag| flag.parse().expect("a flag")).collect();
        RawConfig::read("zoo.cfg", file.as_bytes(), &flags).expect("well formed")
    }

    #[track_caller]
    fn check_remarks(file: &str, flags: &[&str], expected: &[&str]) {
        let remarks: Vec<String> =
            raw(file, flags).remarks().iter().map(ToString::to_string).collect();
        assert_eq!(remarks, expected);
    }

    #[test]
    fn the_last_duplicate_wins_and_is_said_to() {
        let raw = raw("tickTime=1\ninitLimit=5\ntickTime=2\n", &[]);
        assert_eq!(raw.file_setting("tickTime").expect("given").value, "2");
        let remarks = raw.remarks();
        assert_eq!(remarks.len(), 1);
        let expected = "zoo.cfg:3: tickTime: stands here again; zoo.cfg:1 no longer counts";
        assert_eq!(remarks[0].to_string(), expected);
    }

    #[test]
    fn the_file_overrides_a_flag_of_the_same_property() {
        let both = raw("snapCount=7\n", &["zookeeper.snapCount=8", "jute.maxbuffer=9"]);
        assert_eq!(both.setting("snapCount", Form::Property).expect("given").value, "7");
        assert_eq!(both.setting("jute.maxbuffer", Form::Flag).expect("given").value, "9");
        let flag = raw("", &["zookeeper.snapCount=8"]);
        assert_eq!(flag.setting("snapCount", Form::Property).expect("given").value, "8");
    }

    #[test]
    fn a_key_that_is_not_acted_on_is_named_with_its_line_and_the_reason() {
        check_remarks(
            "tickTime=1\npreAllocSize=64\n",
            &[],
            &[
                "zoo.cfg:2: preAllocSize: is not acted on: the log has its own segments and group commit",
            ],
        );
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_nearest_neighbour() {
        check_remarks(
            "clientport=1\nfoo.bar.baz=2",
            &[],
            &[
                "zoo.cfg:1: clientport: is not a key of ZooKeeper's; is `clientPort` meant?",
                "zoo.cfg:2: foo.bar.baz: is not a key of ZooKeeper's and has no effect",
            ],
        );
    }

    #[test]
    fn a_key_given_in_the_wrong_place_is_told_the_right_one() {
        check_remarks(
            "jute.maxbuffer=1\nzookeeper.snapCount=2\n",
            &["snapCount=3", "tickTime=4"],
            &[
                "zoo.cfg:1: jute.maxbuffer: has no effect in a file, as in ZooKeeper; \
             give `-D jute.maxbuffer=...`",
                "zoo.cfg:2: zookeeper.snapCount: has no effect in a file, as in ZooKeeper; \
             write `snapCount`",
                "-D: snapCount: has no effect, as in ZooKeeper; give `-D zookeeper.snapCount=...`",
                "-D: tickTime: has no effect as a flag, as in ZooKeeper; it belongs into the file",
            ],
        );
    }

    #[test]
    fn a_refused_key_that_says_false_is_no_refusal() {
        assert!(raw("sslQuorum=False\n", &[]).refused().is_empty());
        assert_eq!(raw("sslQuorum=true\n", &[]).refused().len(), 1);
        assert_eq!(raw("secureClientPort=2281\n", &[]).refused().len(), 1);
        assert_eq!(raw("", &["zookeeper.client.portUnification=true"]).refused().len(), 1);
    }

    #[test]
    fn a_flag_is_a_key_and_perhaps_a_value() {
        let flag: JvmFlag = "a=b=c".parse().expect("a flag");
        assert_eq!((flag.key.as_str(), flag.value.as_str()), ("a", "b=c"));
        assert!("=b".parse::<JvmFlag>().is_err());
        assert_eq!("a".parse::<JvmFlag>().expect("a flag").value, "");
    }
}
