//! The phases at fixed beams and covariance as a semidefinite relaxation: (SDR3.2.l) for point targets, (SDR6.l) by
//! Dinkelbach's iteration for the smallest SINR over its limit (paper 003, sections IV-B and V-B, corrected by errata 1, 7,
//! 8 and 15).
//!
//! With `x = phi^*` and `Theta = x x^H` relaxed to `Theta >= 0`, `Theta_nn = 1`, everything at IRS l is linear in
//! `Theta_l`, and the problem falls apart into one program an IRS:
//!
//! ```text
//! p = tr(U Theta),  q = tr(D U D Theta),  r = tr(U D Theta),     U = A G R G^H A^H
//! |g_k^H w_j|^2 = f_kj^H Theta f_kj,   f_kj = diag(h_k^*) G w_j,     g_k^H R_0 g_k = tr(F_k R_0 F_k^H Theta)
//! ```
//!
//! A sample of `CN(0, Theta)` stands for `phi^*`: the phases are its negative arguments.

use std::sync::Arc;

use super::aim::Goal;
use super::heard::{Matrix, add_outer, dot};
use super::instance::{Receiver, Target};
use super::system::{C, System};
use super::transmit::Limits;
use crate::conic::hermitian::{ComplexExpression, HermitianProgram, HermitianSettings, HermitianVariable, Method};
use crate::conic::{Sense, Status};
use crate::design::{Design, hermitian};
use crate::error::Result;
use crate::math::RandomStream;
use crate::problem::Evaluation;
use crate::structure::{Certificate, Lift, Relaxed};

mod levels;

/// Dinkelbach steps inside a relaxation.
const ASCENTS: usize = 30;

/// The forms in `Theta` of one IRS's user.
struct UserForms {
    /// The floor, or the limit by which the ratio is taken.
    limit: f64,
    own: Vec<C>,
    /// What disturbs: `F (sum_(j != k) w_j w_j^H + R_0) F^H`, without `R_0` for receivers that cancel it.
    disturbance: Matrix,
    /// Vectors whose outer products add to it.
    disturbing: Vec<Vec<C>>,
}

/// The forms in `Theta` of one IRS.
struct Forms {
    u: Matrix,
    /// The least `p`; 0 for none.
    illumination: f64,
    /// Vectors whose outer products add to `U`.
    factor: Vec<Vec<C>>,
    users: Vec<UserForms>,
}

/// How one of Dinkelbach's steps ended.
enum Climb {
    /// The ratio that is reached, a proven bound on all ratios, and `Theta`.
    Found(f64, f64, Matrix),
    /// Proven: the excess is below -1 everywhere, so that the level is not reached; the multipliers.
    Below(Vec<f64>),
    /// The solver gave up.
    Failed,
}

/// The phases at a fixed transmit side.
pub(super) struct AtTransmit {
    system: Arc<System>,
    goal: Goal,
    forms: Vec<Forms>,
    conic: Method,
    /// Factors `Theta^{1/2}` of the relaxation's solutions, one an IRS.
    factors: Vec<Matrix>,
    /// Principal vectors.
    principal: Vec<Vec<C>>,
    scratch: Vec<C>,
    /// The points of Dinkelbach's last step, one an IRS; the identity before the first.
    last: Vec<Matrix>,
}

impl AtTransmit {
    /// The forms of beams and a covariance in a design's coordinates.
    pub fn new(system: &Arc<System>, goal: Goal, limits: &Limits, beams: &[f64], covariance: &[f64]) -> Self {
        let (n, m) = (system.instance.elements, system.instance.antennas);
        let sensing = hermitian(covariance, m);
        let beams: Vec<Vec<C>> =
            beams.chunks_exact(2 * m).map(|w| w.chunks_exact(2).map(|x| C::new(x[0], x[1])).collect()).collect();
        let total = System::total(&beams, &sensing);
        let (total_factor, sensing_factor) = (factor_of(&total), factor_of(&sensing));
        let images = |f: &Matrix, vectors: &[Vec<C>]| -> Vec<Vec<C>> {
            vectors.iter().map(|v| super::heard::image(f, v)).collect()
        };
        let rows = |rows: &[C]| Matrix::from_row_slice(n, m, rows);
        let apply = |f: &Matrix, w: &[C]| super::heard::image(f, w);
        let forms = (0..system.instance.surfaces).map(|l| {
            let b = rows(&system.target_rows[l]);
            let each = system.instance.users;
            let users = (l * each..(l + 1) * each).filter(|user| limits.sinr[*user] > 0.0).map(|user| {
                let f = rows(&system.user_rows[user]);
                let others = (0..beams.len()).filter(|j| *j != user && beams[*j].iter().any(|x| x.norm_sqr() > 0.0));
                let mut disturbing: Vec<Vec<C>> = others.map(|j| beams[j].clone()).collect();
                if system.instance.receiver == Receiver::TypeI {
                    disturbing.extend_from_slice(&sensing_factor);
                }
                let together = disturbing.iter().fold(Matrix::zeros(m, m), |mut sum, v| {
                    add_outer(&mut sum, 1.0, v);
                    sum
                });
                if disturbing.len() > m {
                    disturbing = factor_of(&together);
                }
                UserForms {
                    limit: limits.sinr[user],
                    own: apply(&f, &beams[user]),
                    disturbance: &f * together * f.adjoint(),
                    disturbing: images(&f, &disturbing),
                }
            });
            let illumination = limits.illumination[l];
            Forms {
                u: &b * &total * b.adjoint(),
                illumination,
                factor: images(&b, &total_factor),
                users: users.collect(),
            }
        });
        Self {
            forms: forms.collect(),
            conic: limits.conic,
            system: Arc::clone(system),
            goal,
            factors: Vec::new(),
            principal: Vec::new(),
            scratch: vec![C::default(); n],
            last: vec![Matrix::identity(n, n); system.instance.surfaces],
        }
    }

    fn noise(&self) -> f64 {
        self.system.instance.communication_noise_power
    }

    fn settings(&self, tolerance: f64) -> HermitianSettings {
        HermitianSettings { tolerance, method: self.conic, ..HermitianSettings::default() }
    }

    /// The largest inverse CRB of one IRS's target over the relaxation; its proven bound and `Theta`.
    fn relax_point(&self, surface: usize) -> std::result::Result<(f64, Matrix), Relaxed> {
        let system = &self.system;
        let n = system.instance.elements;
        let forms = &self.forms[surface];
        let unit = n as f64 * forms.u.trace().re;
        let reach = system.position.iter().fold(0.0_f64, |a, x| a.max(x.abs()));
        let (sensor, element) = (system.sensor_weight, system.element_weight * reach * reach);
        if !(unit > 0.0 && sensor + element > 0.0 && system.kappa[surface].is_finite()) {
            return Err(Relaxed::Failed(format!("the target of IRS {surface} is not illuminated")));
        }
        let mut program = HermitianProgram::new(Sense::Maximize);
        let theta = program.matrix(n);
        program.trace_at_most(theta, n as f64);
        (0..n).for_each(|i| {
            program.equal(theta.entry(i, i), 1.0);
        });
        let u = &forms.u / C::new(unit, 0.0);
        let weights: Vec<f64> = system.position.iter().map(|x| if reach > 0.0 { x / reach } else { 0.0 }).collect();
        let ud = Matrix::from_fn(n, n, |i, j| u[(i, j)] * weights[j]);
        let dud = Matrix::from_fn(n, n, |i, j| ud[(i, j)] * weights[i]);
        // The objective in units of its two weights together.
        let whole = sensor + element;
        let mut objective = u.clone() * C::new(sensor / whole, 0.0);
        let mut expression = ComplexExpression::from(0.0);
        if element > 0.0 {
            objective += dud * C::new(element / whole, 0.0);
            let corner = if self.by_vectors(forms) {
                let root = C::new(1.0 / unit.sqrt(), 0.0);
                let (mut power, mut product) = (ComplexExpression::from(0.0), ComplexExpression::from(0.0));
                for vector in &forms.factor {
                    let vector: Vec<C> = vector.iter().map(|x| x * root).collect();
                    let moved: Vec<C> = vector.iter().zip(&weights).map(|(x, w)| x * w).collect();
                    power += theta.quadratic(&vector);
                    // tr(v v^H D Theta) = (D v)^H Theta v.
                    product += theta.form(&moved, &vector);
                }
                program.schur(power, product)
            } else {
                program.schur(theta.inner(&u), theta.inner(&ud))
            };
            program.trace_at_most(corner, 2.0);
            expression = corner.entry(1, 1) * (-element / whole);
        }
        program.objective(theta.inner(&objective) + expression);
        for user in &forms.users {
            program.at_least(self.excess(theta, user, 1.0, 1.0, self.by_vectors(forms)), self.noise());
        }
        if forms.illumination > 0.0 {
            program.at_least(theta.inner(&u), forms.illumination / unit);
        }
        program.set_settings(self.settings(1e-8));
        let solution = program.solve();
        if solution.status == Status::Infeasible {
            let values = vec![("surface", vec![surface as f64]), ("multipliers", solution.dual.clone())];
            return Err(Relaxed::Infeasible(Certificate { kind: "infeasibility", values }));
        }
        if !solution.status.has_optimum() {
            return Err(Relaxed::Failed(format!("the relaxation of IRS {surface} is {}", solution.status.describe())));
        }
        let bound = program.bound(&solution.dual) * unit * whole / system.kappa[surface];
        Ok((bound, solution.matrix(theta).clone()))
    }

    /// Whether rows are cheaper by their vectors than as matrices.
    fn by_vectors(&self, forms: &Forms) -> bool {
        let users: usize = forms.users.iter().map(|u| 1 + u.disturbing.len()).sum();
        4 * (2 * forms.factor.len() + users) <= 3 * self.system.instance.elements
    }

    /// `signal / limit - level disturbance` of a user, over `unit`.
    fn excess(
        &self,
        theta: HermitianVariable,
        user: &UserForms,
        level: f64,
        unit: f64,
        by_vectors: bool,
    ) -> ComplexExpression {
        let (own, others) = (1.0 / (user.limit * unit), -level / unit);
        if by_vectors {
            let row = theta.quadratic(&user.own) * own;
            return user.disturbing.iter().fold(row, |row, f| row + theta.quadratic(f) * others);
        }
        let mut matrix = &user.disturbance * C::new(others, 0.0);
        add_outer(&mut matrix, own, &user.own);
        theta.inner(&matrix)
    }

    /// Signal over limit, and disturbance with noise, of a user at a `Theta`.
    fn shares(&self, user: &UserForms, theta: &Matrix) -> (f64, f64) {
        let signal = dot(&user.own, &super::heard::image(theta, &user.own)).re.max(0.0);
        // tr(A Theta) of Hermitian matrices.
        let products = user.disturbance.iter().zip(theta.iter()).map(|(a, x)| a.re * x.re + a.im * x.im);
        (signal / user.limit, products.sum::<f64>().max(0.0) + self.noise())
    }

    /// One of Dinkelbach's steps for one IRS: the `Theta` of greatest excess over a ratio, the ratio that it reaches, and
    /// a proven bound on all ratios.
    ///
    /// The excess is `min_k (signal_k / limit_k - level d_k) / w_k` with the disturbances `w_k` of the last `Theta`; so
    /// no `Theta` has a ratio above `level + excess max_k(w_k / sigma^2)`.
    fn ascend_one(&self, surface: usize, level: f64, disturbed: &[f64]) -> Climb {
        let n = self.system.instance.elements;
        let forms = &self.forms[surface];
        let mut program = HermitianProgram::new(Sense::Maximize);
        let (theta, excess) = (program.matrix(n), program.scalar());
        program.trace_at_most(theta, n as f64);
        (0..n).for_each(|i| {
            program.equal(theta.entry(i, i), 1.0);
        });
        let mut most = 0.0_f64;
        for (user, w) in forms.users.iter().zip(disturbed) {
            let row = self.excess(theta, user, level, *w, self.by_vectors(forms));
            let size: f64 = user.own.iter().map(|x| x.norm_sqr()).sum();
            most = most.max(n as f64 * size / (user.limit * w));
            // The scalar is the excess plus 1: near the best level the excess is about 0.
            program.at_least(row - ComplexExpression::from(excess), level * self.noise() / w - 1.0);
        }
        program.scalar_at_most(excess, most + 1.0);
        program.objective(excess);
        program.set_settings(self.settings(1e-9));
        let solution = program.solve();
        if solution.status == Status::Infeasible {
            return Climb::Below(solution.dual.clone());
        }
        if !solution.status.has_optimum() {
            return Climb::Failed;
        }
        let theta = solution.matrix(theta).clone();
        let reached = forms.users.iter().map(|user| {
            let (signal, disturbed) = self.shares(user, &theta);
            signal / disturbed
        });
        let reached = reached.fold(f64::INFINITY, f64::min);
        let loosest = disturbed.iter().map(|w| w / self.noise()).fold(0.0, f64::max);
        let over = (program.bound(&solution.dual) - 1.0).max(0.0);
        Climb::Found(reached, level + over * loosest, theta)
    }

    /// The largest smallest ratio of one IRS over the relaxation: bound and `Theta`.
    fn relax_ratio(&self, surface: usize) -> std::result::Result<(f64, Matrix), Relaxed> {
        let n = self.system.instance.elements;
        let mut theta = Matrix::identity(n, n);
        let forms = &self.forms[surface];
        let (mut level, mut bound) = (0.0, f64::INFINITY);
        for _ in 0..ASCENTS {
            let disturbed: Vec<f64> = forms.users.iter().map(|user| self.shares(user, &theta).1).collect();
            let Climb::Found(reached, over, next) = self.ascend_one(surface, level, &disturbed) else { break };
            bound = bound.min(over);
            let risen = reached > level * (1.0 + 1e-9);
            if reached >= level {
                theta = next;
            }
            level = level.max(reached);
            if !risen {
                break;
            }
        }
        if !bound.is_finite() {
            return Err(Relaxed::Failed(format!("the relaxation of IRS {surface} could not be solved")));
        }
        Ok((bound, theta))
    }

    fn keep(&mut self, theta: &Matrix) -> usize {
        let n = theta.nrows();
        let eigen = theta.clone().symmetric_eigen();
        let mut factor = Matrix::zeros(n, n);
        let most = eigen.eigenvalues.max();
        for (j, value) in eigen.eigenvalues.iter().enumerate() {
            let root = value.max(0.0).sqrt();
            factor.column_mut(j).copy_from(&(eigen.eigenvectors.column(j) * C::new(root, 0.0)));
        }
        self.principal.push(eigen.eigenvectors.column(eigen.eigenvalues.imax()).iter().copied().collect());
        self.factors.push(factor);
        eigen.eigenvalues.iter().filter(|v| **v > 1e-5 * most).count()
    }

    /// The smallest ratio at the phases of one IRS, over its users.
    fn ratio(&mut self, surface: usize, phases: &[f64]) -> f64 {
        self.load(phases);
        let noise = self.noise();
        let x = &self.scratch;
        let each = self.forms[surface].users.iter().map(|user| {
            let heard: f64 = user.disturbing.iter().map(|f| dot(x, f).norm_sqr()).sum();
            dot(x, &user.own).norm_sqr() / user.limit / (heard + noise)
        });
        each.fold(f64::INFINITY, f64::min)
    }

    fn load(&mut self, phases: &[f64]) {
        self.scratch.iter_mut().zip(phases).for_each(|(x, p)| *x = C::cis(-p));
    }

    fn target(&self) -> Option<Target> {
        match self.goal {
            Goal::Bound(target) => Some(target),
            Goal::Ratio => None,
        }
    }
}

/// Vectors whose outer products add to a positive semidefinite matrix, up to rounding.
fn factor_of(matrix: &Matrix) -> Vec<Vec<C>> {
    let eigen = matrix.clone().symmetric_eigen();
    let least = eigen.eigenvalues.max() * f64::EPSILON;
    let pairs = eigen.eigenvalues.iter().zip(eigen.eigenvectors.column_iter());
    let kept = pairs.filter(|(value, _)| **value > least);
    kept.map(|(value, vector)| vector.iter().map(|x| x * value.sqrt()).collect()).collect()
}

impl Lift for AtTransmit {
    fn relax(&mut self) -> Result<Relaxed> {
        self.factors.clear();
        self.principal.clear();
        let (mut worst, mut rank, mut bounds) = (f64::NEG_INFINITY, 0, Vec::new());
        for surface in 0..self.forms.len() {
            let relaxed = match self.target() {
                Some(Target::Point) => self.relax_point(surface).map(|(best, theta)| (1.0 / best, theta)),
                // The CRB of an extended target ignores the phases: they serve the floors.
                _ if self.forms[surface].users.is_empty() => {
                    let n = self.system.instance.elements;
                    Ok((0.0, Matrix::identity(n, n)))
                }
                _ => self.relax_ratio(surface).map(|(best, theta)| (-best, theta)),
            };
            let (value, theta) = match relaxed {
                Ok(solved) => solved,
                Err(other) => return Ok(other),
            };
            worst = worst.max(value);
            bounds.push(value.abs());
            rank = rank.max(self.keep(&theta));
        }
        let bound = match self.target() {
            Some(Target::Point) => worst,
            Some(Target::Extended) => 0.0,
            None => -worst,
        };
        let certificate = Certificate { kind: "dual", values: vec![("bounds", bounds)] };
        Ok(Relaxed::Solved { bound, rank, exact: false, certificate })
    }

    fn parts(&self) -> usize {
        self.forms.len()
    }

    fn recover(&mut self, part: usize, random: Option<&mut RandomStream>, out: &mut Design) {
        let Some(factor) = self.factors.get(part) else { return };
        match random {
            None => self.scratch.copy_from_slice(&self.principal[part]),
            Some(stream) => {
                self.scratch.fill(C::default());
                for column in factor.column_iter() {
                    let draw = stream.complex_normal(1.0);
                    self.scratch.iter_mut().zip(column.iter()).for_each(|(x, f)| *x += draw * f);
                }
            }
        }
        for (phase, x) in out[self.system.phases(part)].iter_mut().zip(&self.scratch) {
            *phase = -x.arg();
        }
    }

    fn judge(&mut self, part: usize, design: &Design) -> Evaluation {
        let phases = &design[self.system.phases(part)];
        let ratio = self.ratio(part, phases);
        let violation = (1.0 - ratio).max(0.0);
        if self.target() != Some(Target::Point) {
            // As the problem's objective: falling for a CRB, rising for a ratio; ratios alone tell phases apart.
            let objective = if self.target().is_some() { 1.0 / ratio } else { ratio };
            return Evaluation { objective, violation: if self.target().is_some() { violation } else { 0.0 } };
        }
        let system = &self.system;
        let (x, u) = (&self.scratch, &self.forms[part].u);
        let (mut p, mut q, mut r) = (0.0, 0.0, C::default());
        for (j, column) in u.column_iter().enumerate() {
            // U x^... accumulated column by column: x^H U x and its weighted fellows.
            let (mut plain, mut weighted) = (C::default(), C::default());
            for (i, entry) in column.iter().enumerate() {
                let term = x[i].conj() * entry;
                plain += term;
                weighted += term * system.position[i];
            }
            p += (plain * x[j]).re;
            q += (weighted * x[j]).re * system.position[j];
            r += plain * x[j] * system.position[j];
        }
        let spent = if p > 0.0 { r.norm_sqr() / p } else { q };
        let information = system.sensor_weight * p + system.element_weight * (q - spent).max(0.0);
        let least = self.forms[part].illumination;
        let dark = if least > 0.0 { 1.0 - (p / least).min(1.0) } else { 0.0 };
        Evaluation { objective: system.kappa[part] / information, violation: violation.max(dark) }
    }
}
