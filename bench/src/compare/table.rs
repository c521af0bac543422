//! A table that a terminal, a README and a browser can show.
//!
//! Cells are Markdown of the simplest kind: `**` around what is to be seen first.
//!
//! Not here: what stands in it (`report`, `recovery`).

use std::fmt::{self, Write as _};

/// Columns of text; every row has as many cells as there are heads.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(super) heads: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(heads: &[&str]) -> Self {
        Self { heads: heads.iter().map(|head| (*head).to_owned()).collect(), rows: Vec::new() }
    }

    pub(crate) fn push<const N: usize>(&mut self, row: [String; N]) {
        assert_eq!(N, self.heads.len(), "a cell for each head");
        self.rows.push(row.into());
    }

    pub(crate) fn to_html(&self) -> String {
        let line = |cells: &[String], tag: &str| {
            let cells = cells.iter().fold(String::new(), |mut text, cell| {
                let _ = write!(text, "<{tag}>{}</{tag}>", strong(&escape(cell)));
                text
            });
            format!("<tr>{cells}</tr>\n")
        };
        let rows: String = self.rows.iter().map(|row| line(row, "td")).collect();
        let head = line(&self.heads, "th");
        format!("<table>\n<thead>{head}</thead>\n<tbody>\n{rows}</tbody>\n</table>\n")
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| {} |", self.heads.join(" | "))?;
        writeln!(f, "|{}", " --- |".repeat(self.heads.len()))?;
        for row in &self.rows {
            writeln!(f, "| {} |", row.join(" | "))?;
        }
        Ok(())
    }
}

/// Text that cannot be taken for HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// `**so**` as HTML writes it.
fn strong(text: &str) -> String {
    let parts = text.split("**").enumerate();
    parts.fold(String::new(), |mut html, (index, part)| {
        let tag = match index {
            0 => "",
            _ if index % 2 == 1 => "<strong>",
            _ => "</strong>",
        };
        let _ = write!(html, "{tag}{part}");
        html
    })
}

/// `1,234,567`.
pub(crate) fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_told_apart() {
        assert_eq!(grouped(1_234_567.4), "1,234,567");
        assert_eq!(grouped(999.6), "1,000");
        assert_eq!(grouped(12.0), "12");
    }

    #[test]
    fn one_table_is_markdown_and_html() {
        let mut table = Table::new(&["what", "ratio"]);
        table.push(["a < b".to_owned(), "**2.0** (1.0 to 3.0)".to_owned()]);
        assert_eq!(
            table.to_string(),
            "| what | ratio |\n| --- | --- |\n| a < b | **2.0** (1.0 to 3.0) |\n"
        );
        let html = table.to_html();
        assert!(html.contains("<th>what</th>"), "{html}");
        assert!(html.contains("<td>a &lt; b</td>"), "{html}");
        assert!(html.contains("<td><strong>2.0</strong> (1.0 to 3.0)</td>"), "{html}");
    }
}
