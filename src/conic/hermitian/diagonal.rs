//! Relaxations of phases alone by the low-rank method with a dual shift ([`crate::conic::low_rank`]), where they are too
//! large for the interior-point method:
//!
//! ```text
//! maximize  tr(C X)   s.t.   w_n X_nn = b_n   with  b_n / w_n > 0,   n = 1 .. N
//! ```
//!
//! With `D = Diag(b / w)` it is `max tr(A X')`, `X'_nn = 1`, for `A = D^1/2 C D^1/2`; multipliers are prices by `b`.

use super::answer::ALMOST;
use super::dense::{C, Matrix};
use super::program::HermitianProgram;
use super::solution::HermitianSolution;
use crate::conic::low_rank::{LowRank, dual_shift};
use crate::conic::{Sense, Status};
use crate::math::RandomStream;

/// From this size on it takes over.
pub(super) const TAKES_OVER: usize = 400;

/// Sweeps between two looks at the gap, and all of them.
const SWEEPS: usize = 50;
const MOST_SWEEPS: usize = 2000;

/// Solves a program of this form and of at least [`TAKES_OVER`] elements; nothing where it is of another form or smaller,
/// or where the gap does not close to what counts as almost solved.
pub(super) fn solve(program: &HermitianProgram) -> Option<HermitianSolution> {
    let large = program.blocks.first().is_some_and(|block| block.size >= TAKES_OVER);
    let solution = if large { solve_any_size(program) } else { None };
    solution.filter(|s| s.status.has_optimum())
}

/// `b_n / w_n`, and the row of each coordinate, for a program of this form.
fn sizes(program: &HermitianProgram) -> Option<(Vec<f64>, Vec<usize>)> {
    let [block] = &program.blocks[..] else { return None };
    let n = block.size;
    let plain = program.scalars.is_empty() && program.row_sides.iter().all(|side| *side == 0);
    if !(plain && block.coordinates && block.rows.len() == n && program.right.len() == n) {
        return None;
    }
    let (mut sizes, mut rows) = (vec![0.0; n], vec![0; n]);
    for row in &block.rows {
        let [(k, l, weight)] = row.entries[..] else { return None };
        let size = program.right[row.row] / weight.re;
        if k != l || k >= n || sizes[k] != 0.0 || size.is_nan() || size <= 0.0 || size.is_infinite() {
            return None;
        }
        (sizes[k], rows[k]) = (size, row.row);
    }
    Some((sizes, rows))
}

pub(super) fn solve_any_size(program: &HermitianProgram) -> Option<HermitianSolution> {
    let (sizes, rows) = sizes(program)?;
    let n = sizes.len();
    let sign = if program.sense == Sense::Maximize { 1.0 } else { -1.0 };
    let roots: Vec<f64> = sizes.iter().map(|d| d.sqrt()).collect();
    let cost = program.combination(0, None);
    let a = Matrix::from_fn(n, n, |i, j| cost[(i, j)] * (sign * roots[i] * roots[j]));
    let mut factor = LowRank::new(n, &mut RandomStream::keyed(0, "low rank", "", n as u64, 0));
    let (mut bound, mut best, mut value, mut sweeps) = (f64::INFINITY, Vec::new(), f64::NEG_INFINITY, 0);
    let mut gap = f64::INFINITY;
    while gap > program.settings.tolerance && sweeps < MOST_SWEEPS {
        let climb = factor.climb(&a, 0.0, SWEEPS);
        sweeps += climb.sweeps;
        let before = value;
        value = factor.value(&a);
        let shift = dual_shift(&a, &climb.prices)?;
        let prices: Vec<f64> = climb.prices.iter().map(|y| y + shift).collect();
        let sum = prices.iter().sum::<f64>();
        if sum < bound {
            (bound, best) = (sum, prices);
        }
        let size = value.abs().max(f64::MIN_POSITIVE);
        gap = ((bound - value) / size).abs();
        // Rounding is all that moves.
        if value - before <= 1e-14 * size {
            break;
        }
    }
    let mut dual = vec![0.0; n];
    for (row, price) in rows.iter().zip(&best) {
        dual[*row] = sign * price / program.right[*row];
    }
    let mut x = factor.matrix();
    for j in 0..n {
        (0..n).for_each(|i| x[(i, j)] *= C::new(roots[i] * roots[j], 0.0));
    }
    Some(HermitianSolution {
        status: match gap {
            gap if gap <= program.settings.tolerance => Status::Solved,
            gap if gap <= ALMOST => Status::AlmostSolved,
            _ => Status::Inaccurate,
        },
        matrices: vec![x],
        scalars: Vec::new(),
        dual,
        objective: sign * value + program.constant,
        dual_objective: sign * bound + program.constant,
        primal_residual: 0.0,
        dual_residual: 0.0,
        gap,
        iterations: sweeps as u32,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conic::hermitian::{HermitianSettings, Method};

    #[test]
    fn it_agrees_with_the_interior_point_method_and_proves_it() {
        for (n, sense) in [(1, Sense::Maximize), (24, Sense::Maximize), (40, Sense::Minimize)] {
            let mut stream = RandomStream::keyed(1, "test", "diagonal", n as u64, 0);
            let f = Matrix::from_fn(n, n, |_, _| stream.complex_normal(1.0));
            let cost = &f * f.adjoint();
            let mut program = HermitianProgram::new(sense);
            let x = program.matrix(n);
            // Rows in an order of their own, with weights, in raw units.
            for i in (0..n).rev() {
                program.equal(x.entry(i, i) * (1e-9 * (1.0 + i as f64)), 2e-9 + 1e-10 * i as f64);
            }
            program.objective(x.inner(&cost));
            program.set_settings(HermitianSettings { method: Method::Native, ..HermitianSettings::default() });
            let (exact, low) = (program.solve(), solve_any_size(&program).unwrap());
            assert!(low.status.has_optimum(), "{n}: {:e}", low.gap);
            let size = exact.objective.abs().max(1e-3 * cost.norm());
            assert!(
                (low.objective - exact.objective).abs() < 2e-5 * size,
                "{n}: {} {}",
                low.objective,
                exact.objective
            );
            let right = |i: usize| (2e-9 + 1e-10 * i as f64) / (1e-9 * (1.0 + i as f64));
            assert!((0..n).all(|i| (low.matrix(x)[(i, i)].re / right(i) - 1.0).abs() < 1e-12));
            program.trace_at_most(x, (0..n).map(right).sum());
            let (bound, sign) = (program.bound(&low.dual), if sense == Sense::Maximize { 1.0 } else { -1.0 });
            assert!(sign * (bound - exact.objective) > -1e-6 * size, "{n}: {bound} {}", exact.objective);
            assert!((bound - exact.objective).abs() < 2e-5 * size, "{n}: {bound} {}", exact.objective);
        }
    }

    #[test]
    fn programs_of_another_form_are_left_alone() {
        let mut program = HermitianProgram::new(Sense::Maximize);
        let x = program.matrix(3);
        (0..3).for_each(|i| _ = program.equal(x.entry(i, i), 1.0));
        program.objective(x.entry(0, 1));
        assert!(solve_any_size(&program).is_some());
        let mut more = program.clone();
        more.at_least(x.entry(0, 0), 0.5);
        assert!(solve_any_size(&more).is_none());
        let mut others = HermitianProgram::new(Sense::Maximize);
        let x = others.matrix(2);
        others.equal(x.entry(0, 0), 1.0);
        others.equal(x.entry(0, 1), 0.5);
        assert!(solve_any_size(&others).is_none());
    }

    #[test]
    fn large_relaxations_go_there_by_themselves() {
        let n = TAKES_OVER;
        let mut stream = RandomStream::keyed(1, "test", "diagonal", n as u64, 0);
        let vector: Vec<C> = (0..n).map(|_| stream.complex_normal(1.0)).collect();
        let mut program = HermitianProgram::new(Sense::Maximize);
        let x = program.matrix(n);
        program.trace_at_most(x, n as f64);
        (0..n).for_each(|i| _ = program.equal(x.entry(i, i), 1.0));
        program.objective(x.quadratic(&vector));
        let solution = program.solve();
        assert!(solution.status.has_optimum(), "{:e} after {}", solution.gap, solution.iterations);
        let bound = program.bound(&solution.dual);
        assert!(bound >= solution.objective && bound - solution.objective < 2e-5 * bound);
        // All phases aligned. No interior-point method holds the rows to the last bit.
        let best = vector.iter().map(|v| v.norm()).sum::<f64>().powi(2);
        assert!((solution.objective / best - 1.0).abs() < 1e-5 && solution.primal_residual == 0.0);
    }
}
