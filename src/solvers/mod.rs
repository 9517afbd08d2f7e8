//! The solvers, one file each. They know no scenario: what a problem offers they find in its
//! [`Structure`](crate::Structure).

pub mod baseline;
pub mod exact;
#[allow(dead_code)] // global_search and argmin use the rest
mod incumbent;
pub mod majorization_minimization;
pub mod random_search;
pub mod recorded;
pub mod sca;
mod surrogate_start;
