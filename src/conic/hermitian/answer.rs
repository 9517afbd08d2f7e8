//! From a point in scaled data to what is reported in the caller's units, whoever found it.

use super::dense::{self, C, Matrix};
use super::kernel::Kernel;
use super::program::HermitianProgram;
use super::solution::HermitianSolution;
use crate::conic::{Sense, Status};

/// A point this accurate is called almost solved.
pub(super) const ALMOST: f64 = 1e-5;

/// Added to the scaled objective where relative gaps are taken.
const OBJECTIVE_FLOOR: f64 = 1e-2;

/// A point in scaled data.
pub(super) struct Point {
    pub matrices: Vec<Matrix>,
    pub x: Vec<f64>,
    pub free: Vec<f64>,
    pub y: Vec<f64>,
}

/// How good a point is, in scaled data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measure {
    pub primal: f64,
    pub dual: f64,
    pub gap: f64,
    /// `<X, S>`, where there is an S.
    pub inner: f64,
    pub primal_objective: f64,
    pub dual_objective: f64,
}

impl Measure {
    /// From the norms of both residuals and the objectives.
    pub fn new(kernel: &Kernel, primal: f64, dual: f64, inner: f64, objectives: (f64, f64)) -> Self {
        let (primal_objective, dual_objective) = objectives;
        let size = OBJECTIVE_FLOOR + 0.5 * (primal_objective.abs() + dual_objective.abs());
        Self {
            primal: primal / (1.0 + kernel.right_norm()),
            dual: dual / (1.0 + kernel.cost_norm()),
            gap: inner.abs().max((primal_objective - dual_objective).abs()) / size,
            inner,
            primal_objective,
            dual_objective,
        }
    }

    pub fn merit(&self) -> f64 {
        let merit = self.primal.max(self.dual).max(self.gap);
        if merit.is_nan() { f64::INFINITY } else { merit }
    }
}

impl Point {
    /// Its objective as a minimization.
    pub fn objective(&self, kernel: &Kernel) -> f64 {
        let costs = kernel.cones.iter().zip(&self.matrices).map(|(cone, x)| dense::inner(&cone.cost, x));
        let scalars = kernel.scalar_cost.iter().zip(&self.x).chain(kernel.free_cost.iter().zip(&self.free));
        costs.sum::<f64>() + scalars.map(|(c, x)| c * x).sum::<f64>()
    }

    /// In units of its own objective: a ray along which that falls by 1.
    pub fn into_ray(mut self, kernel: &Kernel) -> Self {
        let unit = 1.0 / self.objective(kernel).abs().max(f64::MIN_POSITIVE);
        self.matrices.iter_mut().for_each(|x| *x *= C::new(unit, 0.0));
        self.x.iter_mut().chain(&mut self.free).for_each(|x| *x *= unit);
        self
    }
}

/// Multipliers in the caller's units, of the problem as a minimization.
pub(super) fn duals(kernel: &Kernel, y: &[f64]) -> Vec<f64> {
    y.iter().zip(&kernel.row_scale).map(|(y, r)| y * r * kernel.cost_scale).collect()
}

/// The answer: a point, and multipliers in the caller's units of the problem as a minimization.
pub(super) fn answer(
    program: &HermitianProgram,
    kernel: &Kernel,
    status: Status,
    point: &Point,
    y: &[f64],
    measure: &Measure,
    iterations: u32,
) -> HermitianSolution {
    let sign = if program.sense == Sense::Minimize { 1.0 } else { -1.0 };
    let mut scalars = vec![0.0; program.scalars.len()];
    let bounded = kernel.bounded.iter().zip(&point.x).zip(&kernel.scalar_scale);
    let free = kernel.unbounded.iter().zip(&point.free).zip(&kernel.free_scale);
    for ((at, x), scale) in bounded.chain(free) {
        scalars[*at] = x * scale * kernel.right_scale;
    }
    let unscaled = kernel.cones.iter().zip(&point.matrices);
    let factor = kernel.right_scale * kernel.cost_scale;
    HermitianSolution {
        status,
        matrices: unscaled.map(|(cone, x)| x * C::new(cone.scale * kernel.right_scale, 0.0)).collect(),
        scalars,
        dual: y.iter().map(|y| sign * y).collect(),
        objective: sign * measure.primal_objective * factor + program.constant,
        dual_objective: sign * measure.dual_objective * factor + program.constant,
        primal_residual: measure.primal,
        dual_residual: measure.dual,
        gap: measure.gap,
        iterations,
    }
}
