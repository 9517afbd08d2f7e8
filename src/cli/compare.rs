//! `isacopt compare`: two experiments side by side.

use std::path::PathBuf;

use clap::Args;

use super::print;
use crate::error::Result;
use crate::report::{Comparison, Grid, Layout, Study, write_side_by_side};
use crate::results::RunFolder;

/// Compare two run folders: what of their configs differs, and their results in pairs
///
/// A pair is the same sweep point, trial and solver label in both. Differences are second less first, over the pairs in
/// which both are feasible.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The first run folder
    first: PathBuf,
    /// The second
    second: PathBuf,
    /// Only these metrics, by id; all without it
    #[arg(long, value_delimiter = ',', value_name = "METRIC,...")]
    metric: Vec<String>,
    /// How the table is written
    #[arg(long, value_enum, default_value_t)]
    format: Layout,
    /// Write a page, too: what changed, the paired differences with their quantiles, and their picture
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<()> {
    let read = |path: &PathBuf| Ok::<_, crate::error::Error>(Study::new(RunFolder::without_designs(path)?));
    let (first, second) = (read(&arguments.first)?, read(&arguments.second)?);
    let mut found = Comparison::of(&first, &second);
    let kept = |id: &str| {
        let same = |m: &String| m == id || id.strip_prefix("run.") == Some(m);
        arguments.metric.is_empty() || arguments.metric.iter().any(same)
    };
    found.paired.retain(|p| kept(&p.quantity.id));
    if let Some(path) = &arguments.page {
        write_side_by_side(path, &first, &second, &found)?;
    }
    let rows = found.paired.iter().map(|p| p.row()).collect();
    let header = ["solver", "quantity", "first", "second", "second - first", "pairs", "better", "worse"];
    let grid = Grid { header: header.map(str::to_string).to_vec(), rows, words: 2 };
    if arguments.format != Layout::Text {
        return print(grid.write(arguments.format).trim_end());
    }
    let absent = |value: &Option<String>| value.clone().unwrap_or_else(|| "(absent)".into());
    let rows: Vec<Vec<String>> =
        found.changes.iter().map(|c| vec![c.key.clone(), absent(&c.before), absent(&c.after)]).collect();
    let mut text = match rows.is_empty() {
        true => "The configs are the same.".to_string(),
        false => {
            Grid { header: ["key", "first", "second"].map(str::to_string).to_vec(), rows, words: 3 }.write(Layout::Text)
        }
    };
    let [left, right, pairs] = found.runs;
    text += &format!("\n{pairs} pairs of runs; {left} only in the first, {right} only in the second.");
    if found.infeasible != [0, 0] {
        let [a, b] = found.infeasible;
        text += &format!(" Infeasible in the first alone: {a} pairs, in the second alone: {b}.");
    }
    text += &format!(
        "\n{}\nMeans over the pairs in which both are feasible; second - first with the standard error of the mean \
         difference.\nBetter, worse: in how many pairs the second is, by more than 1e-9 of the size.",
        grid.write(Layout::Text)
    );
    print(&text)
}
