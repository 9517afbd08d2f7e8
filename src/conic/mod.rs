//! Convex conic programs: a modelling layer on the interior-point solver Clarabel.
//!
//! ```text
//! minimize (or maximize)   x'Px / 2 + c'x + d
//! subject to               a_i'x + b_i  (rows i of block j)  in  cone K_j,   for each j
//! ```
//!
//! with the zero, non-negative, second-order, rotated second-order and exponential [`Cone`]s. Before it is solved, the
//! data are brought to the order of 1 by powers of two, so that raw units (1e-15 W beside 1 W) do no harm and cost no
//! digit. Between solves, coefficients are set anew in place: the same program built afresh gives the same bits.
//! A claim of infeasibility or unboundedness counts only where its certificate passes this layer's own arithmetic.
//!
//! ```
//! use isacopt::conic::{Cone, Program, Sense, Status};
//! // The point of the disc of radius 1 that lies farthest in the direction (3, 4).
//! let mut program = Program::new(Sense::Maximize);
//! let x = program.variables(2);
//! program.objective(3.0 * x.get(0) + 4.0 * x.get(1));
//! program.constrain(Cone::SecondOrder, [1.0.into(), x.get(0).into(), x.get(1).into()]);
//! let solution = program.solve().unwrap();
//! assert_eq!(solution.status, Status::Solved);
//! assert!((solution.objective - 5.0).abs() < 1e-7);
//! assert!((solution.values(x)[1] - 0.8).abs() < 1e-7);
//! ```

mod cones;
mod equilibration;
mod expression;
pub mod hermitian;
mod kernel;
pub mod low_rank;
mod program;
mod solution;
#[cfg(test)]
mod tests;

pub use cones::Cone;
pub use expression::{Expression, Variable, Variables};
pub use program::{Coefficient, Constraint, Program, Row, Sense, Settings};
pub use solution::{Solution, Status};
