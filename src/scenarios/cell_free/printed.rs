//! The paper's subproblem (26) as it is printed, for comparison: only the sum rate, and only CRLBs of own illumination.
//!
//! * Rates as in (7): no coherent interference of shared pilots.
//! * CRLB limits as (24) and (25): `s/th tau + |tau^|² <= 2 v° v - v°²` and `v² <= tau tau~`, an inner approximation of
//!   what is linear ([`super::illumination`]).
//! * With `both_sides`, powers as (22): `w_kl² <= gamma_kl <= 2 w°_kl w_kl - w°_kl²`. The upper bound is
//!   `w_kl² - (w_kl - w°_kl)²`, so the pair forces `w = w°` and `gamma = w°²`: no user's power can ever change. Without
//!   it the lower half alone is kept.
//!
//! In `x = c/N_t`, `y = q/N_t` and units of the budget: `tau = N_r (N_t x + N_t² y)`, `tau~ = |M|² x + |M a|² y`,
//! `tau^ = tr(M^H B)(x + N_t y)`, `M = b' a^H + b a'^H`, whose entries have modulus `pi cos(theta) |n - m|` in the
//! paper's numbering of antennas.

use std::f64::consts::PI;
use std::sync::Arc;

use super::System;
use super::allocation::Allocation;
use super::illumination::constrain_power;
use super::limits::Limits;
use super::metrics::column_sums;
use crate::conic::{Coefficient, Cone, Expression, Program, Sense, Variables};
use crate::design::Design;
use crate::error::{Error, Result};
use crate::structure::Surrogate;

/// An access point's rows of (24).
struct Bound {
    access_point: usize,
    /// `tau`, `tau~` and `|tau^|`, each by c and by q.
    parts: [[f64; 2]; 3],
    slope: Coefficient,
    constant: Coefficient,
}

/// The subproblem (26).
pub(super) struct Printed {
    system: Arc<System>,
    weights: Vec<f64>,
    allocation: Allocation,
    program: Program,
    /// Stream powers and amplitudes, K x L, relative to the budget.
    power: Variables,
    amplitude: Variables,
    sensing: Variables,
    desired: Vec<(Coefficient, Coefficient)>,
    cost: Vec<[Coefficient; 2]>,
    largest: Vec<f64>,
    /// The upper half of (22): slope and constant.
    upper: Vec<[Coefficient; 2]>,
    bounds: Vec<Bound>,
}

impl Printed {
    pub fn new(system: Arc<System>, weights: Vec<f64>, limits: &Limits, both_sides: bool) -> Self {
        let users = &system.users;
        let (count, access_points, budget) = (users.users, users.access_points, limits.power);
        let mut program = Program::new(Sense::Maximize);
        let amplitude = program.variables(count * access_points);
        let power = program.variables(count * access_points);
        let communication = program.variables(access_points);
        let sensing = program.variables(access_points);
        constrain_power(&mut program, limits, (communication, sensing), None);
        let sums = communication
            .iter()
            .enumerate()
            .map(|(l, c)| Expression::sum((0..count).map(|k| (power.get(k * access_points + l), 1.0))) - c);
        program.constrain(Cone::Zero, sums);
        let mut upper = Vec::new();
        for (w, p) in amplitude.iter().zip(power.iter()) {
            program.constrain(Cone::RotatedSecondOrder, [p.into(), 0.5.into(), w.into()]);
            if both_sides {
                let row = program.constrain(Cone::NonNegative, [Expression::sum([(w, 0.0)]) - p]).row(0);
                upper.push([program.coefficient(row, w), program.constant(row)]);
            }
        }
        let x = program.variables(count);
        let mut largest = Vec::new();
        for (k, a) in users.amplitude.chunks_exact(access_points).enumerate() {
            let norm = a.iter().map(|a| a * a).sum::<f64>().sqrt();
            largest.push(norm * budget.sqrt());
            let sent = a.iter().enumerate().map(|(l, a)| (amplitude.get(k * access_points + l), a / norm));
            program.constrain(Cone::Zero, [Expression::sum(sent) - x.get(k)]);
        }
        let desired = x.iter().map(|x| (program.cost(x), program.quadratic(x, x, 0.0))).collect();
        let cost = communication.iter().zip(sensing.iter()).map(|(c, q)| [program.cost(c), program.cost(q)]).collect();
        let instance = &system.instance;
        let noise = instance.sensing_noise_power / (2.0 * instance.frame_length as f64);
        let bounds = (0..access_points).filter(|l| limits.own[*l] > 0.0).map(|l| {
            // Relative to |alpha|² and to the largest tau.
            let gain = system.sensing.gain(l, l).norm_sqr();
            let parts = parts(instance.transmit_antennas, instance.receive_antennas, instance.target_direction[l]);
            let size = parts[0][0].max(parts[0][1]).max(parts[1][0]).max(parts[1][1]);
            let parts = parts.map(|part| part.map(|x| x / size));
            let threshold = noise * limits.own[l] / (gain * size * budget);
            let line = |part: [f64; 2]| part[0] * communication.get(l) + part[1] * sensing.get(l);
            let v = program.variables(1).get(0);
            // (25), and (24) with the square as a cone: 2 (right side) (1/2) >= |tau^|².
            let [tau, curved, cross] = parts;
            program.constrain(Cone::RotatedSecondOrder, [line(tau), line(curved), 2f64.sqrt() * v]);
            let right = Expression::sum([(v, 0.0)]) - threshold * line(tau);
            let row = program.constrain(Cone::RotatedSecondOrder, [right, 0.5.into(), line(cross)]).row(0);
            Bound { access_point: l, parts, slope: program.coefficient(row, v), constant: program.constant(row) }
        });
        let bounds = bounds.collect();
        let allocation = Allocation::new(&system, limits);
        Self { weights, allocation, program, power, amplitude, sensing, desired, cost, largest, upper, bounds, system }
    }
}

/// `tau`, `tau~` and `|tau^|` by communication and by sensing power, without `|alpha|²`.
fn parts(transmit: usize, receive: usize, direction: f64) -> [[f64; 2]; 3] {
    let (nt, nr) = (transmit as f64, receive as f64);
    let slope = PI * direction.cos();
    let (mut square, mut rows, mut sum) = (0.0, 0.0, 0.0);
    for m in 1..=receive {
        let mut row = 0.0;
        for n in 1..=transmit {
            let difference = n as f64 - m as f64;
            square += difference * difference;
            row += difference;
        }
        rows += row * row;
        sum += row;
    }
    let squared = slope * slope;
    // By c = N_t x and q = N_t y.
    [[nr, nr * nt], [squared * square / nt, squared * rows / nt], [slope * f64::abs(sum) / nt, slope * f64::abs(sum)]]
}

impl Surrogate for Printed {
    fn program(&mut self) -> &mut Program {
        &mut self.program
    }

    fn at(&mut self, design: &Design) -> Result<()> {
        let users = &self.system.users;
        let (access_points, budget) = (users.access_points, self.allocation.budget);
        let half = design.len() / 2;
        if half != users.gain.len() {
            return Err(Error::Numerical("a design of another space".into()));
        }
        let program = &mut self.program;
        let (mut communication, mut sensing) = (vec![0.0; access_points], vec![0.0; access_points]);
        column_sums(&design[..half], &mut communication);
        column_sums(&design[half..], &mut sensing);
        let mut cost = vec![0.0; access_points];
        let mut constant = 0.0;
        for (k, (linear, quadratic)) in self.desired.iter().enumerate() {
            let row = k * access_points..(k + 1) * access_points;
            let fading = &users.fading[row.clone()];
            let x: f64 = users.amplitude[row.clone()].iter().zip(&design[row]).map(|(a, p)| a * p.sqrt()).sum();
            let total = communication.iter().zip(&sensing).map(|(c, q)| c + q);
            let interference = users.noise + fading.iter().zip(total).map(|(beta, p)| beta * p).sum::<f64>();
            let sinr = x * x / interference;
            let weight = self.weights[k] * users.unit;
            let price = weight * sinr / (interference * (1.0 + sinr));
            constant += weight * (sinr.ln_1p() - sinr) - price * users.noise;
            program.set(*linear, 2.0 * weight * x / interference * self.largest[k]);
            program.set(*quadratic, -price * self.largest[k] * self.largest[k]);
            cost.iter_mut().zip(fading).for_each(|(c, beta)| *c += price * beta * budget);
        }
        for (places, cost) in self.cost.iter().zip(cost) {
            places.iter().for_each(|place| program.set(*place, -cost));
        }
        program.set(program.cost_constant(), constant);
        for ([slope, constant], p) in self.upper.iter().zip(&design[..half]) {
            program.set(*slope, 2.0 * (p / budget).sqrt());
            program.set(*constant, -p / budget);
        }
        for bound in &self.bounds {
            let l = bound.access_point;
            let line = |part: [f64; 2]| (part[0] * communication[l] + part[1] * sensing[l]) / budget;
            let v = (line(bound.parts[0]) * line(bound.parts[1])).sqrt();
            program.set(bound.slope, 2.0 * v);
            program.set(bound.constant, -v * v);
        }
        Ok(())
    }

    /// Stream powers and sensing powers as they are; the latter raised by what the solution's tolerance left missing.
    fn read(&self, solution: &[f64], design: &mut Design) {
        let (access_points, streams) = (self.sensing.len(), self.system.users.users);
        let budget = self.allocation.budget;
        let half = design.len() / 2;
        let squared = |(p, w): (&f64, &f64)| if self.upper.is_empty() { p.max(w * w) } else { *p };
        let both = solution[self.power.range()].iter().zip(&solution[self.amplitude.range()]);
        design[..half].iter_mut().zip(both).for_each(|(p, pair)| *p = budget * squared(pair).max(0.0));
        let mut communication = vec![0.0; access_points];
        column_sums(&design[..half], &mut communication);
        for (l, q) in self.sensing.iter().enumerate() {
            let least = self.allocation.sites[l].sensing(communication[l]);
            let sensing = (budget * solution[q.index()]).max(if least.is_finite() { least } else { 0.0 });
            design[half..].chunks_exact_mut(access_points).for_each(|row| row[l] = sensing / streams as f64);
        }
    }
}
