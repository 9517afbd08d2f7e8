//! `isacopt replay`: a run of a folder again.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::{cancel_on_interrupt, print};
use crate::error::{Error, Result};
use crate::metric::number_json;
use crate::runner::{Replay, replay};

/// So many differences are told.
const TOLD: usize = 10;

/// Do one run of a run folder again, and say whether its numbers are the same to the bit
#[derive(Debug, Args)]
pub struct Arguments {
    /// The run folder
    run: PathBuf,
    /// The run: the `run` of its line in results.jsonl, or the beginning of it
    #[arg(value_name = "RUN-ID")]
    id: String,
    /// Print the whole run: its record, trace, instance, design, and the differences
    #[arg(long)]
    json: bool,
    /// Write the instance, with the design that was found, to a file: NumPy's .npz, MATLAB's .mat, else JSON
    #[arg(long, value_name = "FILE")]
    instance: Option<PathBuf>,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<()> {
    let found = replay(&arguments.run, &arguments.id, &cancel_on_interrupt())?;
    if let Some(path) = &arguments.instance {
        found.instance.write(path)?;
    }
    let text = if arguments.json { as_json(&found)? } else { words(&found) };
    print(&text)?;
    if found.differences.is_empty() {
        return Ok(());
    }
    let mut message = format!("{} numbers came out otherwise", found.differences.len());
    for difference in found.differences.iter().take(TOLD) {
        message += &format!("\n`{}`: {} before, {} now", difference.key, difference.before, difference.now);
    }
    Err(Error::CheckFailed(message))
}

fn as_json(found: &Replay) -> Result<String> {
    let whole = |e: serde_json::Error| Error::Numerical(e.to_string());
    let differences = found.differences.iter();
    let differences: Value = differences.map(|d| json!({ "key": d.key, "before": d.before, "now": d.now })).collect();
    let value = json!({
        "same": found.differences.is_empty(),
        "record": serde_json::to_value(&found.now).map_err(whole)?,
        "timing": serde_json::to_value(&found.timing).map_err(whole)?,
        "trace": found.trace.iter().map(crate::Record::to_json).collect::<Value>(),
        "instance": serde_json::from_str::<Value>(&found.instance.to_text()).map_err(whole)?,
        "differences": differences,
    });
    Ok(format!("{value:#}"))
}

fn words(found: &Replay) -> String {
    let now = &found.now;
    let objective = super::evaluate::short(&number_json(now.objective.value));
    let same = if found.differences.is_empty() { "the same to the bit" } else { "not the same" };
    format!(
        "{}: `{}`{}, trial {}\n{}: {}\n{} = {objective} {}, {} iterations, {} evaluations, {:.3e} s\n{same}",
        now.run,
        now.solver,
        super::check::at(&now.sweep),
        now.trial,
        now.status.name(),
        now.reason,
        now.objective.metric,
        now.objective.unit,
        now.iterations,
        now.evaluations,
        found.timing.time_s,
    )
}
