//! Experiments planned, executed and held against ground truth.

mod environment;
mod execute;
mod monte_carlo;
mod plan;
mod store;
pub mod validation;

pub use execute::{Finished, Options, Progress, all_threads, default_folder, execute};
pub use plan::{CellPlan, Plan, Planned, fitting};
