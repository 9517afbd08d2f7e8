//! Experiments planned, executed and held against ground truth.

mod environment;
mod execute;
mod launch;
mod merge;
mod monte_carlo;
mod plan;
mod replay;
mod single;
mod store;
mod timing;
pub mod validation;

pub use execute::{Finished, Options, Part, Progress, all_threads, collect, default_folder, execute, execute_part};
pub use launch::{Processes, Slurm, Submitted, Worker, commands, run_in_processes, run_on_slurm};
pub use merge::{Merged, merge};
pub use plan::{CellPlan, Plan, Planned, fitting};
pub use replay::{Difference, Replay, replay};
pub use store::{Held, Store, Writer};
