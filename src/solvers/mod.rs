//! The solvers, one file each. They know no scenario: what a problem offers they find in its
//! [`Structure`](crate::Structure).

pub mod alternating;
pub mod argmin;
mod augmented_lagrangian;
pub mod baseline;
mod coordinates;
pub mod dinkelbach;
pub mod exact;
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
mod surrogate_start;
