//! What the machine says of itself: CPU used, load, the device below a folder.
//!
//! All of it comes from `/proc`, so a figure that is not there (another kernel, a container) is
//! `None` or zero, and the report says so by leaving it out.
//!
//! Not here: what is measured with it.

use std::fs;
use std::path::Path;

use rustix::time::{ClockId, clock_gettime};

/// CPU time of the calling thread, and its time in the queue for a core.
#[derive(Clone, Copy, Debug)]
pub struct ThreadTime {
    pub cpu_us: u64,
    pub waited_us: u64,
}

impl ThreadTime {
    pub fn now() -> Self {
        let cpu = clock_gettime(ClockId::ThreadCPUTime);
        let cpu_us = cpu.tv_sec.unsigned_abs() * 1_000_000 + cpu.tv_nsec.unsigned_abs() / 1000;
        // "nanoseconds on a core, nanoseconds in the queue, slices".
        let schedstat = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        let waited_ns = schedstat.split_whitespace().nth(1).and_then(|word| word.parse().ok());
        Self { cpu_us, waited_us: waited_ns.unwrap_or(0) / 1000 }
    }

    pub fn since(self, earlier: Self) -> Self {
        Self {
            cpu_us: self.cpu_us.saturating_sub(earlier.cpu_us),
            waited_us: self.waited_us.saturating_sub(earlier.waited_us),
        }
    }
}

/// CPU time of this process, user and system, all its threads, those of the ring included.
pub fn own_cpu_us() -> u64 {
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    cpu.tv_sec.unsigned_abs() * 1_000_000 + cpu.tv_nsec.unsigned_abs() / 1000
}

/// CPU time of one thread of this process; `None` once it is gone.
pub fn thread_cpu_us(thread: u32) -> Option<u64> {
    let schedstat = fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).ok()?;
    let on_core_ns: u64 = schedstat.split_whitespace().next()?.parse().ok()?;
    Some(on_core_ns / 1000)
}

/// CPU time of a process, user and system, all its threads; `None` once it is gone.
pub fn process_cpu_us(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    process_ticks(&stat).map(|ticks| ticks * 1_000_000 / rustix::param::clock_ticks_per_second())
}

/// `utime` and `stime`, the 14th and 15th field; the second may hold blanks and brackets.
fn process_ticks(stat: &str) -> Option<u64> {
    let (_, after) = stat.rsplit_once(')')?;
    let mut fields = after.split_whitespace().skip(11);
    let utime: u64 = fields.next()?.parse().ok()?;
    let stime: u64 = fields.next()?.parse().ok()?;
    Some(utime + stime)
}

/// The load average of the last minute.
pub fn load_average() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

/// One line: cores, processor, kernel.
pub fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.and_then(|rest| rest.split_once(": ")).map_or("", |(_, name)| name.trim());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cores} cores, {model}, Linux {}", kernel.trim())
}

/// What the device below a folder has done since the machine started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceCounts {
    pub writes: u64,
    pub sectors_written: u64,
    pub flushes: u64,
}

impl DeviceCounts {
    /// `None` where the folder lies on no device that the kernel counts.
    pub fn of(folder: &Path) -> Option<Self> {
        let device = rustix::fs::stat(folder).ok()?.st_dev;
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let diskstats = fs::read_to_string("/proc/diskstats").ok()?;
        diskstats.lines().find_map(|line| Self::parse(line, major, minor))
    }

    fn parse(line: &str, major: u32, minor: u32) -> Option<Self> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        let is_it = number(0)? == u64::from(major) && number(1)? == u64::from(minor);
        is_it.then_some(Self {
            writes: number(7)?,
            sectors_written: number(9)?,
            flushes: number(18).unwrap_or(0),
        })
    }

    pub fn since(self, earlier: Self) -> Self {
        Self {
            writes: self.writes.saturating_sub(earlier.writes),
            sectors_written: self.sectors_written.saturating_sub(earlier.sectors_written),
            flushes: self.flushes.saturating_sub(earlier.flushes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_may_have_any_name() {
        let stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 120 30 0 0 20 0 1 0 5";
        assert_eq!(process_ticks(stat), Some(150));
        assert_eq!(process_ticks("7 (a"), None);
        assert!(process_cpu_us(std::process::id()).is_some());
    }

    #[test]
    fn a_device_is_found_by_its_number() {
        let line = " 254 0 vda 9 0 8 7 1000 0 4096 5 0 6 7 0 0 0 0 321 44";
        let counts = DeviceCounts { writes: 1000, sectors_written: 4096, flushes: 321 };
        assert_eq!(DeviceCounts::parse(line, 254, 0), Some(counts));
        assert_eq!(DeviceCounts::parse(line, 254, 1), None);
    }

    #[test]
    fn a_thread_uses_time() {
        let before = ThreadTime::now();
        let spent: u64 = (0..1_000_000_u64).fold(0, |sum, n| sum ^ n.wrapping_mul(sum | 1));
        assert!(ThreadTime::now().cpu_us >= before.cpu_us, "{spent}");
    }
}
