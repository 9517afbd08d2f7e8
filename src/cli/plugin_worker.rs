//! `isacopt plugin-worker`: isacopt starts itself so, to run a shared library that is not trusted. Not for people.

use std::path::PathBuf;

use crate::error::Result;
use crate::plugin::library::worker;

/// Serve a shared library on standard input and output.
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub struct Arguments {
    /// The library.
    path: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    worker::serve(&arguments.path)
}
