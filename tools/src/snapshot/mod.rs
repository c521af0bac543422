//! `ringkeeper-tools snapshot dump`: what a snapshot holds, as SnapshotFormatter prints it.
//!
//! Reads ZooKeeper's files and ours alike, gz and snappy too, in bounded memory: twice from front
//! to back, first to check and count, then to print.
//!
//! Not here: the format (`ringkeeper::snapshot`).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ringkeeper::admin::JavaDate;
use ringkeeper::snapshot::{Item, SnapshotError, Summary, scan, verify};
use ringkeeper::tree::StatPersisted;
use ringkeeper::wire::SessionId;
use serde_json::json;

/// What `dump` prints.
#[derive(Debug, Clone, Copy, Default)]
pub struct DumpOptions {
    /// Each znode's data in base64, not only its length.
    pub data: bool,
    /// One JSON object a line: sessions, znodes, then what the file as a whole says.
    pub json: bool,
}

/// Why a snapshot could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotToolError {
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

#[expect(clippy::disallowed_methods, reason = "tools look at files from outside")]
fn open(file: &Path) -> io::Result<File> {
    File::open(file)
}

/// Prints a snapshot that is whole; one that is not is an error before anything is printed.
pub fn dump(
    file: &Path,
    options: DumpOptions,
    out: &mut dyn Write,
) -> Result<(), SnapshotToolError> {
    let summary = verify(open(file)?)?;
    let mut printing = Printing { options, out, trouble: None, seen: Seen::default() };
    // The root stands under two names in ZooKeeper's table, and is counted twice.
    if !options.json {
        printing.say(format_args!("ZNode Details (count={}):", summary.znodes + 1));
    }
    scan(open(file)?, &mut |item| {
        printing.item(item);
        Ok(())
    })?;
    printing.end(file, &summary);
    match printing.trouble {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

/// What was gathered on the way, for the end.
#[derive(Default)]
struct Seen {
    sessions: Vec<(SessionId, i32)>,
    ephemerals: BTreeMap<i64, u64>,
    last_zxid: i64,
}

struct Printing<'a> {
    options: DumpOptions,
    out: &'a mut dyn Write,
    /// The first failure to write; nothing is written after it.
    trouble: Option<io::Error>,
    seen: Seen,
}

impl Printing<'_> {
    fn say(&mut self, line: std::fmt::Arguments<'_>) {
        if self.trouble.is_none() {
            self.trouble = writeln!(self.out, "{line}").err();
        }
    }

    fn item(&mut self, item: &Item<'_>) {
        match item {
            Item::Count | Item::Acl { .. } | Item::End => {}
            Item::Session { session, timeout_ms } => {
                self.seen.sessions.push((*session, *timeout_ms));
            }
            Item::Znode { path, data, acl, stat } => {
                let path = if path.is_empty() { "/" } else { path };
                self.seen.last_zxid = self.seen.last_zxid.max(stat.mzxid).max(stat.pzxid);
                if stat.owner != 0 {
                    *self.seen.ephemerals.entry(stat.owner).or_default() += 1;
                }
                if self.options.json {
                    self.znode_json(path, *data, *acl, stat);
                } else {
                    self.znode_text(path, *data, stat);
                }
            }
        }
    }

    fn znode_text(&mut self, path: &str, data: Option<&[u8]>, stat: &StatPersisted) {
        self.say(format_args!("----\n{path}"));
        self.say(format_args!("  cZxid = {:#016x}", stat.czxid));
        self.say(format_args!("  ctime = {}", JavaDate(stat.ctime)));
        self.say(format_args!("  mZxid = {:#016x}", stat.mzxid));
        self.say(format_args!("  mtime = {}", JavaDate(stat.mtime)));
        self.say(format_args!("  pZxid = {:#016x}", stat.pzxid));
        self.say(format_args!("  cversion = {}", stat.cversion));
        self.say(format_args!("  dataVersion = {}", stat.version));
        self.say(format_args!("  aclVersion = {}", stat.aversion));
        self.say(format_args!("  ephemeralOwner = {:#016x}", stat.owner));
        let data = data.unwrap_or_default();
        if self.options.data {
            self.say(format_args!("  data = {}", BASE64.encode(data)));
        } else {
            self.say(format_args!("  dataLength = {}", data.len()));
        }
    }

    fn znode_json(&mut self, path: &str, data: Option<&[u8]>, acl: i64, stat: &StatPersisted) {
        let mut value = json!({
            "path": path,
            "dataLength": data.map(<[u8]>::len),
            "acl": acl,
            "czxid": format!("{:#x}", stat.czxid),
            "mzxid": format!("{:#x}", stat.mzxid),
            "pzxid": format!("{:#x}", stat.pzxid),
            "ctime": stat.ctime,
            "mtime": stat.mtime,
            "version": stat.version,
            "cversion": stat.cversion,
            "aversion": stat.aversion,
            "ephemeralOwner": format!("{:#x}", stat.owner),
        });
        if self.options.data {
            value["data"] = json!(data.map(|data| BASE64.encode(data)));
        }
        self.say(format_args!("{value}"));
    }

    fn end(&mut self, file: &Path, summary: &Summary) {
        let last = last_zxid(file).unwrap_or(0).max(self.seen.last_zxid);
        if !self.options.json {
            self.say(format_args!("----\nSession Details (sid, timeout, ephemeralCount):"));
        }
        for (session, timeout_ms) in std::mem::take(&mut self.seen.sessions) {
            let ephemerals = self.seen.ephemerals.get(&session.0).copied().unwrap_or(0);
            if self.options.json {
                let session = session.to_string();
                let value =
                    json!({ "session": session, "timeout": timeout_ms, "ephemerals": ephemerals });
                self.say(format_args!("{value}"));
            } else {
                self.say(format_args!("{:#016x}, {timeout_ms}, {ephemerals}", session.0));
            }
        }
        if self.options.json {
            let recorded = summary.sections.digest.map(|recorded| {
                let (zxid, digest) = (recorded.zxid.to_string(), recorded.tree.0.to_string());
                json!({ "zxid": zxid, "version": recorded.version, "digest": digest })
            });
            let value = json!({
                "recordedDigest": recorded,
                "znodes": summary.znodes,
                "sessions": summary.sessions,
                "dataBytes": summary.data_bytes,
                "digest": summary.digest.0.to_string(),
                "lastZxid": format!("{last:#x}"),
            });
            self.say(format_args!("{value}"));
        } else {
            self.say(format_args!("----\nLast zxid: {last:#x}"));
        }
    }
}

/// The zxid in a name like `snapshot.100000003.gz`.
fn last_zxid(file: &Path) -> Option<i64> {
    let rest = file.file_name()?.to_str()?.strip_prefix("snapshot.")?;
    i64::from_str_radix(rest.split('.').next()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header, no session, no ACL, the root, `/a` of a session, and the seal.
    fn sample() -> Vec<u8> {
        use ringkeeper_engine::jute::Writer;
        let mut bytes = Vec::new();
        let mut writer = Writer(&mut bytes);
        writer.bytes(b"ZKSN");
        writer.int(2);
        writer.long(-1);
        writer.int(1);
        writer.long(0x1_0000_0001);
        writer.int(30_000);
        writer.int(0);
        for (path, owner) in [("", 0), ("/a", 0x1_0000_0001)] {
            writer.ustring(path);
            writer.buffer(Some(b"hi"));
            writer.long(-1);
            let stat = StatPersisted {
                czxid: 3,
                mzxid: 4,
                ctime: 0,
                mtime: 0,
                version: 1,
                cversion: 0,
                aversion: 0,
                owner,
                pzxid: 3,
            };
            stat.encode(&mut writer);
        }
        writer.ustring("/");
        let seal = simd_adler(&bytes);
        Writer(&mut bytes).long(seal);
        Writer(&mut bytes).ustring("/");
        bytes
    }

    /// Adler-32, the slow way.
    fn simd_adler(bytes: &[u8]) -> i64 {
        let step = |(a, b): (u32, u32), byte: &u8| {
            let a = (a + u32::from(*byte)) % 65_521;
            (a, (b + a) % 65_521)
        };
        let (a, b) = bytes.iter().fold((1, 0), step);
        i64::from(b << 16 | a)
    }

    fn dumped(bytes: &[u8], options: DumpOptions) -> Result<String, SnapshotToolError> {
        let name = format!("ringkeeper-snapshot-{}-{options:?}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir)?;
        let file = dir.join("snapshot.5");
        File::create(&file)?.write_all(bytes)?;
        let mut out = Vec::new();
        let outcome = dump(&file, options, &mut out);
        std::fs::remove_dir_all(dir)?;
        outcome.map(|()| String::from_utf8(out).expect("text"))
    }

    #[test]
    fn a_snapshot_is_printed_as_snapshot_formatter_prints_it() {
        let text = dumped(&sample(), DumpOptions::default()).expect("a good snapshot");
        let expected = "ZNode Details (count=3):\n----\n/\n  cZxid = 0x00000000000003\n  \
            ctime = Thu Jan 01 00:00:00 UTC 1970\n";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.contains("/a\n") && text.contains("  ephemeralOwner = 0x00000100000001\n"));
        let end = "  dataLength = 2\n----\nSession Details (sid, timeout, ephemeralCount):\n\
            0x00000100000001, 30000, 1\n----\nLast zxid: 0x5\n";
        assert!(text.ends_with(end), "{text}");
        let with_data = dumped(&sample(), DumpOptions { data: true, json: false });
        assert!(with_data.expect("a good snapshot").contains("  data = aGk=\n"));
    }

    #[test]
    fn json_has_one_object_a_line() {
        let text = dumped(&sample(), DumpOptions { data: true, json: true });
        let text = text.expect("a good snapshot");
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines.len(), 4);
        assert_eq!((&lines[1]["path"], &lines[1]["data"]), (&json!("/a"), &json!("aGk=")));
        assert_eq!(lines[2]["ephemerals"], 1);
        assert_eq!((&lines[3]["znodes"], &lines[3]["lastZxid"]), (&json!(2), &json!("0x5")));
    }

    #[test]
    fn a_broken_snapshot_prints_nothing() {
        let mut bytes = sample();
        bytes[60] ^= 1;
        assert!(dumped(&bytes, DumpOptions { data: false, json: true }).is_err());
    }
}
