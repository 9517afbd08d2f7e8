//! `isacopt report`: the page and the figures of a run folder, from the files in it alone.

use std::path::PathBuf;

use clap::Args;

use super::print;
use super::run::write_pages;
use crate::error::Result;
use crate::report::Study;
use crate::results::RunFolder;

/// Write the page and the figures of a run folder again, without running anything
///
/// Needs neither the config's instance files nor its plugins, so a folder can be reported on that came from another
/// machine. Runs that are not put in order yet are part of it.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The run folder
    run: PathBuf,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<()> {
    print(&write_pages(&Study::new(RunFolder::without_designs(&arguments.run)?))?)
}
