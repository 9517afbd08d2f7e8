//! Experiments as a person writes them, parsed and checked, with the place of every mistake.

mod assemble;
mod cell;
mod claim;
mod experiment;
mod expression;
mod figure;
mod launch;
mod message;
mod monte_carlo;
mod plugin;
mod problem;
mod schema;
mod setting;
mod solver;
mod source;
mod starter;
mod sweep;
mod system;
#[cfg(test)]
pub(crate) mod toy;
mod write;

pub use cell::{Cell, Trial};
pub use claim::{ClaimConfig, ClaimTest};
pub use experiment::Experiment;
pub use expression::{Expression, MetricConfig};
pub use figure::{FigureConfig, FigureFile, FigureKind, LegendPlace};
pub use launch::{Asked, Resources, TimingRule};
pub use message::{explain, json_kind, property_kind};
pub use monte_carlo::{Estimate, Simulate};
pub use plugin::PluginConfig;
pub use problem::{LimitConfig, ProblemConfig};
pub use schema::config_schema;
pub use solver::{DRIVER_KEYS, SolverConfig};
pub use source::{Place, Source};
pub use starter::starter;
pub use system::{InstanceSource, System};
