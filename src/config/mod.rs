//! Experiments as a person writes them, parsed and checked, with the place of every mistake.

mod message;
mod solver;

pub use message::{explain, json_kind};
pub use solver::{DRIVER_KEYS, SolverConfig};
