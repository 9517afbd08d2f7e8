//! A primal-dual interior-point method on complex Hermitian blocks: infeasible start, HKM direction, Mehrotra's
//! predictor and corrector.
//!
//! With the residuals `r = b - A(X)`, `R = C - A^T(y) - S` and `Z = S^-1`, a step solves
//!
//! ```text
//! M dy = b + A(X R Z + dX' dS' Z) - sigma mu A(Z),     M_ij = tr(A_i X A_j Z)
//! dS   = R - A^T(dy),        dX = sigma mu Z - X - sym((X dS + dX' dS') Z)
//! ```
//!
//! with the predictor's step `(dX', dS')`. Only `M`, of the size of the row count, is factored ([`Normal`]; free variables
//! border it). Step lengths are those
//! to the boundary of the cone by Lanczos, shortened, and count only once both new iterates have a Cholesky factor.
//!
//! Sources: Helmberg, Rendl, Vanderbei and Wolkowicz, SIAM J. Optim. 6(2), 1996, doi:10.1137/0806020; Kojima, Shindoh
//! and Hara, SIAM J. Optim. 7(1), 1997, doi:10.1137/S1052623494269035; rules for steps and centring as in Toh, Todd and
//! Tutuncu, Optim. Methods Softw. 11, 1999, doi:10.1080/10556789908805762.

use super::answer::{ALMOST, Measure, Point, answer, duals};
use super::dense;
use super::kernel::Kernel;
use super::normal::Normal;
use super::pair::Pair;
use super::program::HermitianProgram;
use super::solution::HermitianSolution;
use crate::conic::Status;

/// A dual residual below this share of the tolerance is not corrected any more.
const EXACT: f64 = 1e-4;

/// How exact the longest steps are: that of the predictor, which only sets the centring, and that which is taken.
const PREDICTED: f64 = 1e-1;
const TAKEN: f64 = 1e-2;

/// Steps shorter than this make no progress.
const SHORTEST: f64 = 1e-7;

/// The iterate.
struct Iterate {
    pairs: Vec<Pair>,
    x: Vec<f64>,
    s: Vec<f64>,
    y: Vec<f64>,
    free: Vec<f64>,
}

impl Iterate {
    fn to_point(&self) -> Point {
        Point {
            matrices: self.pairs.iter().map(|p| p.x.clone()).collect(),
            x: self.x.clone(),
            free: self.free.clone(),
            y: self.y.clone(),
        }
    }
}

struct Method<'a> {
    program: &'a HermitianProgram,
    kernel: Kernel,
    point: Iterate,
    degree: f64,
    // Scalars: steps and residuals.
    dx: Vec<f64>,
    ds: Vec<f64>,
    residual: Vec<f64>,
    product: Vec<f64>,
    primal_residual: Vec<f64>,
    dy: Vec<f64>,
    rhs: Vec<f64>,
    base: Vec<f64>,
    normal: Normal,
    /// What the free variables' dual equations miss.
    free_residual: Vec<f64>,
    /// The free variables after a full step.
    free_target: Vec<f64>,
    best: Option<(Measure, Point)>,
}

enum End {
    Solved,
    Infeasible,
    Unbounded,
    Stalled,
}

/// Solves a program.
pub(super) fn solve(program: &HermitianProgram) -> HermitianSolution {
    Method::new(program).run()
}

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

impl<'a> Method<'a> {
    fn new(program: &'a HermitianProgram) -> Self {
        let mut kernel = Kernel::new(program);
        let m = kernel.rows();
        let scalars = kernel.scalars.len();
        // Starting sizes: of the order of what the rows ask for, well inside the cone.
        let most_right = kernel.right.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
        let pairs = kernel.cones.iter_mut().map(|cone| {
            let root = (cone.n as f64).sqrt();
            let x = 10.0_f64.max(root).max(cone.n as f64 * (1.0 + most_right) / 2.0);
            let s = 10.0_f64.max(root).max(cone.cost.norm());
            Pair::new(cone.n, x, s)
        });
        let pairs: Vec<Pair> = pairs.collect();
        let degree = pairs.iter().map(|p| p.x.nrows()).sum::<usize>() + scalars;
        let point = Iterate {
            pairs,
            x: vec![10.0; scalars],
            s: vec![10.0; scalars],
            y: vec![0.0; m],
            free: vec![0.0; kernel.free.len()],
        };
        let (free, normal) = (kernel.free.len(), Normal::new(m, &kernel.free));
        Self {
            program,
            kernel,
            point,
            degree: degree as f64,
            dx: vec![0.0; scalars],
            ds: vec![0.0; scalars],
            residual: vec![0.0; scalars],
            product: vec![0.0; scalars],
            primal_residual: vec![0.0; m],
            dy: vec![0.0; m],
            rhs: vec![0.0; m],
            base: vec![0.0; m],
            normal,
            free_residual: vec![0.0; free],
            free_target: vec![0.0; free],
            best: None,
        }
    }

    fn run(mut self) -> HermitianSolution {
        let settings = self.program.settings;
        let (mut end, mut iterations, mut idle) = (End::Stalled, 0, 0);
        for iteration in 0..=settings.max_iterations {
            iterations = iteration;
            let measure = self.measure();
            let improved = self.keep(&measure);
            if measure.merit() <= settings.tolerance {
                end = End::Solved;
                break;
            }
            if let Some(claim) = self.diverges(&measure) {
                end = claim;
                break;
            }
            idle = if improved { 0 } else { idle + 1 };
            if idle > 12 || !measure.inner.is_finite() || iteration == settings.max_iterations {
                break;
            }
            if !self.step(&measure) {
                break;
            }
        }
        self.report(end, iterations)
    }

    /// Residuals and objectives of the iterate.
    fn measure(&mut self) -> Measure {
        let Self { kernel, point, .. } = self;
        self.primal_residual.copy_from_slice(&kernel.right);
        let (mut dual, mut inner, mut primal_objective) = (0.0, 0.0, 0.0);
        for (cone, pair) in kernel.cones.iter_mut().zip(&mut point.pairs) {
            cone.apply(&pair.x, -1.0, &mut self.primal_residual);
            pair.residual.copy_from(&cone.cost);
            cone.apply_adjoint(&point.y, -1.0, &mut pair.residual);
            pair.residual -= &pair.s;
            dual += pair.residual.norm_squared();
            inner += dense::inner(&pair.x, &pair.s);
            primal_objective += dense::inner(&cone.cost, &pair.x);
        }
        for (j, column) in kernel.scalars.iter().enumerate() {
            let mut reduced = kernel.scalar_cost[j];
            for (row, a) in column {
                self.primal_residual[*row] -= a * point.x[j];
                reduced -= a * point.y[*row];
            }
            self.residual[j] = reduced - point.s[j];
            dual += self.residual[j] * self.residual[j];
            inner += point.x[j] * point.s[j];
            primal_objective += kernel.scalar_cost[j] * point.x[j];
        }
        for (j, column) in kernel.free.iter().enumerate() {
            let mut reduced = kernel.free_cost[j];
            for (row, a) in column {
                self.primal_residual[*row] -= a * point.free[j];
                reduced -= a * point.y[*row];
            }
            self.free_residual[j] = reduced;
            dual += reduced * reduced;
            primal_objective += kernel.free_cost[j] * point.free[j];
        }
        let dual_objective: f64 = kernel.right.iter().zip(&point.y).map(|(b, y)| b * y).sum();
        let objectives = (primal_objective, dual_objective);
        Measure::new(&self.kernel, norm(&self.primal_residual), dual.sqrt(), inner, objectives)
    }

    /// Keeps the best iterate; whether this one is it by a visible amount.
    fn keep(&mut self, measure: &Measure) -> bool {
        let merit = measure.merit();
        let before = self.best.as_ref().map_or(f64::INFINITY, |(old, _)| old.merit());
        if merit < before {
            let point = &self.point;
            match &mut self.best {
                Some((old, best)) => {
                    *old = *measure;
                    best.matrices.iter_mut().zip(&point.pairs).for_each(|(m, p)| m.copy_from(&p.x));
                    best.x.copy_from_slice(&point.x);
                    best.y.copy_from_slice(&point.y);
                    best.free.copy_from_slice(&point.free);
                }
                none => *none = Some((*measure, point.to_point())),
            }
        }
        merit < 0.95 * before
    }

    /// Whether the iterate is a certificate that there is no feasible point, or that the objective has no bound.
    fn diverges(&mut self, measure: &Measure) -> Option<End> {
        // |A^T(y) + S| and |A(X)|: the residuals of the homogeneous problems.
        if measure.dual_objective > 1e3 * (1.0 + measure.primal_objective.abs()).min(1e3) {
            let cost = self.kernel.cost_norm();
            let homogeneous = (measure.dual * (1.0 + cost) + cost) / measure.dual_objective;
            if homogeneous < 1e-6 && self.program.proves_infeasible(&duals(&self.kernel, &self.point.y)) {
                return Some(End::Infeasible);
            }
        }
        if -measure.primal_objective > 1e6 {
            let right = self.kernel.right_norm();
            let homogeneous = (measure.primal * (1.0 + right) + right) / -measure.primal_objective;
            if homogeneous < 1e-7 {
                return Some(End::Unbounded);
            }
        }
        None
    }

    /// One predictor-corrector step; false where no further progress is possible.
    fn step(&mut self, measure: &Measure) -> bool {
        if !self.factor() {
            return false;
        }
        let mu = measure.inner / self.degree;
        // A dual residual far below what counts is left as it is.
        let exact = measure.dual <= EXACT * self.program.settings.tolerance;
        // Predictor.
        self.rhs.copy_from_slice(&self.kernel.right);
        if !exact {
            self.add_dual_residual();
        }
        self.base.copy_from_slice(&self.rhs);
        self.directions(0.0, exact, false);
        let (primal, dual) = self.longest(PREDICTED);
        let (primal, dual) = (primal.min(1.0), dual.min(1.0));
        let affine = self.inner_after(primal, dual);
        let exponent = if mu > 1e-6 { (3.0 * primal.min(dual).powi(2)).max(1.0) } else { 1.0 };
        let sigma = if measure.inner > 0.0 { (affine / measure.inner).max(0.0).powf(exponent).min(1.0) } else { 1.0 };
        let sigma = sigma.max(1e-6);
        // Corrector.
        self.rhs.copy_from_slice(&self.base);
        self.add_correction(sigma * mu, exact);
        self.directions(sigma * mu, exact, true);
        let (primal, dual) = self.longest(TAKEN);
        let shorten = 0.9 + 0.09 * primal.min(dual).min(1.0);
        self.advance((shorten * primal).min(1.0), (shorten * dual).min(1.0))
    }

    /// Inverses, and the factor of the normal equations.
    fn factor(&mut self) -> bool {
        let (m, normal) = (self.kernel.rows(), self.normal.clear());
        for (cone, pair) in self.kernel.cones.iter_mut().zip(&mut self.point.pairs) {
            dense::inverse_from(&pair.inverse_factor_s, &mut pair.z);
            cone.schur(&pair.x, &pair.z, m, normal);
        }
        for (j, column) in self.kernel.scalars.iter().enumerate() {
            let ratio = self.point.x[j] / self.point.s[j];
            for (at, (i, a)) in column.iter().enumerate() {
                for (k, b) in &column[at..] {
                    normal[i.min(k) * m + i.max(k)] += ratio * a * b;
                }
            }
        }
        self.normal.factor()
    }

    /// `rhs += A(X R Z)`.
    fn add_dual_residual(&mut self) {
        for (cone, pair) in self.kernel.cones.iter_mut().zip(&mut self.point.pairs) {
            pair.dual_residual_term();
            cone.apply(&pair.one, 1.0, &mut self.rhs);
        }
        for (j, column) in self.kernel.scalars.iter().enumerate() {
            let value = self.point.x[j] * self.residual[j] / self.point.s[j];
            column.iter().for_each(|(row, a)| self.rhs[*row] += a * value);
        }
    }

    /// `rhs += A(dX' dS' Z) - centre A(Z)`; keeps the products `dX' dS'` in `new_x`.
    fn add_correction(&mut self, centre: f64, exact: bool) {
        for (cone, pair) in self.kernel.cones.iter_mut().zip(&mut self.point.pairs) {
            if exact && cone.structured {
                cone.multiply_by_adjoint(&pair.dx, false, &self.dy, -1.0, &mut pair.new_x);
                cone.apply_product(&pair.new_x, &pair.z, &mut self.rhs);
                cone.apply(&pair.z, -centre, &mut self.rhs);
                continue;
            }
            dense::multiply(&mut pair.new_x, &pair.dx, &pair.ds);
            dense::multiply(&mut pair.one, &pair.new_x, &pair.z);
            dense::make_hermitian(&mut pair.one);
            dense::add(&mut pair.one, -centre, &pair.z);
            cone.apply(&pair.one, 1.0, &mut self.rhs);
        }
        for (j, column) in self.kernel.scalars.iter().enumerate() {
            self.product[j] = self.dx[j] * self.ds[j];
            let value = (self.product[j] - centre) / self.point.s[j];
            column.iter().for_each(|(row, a)| self.rhs[*row] += a * value);
        }
    }

    /// The steps in y, S and X for the right side.
    fn directions(&mut self, centre: f64, exact: bool, corrected: bool) {
        self.normal.solve(&self.rhs, &self.free_residual, &mut self.dy, &mut self.free_target);
        for (cone, pair) in self.kernel.cones.iter_mut().zip(&mut self.point.pairs) {
            if exact {
                pair.ds.fill(dense::ZERO);
            } else {
                pair.ds.copy_from(&pair.residual);
            }
            cone.apply_adjoint(&self.dy, -1.0, &mut pair.ds);
            dense::make_hermitian(&mut pair.ds);
            if exact && cone.structured {
                cone.multiply_by_adjoint(&pair.x, true, &self.dy, -1.0, &mut pair.two);
            } else {
                dense::multiply(&mut pair.two, &pair.x, &pair.ds);
            }
            pair.primal_step(centre, corrected);
        }
        for (j, column) in self.kernel.scalars.iter().enumerate() {
            let mut ds = if exact { 0.0 } else { self.residual[j] };
            column.iter().for_each(|(row, a)| ds -= a * self.dy[*row]);
            let (x, s) = (self.point.x[j], self.point.s[j]);
            let product = if corrected { self.product[j] } else { 0.0 };
            self.ds[j] = ds;
            self.dx[j] = (centre - product - x * ds) / s - x;
        }
    }

    fn longest(&mut self, settled: f64) -> (f64, f64) {
        let (mut primal, mut dual) = (f64::INFINITY, f64::INFINITY);
        for pair in &mut self.point.pairs {
            let (x, s) = pair.longest(settled);
            primal = primal.min(x);
            dual = dual.min(s);
        }
        let ratio = |value: &[f64], step: &[f64]| {
            let each = value.iter().zip(step).filter(|(_, d)| **d < 0.0).map(|(v, d)| -v / d);
            each.fold(f64::INFINITY, f64::min)
        };
        primal = primal.min(ratio(&self.point.x, &self.dx));
        dual = dual.min(ratio(&self.point.s, &self.ds));
        (primal, dual)
    }

    /// `<X + primal dX, S + dual dS>`.
    fn inner_after(&self, primal: f64, dual: f64) -> f64 {
        let mut sum = 0.0;
        for pair in &self.point.pairs {
            sum += dense::inner(&pair.x, &pair.s) + primal * dense::inner(&pair.dx, &pair.s);
            sum += dual * dense::inner(&pair.x, &pair.ds) + primal * dual * dense::inner(&pair.dx, &pair.ds);
        }
        for j in 0..self.point.x.len() {
            sum += (self.point.x[j] + primal * self.dx[j]) * (self.point.s[j] + dual * self.ds[j]);
        }
        sum
    }

    /// Moves; shortens each step until every block is definite. False where that leaves nothing of a step.
    fn advance(&mut self, mut primal: f64, mut dual: f64) -> bool {
        while !self.point.pairs.iter_mut().all(|pair| pair.move_s(dual)) {
            dual *= 0.8;
            if dual.is_nan() || dual <= SHORTEST {
                return false;
            }
        }
        for pair in &mut self.point.pairs {
            std::mem::swap(&mut pair.s, &mut pair.new_s);
            std::mem::swap(&mut pair.inverse_factor_s, &mut pair.one);
        }
        self.point.s.iter_mut().zip(&self.ds).for_each(|(s, d)| *s += dual * d);
        self.point.y.iter_mut().zip(&self.dy).for_each(|(y, d)| *y += dual * d);
        while !self.point.pairs.iter_mut().all(|pair| pair.move_x(primal)) {
            primal *= 0.8;
            if primal.is_nan() || primal <= SHORTEST {
                return false;
            }
        }
        for pair in &mut self.point.pairs {
            std::mem::swap(&mut pair.x, &mut pair.new_x);
            std::mem::swap(&mut pair.inverse_factor_x, &mut pair.two);
        }
        self.point.x.iter_mut().zip(&self.dx).for_each(|(x, d)| *x += primal * d);
        self.point.free.iter_mut().zip(&self.free_target).for_each(|(f, to)| *f += primal * (to - *f));
        primal.max(dual) > SHORTEST
    }

    fn report(mut self, end: End, iterations: u32) -> HermitianSolution {
        let (program, kernel) = (self.program, &self.kernel);
        let Some((measure, best)) = self.best.take() else {
            return HermitianSolution::default();
        };
        let mut status = match end {
            End::Solved => Status::Solved,
            End::Infeasible => Status::Infeasible,
            End::Unbounded => Status::Unbounded,
            End::Stalled if measure.merit() <= program.settings.tolerance => Status::Solved,
            End::Stalled if measure.merit() <= ALMOST => Status::AlmostSolved,
            End::Stalled => Status::Inaccurate,
        };
        let last = duals(kernel, &self.point.y);
        if status == Status::Inaccurate && program.proves_infeasible(&last) {
            status = Status::Infeasible;
        }
        let y = if status == Status::Infeasible { last } else { duals(kernel, &best.y) };
        // A ray is where the last point went, per unit of the objective's fall.
        let point = if status == Status::Unbounded { self.point.to_point().into_ray(kernel) } else { best };
        answer(program, kernel, status, &point, &y, &measure, iterations)
    }
}
