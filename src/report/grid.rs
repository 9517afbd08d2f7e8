//! Tables for a terminal, a spreadsheet and a paper from the same rows.

use clap::ValueEnum;
use comfy_table::{CellAlignment, Table};

use super::figure::{csv_line, tex};

/// How a table is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Layout {
    /// For reading on a terminal.
    #[default]
    Text,
    /// Comma-separated values (RFC 4180).
    Csv,
    /// A LaTeX `tabular` with the rules of the package booktabs.
    Latex,
}

/// Rows under a header. Cells may have several lines.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// The columns' names.
    pub header: Vec<String>,
    /// As many cells each as the header has.
    pub rows: Vec<Vec<String>>,
    /// How many columns from the left hold words; the others are numbers and stand at the right.
    pub words: usize,
}

impl Grid {
    /// The table in a layout.
    pub fn write(&self, layout: Layout) -> String {
        match layout {
            Layout::Text => self.text(),
            Layout::Csv => {
                let flat = |row: &Vec<String>| csv_line(&row.iter().map(|c| c.replace('\n', " ")).collect::<Vec<_>>());
                std::iter::once(&self.header).chain(&self.rows).map(flat).collect()
            }
            Layout::Latex => self.latex(),
        }
    }

    fn text(&self) -> String {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
        table.set_header(&self.header);
        for column in self.words..self.header.len() {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        for row in &self.rows {
            table.add_row(row);
        }
        table.to_string()
    }

    fn latex(&self) -> String {
        let columns = "l".repeat(self.words) + &"r".repeat(self.header.len() - self.words);
        let line = |row: &Vec<String>| {
            let cells: Vec<String> = row.iter().map(|cell| tex(&cell.replace('\n', " "))).collect();
            format!("{} \\\\\n", cells.join(" & "))
        };
        let rows: String = self.rows.iter().map(line).collect();
        format!(
            "\\begin{{tabular}}{{{columns}}}\n\\toprule\n{}\\midrule\n{rows}\\bottomrule\n\\end{{tabular}}\n",
            line(&self.header)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_written_for_terminals_spreadsheets_and_papers() {
        let grid = Grid {
            header: vec!["solver".into(), "sum_rate".into()],
            rows: vec![vec!["a, b".into(), "1.5\n[1, 2]".into()]],
            words: 1,
        };
        assert_eq!(grid.write(Layout::Csv), "solver,sum_rate\r\n\"a, b\",\"1.5 [1, 2]\"\r\n");
        let latex = grid.write(Layout::Latex);
        assert!(latex.starts_with("\\begin{tabular}{lr}\n\\toprule\nsolver & sum\\_rate \\\\\n"), "{latex}");
        assert!(latex.contains("a, b & 1.5 [1, 2] \\\\"), "{latex}");
        let text = grid.write(Layout::Text);
        assert!(text.contains("sum_rate") && text.contains("[1, 2]"), "{text}");
    }
}
