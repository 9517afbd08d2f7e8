//! `isacopt draw`: one drawn system of a config as an instance file.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Map;

use super::print;
use crate::config::Experiment;
use crate::error::{Error, Result};
use crate::instance::InstanceFile;

/// Write one drawn system of a config as an instance file
#[derive(Debug, Args)]
pub struct Arguments {
    /// The config; of a sweep, its first point is drawn
    config: PathBuf,
    /// The file to write; standard output without it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Which trial to draw, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    trial: u64,
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
    let model = experiment.cells[0].system.draw(seed, arguments.trial)?;
    let file = InstanceFile {
        scenario: model.scenario().to_string(),
        description: format!("{}: seed {seed}, trial {}", experiment.name, arguments.trial),
        instance: model.instance(),
        designs: Map::new(),
        extra: Map::new(),
    };
    match &arguments.out {
        Some(path) => write_whole(path, &file.to_text()),
        None => print(file.to_text().trim_end()),
    }
}

/// Writes a file so that it is there as a whole or not at all; pipes and devices are written to as they are.
fn write_whole(path: &Path, text: &str) -> Result<()> {
    let write = || {
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return std::fs::write(path, text);
        }
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = builder.tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.persist(path).map(|_| ()).map_err(|e| e.error)
    };
    write().map_err(|e| Error::file("write", path, e))
}
