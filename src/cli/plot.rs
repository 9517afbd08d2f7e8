//! `isacopt plot`: the figures of a run again, without running anything.

use std::path::PathBuf;

use clap::Args;

use super::print;
use crate::config::{FigureConfig, FigureFile};
use crate::error::{Error, InputError, Result};
use crate::report::{Format, Options, Study, chosen, run_figures, write_figures};
use crate::results::RunFolder;

/// Draw the figures of a run again, for a paper: SVG, PDF, PNG, PGFPlots, CSV
#[derive(Debug, Args)]
pub struct Arguments {
    /// The run folder
    run: PathBuf,
    /// A TOML file of [[figure]] tables (see `isacopt schema`) in place of those of the run's config
    #[arg(long, value_name = "FILE")]
    figure: Option<PathBuf>,
    /// Kinds of files; all without it
    #[arg(long, value_enum, value_delimiter = ',', value_name = "KIND,...")]
    format: Vec<Format>,
    /// Where to write; `figures` in the run folder without it
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Dots per inch of PNG pictures
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(30..=2400))]
    dpi: u32,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<()> {
    let study = Study::new(RunFolder::without_designs(&arguments.run)?);
    let formats = if arguments.format.is_empty() { Format::ALL.to_vec() } else { arguments.format.clone() };
    let options = Options { formats, dots_per_inch: arguments.dpi };
    let folder = arguments.out.clone().unwrap_or_else(|| arguments.run.join("figures"));
    let (figures, file) = match &arguments.figure {
        Some(path) => {
            let file = FigureFile::read(path)?;
            (file.figures.clone(), Some(file))
        }
        None => (chosen(&study, &run_figures(&study)?), None),
    };
    let drawn = write_figures(&study, &figures, &folder, &options);
    let drawn = drawn.map_err(|error| match (error, &file) {
        (Error::Input(mistakes), Some(file)) => Error::Input(file.locate(mistakes)),
        (error, _) => error.in_file(arguments.run.join("config.toml")),
    })?;
    if drawn.is_empty() {
        let names: Vec<&str> = figures.iter().map(|f: &FigureConfig| f.name.as_str()).collect();
        let found = format!("a run with nothing to show in {}", names.join(", "));
        return Err(InputError::new("", found, "a run with feasible designs").into());
    }
    let paths: Vec<String> = drawn.iter().map(|path| path.display().to_string()).collect();
    print(&paths.join("\n"))
}
