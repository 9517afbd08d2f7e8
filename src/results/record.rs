//! One line of `results.jsonl`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::lean::Count;
use super::metrics::Metrics;
use crate::error::{Error, Result};
use crate::metric::Direction;
use crate::number;
use crate::trace::{Record, Status};

/// What was sought, and what was reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObjectiveValue {
    /// The metric, or the weighted sum in words.
    pub metric: String,
    /// Its value; NaN where the run left no design.
    #[serde(with = "number::plain")]
    pub value: f64,
    /// Which way it gets better.
    pub direction: Direction,
    /// The unit, `"1"` for none.
    pub unit: String,
}

/// The result of one run: a solver on one trial of one cell. Holds only what config and seed determine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The run's address: a hash of what determines its result. Equal runs of different cells share it.
    pub run: String,
    /// The cell (sweep point), from 0, in the order of the sweep.
    pub cell: usize,
    /// The swept keys and their values in this cell, as written; empty without a sweep.
    pub sweep: Map<String, Value>,
    /// The trial (drop), from 0.
    pub trial: u64,
    /// The instance file's path as the config names it, where the trial is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The solver's label.
    pub solver: String,
    /// The solver's type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The plugin that the solver is from, where it is from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<PluginOrigin>,
    /// How it ended.
    pub status: Status,
    /// Why, in words.
    pub reason: String,
    /// What was sought, and what was reached.
    pub objective: ObjectiveValue,
    /// Whether the design holds all limits to 1e-6.
    pub feasible: bool,
    /// The largest relative amount by which a limit is missed; NaN where the run left no design.
    #[serde(with = "number::plain")]
    pub violation: f64,
    /// A proven bound, where there is one.
    #[serde(with = "number::optional")]
    pub bound: Option<f64>,
    /// `"restricted"` where the bound holds only for the solver's restriction of the problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound_scope: Option<String>,
    /// The distance of the objective from the bound; none for an infeasible design.
    #[serde(with = "number::optional")]
    pub gap: Option<f64>,
    /// Iterations done.
    pub iterations: u64,
    /// Designs judged by the solver.
    pub evaluations: u64,
    /// All metrics of the design: `{id: {"value": ..., "unit": ...}}`; empty where the run left no design.
    pub metrics: Metrics,
    /// The design, as in instance files; of a record read [without designs](super::RunFolder::without_designs), the number of
    /// its numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub design: Option<Value>,
    /// What proves the claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Value>,
}

impl RunRecord {
    /// How many real numbers the design has; none without a design.
    pub fn dimension(&self) -> Option<usize> {
        match self.design.as_ref()? {
            Value::Number(size) => size.as_u64().and_then(|n| usize::try_from(n).ok()),
            design => Count::deserialize(design).ok().map(|numbers| numbers.0),
        }
    }
}

/// Where a plugin's solver is from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginOrigin {
    /// The plugin's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The file.
    pub path: String,
    /// The file's SHA-256.
    pub sha256: String,
    /// How it was reached: `process`, `library` or `worker`.
    pub tier: String,
}

/// What of a run depends on the machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// The run's address.
    pub run: String,
    /// The solver's own time in seconds; the median where the solve was repeated.
    pub time_s: f64,
    /// How often it was solved for this time; none for once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<u64>,
    /// The quartiles of the repeated times in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quartiles_s: Option<[f64; 2]>,
    /// The processor that it ran on, where the system tells its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processor: Option<String>,
}

/// Appends the line of a run's trace.
pub(crate) fn trace_line(run: &str, trace: &[Record], line: &mut Vec<u8>) -> Result<()> {
    #[derive(Serialize)]
    struct Line<'a> {
        run: &'a str,
        trace: &'a [Record],
    }
    append_line(&Line { run, trace }, line)
}

/// Appends a value as a line of JSON.
pub(crate) fn append_line<T: Serialize>(value: &T, line: &mut Vec<u8>) -> Result<()> {
    serde_json::to_writer(&mut *line, value).map_err(|e| Error::Numerical(e.to_string()))?;
    line.push(b'\n');
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn record() -> RunRecord {
        RunRecord {
            run: "0123456789abcdef".into(),
            cell: 1,
            sweep: [("scenario.transmit_power".to_string(), Value::from("10 dB"))].into_iter().collect(),
            trial: 2,
            instance: None,
            solver: "SCA".into(),
            type_name: "sca".into(),
            plugin: None,
            status: Status::Converged,
            reason: "tolerance".into(),
            objective: ObjectiveValue {
                metric: "sum_rate".into(),
                value: 7.5,
                direction: Direction::Maximize,
                unit: "bit/s/Hz".into(),
            },
            feasible: true,
            violation: f64::INFINITY,
            bound: None,
            bound_scope: None,
            gap: Some(0.1 + 0.2),
            iterations: 3,
            evaluations: 4,
            metrics: serde_json::from_str("{\"rate\":{\"value\":[1.0,\"inf\"],\"unit\":\"1\"}}").unwrap(),
            design: None,
            certificate: None,
        }
    }

    #[test]
    fn a_record_survives_its_line_to_the_bit() {
        let line = serde_json::to_string(&record()).unwrap();
        assert!(!line.contains('\n'));
        let again: RunRecord = serde_json::from_str(&line).unwrap();
        assert_eq!(again, record());
        assert_eq!(serde_json::to_string(&again).unwrap(), line);
        assert_eq!(again.metrics.get("rate").unwrap().entries(), [1.0, f64::INFINITY]);
    }
}
