//! What the machine says about itself, for `envi` and the start's first lines.
//!
//! Read from the world, once at start; only the number of open files is read when it is asked for.
//!
//! Not here: printing.

use std::env;
use std::fs;

use super::VERSION;
use super::status::OpenFiles;

/// Java's text for what is not known.
const UNKNOWN: &str = "<NA>";

/// Keys and values in ZooKeeper's order.
///
/// Compat: the keys of Java stand, so that a parser finds them, and say that they have no value
/// (`Environment.list`, 3.9.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment(Vec<(&'static str, String)>);

impl Environment {
    /// Asks the process and the kernel. What cannot be found out is `<NA>`.
    pub fn gather() -> Self {
        let of_kernel = |name: &str| {
            let text = fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default();
            known(text.trim())
        };
        let variable = |name: &str| known(&env::var(name).unwrap_or_default());
        let directory = env::current_dir().map(|path| path.display().to_string());
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        Self(vec![
            ("zookeeper.version", VERSION.to_owned()),
            ("host.name", of_kernel("hostname")),
            ("java.version", UNKNOWN.to_owned()),
            ("java.vendor", UNKNOWN.to_owned()),
            ("java.home", UNKNOWN.to_owned()),
            ("java.class.path", UNKNOWN.to_owned()),
            ("java.library.path", UNKNOWN.to_owned()),
            ("java.io.tmpdir", env::temp_dir().display().to_string()),
            ("java.compiler", UNKNOWN.to_owned()),
            ("os.name", "Linux".to_owned()),
            ("os.arch", env::consts::ARCH.to_owned()),
            ("os.version", of_kernel("osrelease")),
            ("user.name", variable("USER")),
            ("user.home", variable("HOME")),
            ("user.dir", directory.unwrap_or_else(|_| UNKNOWN.to_owned())),
            ("os.memory.free", megabytes(&memory, "MemFree:")),
            ("os.memory.max", megabytes(&memory, "MemTotal:")),
            ("os.memory.total", megabytes(&memory, "MemTotal:")),
        ])
    }

    /// Of given entries, for a server that runs in a simulator.
    pub fn of(entries: Vec<(&'static str, String)>) -> Self {
        Self(entries)
    }

    pub fn entries(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(key, value)| (*key, value.as_str()))
    }
}

fn known(text: &str) -> String {
    if text.is_empty() { UNKNOWN.to_owned() } else { text.to_owned() }
}

/// The figure of a line like `MemFree:  123456 kB`.
fn megabytes(meminfo: &str, name: &str) -> String {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.map_or_else(|| UNKNOWN.to_owned(), |kb| format!("{}MB", kb >> 10))
}

/// How many files this process has open, and how many it may have; 0 where the kernel says nothing.
pub fn open_files() -> OpenFiles {
    let open = fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64);
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    OpenFiles { open, max: soft_limit(&limits) }
}

/// The first figure of the line `Max open files   1024   524288   files`.
fn soft_limit(limits: &str) -> u64 {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_are_zookeepers_in_its_order() {
        let environment = Environment::gather();
        let keys: Vec<_> = environment.entries().map(|(key, _)| key).collect();
        assert_eq!(keys.len(), 18);
        assert_eq!(
            (keys[0], keys[9], keys[17]),
            ("zookeeper.version", "os.name", "os.memory.total")
        );
        assert!(environment.entries().all(|(_, value)| !value.is_empty()));
    }

    #[test]
    fn figures_are_found_in_the_kernels_tables() {
        assert_eq!(megabytes("MemTotal:  2097152 kB\nMemFree: 1024 kB\n", "MemFree:"), "1MB");
        assert_eq!(megabytes("", "MemFree:"), UNKNOWN);
        assert_eq!(soft_limit("Max open files            1024                 4096 files\n"), 1024);
        assert_eq!(soft_limit("Max open files            unlimited            unlimited\n"), 0);
    }
}
