//! `isacopt slurm`: an experiment on a cluster, as job arrays.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{cancel_on_interrupt, print};
use crate::config::Experiment;
use crate::error::Result;
use crate::runner::{Plan, Slurm, default_folder, run_on_slurm};

/// Run an experiment on a Slurm cluster: submit what is missing as job arrays
#[derive(Debug, Args)]
pub struct Arguments {
    /// The config, a TOML file; its [resources] section says what solvers need
    config: PathBuf,
    /// The run folder, on a file system that all nodes see; `runs/NAME` without it
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Tasks of each array; without it as many as take about --task-seconds each
    #[arg(long, value_name = "N")]
    tasks: Option<NonZeroUsize>,
    /// Pack runs into tasks of about so many seconds, by `seconds` of [resources] or the times of finished runs
    #[arg(long, value_name = "S", default_value_t = 600.0, value_parser = seconds)]
    task_seconds: f64,
    /// Wait until all runs are there, and submit again what is missing
    #[arg(long)]
    wait: bool,
    /// How often to look while waiting, in seconds
    #[arg(long, value_name = "S", default_value_t = 15.0, value_parser = seconds)]
    poll: f64,
    /// Submit nothing: write the files, and print what would be submitted
    #[arg(long)]
    dry_run: bool,
    /// Set a key of the config first
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Further arguments of sbatch, after `--`
    #[arg(last = true, value_name = "SBATCH ARGUMENT")]
    arguments: Vec<String>,
}

fn seconds(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|s: &f64| s.is_finite() && *s > 0.0).ok_or_else(|| "write a number of seconds".into())
}

/// Runs the command. Gives whether it was not interrupted.
pub fn run(arguments: &Arguments) -> Result<bool> {
    let plan = Plan::new(Experiment::read(&arguments.config, &arguments.settings)?)?;
    super::check::figures(&plan)?;
    let folder = arguments.out.clone().unwrap_or_else(|| default_folder(&plan.experiment.name));
    let worker = super::run::worker(&arguments.config, &arguments.settings, &folder)?;
    let cancel = cancel_on_interrupt();
    let options = Slurm {
        tasks: arguments.tasks.map(NonZeroUsize::get),
        task_seconds: arguments.task_seconds,
        wait: arguments.wait.then(|| Duration::from_secs_f64(arguments.poll)),
        dry: arguments.dry_run,
        arguments: arguments.arguments.clone(),
        cancel: cancel.clone(),
    };
    let watcher = super::run::Watcher::new();
    let submitted = run_on_slurm(&plan, &worker, &options, &|progress| watcher.observe(progress));
    watcher.end();
    let submitted = submitted?;
    let total = plan.runs.len();
    let mut lines: Vec<String> =
        submitted.calls.iter().map(|(call, tasks)| format!("{call}  # {tasks} tasks")).collect();
    if submitted.queued > 0 {
        lines.push(format!("{} runs are queued or at work", submitted.queued));
    }
    let words = format!("{} of {total} runs are there", submitted.done);
    if submitted.done == total && !arguments.dry_run {
        if !lines.is_empty() {
            print(&lines.join("\n"))?;
        }
        super::run::summarize(&folder, &words, None)?;
    } else {
        lines.push(words);
        print(&lines.join("\n"))?;
    }
    Ok(!cancel.is_set())
}
