//! `isacopt table`: the table of a run again, for reading, a spreadsheet or a paper.

use std::path::PathBuf;

use clap::Args;

use super::comparison::{comparison, grid};
use super::print;
use crate::error::Result;
use crate::report::{Layout, Study};
use crate::results::RunFolder;

/// Print the table of a run: every solver at every sweep point
#[derive(Debug, Args)]
pub struct Arguments {
    /// The run folder
    run: PathBuf,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    format: Layout,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<()> {
    let study = Study::new(RunFolder::without_designs(&arguments.run)?);
    match arguments.format {
        Layout::Text => print(&comparison(&study)),
        layout => print(grid(&study, true).write(layout).trim_end()),
    }
}
