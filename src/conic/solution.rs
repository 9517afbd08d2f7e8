//! What solving a program gave.

use super::expression::Variables;

/// How solving a program ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Optimal within the tolerance.
    Solved,
    /// Optimal within a looser tolerance (gap 5e-5, feasibility 1e-4, relative to the scaled data).
    AlmostSolved,
    /// No point is feasible: `dual` is a certificate that passed this layer's own arithmetic.
    Infeasible,
    /// The objective is not bounded (or no point is feasible): `x` is a ray of better and better points that passed
    /// this layer's own arithmetic.
    Unbounded,
    /// The solver gave up, or what it claimed did not pass. `x` holds its last point, which may be useless.
    #[default]
    Inaccurate,
}

impl Status {
    /// The status in words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Solved => "solved",
            Self::AlmostSolved => "almost solved",
            Self::Infeasible => "infeasible",
            Self::Unbounded => "unbounded",
            Self::Inaccurate => "inaccurate",
        }
    }

    /// Whether `x` is an optimum, at least roughly.
    pub fn has_optimum(self) -> bool {
        matches!(self, Self::Solved | Self::AlmostSolved)
    }
}

/// What solving a program gave, in the caller's units.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Solution {
    /// How it ended.
    pub status: Status,
    /// The variables; for [`Status::Unbounded`] a ray.
    pub x: Vec<f64>,
    /// One multiplier a row, in the dual cone of its block: adding `e` to the row's constant betters the optimum by
    /// `dual * e` to first order, be it a minimum or a maximum. For [`Status::Infeasible`] a certificate: `dual` in the
    /// dual cone, `sum_i dual_i a_i = 0` and `sum_i dual_i b_i < 0`.
    pub dual: Vec<f64>,
    /// The objective at `x`.
    pub objective: f64,
    /// The dual objective at (`x`, `dual`): a bound on the optimum as far as `dual_residual` is 0;
    /// [`super::Program::bound`] makes it a proven one.
    pub dual_objective: f64,
    /// By how much `x` misses rows and cones, relative to the scaled data.
    pub primal_residual: f64,
    /// By how much `dual` misses the gradient condition and the dual cones, relative to the scaled data.
    pub dual_residual: f64,
    /// Interior-point iterations.
    pub iterations: u32,
}

impl Solution {
    /// The values of a block of variables.
    pub fn values(&self, block: Variables) -> &[f64] {
        &self.x[block.range()]
    }
}
