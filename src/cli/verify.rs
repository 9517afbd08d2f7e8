//! `isacopt verify`: a result held against its system, without the solver.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::{Map, Value, json};

use super::evaluate::model;
use super::print;
use super::setting::Setting;
use crate::config::Experiment;
use crate::error::{Error, InputError, Result};
use crate::instance::{InstanceFile, read_text, read_tree};
use crate::model::SystemModel;
use crate::problem::{Objective, Problem};
use crate::verification::{Claim, verify};

/// Check a result without the solver: its design, its figures, and the certificate of what it calls proven
///
/// The design is judged anew; a bound, optimality or infeasibility must follow from the certificate's numbers. Exit
/// code 1, with the reason, where something does not hold.
#[derive(Debug, Args)]
pub struct Arguments {
    /// An answer of `solve --json` or `solve --out`, or the results.jsonl of a run folder
    result: PathBuf,
    /// The instance file that was solved; without it the systems of a run folder are drawn anew from its config
    instance: Option<PathBuf>,
    /// Of results.jsonl, check the run with this address only (its beginning is enough)
    #[arg(long, value_name = "ADDRESS")]
    run: Option<String>,
    /// Set `instance.KEY` first, as it was set for `solve`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<Setting>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<()> {
    let verified = match arguments.result.extension().is_some_and(|e| e == "jsonl") {
        true => verify_records(arguments)?,
        false => vec![("result".to_string(), verify_answer(arguments)?)],
    };
    if arguments.json {
        let results: Map<String, Value> =
            verified.iter().map(|(name, holds)| (name.clone(), json!({ "verified": true, "holds": holds }))).collect();
        return print(&Value::Object(results).to_string());
    }
    let text = match &verified[..] {
        [(_, holds)] => format!("verified\n  {}", holds.join("\n  ")),
        several => {
            let proofs = several.iter().filter(|(_, holds)| holds.iter().any(|h| h.contains("proves"))).count();
            format!("verified: {} results, {proofs} of them with a proof", several.len())
        }
    };
    print(&text)
}

fn verify_answer(arguments: &Arguments) -> Result<Vec<String>> {
    let Some(path) = &arguments.instance else {
        return Err(InputError::new("INSTANCE", "no file", "the instance file that the answer is of").into());
    };
    let claim = Claim::from_json(&read_tree(&arguments.result)?).map_err(|e| e.in_file(&arguments.result))?;
    verify(&own_problem(read_model(arguments, path)?, &claim)?, &claim)
}

/// The system of the instance file, after the settings.
fn read_model(arguments: &Arguments, path: &Path) -> Result<Arc<dyn SystemModel>> {
    let mut file = InstanceFile::read(path)?;
    for setting in &arguments.settings {
        match (setting.path[0].as_str(), &mut file.instance) {
            ("instance", Value::Object(instance)) => setting.apply(1, instance).map_err(|e| e.in_file(path))?,
            _ => return Err(InputError::new("--set", setting.key(), "`instance.KEY=VALUE`").into()),
        }
    }
    model(&file).map_err(|e| e.in_file(path))
}

/// The scenario's own problem with the objective of the claim.
fn own_problem(model: Arc<dyn SystemModel>, claim: &Claim) -> Result<Arc<Problem>> {
    let mut spec = model.default_problem();
    if !model.metrics().iter().any(|m| m.id == claim.metric) {
        let why = format!("not verified: the system has no metric `{}`, which the result claims", claim.metric);
        return Err(Error::CheckFailed(why));
    }
    spec.objective = Objective::Metric(claim.metric.clone());
    Problem::new(model, spec)
}

/// The records of a run folder, each against the problem of its cell.
fn verify_records(arguments: &Arguments) -> Result<Vec<(String, Vec<String>)>> {
    let path = &arguments.result;
    let in_file = |e: Error| e.in_file(path);
    let mut records = Vec::new();
    for (i, line) in read_text(path)?.lines().enumerate() {
        let record: Value = serde_json::from_str(line)
            .map_err(|e| in_file(InputError::new("", e.to_string(), "a record").at_line(i + 1).into()))?;
        let address = record["run"].as_str().unwrap_or_default().to_string();
        if arguments.run.as_ref().is_none_or(|wanted| address.starts_with(wanted.as_str())) {
            records.push((address, record));
        }
    }
    if let Some(wanted) = arguments.run.as_ref().filter(|_| records.is_empty()) {
        return Err(in_file(InputError::new("run", format!("no run `{wanted}`"), "a record's `run`").into()));
    }
    if arguments.instance.is_some() && records.len() != 1 {
        let found = format!("{} records", records.len());
        return Err(in_file(InputError::new("", found, "one for an instance file: choose it by --run").into()));
    }
    let config = path.with_file_name("config.toml");
    let experiment = config.exists().then(|| Experiment::read(&config, &[])).transpose()?;
    let mut verified = Vec::new();
    for (address, record) in records {
        let claim = Claim::from_json(&record).map_err(in_file)?;
        let problem = problem_of(arguments, experiment.as_ref(), &record, &claim)?;
        let holds = verify(&problem, &claim).map_err(|error| match error {
            Error::CheckFailed(why) => Error::CheckFailed(format!("run {address}: {why}")),
            other => other,
        })?;
        verified.push((address, holds));
    }
    if verified.is_empty() {
        return Err(in_file(InputError::new("", "no record", "results").into()));
    }
    Ok(verified)
}

fn problem_of(
    arguments: &Arguments,
    experiment: Option<&Experiment>,
    record: &Value,
    claim: &Claim,
) -> Result<Arc<Problem>> {
    let place = record["cell"].as_u64().and_then(|cell| usize::try_from(cell).ok());
    let cell = place.and_then(|place| experiment.and_then(|e| e.cells.get(place)));
    match (&arguments.instance, cell, experiment) {
        (Some(path), Some(cell), _) => cell.problem_on(read_model(arguments, path)?),
        (Some(path), None, _) => own_problem(read_model(arguments, path)?, claim),
        (None, Some(cell), Some(experiment)) => {
            Ok(cell.draw(experiment.seed, record["trial"].as_u64().unwrap_or(0))?.problem)
        }
        _ => {
            let allowed = "an instance file, or a results.jsonl with its config.toml beside it";
            Err(InputError::new("INSTANCE", "no file", allowed).into())
        }
    }
}
