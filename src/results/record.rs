//! One line of `results.jsonl`, and reading a run folder.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::layout;
use super::lines::{Index, files_in, scan};
use crate::error::{Error, InputError, Result};
use crate::instance::read_text;
use crate::metric::{Direction, number_from_json};
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
    pub metrics: Map<String, Value>,
    /// The design, as in instance files; of a record read [without designs](RunFolder::without_designs), the number of
    /// its numbers.
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

    /// How many real numbers the design has; none without a design.
    pub fn dimension(&self) -> Option<usize> {
        match self.design.as_ref()? {
            Value::Number(size) => size.as_u64().and_then(|n| usize::try_from(n).ok()),
            design => Numbers::deserialize(design).ok().map(|numbers| numbers.0),
        }
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

/// A run folder, read.
#[derive(Clone, Debug)]
pub struct RunFolder {
    /// Where it is.
    pub path: PathBuf,
    /// The text of `config.toml`.
    pub config: String,
    /// The results, in the file's order; then those that no start has put in order yet.
    pub records: Vec<RunRecord>,
    /// The solver's own time in seconds by run.
    pub times: BTreeMap<String, f64>,
    /// The contents of `environment.json`; null where there is none.
    pub environment: Value,
    /// Where the traces stand; found when the first is asked for.
    traces: Arc<OnceLock<Index>>,
}

impl RunFolder {
    /// Reads a run folder; others may be writing to it. Torn lines, left by a kill, are passed over.
    pub fn read(path: &Path) -> Result<Self> {
        Self::read_with(path, false)
    }

    /// Reads a run folder without designs and certificates, which reports do not show: of many runs they are most of
    /// what there is.
    pub fn without_designs(path: &Path) -> Result<Self> {
        Self::read_with(path, true)
    }

    fn read_with(path: &Path, lean: bool) -> Result<Self> {
        let environment = path.join(layout::ENVIRONMENT);
        let environment =
            if environment.exists() { parse(&read_text(&environment)?, &environment, 0)? } else { Value::Null };
        let segments = unordered(path, lean)?;
        let mut records = if lean {
            read_lines::<Lean>(&path.join(layout::RESULTS))?.into_iter().map(|lean| lean.0).collect()
        } else {
            read_lines(&path.join(layout::RESULTS))?
        };
        if !segments.is_empty() {
            let known: HashSet<&str> = records.iter().map(|r: &RunRecord| r.run.as_str()).collect();
            let mut new: Vec<RunRecord> = segments.into_iter().filter(|r| !known.contains(r.run.as_str())).collect();
            new.sort_by_key(|r| (r.cell, r.trial));
            records.extend(new);
        }
        Ok(Self {
            path: path.to_path_buf(),
            config: read_text(&path.join(layout::CONFIG))?,
            records,
            times: timings(path)?.into_iter().map(|(run, timing)| (run, timing.time_s)).collect(),
            environment,
            traces: Arc::default(),
        })
    }

    /// The times of the runs, and on what they ran.
    ///
    /// # Errors
    /// Where a file of the folder cannot be read.
    pub fn timings(&self) -> Result<BTreeMap<String, Timing>> {
        timings(&self.path)
    }

    /// The iterations of a run; none where it left no trace.
    pub fn trace(&self, run: &str) -> Result<Vec<Record>> {
        let index = match self.traces.get() {
            Some(index) => index,
            None => {
                let mut index = Index::default();
                for file in files_in(&self.path.join(layout::TRACES), ".jsonl")? {
                    index.add(&file, true)?;
                }
                self.traces.get_or_init(|| index)
            }
        };
        let mut line = Vec::new();
        let path = self.path.join(layout::TRACES);
        if index.read(run, &mut line)? {
            let read: TraceLine = serde_json::from_slice(&line)
                .map_err(|e| Error::from(InputError::new(run, e.to_string(), "the trace of a run")).in_file(&path))?;
            return Ok(read.trace);
        }
        let path = path.join(format!("{run}.json"));
        if path.exists() { read_trace(&path) } else { Ok(Vec::new()) }
    }
}

/// The times of all runs of a folder.
fn timings(path: &Path) -> Result<BTreeMap<String, Timing>> {
    let mut timings = BTreeMap::new();
    let mut add = |file: &Path| {
        scan(file, &mut |run, _, line| {
            if let Ok(timing) = serde_json::from_slice::<Timing>(line) {
                timings.insert(run.to_string(), timing);
            }
        })
    };
    add(&path.join(layout::TIMINGS))?;
    for file in files_in(&path.join(layout::SEGMENTS), layout::SEGMENT_TIMINGS)? {
        add(&file)?;
    }
    Ok(timings)
}

/// The results that no start has put in order yet.
fn unordered(path: &Path, lean: bool) -> Result<Vec<RunRecord>> {
    let mut latest: BTreeMap<String, RunRecord> = BTreeMap::new();
    for file in files_in(&path.join(layout::SEGMENTS), layout::SEGMENT_RESULTS)? {
        scan(&file, &mut |run, _, line| {
            let record = if lean {
                serde_json::from_slice::<Lean>(line).map(|lean| lean.0)
            } else {
                serde_json::from_slice(line)
            };
            // What cannot be read is no finished run, and will be done again.
            if let Ok(record) = record {
                latest.insert(run.to_string(), record);
            }
        })?;
    }
    Ok(latest.into_values().collect())
}

/// Reads no more of a design than how many numbers it has.
fn size_alone<'de, D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Value>, D::Error> {
    Numbers::deserialize(deserializer).map(|numbers| Some(Value::from(numbers.0)))
}

/// How many numbers stand in a JSON value.
struct Numbers(usize);

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Counting;
        impl<'de> serde::de::Visitor<'de> for Counting {
            type Value = Numbers;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("a value")
            }
            fn visit_f64<E>(self, _: f64) -> std::result::Result<Numbers, E> {
                Ok(Numbers(1))
            }
            fn visit_u64<E>(self, _: u64) -> std::result::Result<Numbers, E> {
                Ok(Numbers(1))
            }
            fn visit_i64<E>(self, _: i64) -> std::result::Result<Numbers, E> {
                Ok(Numbers(1))
            }
            fn visit_str<E>(self, _: &str) -> std::result::Result<Numbers, E> {
                Ok(Numbers(0))
            }
            fn visit_bool<E>(self, _: bool) -> std::result::Result<Numbers, E> {
                Ok(Numbers(0))
            }
            fn visit_unit<E>(self) -> std::result::Result<Numbers, E> {
                Ok(Numbers(0))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Numbers, A::Error> {
                let mut all = 0;
                while let Some(Numbers(more)) = items.next_element()? {
                    all += more;
                }
                Ok(Numbers(all))
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut fields: A) -> std::result::Result<Numbers, A::Error> {
                let mut all = 0;
                while let Some((serde::de::IgnoredAny, Numbers(more))) = fields.next_entry()? {
                    all += more;
                }
                Ok(Numbers(all))
            }
        }
        deserializer.deserialize_any(Counting)
    }
}

/// A record without its certificate, and with no more of its design than its size.
struct Lean(RunRecord);

impl<'de> Deserialize<'de> for Lean {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        /// A record whose large parts are passed over.
        #[derive(Deserialize)]
        #[serde(remote = "RunRecord")]
        struct Skipping {
            run: String,
            cell: usize,
            sweep: Map<String, Value>,
            trial: u64,
            #[serde(default)]
            instance: Option<String>,
            solver: String,
            #[serde(rename = "type")]
            type_name: String,
            #[serde(default)]
            plugin: Option<PluginOrigin>,
            status: Status,
            reason: String,
            objective: ObjectiveValue,
            feasible: bool,
            #[serde(with = "number::plain")]
            violation: f64,
            #[serde(with = "number::optional")]
            bound: Option<f64>,
            #[serde(default)]
            bound_scope: Option<String>,
            #[serde(with = "number::optional")]
            gap: Option<f64>,
            iterations: u64,
            evaluations: u64,
            metrics: Map<String, Value>,
            #[serde(default, deserialize_with = "size_alone")]
            design: Option<Value>,
            #[serde(skip)]
            certificate: Option<Value>,
        }
        Skipping::deserialize(deserializer).map(Lean)
    }
}

/// One line of a file of traces.
#[derive(Deserialize)]
struct TraceLine {
    trace: Vec<Record>,
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
    parse(&read_text(path)?, path, 0)
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
