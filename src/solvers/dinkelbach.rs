//! Dinkelbach's method: from a level that is reached to the level that the point of greatest excess over it reaches.

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
use crate::problem::Problem;
use crate::structure::{Capability, Certificate, LevelSet};

/// Dinkelbach's method for the least of several ratios: superlinear where bisection halves. Each step maximizes the
/// excess over the current level (in the model's relaxation, where it has one) and moves to the level that is reached
/// there. With `block`, only that block or group moves and the rest stays as in the start. Needs `level_set` with
/// Dinkelbach's step.
///
/// Method: Crouzeix and Ferland, Math. Program. 52, 1991, doi:10.1007/BF01582887.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Dinkelbach {
    /// The block or group that moves; none where the problem itself has levels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<String>,
}

/// A rise of the level below this, relative to it, is none.
const NEGLIGIBLE: f64 = 1e-9;

#[typetag::serde(name = "dinkelbach")]
impl Optimizer for Dinkelbach {
    fn requires(&self) -> Requirement {
        match self.block {
            Some(_) => Requirement::anything(),
            None => Requirement::capabilities(&[Capability::LevelSet]),
        }
    }

    fn stop_rules(&self) -> StopRules {
        StopRules { max_iterations: Some(100), ..StopRules::default() }
    }

    fn begin(
        &self,
        problem: Arc<Problem>,
        start: Option<Design>,
        mut random: RandomStream,
    ) -> Result<Box<dyn Iterate>> {
        let (problem, start) = chosen(problem, self.block.as_deref(), start, &mut random)?;
        let mut level_set = match &problem.structure().level_set {
            Ok(factory) => factory(),
            Err(why) => {
                return Err(Error::Refused {
                    solver: "dinkelbach".into(),
                    reason: format!("it needs `level_set`: {why}"),
                });
            }
        };
        let incumbent = Incumbent::new(&problem, start.clone(), true)?;
        let (reached, _) = level_set.range()?;
        let sign = problem.direction().sign();
        let own = incumbent.value();
        let level = if own.feasible() && sign * own.objective > sign * reached { own.objective } else { reached };
        let restricted = self.block.is_some();
        Ok(Box::new(Ratios {
            problem,
            level_set,
            incumbent,
            level,
            bound: None,
            proof: None,
            restricted,
            trial: start,
        }))
    }
}

crate::solver!(Dinkelbach);

struct Ratios {
    problem: Arc<Problem>,
    level_set: Box<dyn LevelSet>,
    incumbent: Incumbent,
    level: f64,
    bound: Option<f64>,
    proof: Option<Certificate>,
    restricted: bool,
    trial: Design,
}

impl Iterate for Ratios {
    fn step(&mut self, _budget: &Budget) -> Result<Step> {
        self.trial.copy_from(self.incumbent.design());
        let Some(ascent) = self.level_set.ascend(self.level, &mut self.trial)? else {
            return Ok(Step::Stuck("the model has no such step from here".into()));
        };
        let sign = self.problem.direction().sign();
        if self.bound.is_none_or(|bound| sign * ascent.bound < sign * bound) {
            self.bound = Some(ascent.bound);
            self.proof = Some(ascent.certificate);
        }
        self.problem.project(&mut self.trial);
        self.incumbent.offer(&mut self.trial)?;
        let risen = sign * (ascent.level - self.level) > NEGLIGIBLE * self.level.abs();
        if risen {
            self.level = ascent.level;
            return Ok(Step::Advanced);
        }
        let value = self.incumbent.value();
        let closed = self.bound.is_some_and(|bound| self.problem.gap(value.objective, bound) <= 1e-6);
        Ok(if closed && value.feasible() { Step::Optimal(self.proof.take()) } else { Step::Converged })
    }

    fn best(&self) -> &Design {
        self.incumbent.design()
    }

    fn bound(&self) -> Option<f64> {
        self.bound
    }

    fn bound_is_restricted(&self) -> bool {
        self.restricted
    }

    fn evaluations(&self) -> u64 {
        self.incumbent.evaluations()
    }
}
