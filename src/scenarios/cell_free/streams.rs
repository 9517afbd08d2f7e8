//! SINRs as concave functions of stream powers (orthogonal pilots), for conic programs.
//!
//! `G_k = x_k² = (sum_l a_kl sqrt(p_kl))²` is concave, `I_k` is linear. With the unit vectors `a_k / |a_k|` and powers
//! relative to the budget, `g_k <= G_k / (|a_k|² P)` where `y_kl² <= p_kl g_k` and `sum_l a_kl/|a_k| y_kl >= g_k`. All
//! variables are at most 1. The amplitudes of [`super::surrogate`] would not do here: a lower limit on
//! `A c + B q` is reverse convex in them.

use super::System;
use super::illumination::{constrain, constrain_power};
use super::limits::Limits;
use crate::conic::{Cone, Expression, Program, Variable, Variables};
use crate::design::Design;

/// The variables of one program.
pub(super) struct Streams {
    /// `p_kl`, K x L, and `q_l`, relative to the budget.
    pub power: Variables,
    pub sensing: Variables,
    /// `g_k`, and the largest `G_k`.
    pub gain: Variables,
    pub largest: Vec<f64>,
}

impl Streams {
    /// Adds the variables with the limits on power and sensing. With `factor` the power limits are that many times as
    /// large.
    pub fn new(program: &mut Program, system: &System, limits: &Limits, factor: Option<Variable>) -> Self {
        let users = &system.users;
        let (count, access_points) = (users.users, users.access_points);
        let power = program.variables(count * access_points);
        let parts = program.variables(count * access_points);
        let (communication, sensing) = (program.variables(access_points), program.variables(access_points));
        let gain = program.variables(count);
        let sums = communication
            .iter()
            .enumerate()
            .map(|(l, c)| Expression::sum((0..count).map(|k| (power.get(k * access_points + l), 1.0))) - c);
        program.constrain(Cone::Zero, sums);
        constrain_power(program, limits, (communication, sensing), factor);
        constrain(program, system, limits, (communication, sensing), None);
        let mut largest = Vec::with_capacity(count);
        for (k, a) in users.amplitude.chunks_exact(access_points).enumerate() {
            let g = gain.get(k);
            let norm = a.iter().map(|a| a * a).sum::<f64>().sqrt();
            largest.push(norm * norm * limits.power);
            for l in 0..access_points {
                let (p, y) = (power.get(k * access_points + l), parts.get(k * access_points + l));
                program.constrain(Cone::RotatedSecondOrder, [p.into(), g.into(), 2f64.sqrt() * y]);
            }
            let sum = Expression::sum(a.iter().enumerate().map(|(l, a)| (parts.get(k * access_points + l), a / norm)));
            program.constrain(Cone::NonNegative, [sum - g]);
        }
        Self { power, sensing, gain, largest }
    }

    /// `I_k - sigma_c²` as an expression.
    pub fn interference(&self, system: &System, limits: &Limits, user: usize) -> Expression {
        let access_points = system.users.access_points;
        let fading = &system.users.fading[user * access_points..(user + 1) * access_points];
        let streams = self.power.iter().enumerate().map(|(i, p)| (p, limits.power * fading[i % access_points]));
        let beams = self.sensing.iter().zip(fading).map(|(q, beta)| (q, limits.power * beta));
        Expression::sum(streams.chain(beams))
    }

    /// Writes the powers of a solution, over a factor.
    pub fn read(&self, solution: &[f64], scale: f64, design: &mut Design) {
        let half = design.len() / 2;
        let (access_points, streams) = (self.sensing.len(), self.gain.len());
        for (p, x) in design[..half].iter_mut().zip(&solution[self.power.range()]) {
            *p = scale * x.max(0.0);
        }
        for (l, q) in solution[self.sensing.range()].iter().enumerate() {
            let each = scale * q.max(0.0) / streams as f64;
            design[half..].chunks_exact_mut(access_points).for_each(|row| row[l] = each);
        }
    }
}
