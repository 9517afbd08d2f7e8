//! One line of `results.jsonl`, and reading a run folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Error, InputError, Result};
use crate::instance::read_text;
use crate::metric::{Direction, number_from_json};
use crate::trace::{Record, Status};

/// What was sought, and what was reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObjectiveValue {
    /// The metric, or the weighted sum in words.
    pub metric: String,
    /// Its value; NaN where the run left no design.
    #[serde(with = "number")]
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
    #[serde(with = "number")]
    pub violation: f64,
    /// A proven bound, where there is one.
    #[serde(with = "optional_number")]
    pub bound: Option<f64>,
    /// `"restricted"` where the bound holds only for the solver's restriction of the problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound_scope: Option<String>,
    /// The distance of the objective from the bound; none for an infeasible design.
    #[serde(with = "optional_number")]
    pub gap: Option<f64>,
    /// Iterations done.
    pub iterations: u64,
    /// Designs judged by the solver.
    pub evaluations: u64,
    /// All metrics of the design: `{id: {"value": ..., "unit": ...}}`; empty where the run left no design.
    pub metrics: Map<String, Value>,
    /// The design, as in instance files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub design: Option<Value>,
    /// What proves the claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Value>,
}

impl RunRecord {
    /// A scalar metric of the design, if it has that metric.
    pub fn metric(&self, id: &str) -> Option<f64> {
        self.metrics.get(id)?.get("value").and_then(number_from_json)
    }

    /// All entries of a metric of any shape, row-major; one entry for a scalar.
    pub fn metric_entries(&self, id: &str) -> Option<Vec<f64>> {
        fn flatten(value: &Value, out: &mut Vec<f64>) -> Option<()> {
            match value {
                Value::Array(items) => items.iter().try_for_each(|item| flatten(item, out)),
                other => number_from_json(other).map(|x| out.push(x)),
            }
        }
        let mut entries = Vec::new();
        flatten(self.metrics.get(id)?.get("value")?, &mut entries)?;
        Some(entries)
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// The run's address.
    pub run: String,
    /// The solver's own time in seconds.
    pub time_s: f64,
}

/// A run folder, read.
#[derive(Clone, Debug)]
pub struct RunFolder {
    /// Where it is.
    pub path: PathBuf,
    /// The text of `config.toml`.
    pub config: String,
    /// The results, in the file's order.
    pub records: Vec<RunRecord>,
    /// The solver's own time in seconds by run.
    pub times: BTreeMap<String, f64>,
    /// The contents of `environment.json`; null where there is none.
    pub environment: Value,
}

impl RunFolder {
    /// Reads a run folder. A torn last line, left by a kill, is passed over.
    pub fn read(path: &Path) -> Result<Self> {
        let environment = path.join("environment.json");
        let environment =
            if environment.exists() { parse(&read_text(&environment)?, &environment, 0)? } else { Value::Null };
        let timings: Vec<Timing> = read_lines(&path.join("timings.jsonl"))?;
        Ok(Self {
            path: path.to_path_buf(),
            config: read_text(&path.join("config.toml"))?,
            records: read_lines(&path.join("results.jsonl"))?,
            times: timings.into_iter().map(|t| (t.run, t.time_s)).collect(),
            environment,
        })
    }

    /// The iterations of a run; none where it left no trace.
    pub fn trace(&self, run: &str) -> Result<Vec<Record>> {
        let path = self.path.join("traces").join(format!("{run}.json"));
        if path.exists() { read_trace(&path) } else { Ok(Vec::new()) }
    }
}

/// Reads the whole lines of a file of JSON lines; none where there is no file.
pub(crate) fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let bytes = std::fs::read(path).map_err(|e| Error::file("read", path, e))?;
    let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
    let text = std::str::from_utf8(&bytes[..whole])
        .map_err(|_| Error::from(InputError::new("", "bytes that are not UTF-8", "UTF-8 text")).in_file(path))?;
    text.lines().enumerate().map(|(i, line)| parse(line, path, i + 1)).collect()
}

fn parse<T: DeserializeOwned>(text: &str, path: &Path, line: usize) -> Result<T> {
    serde_json::from_str(text).map_err(|e| {
        let line = if line == 0 { e.line() } else { line };
        Error::from(InputError::new("", e.to_string(), "what isacopt writes there").at_line(line)).in_file(path)
    })
}

/// The text of a trace file.
pub fn write_trace(trace: &[Record]) -> String {
    let mut text = Value::Array(trace.iter().map(Record::to_json).collect()).to_string();
    text.push('\n');
    text
}

/// Reads a trace file.
pub fn read_trace(path: &Path) -> Result<Vec<Record>> {
    let items: Vec<Value> = parse(&read_text(path)?, path, 0)?;
    let read = |item: &Value| -> Option<Record> {
        Some(Record {
            iteration: item.get("iteration")?.as_u64()?,
            evaluations: item.get("evaluations")?.as_u64()?,
            time: item.get("time_s")?.as_f64()?,
            objective: number_from_json(item.get("objective")?)?,
            violation: number_from_json(item.get("violation")?)?,
            bound: item.get("bound").filter(|b| !b.is_null()).and_then(number_from_json),
        })
    };
    items
        .iter()
        .map(|item| {
            let mistake = || InputError::new("", item.to_string(), "a record of a trace");
            read(item).ok_or_else(|| Error::from(mistake()).in_file(path))
        })
        .collect()
}

/// Numbers that may be infinite or undefined: `"inf"`, `"-inf"`, `"nan"`.
mod number {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::Value;

    pub fn serialize<S: Serializer>(x: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        crate::metric::number_json(*x).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        let value = Value::deserialize(deserializer)?;
        crate::metric::number_from_json(&value)
            .ok_or_else(|| serde::de::Error::custom(format!("found {value}, expected a number")))
    }
}

/// The same, or `null`.
mod optional_number {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::Value;

    pub fn serialize<S: Serializer>(x: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        x.map(crate::metric::number_json).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
        let value = Value::deserialize(deserializer)?;
        match crate::metric::number_from_json(&value) {
            _ if value.is_null() => Ok(None),
            Some(x) => Ok(Some(x)),
            None => Err(serde::de::Error::custom(format!("found {value}, expected a number or null"))),
        }
    }
}

#[cfg(test)]
mod tests {
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
            metrics: [("rate".to_string(), serde_json::json!({"value": [1.0, "inf"], "unit": "1"}))]
                .into_iter()
                .collect(),
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
        assert_eq!(again.metric_entries("rate").unwrap(), [1.0, f64::INFINITY]);
    }

    #[test]
    fn a_torn_last_line_is_passed_over_and_a_broken_one_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.jsonl");
        let line = serde_json::to_string(&record()).unwrap();
        std::fs::write(&path, format!("{line}\n{}", &line[..40])).unwrap();
        assert_eq!(read_lines::<RunRecord>(&path).unwrap(), [record()]);
        std::fs::write(&path, format!("{line}\n{}\n", &line[..40])).unwrap();
        let message = read_lines::<RunRecord>(&path).unwrap_err().to_string();
        assert!(message.contains("results.jsonl:2:"), "{message}");
    }

    #[test]
    fn a_trace_survives_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.json");
        let start =
            Record { iteration: 0, evaluations: 1, time: 0.5, objective: 0.1, violation: f64::INFINITY, bound: None };
        let trace = [start, Record { iteration: 1, bound: Some(2.5), ..start }];
        std::fs::write(&path, write_trace(&trace)).unwrap();
        assert_eq!(read_trace(&path).unwrap(), trace);
    }
}
