//! What a plugin says about itself before anything runs.

use serde::Serialize;
use serde_json::{Value, json};

use crate::metric::Metric;
use crate::solver::Solver;

/// What a problem must offer for a solver to run on it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Requires {
    /// Capabilities that must all be there: `gradient`, `feasibility`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<&'static str>,
    /// Whether every free block must be continuous.
    pub continuous: bool,
    /// Whether every free block must be discrete.
    pub discrete: bool,
    /// Whether the model may prove infeasibility first, and then the solver does not begin.
    pub screened: bool,
}

impl Default for Requires {
    fn default() -> Self {
        Self { capabilities: Vec::new(), continuous: false, discrete: false, screened: true }
    }
}

impl Requires {
    /// Any problem.
    pub fn anything() -> Self {
        Self::default()
    }

    /// Only continuous blocks.
    pub fn continuous() -> Self {
        Self { continuous: true, ..Self::default() }
    }

    /// Only discrete blocks.
    pub fn discrete() -> Self {
        Self { discrete: true, ..Self::default() }
    }

    /// Continuous blocks, and gradients of objective and limits.
    pub fn gradient() -> Self {
        Self { capabilities: vec!["gradient"], ..Self::continuous() }
    }
}

/// When to stop where a config does not say; the keys are those of a config.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct StopRules {
    /// Stop as converged when the best objective changes by at most this times max(1, |objective|) in `patience` steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<f64>,
    /// How many steps in a row may pass without progress.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience: Option<u64>,
    /// Stop after so many iterations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_iterations: Option<u64>,
    /// Stop after so many judged designs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_evaluations: Option<u64>,
}

/// Which way a metric gets better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// More is better.
    Maximize,
    /// Less is better.
    Minimize,
}

/// The doc comment of a schema.
fn description(schema: &Value) -> Value {
    schema.get("description").cloned().unwrap_or_else(|| "".into())
}

/// A solver's entry.
pub(crate) fn solver<S: Solver>() -> Value {
    let schema = Value::from(schemars::schema_for!(S));
    json!({
        "name": S::NAME,
        "description": description(&schema),
        "parameters": schema,
        "needs": S::requires(),
        "start": S::STARTS,
        "stop": S::stop_rules(),
    })
}

/// A metric's entry.
pub(crate) fn metric<M: Metric>() -> Value {
    json!({
        "name": M::NAME,
        "unit": M::UNIT,
        "direction": M::DIRECTION,
        "needs": M::NEEDS,
        "description": M::DESCRIPTION,
    })
}
