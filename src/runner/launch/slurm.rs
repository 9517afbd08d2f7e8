//! Slurm job arrays. A task of an array does a range of the plan with the same command as everywhere; short runs are
//! packed into a task. What is missing is read from the run folder, and submitted again; Slurm's accounting, which many
//! clusters lack, is not asked.
//!
//! Left in the folder: `slurm/N.commands`, a line a task; `slurm/N.sh`, the script; `slurm/jobs.jsonl`, the submitted
//! arrays; `slurm/JOB_TASK.out`, what tasks said.

use std::collections::HashSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{Group, Worker, groups, missing, ranges};
use crate::error::{Error, InputError, Result};
use crate::optimizer::Cancel;
use crate::results::append_line;
use crate::runner::execute::{Part, Progress, describe};
use crate::runner::plan::Plan;
use crate::runner::store::Store;

/// Arrays that end so often without a further finished run are given up.
const ATTEMPTS: u32 = 3;
/// The largest array where the cluster does not say: Slurm's own default.
const ARRAY: usize = 1001;

/// How to run on a cluster.
#[derive(Clone, Debug)]
pub struct Slurm {
    /// Tasks of each array; chosen by `task_seconds` without it.
    pub tasks: Option<usize>,
    /// A task takes about so long: short runs are packed.
    pub task_seconds: f64,
    /// Wait until all runs are there, and submit again what is missing; so often the folder is looked at.
    pub wait: Option<Duration>,
    /// Only write the files and say what would be submitted.
    pub dry: bool,
    /// Further arguments of `sbatch`.
    pub arguments: Vec<String>,
    /// The flag that stops waiting; what is submitted goes on.
    pub cancel: Cancel,
}

/// What was submitted.
#[derive(Clone, Debug, Default)]
pub struct Submitted {
    /// The calls of `sbatch`, each with the number of its tasks.
    pub calls: Vec<(String, usize)>,
    /// The runs of the plan that are there.
    pub done: usize,
    /// The runs that are missing and not submitted, since tasks of an earlier call have them.
    pub queued: usize,
}

/// An array in `jobs.jsonl`.
#[derive(Debug, Serialize, Deserialize)]
struct Job {
    job: String,
    /// The ranges of its tasks, from task 1 on.
    tasks: Vec<Range<usize>>,
    solvers: Vec<String>,
}

/// Submits what is missing, and waits for it where it is asked to.
///
/// # Errors
/// Where Slurm does not answer or refuses, the folder cannot be written, or tasks end again and again without a result.
pub fn run_on_slurm(
    plan: &Plan,
    worker: &Worker,
    options: &Slurm,
    observe: &dyn Fn(&Progress<'_>),
) -> Result<Submitted> {
    let store = Store::open(&worker.folder)?;
    let _held = store.hold()?;
    describe(plan, &store, 1, true, false)?;
    let cluster = Cluster { folder: worker.folder.join("slurm"), dry: options.dry };
    std::fs::create_dir_all(&cluster.folder).map_err(|e| Error::file("create", &cluster.folder, e))?;
    let there = |store: &Store| -> Result<usize> {
        let finished = store.finished()?;
        Ok(plan.runs.iter().filter(|run| finished.contains(&run.id)).count())
    };
    let found = there(&store)?;
    let (mut submitted, mut attempts, mut before) = (Submitted::default(), 0, None);
    loop {
        let new = submit(plan, worker, options, &store, &cluster)?;
        submitted.calls.extend(new.calls.clone());
        submitted.queued = new.queued;
        submitted.done = there(&store)?;
        observe(&Progress { done: submitted.done, found, total: plan.runs.len(), last: None });
        let Some(pause) = options.wait.filter(|_| !options.dry && submitted.done < plan.runs.len()) else { break };
        if !new.calls.is_empty() {
            // A further array is a further attempt at the same runs unless some were finished in between.
            attempts = if before == Some(submitted.done) { attempts + 1 } else { 0 };
            before = Some(submitted.done);
            if attempts >= ATTEMPTS {
                let found = format!("{} runs missing after {ATTEMPTS} arrays", plan.runs.len() - submitted.done);
                let allowed = format!("tasks that end well; see {}/*.out", cluster.folder.display());
                return Err(InputError::new("slurm", found, allowed).into());
            }
        }
        let begun = Instant::now();
        while begun.elapsed() < pause && !options.cancel.is_set() {
            std::thread::sleep(Duration::from_millis(50).min(pause));
        }
        if options.cancel.is_set() {
            break;
        }
    }
    if !options.dry {
        submitted.done = store.collect(plan)?;
    }
    Ok(submitted)
}

fn submit(plan: &Plan, worker: &Worker, options: &Slurm, store: &Store, cluster: &Cluster) -> Result<Submitted> {
    let jobs = cluster.jobs()?;
    let active = cluster.active(&jobs)?;
    let limits = cluster.limits();
    let mut submitted = Submitted::default();
    let mut room = limits.submitted.map(|most| most.saturating_sub(active.len()));
    let finished = store.finished()?;
    for group in groups(plan, &worker.folder) {
        let part = Part { range: None, solvers: group.solvers.clone() };
        let mut places = missing(plan, &part, &finished);
        let all = places.len();
        for (job, task) in &active {
            let job = &jobs[*job];
            if let (Some(range), true) = (job.tasks.get(*task - 1), job.solvers == group.solvers) {
                places.retain(|place| !range.contains(place));
            }
        }
        submitted.queued += all - places.len();
        let packed = (places.len() as f64 * group.seconds / options.task_seconds).ceil() as usize;
        let mut tasks = ranges(&places, options.tasks.unwrap_or(packed.max(1)));
        if let Some(room) = &mut room {
            tasks.truncate(*room);
            *room -= tasks.len();
        }
        // The indices of an array stay below the cluster's limit.
        for tasks in tasks.chunks(limits.array.saturating_sub(1).max(1)) {
            let call = cluster.submit(worker, &group, tasks, options)?;
            submitted.calls.push((call, tasks.len()));
        }
    }
    Ok(submitted)
}

struct Cluster {
    folder: PathBuf,
    dry: bool,
}

struct Limits {
    /// `MaxArraySize`: indices stay below it.
    array: usize,
    /// Tasks that the user may have submitted at a time, where it is limited.
    submitted: Option<usize>,
}

impl Cluster {
    /// The arrays submitted so far.
    fn jobs(&self) -> Result<Vec<Job>> {
        let path = self.folder.join("jobs.jsonl");
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(Error::file("read", &path, error)),
        }
    }

    /// The tasks that wait or run: the place of their job, and their number in it.
    fn active(&self, jobs: &[Job]) -> Result<HashSet<(usize, usize)>> {
        if jobs.is_empty() || self.dry {
            return Ok(HashSet::new());
        }
        // All of the user's: a list of jobs that ended long ago is refused.
        let answer = call("squeue", &["--noheader", "--array", "--me", "--format=%F %K"])?;
        let read = |line: &str| {
            let (job, task) = line.trim().split_once(' ')?;
            let place = jobs.iter().position(|known| known.job == job)?;
            Some((place, task.parse().ok().filter(|task| *task > 0)?))
        };
        Ok(answer.lines().filter_map(read).collect())
    }

    fn limits(&self) -> Limits {
        let limit = |text: &str, key: &str| -> Option<usize> {
            let line = text.lines().find(|line| line.split('=').next().is_some_and(|name| name.trim() == key))?;
            line.split('=').nth(1)?.trim().parse().ok()
        };
        // Where the cluster does not say, its defaults are assumed; it refuses what is too much.
        let config = call("scontrol", &["show", "config"]).unwrap_or_default();
        let user = std::env::var("USER").unwrap_or_default();
        let query = ["--noheader", "--parsable2", "show", "assoc", &format!("user={user}"), "format=MaxSubmitJobs"];
        let own = call("sacctmgr", &query).unwrap_or_default();
        let own = own.lines().filter_map(|line| line.trim().parse().ok()).min();
        let jobs = limit(&config, "MaxJobCount");
        Limits { array: limit(&config, "MaxArraySize").unwrap_or(ARRAY), submitted: own.into_iter().chain(jobs).min() }
    }

    /// Writes the commands and the script of an array, and submits it; gives the call.
    fn submit(&self, worker: &Worker, group: &Group, tasks: &[Range<usize>], options: &Slurm) -> Result<String> {
        let number = (1..).find(|n| !self.path(*n, "commands").exists()).unwrap_or(1);
        let cpus = group.asked.cpus.unwrap_or(1);
        let part = |range: &Range<usize>| Part { range: Some(range.clone()), solvers: group.solvers.clone() };
        let lines = tasks.iter().map(|range| worker.line(&part(range), cpus) + "\n").collect::<String>();
        let commands = self.path(number, "commands");
        write(&commands, &lines)?;
        let list = super::quoted(&commands.display().to_string());
        let script = self.path(number, "sh");
        write(&script, &format!("#!/bin/sh\nexec sh -c \"$(sed -n \"${{SLURM_ARRAY_TASK_ID}}p\" {list})\"\n"))?;
        let mut arguments = vec![
            "--parsable".to_string(),
            format!("--array=1-{}", tasks.len()),
            "--job-name=isacopt".into(),
            format!("--output={}/%A_%a.out", self.folder.display()),
            format!("--cpus-per-task={cpus}"),
        ];
        arguments.extend(group.asked.memory.as_ref().map(|memory| format!("--mem={memory}")));
        if let Some(seconds) = group.asked.seconds {
            let runs = tasks.iter().map(|range| range.len()).max().unwrap_or(1) as f64;
            // Thrice what it takes about, and time to start.
            arguments.push(format!("--time={}", (3.0 * runs * seconds / 60.0).ceil() as u64 + 10));
        }
        arguments.extend(options.arguments.clone());
        arguments.push(script.display().to_string());
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        if !self.dry {
            let answer = call("sbatch", &words)?;
            let job = answer.trim().split(';').next().unwrap_or_default().to_string();
            let mut line = Vec::new();
            append_line(&Job { job, tasks: tasks.to_vec(), solvers: group.solvers.clone() }, &mut line)?;
            let path = self.folder.join("jobs.jsonl");
            let mut known = std::fs::read(&path).unwrap_or_default();
            known.extend(line);
            write(&path, &String::from_utf8_lossy(&known))?;
        }
        Ok(format!("sbatch {}", words.iter().map(|word| super::quoted(word)).collect::<Vec<_>>().join(" ")))
    }

    fn path(&self, number: u32, ending: &str) -> PathBuf {
        self.folder.join(format!("{number}.{ending}"))
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|e| Error::file("write", path, e))
}

/// What one of Slurm's programs answers.
fn call(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output().map_err(|e| Error::file("start", program, e))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
    Err(InputError::new("slurm", format!("`{program}`: {said}"), "a cluster that takes the job").into())
}
