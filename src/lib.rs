//! isacopt: integrated sensing and communications (ISAC). Any system model with any compatible optimizer, from one
//! config file, with convergence records and proven gaps.
#![warn(missing_docs)]

pub mod cli;
pub mod config;
pub mod conic;
pub mod design;
pub mod driver;
pub mod error;
pub mod instance;
pub mod math;
pub mod metric;
pub mod model;
mod number;
pub mod optimizer;
pub mod plugin;
pub mod prelude;
pub mod problem;
mod quantization;
pub mod radio;
pub mod references;
pub mod report;
pub mod results;
pub mod runner;
pub mod samples;
pub mod scenario;
pub mod scenarios;
mod shell;
pub mod simulation;
pub mod solvers;
pub mod structure;
pub mod trace;
pub mod verification;

pub use design::{Block, Design, DesignSpace, Domain};
pub use driver::{Run, StopRules};
pub use error::{Error, InputError, Result};
pub use math::{RandomStream, Streams};
pub use metric::{Direction, Metric, MetricInfo, MetricSet, MetricValues};
pub use model::{SystemModel, Workspace};
pub use optimizer::{Budget, Cancel, Iterate, Optimizer, Requirement, Step};
pub use problem::{Constraint, Evaluation, Evaluator, Limit, Objective, Problem, ProblemSpec};
pub use scenario::Scenario;
pub use simulation::{Simulation, SimulationFactory};
pub use structure::{Capability, Certificate, Proof, Refusal, Structure};
pub use trace::{Outcome, Record, Status};

// The routines that Clarabel's semidefinite cones call by their Fortran names.
use isacopt_blas as _;

// For the macros that solvers and scenarios use.
#[doc(hidden)]
pub use {inventory, num_complex, schemars, serde, serde_json, typetag};
