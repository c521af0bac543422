//! The costliest of the stacks, for a terminal: by module, by function alone, by function with what
//! it calls.
//!
//! What the compiler has inlined counts for its caller.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::Kind;
use super::stacks::Stacks;

/// Below this share, in percent, nothing is named.
const SHARE_MIN: f64 = 0.5;
const FUNCTIONS: usize = 25;
const CALLERS: usize = 30;

pub(super) fn report(title: &str, kind: Kind, stacks: &Stacks) -> String {
    let (total, unit) = (stacks.total(), kind.unit());
    let mut text = format!("\n== {title}: {total} {unit}\n");
    let mut own = BTreeMap::new();
    let mut modules = BTreeMap::new();
    let mut roots = BTreeMap::new();
    let mut with_callees = BTreeMap::new();
    for (functions, weight) in stacks.iter() {
        let functions: Vec<&str> = functions.collect();
        let Some(last) = functions.last() else { continue };
        *own.entry(*last).or_insert(0) += weight;
        *modules.entry(module(last)).or_insert(0) += weight;
        *roots.entry(functions[0]).or_insert(0) += weight;
        // A function that calls itself counts once.
        for function in functions[1..].iter().collect::<BTreeSet<_>>() {
            *with_callees.entry(*function).or_insert(0) += weight;
        }
    }
    let mut list = |heading: &str, weights: BTreeMap<&str, u64>, most: usize| {
        let mut sorted: Vec<(&str, u64)> = weights.into_iter().collect();
        sorted.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
        let _ = writeln!(text, "-- {heading}");
        for (name, weight) in sorted.into_iter().take(most) {
            let share = weight as f64 * 100.0 / total.max(1) as f64;
            if share >= SHARE_MIN {
                let _ = writeln!(text, "{share:>7.2} %  {name}");
            }
        }
    };
    match kind {
        Kind::OnCore => {
            list("by module, own time", modules, usize::MAX);
            list("by function, own time", own, FUNCTIONS);
        }
        Kind::OffCore => list("threads", roots, FUNCTIONS),
    }
    list("by function, with callees", with_callees, CALLERS);
    text
}

/// `ringkeeper::prep` of its functions, and the like.
fn module(function: &str) -> &str {
    if function.ends_with("_[k]") {
        return "kernel";
    }
    if let Some(at) = function.find("ringkeeper") {
        let path = &function[at..];
        let mut ends = path.match_indices("::").map(|(end, _)| end).skip(1);
        let end = ends.next().or_else(|| path.find([' ', '>', '<'])).unwrap_or(path.len());
        return &path[..end];
    }
    if ["memmove", "memcpy", "memset", "memcmp"].iter().any(|name| function.contains(name)) {
        return "copying and comparing memory";
    }
    if ["malloc", "free", "realloc", "calloc", "alloc::"].iter().any(|it| function.contains(it)) {
        return "allocation";
    }
    let name = function.trim_start_matches(['<', '&']);
    name.split_once("::").map_or("others", |(krate, _)| krate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_counts_for_its_module_and_once_for_its_callers() {
        let script = "\
r 7/7 10.1: 60 cpu-clock:
	          1 crc32c::hw (/r)
	          2 ringkeeper_engine::log::seal (/r)
	          2 ringkeeper_engine::log::seal (/r)

r 7/7 10.2: 40 cpu-clock:
	          3 <ringkeeper::prep::Prep as core::fmt::Debug>::fmt (/r)

";
        let stacks = Stacks::fold(script.as_bytes()).unwrap();
        let text = report("a leader", Kind::OnCore, &stacks);
        assert!(
            text.contains("a leader: 100 samples\n-- by module, own time\n  60.00 %  crc32c\n")
        );
        assert!(text.contains("  40.00 %  ringkeeper::prep\n"), "{text}");
        let callers = text.split("with callees\n").nth(1).unwrap();
        assert!(callers.contains("  60.00 %  ringkeeper_engine::log::seal\n"), "{text}");
    }

    #[test]
    fn functions_of_libraries_and_the_kernel_have_a_home() {
        assert_eq!(module("tcp_sendmsg_[k]"), "kernel");
        assert_eq!(module("__memmove_avx512_unaligned_erms"), "copying and comparing memory");
        assert_eq!(module("cfree@GLIBC_2.2.5"), "allocation");
        assert_eq!(
            module("<ringkeeper_engine::io::Ring as Driver>::wait"),
            "ringkeeper_engine::io"
        );
        assert_eq!(module("ringkeeper::main"), "ringkeeper::main");
        assert_eq!(module("[libc.so.6]"), "others");
    }
}
