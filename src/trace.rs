//! What one run left behind: how it ended, its design, and its iterations.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::design::Design;
use crate::metric::number_json;
use crate::number::{optional, plain};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Proven optimal: the gap to a proven bound is at most 1e-6, or an exact argument holds.
    Optimal,
    /// The method's own test, or the objective tolerance, says that it is done.
    Converged,
    /// No better design for as many steps as `patience` allows. Raise `patience`, or start elsewhere.
    NoProgress,
    /// `max_iterations` was reached. Raise it if the trace still rises.
    IterationLimit,
    /// `max_evaluations` was reached.
    EvaluationLimit,
    /// `max_seconds` was reached; such runs depend on the machine.
    TimeLimit,
    /// Proven infeasible; the design is the least-violating one. Loosen a limit.
    Infeasible,
    /// The solver found no feasible design; there may be one.
    NoFeasiblePoint,
    /// The iterates left the finite numbers. Try another start or smaller steps.
    Diverged,
    /// Stopped by the user; a second start repeats the run.
    Interrupted,
    /// The solver fits some cells of the experiment but not this one; the reason is recorded.
    Skipped,
    /// The solver gave up with an error, which is recorded.
    Failed,
}

impl Status {
    /// Its name in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Optimal => "optimal",
            Self::Converged => "converged",
            Self::NoProgress => "no_progress",
            Self::IterationLimit => "iteration_limit",
            Self::EvaluationLimit => "evaluation_limit",
            Self::TimeLimit => "time_limit",
            Self::Infeasible => "infeasible",
            Self::NoFeasiblePoint => "no_feasible_point",
            Self::Diverged => "diverged",
            Self::Interrupted => "interrupted",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}

/// The state of a run after an iteration; iteration 0 is the start.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The iteration.
    pub iteration: u64,
    /// Designs that the solver judged so far.
    pub evaluations: u64,
    /// The solver's own time so far in seconds; judging designs for the record is not counted.
    #[serde(rename = "time_s")]
    pub time: f64,
    /// The objective of the best design so far.
    #[serde(with = "plain")]
    pub objective: f64,
    /// Its violation.
    #[serde(with = "plain")]
    pub violation: f64,
    /// The proven bound so far.
    #[serde(with = "optional")]
    pub bound: Option<f64>,
}

impl Record {
    /// As JSON.
    pub fn to_json(&self) -> Value {
        serde_json::json!({
            "iteration": self.iteration,
            "evaluations": self.evaluations,
            "time_s": self.time,
            "objective": number_json(self.objective),
            "violation": number_json(self.violation),
            "bound": self.bound.map(number_json),
        })
    }
}

/// The result of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// Why, in words.
    pub reason: String,
    /// The best design; none where the run could not begin.
    pub design: Option<Design>,
    /// The design's objective, judged by the model.
    pub objective: f64,
    /// Its violation, judged by the model.
    pub violation: f64,
    /// A proven bound.
    pub bound: Option<f64>,
    /// Whether the bound holds only for the solver's restriction of the problem (blocks held fixed).
    pub bound_restricted: bool,
    /// The distance of the objective from the bound; none for an infeasible design.
    pub gap: Option<f64>,
    /// What proves the claim, as JSON.
    pub certificate: Option<Value>,
    /// Iterations done.
    pub iterations: u64,
    /// Designs judged by the solver.
    pub evaluations: u64,
    /// The solver's own time in seconds.
    pub time: f64,
    /// The iterations, from the start on.
    pub trace: Vec<Record>,
}

impl Outcome {
    /// A run that could not begin.
    pub fn without_design(status: Status, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
            design: None,
            objective: f64::NAN,
            violation: f64::NAN,
            bound: None,
            bound_restricted: false,
            gap: None,
            certificate: None,
            iterations: 0,
            evaluations: 0,
            time: 0.0,
            trace: Vec::new(),
        }
    }

    /// Whether it has a design that counts as feasible.
    pub fn feasible(&self) -> bool {
        self.design.is_some() && self.violation <= crate::problem::FEASIBLE
    }
}
