//! `isacopt draw`: one drawn system of a config as an instance file.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Map;

use super::print;
use crate::config::Experiment;
use crate::error::{InputError, Result};
use crate::instance::InstanceFile;

/// Write drawn systems of a config as instance files
#[derive(Debug, Args)]
pub struct Arguments {
    /// The config; of a sweep, its first point is drawn
    config: PathBuf,
    /// The file to write: NumPy's .npz, MATLAB's .mat, else JSON; JSON to standard output without it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Which trial to draw, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    trial: u64,
    /// Draw so many trials in a row into files of their own: FILE with the trial's number before its extension
    #[arg(long, value_name = "N", requires = "out")]
    count: Option<NonZeroU64>,
    /// The seed; the config's own without it
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Set a value of the config first
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<()> {
    let experiment = Experiment::read(&arguments.config, &arguments.settings)?;
    let seed = arguments.seed.unwrap_or(experiment.seed);
    let draw = |trial: u64| -> Result<InstanceFile> {
        let model = experiment.cells[0].system.draw(seed, trial)?;
        Ok(InstanceFile {
            scenario: model.scenario().to_string(),
            description: format!("{}: seed {seed}, trial {trial}", experiment.name),
            instance: model.instance(),
            designs: Map::new(),
            extra: Map::new(),
        })
    };
    let Some(path) = &arguments.out else { return print(draw(arguments.trial)?.to_text().trim_end()) };
    let Some(count) = arguments.count else { return draw(arguments.trial)?.write(path) };
    let last = arguments.trial.checked_add(count.get() - 1).ok_or_else(|| {
        InputError::new("--count", count.to_string(), format!("at most {} from this trial on", u64::MAX))
    })?;
    for trial in arguments.trial..=last {
        draw(trial)?.write(&numbered(path, trial, last.to_string().len()))?;
    }
    Ok(())
}

/// A file's name with a number of so many digits before its extension.
fn numbered(path: &Path, number: u64, digits: usize) -> PathBuf {
    let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let extension = path.extension().map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
    path.with_file_name(format!("{stem}-{number:0digits$}{extension}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbered_files_sort_by_their_number() {
        assert_eq!(numbered(Path::new("a/drop.npz"), 7, 3), Path::new("a/drop-007.npz"));
        assert_eq!(numbered(Path::new("drop"), 12, 2), Path::new("drop-12"));
    }
}
