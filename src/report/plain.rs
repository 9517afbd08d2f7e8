//! Headings, tables and sentences that a command prints, as a page: no script, nothing from elsewhere.

use std::fmt::Write;
use std::path::Path;

use super::html::{escape, head};
use crate::error::Result;

/// A part of what a command has to say.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part {
    /// What the next parts are about.
    Heading(String),
    /// Sentences, a paragraph a line.
    Text(String),
    /// Rows under a header.
    Table {
        /// The columns' names.
        header: &'static [&'static str],
        /// As many cells each as the header has.
        rows: Vec<Vec<String>>,
    },
}

/// Writes them as a page. Rows that end in `DIFFERS` are marked.
///
/// # Errors
/// Where the page cannot be written.
pub(crate) fn write_parts(path: &Path, title: &str, parts: &[Part]) -> Result<()> {
    super::replace(path, page(title, parts).as_bytes())
}

fn page(title: &str, parts: &[Part]) -> String {
    let mut html = format!("{}<body>\n<main>\n<h1>{}</h1>\n", head(title, false), escape(title));
    for part in parts {
        match part {
            Part::Heading(text) => html += &format!("<h2>{}</h2>\n", escape(text)),
            Part::Text(text) => text.lines().for_each(|line| html += &format!("<p>{}</p>\n", escape(line))),
            Part::Table { header, rows } => {
                html += "<div class=\"scroll\"><table><thead><tr>";
                header.iter().for_each(|name| html += &format!("<th>{name}</th>"));
                html += "</tr></thead><tbody>\n";
                for row in rows {
                    let class = if row.last().is_some_and(|v| v == "DIFFERS") { " class=\"short\"" } else { "" };
                    html += "<tr>";
                    row.iter().for_each(|cell| _ = write!(html, "<td{class}>{}</td>", escape(cell)));
                    html += "</tr>\n";
                }
                html += "</tbody></table></div>\n";
            }
        }
    }
    html + "</main>\n</body>\n</html>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_every_cell_and_marks_what_differs() {
        let rows = vec![vec!["a<b".into(), "agrees".into()], vec!["c".into(), "DIFFERS".into()]];
        let parts = [Part::Heading("20 dB".into()), Part::Table { header: &["metric", "verdict"], rows }];
        let html = page("x & y", &parts);
        assert!(html.contains("<h1>x &amp; y</h1>\n<h2>20 dB</h2>"), "{html}");
        assert!(html.contains("<th>metric</th><th>verdict</th>") && html.contains("<td>a&lt;b</td><td>agrees</td>"));
        assert!(html.contains("<td class=\"short\">c</td><td class=\"short\">DIFFERS</td>"));
    }
}
