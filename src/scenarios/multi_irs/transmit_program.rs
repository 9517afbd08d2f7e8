//! The semidefinite program of the transmit side at given phases, and what is read off its solution.
//!
//! With `R = P R~` and vectors of unit norm, point targets are the program
//!
//! ```text
//! maximize t   s.t.   ( c_1 |v1|^2 p + c_2 |v2|^2 (q - nu) ) / (kappa_l f_ref / P) >= t,   [[p, r], [r*, nu]] >= 0,
//!                     (1 + 1/Gamma) g^H W_u g - g^H (sum W [+ R_0]) g >= sigma^2 / P,   tr R~ <= 1
//! ```
//!
//! of 4 L + K L + 1 rows. Type I needs no `R_0`: added to any one beam's matrix it raises that user's SINR and leaves
//! the others (reference: structure 3). All matrices lie in the span of the `g` and `v` (structure 1), which is used
//! where it is smaller than the number of antennas. The bound is that of the multipliers ([`HermitianProgram::bound`]).

use crate::conic::hermitian::{
    ComplexExpression, HermitianProgram, HermitianRow, HermitianSettings, HermitianVariable,
};
use crate::conic::hermitian::{HermitianSolution, ScalarVariable};
use crate::conic::{Sense, Status};

use super::extended;
use super::heard::{Heard, Matrix, add_outer, dot, image, squared};
use super::instance::{Receiver, Target};
use super::system::{C, System};
use super::transmit::{Limits, Transmit};
use super::uplink::LeastPower;

/// How much more illumination than its limit is asked for, relative to it: the recovery's rounding may take it.
const SPARE: f64 = 1e-7;

/// Attempts at a recovery that holds every floor to rounding.
const MENDS: usize = 6;

/// An orthonormal basis of the span of vectors, as columns.
fn basis<'a>(vectors: impl Iterator<Item = &'a Vec<C>>, dimension: usize) -> Matrix {
    let mut columns: Vec<Vec<C>> = Vec::new();
    for vector in vectors {
        let norm = squared(vector).sqrt();
        if norm.is_nan() || norm <= 0.0 || columns.len() == dimension {
            continue;
        }
        let mut rest: Vec<C> = vector.iter().map(|x| x / norm).collect();
        for _ in 0..2 {
            for column in &columns {
                let share = dot(column, &rest);
                rest.iter_mut().zip(column).for_each(|(r, c)| *r -= share * c);
            }
        }
        let left = squared(&rest).sqrt();
        if left > 1e-9 {
            columns.push(rest.iter().map(|x| x / left).collect());
        }
    }
    Matrix::from_fn(dimension, columns.len(), |i, j| columns[j][i])
}

/// Why there is no solution.
pub(super) enum Unsolved {
    /// Proven by these multipliers of the rows: no point is feasible.
    Infeasible(Vec<f64>),
    /// The solver gave up, or no bound is finite.
    Failed,
}

/// The program, and where things stand in it.
pub(super) struct TransmitProgram<'a> {
    system: &'a System,
    heard: &'a Heard,
    limits: &'a Limits,
    target: Target,
    /// The span's basis; the whole space where that is no smaller.
    basis: Option<Matrix>,
    program: HermitianProgram,
    /// Blocks with the user they serve.
    blocks: Vec<(HermitianVariable, Option<usize>)>,
    /// The powers of beams along given directions.
    powers: Vec<ScalarVariable>,
    /// The objective's unit: `1 / max CRB` is the level times this.
    unit: f64,
    target_rows: Vec<HermitianRow>,
    floor_rows: Vec<(usize, HermitianRow)>,
    /// The IRS, the row of its illumination, and by how much its right-hand side asks for more than the limit.
    illumination_rows: Vec<(usize, HermitianRow, f64)>,
}

impl<'a> TransmitProgram<'a> {
    /// With `directions`, beams are scalars (their powers) along them.
    pub fn new(
        system: &'a System,
        heard: &'a Heard,
        limits: &'a Limits,
        target: Target,
        directions: Option<&[Vec<C>]>,
    ) -> Self {
        let m = system.instance.antennas;
        let active: Vec<usize> = (0..limits.sinr.len()).filter(|u| limits.sinr[*u] > 0.0).collect();
        let point = target == Target::Point;
        let users = active.iter().map(|u| &heard.users[*u]);
        let span = if point {
            let vectors = users.chain(&heard.one).chain(&heard.two);
            Some(basis(vectors, m)).filter(|b| b.ncols() < m)
        } else {
            None
        };
        let size = span.as_ref().map_or(m, |b| b.ncols()).max(1);
        let reduce = |v: &[C]| match &span {
            Some(basis) => (0..basis.ncols()).map(|j| dot(basis.column(j).as_slice(), v)).collect::<Vec<C>>(),
            None => v.to_vec(),
        };
        let mut program = HermitianProgram::new(Sense::Maximize);
        let dedicated =
            active.is_empty() || system.instance.receiver == Receiver::TypeII || !point || directions.is_some();
        let mut blocks = Vec::new();
        let mut powers = Vec::new();
        for user in &active {
            match directions {
                Some(directions) => powers.push((program.scalar(), reduce(&directions[*user]))),
                None => blocks.push((program.matrix(size), Some(*user))),
            }
        }
        if dedicated {
            blocks.push((program.matrix(size), None));
        }
        // a^H R b and tr R.
        let form = |a: &[C], b: &[C]| {
            let sum = blocks.iter().fold(ComplexExpression::from(0.0), |sum, (x, _)| sum + x.form(a, b));
            powers.iter().fold(sum, |sum, (p, z)| sum + ComplexExpression::from(*p) * (dot(a, z) * dot(z, b)))
        };
        let trace = blocks.iter().fold(ComplexExpression::from(0.0), |sum, (x, _)| sum + x.trace());
        let trace = powers.iter().fold(trace, |sum, (p, _)| sum + *p);
        blocks.iter().for_each(|(block, _)| program.trace_at_most(*block, 1.0));
        powers.iter().for_each(|(p, _)| program.scalar_at_most(*p, 1.0));
        program.at_most(trace, 1.0);
        let mut floor_rows = Vec::new();
        let noise = system.instance.communication_noise_power / limits.power;
        for (at, user) in active.iter().enumerate() {
            let g = reduce(&heard.users[*user]);
            let own = 1.0 / limits.sinr[*user];
            let mut row = ComplexExpression::from(0.0);
            for (block, served) in &blocks {
                let factor = match served {
                    Some(u) if u == user => own,
                    None if system.instance.receiver == Receiver::TypeII => continue,
                    _ => -1.0,
                };
                row += block.quadratic(&g) * factor;
            }
            for (j, (p, z)) in powers.iter().enumerate() {
                row += ComplexExpression::from(*p) * (dot(&g, z).norm_sqr() * if j == at { own } else { -1.0 });
            }
            floor_rows.push((*user, program.at_least(row, noise)));
        }
        let mut illumination_rows = Vec::new();
        for (l, least) in limits.illumination.iter().enumerate().filter(|(_, p)| **p > 0.0) {
            let gain = squared(&heard.one[l]);
            let one = reduce(&heard.one[l].iter().map(|x| x / gain.sqrt()).collect::<Vec<C>>());
            let right = least / (gain * limits.power);
            illumination_rows.push((l, program.at_least(form(&one, &one), right * (1.0 + SPARE)), right * SPARE));
        }
        let level = program.scalar();
        let mut target_rows = Vec::new();
        let unit;
        if point {
            let most = |l: usize| {
                system.sensor_weight * squared(&heard.one[l]) + system.element_weight * squared(&heard.two[l])
            };
            let surfaces = 0..system.instance.surfaces;
            unit = surfaces.clone().map(|l| limits.power * most(l) / system.kappa[l]).fold(f64::INFINITY, f64::min);
            program.scalar_at_most(level, 1.0);
            for l in surfaces {
                let weight = limits.power / (system.kappa[l] * unit);
                let (norm_one, norm_two) = (squared(&heard.one[l]).sqrt(), squared(&heard.two[l]).sqrt());
                let normal = |v: &[C], norm: f64| reduce(&v.iter().map(|x| x / norm).collect::<Vec<C>>());
                let mut row = -ComplexExpression::from(level);
                let one = normal(&heard.one[l], norm_one);
                if system.sensor_weight > 0.0 && norm_one > 0.0 {
                    row += form(&one, &one) * (system.sensor_weight * norm_one.powi(2) * weight);
                }
                if system.element_weight > 0.0 && norm_two > 0.0 && norm_one > 0.0 {
                    let two = normal(&heard.two[l], norm_two);
                    let corner = program.schur(form(&one, &one), form(&one, &two));
                    program.trace_at_most(corner, 2.0);
                    let factor = system.element_weight * norm_two.powi(2) * weight;
                    row += (form(&two, &two) - corner.entry(1, 1)) * factor;
                }
                target_rows.push(program.at_least(row, 0.0));
            }
        } else {
            unit = extended::add_rows(system, limits.power, &mut program, &form, level);
        }
        let sign = if point { 1.0 } else { -1.0 };
        program.objective(ComplexExpression::from(level) * sign);
        program.set_settings(HermitianSettings {
            tolerance: 1e-9,
            method: limits.conic,
            ..HermitianSettings::default()
        });
        let basis = span;
        let powers = powers.into_iter().map(|(p, _)| p).collect();
        Self {
            system,
            heard,
            limits,
            target,
            basis,
            program,
            blocks,
            powers,
            unit,
            target_rows,
            floor_rows,
            illumination_rows,
        }
    }

    fn checked(&self) -> Result<HermitianSolution, Unsolved> {
        if !(self.unit > 0.0 && self.unit.is_finite()) {
            return Err(Unsolved::Failed);
        }
        let solution = self.program.solve();
        match solution.status {
            Status::Infeasible => Err(Unsolved::Infeasible(solution.dual)),
            // A point that is not quite optimal is still mended to a design, and its bound is proven apart.
            status if status.has_optimum() || status == Status::Inaccurate => Ok(solution),
            _ => Err(Unsolved::Failed),
        }
    }

    /// A matrix of the span as one of the whole space.
    fn expand(&self, x: &Matrix) -> Matrix {
        match &self.basis {
            Some(basis) => basis * x * basis.adjoint(),
            None => x.clone(),
        }
    }

    pub fn solve(&self, least: &LeastPower) -> Result<Transmit, Unsolved> {
        let solution = self.checked()?;
        let power = self.limits.power;
        let mut matrices: Vec<Option<Matrix>> = vec![None; self.heard.users.len()];
        let m = self.system.instance.antennas;
        let mut rest = Matrix::zeros(m, m);
        for (block, user) in &self.blocks {
            let x = self.expand(solution.matrix(*block)) * C::new(power, 0.0);
            match user {
                Some(user) => matrices[*user] = Some(x),
                None => rest = x,
            }
        }
        let mut spare = vec![0.0; matrices.len()];
        let mut attempt = 0;
        let (total, beams, covariance) = loop {
            self.mend(&mut matrices, &mut rest, least, &spare);
            let total = matrices.iter().flatten().fold(rest.clone(), |sum, w| sum + w);
            let (beams, covariance) = self.recover(&matrices, &total).ok_or(Unsolved::Failed)?;
            // The recovery's own rounding (clipped eigenvalues) may cost a floor: leave that much more room.
            attempt += 1;
            let misses: Vec<f64> =
                (0..spare.len()).map(|u| self.system.missed(self.heard, self.limits, &beams, &covariance, u)).collect();
            if attempt == MENDS || misses.iter().all(|m| *m <= 1e-11) {
                break (total, beams, covariance);
            }
            spare.iter_mut().zip(&misses).for_each(|(s, m)| *s += 2.0 * m);
        };
        let realized = System::total(&beams, &covariance);
        let value = self.system.largest_bound(self.heard, &realized, self.target);
        let rank = matrices.iter().flatten().map(rank).max().unwrap_or(0);
        Ok(Transmit {
            beams,
            covariance,
            matrices,
            total,
            value,
            bound: self.proven(&solution),
            targets: self.target_rows.iter().map(|r| (-solution.dual[r.index()]).max(0.0)).collect(),
            floors: self.floors(&solution),
            illuminations: self.illuminations(&solution),
            rank,
        })
    }

    pub fn solve_along(&self, directions: &[Vec<C>]) -> Option<Transmit> {
        let solution = self.checked().ok()?;
        let power = self.limits.power;
        let mut beams = vec![vec![C::default(); self.system.instance.antennas]; self.heard.users.len()];
        for ((user, _), p) in self.floor_rows.iter().zip(&self.powers) {
            let root = (solution.scalar(*p).max(0.0) * power).sqrt();
            beams[*user] = directions[*user].iter().map(|z| z * root).collect();
        }
        let (block, _) = self.blocks.first()?;
        let mut covariance = self.expand(solution.matrix(*block)) * C::new(power, 0.0);
        // What the solver missed by rounding: a beam of this scheme disturbs nobody, so its power alone decides.
        let noise = self.system.instance.communication_noise_power;
        for (user, _) in &self.floor_rows {
            let g = &self.heard.users[*user];
            let disturbed = match self.system.instance.receiver {
                Receiver::TypeI => dot(g, &image(&covariance, g)).re.max(0.0),
                Receiver::TypeII => 0.0,
            };
            let wanted = self.limits.sinr[*user] * (noise + disturbed);
            let received = dot(g, &beams[*user]).norm_sqr();
            if received < wanted && received > 0.5 * wanted {
                let factor = (wanted / received).sqrt();
                beams[*user].iter_mut().for_each(|x| *x *= factor);
            }
        }
        let (beamed, sensed) = (beams.iter().map(|w| squared(w)).sum::<f64>(), covariance.trace().re);
        if beamed + sensed > power && sensed > 0.0 {
            covariance *= C::new(((power - beamed) / sensed).max(0.0), 0.0);
        }
        let total = System::total(&beams, &covariance);
        let value = self.system.largest_bound(self.heard, &total, self.target);
        Some(Transmit {
            beams,
            covariance,
            matrices: vec![None; self.heard.users.len()],
            total,
            value,
            bound: self.proven(&solution),
            targets: Vec::new(),
            floors: Vec::new(),
            illuminations: Vec::new(),
            rank: 1,
        })
    }

    /// The proven lower bound on the largest CRB.
    fn proven(&self, solution: &HermitianSolution) -> f64 {
        // The multipliers' bound is linear in the right-hand sides: what was asked beyond the limits is given back.
        let given = |(_, row, spare): &(usize, HermitianRow, f64)| solution.dual[row.index()].abs() * spare;
        let extra: f64 = self.illumination_rows.iter().map(given).sum();
        let bound = match self.target {
            Target::Point => self.program.bound(&solution.dual) + extra,
            Target::Extended => self.program.bound(&solution.dual) - extra,
        };
        match self.target {
            Target::Point => 1.0 / (self.unit * bound),
            Target::Extended => -self.unit * bound,
        }
    }

    /// Meets budget and floors that the solver missed by rounding: moves toward the point of least power, scaled to the
    /// whole budget, which has all floors to spare; by no more than the worst miss needs.
    /// `spare` is the share of a user's disturbance by which its floor is to be exceeded.
    fn mend(&self, matrices: &mut [Option<Matrix>], rest: &mut Matrix, least: &LeastPower, spare: &[f64]) {
        let power = self.limits.power;
        let spent = matrices.iter().flatten().map(|w| w.trace().re).sum::<f64>() + rest.trace().re;
        if spent > power {
            let factor = C::new(power / spent, 0.0);
            matrices.iter_mut().flatten().for_each(|w| *w *= factor);
            *rest *= factor;
        }
        let Some(beams) = least.beams.as_ref().filter(|_| least.power > 0.0) else { return };
        let noise = self.system.instance.communication_noise_power;
        let room = noise * (power / least.power - 1.0);
        let mut share = 0.0_f64;
        for user in 0..matrices.len() {
            let g = &self.heard.users[user];
            let (mut own, mut disturbed) = (0.0, noise);
            for (other, w) in matrices.iter().enumerate() {
                let Some(w) = w else { continue };
                let received = dot(g, &image(w, g)).re;
                if other == user { own = received / self.limits.sinr[user] } else { disturbed += received }
            }
            if self.system.instance.receiver == Receiver::TypeI {
                disturbed += dot(g, &image(rest, g)).re;
            }
            let held = own - disturbed * (1.0 + spare[user]);
            if matrices[user].is_some() && held < 0.0 {
                share = share.max(-held / (room - held));
            }
        }
        if share > 0.0 && share < 1.0 {
            // A little more, for the rounding of this step itself.
            let share = (share * (1.0 + 1e-6) + 1e-15).min(1.0);
            *rest *= C::new(1.0 - share, 0.0);
            for (w, beam) in matrices.iter_mut().zip(beams) {
                if let Some(w) = w {
                    *w *= C::new(1.0 - share, 0.0);
                    add_outer(w, share * power / least.power, beam);
                }
            }
        }
    }

    fn illuminations(&self, solution: &HermitianSolution) -> Vec<f64> {
        let mut out = vec![0.0; self.limits.illumination.len()];
        for (l, row, _) in &self.illumination_rows {
            let unit = self.unit / (squared(&self.heard.one[*l]) * self.limits.power);
            out[*l] = (-solution.dual[row.index()]).max(0.0) * unit;
        }
        out
    }

    fn floors(&self, solution: &HermitianSolution) -> Vec<f64> {
        let mut floors = vec![0.0; self.heard.users.len()];
        for (user, row) in &self.floor_rows {
            floors[*user] = (-solution.dual[row.index()]).max(0.0) * self.unit / self.limits.power;
        }
        floors
    }

    /// Propositions 5 and 6: `w = W g / sqrt(g^H W g)`, `R_0` the rest.
    fn recover(&self, matrices: &[Option<Matrix>], total: &Matrix) -> Option<(Vec<Vec<C>>, Matrix)> {
        let m = self.system.instance.antennas;
        let mut beams = vec![vec![C::default(); m]; matrices.len()];
        let mut covariance = total.clone();
        for (user, w) in matrices.iter().enumerate() {
            let Some(w) = w else { continue };
            let g = &self.heard.users[user];
            let beam = image(w, g);
            let power = dot(g, &beam).re;
            if power.is_nan() || power <= 0.0 {
                return None;
            }
            beams[user] = beam.iter().map(|x| x / power.sqrt()).collect();
            add_outer(&mut covariance, -1.0, &beams[user]);
        }
        clip(&mut covariance);
        let spent: f64 = beams.iter().map(|w| squared(w)).sum::<f64>() + covariance.trace().re;
        if spent > self.limits.power {
            // Rounding alone.
            let factor = self.limits.power / spent;
            beams.iter_mut().flatten().for_each(|x| *x *= factor.sqrt());
            covariance *= C::new(factor, 0.0);
        }
        Some((beams, covariance))
    }
}

/// Clips the negative eigenvalues that rounding left.
pub(super) fn clip(x: &mut Matrix) {
    let n = x.nrows();
    let hermitian = (&*x + x.adjoint()) * C::new(0.5, 0.0);
    let eigen = hermitian.symmetric_eigen();
    let mut out = Matrix::zeros(n, n);
    for (j, value) in eigen.eigenvalues.iter().enumerate().filter(|(_, v)| **v > 0.0) {
        add_outer(&mut out, *value, eigen.eigenvectors.column(j).as_slice());
    }
    *x = out;
}

/// The number of eigenvalues above 1e-5 of the largest.
fn rank(x: &Matrix) -> usize {
    let values = x.symmetric_eigenvalues();
    let most = values.max();
    values.iter().filter(|v| **v > 1e-5 * most).count()
}
