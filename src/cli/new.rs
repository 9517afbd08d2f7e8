//! `isacopt new`: files to begin with.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::print;
use crate::config::starter;
use crate::error::{Error, InputError, Result};

/// Write a file to begin with
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A commented config: a scenario with all its keys and defaults, a few solvers, ready to run
    Experiment {
        /// The scenario, as `isacopt list` prints it
        #[arg(long, value_name = "NAME", default_value = "monostatic")]
        scenario: String,
        /// The file to write; one that is there is left alone
        #[arg(default_value = "experiment.toml")]
        file: PathBuf,
    },
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<()> {
    let What::Experiment { scenario, file } = &arguments.what;
    let text = starter(scenario)?;
    write_new(file, &text)?;
    let path = file.display();
    print(&format!(
        "{path}: a first experiment with `{scenario}`\n  isacopt check {path}   finds mistakes without running it\n  \
         isacopt run {path}     runs it"
    ))
}

fn write_new(path: &Path, text: &str) -> Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    match file.and_then(|mut file| file.write_all(text.as_bytes())) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            Err(InputError::new("FILE", format!("{}, which is there already", path.display()), "a new file").into())
        }
        written => written.map_err(|e| Error::file("write", path, e)),
    }
}
