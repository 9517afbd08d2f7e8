//! Reading a run folder.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use serde::Deserialize;
use serde_json::Value;

use super::lean::Lean;
use super::lines::{Index, files_in, parse, read_lines, scan};
use super::metrics::Forms;
use super::{RunRecord, Timing, layout};
use crate::error::{Error, InputError, Result};
use crate::instance::read_text;
use crate::trace::Record;

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
    pub times: HashMap<String, f64>,
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

    /// Reads all of a run folder but its results.
    pub(crate) fn without_records(path: &Path) -> Result<Self> {
        let environment = path.join(layout::ENVIRONMENT);
        let environment = match environment.exists() {
            true => parse(read_text(&environment)?.as_bytes(), &environment, 0)?,
            false => Value::Null,
        };
        Ok(Self {
            path: path.to_path_buf(),
            config: read_text(&path.join(layout::CONFIG))?,
            records: Vec::new(),
            times: timings(path)?.into_iter().map(|(run, timing)| (run, timing.time_s)).collect(),
            environment,
            traces: Arc::default(),
        })
    }

    fn read_with(path: &Path, lean: bool) -> Result<Self> {
        // In this order: what leaves the segments has come to the results before.
        let segments = unordered(path, lean)?;
        let mut forms = Forms::default();
        let mut records: Vec<RunRecord> = Vec::new();
        let mut keep = |mut record: RunRecord| {
            forms.share(&mut record.metrics);
            records.push(record);
        };
        let results = path.join(layout::RESULTS);
        if lean {
            read_lines(&results, &mut |record: Lean| keep(record.0))?;
        } else {
            read_lines(&results, &mut keep)?;
        }
        if !segments.is_empty() {
            let known: HashSet<&str> = records.iter().map(|r| r.run.as_str()).collect();
            let mut new: Vec<RunRecord> = segments.into_iter().filter(|r| !known.contains(r.run.as_str())).collect();
            new.sort_by_key(|r| (r.cell, r.trial));
            new.iter_mut().for_each(|record| forms.share(&mut record.metrics));
            records.extend(new);
        }
        records.shrink_to_fit();
        Ok(Self { records, ..Self::without_records(path)? })
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
        if !index.read(run, &mut line)? {
            return Ok(Vec::new());
        }
        let read: TraceLine = serde_json::from_slice(&line).map_err(|e| {
            let path = self.path.join(layout::TRACES);
            Error::from(InputError::new(run, e.to_string(), "the trace of a run")).in_file(path)
        })?;
        Ok(read.trace)
    }
}

/// One line of a file of traces.
#[derive(Deserialize)]
struct TraceLine {
    trace: Vec<Record>,
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

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::*;

    #[test]
    fn a_torn_last_line_is_passed_over_and_a_broken_one_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.jsonl");
        let line = serde_json::to_string(&record()).unwrap();
        std::fs::write(&path, format!("{line}\n{}", &line[..40])).unwrap();
        let read = |path: &Path| {
            let mut found = Vec::new();
            read_lines(path, &mut |record: RunRecord| found.push(record)).map(|()| found)
        };
        assert_eq!(read(&path).unwrap(), [record()]);
        std::fs::write(&path, format!("{line}\n{}\n", &line[..40])).unwrap();
        let message = read(&path).unwrap_err().to_string();
        assert!(message.contains("results.jsonl:2:"), "{message}");
    }
}
