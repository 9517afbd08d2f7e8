//! Linear programs over complex Hermitian positive semidefinite matrices: beamforming and relaxations of phases.
//!
//! ```text
//! minimize (or maximize)   Re( sum_b tr(C_b X_b) + c'x )
//! subject to               Re( sum_b tr(A_ib X_b) + a_i'x )  =, >=, <=  b_i,     X_b Hermitian >= 0,  x >= 0 or free
//! ```
//!
//! They are solved by a primal-dual interior-point method on the complex blocks themselves: its normal equations have
//! the size of the number of rows, and rows of low rank (`g^H X g`) are kept as such. [`Method`] chooses, or forces
//! Clarabel on real blocks of twice the size. Data may be in raw units: scaling is this layer's. Bounds and proofs of
//! infeasibility are computed apart from the solver, from the multipliers alone.
//!
//! ```
//! use isacopt::conic::Sense;
//! use isacopt::conic::hermitian::{C, HermitianProgram};
//! // The largest g^H X g under tr X = 2: twice the squared norm of g.
//! let g = [C::new(3.0, 0.0), C::new(0.0, 4.0)];
//! let mut program = HermitianProgram::new(Sense::Maximize);
//! let x = program.matrix(2);
//! program.trace_at_most(x, 2.0);
//! program.equal(x.trace(), 2.0);
//! program.objective(x.quadratic(&g));
//! let solution = program.solve();
//! assert!((solution.objective - 50.0).abs() < 1e-5);
//! let bound = program.bound(&solution.dual);
//! assert!(bound >= 50.0 && bound < 50.0 + 1e-5);
//! ```

mod answer;
mod bound;
mod cone;
mod dense;
mod diagonal;
mod embedding;
mod expression;
mod interior_point;
mod kernel;
mod method;
mod normal;
mod pair;
mod program;
mod solution;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod verification;

pub use dense::C;
pub use expression::{ComplexExpression, HermitianVariable, ScalarVariable};
pub use method::Method;
pub use program::{HermitianProgram, HermitianRow, HermitianSettings};
pub use solution::HermitianSolution;
