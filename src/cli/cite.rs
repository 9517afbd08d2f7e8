//! `isacopt cite`: BibTeX of what a run used.

use std::path::PathBuf;

use clap::Args;

use super::print;
use crate::error::{Error, InputError, Result};
use crate::instance::InstanceFile;
use crate::optimizer::solvers;
use crate::references::{Reference, of_scenario, program};
use crate::report::Study;
use crate::results::RunFolder;

/// Print BibTeX for a run: the program, the paper of its system, the sources of its solvers
#[derive(Debug, Args)]
pub struct Arguments {
    /// The run folder
    run: PathBuf,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<()> {
    let study = Study::new(RunFolder::without_designs(&arguments.run)?);
    let mut references: Vec<Reference> = Vec::new();
    let mut cite = |more: &[Reference]| {
        for reference in more {
            if !references.contains(reference) {
                references.push(*reference);
            }
        }
    };
    for scenario in scenarios(&study)? {
        cite(of_scenario(&scenario));
    }
    let registered = solvers();
    let mut kinds: Vec<String> = study.solvers.iter().map(|(_, kind)| kind.clone()).collect();
    study.config.get("solver").into_iter().for_each(|solvers| types(solvers, &mut kinds));
    for kind in kinds {
        if let Some((_, entry)) = registered.iter().find(|(name, _)| *name == kind) {
            cite(entry.references);
        }
    }
    let entries: Vec<String> = std::iter::once(program()).chain(references.iter().map(Reference::bibtex)).collect();
    print(&entries.join("\n\n"))
}

/// The scenarios of a run: its config's, or those of its instance files.
fn scenarios(study: &Study) -> Result<Vec<String>> {
    if let Some(kind) = study.config.get("scenario").and_then(|s| s.get("type")).and_then(toml::Value::as_str) {
        return Ok(vec![kind.to_string()]);
    }
    let patterns = study.config.get("instances").and_then(toml::Value::as_array).into_iter().flatten();
    let mut names: Vec<String> = Vec::new();
    for pattern in patterns.filter_map(toml::Value::as_str) {
        let bad = |e: glob::PatternError| Error::from(InputError::new("instances", e.to_string(), "a file's path"));
        let mut paths = glob::glob(pattern).map_err(bad)?.filter_map(std::result::Result::ok);
        let path = paths.next().unwrap_or_else(|| PathBuf::from(pattern));
        let scenario = InstanceFile::read(&path)?.scenario;
        if !names.contains(&scenario) {
            names.push(scenario);
        }
    }
    Ok(names)
}

/// The types of solvers within solvers.
fn types(value: &toml::Value, found: &mut Vec<String>) {
    match value {
        toml::Value::Table(table) => {
            found.extend(table.get("type").and_then(toml::Value::as_str).map(str::to_string));
            table.values().for_each(|value| types(value, found));
        }
        toml::Value::Array(items) => items.iter().for_each(|item| types(item, found)),
        _ => {}
    }
}
