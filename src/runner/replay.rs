//! Doing a run of a folder again, to see that its numbers are the same.

use std::path::Path;

use serde_json::{Value, json};

use super::plan::{Plan, Planned};
use super::single::{Drawn, Single};
use crate::config::Experiment;
use crate::error::{Error, InputError, Result};
use crate::instance::InstanceFile;
use crate::optimizer::Cancel;
use crate::results::{RunFolder, RunRecord, Timing, layout};
use crate::trace::Record;

/// A run, as it was and as it is again.
#[derive(Clone, Debug)]
pub struct Replay {
    /// As it stands in the folder.
    pub before: RunRecord,
    /// As it came out now.
    pub now: RunRecord,
    /// Its time now.
    pub timing: Timing,
    /// Its iterations now.
    pub trace: Vec<Record>,
    /// The instance, with the design that the run found.
    pub instance: InstanceFile,
    /// Where the two differ, by key; empty where they are the same to the bit.
    pub differences: Vec<Difference>,
}

/// A place where a run came out otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The key's path in the record, or in the trace.
    pub key: String,
    /// What stood there.
    pub before: Value,
    /// What stands there now.
    pub now: Value,
}

/// Does a run of a folder again. `run` is its address, or the beginning of it.
///
/// # Errors
/// Where there is no such run, or it was stopped.
pub fn replay(folder: &Path, run: &str, cancel: &Cancel) -> Result<Replay> {
    let read = RunFolder::read(folder)?;
    let ids: std::collections::BTreeSet<&str> =
        read.records.iter().map(|r| r.run.as_str()).filter(|id| id.starts_with(run)).collect();
    let mistake = |found: String, allowed: &str| Error::from(InputError::new("RUN-ID", found, allowed));
    let mut found = ids.iter();
    let id = match (found.next(), found.next()) {
        (Some(id), None) if !run.is_empty() => *id,
        (None, _) => {
            let found = format!("`{run}`, which no run of {} begins with", folder.display());
            return Err(mistake(found, "the `run` of a line of results.jsonl, or the beginning of one"));
        }
        _ => return Err(mistake(format!("`{run}`, with which {} runs begin", ids.len()), "more of its digits")),
    };
    let plan = Plan::new(Experiment::read(&folder.join(layout::CONFIG), &[])?)?;
    let Some(planned) = plan.runs.iter().find(|planned| planned.id == id) else {
        let found = format!(
            "`{id}`, which is not in the plan of config.toml as this program (version {}) reads it",
            env!("CARGO_PKG_VERSION")
        );
        return Err(mistake(found, "a run of the present config and program"));
    };
    let before =
        read.records.iter().find(|r| r.run == id && r.cell == planned.cell && r.solver == label(&plan, planned));
    let before = before.or_else(|| read.records.iter().find(|r| r.run == id)).cloned();
    let before = before.ok_or_else(|| mistake(format!("`{id}`"), "a finished run"))?;
    let single = Single { plan: &plan, cancel };
    let Some(ended) = single.end(planned, &Drawn::default()) else {
        return Err(Error::CheckFailed("stopped before the run ended".into()));
    };
    let mut differences = Vec::new();
    let as_json = |record: &RunRecord| serde_json::to_value(record).map_err(|e| Error::Numerical(e.to_string()));
    compare(
        "",
        &as_json(&super::plan::placed(&plan, planned, before.clone()))?,
        &as_json(&ended.record)?,
        &mut differences,
    );
    // Times are the machine's; all else of the iterations is the run's.
    let timeless = |trace: &[Record]| -> Value {
        trace
            .iter()
            .map(|r| {
                json!([
                    r.iteration,
                    r.evaluations,
                    r.objective.to_bits(),
                    r.violation.to_bits(),
                    r.bound.map(f64::to_bits)
                ])
            })
            .collect()
    };
    let trace = read.trace(id)?;
    if !trace.is_empty() || ended.trace.is_empty() {
        compare("trace", &timeless(&trace), &timeless(&ended.trace), &mut differences);
    }
    let model = plan.experiment.cells[planned.cell].system.draw(plan.experiment.seed, planned.trial)?;
    let designs = ended.record.design.clone().map(|design| (ended.record.solver.clone(), design));
    let instance = InstanceFile {
        scenario: model.scenario().to_string(),
        description: format!("{}: run {id}, trial {}", plan.experiment.name, planned.trial),
        instance: model.instance(),
        designs: designs.into_iter().collect(),
        extra: serde_json::Map::new(),
    };
    Ok(Replay { before, now: ended.record, timing: ended.timing, trace: ended.trace, instance, differences })
}

fn label(plan: &Plan, run: &Planned) -> String {
    plan.experiment.cells[run.cell].solvers[run.solver].label.clone()
}

/// Compares to the bit: numbers are written so that they are read as they were.
fn compare(key: &str, before: &Value, now: &Value, differences: &mut Vec<Difference>) {
    let below = |name: &str| if key.is_empty() { name.to_string() } else { format!("{key}.{name}") };
    match (before, now) {
        (Value::Object(a), Value::Object(b)) => {
            for (name, value) in a {
                compare(&below(name), value, b.get(name).unwrap_or(&Value::Null), differences);
            }
            for (name, value) in b.iter().filter(|(name, _)| !a.contains_key(*name)) {
                compare(&below(name), &Value::Null, value, differences);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{key}[{i}]"), a, b, differences);
            }
        }
        _ if before == now => {}
        _ => differences.push(Difference { key: key.to_string(), before: before.clone(), now: now.clone() }),
    }
}
