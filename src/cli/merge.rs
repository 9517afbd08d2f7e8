//! `isacopt merge`: run folders of several machines joined.

use std::path::PathBuf;

use clap::Args;

use super::print;
use crate::error::Result;
use crate::runner::merge;

/// Join run folders of several machines; what two say about the same run must agree to 1e-9
#[derive(Debug, Args)]
pub struct Arguments {
    /// The run folders
    #[arg(required = true, num_args = 1.., value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// The folder to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<()> {
    let merged = merge(&arguments.runs, &arguments.out)?;
    let words = format!(
        "{} of {} runs are there, {} were in several folders and agree",
        merged.there, merged.total, merged.common
    );
    super::run::summarize(&arguments.out, &words, None)?;
    let missing = merged.total - merged.there;
    if missing > 0 {
        let config = arguments.out.join("config.toml");
        print(&format!("missing  {missing} runs: isacopt run {} --out {}", config.display(), arguments.out.display()))?;
    }
    Ok(())
}
