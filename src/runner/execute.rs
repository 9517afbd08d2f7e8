//! Carrying out a plan on several threads. Threads take runs in the order of the plan; what a run leaves behind does
//! not depend on which thread took it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::environment::environment;
use super::plan::{Plan, Planned};
use super::single::{Drawn, Ended, Single};
use super::store::{Store, Writer};
use crate::error::{Error, Result};
use crate::optimizer::Cancel;
use crate::results::{RunRecord, layout};

/// How to carry out a plan.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many runs at a time, at least 1.
    pub threads: usize,
    /// Whether to repeat runs that are there already.
    pub fresh: bool,
    /// The flag that stops it.
    pub cancel: Cancel,
}

/// A part of a plan: what one of several processes does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Runs by their place in the plan; all without it.
    pub range: Option<Range<usize>>,
    /// Only runs of the solvers with these labels; of all where there are none.
    pub solvers: Vec<String>,
}

impl Part {
    /// The runs of a plan that belong to it, with their place in the plan.
    pub fn of<'a>(&self, plan: &'a Plan) -> impl Iterator<Item = (usize, &'a Planned)> {
        let range = self.range.clone().unwrap_or(0..plan.runs.len());
        let solvers = self.solvers.clone();
        plan.runs.iter().enumerate().filter(move |(place, run)| {
            let label = || &plan.experiment.cells[run.cell].solvers[run.solver].label;
            range.contains(place) && (solvers.is_empty() || solvers.contains(label()))
        })
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// Runs that are there, those of an earlier start included.
    pub done: usize,
    /// Runs that were there when it began.
    pub found: usize,
    /// All runs.
    pub total: usize,
    /// The run that ended last; none at the beginning.
    pub last: Option<&'a RunRecord>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Runs done now.
    pub ran: usize,
    /// Runs that were there already.
    pub found: usize,
    /// Runs that are missing, because someone stopped it.
    pub missing: usize,
}

/// Carries out a plan in a run folder. `observe` hears of every finished run, one at a time.
///
/// # Errors
/// Where the folder cannot be written; runs that were finished before stay there.
pub fn execute(
    plan: &Plan,
    folder: &Path,
    options: &Options,
    observe: &(dyn Fn(&Progress<'_>) + Sync),
) -> Result<Finished> {
    let store = Store::open(folder)?;
    let _held = store.hold()?;
    let finished = carry_out(plan, &Part::default(), &store, options, observe)?;
    store.collect(plan)?;
    Ok(finished)
}

/// Carries out a part of a plan, beside any number of other processes at work in the same folder. Nothing is put in
/// order: [`Store::collect`] does that.
///
/// # Errors
/// As [`execute`].
pub fn execute_part(
    plan: &Plan,
    part: &Part,
    folder: &Path,
    options: &Options,
    observe: &(dyn Fn(&Progress<'_>) + Sync),
) -> Result<Finished> {
    carry_out(plan, part, &Store::open(folder)?, options, observe)
}

/// Puts what is there of a plan in order, and runs nothing; others may be at work. Gives how many of its runs are there.
///
/// # Errors
/// Where the folder cannot be read or written.
pub fn collect(plan: &Plan, folder: &Path) -> Result<usize> {
    let store = Store::open(folder)?;
    describe(plan, &store, 1, true, false)?;
    store.collect(plan)
}

/// Writes what a folder says of a plan beside its results. Of parts the first says it for all: their config is the same.
pub(super) fn describe(plan: &Plan, store: &Store, threads: usize, whole: bool, runs: bool) -> Result<()> {
    if whole || !store.has(layout::CONFIG) {
        store.write(layout::CONFIG, &plan.experiment.to_toml())?;
        store.write_json("cells.json", &plan.cells_json())?;
    }
    if whole && runs || !store.has(layout::ENVIRONMENT) {
        store.write_json(layout::ENVIRONMENT, &environment(plan, threads))?;
    }
    Ok(())
}

/// What plugins write to their standard error goes into the folder.
fn open_plugin_logs(plan: &Plan, store: &Store) {
    for plugin in plan.experiment.plugins.iter() {
        if let Some(log) = plugin.backend().log() {
            let letters = plugin.manifest().name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
            log.open(&store.folder().join("plugins").join(format!("{}.log", letters.collect::<String>())));
        }
    }
}

fn carry_out(
    plan: &Plan,
    part: &Part,
    store: &Store,
    options: &Options,
    observe: &(dyn Fn(&Progress<'_>) + Sync),
) -> Result<Finished> {
    let finished = store.finished()?;
    let runs: Vec<&Planned> = part.of(plan).map(|(_, run)| run).collect();
    let is_done = |run: &Planned| !options.fresh && finished.contains(&run.id);
    let mut missing: Vec<(&Planned, Arc<Drawn>)> = Vec::new();
    let mut planned = BTreeSet::new();
    let mut copies = BTreeMap::new();
    let mut group: Option<((usize, u64), Arc<Drawn>)> = None;
    for run in runs.iter().filter(|run| !is_done(run)) {
        let key = (run.cell, run.trial);
        let drawn = match &group {
            Some((known, drawn)) if *known == key => Arc::clone(drawn),
            _ => Arc::new(Drawn::default()),
        };
        group = Some((key, Arc::clone(&drawn)));
        *copies.entry(run.id.as_str()).or_insert(0usize) += 1;
        // Equal runs of different cells are done once.
        if planned.insert(run.id.as_str()) {
            missing.push((run, drawn));
        }
    }
    drop((group, planned));
    let found = runs.iter().filter(|run| is_done(run)).count();
    let whole = *part == Part::default();
    describe(plan, store, options.threads, whole, !missing.is_empty())?;
    open_plugin_logs(plan, store);
    drop(finished);
    let total = runs.len();
    observe(&Progress { done: found, found, total, last: None });
    let threads = options.threads.clamp(1, missing.len().max(1));
    let shared = Shared {
        single: Single { plan, cancel: &options.cancel },
        queue: Mutex::new(missing.into_iter()),
        state: Mutex::new(State { writer: store.writer()?, done: found, error: None }),
        copies: &copies,
        found,
        total,
        observe,
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| shared.work());
        }
    });
    let State { writer, done, error } = shared.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    let synced = writer.finish();
    if let Some(error) = error {
        return Err(error);
    }
    synced?;
    Ok(Finished { ran: done - found, found, missing: total - done })
}

struct State {
    writer: Writer,
    done: usize,
    error: Option<Error>,
}

struct Shared<'a> {
    single: Single<'a>,
    queue: Mutex<std::vec::IntoIter<(&'a Planned, Arc<Drawn>)>>,
    state: Mutex<State>,
    copies: &'a BTreeMap<&'a str, usize>,
    found: usize,
    total: usize,
    observe: &'a (dyn Fn(&Progress<'_>) + Sync),
}

impl Shared<'_> {
    fn work(&self) {
        loop {
            if self.single.cancel.is_set() || self.state().error.is_some() {
                return;
            }
            let next = self.queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((run, drawn)) = next else { return };
            let Some(Ended { record, timing, trace }) = self.single.end(run, &drawn) else { return };
            let mut state = self.state();
            if state.error.is_some() {
                return;
            }
            if let Err(error) = state.writer.append(&record, &timing, &trace) {
                state.error = Some(error);
                self.single.cancel.set();
                return;
            }
            state.done += self.copies.get(run.id.as_str()).copied().unwrap_or(1);
            let (done, total) = (state.done, self.total);
            (self.observe)(&Progress { done, found: self.found, total, last: Some(&record) });
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A thread that panicked while it held the lock left no half-written state: the store appends whole lines.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number of threads that the machine has.
pub fn all_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The folder that an experiment runs in where none is given: `runs/` and its name in small letters and dashes.
pub fn default_folder(name: &str) -> std::path::PathBuf {
    let letters = name.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect::<String>();
    let words: Vec<&str> = letters.split('-').filter(|word| !word.is_empty()).collect();
    let slug = if words.is_empty() { "experiment".to_string() } else { words.join("-") };
    Path::new("runs").join(slug)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Experiment;
    use crate::results::RunFolder;

    const CONFIG: &str = r#"
[scenario]
type = "toy_for_tests"

[[solver]]
type = "random_search"
max_evaluations = 300

[[solver]]
type = "equal_shares"

[sweep]
"scenario.power" = [1, 2]
"solver.random_search.max_evaluations" = [100, 200]

[trials]
count = 3
"#;

    struct Bench {
        folder: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().unwrap() }
        }
        fn out(&self) -> std::path::PathBuf {
            self.folder.path().join("out")
        }
        fn plan(&self, text: &str) -> Result<Plan> {
            let path = self.folder.path().join("e.toml");
            std::fs::write(&path, text).unwrap();
            Plan::new(Experiment::read(&path, &[])?)
        }
        fn run(&self, text: &str, threads: usize) -> Finished {
            let options = Options { threads, fresh: false, cancel: Cancel::default() };
            execute(&self.plan(text).unwrap(), &self.out(), &options, &|_| {}).unwrap()
        }
        fn results(&self) -> String {
            std::fs::read_to_string(self.out().join("results.jsonl")).unwrap()
        }
    }

    #[test]
    fn results_are_the_same_bytes_whatever_the_threads() {
        let (one, three) = (Bench::new(), Bench::new());
        let finished = one.run(CONFIG, 1);
        assert_eq!((finished.ran, finished.found, finished.missing), (24, 0, 0));
        three.run(CONFIG, 3);
        assert_eq!(one.results(), three.results());
        let read = RunFolder::read(&one.out()).unwrap();
        let places: Vec<_> = read.records.iter().map(|r| (r.cell, r.trial, r.solver.clone())).collect();
        let mut expected = Vec::new();
        for cell in 0..4 {
            for trial in 0..3 {
                expected.extend(["random_search", "equal_shares"].map(|s| (cell, trial, s.to_string())));
            }
        }
        assert_eq!(places, expected);
        assert!(read.records.iter().all(|r| r.bound.is_some() && r.feasible && r.metrics.len() == 3));
        // Equal runs are done once: equal_shares does not know the swept evaluations.
        assert_eq!(read.records[1].run, read.records[7].run);
        assert_ne!(read.records[0].run, read.records[6].run);
        assert_eq!(read.times.len(), 12 + 6);
        let light = RunFolder::without_designs(&one.out()).unwrap();
        let sizes = |all: &[RunRecord]| all.iter().map(|r| r.dimension().unwrap()).collect::<Vec<_>>();
        assert!(read.records.iter().all(|r| r.design.as_ref().is_some_and(serde_json::Value::is_object)));
        assert!(light.records.iter().all(|r| r.design.as_ref().is_some_and(serde_json::Value::is_number)));
        assert_eq!(sizes(&light.records), sizes(&read.records));
        assert!(!read.trace(&read.records[0].run).unwrap().is_empty());
    }

    #[test]
    fn a_second_start_does_only_what_is_missing() {
        let bench = Bench::new();
        bench.run(CONFIG, 2);
        let first = bench.results();
        let again = bench.run(CONFIG, 2);
        assert_eq!((again.ran, again.found), (0, 24));
        assert_eq!(bench.results(), first);
        // A further trial, and another label, need only the new runs.
        let more =
            CONFIG.replace("count = 3", "count = 4").replace("\"equal_shares\"", "\"equal_shares\"\nlabel = \"same\"");
        let grown = bench.run(&more, 2);
        assert_eq!((grown.ran, grown.found), (8, 24));
        assert!(bench.results().contains("\"solver\":\"same\""));
        // What the plan leaves out is kept, and used again.
        bench.run(&CONFIG.replace("[1, 2]", "[1]").replace("[100, 200]", "[100]"), 1);
        assert_eq!(bench.results().lines().count(), 6);
        let back = bench.run(CONFIG, 1);
        assert_eq!((back.ran, back.found), (0, 24));
        assert_eq!(bench.results(), first);
    }

    const MONTE_CARLO: &str = "
[simulate]
metrics = [\"rate\", \"sum_rate\"]
draws = 50

[estimate]
estimators = [\"power_meter\"]
trials = 40
";

    fn error_of_power(record: &RunRecord) -> f64 {
        let (name, drawn) = record.metrics.get("transmit_power").unwrap().estimated().next().unwrap();
        assert_eq!(name, "power_meter");
        drawn.value[0]
    }

    #[test]
    fn monte_carlo_stands_beside_the_metrics_and_is_part_of_the_address() {
        let (one, three) = (Bench::new(), Bench::new());
        let text = format!("{CONFIG}{MONTE_CARLO}");
        one.run(&text, 1);
        three.run(&text, 3);
        assert_eq!(one.results(), three.results());
        let read = RunFolder::read(&one.out()).unwrap();
        for record in &read.records {
            let metric = |id: &str| record.metrics.get(id).unwrap();
            let (rate, simulated) = (metric("rate"), metric("rate").simulated().unwrap());
            assert_eq!((rate.entries().len(), simulated.draws), (3, 50));
            // 36 different entries of all runs: |z| < 5 but for one chance in 5e4.
            for ((value, simulated), error) in rate.entries().iter().zip(simulated.value).zip(simulated.standard_error)
            {
                assert!((value - simulated).abs() < 5.0 * error && *error < 0.01, "{rate:?}");
                assert_ne!(value, simulated);
            }
            assert!(metric("sum_rate").simulated().unwrap().standard_error[0] > 0.0);
            assert!(metric("transmit_power").simulated().is_none());
            let error = error_of_power(record);
            let shares = record.design.as_ref().unwrap()["communication_power"].as_array().unwrap();
            let expected: f64 = shares.iter().map(|p| 1e-4 * p.as_f64().unwrap().powi(2)).sum();
            // A mean of 40 squares of normals.
            assert!((error / expected - 1.0).abs() < 1.2, "{error} {expected}");
        }
        // Solvers and cells share their draws: equal shares of double the power flicker by the same ratios.
        let shares: Vec<f64> =
            read.records.iter().filter(|r| r.trial == 1 && r.solver == "equal_shares").map(error_of_power).collect();
        assert!((shares[2] / shares[0] - 4.0).abs() < 1e-9, "{shares:?}");
        let again = one.run(&text, 2);
        assert_eq!((again.ran, again.found), (0, 24));
        // Other draws are other results, and so is none; the plain runs' addresses stay what they were.
        assert_eq!(one.run(&text.replace("draws = 50", "draws = 60"), 2).ran, 24);
        assert_eq!(one.run(CONFIG, 2).ran, 24);
        let plain = Bench::new();
        plain.run(CONFIG, 1);
        assert_eq!(plain.results(), one.results());
    }

    #[test]
    fn a_torn_line_costs_one_run() {
        let bench = Bench::new();
        bench.run(CONFIG, 1);
        let whole = bench.results();
        let path = bench.out().join("results.jsonl");
        std::fs::write(&path, &whole[..whole.len() - 30]).unwrap();
        // The torn run is one of cell 3 that stands in cell 2 as well, or in one cell only.
        let again = bench.run(CONFIG, 1);
        assert!(again.ran <= 1 && again.found >= 23, "{again:?}");
        assert_eq!(bench.results(), whole);
    }

    #[test]
    fn another_folder_or_process_is_not_disturbed() {
        let bench = Bench::new();
        let plan = bench.plan(CONFIG).unwrap();
        let options = Options { threads: 1, fresh: false, cancel: Cancel::default() };
        let attempt = |out: &Path| execute(&plan, out, &options, &|_| {}).unwrap_err().to_string();
        assert!(attempt(bench.folder.path()).contains("holds other files"));
        assert!(attempt(&bench.folder.path().join("e.toml")).contains("cannot create"));
        let held = Store::open(&bench.out()).unwrap().hold().unwrap();
        assert!(attempt(&bench.out()).contains("another isacopt"));
        drop(held);
        execute(&plan, &bench.out(), &options, &|_| {}).unwrap();
    }

    #[test]
    fn a_cancelled_start_keeps_what_is_finished() {
        let bench = Bench::new();
        let plan = bench.plan(CONFIG).unwrap();
        let options = Options { threads: 1, fresh: false, cancel: Cancel::default() };
        let stop = |progress: &Progress<'_>| {
            if progress.done >= 5 {
                options.cancel.set();
            }
        };
        let finished = execute(&plan, &bench.out(), &options, &stop).unwrap();
        assert!(finished.missing > 0 && finished.ran >= 5, "{finished:?}");
        assert_eq!(bench.results().lines().count(), finished.ran);
        bench.run(CONFIG, 2);
        let whole = Bench::new();
        whole.run(CONFIG, 1);
        assert_eq!(bench.results(), whole.results());
    }

    #[test]
    fn a_solver_that_fits_no_cell_is_refused_and_one_that_fits_some_is_skipped() {
        let bench = Bench::new();
        let none = CONFIG.replace("\"equal_shares\"", "\"exact\"");
        let message = bench.plan(&none).unwrap_err().to_string();
        assert!(
            message.contains("e.toml:10: `solver[1].type`: found `exact`, which cannot serve this problem"),
            "{message}"
        );
        assert!(message.contains("random_search") && message.contains("equal_shares"), "{message}");
    }

    #[test]
    fn folders_are_named_after_the_experiment() {
        assert_eq!(default_folder("monostatic: sum rate, SNR"), Path::new("runs").join("monostatic-sum-rate-snr"));
        assert_eq!(default_folder("../.."), Path::new("runs").join("experiment"));
    }
}
