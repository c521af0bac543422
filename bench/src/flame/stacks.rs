//! Folded stacks: how much was seen with each, from the root to the function that ran.
//!
//! A kernel's function ends in `_[k]`.

use std::collections::BTreeMap;
use std::io::{BufRead, Error as OsError, Result};

use inferno::collapse::Collapse as _;
use inferno::collapse::perf::{Folder, Options};

/// Stacks as inferno writes them, `root;caller;function`, each with its weight.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stacks(Vec<(String, u64)>);

impl Stacks {
    /// What `perf script` prints.
    pub(super) fn fold(script: impl BufRead) -> Result<Self> {
        let mut options = Options::default();
        options.annotate_kernel = true;
        let mut folded = Vec::new();
        Folder::from(options).collapse(script, &mut folded)?;
        let text = String::from_utf8(folded).map_err(OsError::other)?;
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let parsed = text.lines().filter_map(|line| {
            let (stack, weight) = line.rsplit_once(' ')?;
            Some((unnumbered(stack), weight.parse::<u64>().ok()?))
        });
        let mut stacks = BTreeMap::new();
        for (stack, weight) in parsed {
            *stacks.entry(stack).or_default() += weight;
        }
        Self(stacks.into_iter().collect())
    }

    pub(super) fn total(&self) -> u64 {
        self.0.iter().map(|(_, weight)| weight).sum()
    }

    /// Each stack's functions, root first, and its weight.
    pub(super) fn iter(&self) -> impl Iterator<Item = (std::str::Split<'_, char>, u64)> {
        self.0.iter().map(|(stack, weight)| (stack.split(';'), *weight))
    }

    /// As inferno reads them.
    pub(super) fn lines(&self) -> Vec<String> {
        self.0.iter().map(|(stack, weight)| format!("{stack} {weight}")).collect()
    }
}

/// A ring's worker thread is named after whom it works for: `iou-wrk-4711`. The number says nothing
/// to another run.
fn unnumbered(stack: &str) -> String {
    match stack.strip_prefix("iou-wrk-") {
        Some(rest) => format!("iou-wrk{}", rest.trim_start_matches(|c: char| c.is_ascii_digit())),
        None => stack.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_fold_by_their_stack_and_weigh_what_their_period_says() {
        let script = "\
ringkeeper 7/7 10.1: cpu-clock:
	ffffffff81 tcp_sendmsg ([kernel.kallsyms])
	          14 ringkeeper_engine::io::turn (/ringkeeper)

ringkeeper 7/7 10.2: 41 cpu-clock:
	ffffffff81 tcp_sendmsg ([kernel.kallsyms])
	          15 ringkeeper_engine::io::turn (/ringkeeper)

iou-wrk-7 7/8 10.3: 5 cpu-clock:
	ffffffff81 io_wq_worker ([kernel.kallsyms])

iou-wrk-6 6/9 10.3: 6 cpu-clock:
	ffffffff81 io_wq_worker ([kernel.kallsyms])

";
        let stacks = Stacks::fold(script.as_bytes()).unwrap();
        let stack = "ringkeeper;ringkeeper_engine::io::turn;tcp_sendmsg_[k]";
        let worker = "iou-wrk;io_wq_worker_[k]";
        assert_eq!(stacks, Stacks(vec![(worker.to_owned(), 11), (stack.to_owned(), 42)]));
        let lines = vec![format!("{worker} 11"), format!("{stack} 42")];
        assert_eq!((stacks.total(), stacks.lines()), (53, lines));
    }
}
