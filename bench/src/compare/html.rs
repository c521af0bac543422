//! The comparison as one page that needs nothing beside it: the pictures stand in it as SVG.
//!
//! Not here: what the tables and pictures say (`report`, `plot`).

use std::fmt::Write as _;

use super::Comparison;
use super::plot::Picture;
use super::table::escape;

const STYLE: &str = "\
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff;
  max-width: 1140px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.2em; margin-top: 2em; }
table { border-collapse: collapse; font-size: 13px; display: block; overflow-x: auto; }
th, td { padding: .35em .6em; border-bottom: 1px solid #ddd; text-align: right; }
th { border-bottom: 2px solid #999; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; white-space: nowrap; }
td { font-variant-numeric: tabular-nums; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2em 1em; }
dt { font-weight: 600; } dd { margin: 0; overflow-wrap: anywhere; }
figure { margin: 1em 0; } figure svg { max-width: 100%; height: auto; }
figcaption { color: #555; } .doubts { color: #a33; }
";

const HOW_TO_READ: [&str; 4] = [
    "Both systems ran on this machine with the same configuration, on the same disk, every write \
     synced before it was acknowledged. They took turns, A B, B A, so that what else went on met \
     both.",
    "A ratio is taken within each pair of neighbouring runs; the table has the median of the \
     pairs, the least and the greatest in brackets. Throughput: above 1 Ringkeeper does more. \
     Latency: below 1 Ringkeeper answers sooner.",
    "\"30 x 100\" is a closed loop: 30 connections, each with 100 requests on their way. Its \
     latency follows from its throughput. In an open loop requests have a timetable, and latency \
     counts from there: what a stall holds up is charged to it.",
    "CPU-µs is the time of all servers of a system together, user and system, by operation.",
];

const RECOVERY: &str = "\
     A client on a follower writes one znode in a closed loop, and goes on at the servers that are \
     left when the leader was killed (kill -9): median, least and greatest. Restart: all servers \
     are stopped (SIGTERM) and started at once; the time until any of them answers a read. Memory: \
     one figure a server. Of all ratios here, below 1 Ringkeeper needs less.";

/// The page.
pub(super) fn page(comparison: &Comparison, pictures: &[Picture]) -> String {
    let conditions = comparison.conditions();
    let title = format!("{} and {}", conditions.ringkeeper, conditions.zookeeper);
    let mut html = String::new();
    let _ = writeln!(html, "<h2>Throughput and latency</h2>\n{}", comparison.table().to_html());
    for doubt in comparison.doubts() {
        let _ = writeln!(html, "<p class=\"doubts\">{}</p>", escape(&doubt));
    }
    if let Some(rates) = comparison.rates() {
        let _ = writeln!(html, "<h2>Latency by offered rate</h2>\n{}", rates.table().to_html());
    }
    if let Some(recovery) = comparison.recovery() {
        let table = recovery.table().to_html();
        let _ = writeln!(html, "<h2>Recovery</h2>\n{table}<p>{}</p>", escape(RECOVERY));
    }
    html.push_str("<h2>How to read it</h2>\n");
    for paragraph in HOW_TO_READ {
        let _ = writeln!(html, "<p>{}</p>", escape(paragraph));
    }
    html.push_str(&figures(pictures));
    document(&title, &conditions.named(), &html)
}

/// A whole page: a title, the conditions with their names, and what is HTML already.
pub(crate) fn document(title: &str, named: &[(&str, String)], body: &str) -> String {
    let title = escape(title);
    let named = named.iter().fold(String::new(), |mut html, (name, value)| {
        let _ = writeln!(html, "<dt>{name}</dt><dd>{}</dd>", escape(value));
        html
    });
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n\
         <dl>\n{named}</dl>\n{body}</body>\n</html>\n"
    )
}

/// The pictures, each with its caption.
pub(crate) fn figures(pictures: &[Picture]) -> String {
    pictures.iter().fold(String::new(), |mut html, Picture { svg, caption, .. }| {
        let caption = escape(caption);
        let _ = writeln!(html, "<figure>\n{svg}\n<figcaption>{caption}</figcaption>\n</figure>");
        html
    })
}

#[cfg(test)]
mod tests {
    use super::super::{made_up, plot};
    use super::*;

    #[test]
    fn a_page_has_all_and_needs_nothing_from_elsewhere() {
        let comparison = made_up::comparison();
        let pictures = plot::all(&comparison).expect("they can be drawn");
        let html = page(&comparison, &pictures);
        assert_eq!(html.matches("<svg").count(), pictures.len());
        for (name, value) in comparison.conditions().named() {
            assert!(html.contains(&escape(&value)), "{name}");
        }
        for foreign in ["<script", "<link", "<img", "src=", "href="] {
            assert!(!html.contains(foreign), "{foreign}");
        }
        assert!(html.contains("setData 100 B, 30 x 100"));
        assert!(html.contains("leader killed to next acknowledged write, 3 kills, ms"));
        assert!(html.contains("a &lt;strange&gt; &amp; new command"));
    }
}
