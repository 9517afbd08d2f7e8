//! Global search over any continuous design space: restarted CMA-ES, and restarted local searches with gradients.

mod cma_es;
mod local_search;
mod population;
mod restarts;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::incumbent::{Incumbent, first_design};
use crate::design::Design;
use crate::driver::StopRules;
use crate::error::{InputError, Result};
use crate::math::RandomStream;
use crate::optimizer::{Budget, Iterate, Optimizer, Requirement, Step};
use crate::problem::Problem;
use crate::references::{BIPOP, CMA_ES, NOCEDAL_WRIGHT};

/// Global search in any continuous design space, by restarted searches from random designs.
///
/// `local`: sequential quadratic programming (Nocedal and Wright, Numerical Optimization, chapter 18,
/// doi:10.1007/978-0-387-40065-5) with the model's gradients, or with finite differences where it offers none; one
/// iteration is one quadratic program. `cma_es`: the covariance matrix adaptation evolution strategy
/// (doi:10.1162/106365601750190398) with two regimes of restarts (BIPOP, doi:10.1145/1570256.1570333); one iteration is
/// one generation. `auto`: `local` where the model offers gradients; else `cma_es`, with a local search from its best
/// design after each run.
///
/// Feasibility: candidates are moved to feasible designs where the model offers that; else the limits are taken into an
/// augmented Lagrangian. The best design is chosen by Deb's rules. Stops as converged after `idle_restarts` restarts
/// without gain (four times as many where runs end at different values), or after 200 000 evaluations where no stopping rule is given. A proven bound it does not give.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GlobalSearch {
    /// Which searches are restarted.
    pub strategy: Strategy,
    /// How many restarts in a row may pass without gain (relative 1e-7), at least 1.
    pub idle_restarts: u64,
    /// Candidates a generation of the first CMA-ES run, at least 4; without it 4 + 3 ln n for n coordinates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub population: Option<usize>,
    /// The first CMA-ES steps, relative to the typical size of each coordinate.
    pub step: f64,
    /// Whether candidates are moved to feasible designs where the model offers that.
    pub repair: bool,
}

/// Which searches [`GlobalSearch`] restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// By what the problem offers.
    #[default]
    Auto,
    /// CMA-ES alone: evaluations only.
    CmaEs,
    /// Local searches alone.
    Local,
}

impl Default for GlobalSearch {
    fn default() -> Self {
        Self { strategy: Strategy::Auto, idle_restarts: 4, population: None, step: 0.4, repair: true }
    }
}

#[typetag::serde(name = "global_search")]
impl Optimizer for GlobalSearch {
    fn requires(&self) -> Requirement {
        Requirement::anything().continuous()
    }

    fn stop_rules(&self) -> StopRules {
        StopRules { max_evaluations: Some(200_000), ..StopRules::default() }
    }

    fn check(&self) -> Result<()> {
        let mistake = |key: &str, found: String, allowed: &str| Err(InputError::new(key, found, allowed).into());
        if self.idle_restarts == 0 {
            return mistake("idle_restarts", "0".into(), "a whole number of at least 1");
        }
        if let Some(population) = self.population.filter(|p| *p < 4) {
            return mistake("population", population.to_string(), "a whole number of at least 4");
        }
        if !(self.step.is_finite() && self.step > 0.0) {
            return mistake("step", self.step.to_string(), "a finite number above 0");
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
        let first = first_design(&problem, start, &mut random)?;
        let incumbent = Incumbent::new(&problem, first, self.repair)?;
        Ok(Box::new(restarts::Restarts::new(self, problem, incumbent, random)))
    }
}

crate::solver!(GlobalSearch, references = [NOCEDAL_WRIGHT, CMA_ES, BIPOP]);
