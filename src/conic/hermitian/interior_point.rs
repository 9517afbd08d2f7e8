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
//! with the predictor's step `(dX', dS')`. Only `M`, of the size of the row count, is factored. Step lengths are those
//! to the boundary of the cone by Lanczos, shortened, and count only once both new iterates have a Cholesky factor.
//!
//! Sources: Helmberg, Rendl, Vanderbei and Wolkowicz, SIAM J. Optim. 6(2), 1996, doi:10.1137/0806020; Kojima, Shindoh
//! and Hara, SIAM J. Optim. 7(1), 1997, doi:10.1137/S1052623494269035; rules for steps and centring as in Toh, Todd and
//! Tutuncu, Optim. Methods Softw. 11, 1999, doi:10.1080/10556789908805762.

use super::dense::{self, C, Lanczos, Matrix};
use super::cone::Cone;
use super::kernel::Kernel;
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

/// The state of one block.
struct Pair {
    x: Matrix,
    s: Matrix,
    dx: Matrix,
    ds: Matrix,
    /// `C - A^T(y) - S`.
    residual: Matrix,
    z: Matrix,
    factor: Matrix,
    inverse_factor_x: Matrix,
    inverse_factor_s: Matrix,
    new_x: Matrix,
    new_s: Matrix,
    one: Matrix,
    two: Matrix,
    lanczos: Lanczos,
}

impl Pair {
    fn new(n: usize, x: f64, s: f64) -> Self {
        let square = || Matrix::zeros(n, n);
        let scaled = |t: f64| Matrix::from_diagonal_element(n, n, C::new(t, 0.0));
        Self {
            x: scaled(x),
            s: scaled(s),
            dx: square(),
            ds: square(),
            residual: square(),
            z: square(),
            factor: square(),
            inverse_factor_x: scaled(1.0 / x.sqrt()),
            inverse_factor_s: scaled(1.0 / s.sqrt()),
            new_x: square(),
            new_s: square(),
            one: square(),
            two: square(),
            lanczos: Lanczos::new(n),
        }
    }

    /// `sym(X R Z)` into `one`.
    fn dual_residual_term(&mut self) {
        dense::multiply(&mut self.two, &self.x, &self.residual);
        dense::multiply(&mut self.one, &self.two, &self.z);
        dense::make_hermitian(&mut self.one);
    }

    /// The step in X for `dS`, whose product `X dS` is in `two`; with the predictor's product `dX' dS'` in `new_x` where
    /// `corrected`.
    fn primal_step(&mut self, centre: f64, corrected: bool) {
        if corrected {
            self.two += &self.new_x;
        }
        dense::multiply(&mut self.one, &self.two, &self.z);
        dense::make_hermitian(&mut self.one);
        let parts = self.dx.as_mut_slice().iter_mut().zip(self.x.as_slice());
        for ((d, x), (one, z)) in parts.zip(self.one.as_slice().iter().zip(self.z.as_slice())) {
            *d = z * centre - x - one;
        }
    }

    /// The longest steps that keep X and S semidefinite.
    fn longest(&mut self) -> (f64, f64) {
        let to_boundary = |least: f64| if least < 0.0 { -1.0 / least } else { f64::INFINITY };
        let x = dense::least_eigenvalue(&self.inverse_factor_x, &self.dx, &mut self.lanczos);
        let s = dense::least_eigenvalue(&self.inverse_factor_s, &self.ds, &mut self.lanczos);
        (to_boundary(x), to_boundary(s))
    }

    /// Moves X; whether it stays definite.
    fn move_x(&mut self, step: f64) -> bool {
        self.new_x.copy_from(&self.x);
        dense::add(&mut self.new_x, step, &self.dx);
        dense::cholesky(&self.new_x, &mut self.factor) && {
            dense::invert_lower(&self.factor, &mut self.two);
            true
        }
    }

    /// Moves S; whether it stays definite.
    fn move_s(&mut self, step: f64) -> bool {
        self.new_s.copy_from(&self.s);
        dense::add(&mut self.new_s, step, &self.ds);
        dense::cholesky(&self.new_s, &mut self.factor) && {
            dense::invert_lower(&self.factor, &mut self.one);
            true
        }
    }
}

/// The iterate, and what its last evaluation found.
struct Point {
    pairs: Vec<Pair>,
    x: Vec<f64>,
    s: Vec<f64>,
    y: Vec<f64>,
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
    normal: Vec<f64>,
    factor: Vec<f64>,
    correction: Vec<f64>,
    best: Option<(f64, Measure, Best)>,
}

struct Best {
    matrices: Vec<Matrix>,
    x: Vec<f64>,
    y: Vec<f64>,
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
        let cost_norm = kernel.cones.iter().map(|c| c.cost.norm()).fold(norm(&kernel.scalar_cost), f64::max);
        let most_right = kernel.right.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
        let pairs = kernel.cones.iter_mut().map(|cone| {
            let root = (cone.n as f64).sqrt();
            let x = 10.0_f64.max(root).max(cone.n as f64 * (1.0 + most_right) / 2.0);
            let s = 10.0_f64.max(root).max(cone.cost.norm());
            Pair::new(cone.n, x, s)
        });
        let pairs: Vec<Pair> = pairs.collect();
        let degree = pairs.iter().map(|p| p.x.nrows()).sum::<usize>() + scalars;
        let point = Point { pairs, x: vec![10.0; scalars], s: vec![10.0; scalars], y: vec![0.0; m] };
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
            normal: vec![0.0; m * m],
            factor: vec![0.0; m * m],
            correction: vec![0.0; m],
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
                }
                none => {
                    let matrices = point.pairs.iter().map(|p| p.x.clone()).collect();
                    *none = Some((merit, *measure, Best { matrices, x: point.x.clone(), y: point.y.clone() }));
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
        let m = self.kernel.rows();
        self.normal.fill(0.0);
        for (cone, pair) in self.kernel.cones.iter_mut().zip(&mut self.point.pairs) {
            dense::inverse_from(&pair.inverse_factor_s, &mut pair.z);
            cone.schur(&pair.x, &pair.z, m, &mut self.normal);
        }
        for (j, column) in self.kernel.scalars.iter().enumerate() {
            let ratio = self.point.x[j] / self.point.s[j];
            for (at, (i, a)) in column.iter().enumerate() {
                for (k, b) in &column[at..] {
                    self.normal[i.min(k) * m + i.max(k)] += ratio * a * b;
                }
            }
        }
        // A row without coefficients, or rounding, may leave it singular: lift the diagonal, a little at first.
        let mut lift = 0.0;
        for _ in 0..6 {
            self.factor.copy_from_slice(&self.normal);
            for i in 0..m {
                self.factor[i * m + i] += lift * self.normal[i * m + i].max(1e-300);
            }
            if dense::real_cholesky(&mut self.factor, m) {
                return true;
            }
            lift = if lift == 0.0 { 1e-15 } else { 30.0 * lift };
        }
        false
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
        let m = self.kernel.rows();
        self.dy.copy_from_slice(&self.rhs);
        dense::real_solve(&self.factor, m, &mut self.dy);
        // One refinement: the normal equations are ill-conditioned near the end.
        self.correction.copy_from_slice(&self.rhs);
        for j in 0..m {
            let column = &self.normal[j * m..(j + 1) * m];
            let mut own = column[j] * self.dy[j];
            for ((entry, correction), dy) in column.iter().zip(&mut self.correction).zip(&self.dy).skip(j + 1) {
                *correction -= entry * self.dy[j];
                own += entry * dy;
            }
            self.correction[j] -= own;
        }
        dense::real_solve(&self.factor, m, &mut self.correction);
        if self.correction.iter().all(|x| x.is_finite()) {
            self.dy.iter_mut().zip(&self.correction).for_each(|(y, c)| *y += c);
        }
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
        primal.max(dual) > SHORTEST
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
        let own = program.scalars.len();
        let factor = self.kernel.right_scale * self.kernel.cost_scale;
        HermitianSolution {
            status,
            matrices: self.kernel.cones.iter().zip(&best.matrices).map(|(c, x)| unscale(c, x)).collect(),
            scalars: (0..own).map(|j| best.x[j] * self.kernel.scalar_scale[j] * self.kernel.right_scale).collect(),
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
