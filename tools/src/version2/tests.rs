//! On real folders: what is written, renamed, refused, and read back.

use std::fs;
use std::path::{Path, PathBuf};

use ringkeeper::config::JvmFlag;
use ringkeeper::snapshot::scan;
use ringkeeper_engine::ids::ServerId;
use ringkeeper_engine::log::{Founding, LogOptions, write_packet};

use super::*;

/// A folder of the test, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ringkeeper-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a writable directory");
        Self(path)
    }

    fn names(&self, inner: &str) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.0.join(inner))
            .expect("it is there")
            .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn place(folder: &Path) -> PlaceOptions {
    PlaceOptions { place: folder.to_owned(), ..PlaceOptions::default() }
}

/// An error txn: the least there is.
fn payload(zxid: Zxid) -> Vec<u8> {
    let mut out = vec![0; 36];
    out[12..20].copy_from_slice(&zxid.0.to_be_bytes());
    out[28..32].copy_from_slice(&(-1_i32).to_be_bytes());
    out
}

/// A log of ours with three txns and no snapshot, epochs 2 and 1.
fn found(folder: &Path) {
    let directory = ringkeeper_engine::io::files::Directory::open(folder, folder).expect("ours");
    let mut disk = ringkeeper_engine::io::files::FileDisk::new(directory);
    let options =
        LogOptions { spares: 1, segment_bytes: 2 << 20, ..LogOptions::new(ServerId(3), 0) };
    let mut founding = Founding::begin(&mut disk, options, 7, b"note").expect("empty");
    for counter in 1..4 {
        let mut packet = Vec::new();
        let zxid = Zxid(counter);
        write_packet(zxid, &payload(zxid), &mut packet);
        founding.append(&mut disk, zxid, &packet).expect("a sound disk");
    }
    let epochs = (ringkeeper_engine::zxid::Epoch(2), ringkeeper_engine::zxid::Epoch(1));
    founding.finish(&mut disk, epochs.0, epochs.1).expect("a sound disk");
    fs::create_dir_all(folder).expect("it is there");
    write(&folder.join("myid"), b"3\n");
}

#[expect(clippy::disallowed_methods, reason = "a test writes what it reads")]
fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).expect("a writable directory");
}

#[expect(clippy::disallowed_methods, reason = "a test reads what was written")]
fn read(path: &Path) -> Vec<u8> {
    fs::read(path).expect("it is there")
}

#[test]
fn ex2_what_is_exported_is_what_is_imported() {
    let folder = Folder::new("export");
    found(&folder.0);
    let options = ExportOptions { place: place(&folder.0), ..ExportOptions::default() };
    let exported = export(&options).expect("a whole log");
    assert_eq!((exported.snapshot, exported.txns, exported.last), (Zxid::ZERO, 3, Zxid(3)));
    let names = ["acceptedEpoch", "currentEpoch", "log.1", "snapshot.0"];
    assert_eq!(folder.names("version-2"), names);
    assert_eq!(read(&folder.0.join("version-2/acceptedEpoch")), b"2");
    let mut out = Vec::new();
    let again = ImportOptions { place: place(&folder.0), ..ImportOptions::default() };
    let refused = import(&again, &mut out).expect_err("a log is here");
    assert!(matches!(refused, Version2ToolError::HasLog(_)), "{refused}");
    let replacing = ImportOptions { replace: true, json: true, ..again };
    import(&replacing, &mut out).expect("what was exported");
    let said: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
    assert_eq!((&said["txns"], &said["last"]), (&3.into(), &"0x3".into()));
    assert_eq!((&said["accepted_epoch"], &said["current_epoch"]), (&2.into(), &1.into()));
    assert_eq!(folder.names(""), ["myid", "ringkeeper", "ringkeeper.1", "version-2"]);
}

#[test]
fn ex1_what_stood_there_is_renamed_and_never_mixed() {
    let folder = Folder::new("replace");
    found(&folder.0);
    fs::create_dir_all(folder.0.join("version-2")).expect("writable");
    let mut options = ExportOptions { place: place(&folder.0), ..ExportOptions::default() };
    assert!(export(&options).is_ok(), "an empty folder holds nothing");
    write(&folder.0.join("version-2/log.9"), b"old");
    let refused = export(&options).expect_err("not empty");
    assert!(matches!(refused, Version2ToolError::NotEmpty(_)), "{refused}");
    options.replace = true;
    for number in 1..3 {
        let renamed = export(&options).expect("renamed first").renamed;
        assert_eq!(renamed, [folder.0.join(format!("version-2.{number}"))]);
    }
    assert_eq!(read(&folder.0.join("version-2.1/log.9")), b"old");
    assert!(!folder.0.join("version-2/log.9").exists());
    assert!(!folder.0.join("version-2.exporting").exists());
}

#[test]
fn an_export_elsewhere_has_its_myid_and_leaves_ours_alone() {
    let (folder, other) = (Folder::new("elsewhere"), Folder::new("elsewhere-to"));
    found(&folder.0);
    let to = Some(other.0.clone());
    let flag = JvmFlag { key: "digest.enabled".into(), value: "false".into() };
    let place = PlaceOptions { flags: vec![flag], ..place(&folder.0) };
    export(&ExportOptions { place, to, replace: false }).expect("a whole log");
    assert_eq!(other.names(""), ["myid", "version-2"]);
    assert!(!folder.0.join("version-2").exists());
    let snapshot = read(&other.0.join("version-2/snapshot.0"));
    assert!(scan(&snapshot[..], &mut |_| Ok(())).is_ok());
}

#[test]
fn nothing_is_exported_from_a_running_server_or_from_nothing() {
    let folder = Folder::new("running");
    let options = ExportOptions { place: place(&folder.0), ..ExportOptions::default() };
    assert!(matches!(export(&options), Err(Version2ToolError::NoLog(_))));
    found(&folder.0);
    let running = ringkeeper_engine::io::files::Directory::open(&folder.0, &folder.0);
    let refused = export(&options).expect_err("the lock is held");
    assert!(matches!(refused, Version2ToolError::Directory(_)), "{refused}");
    drop(running);
    assert!(!folder.0.join("version-2").exists());
}
