//! The run folder while an experiment runs. A finished run is one line that is appended whole, so that a kill at any
//! moment leaves every finished run readable; at the end the lines are put in the order of the plan.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

use crate::error::{Error, InputError, Result};
use crate::results::{RunRecord, Timing, read_lines, write_trace};
use crate::trace::Record;

const RESULTS: &str = "results.jsonl";
const TIMINGS: &str = "timings.jsonl";
/// Finished runs of earlier plans for this folder, kept for a plan that asks for them again.
const EARLIER: &str = "earlier.jsonl";
const LOCK: &str = ".lock";

/// A run folder, held by this process alone.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    results: Lines,
    timings: Lines,
    done: BTreeMap<String, RunRecord>,
    times: BTreeMap<String, f64>,
    synced: Instant,
    _lock: File,
}

impl Store {
    /// Opens a run folder, or makes one; reads what is done.
    ///
    /// # Errors
    /// Where it cannot be written, holds something else, or another process works in it.
    pub fn open(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(|e| Error::file("create", folder, e))?;
        let lock_path = folder.join(LOCK);
        let mut entries = std::fs::read_dir(folder).map_err(|e| Error::file("read", folder, e))?;
        if !lock_path.exists() && entries.next().is_some() {
            let found = format!("{}, which holds other files", folder.display());
            return Err(InputError::new("--out", found, "a run folder, an empty folder or a new one").into());
        }
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path);
        let lock = lock.map_err(|e| Error::file("write", &lock_path, e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                let found = format!("{}, in which another isacopt is at work", folder.display());
                return Err(InputError::new("--out", found, "a folder of its own for each process").into());
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(Error::file("lock", &lock_path, error)),
        }
        let traces = folder.join("traces");
        std::fs::create_dir_all(&traces).map_err(|e| Error::file("create", &traces, e))?;
        let mut records: Vec<RunRecord> = read_lines(&folder.join(EARLIER))?;
        records.extend(read_lines::<RunRecord>(&folder.join(RESULTS))?);
        let timings: Vec<Timing> = read_lines(&folder.join(TIMINGS))?;
        Ok(Self {
            results: Lines::open(folder.join(RESULTS))?,
            timings: Lines::open(folder.join(TIMINGS))?,
            folder: folder.to_path_buf(),
            done: records.into_iter().map(|r| (r.run.clone(), r)).collect(),
            times: timings.into_iter().map(|t| (t.run, t.time_s)).collect(),
            synced: Instant::now(),
            _lock: lock,
        })
    }

    /// The result of a run, where it is there.
    pub fn get(&self, run: &str) -> Option<&RunRecord> {
        self.done.get(run)
    }

    /// Appends a finished run: its trace, its time, and then the line that makes it count.
    pub fn append(&mut self, record: RunRecord, time: f64, trace: &[Record]) -> Result<()> {
        let path = self.folder.join("traces").join(format!("{}.json", record.run));
        if !trace.is_empty() {
            std::fs::write(&path, write_trace(trace)).map_err(|e| {
                // Half a trace is of no use; without its line the run does not count anyway.
                let _ = std::fs::remove_file(&path);
                Error::file("write", &path, e)
            })?;
        }
        self.timings.append(&Timing { run: record.run.clone(), time_s: time })?;
        self.results.append(&record)?;
        self.times.insert(record.run.clone(), time);
        self.done.insert(record.run.clone(), record);
        if self.synced.elapsed() >= Duration::from_secs(1) {
            self.results.sync()?;
            self.synced = Instant::now();
        }
        Ok(())
    }

    /// Puts the results in order. Finished runs that are not among them are kept aside.
    pub fn finish(&mut self, records: &[RunRecord]) -> Result<()> {
        let listed: BTreeSet<&str> = records.iter().map(|r| r.run.as_str()).collect();
        let earlier: Vec<&RunRecord> = self.done.values().filter(|r| !listed.contains(r.run.as_str())).collect();
        let path = self.folder.join(EARLIER);
        if !earlier.is_empty() || path.exists() {
            replace(&path, &lines(&earlier)?)?;
        }
        let mut runs: Vec<&str> = Vec::new();
        let mut seen = BTreeSet::new();
        for run in records.iter().chain(earlier).map(|r| r.run.as_str()) {
            if seen.insert(run) {
                runs.push(run);
            }
        }
        let timed = runs.iter().filter_map(|run| Some(Timing { run: run.to_string(), time_s: *self.times.get(*run)? }));
        replace(&self.folder.join(TIMINGS), &lines(&timed.collect::<Vec<_>>())?)?;
        replace(&self.folder.join(RESULTS), &lines(records)?)?;
        self.results = Lines::open(self.folder.join(RESULTS))?;
        self.timings = Lines::open(self.folder.join(TIMINGS))?;
        Ok(())
    }

    /// Writes a text file of the folder whole or not at all.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        replace(&self.folder.join(name), text.as_bytes())
    }

    /// Writes a JSON file of the folder.
    pub fn write_json(&self, name: &str, value: &Value) -> Result<()> {
        self.write(name, &format!("{value:#}\n"))
    }

    /// Whether the folder has such a file.
    pub fn has(&self, name: &str) -> bool {
        self.folder.join(name).exists()
    }
}

fn lines<T: Serialize>(items: &[T]) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    for item in items {
        serde_json::to_writer(&mut text, item).map_err(|e| Error::Numerical(e.to_string()))?;
        text.push(b'\n');
    }
    Ok(text)
}

/// Writes a file beside its place and moves it there, so that a reader never meets half of it.
fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let beside = path.with_extension("partial");
    let write = || {
        let mut file = File::create(&beside)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    };
    write().map_err(|e| {
        // What is left of a failed attempt is of no use; that it may not exist is no second error.
        let _ = std::fs::remove_file(&beside);
        Error::file("write", path, e)
    })
}

/// A file of whole lines.
#[derive(Debug)]
struct Lines {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Lines {
    /// Opens a file, and cuts off a last line that a kill left torn.
    fn open(path: PathBuf) -> Result<Self> {
        let fail = |e| Error::file("write", &path, e);
        let file = OpenOptions::new().create(true).append(true).read(true).open(&path).map_err(fail)?;
        let bytes = std::fs::read(&path).map_err(fail)?;
        let length = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1) as u64;
        if length < bytes.len() as u64 {
            file.set_len(length).map_err(fail)?;
        }
        Ok(Self { path, file, length })
    }

    fn append<T: Serialize>(&mut self, item: &T) -> Result<()> {
        let line = lines(std::slice::from_ref(item))?;
        if let Err(error) = self.file.write_all(&line) {
            // A full disk may have taken half of the line; where even this fails, the next start cuts it off.
            let _ = self.file.set_len(self.length);
            return Err(Error::file("write", &self.path, error));
        }
        self.length += line.len() as u64;
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(|e| Error::file("write", &self.path, e))
    }
}
