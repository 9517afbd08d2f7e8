//! What solving a Hermitian program gave.

use super::dense::Matrix;
use super::expression::{HermitianVariable, ScalarVariable};
use crate::conic::Status;

/// What solving a Hermitian program gave, in the caller's units.
#[derive(Clone, Debug, Default)]
pub struct HermitianSolution {
    /// How it ended. A claim of infeasibility has passed a check of its certificate on the original data.
    pub status: Status,
    pub(super) matrices: Vec<Matrix>,
    pub(super) scalars: Vec<f64>,
    /// One multiplier a row: adding `e` to the row's right side changes the optimum by `dual * e` to first order. For
    /// [`Status::Infeasible`] a certificate: see [`super::HermitianProgram::proves_infeasible`].
    pub dual: Vec<f64>,
    /// The objective at the solution.
    pub objective: f64,
    /// The dual objective: a bound on the optimum as far as the dual point is feasible;
    /// [`super::HermitianProgram::bound`] makes it a proven one.
    pub dual_objective: f64,
    /// By how much rows are missed, relative to the scaled data.
    pub primal_residual: f64,
    /// By how much the dual equations are missed, relative to the scaled data.
    pub dual_residual: f64,
    /// The duality gap, relative to the objective.
    pub gap: f64,
    /// Interior-point iterations.
    pub iterations: u32,
}

impl HermitianSolution {
    /// A matrix variable's value; for [`Status::Unbounded`] its part of a ray along which the objective betters without
    /// end.
    pub fn matrix(&self, variable: HermitianVariable) -> &Matrix {
        &self.matrices[variable.block]
    }

    /// A scalar variable's value.
    pub fn scalar(&self, variable: ScalarVariable) -> f64 {
        self.scalars[variable.0]
    }
}
