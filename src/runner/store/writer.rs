//! What a process appends to a run folder: three files of its own, a line a run in each. The line of the result is the
//! last to be written, and makes the run count.

use std::collections::hash_map::RandomState;
use std::fs::{File, OpenOptions};
use std::hash::BuildHasher;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::{Error, Result};
use crate::results::{RunRecord, Timing, append_line, layout, trace_line};
use crate::trace::Record;

/// What is appended reaches the disk at least so often.
const SYNC: Duration = Duration::from_millis(500);

/// Appends finished runs.
#[derive(Debug)]
pub struct Writer {
    /// Traces, times, results: in the order in which they are written and synced.
    files: [Lines; 3],
    line: Vec<u8>,
    sync: Arc<Syncing>,
    syncer: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn new(folder: &Path) -> Result<Self> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // By time first: of two lines about a run the later counts. The rest tells apart what began at once.
        let chance = RandomState::new().hash_one(since) as u32;
        let name = format!("{:09x}{:08x}-{:x}-{chance:08x}", since.as_secs(), since.subsec_nanos(), std::process::id());
        let segment = |ending: &str| folder.join(layout::SEGMENTS).join(format!("{name}{ending}"));
        let files = [
            Lines::new(folder.join(layout::TRACES).join(format!("{name}.jsonl"))),
            Lines::new(segment(layout::SEGMENT_TIMINGS)),
            Lines::new(segment(layout::SEGMENT_RESULTS)),
        ];
        let sync = Arc::new(Syncing::default());
        Ok(Self { files, line: Vec::new(), sync, syncer: None })
    }

    /// Appends a finished run: its trace, its time, and then the line that makes it count.
    ///
    /// # Errors
    /// Where the disk is full or fails; what was appended before stays.
    pub fn append(&mut self, record: &RunRecord, timing: &Timing, trace: &[Record]) -> Result<()> {
        self.append_all(record, Some(timing), trace)
    }

    /// Appends a finished run whose time is not known.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn append_untimed(&mut self, record: &RunRecord, trace: &[Record]) -> Result<()> {
        self.append_all(record, None, trace)
    }

    fn append_all(&mut self, record: &RunRecord, timing: Option<&Timing>, trace: &[Record]) -> Result<()> {
        if let Some(error) = self.sync.state().error.take() {
            return Err(error);
        }
        if !trace.is_empty() {
            self.line.clear();
            trace_line(&record.run, trace, &mut self.line)?;
            self.files[0].append(&self.line)?;
        }
        if let Some(timing) = timing {
            self.line.clear();
            append_line(timing, &mut self.line)?;
            self.files[1].append(&self.line)?;
        }
        self.line.clear();
        append_line(record, &mut self.line)?;
        self.files[2].append(&self.line)?;
        if self.syncer.is_none() {
            let sync = Arc::clone(&self.sync);
            self.syncer = Some(std::thread::spawn(move || sync.work()));
        }
        let mut state = self.sync.state();
        for (file, known) in self.files.iter().zip(&mut state.files) {
            if let (Some(file), None) = (&file.file, &known) {
                let handle = file.try_clone().map_err(|e| Error::file("write", &self.files[2].path, e))?;
                *known = Some((handle, self.files[2].path.clone()));
            }
        }
        state.dirty = true;
        Ok(())
    }

    /// Ends the writer once everything is on the disk.
    ///
    /// # Errors
    /// Where the disk fails.
    pub fn finish(mut self) -> Result<()> {
        self.stop();
        self.sync.state().error.take().map_or(Ok(()), Err)
    }

    fn stop(&mut self) {
        self.sync.state().ended = true;
        self.sync.wake.notify_all();
        if let Some(syncer) = self.syncer.take() {
            // It does not panic; if it did, what was written is as safe as the system makes it.
            let _ = syncer.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A thread of its own tells the disk to keep what was appended, so that no run waits for it.
#[derive(Debug, Default)]
struct Syncing {
    state: Mutex<SyncState>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct SyncState {
    files: [Option<(File, PathBuf)>; 3],
    dirty: bool,
    ended: bool,
    error: Option<Error>,
}

impl Syncing {
    fn state(&self) -> MutexGuard<'_, SyncState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        loop {
            let state = self.state();
            let waited = self.wake.wait_timeout_while(state, SYNC, |state| !state.ended);
            let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            let ended = state.ended;
            if std::mem::take(&mut state.dirty) {
                let handles: Vec<_> = state.files.iter().flatten().map(|(f, p)| (f.try_clone(), p.clone())).collect();
                drop(state);
                for (file, path) in handles {
                    if let Err(error) = file.and_then(|file| file.sync_data()) {
                        self.state().error = Some(Error::file("write", path, error));
                    }
                }
            }
            if ended {
                return;
            }
        }
    }
}

/// A file of whole lines, made with its first.
#[derive(Debug)]
struct Lines {
    path: PathBuf,
    file: Option<File>,
    length: u64,
}

impl Lines {
    fn new(path: PathBuf) -> Self {
        Self { path, file: None, length: 0 }
    }

    fn append(&mut self, line: &[u8]) -> Result<()> {
        let fail = |path: &Path, e| Error::file("write", path, e);
        if self.file.is_none() {
            let file = OpenOptions::new().create_new(true).append(true).open(&self.path);
            let file = file.map_err(|e| fail(&self.path, e))?;
            // Says that its writer is at work. Where locks are unknown nobody clears up, and nothing is lost.
            let _ = file.lock();
            self.file = Some(file);
        }
        if let Some(Err(error)) = self.file.as_mut().map(|file| file.write_all(line)) {
            // A full disk may have taken half of the line; where even this fails, readers pass it over.
            let _ = self.file.as_ref().map(|file| file.set_len(self.length));
            return Err(fail(&self.path, error));
        }
        self.length += line.len() as u64;
        Ok(())
    }
}
