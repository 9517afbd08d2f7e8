//! Proven bounds and proofs of infeasibility, computed from multipliers alone on the caller's own data: no part of the
//! solver is trusted.
//!
//! For any `y` with the signs of its rows and any feasible `X, x` (as a minimization)
//!
//! ```text
//! <C, X> + c'x  >=  b'y + sum_b tau_b min(0, lambda_min(S_b)) + sum_j u_j min(0, s_j),   S = C - A^T(y)
//! ```
//!
//! where `tr X_b <= tau_b` and `x_j <= u_j` are the limits that the caller stated; a free variable, `|x_j| <= u_j`, costs
//! `u_j |s_j|`. Rounding is charged to the bound.

use super::dense;
use super::program::HermitianProgram;
use crate::conic::Sense;

/// Relative rounding of the least eigenvalue and of sums, generously.
const ROUNDING: f64 = 64.0 * f64::EPSILON;

/// Where a variable has no stated limit, a certificate of infeasibility may miss the cone by this much relative to its
/// own terms: it then excludes feasible points up to 1e8 times the size that the rows suggest.
const UNLIMITED: f64 = 1e-8;

impl HermitianProgram {
    /// A proven bound on the optimum from multipliers ([`super::HermitianSolution::dual`]): no feasible point is better.
    /// Infinite (worthless) where the multipliers miss the dual cone in a variable without a stated limit.
    pub fn bound(&self, dual: &[f64]) -> f64 {
        let sign = if self.sense == Sense::Minimize { 1.0 } else { -1.0 };
        let y: Vec<f64> = dual.iter().map(|y| sign * y).collect();
        sign * self.lower_bound(&y, true, sign) + self.constant
    }

    /// Whether multipliers (of the program as a minimization) prove that no point is feasible: `b'y > 0` with
    /// `A^T(y) <= 0`, what is missed charged at the stated limits.
    pub fn proves_infeasible(&self, y: &[f64]) -> bool {
        let value = self.lower_bound(y, false, 1.0);
        value.is_finite() && value > 0.0
    }

    /// The bound for multipliers of a minimization; with zero cost where not `with_cost`.
    fn lower_bound(&self, y: &[f64], with_cost: bool, sign: f64) -> f64 {
        if y.len() != self.right.len() || y.iter().any(|y| !y.is_finite()) {
            return f64::NEG_INFINITY;
        }
        // The sign of an inequality row's multiplier is mended first: that costs nothing to mend.
        let y: Vec<f64> = (y.iter().zip(&self.row_sides))
            .map(|(y, side)| match side {
                1 => y.max(0.0),
                -1 => y.min(0.0),
                _ => *y,
            })
            .collect();
        let terms = || self.right.iter().zip(&y).map(|(b, y)| b * y);
        let size: f64 = terms().map(f64::abs).sum();
        let mut bound = terms().sum::<f64>() - ROUNDING * size;
        for (b, block) in self.blocks.iter().enumerate() {
            let mut slack = self.combination(b, Some(&y));
            let mut magnitude: f64 = block.rows.iter().map(|c| y[c.row].abs() * entries(c)).sum();
            slack.neg_mut();
            if with_cost {
                slack += self.combination(b, None) * dense::C::new(sign, 0.0);
                magnitude += entries(&block.cost);
            }
            let least = dense::least_eigenvalue_of(&slack) - ROUNDING * magnitude;
            if least < 0.0 || least.is_nan() {
                match block.trace_limit {
                    Some(limit) => bound += limit * least,
                    None if !with_cost && -least <= UNLIMITED * magnitude => {}
                    None if -least <= 2.0 * ROUNDING * magnitude => {}
                    None => return f64::NEG_INFINITY,
                }
            }
        }
        for scalar in &self.scalars {
            let terms = || scalar.rows.iter().map(|(row, a)| a * y[*row]);
            let cost = if with_cost { sign * scalar.cost } else { 0.0 };
            let magnitude = terms().map(f64::abs).sum::<f64>() + cost.abs();
            let slack = cost - terms().sum::<f64>();
            let least = if scalar.free { -slack.abs() } else { slack } - ROUNDING * magnitude;
            if least < 0.0 {
                match scalar.limit {
                    Some(limit) => bound += limit * least,
                    None if !with_cost && -least <= UNLIMITED * magnitude => {}
                    None if -least <= 2.0 * ROUNDING * magnitude => {}
                    None => return f64::NEG_INFINITY,
                }
            }
        }
        bound
    }
}

/// The sum of a row's coefficients, by size: a bound on its norm in a block.
fn entries(coefficients: &super::program::Coefficients) -> f64 {
    coefficients.entries.iter().map(|e| e.2.norm()).sum()
}
