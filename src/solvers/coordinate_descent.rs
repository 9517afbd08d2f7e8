//! Coordinate descent over discrete blocks from many starts.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::discrete::DiscreteSearch;
use super::incumbent::placed;
use crate::design::Design;
use crate::driver::StopRules;
use crate::error::{InputError, Result};
use crate::math::RandomStream;
use crate::optimizer::{Budget, Iterate, Optimizer, Requirement, Step};
use crate::problem::{Evaluation, Problem};

/// Multi-start coordinate descent (1-opt): each coordinate in turn takes its best level, until no single change
/// improves; then again from a random design. With `two_opt` a descent ends where no change of two coordinates
/// improves, either. Judges a change in constant time where the model offers `incremental`. Needs discrete blocks. Stops
/// after 10 000 evaluations where no stopping rule is given (Lin 1965, doi:10.1002/j.1538-7305.1965.tb04146.x, for
/// local optima with many starts).
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CoordinateDescent {
    /// Whether changes of two coordinates are tried where no single one improves.
    pub two_opt: bool,
    /// Descents before it counts as converged; absent: until a stopping rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub descents: Option<u64>,
}

#[typetag::serde(name = "coordinate_descent")]
impl Optimizer for CoordinateDescent {
    fn requires(&self) -> Requirement {
        Requirement::anything().discrete()
    }

    fn stop_rules(&self) -> StopRules {
        StopRules { max_evaluations: self.descents.is_none().then_some(10_000), ..StopRules::default() }
    }

    fn check(&self) -> Result<()> {
        match self.descents {
            Some(0) => Err(InputError::new("descents", "0", "a whole number of at least 1").into()),
            _ => Ok(()),
        }
    }

    fn begin(
        &self,
        problem: Arc<Problem>,
        start: Option<Design>,
        mut random: RandomStream,
    ) -> Result<Box<dyn Iterate>> {
        let first = placed(&problem, start.unwrap_or_else(|| problem.random(&mut random)))?;
        let search = DiscreteSearch::new(&problem, first.clone())?;
        let value = search.value();
        Ok(Box::new(Descents { settings: self.clone(), problem, search, random, best: first, value, done: 0 }))
    }
}

crate::solver!(CoordinateDescent);

struct Descents {
    settings: CoordinateDescent,
    problem: Arc<Problem>,
    search: DiscreteSearch,
    random: RandomStream,
    best: Design,
    value: Evaluation,
    done: u64,
}

impl Descents {
    fn keep(&mut self) {
        if self.problem.better(&self.search.value(), &self.value) {
            self.value = self.search.value();
            self.best.copy_from(self.search.design());
        }
    }
}

impl Iterate for Descents {
    /// One descent, from the start or from a random design.
    fn step(&mut self, budget: &Budget) -> Result<Step> {
        if self.search.coordinates().is_empty() {
            return Ok(Step::Converged);
        }
        let before = self.search.evaluations();
        if self.done > 0 {
            self.search.randomize(&mut self.random)?;
        }
        loop {
            let arrived = self.search.descend(budget, self.search.evaluations() - before)?;
            self.keep();
            if !arrived || !self.settings.two_opt {
                break;
            }
            let better = self.search.exchange(budget, self.search.evaluations() - before)?;
            if !better {
                break;
            }
            self.keep();
        }
        self.done += 1;
        Ok(match self.settings.descents {
            Some(descents) if self.done >= descents => Step::Converged,
            _ => Step::Advanced,
        })
    }

    fn best(&self) -> &Design {
        &self.best
    }

    fn evaluations(&self) -> u64 {
        self.search.evaluations()
    }
}
