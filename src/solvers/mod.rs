//! The solvers, one file each. They know no scenario: what a problem offers they find in its
//! [`Structure`](crate::Structure).

pub mod argmin;
pub mod alternating;
mod augmented_lagrangian;
pub mod baseline;
pub mod branch_and_bound;
pub mod coordinate_descent;
mod coordinates;
pub mod cross_entropy;
mod discrete;
pub mod dinkelbach;
pub mod exact;
mod finite_differences;
pub mod exhaustive;
pub mod global_search;
mod incumbent;
pub mod majorization_minimization;
pub mod manifold;
mod quadratic_program;
pub mod random_search;
pub mod recorded;
mod restriction;
pub mod sca;
pub mod simulated_annealing;
pub mod sdr;
mod surrogate_start;
