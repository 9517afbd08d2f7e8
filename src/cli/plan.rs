//! `isacopt plan`: the runs of a config, or the commands that do them.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::print;
use crate::config::Experiment;
use crate::error::Result;
use crate::runner::{Plan, Store, commands, default_folder};

/// List the runs of a config and which are there, or print commands that do what is missing
#[derive(Debug, Args)]
pub struct Arguments {
    /// The config, a TOML file
    config: PathBuf,
    /// The run folder; `runs/NAME` without it
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print at most so many commands, a line each, that together do what is missing, in any order and at the same time:
    /// for xargs, GNU Parallel, HyperQueue, Snakemake. `isacopt run CONFIG --out DIR --collect` puts the results in order
    #[arg(long, value_name = "N")]
    commands: Option<NonZeroUsize>,
    /// Threads of each command
    #[arg(long, value_name = "N", default_value = "1", requires = "commands")]
    threads: NonZeroU64,
    /// Set a key of the config first
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<()> {
    let plan = Plan::new(Experiment::read(&arguments.config, &arguments.settings)?)?;
    let folder = arguments.out.clone().unwrap_or_else(|| default_folder(&plan.experiment.name));
    let lines: Vec<String> = match arguments.commands {
        Some(count) => {
            let worker = super::run::worker(&arguments.config, &arguments.settings, &folder)?;
            commands(&plan, &worker, count.get(), arguments.threads.get())?
        }
        None => {
            let there = Store::look(&folder).has_runs(&plan)?;
            let line = |(place, (run, there)): (usize, (&crate::runner::Planned, bool))| {
                let cell = &plan.experiment.cells[run.cell];
                let solver = &cell.solvers[run.solver].label;
                json!({
                    "place": place, "run": run.id, "cell": run.cell, "sweep": cell.sweep, "trial": run.trial,
                    "solver": solver, "done": there,
                })
                .to_string()
            };
            plan.runs.iter().zip(there).enumerate().map(line).collect()
        }
    };
    if lines.is_empty() { Ok(()) } else { print(&lines.join("\n")) }
}
