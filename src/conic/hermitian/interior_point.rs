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

use super::cone::Cone;
use super::dense::{self, C, Matrix};
use super::kernel::Kernel;
use super::normal::Normal;
use super::pair::Pair;
use super::program::HermitianProgram;
use super::solution::HermitianSolution;
use crate::conic::{Sense, Status};

/// A point this accurate is called almost solved.
const ALMOST: f64 = 1e-5;

/// Added to the scaled objective where relative gaps are taken.
const OBJECTIVE_FLOOR: f64 = 1e-2;

/// A dual residual below this share of the tolerance is not corrected any more.
const EXACT: f64 = 1e-4;

/// Steps shorter than this make no progress.
const SHORTEST: f64 = 1e-7;

/// The iterate, and what its last evaluation found.
struct Point {
    pairs: Vec<Pair>,
    x: Vec<f64>,
    s: Vec<f64>,
    y: Vec<f64>,
    free: Vec<f64>,
}

#[derive(Clone, Copy, Debug)]
struct Measure {
    primal: f64,
    dual: f64,
    gap: f64,
    inner: f64,
    primal_objective: f64,
    dual_objective: f64,
}

impl Measure {
    fn merit(&self) -> f64 {
        let merit = self.primal.max(self.dual).max(self.gap);
        if merit.is_nan() { f64::INFINITY } else { merit }
    }
}

struct Method<'a> {
    program: &'a HermitianProgram,
    kernel: Kernel,
    point: Point,
    degree: f64,
    right_norm: f64,
    cost_norm: f64,
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
    best: Option<(f64, Measure, Best)>,
}

struct Best {
    matrices: Vec<Matrix>,
    x: Vec<f64>,
    y: Vec<f64>,
    free: Vec<f64>,
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
        let right_norm = norm(&kernel.right);
        let cost_norm = kernel
            .cones
            .iter()
            .map(|c| c.cost.norm())
            .fold(norm(&kernel.scalar_cost).max(norm(&kernel.free_cost)), f64::max);
        let most_right = kernel.right.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
        let pairs = kernel.cones.iter_mut().map(|cone| {
            let root = (cone.n as f64).sqrt();
            let x = 10.0_f64.max(root).max(cone.n as f64 * (1.0 + most_right) / 2.0);
            let s = 10.0_f64.max(root).max(cone.cost.norm());
            Pair::new(cone.n, x, s)
        });
        let pairs: Vec<Pair> = pairs.collect();
        let degree = pairs.iter().map(|p| p.x.nrows()).sum::<usize>() + scalars;
        let point = Point {
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
            right_norm,
            cost_norm,
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
        let size = OBJECTIVE_FLOOR + 0.5 * (primal_objective.abs() + dual_objective.abs());
        Measure {
            primal: norm(&self.primal_residual) / (1.0 + self.right_norm),
            dual: dual.sqrt() / (1.0 + self.cost_norm),
            gap: inner.abs().max((primal_objective - dual_objective).abs()) / size,
            inner,
            primal_objective,
            dual_objective,
        }
    }

    /// Keeps the best iterate; whether this one is it by a visible amount.
    fn keep(&mut self, measure: &Measure) -> bool {
        let merit = measure.merit();
        let before = self.best.as_ref().map_or(f64::INFINITY, |b| b.0);
        if merit < before {
            let point = &self.point;
            match &mut self.best {
                Some((m, old, best)) => {
                    (*m, *old) = (merit, *measure);
                    best.matrices.iter_mut().zip(&point.pairs).for_each(|(m, p)| m.copy_from(&p.x));
                    best.x.copy_from_slice(&point.x);
                    best.y.copy_from_slice(&point.y);
                    best.free.copy_from_slice(&point.free);
                }
                none => {
                    let matrices = point.pairs.iter().map(|p| p.x.clone()).collect();
                    let (x, y, free) = (point.x.clone(), point.y.clone(), point.free.clone());
                    *none = Some((merit, *measure, Best { matrices, x, y, free }));
                }
            }
        }
        merit < 0.95 * before
    }

    /// Whether the iterate is a certificate that there is no feasible point, or that the objective has no bound.
    fn diverges(&mut self, measure: &Measure) -> Option<End> {
        // |A^T(y) + S| and |A(X)|: the residuals of the homogeneous problems.
        if measure.dual_objective > 1e3 * (1.0 + measure.primal_objective.abs()).min(1e3) {
            let homogeneous = (measure.dual * (1.0 + self.cost_norm) + self.cost_norm) / measure.dual_objective;
            if homogeneous < 1e-6 && self.program.proves_infeasible(&self.duals(&self.point.y)) {
                return Some(End::Infeasible);
            }
        }
        if -measure.primal_objective > 1e6 {
            let homogeneous = (measure.primal * (1.0 + self.right_norm) + self.right_norm) / -measure.primal_objective;
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
        let (primal, dual) = self.longest();
        let (primal, dual) = (primal.min(1.0), dual.min(1.0));
        let affine = self.inner_after(primal, dual);
        let exponent = if mu > 1e-6 { (3.0 * primal.min(dual).powi(2)).max(1.0) } else { 1.0 };
        let sigma = if measure.inner > 0.0 { (affine / measure.inner).max(0.0).powf(exponent).min(1.0) } else { 1.0 };
        let sigma = sigma.max(1e-6);
        // Corrector.
        self.rhs.copy_from_slice(&self.base);
        self.add_correction(sigma * mu, exact);
        self.directions(sigma * mu, exact, true);
        let (primal, dual) = self.longest();
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

    fn longest(&mut self) -> (f64, f64) {
        let (mut primal, mut dual) = (f64::INFINITY, f64::INFINITY);
        for pair in &mut self.point.pairs {
            let (x, s) = pair.longest();
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

    /// The last point in units of its scaled objective.
    fn ray(&self) -> Best {
        let Point { pairs, x, y, free, .. } = &self.point;
        let costs = self.kernel.cones.iter().zip(pairs).map(|(cone, pair)| dense::inner(&cone.cost, &pair.x));
        let scalars = self.kernel.scalar_cost.iter().zip(x).chain(self.kernel.free_cost.iter().zip(free));
        let fall = costs.sum::<f64>() + scalars.map(|(c, x)| c * x).sum::<f64>();
        let unit = 1.0 / fall.abs().max(f64::MIN_POSITIVE);
        let scaled = |values: &[f64]| values.iter().map(|x| x * unit).collect();
        Best {
            matrices: pairs.iter().map(|p| &p.x * C::new(unit, 0.0)).collect(),
            x: scaled(x),
            y: y.clone(),
            free: scaled(free),
        }
    }

    /// Multipliers in the caller's units, of the problem as a minimization.
    fn duals(&self, y: &[f64]) -> Vec<f64> {
        y.iter().zip(&self.kernel.row_scale).map(|(y, r)| y * r * self.kernel.cost_scale).collect()
    }

    fn report(self, end: End, iterations: u32) -> HermitianSolution {
        let program = self.program;
        let sign = if program.sense == Sense::Minimize { 1.0 } else { -1.0 };
        let Some((merit, measure, best)) = &self.best else {
            return HermitianSolution::default();
        };
        // A ray is where the last point went, per unit of the objective's fall.
        let ray = matches!(end, End::Unbounded).then(|| self.ray());
        let best = ray.as_ref().unwrap_or(best);
        let mut status = match end {
            End::Solved => Status::Solved,
            End::Infeasible => Status::Infeasible,
            End::Unbounded => Status::Unbounded,
            End::Stalled if *merit <= program.settings.tolerance => Status::Solved,
            End::Stalled if *merit <= ALMOST => Status::AlmostSolved,
            End::Stalled => Status::Inaccurate,
        };
        let mut y = self.duals(if status == Status::Infeasible { &self.point.y } else { &best.y });
        if status == Status::Inaccurate {
            let last = self.duals(&self.point.y);
            if program.proves_infeasible(&last) {
                (status, y) = (Status::Infeasible, last);
            }
        }
        let unscale = |cone: &Cone, x: &Matrix| x * C::new(cone.scale * self.kernel.right_scale, 0.0);
        let mut scalars = vec![0.0; program.scalars.len()];
        let bounded = self.kernel.bounded.iter().zip(&best.x).zip(&self.kernel.scalar_scale);
        let free = self.kernel.unbounded.iter().zip(&best.free).zip(&self.kernel.free_scale);
        for ((at, x), scale) in bounded.chain(free) {
            scalars[*at] = x * scale * self.kernel.right_scale;
        }
        let factor = self.kernel.right_scale * self.kernel.cost_scale;
        HermitianSolution {
            status,
            matrices: self.kernel.cones.iter().zip(&best.matrices).map(|(c, x)| unscale(c, x)).collect(),
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
}
