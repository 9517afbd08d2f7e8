//! One run of a plan: its system drawn, its solver driven, its result recorded.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use serde_json::Map;

use super::monte_carlo;
use super::plan::{Plan, Planned, placed};
use super::timing;
use crate::config::{Cell, Trial};
use crate::driver::Run;
use crate::error::{Error, Result};
use crate::math::RandomStream;
use crate::optimizer::Cancel;
use crate::plugin::Plugin;
use crate::results::{Metrics, ObjectiveValue, PluginOrigin, RunRecord, Timing};
use crate::structure::ProvenBound;
use crate::trace::{Outcome, Record, Status};

/// The drawn system of one trial of one cell, shared by its solvers; drawn by the first of them.
#[derive(Default)]
pub(super) struct Drawn(OnceLock<Result<(Trial, Option<ProvenBound>), String>>);

/// What a run left behind.
pub(super) struct Ended {
    /// Its result.
    pub record: RunRecord,
    /// Its time.
    pub timing: Timing,
    /// Its iterations.
    pub trace: Vec<Record>,
}

/// What does the runs of a plan, one at a time.
pub(super) struct Single<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The flag that stops it.
    pub cancel: &'a Cancel,
}

impl Single<'_> {
    /// Does a run; nothing where it was stopped on the way.
    pub fn end(&self, run: &Planned, drawn: &Drawn) -> Option<Ended> {
        let outcome = self.guarded(run, drawn);
        // A step that was cut short may look like one that made no progress: such a run does not count.
        if outcome.status == Status::Interrupted || self.cancel.is_set() {
            return None;
        }
        let mut record = self.record(run, drawn, &outcome);
        self.simulate(run, drawn, &outcome, &mut record);
        let mut timing = Timing { run: run.id.clone(), time_s: outcome.time, ..Timing::default() };
        if self.plan.experiment.timing.repeats() && timing::repeatable(&outcome) {
            timing::repeat(&mut timing, &mut || Some(self.guarded(run, drawn)).filter(|_| !self.cancel.is_set()));
        }
        timing.processor = super::environment::processor().map(str::to_string);
        // Cut short, it has only some of its draws.
        (!self.cancel.is_set()).then_some(Ended { record, timing, trace: outcome.trace })
    }

    fn guarded(&self, run: &Planned, drawn: &Drawn) -> Outcome {
        catch_unwind(AssertUnwindSafe(|| self.run(run, drawn))).unwrap_or_else(|panic| {
            let words = panic.downcast_ref::<&str>().map(ToString::to_string);
            let words = words.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            Outcome::without_design(Status::Failed, format!("the solver panicked: {words}"))
        })
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
        let mut metrics = Metrics::default();
        let mut design = None;
        if let (Some(found), Some(Ok((trial, _)))) = (&outcome.design, drawn.0.get()) {
            let model = trial.problem.model();
            design = Some(model.space().to_json(found));
            let mut judge = trial.problem.evaluator();
            if let Ok(values) = judge.metrics(found) {
                metrics = Metrics::of(model.metrics(), values);
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
        placed(self.plan, run, record)
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
