//! The runs of an experiment, in order, each with the address of its result.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::monte_carlo;
use crate::config::{Cell, DRIVER_KEYS, Experiment, System};
use crate::error::{Error, InputError, Result};
use crate::metric::{Direction, MetricInfo};
use crate::optimizer::solvers;
use crate::problem::{Limit, Objective, Problem};
use crate::results::RunRecord;

/// Raised when a change of the program changes what a run leaves behind.
const RESULT_FORMAT: u64 = 1;

/// One run: a solver on one trial of one cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The cell, by its place in the sweep.
    pub cell: usize,
    /// The trial.
    pub trial: u64,
    /// The solver, by its place in the config.
    pub solver: usize,
    /// The first 16 hexadecimal digits of the SHA-256 hash of what determines the result. Labels, names and the
    /// other points of a sweep do not.
    pub id: String,
}

/// What is known of a cell before anything runs.
#[derive(Clone, Debug)]
pub struct CellPlan {
    /// The problem's objective, by name.
    pub objective: String,
    /// Its unit; `"1"` for a weighted sum.
    pub unit: String,
    /// Which way it gets better.
    pub direction: Direction,
    /// The limits of the first trial, as JSON: `{metric, at_most | at_least: [numbers]}`.
    pub limits: Value,
    /// For each solver why it does not fit this cell, if so.
    pub refusals: Vec<Option<String>>,
}

/// All runs of an experiment.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The experiment.
    pub experiment: Experiment,
    /// Its cells.
    pub cells: Vec<CellPlan>,
    /// The metrics of the first cell, the config's own included.
    pub metrics: Vec<MetricInfo>,
    /// Its runs: cells in the order of the sweep, in each the trials, in each the solvers.
    pub runs: Vec<Planned>,
}

impl Plan {
    /// Plans an experiment: draws the first trial of each cell, and asks every solver whether it fits.
    ///
    /// # Errors
    /// Where a cell makes no problem, or a solver fits no cell; then the message says which solvers would.
    pub fn new(experiment: Experiment) -> Result<Self> {
        let mut plan = Self { cells: Vec::new(), metrics: Vec::new(), runs: Vec::new(), experiment };
        let mut mistakes = Vec::new();
        let mut first = None;
        for cell in &plan.experiment.cells {
            let trial = cell.draw(plan.experiment.seed, 0)?;
            for (i, solver) in cell.solvers.iter().enumerate() {
                if let Some(Err(error)) = solver.start.as_deref().map(|name| trial.start(name)) {
                    match error.under(&format!("solver[{i}]")) {
                        Error::Input(new) => mistakes.extend(cell.locate(new)),
                        other => return Err(other),
                    }
                }
            }
            plan.cells.push(CellPlan::new(cell, &trial.problem));
            first.get_or_insert(trial.problem);
        }
        if let (Some(problem), Some(cell)) = (first, plan.experiment.cells.first()) {
            plan.metrics = problem.model().metrics().to_vec();
            for (i, solver) in cell.solvers.iter().enumerate() {
                if let Some(why) = plan.cells.iter().map(|c| c.refusals[i].as_ref()).collect::<Option<Vec<_>>>() {
                    let found = format!("`{}`, which cannot serve this problem: {}", solver.type_name, why[0]);
                    let allowed = format!("one that fits: {}", fitting(&problem).join(", "));
                    mistakes.extend(cell.locate(vec![InputError::new(format!("solver[{i}].type"), found, allowed)]));
                }
            }
        }
        if !mistakes.is_empty() {
            mistakes.dedup();
            return Err(Error::Input(mistakes));
        }
        for cell in &plan.experiment.cells {
            let solvers: Vec<Value> =
                (0..cell.solvers.len()).map(|i| solver_determinants(cell, i)).collect::<Result<_>>()?;
            for trial in 0..plan.experiment.trials {
                let mut system = determinants(cell, plan.experiment.seed, trial);
                let plugins = cell.plugin_hashes();
                if !plugins.is_empty() {
                    system["plugins"] = json!(plugins);
                }
                if let Some(monte_carlo) = monte_carlo::determinants(&plan.experiment) {
                    system["monte_carlo"] = monte_carlo;
                }
                plan.runs.extend(solvers.iter().enumerate().map(|(solver, own)| {
                    let start = cell.solvers[solver].start.as_deref();
                    let design = start.and_then(|name| cell.system.instance(trial)?.file.designs.get(name));
                    let id = address(&json!([system, own, design]));
                    Planned { cell: cell.index, trial, solver, id }
                }));
            }
        }
        Ok(plan)
    }

    /// The solver and cell pairs that will be skipped: label, swept values, reason.
    pub fn skipped(&self) -> impl Iterator<Item = (&str, &Map<String, Value>, &str)> {
        self.experiment.cells.iter().zip(&self.cells).flat_map(|(cell, plan)| {
            let pairs = cell.solvers.iter().zip(&plan.refusals);
            pairs.filter_map(|(solver, why)| Some((solver.label.as_str(), &cell.sweep, why.as_deref()?)))
        })
    }

    /// The cells as JSON: swept values, objective and limits, as the report and a reader may want them.
    pub fn cells_json(&self) -> Value {
        let cell = |(cell, plan): (&Cell, &CellPlan)| {
            json!({
                "cell": cell.index,
                "sweep": cell.sweep,
                "objective": { "metric": plan.objective, "direction": plan.direction, "unit": plan.unit },
                "limits": plan.limits,
            })
        };
        self.experiment.cells.iter().zip(&self.cells).map(cell).collect()
    }
}

impl CellPlan {
    fn new(cell: &Cell, problem: &Problem) -> Self {
        let spec = problem.spec();
        let unit = match &spec.objective {
            Objective::Metric(id) => problem.model().metrics().iter().find(|m| m.id == *id).map(|m| m.unit.clone()),
            Objective::WeightedSum(_) => None,
        };
        let limit = |constraint: &crate::Constraint| {
            let (side, values) = match &constraint.limit {
                Limit::AtMost(values) => ("at_most", values),
                Limit::AtLeast(values) => ("at_least", values),
            };
            let values: Value = values.iter().map(|x| crate::metric::number_json(*x)).collect();
            json!({ "metric": constraint.metric, side: values })
        };
        let refusal = |solver: &crate::config::SolverConfig| {
            solver.optimizer.requires().met_by(problem).err().map(|why| why.to_string())
        };
        Self {
            objective: spec.objective.name(),
            unit: unit.unwrap_or_else(|| "1".into()),
            direction: problem.direction(),
            limits: spec.constraints.iter().map(limit).collect(),
            refusals: cell.solvers.iter().map(refusal).collect(),
        }
    }
}

/// The solvers that fit a problem with their default parameters, by name.
pub fn fitting(problem: &Problem) -> Vec<String> {
    let fits = solvers().into_iter().filter(|(_, entry)| (entry.default)().requires().met_by(problem).is_ok());
    let baselines = problem.model().baselines();
    fits.map(|(name, _)| name).chain(baselines.iter().map(|b| b.named().name.to_string())).collect()
}

/// A result with its place in the plan: one result may stand in several places, and under another label than before.
pub(super) fn placed(plan: &Plan, run: &Planned, record: RunRecord) -> RunRecord {
    let cell = &plan.experiment.cells[run.cell];
    let solver = &cell.solvers[run.solver];
    RunRecord {
        cell: run.cell,
        sweep: cell.sweep.clone(),
        trial: run.trial,
        instance: cell.system.instance(run.trial).map(|source| source.name.clone()),
        solver: solver.label.clone(),
        type_name: solver.type_name.clone(),
        ..record
    }
}

/// What determines a trial's system and problem.
fn determinants(cell: &Cell, seed: u64, trial: u64) -> Value {
    let system = match (&cell.system, cell.system.instance(trial)) {
        (System::Instances(_), Some(source)) => json!([source.file.scenario, source.file.instance]),
        _ => cell.resolved.get("scenario").cloned().unwrap_or_default(),
    };
    json!({
        "format": RESULT_FORMAT,
        "version": env!("CARGO_PKG_VERSION"),
        "system": system,
        "problem": cell.resolved.get("problem"),
        "metrics": cell.metrics(),
        "seed": seed,
        "trial": trial,
    })
}

/// What determines a solver's part: all but its label. A file counts with what it holds, not where it is.
fn solver_determinants(cell: &Cell, index: usize) -> Result<Value> {
    let solver = &cell.solvers[index];
    let table = cell.resolved.get("solver").and_then(|tables| tables.get(index)).and_then(Value::as_object);
    let own = table.into_iter().flatten().filter(|(key, _)| !DRIVER_KEYS.contains(&key.as_str()));
    let mut own: Map<String, Value> = own.map(|(key, value)| (key.clone(), value.clone())).collect();
    if let Some(Value::String(path)) = own.get("file") {
        let content = std::fs::read(path).map_err(|e| Error::file("read", path, e))?;
        own.insert("file".into(), hex(&Sha256::digest(content)).into());
    }
    let mut all = json!({ "parameters": own, "start": solver.start, "rules": solver.rules });
    if let Some(plugin) = &solver.plugin {
        all["plugin"] = plugin.location().sha256.clone().into();
    }
    Ok(all)
}

/// The address of what a value determines.
fn address(value: &Value) -> String {
    let mut text = String::new();
    canonical(value, &mut text);
    hex(&Sha256::digest(text))[..16].to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// JSON with sorted keys, so that the order in which keys were written does not count.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<_> = object.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (key, value) in entries {
                *out += &Value::String(key.clone()).to_string();
                out.push(':');
                canonical(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        other => *out += &other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_depends_on_the_content_and_not_on_the_order_of_keys() {
        let address = |text: &str| address(&serde_json::from_str(text).unwrap());
        assert_eq!(
            address("{\"a\": 1, \"b\": [1, {\"d\": 2, \"c\": 3}]}"),
            address("{\"b\": [1, {\"c\": 3, \"d\": 2}], \"a\": 1}")
        );
        assert_ne!(address("{\"a\": 1}"), address("{\"a\": 2}"));
        assert_ne!(address("[1, 2]"), address("[[1], 2]"));
        assert_eq!(address("1").len(), 16);
    }
}
