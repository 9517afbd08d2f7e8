//! Successive convex approximation: maximize a conic surrogate that is tight at the incumbent, move there, repeat.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::incumbent::{Incumbent, first_design};
use super::surrogate_start::lift_zeros;
use crate::conic::{Settings, Status};
use crate::design::Design;
use crate::driver::StopRules;
use crate::error::{Error, InputError, Result};
use crate::math::RandomStream;
use crate::optimizer::{Budget, Iterate, Optimizer, Requirement, Step};
use crate::problem::{Evaluation, Problem};
use crate::references::{MARKS_WRIGHT, SCUTARI};
use crate::structure::{Capability, Surrogate};

/// Successive convex approximation (inner approximation): each step solves a conic program, built by the model, that is
/// tight at the current design and a bound on the objective elsewhere, and moves to its optimum. Every design is judged
/// by the model; only improvements are kept, so the objective never falls and the designs stay feasible once one is. It
/// ends at a stationary point, which is the global optimum only where the model says so. Needs `surrogate`.
///
/// Method: Marks and Wright, Operations Research 26(4), 1978, doi:10.1287/opre.26.4.681; Scutari et al., IEEE
/// Transactions on Signal Processing 65(8), 2017, doi:10.1109/TSP.2016.2637317.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sca {
    /// Another form of the program than the model's best, where it has some by name: a paper's own, for comparison.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formulation: Option<String>,
    /// Tolerance of each conic program (duality gap and feasibility, relative to its scaled data).
    #[schemars(range(min = 1e-12, max = 1e-3))]
    pub subproblem_tolerance: f64,
}

impl Default for Sca {
    fn default() -> Self {
        Self { formulation: None, subproblem_tolerance: 1e-8 }
    }
}

/// How often a candidate that is worse than the current design is moved half the way back.
const RETRIES: usize = 6;

/// Programs are solved without refinement of their linear systems as long as a step gains more than this, relative to
/// the objective: until then their last digits do not matter.
const COARSE: f64 = 1e-5;

/// A surrogate that promises less than this, relative to the objective, has nothing left to offer.
const NEGLIGIBLE: f64 = 1e-9;

#[typetag::serde(name = "sca")]
impl Optimizer for Sca {
    fn requires(&self) -> Requirement {
        Requirement::capabilities(&[Capability::Surrogate])
    }

    fn stop_rules(&self) -> StopRules {
        StopRules { tolerance: Some(1e-8), patience: Some(2), max_iterations: Some(500), ..StopRules::default() }
    }

    fn check(&self) -> Result<()> {
        if !(1e-12..=1e-3).contains(&self.subproblem_tolerance) {
            let found = self.subproblem_tolerance.to_string();
            return Err(InputError::new("subproblem_tolerance", found, "a number from 1e-12 to 1e-3").into());
        }
        Ok(())
    }

    fn begin(
        &self,
        problem: Arc<Problem>,
        start: Option<Design>,
        mut random: RandomStream,
    ) -> Result<Box<dyn Iterate>> {
        self.check()?;
        let structure = problem.structure();
        let offer = match &self.formulation {
            None => &structure.surrogate,
            Some(name) => match structure.formulations.iter().find(|f| f.named.name == name) {
                Some(formulation) => &formulation.surrogate,
                None => {
                    let names = structure.formulations.iter().map(|f| f.named.name);
                    return Err(InputError::unknown("formulation", name, names).into());
                }
            },
        };
        let mut surrogate = match offer {
            Ok(factory) => factory(),
            Err(why) => return Err(Error::Refused { solver: "sca".into(), reason: why.to_string() }),
        };
        let settings = Settings { tolerance: self.subproblem_tolerance, refined: false, ..Settings::default() };
        surrogate.program().set_settings(settings);
        let mut repair = problem.structure().feasibility.as_ref().ok().map(|factory| factory());
        let start = first_design(&problem, start, &mut random)?;
        let mut incumbent = Incumbent::new(&problem, start, true)?;
        let mut current = incumbent.design().clone();
        let mut value = incumbent.value();
        if lift_zeros(&problem, repair.as_mut(), &mut current) || !value.feasible() {
            value = incumbent.offer(&mut current)?;
        }
        let candidate = current.clone();
        let (solution, trial) = (Vec::new(), Design::default());
        Ok(Box::new(Approximation { problem, surrogate, incumbent, current, value, solution, candidate, trial }))
    }
}

crate::solver!(Sca, references = [MARKS_WRIGHT, SCUTARI]);

struct Approximation {
    problem: Arc<Problem>,
    surrogate: Box<dyn Surrogate>,
    incumbent: Incumbent,
    /// Where the surrogate is tight; the incumbent, or on its way there from a start that was lifted off 0.
    current: Design,
    value: Evaluation,
    solution: Vec<f64>,
    candidate: Design,
    trial: Design,
}

impl Approximation {
    /// Has the programs solved with refinement from now on; whether they were not before.
    fn refine(&mut self) -> bool {
        let settings = self.surrogate.program().settings();
        self.surrogate.program().set_settings(Settings { refined: true, ..settings });
        !settings.refined
    }
}

impl Iterate for Approximation {
    fn step(&mut self, budget: &Budget) -> Result<Step> {
        self.surrogate.at(&self.current)?;
        let solution = self.surrogate.program().solve()?;
        let promised = solution.objective;
        let status = solution.status;
        if matches!(status, Status::Infeasible | Status::Unbounded) || solution.x.iter().any(|x| !x.is_finite()) {
            return Ok(Step::Stuck(format!("the surrogate is {}", status.describe())));
        }
        self.solution.clone_from(&solution.x);
        self.surrogate.read(&self.solution, &mut self.candidate);
        // The far end first; then, where it is no better, half the way back, again and again.
        for retry in 0..=RETRIES {
            let share = 0.5_f64.powi(retry as i32);
            self.trial.copy_from(&self.current);
            for (x, end) in self.trial.iter_mut().zip(self.candidate.iter()) {
                *x = if retry == 0 { *end } else { *x + share * (end - *x) };
            }
            self.problem.project(&mut self.trial);
            let value = self.incumbent.offer(&mut self.trial)?;
            if self.problem.better(&value, &self.value) {
                let gain = (value.objective - self.value.objective).abs();
                if self.value.feasible() && gain <= COARSE * value.objective.abs() {
                    self.refine();
                }
                std::mem::swap(&mut self.current, &mut self.trial);
                self.value = value;
                return Ok(Step::Advanced);
            }
            if budget.exhausted(retry as u64 + 1) {
                return Ok(Step::Advanced);
            }
        }
        if self.refine() {
            return Ok(Step::Advanced);
        }
        let before = self.value.objective;
        let no_better = self.problem.direction().sign() * (promised - before) <= 0.0;
        Ok(if self.value.feasible() && (no_better || self.problem.change(promised, before) <= NEGLIGIBLE) {
            Step::Converged
        } else {
            Step::Stuck(format!(
                "no better design on the way to the surrogate's optimum, which is {}",
                status.describe()
            ))
        })
    }

    fn best(&self) -> &Design {
        self.incumbent.design()
    }

    fn evaluations(&self) -> u64 {
        self.incumbent.evaluations()
    }
}
