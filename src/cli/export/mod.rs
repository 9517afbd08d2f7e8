//! `isacopt export`: a run folder as long tables.

mod matlab;
mod parquet;
mod text;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use self::matlab::Matlab;
use self::parquet::Parquet;
use self::text::{Csv, JsonLines};
use super::print;
use crate::error::{Error, Result};
use crate::results::{RunFolder, TABLES, write_table};

/// Write the runs, metrics and iterations of a run as long tables: Parquet, CSV, JSON lines or MATLAB files
#[derive(Debug, Args)]
pub struct Arguments {
    /// The run folder; others may still be at work in it
    run: PathBuf,
    /// Kind of files
    #[arg(long, value_enum, default_value = "parquet")]
    format: Format,
    /// Where to write; `tables` in the run folder without it
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Tables to write; all without it
    #[arg(long = "table", value_name = "NAME", value_parser = TABLES)]
    tables: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Parquet,
    Csv,
    Jsonl,
    /// MATLAB's .mat files, also for Octave
    Mat,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<()> {
    let folder = RunFolder::without_designs(&arguments.run)?;
    let out = arguments.out.clone().unwrap_or_else(|| arguments.run.join("tables"));
    std::fs::create_dir_all(&out).map_err(|e| Error::file("create", &out, e))?;
    let wanted = |table: &&&str| arguments.tables.is_empty() || arguments.tables.iter().any(|t| t == **table);
    let mut written = Vec::new();
    for table in TABLES.iter().filter(wanted) {
        let path = match arguments.format {
            Format::Parquet => {
                let mut file = Parquet::new(out.join(format!("{table}.parquet")))?;
                write_table(&folder, table, &mut file)?;
                file.finish()?
            }
            Format::Csv => {
                let mut file = Csv::new(out.join(format!("{table}.csv")))?;
                write_table(&folder, table, &mut file)?;
                file.finish()?
            }
            Format::Jsonl => {
                let mut file = JsonLines::new(out.join(format!("{table}.jsonl")))?;
                write_table(&folder, table, &mut file)?;
                file.finish()?
            }
            Format::Mat => {
                let mut file = Matlab::new(out.join(format!("{table}.mat")));
                write_table(&folder, table, &mut file)?;
                file.finish()?
            }
        };
        written.push(path.display().to_string());
    }
    print(&written.join("\n"))
}
