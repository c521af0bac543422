//! Switches of threads become times off the cores.
//!
//! Reads what `perf script` prints of `sched_switch` and `sched_wakeup` and writes events of the
//! same form: one for each time that a thread was away, with its length in microseconds where perf
//! has a sample's period, and with the stack that it left from. Until it is woken a thread is
//! *asleep*; from then on, or from the start if it was pushed aside, it is *ready* and has no core.
//!
//! Invariants:
//! - FO1. Only a time whose beginning and end were both seen counts.
//!
//! Not here: folding (`stacks`).

use std::collections::BTreeMap;
use std::io::{BufRead, Result};

const SWITCH: &str = " sched:sched_switch: ";
const WAKEUP: &str = " sched:sched_wakeup: ";

/// A thread that is away.
struct Away {
    role: usize,
    name: String,
    since_us: u64,
    ready_us: Option<u64>,
    stack: String,
}

/// One event's first line.
#[derive(Debug, PartialEq, Eq)]
enum Event<'a> {
    Switch { at_us: u64, leaves: u32, name: &'a str, was_pushed: bool, comes: u32 },
    Wakeup { at_us: u64, thread: u32 },
}

/// Events for each list of threads.
pub(super) fn times_off_core(lines: impl BufRead, threads: &[Vec<u32>]) -> Result<Vec<Vec<u8>>> {
    let mut roles = BTreeMap::new();
    for (role, threads) in threads.iter().enumerate() {
        roles.extend(threads.iter().map(|thread| (*thread, role)));
    }
    let mut away: BTreeMap<u32, Away> = BTreeMap::new();
    let mut out = vec![Vec::new(); threads.len()];
    // Whose stack the lines that follow belong to.
    let mut leaving = None;
    for line in lines.split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        let is_event = line.contains(SWITCH) || line.contains(WAKEUP);
        if line.starts_with([' ', '\t']) && !is_event {
            if let Some(away) = leaving.and_then(|thread| away.get_mut(&thread)) {
                away.stack.push_str(&line);
                away.stack.push('\n');
            }
            continue;
        }
        leaving = None;
        match parse(&line) {
            Some(Event::Switch { at_us, leaves, name, was_pushed, comes }) => {
                if let Some(back) = away.remove(&comes) {
                    back.write(at_us, comes, &mut out);
                }
                if let Some(role) = roles.get(&leaves) {
                    let (role, name, stack) = (*role, name.to_owned(), String::new());
                    let ready_us = was_pushed.then_some(at_us);
                    away.insert(leaves, Away { role, name, since_us: at_us, ready_us, stack });
                    leaving = Some(leaves);
                }
            }
            Some(Event::Wakeup { at_us, thread }) => {
                if let Some(away) = away.get_mut(&thread) {
                    away.ready_us.get_or_insert(at_us);
                }
            }
            None => {}
        }
    }
    Ok(out)
}

impl Away {
    /// The time is over (FO1).
    fn write(&self, at_us: u64, thread: u32, out: &mut [Vec<u8>]) {
        let ready_us = self.ready_us.unwrap_or(at_us);
        let parts = [
            ("asleep", ready_us.saturating_sub(self.since_us)),
            ("ready without a core", at_us.saturating_sub(ready_us)),
        ];
        for (how, us) in parts.into_iter().filter(|(_, us)| *us > 0) {
            let Self { name, stack, role, .. } = self;
            let event = format!("{name} {how} {thread}/{thread} 0.0: {us} off-cpu:\n{stack}\n");
            out[*role].extend_from_slice(event.as_bytes());
        }
    }
}

fn parse(line: &str) -> Option<Event<'_>> {
    let (head, body) = line.split_once(SWITCH).or_else(|| line.split_once(WAKEUP))?;
    let at_us = micros(head.rsplit(' ').next()?.trim_end_matches(':'))?;
    if line.contains(WAKEUP) {
        return Some(Event::Wakeup { at_us, thread: number(body, " pid=")? });
    }
    let (left, came) = body.split_once(" ==> ")?;
    let name = left.strip_prefix("prev_comm=")?.split_once(" prev_pid=")?.0;
    let (leaves, comes) = (number(left, " prev_pid=")?, number(came, " next_pid=")?);
    let was_pushed = left.split_once(" prev_state=")?.1.starts_with('R');
    Some(Event::Switch { at_us, leaves, name, was_pushed, comes })
}

/// `5174.941934`: seconds and microseconds.
fn micros(text: &str) -> Option<u64> {
    let (seconds, micros) = text.split_once('.')?;
    Some(seconds.parse::<u64>().ok()? * 1_000_000 + micros.parse::<u64>().ok()?)
}

fn number(text: &str, name: &str) -> Option<u32> {
    let (_, rest) = text.split_once(name)?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "\
ringkeeper 7/7 10.000100: sched:sched_switch: prev_comm=ringkeeper prev_pid=7 prev_prio=120 \
prev_state=S ==> next_comm=swapper/0 next_pid=0 next_prio=120
	ffffffff821f8b58 __schedule ([kernel.kallsyms])
	          146f7c turn (/ringkeeper)

swapper 0/0 10.000130: sched:sched_wakeup: comm=ringkeeper pid=7 prio=120 target_cpu=001
	ffffffff813a83e5 ttwu_do_activate ([kernel.kallsyms])

swapper 0/0 10.000150: sched:sched_switch: prev_comm=swapper/0 prev_pid=0 prev_prio=120 \
prev_state=R ==> next_comm=ringkeeper next_pid=7 next_prio=120
	ffffffff821f8b58 __schedule ([kernel.kallsyms])

a b 9/9 10.000160: sched:sched_switch: prev_comm=a b prev_pid=9 prev_prio=120 \
prev_state=R+ ==> next_comm=x next_pid=1 next_prio=120

x 1/1 10.000170: sched:sched_switch: prev_comm=x prev_pid=1 prev_prio=120 \
prev_state=S ==> next_comm=a b next_pid=9 next_prio=120
";

    #[test]
    fn a_time_away_is_split_where_the_thread_was_woken() {
        let out = times_off_core(SCRIPT.as_bytes(), &[vec![7], vec![9]]).unwrap();
        let texts: Vec<&str> = out.iter().map(|out| std::str::from_utf8(out).unwrap()).collect();
        let stack = "\tffffffff821f8b58 __schedule ([kernel.kallsyms])\n\
                     \x20\t          146f7c turn (/ringkeeper)\n";
        let stack = stack.replace(" \t", "\t");
        let asleep = format!("ringkeeper asleep 7/7 0.0: 30 off-cpu:\n{stack}\n");
        let ready = format!("ringkeeper ready without a core 7/7 0.0: 20 off-cpu:\n{stack}\n");
        assert_eq!(texts[0], format!("{asleep}{ready}"));
        assert_eq!(texts[1], "a b ready without a core 9/9 0.0: 10 off-cpu:\n\n");
    }

    #[test]
    fn fo1_a_time_without_an_end_does_not_count() {
        let begun = SCRIPT.split_once("swapper 0/0 10.000150").unwrap().0;
        assert_eq!(times_off_core(begun.as_bytes(), &[vec![7]]).unwrap(), [Vec::<u8>::new()]);
    }
}
