//! The solvers, one file each. They know no scenario: what a problem offers they find in its
//! [`Structure`](crate::Structure).

pub mod alternating;
pub mod argmin;
mod augmented_lagrangian;
pub mod baseline;
pub mod branch_and_bound;
pub mod coordinate_descent;
mod coordinates;
pub mod cross_entropy;
pub mod dinkelbach;
mod discrete;
pub mod exact;
pub mod exhaustive;
mod finite_differences;
pub mod global_search;
mod incumbent;
pub mod majorization_minimization;
pub mod manifold;
mod quadratic_program;
pub mod random_search;
pub mod recorded;
mod restriction;
pub mod sca;
pub mod sdr;
pub mod simulated_annealing;
mod surrogate_start;
