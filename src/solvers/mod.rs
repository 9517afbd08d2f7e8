//! The solvers, one file each. They know no scenario: what a problem offers they find in its
//! [`Structure`](crate::Structure).

#[allow(dead_code)] // argmin uses the rest
mod augmented_lagrangian;
pub mod baseline;
pub mod bisection;
mod coordinates;
pub mod exact;
pub mod global_search;
mod incumbent;
pub mod majorization_minimization;
mod quadratic_program;
pub mod random_search;
pub mod recorded;
pub mod sca;
mod surrogate_start;
