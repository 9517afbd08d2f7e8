//! Experiments as a person writes them, parsed and checked, with the place of every mistake.

mod expression;
mod message;
mod solver;
mod source;

pub use expression::{Expression, MetricConfig};
pub use message::{explain, json_kind};
pub use solver::{DRIVER_KEYS, SolverConfig};
pub use source::{Place, Source};
