//! Random search: the yardstick that every search must beat.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::incumbent::{Incumbent, placed};
use crate::design::Design;
use crate::driver::StopRules;
use crate::error::{InputError, Result};
use crate::math::RandomStream;
use crate::optimizer::{Budget, Iterate, Optimizer, Requirement, Step};
use crate::problem::Problem;
use crate::references::DEB;

/// Independent random designs, uniform over their domains (exponential or normal where these are unbounded). Where
/// the model offers it, each is moved to a feasible design near it; else Deb's rules choose (feasible before
/// infeasible, then the objective, then the violation; doi:10.1016/S0045-7825(99)00389-8). Takes any problem.
/// Stops after 10 000 evaluations where no stopping rule is given.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RandomSearch {
    /// Designs drawn in one iteration, at least 1.
    pub batch: u64,
    /// Whether infeasible designs are moved to feasible ones where the model offers that.
    pub repair: bool,
}

impl Default for RandomSearch {
    fn default() -> Self {
        Self { batch: 100, repair: true }
    }
}

#[typetag::serde(name = "random_search")]
impl Optimizer for RandomSearch {
    fn requires(&self) -> Requirement {
        Requirement::anything()
    }

    fn stop_rules(&self) -> StopRules {
        StopRules { max_evaluations: Some(10_000), ..StopRules::default() }
    }

    fn check(&self) -> Result<()> {
        match self.batch {
            0 => Err(InputError::new("batch", "0", "a whole number of at least 1").into()),
            _ => Ok(()),
        }
    }

    fn begin(
        &self,
        problem: Arc<Problem>,
        start: Option<Design>,
        mut random: RandomStream,
    ) -> Result<Box<dyn Iterate>> {
        // Without a start, the first draw is one: the search must owe nothing to the model's own starts.
        let first = placed(&problem, start.unwrap_or_else(|| problem.random(&mut random)))?;
        let incumbent = Incumbent::new(&problem, first, self.repair)?;
        Ok(Box::new(Draws { problem, incumbent, random, batch: self.batch }))
    }
}

crate::solver!(RandomSearch, references = [DEB]);

struct Draws {
    problem: Arc<Problem>,
    incumbent: Incumbent,
    random: RandomStream,
    batch: u64,
}

impl Iterate for Draws {
    fn step(&mut self, budget: &Budget) -> Result<Step> {
        let before = self.incumbent.evaluations();
        for _ in 0..self.batch {
            let mut design = self.problem.random(&mut self.random);
            self.incumbent.offer(&mut design)?;
            if budget.exhausted(self.incumbent.evaluations() - before) {
                break;
            }
        }
        Ok(Step::Advanced)
    }

    fn best(&self) -> &Design {
        self.incumbent.design()
    }

    fn evaluations(&self) -> u64 {
        self.incumbent.evaluations()
    }
}
