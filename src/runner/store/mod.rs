//! The run folder. Every process appends what it finished to files of its own, so that any number of them may work in
//! one folder at once, on one machine or on many, and so that a kill at any moment costs no finished run. Putting the
//! runs in the order of the plan is a step of its own, which may be taken at any time; see [`Store::collect`].
//!
//! ```text
//! results.jsonl, timings.jsonl         runs in the order of the plan, written whole or not at all
//! earlier.jsonl                        runs of earlier plans
//! segments/WRITER.results.jsonl        what a process has finished, a line a run, appended at once ...
//! segments/WRITER.timings.jsonl        ... and on what it ran and how long it took
//! traces/WRITER.jsonl                  the iterations; written once and never touched again
//! .lock                                held by a start that does all runs of its plan: one at a time
//! .collect                             held while runs are put in order
//! ```

mod collect;
mod writer;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

pub use writer::Writer;

use crate::error::{Error, InputError, Result};
use crate::results::{Index, files_in, layout};

const LOCK: &str = ".lock";
const COLLECT: &str = ".collect";

/// A run folder.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
}

/// A run folder held by a start that does all runs of its plan.
#[derive(Debug)]
pub struct Held(#[allow(dead_code)] File);

impl Store {
    /// Opens a run folder, or makes one.
    ///
    /// # Errors
    /// Where it cannot be written, or holds something else.
    pub fn open(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(|e| Error::file("create", folder, e))?;
        let entries = std::fs::read_dir(folder).map_err(|e| Error::file("read", folder, e))?;
        let names: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
        if !names.is_empty() && !names.iter().any(|name| name == LOCK) {
            let found = format!("{}, which holds other files", folder.display());
            return Err(InputError::new("--out", found, "a run folder, an empty folder or a new one").into());
        }
        let store = Self { folder: folder.to_path_buf() };
        // A folder that cannot be written is told before anything runs.
        store.lock_file(LOCK)?;
        for name in [layout::SEGMENTS, layout::TRACES] {
            let inner = folder.join(name);
            std::fs::create_dir_all(&inner).map_err(|e| Error::file("create", &inner, e))?;
        }
        Ok(store)
    }

    /// A run folder to read, which need not be there.
    pub fn look(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf() }
    }

    /// Opens a folder that is one already.
    ///
    /// # Errors
    /// Where it is none.
    pub fn existing(folder: &Path) -> Result<Self> {
        if !folder.join(layout::CONFIG).exists() {
            let found = format!("{}, which has no {}", folder.display(), layout::CONFIG);
            return Err(InputError::new("", found, "a run folder").into());
        }
        Ok(Self { folder: folder.to_path_buf() })
    }

    /// Holds the folder for a start that does all runs of its plan. Workers that do a part of them may be at work.
    ///
    /// # Errors
    /// Where another start holds it.
    pub fn hold(&self) -> Result<Held> {
        let lock = self.lock_file(LOCK)?;
        match lock.try_lock() {
            Ok(()) => Ok(Held(lock)),
            Err(TryLockError::WouldBlock) => {
                let found = format!("{}, in which another isacopt is at work", self.folder.display());
                let allowed = "a folder of its own for each start; `--collect` reports on what is there, and `--range` \
                               does a part beside others";
                Err(InputError::new("--out", found, allowed).into())
            }
            // Some network file systems know no locks. Two starts then do more than is needed, and no harm.
            Err(TryLockError::Error(error)) if unsupported(&error) => Ok(Held(lock)),
            Err(TryLockError::Error(error)) => Err(Error::file("lock", self.folder.join(LOCK), error)),
        }
    }

    /// The finished runs, those of earlier plans and of processes at work included.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub(super) fn finished(&self) -> Result<Index> {
        let mut index = Index::default();
        // In this order: what leaves the segments has come to the results before.
        let segments = files_in(&self.folder.join(layout::SEGMENTS), layout::SEGMENT_RESULTS)?;
        for segment in &segments {
            index.add(segment, true)?;
        }
        for name in [layout::RESULTS, layout::EARLIER] {
            index.add(&self.folder.join(name), false)?;
        }
        Ok(index)
    }

    /// Which runs of a plan are finished, in its order.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub fn has_runs(&self, plan: &super::plan::Plan) -> Result<Vec<bool>> {
        let finished = self.finished()?;
        Ok(plan.runs.iter().map(|run| finished.contains(&run.id)).collect())
    }

    /// Where this process appends what it finishes.
    ///
    /// # Errors
    /// Where its files cannot be made.
    pub fn writer(&self) -> Result<Writer> {
        Writer::new(&self.folder)
    }

    /// Writes a text file of the folder whole or not at all.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        let _writing = self.collecting()?;
        Beside::write(&self.folder.join(name), |file| file.write_all(text.as_bytes()))?.put()
    }

    /// Writes a JSON file of the folder.
    pub fn write_json(&self, name: &str, value: &Value) -> Result<()> {
        self.write(name, &format!("{value:#}\n"))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the folder has such a file.
    pub fn has(&self, name: &str) -> bool {
        self.folder.join(name).exists()
    }

    fn lock_file(&self, name: &str) -> Result<File> {
        let path = self.folder.join(name);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        file.map_err(|e| Error::file("write", &path, e))
    }
}

fn unsupported(error: &std::io::Error) -> bool {
    // ENOLCK stands for a lock daemon that does not run.
    error.kind() == std::io::ErrorKind::Unsupported || cfg!(target_os = "linux") && error.raw_os_error() == Some(37)
}

/// A file written beside its place, so that a reader never meets half of it. Removed unless it is put there.
struct Beside {
    path: PathBuf,
    beside: Option<PathBuf>,
}

impl Beside {
    fn write(path: &Path, write: impl FnOnce(&mut File) -> std::io::Result<()>) -> Result<Self> {
        // Of this process alone: several may write the same file at once.
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let beside = path.with_file_name(format!(".{name}.{}.partial", std::process::id()));
        let file = Self { path: path.to_path_buf(), beside: Some(beside.clone()) };
        let work = || {
            let mut file = File::create(&beside)?;
            write(&mut file)?;
            file.sync_all()
        };
        work().map_err(|e| Error::file("write", path, e))?;
        Ok(file)
    }

    fn put(mut self) -> Result<()> {
        if let Some(beside) = &self.beside {
            std::fs::rename(beside, &self.path).map_err(|e| Error::file("write", &self.path, e))?;
        }
        self.beside = None;
        Ok(())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if let Some(beside) = &self.beside {
            // What is left of a failed attempt is of no use; that it may not exist is no second error.
            let _ = std::fs::remove_file(beside);
        }
    }
}
