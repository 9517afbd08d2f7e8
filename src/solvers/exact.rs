//! The global optimum by the model's own special argument, in one step.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::incumbent::placed;
use crate::design::Design;
use crate::error::{Error, Result};
use crate::math::RandomStream;
use crate::optimizer::{Budget, Iterate, Optimizer, Requirement, Step};
use crate::problem::Problem;
use crate::structure::{self, Capability, ExactOutcome};

/// The global optimum where the model knows a special argument for it, with the certificate that proves it, or the
/// proof that the problem is infeasible with the least-violating design. Needs `exact`; the argument and its source
/// are the model's.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exact {}

#[typetag::serde(name = "exact")]
impl Optimizer for Exact {
    fn requires(&self) -> Requirement {
        // It proves infeasibility itself.
        Requirement::capabilities(&[Capability::Exact]).unscreened()
    }

    fn begin(&self, problem: Arc<Problem>, start: Option<Design>, _random: RandomStream) -> Result<Box<dyn Iterate>> {
        let method = match &problem.structure().exact {
            Ok(factory) => factory(),
            Err(why) => return Err(Error::Refused { solver: "exact".into(), reason: why.to_string() }),
        };
        // It needs no start: without one it sets out from nothing, and saves the time of finding one.
        let given = start.is_some();
        let best = placed(&problem, start.unwrap_or_else(|| Design::zeros(problem.model().space())))?;
        Ok(Box::new(Argument { problem, method, best, given, bound: None, evaluations: 0 }))
    }
}

crate::solver!(Exact);

struct Argument {
    problem: Arc<Problem>,
    method: Box<dyn structure::Exact>,
    best: Design,
    given: bool,
    bound: Option<f64>,
    evaluations: u64,
}

impl Iterate for Argument {
    fn step(&mut self, _budget: &Budget) -> Result<Step> {
        let mut found = Design::zeros(self.problem.model().space());
        let outcome = self.method.solve(&mut found)?;
        let mut replace = true;
        if self.given {
            let mut judge = self.problem.evaluator();
            let (old, new) = (judge.evaluate(&self.best)?, judge.evaluate(&found)?);
            self.evaluations += 2;
            replace = !self.problem.better(&old, &new);
        }
        if replace {
            self.best = found;
        }
        Ok(match outcome {
            ExactOutcome::Optimal { bound, certificate } => {
                self.bound = Some(bound);
                Step::Optimal(Some(certificate))
            }
            ExactOutcome::Infeasible { certificate } => Step::Infeasible(certificate),
        })
    }

    fn best(&self) -> &Design {
        &self.best
    }

    fn bound(&self) -> Option<f64> {
        self.bound
    }

    fn evaluations(&self) -> u64 {
        self.evaluations
    }
}
