//! What the file of a solver or of a model uses: `use isacopt::prelude::*;`. See `docs/write-a-solver.md` and
//! `docs/write-a-model.md`.

pub use std::sync::Arc;

pub use crate::num_complex::Complex;
pub use crate::radio::{Signal, Unknown};
pub use crate::schemars::{self, JsonSchema};
pub use crate::serde::{Deserialize, Serialize};
pub use crate::{
    Block, Budget, Constraint, Design, DesignSpace, Domain, Error, Evaluation, Evaluator, InputError, Iterate,
    MetricInfo, MetricSet, MetricValues, Objective, Optimizer, Problem, ProblemSpec, RandomStream, Requirement, Result,
    Scenario, Step, StopRules, Streams, Structure, SystemModel, Workspace,
};
pub use crate::{inventory, scenario::ScenarioEntry, serde_json, structure, typetag};
