//! Semidefinite relaxation: solve a convex relaxation that the model builds, and recover designs from its solution.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::incumbent::Incumbent;
use super::restriction::chosen;
use crate::design::Design;
use crate::driver::StopRules;
use crate::error::{Error, Result};
use crate::math::RandomStream;
use crate::optimizer::{Budget, Iterate, Optimizer, Requirement, Step};
use crate::problem::{Evaluation, Problem, STRICT};
use crate::references::LUO;
use crate::structure::{Capability, Certificate, Feasible, Lift, Relaxed};

/// Semidefinite relaxation with Gaussian randomization: the relaxation's value is a proven bound, and the best of the
/// design that its solution stands for and of random candidates drawn from it is the answer; parts that the model calls
/// independent are chosen apart. With `block`, only that block or group moves and the rest stays as in the start. Needs
/// `lift`.
///
/// Method: Luo, Ma, So, Ye and Zhang, IEEE Signal Processing Magazine 27(3), 2010, doi:10.1109/MSP.2010.936019.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sdr {
    /// The block or group that moves; none where the problem itself has the relaxation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<String>,
    /// The number of random candidates.
    pub candidates: u64,
    /// Which candidates count.
    pub selection: Selection,
}

/// Which candidates of a randomization count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// Those that hold the constraints, if any; the start is kept where none is better.
    #[default]
    Screened,
    /// All, by the objective alone, as papers do: the answer may miss constraints and be worse than the start. For a
    /// step of an alternation whose next step restores feasibility.
    Literal,
}

impl Default for Sdr {
    fn default() -> Self {
        Self { block: None, candidates: 1000, selection: Selection::Screened }
    }
}

/// Candidates of one step.
const BATCH: u64 = 100;

#[typetag::serde(name = "sdr")]
impl Optimizer for Sdr {
    fn requires(&self) -> Requirement {
        match self.block {
            Some(_) => Requirement::anything(),
            None => Requirement::capabilities(&[Capability::Lift]),
        }
    }

    fn stop_rules(&self) -> StopRules {
        StopRules::default()
    }

    fn begin(
        &self,
        problem: Arc<Problem>,
        start: Option<Design>,
        mut random: RandomStream,
    ) -> Result<Box<dyn Iterate>> {
        let (problem, start) = chosen(problem, self.block.as_deref(), start, &mut random)?;
        let lift = match &problem.structure().lift {
            Ok(factory) => factory(),
            Err(why) => return Err(Error::Refused { solver: "sdr".into(), reason: format!("it needs `lift`: {why}") }),
        };
        let parts = lift.parts();
        let incumbent = Incumbent::new(&problem, start.clone(), false)?;
        Ok(Box::new(Relaxation {
            selection: self.selection,
            left: self.candidates,
            restricted: self.block.is_some(),
            problem,
            lift,
            incumbent,
            best_parts: vec![None; parts],
            assembled: start.clone(),
            trial: start,
            random,
            solved: None,
        }))
    }
}

crate::solver!(Sdr, references = [LUO]);

/// What the relaxation gave.
struct Solved {
    bound: f64,
    exact: bool,
    rank: usize,
    certificate: Certificate,
}

struct Relaxation {
    selection: Selection,
    left: u64,
    restricted: bool,
    problem: Arc<Problem>,
    lift: Box<dyn Lift>,
    incumbent: Incumbent,
    /// The best value of each part among the candidates; none before the first.
    best_parts: Vec<Option<Evaluation>>,
    /// The best parts together.
    assembled: Design,
    trial: Design,
    random: RandomStream,
    solved: Option<Solved>,
}

impl Relaxation {
    /// Whether a part is better than another by the rule of selection.
    fn better(&self, new: &Evaluation, old: &Evaluation) -> bool {
        let sign = self.problem.direction().sign();
        match self.selection {
            Selection::Screened => self.problem.better(new, old),
            Selection::Literal => sign * new.objective > sign * old.objective || old.objective.is_nan(),
        }
    }

    /// Takes the trial's part where it is the best so far.
    fn compare(&mut self, part: usize) {
        let value = self.lift.judge(part, &self.trial);
        if self.best_parts[part].is_none_or(|best| self.better(&value, &best)) {
            self.best_parts[part] = Some(value);
            self.assembled.copy_from(&self.trial);
        } else {
            self.trial.copy_from(&self.assembled);
        }
    }

    fn first(&mut self) -> Result<Step> {
        match self.lift.relax()? {
            Relaxed::Infeasible(certificate) => return self.infeasible(certificate),
            Relaxed::Failed(why) => return Ok(Step::Stuck(why)),
            Relaxed::Solved { bound, exact, rank, mut certificate } => {
                certificate.values.push(("rank", vec![rank as f64]));
                self.solved = Some(Solved { bound, exact, rank, certificate });
            }
        }
        for part in 0..self.best_parts.len() {
            // The start counts as a candidate where constraints do.
            if self.selection == Selection::Screened {
                self.best_parts[part] = Some(self.lift.judge(part, &self.trial));
            }
            self.lift.recover(part, None, &mut self.trial);
            self.compare(part);
        }
        self.finish_round()
    }

    /// The relaxation has no feasible point, so no value of the block has.
    fn infeasible(&mut self, certificate: Certificate) -> Result<Step> {
        if let Ok(factory) = &self.problem.structure().feasibility
            && let Feasible::No { mut least_violating, .. } = factory().assess()?
        {
            self.incumbent.offer(&mut least_violating)?;
        }
        // With the rest held fixed, that says nothing about the problem as a whole.
        let why = "proven: no value of the block is feasible with the rest as in the start";
        Ok(if self.restricted { Step::Stuck(why.into()) } else { Step::Infeasible(certificate) })
    }

    fn finish_round(&mut self) -> Result<Step> {
        let mut candidate = self.assembled.clone();
        self.problem.project(&mut candidate);
        let value = self.incumbent.offer(&mut candidate)?;
        let Some(solved) = &self.solved else { return Ok(Step::Stuck("no relaxation was solved".into())) };
        // With a relaxation of rank one, or one whose recovery is exact, candidates could only lose.
        let closed = value.violation <= STRICT && self.problem.gap(value.objective, solved.bound) <= 1e-6;
        if solved.exact || solved.rank == 1 && closed {
            let certificate = Some(solved.certificate.clone());
            return Ok(if closed { Step::Optimal(certificate) } else { Step::Converged });
        }
        Ok(if self.left == 0 { Step::Converged } else { Step::Advanced })
    }
}

impl Iterate for Relaxation {
    fn step(&mut self, budget: &Budget) -> Result<Step> {
        if self.solved.is_none() {
            return self.first();
        }
        for candidate in 0..BATCH.min(self.left) {
            if budget.exhausted(candidate) {
                break;
            }
            for part in 0..self.best_parts.len() {
                self.lift.recover(part, Some(&mut self.random), &mut self.trial);
                self.compare(part);
            }
        }
        self.left = self.left.saturating_sub(BATCH);
        self.finish_round()
    }

    fn best(&self) -> &Design {
        match self.selection {
            Selection::Screened => self.incumbent.design(),
            Selection::Literal => &self.assembled,
        }
    }

    fn bound(&self) -> Option<f64> {
        self.solved.as_ref().map(|s| s.bound).filter(|b| b.is_finite())
    }

    fn bound_is_restricted(&self) -> bool {
        self.restricted
    }

    fn evaluations(&self) -> u64 {
        self.incumbent.evaluations()
    }
}
