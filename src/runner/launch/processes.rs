//! Local processes: a solver that crashes or is killed costs its process, and no more.

use std::collections::VecDeque;
use std::io::{Read, Seek};
use std::ops::Range;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Worker, missing, ranges};
use crate::error::{Error, Result};
use crate::optimizer::Cancel;
use crate::runner::execute::{Finished, Part, Progress, describe};
use crate::runner::plan::Plan;
use crate::runner::store::Store;

/// Processes a core: enough that none waits long for the last.
const SHARE: usize = 4;
/// A part whose processes end so often without a finished run is given up.
const ATTEMPTS: u32 = 3;
/// How often processes are looked after, and how often the folder is.
const LOOK: Duration = Duration::from_millis(10);
const COUNT: Duration = Duration::from_secs(2);

/// How to run in processes.
#[derive(Clone, Debug)]
pub struct Processes {
    /// How many at a time.
    pub count: usize,
    /// Threads of each.
    pub threads: u64,
    /// The flag that stops them.
    pub cancel: Cancel,
}

struct Piece {
    range: Range<usize>,
    missing: usize,
    attempts: u32,
}

struct AtWork {
    piece: Piece,
    child: Child,
    /// What it says on standard error.
    said: std::fs::File,
}

/// Carries out a plan in worker processes. They end with this process: each is told by the end of its standard input.
///
/// # Errors
/// Where the folder cannot be written, or processes end again and again without a finished run.
pub fn run_in_processes(
    plan: &Plan,
    worker: &Worker,
    options: &Processes,
    observe: &dyn Fn(&Progress<'_>),
) -> Result<Finished> {
    let store = Store::open(&worker.folder)?;
    let _held = store.hold()?;
    let part = Part::default();
    let total = plan.runs.len();
    let lacking = missing(plan, &part, &store.finished()?);
    describe(plan, &store, options.count, true, !lacking.is_empty())?;
    let there = |finished: &crate::results::Index| plan.runs.iter().filter(|r| finished.contains(&r.id)).count();
    let found = there(&store.finished()?);
    observe(&Progress { done: found, found, total, last: None });
    let mut waiting: VecDeque<Piece> = VecDeque::new();
    for range in ranges(&lacking, SHARE * options.count) {
        let missing = lacking.iter().filter(|place| range.contains(place)).count();
        waiting.push_back(Piece { range, missing, attempts: 0 });
    }
    let mut working: Vec<AtWork> = Vec::new();
    let (mut failed, mut counted) = (None, Instant::now());
    while !working.is_empty() || !waiting.is_empty() && failed.is_none() && !options.cancel.is_set() {
        while working.len() < options.count && failed.is_none() && !options.cancel.is_set() {
            let Some(piece) = waiting.pop_front() else { break };
            working.push(start(worker, piece, options.threads)?);
        }
        if options.cancel.is_set() || failed.is_some() {
            working.iter_mut().for_each(|at_work| drop(at_work.child.stdin.take()));
        }
        std::thread::sleep(LOOK);
        let mut index = 0;
        while index < working.len() {
            let ended = working[index].child.try_wait().map_err(|e| Error::file("wait for", &worker.program, e))?;
            let Some(status) = ended else {
                index += 1;
                continue;
            };
            let AtWork { piece, said, .. } = working.swap_remove(index);
            if status.success() || options.cancel.is_set() || failed.is_some() {
                continue;
            }
            let words = last_error(said).unwrap_or_else(|| format!("a worker process ended: {status}"));
            // What it was told it can mend by nobody: a full disk, a folder that is read-only.
            let hopeless = status.code() == Some(2);
            let left = missing(plan, &Part { range: Some(piece.range.clone()), ..Part::default() }, &store.finished()?);
            let attempts = if left.len() < piece.missing { 0 } else { piece.attempts + 1 };
            if hopeless {
                failed = Some(words);
            } else if attempts >= ATTEMPTS {
                let Range { start, end } = piece.range;
                failed =
                    Some(format!("{ATTEMPTS} processes for the runs {start}..{end} ended without a result: {words}"));
            } else if let (Some(first), Some(last)) = (left.first(), left.last()) {
                waiting.push_front(Piece { range: *first..last + 1, missing: left.len(), attempts });
            }
        }
        if counted.elapsed() >= COUNT {
            let done = there(&store.finished()?);
            observe(&Progress { done, found, total, last: None });
            counted = Instant::now();
        }
    }
    let done = store.collect(plan)?;
    match failed {
        Some(words) => Err(Error::Input(vec![crate::InputError::new("--processes", words, "processes that end well")])),
        None => Ok(Finished { ran: done - found.min(done), found, missing: total - done }),
    }
}

fn start(worker: &Worker, piece: Piece, threads: u64) -> Result<AtWork> {
    let fail = |e| Error::file("start", &worker.program, e);
    let part = Part { range: Some(piece.range.clone()), solvers: Vec::new() };
    let said = tempfile::tempfile().map_err(fail)?;
    let child = Command::new(&worker.program)
        .args(worker.arguments(&part, threads))
        .arg("--until-input-ends")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::from(said.try_clone().map_err(fail)?))
        .spawn()
        .map_err(fail)?;
    Ok(AtWork { piece, child, said })
}

/// The last error among a worker's words.
fn last_error(mut said: std::fs::File) -> Option<String> {
    let mut text = String::new();
    said.rewind().ok()?;
    said.read_to_string(&mut text).ok()?;
    text.lines().rev().find_map(|line| line.strip_prefix("error: ")).map(str::to_string)
}
