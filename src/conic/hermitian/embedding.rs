//! Clarabel on real embeddings of the complex blocks.
//!
//! Clarabel gets the dual in scaled data, which has one variable a row,
//!
//! ```text
//! minimize -b'y   s.t.   E(C_b) - sum_i y_i E(A_ib) >= 0,   c - a'y >= 0,   d - f'y = 0,     E(A) = [[Re A, -Im A], [Im A, Re A]]
//! ```
//!
//! its triangles stacked by columns with the entries beside the diagonal times the square root of 2, so that products of
//! vectors are those of matrices. For the multiplier `[[P, Q^T], [Q, R]]` of a block, `<E(A), .> = <A, X>` with
//! `X = P + R + i (Q - Q^T)`, which is semidefinite with it.
//!
//! Its word is not taken: points are measured, and claims checked, as those of this layer's own method.

use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

use clarabel::algebra::CscMatrix;
use clarabel::solver::SupportedConeT::{self, NonnegativeConeT, PSDTriangleConeT, ZeroConeT};
use clarabel::solver::{DefaultSettings, DefaultSolver, IPSolver, SolverStatus};

use super::answer::{ALMOST, Measure, Point, answer, duals};
use super::dense::{self, C, Matrix};
use super::kernel::Kernel;
use super::program::{HermitianProgram, HermitianSettings};
use super::solution::HermitianSolution;
use crate::conic::Status;

/// "Solved" counts where our own measure is at most this.
const CONFIRMED: f64 = 1e-6;

/// A ray counts where it misses the rows by at most this, per unit by which the objective falls.
const RAY: f64 = 1e-6;

/// The entries of an embedded block's triangle.
fn triangle(n: usize) -> usize {
    n * (2 * n + 1)
}

/// How many entries Clarabel's semidefinite cones would have for a program: its time grows with their cube.
pub(super) fn size(program: &HermitianProgram) -> usize {
    program.blocks.iter().map(|b| triangle(b.size)).sum()
}

/// Calls `put` with each entry of the embedded triangle, in order.
fn embed(a: &Matrix, mut put: impl FnMut(usize, f64)) {
    let n = a.nrows();
    let mut at = 0;
    for column in 0..2 * n {
        for row in 0..=column {
            let value = match (row < n, column < n) {
                (true, false) => -a[(row, column - n)].im,
                (true, true) => a[(row, column)].re,
                _ => a[(row - n, column - n)].re,
            };
            put(at, if row == column { value } else { SQRT_2 * value });
            at += 1;
        }
    }
}

/// `P + R + i (Q - Q^T)` of an embedded triangle.
fn extract(z: &[f64], n: usize) -> Matrix {
    let at = |row: usize, column: usize| {
        let (row, column) = (row.min(column), row.max(column));
        let value = z[column * (column + 1) / 2 + row];
        if row == column { value } else { FRAC_1_SQRT_2 * value }
    };
    Matrix::from_fn(n, n, |i, j| C::new(at(i, j) + at(i + n, j + n), at(j, i + n) - at(i, j + n)))
}

/// The embedded dual.
struct Embedded {
    a: CscMatrix<f64>,
    b: Vec<f64>,
    cones: Vec<SupportedConeT<f64>>,
}

impl Embedded {
    fn new(kernel: &mut Kernel) -> Self {
        let m = kernel.rows();
        let mut columns: Vec<Vec<(usize, f64)>> = vec![Vec::new(); m];
        let scalars = kernel.free.iter().chain(&kernel.scalars);
        for (at, coefficients) in scalars.enumerate() {
            coefficients.iter().for_each(|(row, a)| columns[*row].push((at, *a)));
        }
        let mut b: Vec<f64> = kernel.free_cost.iter().chain(&kernel.scalar_cost).copied().collect();
        let mut cones = Vec::new();
        if !kernel.free.is_empty() {
            cones.push(ZeroConeT(kernel.free.len()));
        }
        if !kernel.scalars.is_empty() {
            cones.push(NonnegativeConeT(kernel.scalars.len()));
        }
        let mut unit = vec![0.0; m];
        for cone in &mut kernel.cones {
            let first = b.len();
            embed(&cone.cost, |_, value| b.push(value));
            let mut matrix = Matrix::zeros(cone.n, cone.n);
            for (row, column) in columns.iter_mut().enumerate() {
                matrix.fill(dense::ZERO);
                unit[row] = 1.0;
                cone.apply_adjoint(&unit, 1.0, &mut matrix);
                unit[row] = 0.0;
                embed(&matrix, |at, value| {
                    if value != 0.0 {
                        column.push((first + at, value));
                    }
                });
            }
            cones.push(PSDTriangleConeT(2 * cone.n));
        }
        let mut starts = vec![0];
        starts.extend(columns.iter().scan(0, |sum, column| {
            *sum += column.len();
            Some(*sum)
        }));
        let (rows, values) = columns.into_iter().flatten().unzip();
        Self { a: CscMatrix::new(b.len(), m, starts, rows, values), b, cones }
    }
}

fn translated(settings: &HermitianSettings, equilibrate: bool) -> DefaultSettings<f64> {
    DefaultSettings {
        verbose: false,
        max_iter: settings.max_iterations,
        tol_gap_abs: settings.tolerance,
        tol_gap_rel: settings.tolerance,
        tol_feas: settings.tolerance,
        max_threads: 1,
        equilibrate_enable: equilibrate,
        presolve_enable: false,
        chordal_decomposition_enable: false,
        ..DefaultSettings::default()
    }
}

/// Solves a program; once more without Clarabel's own scaling, on top of ours, where that left it short of its tolerance.
pub(super) fn solve(program: &HermitianProgram) -> HermitianSolution {
    let mut kernel = Kernel::new(program);
    let embedded = Embedded::new(&mut kernel);
    let first = attempt(program, &mut kernel, &embedded, true);
    if !matches!(first.status, Status::AlmostSolved | Status::Inaccurate) {
        return first;
    }
    let second = attempt(program, &mut kernel, &embedded, false);
    let error = |s: &HermitianSolution| s.primal_residual.max(s.dual_residual).max(s.gap);
    let claimed = matches!(second.status, Status::Infeasible | Status::Unbounded);
    let better = claimed || error(&second) < error(&first);
    let iterations = first.iterations + second.iterations;
    HermitianSolution { iterations, ..if better { second } else { first } }
}

fn attempt(
    program: &HermitianProgram,
    kernel: &mut Kernel,
    embedded: &Embedded,
    equilibrate: bool,
) -> HermitianSolution {
    let m = kernel.rows();
    let Embedded { a, b, cones } = embedded;
    let cost: Vec<f64> = kernel.right.iter().map(|b| -b).collect();
    let none = CscMatrix::zeros((m, m));
    let settings = translated(&program.settings, equilibrate);
    // It refuses no well-formed data; were it to, that is no answer.
    let Ok(mut solver) = DefaultSolver::new(&none, &cost, a, b, cones, settings) else {
        return HermitianSolution::default();
    };
    solver.solve();
    let found = &solver.solution;
    let (free, scalars) = (kernel.free.len(), kernel.scalars.len());
    let mut at = free + scalars;
    let matrices = kernel.cones.iter().map(|cone| {
        let z = &found.z[at..at + triangle(cone.n)];
        at += triangle(cone.n);
        extract(z, cone.n)
    });
    let point = Point {
        matrices: matrices.collect(),
        free: found.z[..free].to_vec(),
        x: found.z[free..free + scalars].to_vec(),
        y: found.x.clone(),
    };
    let measure = measure(kernel, &point);
    let y = duals(kernel, &point.y);
    let infeasible = matches!(found.status, SolverStatus::DualInfeasible | SolverStatus::AlmostDualInfeasible);
    let unbounded = matches!(found.status, SolverStatus::PrimalInfeasible | SolverStatus::AlmostPrimalInfeasible);
    let (status, point) = if infeasible && program.proves_infeasible(&y) {
        (Status::Infeasible, point)
    } else if unbounded && is_ray(kernel, &point) {
        (Status::Unbounded, point.into_ray(kernel))
    } else {
        let merit = measure.merit();
        let solved = found.status == SolverStatus::Solved && merit <= CONFIRMED || merit <= program.settings.tolerance;
        let status = match merit <= ALMOST {
            _ if solved => Status::Solved,
            true => Status::AlmostSolved,
            false => Status::Inaccurate,
        };
        (status, point)
    };
    answer(program, kernel, status, &point, &y, &measure, found.iterations)
}

/// `A(X) + ...` of a point.
fn rows_at(kernel: &mut Kernel, point: &Point) -> Vec<f64> {
    let mut rows = vec![0.0; kernel.rows()];
    for (cone, x) in kernel.cones.iter_mut().zip(&point.matrices) {
        cone.apply(x, 1.0, &mut rows);
    }
    let columns = kernel.scalars.iter().zip(&point.x).chain(kernel.free.iter().zip(&point.free));
    for (column, x) in columns {
        column.iter().for_each(|(row, a)| rows[*row] += a * x);
    }
    rows
}

fn measure(kernel: &mut Kernel, point: &Point) -> Measure {
    let rows = rows_at(kernel, point);
    let primal = rows.iter().zip(&kernel.right).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    let y = &point.y;
    let reduced = |column: &[(usize, f64)], cost: f64| cost - column.iter().map(|(row, a)| a * y[*row]).sum::<f64>();
    let scalars = kernel.scalars.iter().zip(&kernel.scalar_cost).map(|(a, c)| (-reduced(a, *c)).max(0.0));
    let free = kernel.free.iter().zip(&kernel.free_cost).map(|(a, c)| reduced(a, *c));
    let mut dual: f64 = scalars.chain(free).map(|miss| miss * miss).sum();
    for cone in &mut kernel.cones {
        let mut slack = cone.cost.clone();
        cone.apply_adjoint(y, -1.0, &mut slack);
        dual += dense::least_eigenvalue_of(&slack).min(0.0).powi(2);
    }
    let dual_objective = kernel.right.iter().zip(y).map(|(b, y)| b * y).sum();
    Measure::new(kernel, primal, dual.sqrt(), 0.0, (point.objective(kernel), dual_objective))
}

/// Whether the objective falls without end along a point, up to rounding.
fn is_ray(kernel: &mut Kernel, point: &Point) -> bool {
    let fall = -point.objective(kernel);
    let missed = rows_at(kernel, point).iter().map(|x| x * x).sum::<f64>().sqrt();
    fall > 0.0 && missed <= RAY * fall
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::RandomStream;

    #[test]
    fn products_with_embedded_matrices_are_those_with_what_is_extracted() {
        let mut stream = RandomStream::keyed(1, "test", "embedding", 0, 0);
        for n in [1, 2, 5] {
            let f = Matrix::from_fn(n, n, |_, _| stream.complex_normal(1.0));
            let a = &f + f.adjoint();
            let z: Vec<f64> = (0..triangle(n)).map(|_| stream.normal()).collect();
            let x = extract(&z, n);
            assert!((&x - x.adjoint()).norm() < 1e-14);
            let mut product = 0.0;
            embed(&a, |at, value| product += value * z[at]);
            assert!((product - dense::inner(&a, &x)).abs() < 1e-12 * (1.0 + product.abs()), "{n}");
            // Half of an embedded matrix is the matrix again.
            let mut embedded = vec![0.0; triangle(n)];
            embed(&a, |at, value| embedded[at] = 0.5 * value);
            assert!((extract(&embedded, n) - &a).norm() < 1e-14 * a.norm());
        }
    }
}
