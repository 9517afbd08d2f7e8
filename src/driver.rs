//! The driver: it alone knows time, stopping rules, records and cancelling. Sub-solvers are driven by it, too.

use std::sync::Arc;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::design::Design;
use crate::error::{Error, InputError, Result};
use crate::math::{RandomStream, settle};
use crate::optimizer::{Budget, Cancel, Iterate, Optimizer, Step};
use crate::problem::{Evaluation, Evaluator, FEASIBLE, Problem};
use crate::structure::{Feasible, ProvenBound};
use crate::trace::{Outcome, Record, Status};

/// So many steps in a row may pass before a run whose objective was never a number counts as diverged.
const UNDEFINED_STEPS: u64 = 100;

/// When to stop. Rules combine: the first that holds ends the run, and says so.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StopRules {
    /// Stop as `converged` when the best objective changes by at most this share of itself, an objective that is a logarithm
    /// by at most this, in `patience` steps in a row. Units do not matter. An objective on its way to 0 has no share of
    /// itself that is small: there `max_iterations` ends the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<f64>,
    /// How many steps in a row may pass without progress (1 where only a tolerance is given). Without a tolerance,
    /// stop as `no_progress` when the best design did not get better for so many steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<u64>,
    /// Stop after so many iterations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_iterations: Option<u64>,
    /// Stop after so many judged designs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_evaluations: Option<u64>,
    /// Stop after so many seconds of the solver's own time. Such runs depend on the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_seconds: Option<f64>,
}

impl StopRules {
    /// These rules, with gaps filled from others.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self {
            tolerance: self.tolerance.or(other.tolerance),
            patience: self.patience.or(other.patience),
            max_iterations: self.max_iterations.or(other.max_iterations),
            max_evaluations: self.max_evaluations.or(other.max_evaluations),
            max_seconds: self.max_seconds.or(other.max_seconds),
        }
    }

    /// Refuses values out of their range.
    pub fn check(&self) -> Result<()> {
        let positive = |key: &str, x: Option<f64>, zero: bool| match x {
            Some(x) if !x.is_finite() || x < 0.0 || x == 0.0 && !zero => {
                let allowed = if zero { "a finite number, 0 or more" } else { "a finite number above 0" };
                Err(Error::from(InputError::new(key, x.to_string(), allowed)))
            }
            _ => Ok(()),
        };
        positive("tolerance", self.tolerance, true)?;
        positive("max_seconds", self.max_seconds, false)?;
        if self.patience == Some(0) {
            return Err(InputError::new("patience", "0", "a whole number of at least 1").into());
        }
        Ok(())
    }
}

/// One run: a solver on a problem.
pub struct Run<'a> {
    /// The solver.
    pub optimizer: &'a dyn Optimizer,
    /// The problem.
    pub problem: Arc<Problem>,
    /// Where to start; none leaves it to the solver.
    pub start: Option<Design>,
    /// The solver's random stream.
    pub random: RandomStream,
    /// Rules beside the solver's own; they win.
    pub rules: StopRules,
    /// The flag that stops it.
    pub cancel: Cancel,
    /// A bound that is known beforehand, for the record and the gap.
    pub bound: Option<ProvenBound>,
}

impl<'a> Run<'a> {
    /// A run with the solver's own rules.
    pub fn new(optimizer: &'a dyn Optimizer, problem: Arc<Problem>, random: RandomStream) -> Self {
        Self {
            optimizer,
            problem,
            start: None,
            random,
            rules: StopRules::default(),
            cancel: Cancel::default(),
            bound: None,
        }
    }

    /// Drives it to its end, calling `observe` with each record.
    ///
    /// Errors are refusals and misuse; a solver that fails on the way gives an outcome with [`Status::Failed`].
    pub fn drive(self, observe: &mut dyn FnMut(&Record)) -> Result<Outcome> {
        let requirement = self.optimizer.requires();
        let mut clock = Clock::default();
        let mut judge = self.problem.evaluator();
        clock.start();
        if requirement.screened
            && let Ok(factory) = &self.problem.structure().feasibility
            && let Feasible::No { least_violating, ratio, certificate } = factory().assess()?
        {
            clock.stop();
            let evaluation = judge.evaluate(&least_violating)?;
            let mut outcome = Outcome::without_design(
                Status::Infeasible,
                format!("proven: the limits must be loosened by a factor of {ratio:.6} at least"),
            );
            outcome.design = Some(least_violating);
            outcome.objective = evaluation.objective;
            outcome.violation = evaluation.violation;
            outcome.certificate = Some(certificate.to_json());
            outcome.time = clock.seconds();
            return Ok(outcome);
        }
        // What is proven infeasible is answered, whatever the solver would need.
        if let Err(why) = requirement.met_by(&self.problem) {
            return Err(Error::Refused { solver: self.optimizer.typetag_name().to_string(), reason: why.to_string() });
        }
        let rules = self.rules.or(&self.optimizer.stop_rules());
        let iterate = self.optimizer.begin(Arc::clone(&self.problem), self.start.clone(), self.random.clone());
        clock.stop();
        let iterate = match iterate {
            Ok(iterate) => iterate,
            Err(error @ (Error::Input(_) | Error::Refused { .. } | Error::File { .. })) => return Err(error),
            Err(error) => return Ok(Outcome::without_design(Status::Failed, error.to_string())),
        };
        let mut work = Work { run: &self, rules, clock, judge, iterate, trace: Vec::new(), certificate: None };
        Ok(work.finish(observe))
    }
}

struct Work<'a, 'b> {
    run: &'b Run<'a>,
    rules: StopRules,
    clock: Clock,
    judge: Evaluator,
    iterate: Box<dyn Iterate>,
    trace: Vec<Record>,
    certificate: Option<serde_json::Value>,
}

impl Work<'_, '_> {
    fn finish(&mut self, observe: &mut dyn FnMut(&Record)) -> Outcome {
        let (status, reason) = match self.steps(observe) {
            Ok(end) => end,
            Err(error) => (Status::Failed, error.to_string()),
        };
        let last = self.trace.last().copied();
        let mut outcome = Outcome::without_design(status, reason);
        outcome.iterations = last.map_or(0, |r| r.iteration);
        outcome.evaluations = self.iterate.evaluations();
        outcome.time = self.clock.seconds();
        outcome.certificate = self.certificate.take();
        outcome.trace = std::mem::take(&mut self.trace);
        let design = self.iterate.best().clone();
        let Ok(Evaluation { objective, violation }) = self.judge.evaluate(&design) else {
            return outcome;
        };
        (outcome.objective, outcome.violation, outcome.design) = (objective, violation, Some(design));
        let feasible = violation <= FEASIBLE;
        let known = self.run.bound.as_ref();
        outcome.bound = self.iterate.bound().or(known.map(|b| b.value)).filter(|_| status != Status::Infeasible);
        outcome.bound_restricted = self.iterate.bound().is_some() && self.iterate.bound_is_restricted();
        if outcome.certificate.is_none() && self.iterate.bound().is_none() && outcome.bound.is_some() {
            outcome.certificate = known.map(|b| b.certificate.to_json());
        }
        outcome.gap = outcome.bound.filter(|_| feasible).map(|b| self.run.problem.gap(objective, b));
        // A solver's word is not taken: what it calls done must be feasible, what it calls optimal must be proven.
        let reports_a_design = matches!(
            status,
            Status::Optimal
                | Status::Converged
                | Status::NoProgress
                | Status::IterationLimit
                | Status::EvaluationLimit
                | Status::TimeLimit
        );
        if reports_a_design && !feasible {
            outcome.status = Status::NoFeasiblePoint;
            outcome.reason = format!("{}; its best design misses a limit by {violation:.3e}", outcome.reason);
        } else if reports_a_design && objective.is_nan() {
            outcome.status = Status::Diverged;
            outcome.reason = format!("{}; its best design's objective is not a number", outcome.reason);
        } else if status == Status::Optimal && outcome.gap.is_some_and(|gap| gap > 1e-6) {
            outcome.status = Status::Converged;
            outcome.reason = format!("{}; its bound does not close", outcome.reason);
        }
        outcome
    }

    fn steps(&mut self, observe: &mut dyn FnMut(&Record)) -> Result<(Status, String)> {
        let mut previous = self.record(0, observe)?;
        let (mut idle, mut undefined) = (0, 0);
        for iteration in 1.. {
            if let Some(end) = self.limit(iteration - 1) {
                return Ok(end);
            }
            let left = self.rules.max_seconds.map(|s| s - self.clock.seconds());
            let deadline = left.map(|s| Instant::now() + Duration::from_secs_f64(s.clamp(0.0, 1e9)));
            let spent = self.iterate.evaluations();
            let evaluations = self.rules.max_evaluations.map(|m| m.saturating_sub(spent));
            let budget = Budget::new(self.run.cancel.clone(), deadline, evaluations);
            self.clock.start();
            let step = self.iterate.step(&budget);
            settle();
            self.clock.stop();
            let step = step?;
            let current = self.record(iteration, observe)?;
            match step {
                Step::Advanced => {}
                Step::Converged => return Ok((Status::Converged, "the method's own test holds".into())),
                Step::Optimal(certificate) => {
                    self.certificate = certificate.map(|c| c.to_json());
                    return Ok((Status::Optimal, "proven".into()));
                }
                Step::Infeasible(certificate) => {
                    self.certificate = Some(certificate.to_json());
                    return Ok((Status::Infeasible, "proven".into()));
                }
                Step::Stuck(why) => return Ok((Status::NoProgress, why)),
                Step::Diverged(why) => return Ok((Status::Diverged, why)),
            }
            // A search may leave a start where the objective is undefined; it may not arrive at one.
            undefined = if current.objective.is_nan() && current.violation <= FEASIBLE { undefined + 1 } else { 0 };
            if undefined >= UNDEFINED_STEPS || undefined > 0 && !previous.objective.is_nan() {
                return Ok((Status::Diverged, "the objective is not a number".into()));
            }
            if let Some(end) = self.progress(&previous, &current, &mut idle) {
                return Ok(end);
            }
            previous = current;
        }
        Ok((Status::IterationLimit, "all iterations were done".into()))
    }

    fn limit(&self, done: u64) -> Option<(Status, String)> {
        if self.run.cancel.is_set() {
            return Some((Status::Interrupted, "stopped by the user".into()));
        }
        let rules = &self.rules;
        if let Some(most) = rules.max_iterations.filter(|m| done >= *m) {
            return Some((Status::IterationLimit, format!("max_iterations = {most}")));
        }
        if let Some(most) = rules.max_evaluations.filter(|m| self.iterate.evaluations() >= *m) {
            return Some((Status::EvaluationLimit, format!("max_evaluations = {most}")));
        }
        if let Some(most) = rules.max_seconds.filter(|m| self.clock.seconds() >= *m) {
            return Some((Status::TimeLimit, format!("max_seconds = {most}")));
        }
        None
    }

    fn progress(&self, previous: &Record, current: &Record, idle: &mut u64) -> Option<(Status, String)> {
        if self.rules.tolerance.is_none() && self.rules.patience.is_none() {
            return None;
        }
        let tolerance = self.rules.tolerance.unwrap_or(0.0);
        let change = self.run.problem.change(previous.objective, current.objective);
        let same_side = (current.violation <= FEASIBLE) == (previous.violation <= FEASIBLE);
        let still = same_side && change <= tolerance && previous.violation - current.violation <= tolerance;
        *idle = if still { *idle + 1 } else { 0 };
        let patience = self.rules.patience.unwrap_or(1);
        if *idle < patience {
            None
        } else if self.rules.tolerance.is_some() {
            Some((Status::Converged, format!("tolerance = {tolerance:e} for {patience} steps")))
        } else {
            Some((Status::NoProgress, format!("patience = {patience}")))
        }
    }

    fn record(&mut self, iteration: u64, observe: &mut dyn FnMut(&Record)) -> Result<Record> {
        let evaluation = self.judge.evaluate(self.iterate.best())?;
        let record = Record {
            iteration,
            evaluations: self.iterate.evaluations(),
            time: self.clock.seconds(),
            objective: evaluation.objective,
            violation: evaluation.violation,
            bound: self.iterate.bound().or(self.run.bound.as_ref().map(|b| b.value)),
        };
        observe(&record);
        self.trace.push(record);
        Ok(record)
    }
}

#[derive(Default)]
struct Clock {
    spent: Duration,
    since: Option<Instant>,
}

impl Clock {
    fn start(&mut self) {
        self.since = Some(Instant::now());
    }
    fn stop(&mut self) {
        if let Some(since) = self.since.take() {
            self.spent += since.elapsed();
        }
    }
    fn seconds(&self) -> f64 {
        self.spent.as_secs_f64()
    }
}
