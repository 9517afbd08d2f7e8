//! A comparison scheme of the scenario's paper, taken as a solver. A config names the scheme itself
//! (`type = "equal_power"`) and never this type, so it is not among the listed solvers.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::design::Design;
use crate::error::{InputError, Result};
use crate::math::RandomStream;
use crate::model::Reported;
use crate::optimizer::{Budget, Iterate, Optimizer, Requirement, Step};
use crate::problem::Problem;

/// A comparison scheme of the scenario, by name: its design, reported as it is. Most use no start.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// The scheme's name.
    pub baseline: String,
    /// The scheme's own parameters.
    #[serde(default = "no_parameters")]
    pub parameters: Value,
}

fn no_parameters() -> Value {
    Value::Object(Map::new())
}

impl Baseline {
    /// A scheme without parameters.
    pub fn named(name: &str) -> Self {
        Self { baseline: name.to_string(), parameters: no_parameters() }
    }
}

#[typetag::serde(name = "baseline")]
impl Optimizer for Baseline {
    fn requires(&self) -> Requirement {
        Requirement::anything().unscreened()
    }

    fn begin(
        &self,
        problem: Arc<Problem>,
        start: Option<Design>,
        mut random: RandomStream,
    ) -> Result<Box<dyn Iterate>> {
        let schemes = problem.model().baselines();
        let Some(scheme) = schemes.iter().find(|b| b.named().name == self.baseline) else {
            let names = schemes.iter().map(|b| b.named().name);
            return Err(InputError::unknown("solver.type", &self.baseline, names).into());
        };
        let mut reported = scheme.run(&problem, start.as_ref(), &mut random, &self.parameters)?;
        problem.project(&mut reported.design);
        Ok(Box::new(Scheme(reported)))
    }
}

struct Scheme(Reported);

impl Iterate for Scheme {
    fn step(&mut self, _budget: &Budget) -> Result<Step> {
        Ok(if self.0.optimal { Step::Optimal(None) } else { Step::Converged })
    }

    fn best(&self) -> &Design {
        &self.0.design
    }

    fn bound(&self) -> Option<f64> {
        self.0.bound
    }

    fn bound_is_restricted(&self) -> bool {
        self.0.bound.is_some()
    }

    fn evaluations(&self) -> u64 {
        0
    }
}
