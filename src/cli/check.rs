//! `isacopt check`: a config's mistakes, or what it would run.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value};

use super::print;
use crate::config::Experiment;
use crate::error::{Error, InputError, Result};
use crate::report::Vocabulary;
use crate::runner::Plan;

/// Check a config without running it
#[derive(Debug, Args)]
pub struct Arguments {
    /// The config, a TOML file
    config: PathBuf,
    /// Set a key of the config first
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Print the config with all defaults filled in
    #[arg(long)]
    resolved: bool,
}

/// Refuses `[[figure]]` tables that name what the experiment does not have, before hours are spent on it.
pub fn figures(plan: &Plan) -> Result<()> {
    let known = Vocabulary::of_experiment(&plan.experiment, &plan.metrics);
    let mistakes: Vec<InputError> = plan.experiment.figures.iter().flat_map(|f| known.mistakes(f)).collect();
    if mistakes.is_empty() { Ok(()) } else { Err(Error::Input(plan.experiment.locate(mistakes))) }
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<()> {
    let plan = Plan::new(Experiment::read(&arguments.config, &arguments.settings)?)?;
    figures(&plan)?;
    if arguments.resolved {
        return print(plan.experiment.to_toml().trim_end());
    }
    let experiment = &plan.experiment;
    let labels: Vec<&str> =
        experiment.cells.iter().take(1).flat_map(|c| &c.solvers).map(|s| s.label.as_str()).collect();
    let mut text = format!(
        "{}: fine\n{} runs: {} x {} x {} ({})",
        experiment.name,
        plan.runs.len(),
        count(experiment.cells.len(), "cell"),
        count(experiment.trials as usize, "trial"),
        count(labels.len(), "solver"),
        labels.join(", "),
    );
    if let Some(cell) = plan.cells.first() {
        let verb = if cell.direction == crate::Direction::Maximize { "maximize" } else { "minimize" };
        text += &format!("\n{verb} {}", cell.objective);
        for limit in cell.limits.as_array().into_iter().flatten() {
            let (side, values) = match (limit.get("at_most"), limit.get("at_least")) {
                (Some(values), _) => ("at most", values),
                (_, values) => ("at least", values.unwrap_or(&Value::Null)),
            };
            text +=
                &format!("\n  {} {side} {}", super::evaluate::short(&limit["metric"]), super::evaluate::short(values));
        }
    }
    for (solver, sweep, why) in plan.skipped() {
        text += &format!("\nskipped: `{solver}`{}: {why}", at(sweep));
    }
    for note in &experiment.notes {
        text += &format!("\nnote: {note}");
    }
    print(&text)
}

fn count(number: usize, name: &str) -> String {
    format!("{number} {name}{}", if number == 1 { "" } else { "s" })
}

/// The point of a sweep in words; nothing without a sweep.
pub fn at(sweep: &Map<String, Value>) -> String {
    let entry = |(key, value): (&String, &Value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_string);
        format!("{} = {value}", key.rsplit('.').next().unwrap_or(key))
    };
    if sweep.is_empty() {
        String::new()
    } else {
        format!(" at {}", sweep.iter().map(entry).collect::<Vec<_>>().join(", "))
    }
}
