//! Under which conditions a comparison ran: machine, versions, command, date.
//!
//! A figure without them is a rumour: they stand in the JSON and on the page.
//!
//! Not here: the figures (`report`).

use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use ringkeeper_engine::io::clock::wall_ms;
use serde_json::{Value, json};

use super::sample::WARMUP_SECONDS;
use super::{CompareOptions, System};
use crate::host;

/// Below this a JVM has not compiled what it runs.
pub(super) const WARMUP_SECONDS_MIN: u64 = 20;

#[derive(Clone, Debug)]
pub(super) struct Conditions {
    pub(super) ringkeeper: String,
    pub(super) zookeeper: String,
    pub(super) java: String,
    pub(super) host: String,
    pub(super) data: String,
    pub(super) date: String,
    pub(super) command: String,
    pub(super) servers: u8,
    pub(super) seconds: u64,
    pub(super) pairs: u16,
    /// Of load on each system before the first figure.
    pub(super) warmup_seconds: u64,
}

impl Conditions {
    pub(super) fn new(options: &CompareOptions, ringkeeper: &System, zookeeper: &System) -> Self {
        let shapes = options.mixes.len() as u64;
        Self {
            ringkeeper: ringkeeper.to_string(),
            zookeeper: zookeeper.to_string(),
            java: java_version(),
            host: host::describe(),
            data: options.data.display().to_string(),
            date: date(),
            command: command(),
            servers: options.servers,
            seconds: options.seconds,
            pairs: options.pairs,
            warmup_seconds: shapes * (options.warmup_of_shape() + WARMUP_SECONDS),
        }
    }

    pub(super) fn is_cold(&self) -> bool {
        self.warmup_seconds < WARMUP_SECONDS_MIN
    }

    /// Each with its name, as a reader wants them.
    pub(super) fn named(&self) -> Vec<(&'static str, String)> {
        let Self { ringkeeper, zookeeper, java, host, data, date, command, .. } = self;
        let runs = format!(
            "{} pairs of {} s a line, {} servers each; {} s of load on each system before the \
             first figure",
            self.pairs, self.seconds, self.servers, self.warmup_seconds
        );
        vec![
            ("Systems", format!("{ringkeeper}; {zookeeper} on {java}")),
            ("Machine", host.clone()),
            ("Data below", data.clone()),
            ("Runs", runs),
            ("Command", command.clone()),
            ("Date", date.clone()),
        ]
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "ringkeeper": self.ringkeeper,
            "zookeeper": self.zookeeper,
            "java": self.java,
            "host": self.host,
            "data": self.data,
            "date": self.date,
            "command": self.command,
            "servers": self.servers,
            "seconds": self.seconds,
            "pairs": self.pairs,
            "warmup_seconds": self.warmup_seconds,
        })
    }
}

pub(crate) fn date() -> String {
    let since_1970 = Duration::from_millis(wall_ms().unsigned_abs());
    httpdate::fmt_http_date(UNIX_EPOCH + since_1970)
}

/// What was typed.
pub(crate) fn command() -> String {
    std::env::args().collect::<Vec<_>>().join(" ")
}

/// The first line of `java -version`, which goes to standard error.
fn java_version() -> String {
    let said = Command::new("java").arg("-version").output();
    let said = said.map(|output| String::from_utf8_lossy(&output.stderr).into_owned());
    let first = said.ok().and_then(|text| text.lines().next().map(str::to_owned));
    first.unwrap_or_else(|| "an unknown JVM".to_owned())
}
