//! Carrying out a plan on several threads. Threads take runs in the order of the plan; what a run leaves behind does
//! not depend on which thread took it.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::Map;

use super::environment::environment;
use super::monte_carlo;
use super::plan::{Plan, Planned};
use super::store::Store;
use crate::config::{Cell, Trial};
use crate::driver::Run;
use crate::error::{Error, Result};
use crate::math::RandomStream;
use crate::optimizer::Cancel;
use crate::plugin::Plugin;
use crate::results::{ObjectiveValue, PluginOrigin, RunRecord};
use crate::structure::ProvenBound;
use crate::trace::{Outcome, Status};

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
    let mut store = Store::open(folder)?;
    let runs = &plan.runs;
    let is_done = |store: &Store, run: &Planned| !options.fresh && store.get(&run.id).is_some();
    let mut missing: Vec<(&Planned, Arc<Drawn>)> = Vec::new();
    let mut planned = std::collections::BTreeSet::new();
    let mut group: Option<((usize, u64), Arc<Drawn>)> = None;
    for run in runs.iter().filter(|run| !is_done(&store, run)) {
        let key = (run.cell, run.trial);
        let drawn = match &group {
            Some((known, drawn)) if *known == key => Arc::clone(drawn),
            _ => Arc::new(Drawn::default()),
        };
        group = Some((key, Arc::clone(&drawn)));
        // Equal runs of different cells are done once.
        if planned.insert(run.id.as_str()) {
            missing.push((run, drawn));
        }
    }
    drop(group);
    let found = runs.iter().filter(|run| is_done(&store, run)).count();
    store.write("config.toml", &plan.experiment.to_toml())?;
    store.write_json("cells.json", &plan.cells_json())?;
    if !missing.is_empty() || !store.has("environment.json") {
        store.write_json("environment.json", &environment(plan, options.threads))?;
    }
    for plugin in plan.experiment.plugins.iter() {
        if let Some(log) = plugin.backend().log() {
            let letters = plugin.manifest().name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
            log.open(&folder.join("plugins").join(format!("{}.log", letters.collect::<String>())));
        }
    }
    observe(&Progress { done: found, found, total: runs.len(), last: None });
    let copies = runs.iter().filter(|run| !is_done(&store, run)).fold(BTreeMap::new(), |mut copies, run| {
        *copies.entry(run.id.as_str()).or_insert(0usize) += 1;
        copies
    });
    let threads = options.threads.clamp(1, missing.len().max(1));
    let shared = Shared {
        plan,
        cancel: &options.cancel,
        queue: Mutex::new(missing.into_iter()),
        state: Mutex::new(State { store: &mut store, done: found, error: None }),
        copies: &copies,
        found,
        observe,
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| shared.work());
        }
    });
    let State { done, error, .. } = shared.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(error) = error {
        return Err(error);
    }
    let records: Vec<RunRecord> = runs.iter().filter_map(|run| Some(placed(plan, run, store.get(&run.id)?))).collect();
    store.finish(&records)?;
    Ok(Finished { ran: done - found, found, missing: runs.len() - done })
}

/// The drawn system of one trial of one cell, shared by its solvers; drawn by the first of them.
#[derive(Default)]
struct Drawn(OnceLock<Result<(Trial, Option<ProvenBound>), String>>);

struct State<'a> {
    store: &'a mut Store,
    done: usize,
    error: Option<Error>,
}

struct Shared<'a> {
    plan: &'a Plan,
    cancel: &'a Cancel,
    queue: Mutex<std::vec::IntoIter<(&'a Planned, Arc<Drawn>)>>,
    state: Mutex<State<'a>>,
    copies: &'a BTreeMap<&'a str, usize>,
    found: usize,
    observe: &'a (dyn Fn(&Progress<'_>) + Sync),
}

impl<'a> Shared<'a> {
    fn work(&self) {
        loop {
            if self.cancel.is_set() || self.state().error.is_some() {
                return;
            }
            let next = self.queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((run, drawn)) = next else { return };
            let ended = catch_unwind(AssertUnwindSafe(|| self.run(run, &drawn)));
            let outcome = ended.unwrap_or_else(|panic| {
                let words = panic.downcast_ref::<&str>().map(ToString::to_string);
                let words = words.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
                Outcome::without_design(Status::Failed, format!("the solver panicked: {words}"))
            });
            // A step that was cut short may look like one that made no progress: such a run does not count.
            if outcome.status == Status::Interrupted || self.cancel.is_set() {
                return;
            }
            let mut record = self.record(run, &drawn, &outcome);
            self.simulate(run, &drawn, &outcome, &mut record);
            // Cut short, it has only some of its draws.
            if self.cancel.is_set() {
                return;
            }
            let mut state = self.state();
            if state.error.is_some() {
                return;
            }
            if let Err(error) = state.store.append(record.clone(), outcome.time, &outcome.trace) {
                state.error = Some(error);
                self.cancel.set();
                return;
            }
            state.done += self.copies.get(run.id.as_str()).copied().unwrap_or(1);
            let (done, total) = (state.done, self.plan.runs.len());
            (self.observe)(&Progress { done, found: self.found, total, last: Some(&record) });
        }
    }

    fn state(&self) -> MutexGuard<'_, State<'a>> {
        // A thread that panicked while it held the lock left no half-written state: the store appends whole lines.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cell(&self, run: &Planned) -> &Cell {
        &self.plan.experiment.cells[run.cell]
    }

    fn run(&self, run: &Planned, drawn: &Drawn) -> Outcome {
        let failed = |error: Error| Outcome::without_design(Status::Failed, error.to_string());
        if let Some(why) = &self.plan.cells[run.cell].refusals[run.solver] {
            return Outcome::without_design(Status::Skipped, why.clone());
        }
        let seed = self.plan.experiment.seed;
        let drawn = drawn.0.get_or_init(|| {
            let trial = self.cell(run).draw(seed, run.trial).map_err(|e| e.to_string())?;
            // A bound that cannot be computed is no bound.
            let bound =
                trial.problem.structure().bound.as_ref().ok().and_then(|factory| factory().bound().ok().flatten());
            Ok((trial, bound))
        });
        let (trial, bound) = match drawn {
            Ok((trial, bound)) => (trial, bound),
            Err(why) => return Outcome::without_design(Status::Failed, why.clone()),
        };
        let solver = &self.cell(run).solvers[run.solver];
        let start = match solver.start.as_deref().map(|name| trial.start(name)).transpose() {
            Ok(start) => start,
            Err(error) => return failed(error),
        };
        let random = RandomStream::solver(seed, run.trial);
        let drive = Run {
            start,
            rules: solver.rules.clone(),
            cancel: self.cancel.clone(),
            bound: bound.clone(),
            ..Run::new(solver.optimizer.as_ref(), Arc::clone(&trial.problem), random)
        };
        match drive.drive(&mut |_| {}) {
            Ok(outcome) => outcome,
            Err(Error::Refused { reason, .. }) => Outcome::without_design(Status::Skipped, reason),
            Err(error) => failed(error),
        }
    }

    /// Adds the Monte-Carlo figures that the config asks for. A simulation that fails is told in the record's reason.
    fn simulate(&self, run: &Planned, drawn: &Drawn, outcome: &Outcome, record: &mut RunRecord) {
        let (Some(design), Some(Ok((trial, _)))) = (&outcome.design, drawn.0.get()) else { return };
        let (experiment, model) = (&self.plan.experiment, trial.problem.model().as_ref());
        let attach = || {
            let mut metrics = record.metrics.clone();
            monte_carlo::attach(experiment, model, design, run.trial, self.cancel, &mut metrics).map(|()| metrics)
        };
        match catch_unwind(AssertUnwindSafe(attach)) {
            Ok(Ok(metrics)) => record.metrics = metrics,
            Ok(Err(error)) => record.reason += &format!("; not simulated: {error}"),
            Err(_) => record.reason += "; not simulated: the simulation panicked",
        }
    }

    fn record(&self, run: &Planned, drawn: &Drawn, outcome: &Outcome) -> RunRecord {
        let cell = &self.plan.cells[run.cell];
        let mut metrics = Map::new();
        let mut design = None;
        if let (Some(found), Some(Ok((trial, _)))) = (&outcome.design, drawn.0.get()) {
            let model = trial.problem.model();
            design = Some(model.space().to_json(found));
            let mut judge = trial.problem.evaluator();
            if let Ok(values) = judge.metrics(found) {
                let infos = model.metrics().iter().enumerate();
                metrics = infos.map(|(i, info)| (info.id.clone(), values.to_json(i, info))).collect();
            }
        }
        let objective = ObjectiveValue {
            metric: cell.objective.clone(),
            value: outcome.objective,
            direction: cell.direction,
            unit: cell.unit.clone(),
        };
        let record = RunRecord {
            run: run.id.clone(),
            cell: run.cell,
            sweep: Map::new(),
            trial: run.trial,
            instance: None,
            solver: String::new(),
            type_name: String::new(),
            plugin: self.cell(run).solvers[run.solver].plugin.as_ref().map(origin),
            status: outcome.status,
            reason: outcome.reason.clone(),
            objective,
            feasible: outcome.feasible(),
            violation: outcome.violation,
            bound: outcome.bound,
            bound_scope: (outcome.bound_restricted && outcome.bound.is_some()).then(|| "restricted".to_string()),
            gap: outcome.gap,
            iterations: outcome.iterations,
            evaluations: outcome.evaluations,
            metrics,
            design,
            certificate: outcome.certificate.clone(),
        };
        placed(self.plan, run, &record)
    }
}

/// Where a plugin is from, for the record.
fn origin(plugin: &Plugin) -> PluginOrigin {
    let (location, manifest) = (plugin.location(), plugin.manifest());
    PluginOrigin {
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        path: location.path.display().to_string(),
        sha256: location.sha256.clone(),
        tier: location.tier.name().into(),
    }
}

/// A result with its place in the plan: one result may stand in several places, and under another label than before.
fn placed(plan: &Plan, run: &Planned, record: &RunRecord) -> RunRecord {
    let cell = &plan.experiment.cells[run.cell];
    let solver = &cell.solvers[run.solver];
    RunRecord {
        cell: run.cell,
        sweep: cell.sweep.clone(),
        trial: run.trial,
        instance: cell.system.instance(run.trial).map(|source| source.name.clone()),
        solver: solver.label.clone(),
        type_name: solver.type_name.clone(),
        ..record.clone()
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

    #[test]
    fn monte_carlo_stands_beside_the_metrics_and_is_part_of_the_address() {
        let (one, three) = (Bench::new(), Bench::new());
        let text = format!("{CONFIG}{MONTE_CARLO}");
        one.run(&text, 1);
        three.run(&text, 3);
        assert_eq!(one.results(), three.results());
        let read = RunFolder::read(&one.out()).unwrap();
        for record in &read.records {
            let rate = &record.metrics["rate"];
            let numbers = |value: &serde_json::Value| -> Vec<f64> {
                value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
            };
            let (value, simulated) = (numbers(&rate["value"]), numbers(&rate["simulated"]["value"]));
            let errors = numbers(&rate["simulated"]["standard_error"]);
            assert_eq!((value.len(), rate["simulated"]["draws"].as_u64()), (3, Some(50)));
            // 36 different entries of all runs: |z| < 5 but for one chance in 5e4.
            for ((value, simulated), error) in value.iter().zip(&simulated).zip(&errors) {
                assert!((value - simulated).abs() < 5.0 * error && *error < 0.01, "{rate}");
                assert_ne!(value, simulated);
            }
            assert!(record.metrics["sum_rate"]["simulated"]["standard_error"].as_f64().unwrap() > 0.0);
            let power = &record.metrics["transmit_power"];
            assert!(power.get("simulated").is_none());
            let error = power["estimated"]["power_meter"]["value"].as_f64().unwrap();
            let shares = record.design.as_ref().unwrap()["communication_power"].as_array().unwrap();
            let expected: f64 = shares.iter().map(|p| 1e-4 * p.as_f64().unwrap().powi(2)).sum();
            // A mean of 40 squares of normals.
            assert!((error / expected - 1.0).abs() < 1.2, "{error} {expected}");
        }
        // Solvers and cells share their draws: equal shares of double the power flicker by the same ratios.
        let shares: Vec<f64> = read
            .records
            .iter()
            .filter(|r| r.trial == 1 && r.solver == "equal_shares")
            .map(|r| r.metrics["transmit_power"]["estimated"]["power_meter"]["value"].as_f64().unwrap())
            .collect();
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
        let held = Store::open(&bench.out()).unwrap();
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
