//! The curves as one page that needs nothing beside it.
//!
//! Not here: the table (`report`), the pictures (`plot`).

use super::Scale;
use crate::compare::html::{document, figures};
use crate::compare::plot::Picture;

const HOW_TO_READ: &str = "<p>Each curve turns one size and leaves the others at 100 bytes, 30 \
    connections with 100 requests on their way each, three servers; a point is one run. More \
    connections share 3,000 requests on their way, payloads of more than 1 KiB share 100 KiB a \
    connection. Net threads are those of one server alone. All axes are logarithmic. CPU-µs is the time of all servers of a system together, \
    user and system, by operation.</p>\n";

pub(super) fn page(scale: &Scale, pictures: &[Picture]) -> String {
    let title = format!("{} by size", scale.mix().describe());
    let body = format!(
        "{HOW_TO_READ}{}<h2>All points</h2>\n{}",
        figures(pictures),
        scale.table().to_html()
    );
    document(&title, &scale.conditions(), &body)
}
