//! Local search with gradients: sequential quadratic programming.
//!
//! Each iteration minimizes a quadratic model under the linearised limits and the bounds; where these contradict each
//! other, it minimizes the model plus a penalty on the largest miss. The model's matrix is Powell's damped BFGS
//! approximation of the Lagrangian's; steps are accepted by the exact penalty function `f + rho max(0, c)`, with a
//! second-order correction (Nocedal and Wright, Numerical Optimization, 2006, chapter 18,
//! doi:10.1007/978-0-387-40065-5). About O(n^3) operations an iteration.

use crate::design::Design;
use crate::error::Result;
use crate::solvers::coordinates::Coordinates;
use crate::solvers::incumbent::Incumbent;
use crate::solvers::quadratic_program::{Answer, Data, QuadraticProgram};
use crate::structure::Gradient;

/// The linearised limits are met with this room, so that iterates end on the feasible side of rounding errors.
const MARGIN: f64 = 1e-10;

/// A search from one start; [`LocalSearch::begin`] sets out anew.
pub(super) struct LocalSearch {
    coordinates: Coordinates,
    derivatives: Box<dyn Gradient>,
    sign: f64,
    rows: usize,
    here: Sample,
    there: Sample,
    hessian: Vec<f64>,
    fresh: bool,
    penalty: f64,
    program: QuadraticProgram,
    elastic: Elastic,
    of_design: Vec<f64>,
    scratch: Scratch,
    iterations: u64,
    small_steps: u32,
    calls: u64,
}

/// The problem's values and derivatives at a search point, as a minimization.
struct Sample {
    point: Vec<f64>,
    design: Design,
    value: f64,
    gradient: Vec<f64>,
    limits: Vec<f64>,
    jacobian: Vec<f64>,
}

impl Sample {
    fn new(n: usize, rows: usize, design: &Design) -> Self {
        Self {
            point: vec![0.0; n],
            design: design.clone(),
            value: f64::NAN,
            gradient: vec![0.0; n],
            limits: vec![0.0; rows],
            jacobian: vec![0.0; rows * n],
        }
    }

    fn violation(&self) -> f64 {
        self.limits.iter().fold(0.0, |v, c| if c.is_nan() { f64::INFINITY } else { f64::max(v, *c) })
    }

    fn is_finite(&self) -> bool {
        let finite = |v: &[f64]| v.iter().all(|x| x.is_finite());
        self.value.is_finite() && self.violation().is_finite() && finite(&self.gradient) && finite(&self.jacobian)
    }
}

#[derive(Default)]
struct Scratch {
    step: Vec<f64>,
    limits: Vec<f64>,
    lower: Vec<f64>,
    upper: Vec<f64>,
    difference: Vec<f64>,
    product: Vec<f64>,
}

/// The program with one more variable: by how much the linearised limits may be missed.
#[derive(Default)]
struct Elastic {
    program: Option<QuadraticProgram>,
    hessian: Vec<f64>,
    gradient: Vec<f64>,
    rows: Vec<f64>,
    lower: Vec<f64>,
    upper: Vec<f64>,
}

impl LocalSearch {
    /// A search in these coordinates.
    pub(super) fn new(coordinates: Coordinates, derivatives: Box<dyn Gradient>, sign: f64, design: &Design) -> Self {
        let (n, rows) = (coordinates.len(), derivatives.rows());
        Self {
            sign,
            rows,
            here: Sample::new(n, rows, design),
            there: Sample::new(n, rows, design),
            hessian: vec![0.0; n * n],
            fresh: true,
            penalty: 0.0,
            program: QuadraticProgram::new(n),
            elastic: Elastic::default(),
            of_design: vec![0.0; design.len() * rows.max(1)],
            scratch: Scratch::default(),
            iterations: 0,
            small_steps: 0,
            calls: 0,
            coordinates,
            derivatives,
        }
    }

    /// Sets out from a design.
    pub(super) fn begin(&mut self, design: &Design) {
        self.coordinates.read(design, &mut self.here.point);
        self.coordinates.clamp(&mut self.here.point);
        self.here.design.copy_from(design);
        self.there.design.copy_from(design);
        std::mem::swap(&mut self.here, &mut self.there);
        self.look(true);
        std::mem::swap(&mut self.here, &mut self.there);
        self.fresh = true;
        self.penalty = 0.0;
        self.iterations = 0;
        self.small_steps = 0;
    }

    /// How often derivatives were taken.
    pub(super) fn calls(&self) -> u64 {
        self.calls
    }

    /// Value and derivatives at the point of `there`; whether they are usable.
    fn look(&mut self, unmoved: bool) -> bool {
        let n = self.coordinates.len();
        let it = &mut self.there;
        if !unmoved {
            self.coordinates.write(&it.point, &mut it.design);
        }
        self.calls += 1;
        let length = it.design.len();
        let gradient = &mut self.of_design[..length];
        gradient.fill(0.0);
        it.value = -self.sign * self.derivatives.objective(&it.design, gradient);
        self.coordinates.pull(&it.point, gradient, &mut it.gradient);
        it.gradient.iter_mut().for_each(|g| *g *= -self.sign);
        if self.rows > 0 {
            self.of_design.fill(0.0);
            self.derivatives.constraints(&it.design, &mut it.limits, &mut self.of_design);
            for row in 0..self.rows {
                let out = &mut it.jacobian[row * n..(row + 1) * n];
                if it.limits[row] == f64::NEG_INFINITY {
                    // An infinite limit: never active.
                    out.fill(0.0);
                } else {
                    self.coordinates.pull(&it.point, &self.of_design[row * length..(row + 1) * length], out);
                }
            }
        }
        it.is_finite()
    }

    /// One iteration; false when the search has ended.
    pub(super) fn step(&mut self, incumbent: &mut Incumbent) -> Result<bool> {
        let n = self.coordinates.len();
        if n == 0 || !self.here.is_finite() || self.iterations >= 50 + 20 * n as u64 {
            return Ok(false);
        }
        self.iterations += 1;
        if self.fresh {
            self.reset_hessian();
        }
        let Some(miss) = self.solve() else {
            return Ok(false);
        };
        let slope: f64 = self.here.gradient.iter().zip(&self.scratch.step).map(|(g, d)| g * d).sum();
        let weight: f64 = self.program_multipliers().iter().sum();
        if self.penalty < 1.1 * weight {
            self.penalty = 1.5 * weight;
        } else if self.penalty > 10.0 * weight {
            self.penalty = 0.5 * (self.penalty + 2.0 * weight);
        }
        let violation = self.here.violation();
        let descent = slope - self.penalty * (violation - miss).max(0.0);
        let tolerance = 1e-10 * self.here.value.abs().max(1e-3);
        if descent.is_nan() || descent > -tolerance && (violation <= 1e-9 || miss >= 0.999 * violation) {
            return Ok(false);
        }
        let before = self.here.value + self.penalty * violation;
        if !self.search_line(before, descent.min(0.0), violation) {
            // A model gone wrong is built anew once before giving up.
            let give_up = self.fresh;
            self.fresh = true;
            return Ok(!give_up);
        }
        self.update_hessian();
        self.fresh = false;
        std::mem::swap(&mut self.here, &mut self.there);
        let after = self.here.value + self.penalty * self.here.violation();
        self.small_steps = if before - after <= tolerance { self.small_steps + 1 } else { 0 };
        if self.is_promising(incumbent) {
            self.offer(incumbent)?;
        }
        Ok(self.small_steps < 3)
    }

    /// Whether the iterate might be the best design so far.
    fn is_promising(&self, incumbent: &Incumbent) -> bool {
        let best = incumbent.value();
        let violation = self.here.violation();
        let slack = 1e-9;
        if best.violation > slack {
            violation < best.violation || incumbent.repairs()
        } else {
            (violation <= slack || incumbent.repairs() && violation < 0.1)
                && (self.here.value < -self.sign * best.objective || best.objective.is_nan())
        }
    }

    /// Lets the model judge the iterate.
    pub(super) fn offer(&mut self, incumbent: &mut Incumbent) -> Result<()> {
        self.there.design.copy_from(&self.here.design);
        incumbent.offer(&mut self.there.design).map(|_| ())
    }

    fn reset_hessian(&mut self) {
        let n = self.coordinates.len();
        let size = self.here.gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        self.hessian.fill(0.0);
        for i in 0..n {
            self.hessian[i * n + i] = size.max(1e-6);
        }
    }

    fn program_multipliers(&self) -> &[f64] {
        &self.program.row_multipliers
    }

    /// The step that solves the quadratic program, into `scratch.step`, and the miss of the linearised limits that is
    /// left after it; none where no step can be found.
    fn solve(&mut self) -> Option<f64> {
        let Scratch { limits, lower, upper, .. } = &mut self.scratch;
        let here = &self.here;
        limits.clear();
        limits.extend(here.limits.iter().map(|c| if c.is_finite() { -c - MARGIN } else { 1e30 }));
        lower.clear();
        lower.extend(self.coordinates.lower().iter().zip(&here.point).map(|(l, z)| l - z));
        upper.clear();
        upper.extend(self.coordinates.upper().iter().zip(&here.point).map(|(u, z)| u - z));
        let data =
            Data { hessian: &self.hessian, gradient: &here.gradient, rows: &here.jacobian, limits, lower, upper };
        match self.program.solve(&data) {
            Answer::Solved => {
                self.scratch.step.clone_from(&self.program.solution);
                Some(0.0)
            }
            Answer::Infeasible => self.solve_elastic(),
            Answer::Failed if self.fresh => None,
            Answer::Failed => {
                self.fresh = true;
                self.reset_hessian();
                self.solve()
            }
        }
    }

    fn solve_elastic(&mut self) -> Option<f64> {
        let n = self.coordinates.len();
        let violation = self.here.violation();
        let it = &mut self.elastic;
        let program = it.program.get_or_insert_with(|| QuadraticProgram::new(n + 1));
        it.hessian.clear();
        it.hessian.resize((n + 1) * (n + 1), 0.0);
        for i in 0..n {
            it.hessian[i * (n + 1)..i * (n + 1) + n].copy_from_slice(&self.hessian[i * n..(i + 1) * n]);
        }
        let steepest = self.here.gradient.iter().fold(1e-6, |m: f64, g| m.max(g.abs()));
        it.hessian[(n + 1) * (n + 1) - 1] = 1e-3 * steepest;
        it.rows.clear();
        for row in 0..self.rows {
            it.rows.extend_from_slice(&self.here.jacobian[row * n..(row + 1) * n]);
            it.rows.push(-1.0);
        }
        it.lower.clone_from(&self.scratch.lower);
        it.upper.clone_from(&self.scratch.upper);
        it.lower.push(0.0);
        it.upper.push(f64::INFINITY);
        let mut price = self.penalty.max(steepest);
        for _ in 0..6 {
            it.gradient.clone_from(&self.here.gradient);
            it.gradient.push(price);
            let data = Data {
                hessian: &it.hessian,
                gradient: &it.gradient,
                rows: &it.rows,
                limits: &self.scratch.limits,
                lower: &it.lower,
                upper: &it.upper,
            };
            if program.solve(&data) != Answer::Solved {
                return None;
            }
            if program.solution[n] <= 0.9 * violation {
                break;
            }
            price *= 10.0;
        }
        self.scratch.step.clear();
        self.scratch.step.extend_from_slice(&program.solution[..n]);
        self.program.row_multipliers.clone_from(&program.row_multipliers);
        Some(program.solution[n].clamp(0.0, violation))
    }

    /// Goes along the step until the penalty function falls enough; the new point stands in `there`.
    fn search_line(&mut self, before: f64, descent: f64, violation: f64) -> bool {
        let rounding = 1e-14 * before.abs();
        let mut length = 1.0;
        for attempt in 0..30 {
            self.place(length);
            let finite = self.look(false);
            let after = self.there.value + self.penalty * self.there.violation();
            if finite && after <= before + 1e-4 * length * descent + rounding {
                return true;
            }
            if attempt == 0 && finite && self.there.violation() > violation && self.correct() {
                let finite = self.look(false);
                let after = self.there.value + self.penalty * self.there.violation();
                if finite && after <= before + 1e-4 * descent + rounding {
                    return true;
                }
            }
            let curve = after - before - length * descent;
            let minimum = -0.5 * descent * length * length / curve;
            let ratio = if finite && minimum.is_finite() { (minimum / length).clamp(0.1, 0.5) } else { 0.1 };
            length *= ratio;
        }
        false
    }

    fn place(&mut self, length: f64) {
        for ((out, z), d) in self.there.point.iter_mut().zip(&self.here.point).zip(&self.scratch.step) {
            *out = z + length * d;
        }
        self.coordinates.clamp(&mut self.there.point);
    }

    /// Second-order correction: the same program with the limits' curvature along the full step taken into account.
    fn correct(&mut self) -> bool {
        let n = self.coordinates.len();
        let saved = self.program.row_multipliers.clone();
        let Scratch { step, limits, lower, upper, .. } = &mut self.scratch;
        for (row, limit) in limits.iter_mut().enumerate() {
            let c = self.there.limits[row];
            let along: f64 =
                self.here.jacobian[row * n..(row + 1) * n].iter().zip(step.iter()).map(|(a, d)| a * d).sum();
            *limit = if c.is_finite() { along - c - MARGIN } else { 1e30 };
        }
        let data = Data {
            hessian: &self.hessian,
            gradient: &self.here.gradient,
            rows: &self.here.jacobian,
            limits,
            lower,
            upper,
        };
        let solved = self.program.solve(&data) == Answer::Solved;
        if solved {
            for ((out, z), d) in self.there.point.iter_mut().zip(&self.here.point).zip(&self.program.solution) {
                *out = z + d;
            }
            self.coordinates.clamp(&mut self.there.point);
        }
        self.program.row_multipliers = saved;
        solved
    }

    /// Powell's damped BFGS update with the step from `here` to `there`.
    fn update_hessian(&mut self) {
        let n = self.coordinates.len();
        let multipliers = &self.program.row_multipliers;
        let Scratch { step, difference, product, .. } = &mut self.scratch;
        step.clear();
        step.extend(self.there.point.iter().zip(&self.here.point).map(|(a, b)| a - b));
        difference.clear();
        difference.extend(self.there.gradient.iter().zip(&self.here.gradient).map(|(a, b)| a - b));
        for (row, multiplier) in multipliers.iter().enumerate().filter(|(_, m)| **m != 0.0) {
            let (new, old) = (&self.there.jacobian[row * n..], &self.here.jacobian[row * n..]);
            for (y, (a, b)) in difference.iter_mut().zip(new.iter().zip(old)) {
                *y += multiplier * (a - b);
            }
        }
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        let mut along = dot(step, difference);
        if self.fresh && along > 0.0 {
            let size = dot(difference, difference) / along;
            if size.is_finite() {
                self.hessian.fill(0.0);
                (0..n).for_each(|i| self.hessian[i * n + i] = size.clamp(1e-8, 1e12));
            }
        }
        product.clear();
        product.extend(self.hessian.chunks_exact(n).map(|row| dot(row, step)));
        let curvature = dot(step, product);
        if curvature.is_nan() || curvature <= 1e-300 {
            return;
        }
        if along < 0.2 * curvature {
            let share = 0.8 * curvature / (curvature - along);
            for (y, b) in difference.iter_mut().zip(product.iter()) {
                *y = share * *y + (1.0 - share) * b;
            }
            along = dot(step, difference);
        }
        for i in 0..n {
            for k in 0..n {
                self.hessian[i * n + k] += difference[i] * difference[k] / along - product[i] * product[k] / curvature;
            }
        }
    }
}
