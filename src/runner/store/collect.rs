//! Putting the finished runs of a folder in the order of a plan.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::{Beside, COLLECT, Store, unsupported};
use crate::error::{Error, Result};
use crate::results::{Index, RunRecord, append_line, files_in, layout, scan};
use crate::runner::plan::{Plan, Planned, placed};

impl Store {
    /// Puts the finished runs in the order of a plan, while others may still be at work; gives how many of the plan's
    /// runs are there. Finished runs that are not among them are kept aside.
    ///
    /// Files of processes that have ended are cleared away once what they hold is on the disk elsewhere.
    ///
    /// # Errors
    /// Where a file cannot be read or written; then nothing is lost, and the folder is as it was.
    pub fn collect(&self, plan: &Plan) -> Result<usize> {
        let _collecting = self.collecting()?;
        let index = self.finished()?;
        let listed: HashSet<&str> = plan.runs.iter().map(|run| run.id.as_str()).collect();
        let earlier: Vec<&str> = index.runs().into_iter().filter(|run| !listed.contains(run)).collect();
        let mut line = Vec::new();
        let path = self.folder.join(layout::EARLIER);
        let kept = if earlier.is_empty() && !path.exists() {
            None
        } else {
            Some(write_lines(&path, &mut |out| {
                for run in &earlier {
                    index.read(run, &mut line)?;
                    line.push(b'\n');
                    put(out, &line, &path)?;
                }
                Ok(())
            })?)
        };
        let times = self.order_times(&index, plan.runs.iter().map(|r| r.id.as_str()).chain(earlier.iter().copied()))?;
        let path = self.folder.join(layout::RESULTS);
        let mut count = 0;
        let results = write_lines(&path, &mut |out| {
            for run in &plan.runs {
                if let Some(record) = read(&index, run, &mut line)? {
                    line.clear();
                    append_line(&placed(plan, run, record), &mut line)?;
                    put(out, &line, &path)?;
                    count += 1;
                }
            }
            Ok(())
        })?;
        // Only now that all is read and written does anything change. In this order nothing is missing in between.
        kept.map_or(Ok(()), Beside::put)?;
        times.put()?;
        results.put()?;
        self.clear(&index);
        Ok(count)
    }

    /// The times in the order of the runs.
    fn order_times<'a>(&self, index: &Index, runs: impl Iterator<Item = &'a str>) -> Result<Beside> {
        let mut times: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut add = |file: &Path| {
            scan(file, &mut |run, _, line| {
                if index.contains(run) {
                    times.insert(run.to_string(), line.to_vec());
                }
            })
        };
        let path = self.folder.join(layout::TIMINGS);
        add(&path)?;
        for file in files_in(&self.folder.join(layout::SEGMENTS), layout::SEGMENT_TIMINGS)? {
            add(&file)?;
        }
        // Each once: equal runs of different cells share their time.
        let lines: Vec<Vec<u8>> = runs.filter_map(|run| times.remove(run)).collect();
        write_lines(&path, &mut |out| {
            for line in &lines {
                put(out, line, &path)?;
                put(out, b"\n", &path)?;
            }
            Ok(())
        })
    }

    /// Waits until nobody else puts the folder's runs in order, or writes another file of it whole; clears away what
    /// those left that were killed amid.
    pub(super) fn collecting(&self) -> Result<File> {
        let lock = self.lock_file(COLLECT)?;
        match lock.lock() {
            Ok(()) => {
                for partial in files_in(&self.folder, ".partial")? {
                    // What cannot be removed does no harm.
                    let _ = std::fs::remove_file(partial);
                }
                Ok(lock)
            }
            Err(error) if unsupported(&error) => Ok(lock),
            Err(error) => Err(Error::file("lock", self.folder.join(COLLECT), error)),
        }
    }

    /// Removes the files of processes that have ended, as far as all that they hold is in the index.
    fn clear(&self, index: &Index) {
        let Ok(segments) = files_in(&self.folder.join(layout::SEGMENTS), layout::SEGMENT_RESULTS) else { return };
        for results in segments {
            let Ok(file) = File::open(&results) else { continue };
            if !matches!(file.try_lock(), Ok(())) {
                continue;
            }
            // Its last lines may be younger than the index. An empty file may be one whose writer has only just made it.
            let end = scan(&results, &mut |_, _, _| ()).unwrap_or(0);
            if end > 0 && index.end(&results) == Some(end) {
                // Whatever cannot be removed is read once more the next time, and tells nothing new.
                let _ = std::fs::remove_file(&results);
                let name = results.file_name().unwrap_or_default().to_string_lossy();
                let name = name.trim_end_matches(layout::SEGMENT_RESULTS);
                let _ = std::fs::remove_file(results.with_file_name(format!("{name}{}", layout::SEGMENT_TIMINGS)));
            }
        }
    }
}

/// A run's record; none where it is not there, or is not what isacopt writes: then it is done again.
fn read(index: &Index, run: &Planned, line: &mut Vec<u8>) -> Result<Option<RunRecord>> {
    Ok(if index.read(&run.id, line)? { serde_json::from_slice(line).ok() } else { None })
}

fn put(out: &mut BufWriter<&mut File>, line: &[u8], path: &Path) -> Result<()> {
    out.write_all(line).map_err(|e| Error::file("write", path, e))
}

/// Writes a file of lines beside its place.
fn write_lines(path: &Path, write: &mut dyn FnMut(&mut BufWriter<&mut File>) -> Result<()>) -> Result<Beside> {
    let mut failed = None;
    let written = Beside::write(path, |file| {
        let mut out = BufWriter::with_capacity(1 << 18, file);
        match write(&mut out) {
            Ok(()) => out.flush(),
            Err(error) => {
                failed = Some(error);
                // What is in the buffer is not wanted any more.
                let _ = out.into_parts();
                Err(std::io::Error::other("the lines were not written"))
            }
        }
    });
    failed.map_or(written, Err)
}
