//! `isacopt run`: an experiment from a config, on all cores, into a run folder.

use std::io::{IsTerminal, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::comparison::comparison;
use super::{cancel_on_interrupt, print};
use crate::config::Experiment;
use crate::error::Result;
use crate::report::{self, Study};
use crate::results::RunFolder;
use crate::runner::{Finished, Options, Plan, Progress, all_threads, default_folder, execute};
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
}

impl Arguments {
    /// A run of a config into a folder.
    pub(super) fn new(config: &Path, out: &Path, threads: Option<NonZeroUsize>, settings: &[String]) -> Self {
        let (config, out) = (config.to_path_buf(), Some(out.to_path_buf()));
        Self { config, out, threads, settings: settings.to_vec(), fresh: false }
    }
}

/// Runs the command. Gives whether all runs are done.
pub fn run(arguments: &Arguments) -> Result<bool> {
    let experiment = Experiment::read(&arguments.config, &arguments.settings)?;
    let plan = Plan::new(experiment)?;
    super::check::figures(&plan)?;
    let folder = arguments.out.clone().unwrap_or_else(|| default_folder(&plan.experiment.name));
    notes(&plan);
    let options = Options {
        threads: arguments.threads.map_or_else(all_threads, NonZeroUsize::get),
        fresh: arguments.fresh,
        cancel: cancel_on_interrupt(),
    };
    let watcher = Watcher::new();
    let finished = execute(&plan, &folder, &options, &|progress| watcher.observe(progress));
    watcher.end();
    let finished = finished?;
    summarize(&folder, &finished)?;
    Ok(finished.missing == 0)
}

fn notes(plan: &Plan) {
    for note in &plan.experiment.notes {
        say(&format!("note: {note}"));
    }
    for (solver, sweep, why) in plan.skipped() {
        say(&format!("note: `{solver}` is skipped{}: {why}", super::check::at(sweep)));
    }
}

fn summarize(folder: &Path, finished: &Finished) -> Result<()> {
    let study = Study::new(RunFolder::read(folder)?);
    if !study.folder.records.is_empty() {
        print(&comparison(&study))?;
    }
    let failed: Vec<_> = study.folder.records.iter().filter(|r| r.status == Status::Failed).collect();
    if let Some(first) = failed.first() {
        say(&format!("warning: {} runs failed; the first: `{}`: {}", failed.len(), first.solver, first.reason));
    }
    if finished.missing > 0 {
        say(&format!("stopped: {} runs are missing; the same command goes on with them", finished.missing));
    }
    let page = report::write(folder)?;
    let figures = report::draw(folder)?.map_or(String::new(), |path| format!("\nfigures  {}", path.display()));
    let found = if finished.found > 0 { format!(", {} were there already", finished.found) } else { String::new() };
    print(&format!(
        "{} runs done{found}\nresults  {}\nreport   {}{figures}",
        finished.ran,
        folder.display(),
        page.display()
    ))
}

/// Writes to standard error. Where it is closed, nobody is left to tell.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Progress on standard error: a bar on a terminal, else a line every few seconds.
struct Watcher {
    bar: Option<ProgressBar>,
    begun: Instant,
    said: Mutex<Instant>,
}

impl Watcher {
    fn new() -> Self {
        let begun = Instant::now();
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} runs, {elapsed} of {duration}  {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Self { bar, begun, said: Mutex::new(begun) }
    }

    fn observe(&self, progress: &Progress<'_>) {
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

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
