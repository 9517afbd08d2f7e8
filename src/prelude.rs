//! What the file of a solver uses: `use isacopt::prelude::*;`. See `docs/write-a-solver.md`.

pub use std::sync::Arc;

pub use crate::schemars::{self, JsonSchema};
pub use crate::serde::{Deserialize, Serialize};
pub use crate::typetag;
pub use crate::{
    Budget, Design, Error, Evaluation, Evaluator, InputError, Iterate, Optimizer, Problem, RandomStream, Requirement,
    Result, Step, StopRules,
};
