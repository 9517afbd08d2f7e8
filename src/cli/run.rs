//! `isacopt run`: an experiment from a config, on all cores, into a run folder.

use std::io::{IsTerminal, Write};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::comparison::comparison;
use super::{cancel_on_interrupt, print};
use crate::config::Experiment;
use crate::error::{Error, InputError, Result};
use crate::report::{self, Study};
use crate::results::RunFolder;
use crate::runner::{
    self, Finished, Options, Part, Plan, Processes, Progress, Worker, all_threads, default_folder, execute,
    execute_part, run_in_processes,
};
use crate::trace::Status;

/// Where nobody watches, a line at most so often.
const QUIET: Duration = Duration::from_secs(5);

/// Run an experiment: every solver on every trial at every point of the sweep
#[derive(Debug, Args)]
pub struct Arguments {
    /// The config, a TOML file
    config: PathBuf,
    /// The run folder; `runs/NAME` without it. A second start in it does only what is missing
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How many runs at a time; all cores without it. Results do not depend on it
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Set a key of the config, such as `scenario.users=8`, `solver.LABEL.max_iterations=20` or `trials.count=3`;
    /// VALUE is TOML or a bare word
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Repeat runs that are there already
    #[arg(long)]
    fresh: bool,
    /// Do only the runs A to B - 1 of the plan, beside any number of others at work in the same folder, and put nothing in
    /// order: the unit of every launcher (see `isacopt plan`)
    #[arg(long, value_name = "A..B", value_parser = range)]
    range: Option<Range<usize>>,
    /// Do only the runs of the solver with this label, as with --range; repeat for several
    #[arg(long = "solver", value_name = "LABEL")]
    solvers: Vec<String>,
    /// Run in so many processes at a time: a solver that crashes costs its process and no more
    #[arg(long, value_name = "N", conflicts_with_all = ["range", "solvers", "fresh"])]
    processes: Option<NonZeroUsize>,
    /// Run nothing: put in order and report what is there, while others may still be at work
    #[arg(long, conflicts_with_all = ["range", "solvers", "fresh", "processes"])]
    collect: bool,
    /// Stop at the end of standard input: a worker ends with its launcher
    #[arg(long, hide = true)]
    until_input_ends: bool,
}

/// Reads `A..B`.
fn range(text: &str) -> Result<Range<usize>, String> {
    let read = || {
        let (start, end) = text.split_once("..")?;
        Some(start.parse().ok()?..end.parse().ok()?)
    };
    read().filter(|range| range.start < range.end).ok_or_else(|| "write A..B, such as 0..100: B is left out".into())
}

impl Arguments {
    /// A run of a config into a folder.
    pub(super) fn new(config: &Path, out: &Path, threads: Option<NonZeroUsize>, settings: &[String]) -> Self {
        let (config, out) = (config.to_path_buf(), Some(out.to_path_buf()));
        Self {
            config,
            out,
            threads,
            settings: settings.to_vec(),
            fresh: false,
            range: None,
            solvers: Vec::new(),
            processes: None,
            collect: false,
            until_input_ends: false,
        }
    }
}

/// Runs the command. Gives whether all runs are done.
pub fn run(arguments: &Arguments) -> Result<bool> {
    let experiment = Experiment::read(&arguments.config, &arguments.settings)?;
    let plan = Plan::new(experiment)?;
    super::check::figures(&plan)?;
    let folder = arguments.out.clone().unwrap_or_else(|| default_folder(&plan.experiment.name));
    if arguments.collect {
        let there = runner::collect(&plan, &folder)?;
        summarize(&folder, &format!("{there} of {} runs are there", plan.runs.len()), None)?;
        return Ok(true);
    }
    let part = part(arguments, &plan)?;
    let options = Options {
        threads: arguments.threads.map_or_else(all_threads, NonZeroUsize::get),
        fresh: arguments.fresh,
        cancel: cancel_on_interrupt(),
    };
    if arguments.until_input_ends {
        let cancel = options.cancel.clone();
        std::thread::spawn(move || {
            // Whatever ends it, there is nobody left to work for.
            let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            cancel.set();
        });
    }
    let watcher = Watcher::new();
    let observe = |progress: &Progress<'_>| watcher.observe(progress);
    if let Some(part) = part {
        let finished = execute_part(&plan, &part, &folder, &options, &observe);
        watcher.end();
        let finished = finished?;
        print(&done(&finished))?;
        return Ok(finished.missing == 0);
    }
    notes(&plan);
    let finished = match arguments.processes {
        Some(count) => {
            let worker = worker(&arguments.config, &arguments.settings, &folder)?;
            let threads = arguments.threads.map_or(1, NonZeroUsize::get) as u64;
            let processes = Processes { count: count.get(), threads, cancel: options.cancel };
            run_in_processes(&plan, &worker, &processes, &observe)
        }
        None => execute(&plan, &folder, &options, &observe),
    };
    watcher.end();
    let finished = finished?;
    let stopped = (finished.missing > 0)
        .then(|| format!("stopped: {} runs are missing; the same command goes on with them", finished.missing));
    summarize(&folder, &done(&finished), stopped)?;
    Ok(finished.missing == 0)
}

fn done(finished: &Finished) -> String {
    let found = if finished.found > 0 { format!(", {} were there already", finished.found) } else { String::new() };
    format!("{} runs done{found}", finished.ran)
}

/// The part of the plan that was asked for; none for all of it.
fn part(arguments: &Arguments, plan: &Plan) -> Result<Option<Part>> {
    let labels = plan.experiment.cells.iter().take(1).flat_map(|c| &c.solvers).map(|s| s.label.as_str());
    for label in &arguments.solvers {
        if !labels.clone().any(|known| known == label) {
            return Err(InputError::unknown("--solver", label, labels).into());
        }
    }
    if let Some(range) = arguments.range.as_ref().filter(|range| range.end > plan.runs.len()) {
        let allowed = format!("places up to {}: the plan has so many runs", plan.runs.len());
        return Err(InputError::new("--range", format!("{}..{}", range.start, range.end), allowed).into());
    }
    let part = Part { range: arguments.range.clone(), solvers: arguments.solvers.clone() };
    Ok((part != Part::default()).then_some(part))
}

/// How a worker of this program is called, from whatever folder.
pub fn worker(config: &Path, settings: &[String], folder: &Path) -> Result<Worker> {
    let absolute = |path: &Path| std::path::absolute(path).map_err(|e| Error::file("find", path, e));
    // Another program may stand in for this one: a wrapper that loads modules or starts a container.
    let program = match std::env::var_os("ISACOPT_PROGRAM") {
        Some(program) => PathBuf::from(program),
        None => std::env::current_exe().map_err(|e| Error::file("find", "the program", e))?,
    };
    Ok(Worker { program, config: absolute(config)?, settings: settings.to_vec(), folder: absolute(folder)? })
}

fn notes(plan: &Plan) {
    for note in &plan.experiment.notes {
        say(&format!("note: {note}"));
    }
    for (solver, sweep, why) in plan.skipped() {
        say(&format!("note: `{solver}` is skipped{}: {why}", super::check::at(sweep)));
    }
}

/// The table, the page and the figures of what is there.
pub fn summarize(folder: &Path, words: &str, stopped: Option<String>) -> Result<()> {
    let study = Study::new(RunFolder::without_designs(folder)?);
    if !study.folder.records.is_empty() {
        print(&comparison(&study))?;
    }
    let failed: Vec<_> = study.folder.records.iter().filter(|r| r.status == Status::Failed).collect();
    if let Some(first) = failed.first() {
        say(&format!("warning: {} runs failed; the first: `{}`: {}", failed.len(), first.solver, first.reason));
    }
    if let Some(stopped) = stopped {
        say(&stopped);
    }
    print(&format!("{words}\n{}", write_pages(&study)?))
}

/// Writes the figures and the page of a run folder, and tells where they are.
pub fn write_pages(study: &Study) -> Result<String> {
    // The page links to the figures that are there.
    let figures = report::draw_study(study)?.map_or(String::new(), |path| format!("\nfigures  {}", path.display()));
    let page = report::write_study(study)?;
    Ok(format!("results  {}\nreport   {}{figures}", study.folder.path.display(), page.display()))
}

/// Writes to standard error. Where it is closed, nobody is left to tell.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Progress on standard error: a bar on a terminal, else a line every few seconds.
pub struct Watcher {
    bar: Option<ProgressBar>,
    begun: Instant,
    said: Mutex<Instant>,
}

impl Watcher {
    /// Begins to watch.
    pub fn new() -> Self {
        let begun = Instant::now();
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} runs, {elapsed} of {duration}  {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Self { bar, begun, said: Mutex::new(begun) }
    }

    /// Tells how far it is.
    pub fn observe(&self, progress: &Progress<'_>) {
        let last = progress.last.map_or(String::new(), |r| {
            format!("{}{}, trial {}: {}", r.solver, super::check::at(&r.sweep), r.trial, r.status.name())
        });
        if let Some(bar) = &self.bar {
            if progress.last.is_none() {
                bar.set_length(progress.total as u64);
                // The time that is left is reckoned from the runs done now.
                bar.reset_eta();
            }
            bar.set_position(progress.done as u64);
            bar.set_message(last);
            return;
        }
        let mut said = self.said.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let ended = progress.done == progress.total && progress.last.is_some();
        if said.elapsed() < QUIET && !ended {
            return;
        }
        *said = Instant::now();
        let spent = self.begun.elapsed().as_secs_f64();
        let new = progress.done.saturating_sub(progress.found).max(1) as f64;
        let left = spent / new * progress.total.saturating_sub(progress.done) as f64;
        let (done, total) = (progress.done, progress.total);
        say(&format!("{done} of {total} runs, {spent:.0} s, about {left:.0} s left; {last}"));
    }

    /// Clears the bar away.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
